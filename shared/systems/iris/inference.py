"""What the champion says about flowers: probabilities, the likeliest variety, a 90 % label set, and why to believe it.

Needs onnxruntime only, so a container that predicts starts fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from shared.runs import stamp
from shared.steps.intervals import label_sets
from shared.steps.onnx import class_probabilities
from shared.steps.promotion import champion
from shared.steps.tracing import trace
from shared.systems.iris.features import fingerprint, unpredicted
from shared.systems.iris.tables import FLOWERS, MEASURES, MODEL, PREDICTIONS, VARIETIES

if TYPE_CHECKING:
    from shared.ports import ModelVersion, Platform
    from shared.runs import Run


def serving(platform: Platform, run: Run) -> ModelVersion:
    """Return the model that serves on the run's date.

    Raises:
        NotYetError: none does yet.
    """
    return champion(platform, MODEL, until=run.until)


def predict(platform: Platform, run: Run, model: ModelVersion) -> int:
    """Predict every flower picked by the run's date and not yet predicted; return how many."""
    store_version = platform.features.version()
    fresh = unpredicted(platform, run.until, as_of=store_version)
    if fresh.empty:
        return 0
    predictions = stamp(classify(model, fresh), run, model, store_version)
    return platform.features.write(PREDICTIONS, predictions).rows


def classify(model: ModelVersion, flowers: pd.DataFrame) -> pd.DataFrame:
    """Return flower_id, picked_at, ``predicted``, a probability a variety, ``label_set`` and ``input_hash``."""
    found = probabilities(model, flowers)
    sets = label_sets(found, float(model.signature["threshold"]))
    return flowers[["flower_id", "picked_at"]].assign(
        predicted=found.idxmax(axis=1),
        **found,
        label_set=["|".join(sets.columns[row]) for row in sets.to_numpy()],
        input_hash=fingerprint(flowers),
    )


def probabilities(model: ModelVersion, flowers: pd.DataFrame) -> pd.DataFrame:
    """Return float64 ``[flowers, 3]``, a column a variety."""
    found = class_probabilities(model.folder / "model.onnx", flowers[list(MEASURES)].to_numpy())
    return pd.DataFrame(found, columns=list(VARIETIES), index=flowers.index)


def explain(platform: Platform, flower_id: str) -> dict[str, Any]:
    """Return what a prediction was made from, and whether making it again gives exactly the same.

    Raises:
        NotYetError: there is no prediction for that flower.
    """
    return trace(platform, PREDICTIONS, FLOWERS, flower_id, classify, MEASURES)
