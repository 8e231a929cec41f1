"""How good expected grades, whole grades, intervals and probabilities are: figures of ``ordinal.graded`` beside truth.

said: quality, grade, low, high, p3 …, truth ──► figures: errors, agreement, coverage
                                             ──► compared: a row of a table of models
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from shared.steps.intervals import interval_coverage
from shared.steps.scoring import Share, mean_of, quadratic_kappa, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence


def figures(said: pd.DataFrame, grades: Sequence[int]) -> dict[str, float]:
    """Return mse, mae, qwk, accuracy, log_loss (nats), coverage and interval_width; nan of no rows.

    Raises:
        SchemaError: a grade, true or said, is none of ``grades``, or a value is blank.

    >>> said = {"quality": [5.5], "grade": [6], "low": [5.0], "high": [6.5], "p5": [0.5], "p6": [0.5], "truth": [6]}
    >>> figures(pd.DataFrame(said), grades=[5, 6])["mse"]
    0.25
    """
    truth, away = said["truth"], said["quality"] - said["truth"]
    agreement = quadratic_kappa(truth, said["grade"], grades)
    likely = said[[f"p{grade}" for grade in grades]].to_numpy()[np.arange(len(said)), truth - grades[0]]
    return {
        "mse": float((away**2).mean()),
        "mae": float(away.abs().mean()),
        "qwk": agreement,
        "accuracy": float((said["grade"] == truth).mean()),
        "log_loss": float(-np.log(likely.clip(1e-6)).mean()) if len(said) else float("nan"),
        "coverage": interval_coverage(said["low"], said["high"], truth).value,
        "interval_width": float((said["high"] - said["low"]).mean()),
    }


def compared(label: str, said: pd.DataFrame, column: str, grades: Sequence[int]) -> dict[str, Any]:
    """Return one model's row: squared error with its 95 % interval and its range over repeats, and the rest.

    ``column`` holds its expected grades; whole ones are those rounded half up, but for ``quality``, which has its own
    in ``grade``. Rows of one index value count as one.
    """
    away = said[column] - said["truth"]
    mse, by_repeat = mean_of(away**2), (away**2).groupby(said["repeat"].to_numpy()).mean()
    plain = np.floor(said[column] + 0.5).clip(grades[0], grades[-1]).astype("int64")
    whole = said["grade"] if column == "quality" else plain
    return {
        "model": label,
        "mse": mse.value,
        "low": mse.low,
        "high": mse.high,
        "repeats": f"{by_repeat.min():.3f}–{by_repeat.max():.3f}",
        "mae": float(away.abs().mean()),
        "qwk": quadratic_kappa(said["truth"], whole, grades),
        "accuracy": float((whole == said["truth"]).mean()),
    }


def coverage_by_grade(said: pd.DataFrame, grades: Sequence[int]) -> dict[int, Share]:
    """Return for each grade the share of its intervals that hold it; of no rows where it never occurred."""
    held = (said["truth"] >= said["low"]) & (said["truth"] <= said["high"])
    return {
        grade: wilson(int(held[said["truth"] == grade].sum()), int((said["truth"] == grade).sum())) for grade in grades
    }
