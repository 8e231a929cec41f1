"""The tables of wine: samples, the grades a panel gave them, wines kept in reserve, predictions, daily figures.

The measures are those of P. Cortez, A. Cerdeira, F. Almeida, T. Matos & J. Reis 2009, Modeling wine preferences by data
mining from physicochemical properties, Decision Support Systems 47:547, table 1.
"""

from __future__ import annotations

from shared.runs import RUNS
from shared.steps.promotion import PROMOTIONS
from shared.tables import PROVENANCE, Column, Table

MODEL = "wine"  # in the registry
SYNTHESIZER = "wine_synthesizer"  # in the registry, too
COLOURS = ("red", "white")
GRADES = tuple(range(3, 10))  # of 0 to 10: no wine of the study was graded lower or higher
ORIGINS = ("reference", "reserve", "synthetic")
TRACKS = ("reserve", "synthetic")  # what is predicted day by day, and watched apart

# Bounds are those of any table wine: wider than the study, narrow enough to refuse a wrong unit.
_MEASURED = (
    Column("fixed_acidity", unit="g/L", low=1, high=30, nullable=True, about="as tartaric acid"),
    Column("volatile_acidity", unit="g/L", low=0, high=3, nullable=True, about="as acetic acid"),
    Column("citric_acid", unit="g/L", low=0, high=5, nullable=True),
    Column("residual_sugar", unit="g/L", low=0, high=300, nullable=True),
    Column("chlorides", unit="g/L", low=0, high=2, nullable=True, about="as sodium chloride"),
    Column("free_sulfur_dioxide", unit="mg/L", low=0, high=500, nullable=True),
    Column("total_sulfur_dioxide", unit="mg/L", low=1, high=1000, nullable=True),
    Column("density", unit="g/cm³", low=0.95, high=1.2, nullable=True),
    Column("ph", low=2, high=5, nullable=True),
    Column("sulphates", unit="g/L", low=0, high=5, nullable=True, about="as potassium sulphate"),
    Column("alcohol", unit="% vol", low=5, high=22, nullable=True),
)
MEASURES = tuple(column.name for column in _MEASURED)

SAMPLES = Table(
    "wine_samples",
    (
        Column("sample_id", "text"),
        Column("taken_at", "time"),
        Column("origin", "text", allowed=ORIGINS, about="synthetic wines never train the model"),
        Column("source", "text", about="the file or data set; of a synthetic wine, the one its synthesizer learned"),
        Column("colour", "text", allowed=COLOURS),
        *_MEASURED,
    ),
    key=("sample_id",),
    event_time="taken_at",
    about="Wines as a laboratory measured them, or as the synthesizer made them.",
)

GRADED = Table(
    "wine_grades",
    (
        Column("sample_id", "text"),
        Column("graded_at", "time", about="of a wine that came day by day, one day after it was taken"),
        Column("grade", "int", low=GRADES[0], high=GRADES[-1], about="0 very bad to 10 excellent; 3 to 9 occur"),
        Column("grader", "text", allowed=("panel", "synthesizer"), about="a synthetic wine was never tasted"),
    ),
    key=("sample_id",),
    event_time="graded_at",
    about="How good each wine was found: by a panel (the median of three tasters), or by the synthesizer.",
)

RESERVE = Table(
    "wine_reserve",
    (
        Column("sample_id", "text"),
        Column("kept_at", "time"),
        Column("source", "text"),
        Column(
            "place",
            "int",
            low=0,
            about="in the order of opening, one a day; of twins, who share it, the first",
        ),
        Column("colour", "text", allowed=COLOURS),
        *_MEASURED,
        Column("grade", "int", low=GRADES[0], high=GRADES[-1]),
    ),
    key=("sample_id",),
    event_time="kept_at",
    about="Real wines kept back from training until their day comes.",
)

PREDICTIONS = Table(
    "wine_predictions",
    (
        Column("sample_id", "text"),
        Column("taken_at", "time"),
        Column("origin", "text", allowed=TRACKS),
        Column("quality", low=0, high=10, about="expected grade"),
        Column(
            "grade",
            "int",
            low=GRADES[0],
            high=GRADES[-1],
            about="the quality, stretched about the mean grade and rounded",
        ),
        Column("low", about="lower end of the interval that holds the grade 9 times in 10"),
        Column("high"),
        *(Column(f"p{grade}", low=0, high=1, about=f"probability of grade {grade}") for grade in GRADES),
        Column("input_hash", "text", about="hash of the measurements that went in"),
        *PROVENANCE,
    ),
    key=("sample_id",),
    event_time="taken_at",
    about="What the model said of each wine that came day by day.",
)

MONITORING = Table(
    "wine_monitoring",
    (
        Column("day", "time"),
        Column("track", "text", allowed=TRACKS, about="real wines of the reserve, or synthetic ones"),
        Column("figure", "text", about="mae, mse, qwk, accuracy, coverage, shift:<measure>"),
        Column("alarm", "flag"),
        Column("value", nullable=True),
        Column("low", nullable=True, about="lower end of the 95 % interval"),
        Column("high", nullable=True),
        Column("baseline", nullable=True, about="the same of always saying the mean grade; of accuracy, the commonest"),
    ),
    key=("day", "track", "figure"),
    event_time="day",
    about="The figures of the last days, as of each day, by track.",
)

TABLES = (SAMPLES, GRADED, RESERVE, PREDICTIONS, MONITORING)
SHOWN = (SAMPLES, GRADED, PREDICTIONS, PROMOTIONS, RUNS)  # what its pages read
MODELS = (MODEL, SYNTHESIZER)
