"""The tables of air quality: stations, readings, daily means, weather and CAMS as known at each lead, forecasts.

A *day* is a calendar day where the station stands, kept as 00:00 UTC of that date. The *origin* of a forecast is the
last whole day before it was made; the *lead* counts days from the origin: 1 is the day of the run, 7 six days on.
"""

from __future__ import annotations

from shared.runs import RUNS
from shared.steps.promotion import PROMOTIONS
from shared.tables import PROVENANCE, Column, Table

MODEL = "air_quality"  # in the registry
LEADS = tuple(range(1, 8))
LIMITS = (
    15,
    25,
    35,
)  # µg/m³: WHO's daily guideline of 2021, the EU's daily limit from 2030, the US standard of 24 hours
BASELINES = ("persistence", "damped", "climatology", "recursive", "ridge", "cams")
ORIGINS = ("history", "station", "station_cams", "cams")

STATIONS = Table(
    "air_quality_stations",
    (
        Column("station", "text", about="short name, a slug"),
        Column("added_at", "time"),
        Column("name", "text"),
        Column("latitude", unit="°", low=-90, high=90),
        Column("longitude", unit="°", low=-180, high=180),
        Column("country", "text", about="ISO 3166-1, two letters"),
        Column("timezone", "text", about="IANA"),
        Column("feed", "text", nullable=True, about="AQICN's name of the station, such as @5284; blank: CAMS only"),
    ),
    key=("station",),
    event_time="added_at",
    about="Where fine dust is forecast.",
)

READINGS = Table(
    "air_quality_readings",
    (
        Column("station", "text"),
        Column("read_at", "time", about="when the station measured, by its own clock"),
        Column("aqi", low=0, high=1000, about="US EPA index of PM2.5, as AQICN gives it"),
        Column("pm25", unit="µg/m³", low=0, high=1000),
    ),
    key=("station", "read_at"),
    event_time="read_at",
    about="What AQICN's feed said at a moment: never a daily mean.",
)

OBSERVATIONS = Table(
    "air_quality_observations",
    (
        Column("station", "text"),
        Column("day", "time"),
        Column("pm25", unit="µg/m³", low=0, high=1000, about="daily mean; of some history files the daily median"),
        Column(
            "origin",
            "text",
            allowed=ORIGINS,
            about="a file; 18 or more hourly readings; fewer, with CAMS's course of the day; CAMS alone",
        ),
        Column("hours", "int", low=0, high=25, about="of the station's own readings; 0 of files and CAMS"),
    ),
    key=("station", "day"),
    event_time="day",
    about="Fine dust by day.",
)

_MEASURED = (
    Column("temperature_mean", unit="°C", low=-90, high=60, nullable=True),
    Column("precipitation_sum", unit="mm", low=0, high=2000, nullable=True),
    Column("wind_speed_max", unit="km/h", low=0, high=450, nullable=True),
    Column("wind_direction", unit="°", low=0, high=360, nullable=True, about="whence; circular mean"),
)
WEATHER_MEASURES = tuple(column.name for column in _MEASURED)

WEATHER = Table(
    "air_quality_weather",
    (
        Column("station", "text"),
        Column("day", "time"),
        Column("lead", "int", low=0, high=7, about="0: as it was; else as it was forecast that many days before"),
        *_MEASURED,
        Column(
            "origin", "text", allowed=("archive", "forecast", "file"), about="at lead 0 the archive replaces a forecast"
        ),
    ),
    key=("station", "day", "lead"),
    event_time="day",
    about="Weather by day, from hourly values: mean, sum, maximum, circular mean.",
)

CAMS = Table(
    "air_quality_cams",
    (
        Column("station", "text"),
        Column("day", "time"),
        Column("lead", "int", low=0, high=7, about="0: as analysed; else as it was forecast that many days before"),
        Column("pm25", unit="µg/m³", low=0, high=1000, about="daily mean"),
    ),
    key=("station", "day", "lead"),
    event_time="day",
    about="Fine dust by the Copernicus atmosphere service's model, where the station stands.",
)

PREDICTIONS = Table(
    "air_quality_forecasts",
    (
        Column("forecast", "text", about="its name: station/day/lead"),
        Column("station", "text"),
        Column("day", "time", about="the day that is forecast"),
        Column("lead", "int", low=LEADS[0], high=LEADS[-1]),
        Column("pm25", unit="µg/m³", low=0, high=1000, about="expected daily mean"),
        Column("blend", unit="µg/m³", low=0, high=1000, about="before the correction by how forecasts were off lately"),
        Column("low", unit="µg/m³", low=0, high=1000, about="lower end of the interval that holds it 9 times in 10"),
        Column("high", unit="µg/m³", low=0, high=2000),
        *(Column(f"p{limit}", low=0, high=1, about=f"probability of more than {limit} µg/m³") for limit in LIMITS),
        *(Column(name, unit="µg/m³", low=0, high=2000, nullable=True, about="a baseline") for name in BASELINES),
        Column("input_hash", "text", about="hash of the features that went in"),
        *PROVENANCE,
    ),
    key=("forecast",),
    event_time="day",
    about="What was forecast for each station and day, at each lead, beside its baselines.",
)

MONITORING = Table(
    "air_quality_monitoring",
    (
        Column("day", "time"),
        Column("station", "text", about="* for all stations together"),
        Column("lead", "int", low=0, high=7, about="0 for all leads together"),
        Column("figure", "text", about="rmse, mae, coverage, skill:<baseline>, silent_days, drift"),
        Column("alarm", "flag"),
        Column("value", nullable=True),
        Column("low", nullable=True, about="lower end of the 95 % interval"),
        Column("high", nullable=True),
        Column("baseline", nullable=True, about="the same of damped persistence; of coverage, what is promised"),
    ),
    key=("day", "station", "lead", "figure"),
    event_time="day",
    about="The figures of the last days, as of each day.",
)

ALERTS = Table(
    "air_quality_alerts",
    (
        Column("alert", "text", about="what it is about: kind/station/first day; each is sent once"),
        Column("raised_at", "time"),
        Column("kind", "text", allowed=("exceedance", "stale", "drift", "failed")),
        Column("station", "text"),
        Column("day", "time", about="the business date"),
        Column("message", "text"),
        Column("sent", "flag", about="false: nobody is told (ALMANAC_NOTIFY is not set), or the service was down"),
    ),
    key=("alert",),
    event_time="raised_at",
    about="What somebody should know.",
)

TABLES = (STATIONS, READINGS, OBSERVATIONS, WEATHER, CAMS, PREDICTIONS, MONITORING, ALERTS)
SHOWN = (STATIONS, READINGS, OBSERVATIONS, WEATHER, PREDICTIONS, ALERTS, PROMOTIONS, RUNS)  # what its pages read
MODELS = (MODEL,)
