"""The tables of iris: flowers, their labels a day later, predictions, and the daily figures about them."""

from __future__ import annotations

from shared.runs import RUNS
from shared.steps.promotion import PROMOTIONS
from shared.tables import PROVENANCE, Column, Table

MODEL = "iris"  # in the registry
VARIETIES = ("setosa", "versicolor", "virginica")
MEASURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
ORIGINS = ("reference", "synthetic")

FLOWERS = Table(
    "iris_flowers",
    (
        Column("flower_id", "text"),
        Column("picked_at", "time"),
        *(Column(name, unit="cm", low=0.1, high=30) for name in MEASURES),
        Column("origin", "text", allowed=ORIGINS, about="synthetic flowers never train the model unless asked to"),
    ),
    key=("flower_id",),
    event_time="picked_at",
    about="Flowers as they were measured.",
)

LABELS = Table(
    "iris_labels",
    (
        Column("flower_id", "text"),
        Column("labelled_at", "time", about="a synthetic flower's is known one day after it was picked"),
        Column("variety", "text", allowed=VARIETIES),
    ),
    key=("flower_id",),
    event_time="labelled_at",
    about="What each flower turned out to be.",
)

PREDICTIONS = Table(
    "iris_predictions",
    (
        Column("flower_id", "text"),
        Column("picked_at", "time"),
        Column("predicted", "text", allowed=VARIETIES),
        *(Column(name, low=0, high=1, about="probability") for name in VARIETIES),
        Column("label_set", "text", about="varieties that together hold the truth 9 times in 10, joined by |"),
        Column("input_hash", "text", about="hash of the measurements that went in"),
        *PROVENANCE,
    ),
    key=("flower_id",),
    event_time="picked_at",
    about="What the model said of each synthetic flower.",
)

MONITORING = Table(
    "iris_monitoring",
    (
        Column("day", "time"),
        Column("figure", "text", about="accuracy, coverage, set_size, calibration_error, shift:<measure>"),
        Column("alarm", "flag"),
        Column("value", nullable=True),
        Column("low", nullable=True, about="lower end of the 95 % interval"),
        Column("high", nullable=True),
        Column("baseline", nullable=True, about="the same figure of always guessing the commonest variety"),
    ),
    key=("day", "figure"),
    event_time="day",
    about="The figures of the last 30 days, as of each day.",
)

TABLES = (FLOWERS, LABELS, PREDICTIONS, MONITORING)
SHOWN = (FLOWERS, LABELS, PREDICTIONS, PROMOTIONS, RUNS)  # what its pages read
MODELS = (MODEL,)
