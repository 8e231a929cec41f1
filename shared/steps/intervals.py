"""Sets and intervals that hold the truth as often as promised, whatever the model: conformal prediction.

    held-out probabilities, truth ──► label_scores ──► conformal_quantile ──► a threshold, kept with the model
    new probabilities, threshold ──► label_sets ──► set_coverage, mean_set_size: what a monitor checks

    held-out quantiles, truth ──► quantile_scores ──► conformal_quantile ──► a margin, kept with the model
    new quantiles, margin ──► low - margin, high + margin ──► interval_coverage

Split conformal (Vovk, Gammerman & Shafer 2005, ch. 4; Angelopoulos & Bates 2021, arXiv:2107.07511, sec. 1): if new rows
are exchangeable with the scored ones, a set holds the truth with probability at least ``coverage``. With out-of-fold
scores it is cross-conformal (Vovk 2015, AMAI 74:9): that holds closely in practice, for certain only at
2 x coverage - 1 (Barber et al. 2021). Score each row once: a second repeat of the folds adds no new rows.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from shared.errors import NotYetError, SchemaError, UsageError
from shared.steps.scoring import Share, checked, must_meet, one_hot, wilson


def label_scores(probabilities: pd.DataFrame, truth: pd.Series) -> pd.Series:
    """Return each row's 1 - probability of its true class: how odd the truth looked, 0 to 1.

    Raises:
        SchemaError: a true class has no column, a probability is no number in 0..1, or the indexes differ.

    >>> label_scores(pd.DataFrame({"a": [0.75, 0.5], "b": [0.25, 0.5]}), pd.Series(["b", "a"])).tolist()
    [0.75, 0.5]
    """
    return pd.Series((1 - checked(probabilities))[one_hot(truth, probabilities)], index=truth.index, name="score")


def conformal_quantile(scores: pd.Series | np.ndarray, coverage: float) -> float:
    """Return the ``ceil((n + 1) * coverage)``-th smallest of the n ``scores``: the threshold for a new row.

    Raises:
        UsageError: ``coverage`` is not between 0 and 1.
        SchemaError: a score is blank.
        NotYetError: there are too few scores to promise that coverage (19 are needed for 0.95).

    >>> conformal_quantile(pd.Series([0.4, 0.1, 0.3, 0.2]), 0.5)
    0.3
    """
    if not 0 < coverage < 1:
        raise UsageError(f"a coverage of {coverage} cannot be promised; choose one between 0 and 1, such as 0.9")
    ordered = sorted(float(score) for score in scores)
    if any(math.isnan(score) for score in ordered):
        raise SchemaError("a score is blank; leave out the rows whose outcome is not known yet")
    rank = math.ceil((len(ordered) + 1) * coverage - 1e-9)  # 100 * 0.55 is 55.00000000000001
    if rank > len(ordered):
        fewest = math.ceil(coverage / (1 - coverage) - 1e-9)
        raise NotYetError(f"a coverage of {coverage} needs {fewest} held-out rows; there are {len(ordered)}: add some")
    return ordered[rank - 1]


def label_sets(probabilities: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Return which labels each row's set holds: 1 - probability <= ``threshold``, and the likeliest in any case.

    Raises:
        SchemaError: a probability is no number in 0..1.

    >>> label_sets(pd.DataFrame({"a": [0.6, 0.9], "b": [0.4, 0.1]}), threshold=0.7).to_numpy().tolist()
    [[True, True], [True, False]]
    """
    given = checked(probabilities)
    held = (1 - given <= threshold) | (given == given.max(axis=1, keepdims=True))
    return pd.DataFrame(held, index=probabilities.index, columns=probabilities.columns)


def quantile_scores(low: np.ndarray, high: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return how far each truth lies outside its two predicted quantiles ``[rows]``; negative inside.

    Conformalized quantile regression (Romano, Patterson & Candès 2019, arXiv:1905.03222).

    >>> quantile_scores(np.array([4.0, 4.0]), np.array([6.0, 6.0]), np.array([5.0, 7.5])).tolist()
    [-1.0, 1.5]
    """
    return np.asarray(np.maximum(low - truth, truth - high))


def interval_coverage(low: pd.Series, high: pd.Series, truth: pd.Series) -> Share:
    """Return the share of intervals that hold the truth, ends included; rows meet by index.

    Raises:
        SchemaError: the indexes differ, or an end or a truth is blank.

    >>> interval_coverage(pd.Series([4.0, 4.0]), pd.Series([6.0, 6.0]), pd.Series([6.0, 7.0])).value
    0.5
    """
    must_meet(low, truth)
    must_meet(high, truth)
    held = (truth >= low) & (truth <= high)
    return wilson(int(held.sum()), len(truth))


def set_coverage(sets: pd.DataFrame, truth: pd.Series) -> Share:
    """Return the share of sets that hold the true label.

    Raises:
        SchemaError: a true class has no column, or the indexes differ.

    >>> set_coverage(pd.DataFrame({"a": [True, True], "b": [True, False]}), pd.Series(["b", "b"])).value
    0.5
    """
    return wilson(int(sets.to_numpy(dtype=bool)[one_hot(truth, sets)].sum()), len(sets))


def mean_set_size(sets: pd.DataFrame) -> float:
    """Return how many labels a set holds on average (1 is as sharp as it gets); nan of no sets.

    >>> mean_set_size(pd.DataFrame({"a": [True, True], "b": [True, False]}))
    1.5
    """
    return float(sets.to_numpy(dtype=bool).sum(axis=1).mean()) if len(sets) else math.nan
