"""A weighted sum of models, weighted by what each said of rows it had not learned from.

    out_of_fold: each model's predictions of held-out rows ──► weights: >= 0, adding up to 1 ──► signature["members"]
    stacked: the members' ONNX files ──► the weighted sum

Stacked regression (Breiman 1996, Machine Learning 24:49): weights below zero are not allowed, which keeps alike models
from cancelling each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.errors import SchemaError
from shared.steps.onnx import predicted_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shared.ports import ModelVersion

    Fold = tuple[np.ndarray, np.ndarray]

LEAST_WEIGHT = 0.05  # a smaller one is not worth a model's time and space


def out_of_fold(make: Callable[[], Any], inputs: np.ndarray, truth: np.ndarray, folds: Sequence[Fold]) -> np.ndarray:
    """Return what models, each fitted on a fold's first rows, say of its second ``[rows]``; nan where none holds a row.

    ``make`` returns a new, unfitted model with ``fit`` and ``predict``.
    """
    said = np.full(len(truth), np.nan)
    for fit, held in folds:
        said[held] = make().fit(inputs[fit], truth[fit]).predict(inputs[held])
    return said.round(8)  # threads of a forest add up in any order: without, the last bits differ from run to run


def weights(said: Mapping[str, np.ndarray], truth: np.ndarray) -> dict[str, float]:
    """Return each model's weight in the sum that comes nearest to the truth; those of weight 0 are left out.

    Raises:
        SchemaError: a prediction or a truth is blank.

    >>> weights({"right": np.array([1.0, 2.0, 4.0]), "wrong": np.array([3.0, 1.0, 2.0])}, np.array([1.0, 2.0, 4.0]))
    {'right': 1.0}
    """
    from scipy.optimize import nnls  # only to learn: it takes a third of a second

    columns = np.column_stack([*said.values()])
    if not (np.isfinite(columns).all() and np.isfinite(truth).all()):
        raise SchemaError("a prediction or a truth is blank; stack only models that predicted every row")
    # A last row, weighted far above the others, asks for a sum of 1 (Lawson & Hanson 1974, ch. 22).
    heavy = 1e3 * max(float(np.abs(columns).max()), 1.0) * np.sqrt(len(truth))
    found, _ = nnls(np.vstack([columns, np.full(columns.shape[1], heavy)]), np.r_[truth, heavy])
    kept = {name: round(float(weight), 4) for name, weight in zip(said, found / found.sum(), strict=True)}
    least = {name: weight for name, weight in kept.items() if weight >= LEAST_WEIGHT}
    return {name: weight / sum(least.values()) for name, weight in least.items()}


def stacked(model: ModelVersion, inputs: np.ndarray, *, batch: bool = False) -> np.ndarray:
    """Return what a registered stack says of float32 ``[rows, features]``: float64 ``[rows]``.

    ``signature["members"]`` holds, by the name of an ONNX file, its ``weight`` and the ``base`` below its outputs.
    """
    total = np.zeros(len(inputs))
    for name, member in model.signature["members"].items():
        outputs = predicted_values(model.folder / f"{name}.onnx", inputs, batch=batch)
        total += member["weight"] * (member["base"] + outputs.sum(axis=1))
    return total
