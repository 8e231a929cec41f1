"""Models side by side: each figure, and whether the new one is surely better or worse.

    figures of each model, a value a case ──► paired by case ──► a row a figure: its value and theirs, the verdict

Checks, whose cases are kept or not, are compared exactly (McNemar); of other figures a difference is called sure when
the 95 % interval of its paired bootstrap does not hold 0. Of twenty figures of two equal models one is called so by
chance; ``worse``, which gates, corrects for that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from shared.errors import SchemaError
from shared.steps.promotion import holm, paired_bootstrap, sign_test
from shared.steps.scoring import Share, wilson

if TYPE_CHECKING:
    from collections.abc import Mapping

BETTER, WORSE, UNSURE, FEW = "better", "worse", "no sure difference", "too few to tell"
CHANCE = 0.05
FEWEST_CHECKS = 6  # five that all changed alike do so by chance in one of sixteen
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
    if is_check(new) and is_check(old):
        return _exactly(new, old)
    try:
        gap = paired_bootstrap(new.cases, old.cases)
    except SchemaError:  # fewer cases in common than an interval needs
        return FEW
    if gap.low <= 0 <= gap.high:
        return UNSURE
    return BETTER if (gap.low > 0) == new.higher_is_better else WORSE


def is_check(figure: Figure) -> bool:
    """Return whether every case of a figure is kept or not, so that it is a share of cases."""
    return figure.cases is not None and bool(figure.cases.isin([0.0, 1.0]).all())


def worse(new: Mapping[str, Figure], old: Mapping[str, Figure], whose: str) -> str:
    """Return the checks in which ``new`` is surely worse, as a clause; "" if there is none.

    Sure by all checks that both were asked (``holm``): of two equal models none is told 19 times of 20.

    >>> yes, no = (share_of(pd.Series([kept] * 8)) for kept in (True, False))
    >>> worse({"meals:ok": no, "safety": yes}, {"meals:ok": yes, "safety": yes}, "base")
    'meals:ok 0 of 8, base 8 of 8'
    """
    both = {name: (one, old[name]) for name, one in new.items() if name in old and is_check(one)}
    counted = {name: _turned(*pair) for name, pair in both.items() if is_check(pair[1])}
    chances = {name: sign_test(up, down) for name, (count, up, down) in counted.items() if count >= FEWEST_CHECKS}
    sure = holm(chances, CHANCE)
    return "; ".join(
        f"{name} {shown(mine)}, {whose} {shown(theirs)}"
        for name, (mine, theirs) in both.items()
        if name in sure and compared(mine, theirs) == WORSE
    )


def table(figures: Mapping[str, Mapping[str, Figure]]) -> list[dict[str, Any]]:
    """Return a row a figure of the first model: the verdict in words, its value, and each other's.

    The verdict comes first: a narrow terminal leaves out what stands to the right.

    Args:
        figures: by model, called as in words, and name of the figure; the first model is the one that is judged.
    """
    (subject, mine), *others = figures.items()
    rows = []
    for name, figure in mine.items():
        there = {other: theirs[name] for other, theirs in others if name in theirs}
        row = {"figure": name, "verdict": _verdict(figure, there), subject: shown(figure)}
        rows.append(row | {who: shown(there[who]) if who in there else "" for who, _ in others})
    return rows


def shown(figure: Figure) -> str:
    """Return a figure in few letters: a check as how many of how many, others as a number.

    >>> shown(share_of(pd.Series([True, False]))), shown(Figure(Share(0.71234, 0.7, 0.72, 400)))
    ('1 of 2', '0.7123')
    """
    value, count = figure.share.value, figure.share.count
    if math.isnan(value):
        return ""
    return f"{round(value * count)} of {count}" if is_check(figure) else f"{value:.4g}"


def told(share: Share) -> str:
    """Return a figure as people read it.

    >>> told(Share(0.71234, 0.7, 0.72, 400)), told(Share(1.0, math.nan, math.nan, 1))
    ('0.7123 [0.7, 0.72]', '1')
    """
    if math.isnan(share.value):
        return ""
    known = not (math.isnan(share.low) or math.isnan(share.high))
    return f"{share.value:.4g}" + (f" [{share.low:.4g}, {share.high:.4g}]" if known else "")


def _verdict(figure: Figure, there: Mapping[str, Figure]) -> str:
    """Return in words how a figure stands to others: whom it is the same to is named in one go."""
    found: dict[str, list[str]] = {}
    for who, theirs in there.items():
        if said := compared(figure, theirs):
            found.setdefault(said, []).append(who)
    join = {BETTER: " than {}", WORSE: " than {}", UNSURE: " to {}"}
    return "; ".join(said + join.get(said, " ({})").format(" and ".join(who)) for said, who in found.items())


def _exactly(new: Figure, old: Figure) -> str:
    """Return the verdict on two checks by those cases alone that one kept and the other did not."""
    count, up, down = _turned(new, old)
    if count < FEWEST_CHECKS:
        return FEW
    if sign_test(up, down) >= CHANCE:
        return UNSURE
    return BETTER if (up > down) == new.higher_is_better else WORSE


def _turned(new: Figure, old: Figure) -> tuple[int, int, int]:
    """Return how many cases two checks have in common, how many of them went up, and how many down."""
    both = pd.concat([new.cases, old.cases], axis=1, join="inner", keys=["new", "old"])
    return len(both), int((both["new"] > both["old"]).sum()), int((both["new"] < both["old"]).sum())
