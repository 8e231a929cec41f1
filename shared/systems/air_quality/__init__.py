"""Air quality: fine dust (PM2.5) of any station, seven days ahead.

In data order:

tables, units                    what is kept; µg/m³, the US index and its six classes
stations                         where: the default, and those that are added
open_meteo, aqicn, history       who is asked: weather and CAMS, a station's feed, a person's files
days, merging, sources, parcels  hours to days; which of two rows counts; backfill and the daily fetch; that in parts
panel, features                  all that was known, as arrays; one row a station, origin and lead
baselines, model, blend          what must be beaten; the forecasters; their weights, intervals and probabilities
scores, backtest                 how good; rolling origins
keeping, training                a model as files; judged, fitted, promoted
inference, monitoring            the day's forecasts; whether they held, and who should know
showing, drawing, publishing     what pages show; pictures; a static page
"""
