"""Air quality: fine dust (PM2.5) of any station, seven days ahead, in data order.

tables      what is kept
units       µg/m³ and the US EPA's index, its six classes
sources     stations, AQICN, Open-Meteo, a person's files
features    one row a station, day of issue and lead
baselines   what a forecast must beat
model       the blend of forecasters, its residuals, its intervals
training    rolling origins, the backtest, the model that serves
inference   the forecasts of a day
monitoring  forecasts whose day has come; alerts
publishing  a static page
"""
