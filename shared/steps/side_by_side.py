"""Models side by side: each figure with its interval, and whether the new one is surely better or worse.

    figures of each model, a value a case ──► paired by case ──► a row a figure: its value and theirs, the verdict

A difference is called sure when the 95 % interval of its paired bootstrap does not hold 0. Of twenty figures of two
equal models one is called so by chance: what gates is decided elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from shared.errors import SchemaError
from shared.steps.promotion import paired_bootstrap
from shared.steps.scoring import Share, wilson

if TYPE_CHECKING:
    from collections.abc import Mapping

BETTER, WORSE, UNSURE, FEW = "better", "worse", "no sure difference", "too few to tell"
NO_NUMBER = "no number to compare"  # of a model that ran away


@dataclass(frozen=True)
class Figure:
    """A figure, and its value for each case by the case's key, so that it can be compared; None: it cannot."""

    share: Share
    cases: pd.Series | None = None
    higher_is_better: bool = False


def share_of(kept: pd.Series) -> Figure:
    """Return the share of cases that kept to something, with Wilson's interval.

    >>> share_of(pd.Series([True, False], ["a", "b"])).share.value
    0.5
    """
    return Figure(wilson(int(kept.sum()), len(kept)), kept.astype("float64"), higher_is_better=True)


def compared(new: Figure, old: Figure) -> str:
    """Return whether ``new`` is better, worse, or not surely either; "" where that is not to be compared.

    >>> yes = share_of(pd.Series([True] * 12))
    >>> compared(yes, share_of(pd.Series([False] * 12))), compared(yes, yes)
    ('better', 'no sure difference')
    """
    if new.cases is None or old.cases is None:
        return ""
    if not np.isfinite(pd.concat([new.cases, old.cases]).to_numpy(dtype="float64")).all():
        return NO_NUMBER
    try:
        gap = paired_bootstrap(new.cases, old.cases)
    except SchemaError:  # fewer cases in common than an interval needs
        return FEW
    if gap.low <= 0 <= gap.high:
        return UNSURE
    return BETTER if (gap.low > 0) == new.higher_is_better else WORSE


def table(figures: Mapping[str, Mapping[str, Figure]]) -> list[dict[str, Any]]:
    """Return a row a figure of the first model: its value with interval, each other's value, and the verdict on it.

    Args:
        figures: by model and name of the figure; the first model is the one that is judged.
    """
    (subject, mine), *others = figures.items()
    rows = []
    for name, figure in mine.items():
        row: dict[str, Any] = {"figure": name, subject: told(figure.share)}
        for other, theirs in others:
            there = theirs.get(name)
            row |= {
                other: told(there.share) if there else "",
                f"than_{other}": compared(figure, there) if there else "",
            }
        rows.append(row | {"count": figure.share.count})
    return rows


def told(share: Share) -> str:
    """Return a figure as people read it.

    >>> told(Share(0.71234, 0.7, 0.72, 400)), told(Share(1.0, math.nan, math.nan, 1))
    ('0.7123 [0.7, 0.72]', '1')
    """
    if math.isnan(share.value):
        return ""
    known = not (math.isnan(share.low) or math.isnan(share.high))
    return f"{share.value:.4g}" + (f" [{share.low:.4g}, {share.high:.4g}]" if known else "")
