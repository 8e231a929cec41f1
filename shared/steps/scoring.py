"""Scores of predictions whose outcome is known, each with how sure we may be of it.

    truth, guess ──► accuracy, confusion; majority is the baseline
    probabilities ─► log_loss: one loss a row, which is what a paired comparison takes
                     calibration ──► expected_calibration_error
    numbers ──► mean_of: a mean loss and how sure it is; quadratic_kappa: agreement of grades

Rows meet by index: two series whose indexes differ are refused, and so is a blank, which would count as a miss.
"""

from __future__ import annotations

import math
import operator
from collections import Counter
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from shared.errors import NotYetError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Models served as ONNX answer in float32, whose smallest step below 1 is 6e-8: a finer clip would compare rounding.
SMALLEST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class Share:
    """A share of ``count`` cases, from 0 to 1 (nan of none), or a mean, and the bounds of its confidence interval."""

    value: float
    low: float
    high: float
    count: int


def wilson(hits: int, count: int, confidence: float = 0.95) -> Share:
    """Return ``hits / count`` with Wilson's score interval, which stays inside 0..1 (Wilson 1927, JASA 22:209).

    >>> wilson(9, 10)
    Share(value=0.9, low=0.5958..., high=0.9821..., count=10)
    """
    if not 0 <= hits <= count:
        raise SchemaError(f"{hits} hits of {count} is no share; hits must lie between 0 and the count")
    if count == 0:
        return Share(math.nan, 0.0, 1.0, 0)
    share, z = hits / count, NormalDist().inv_cdf((1 + confidence) / 2)
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    # At 0 and at 1 the bound equals the share; rounding must not put it on the wrong side.
    return Share(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)), count)


def accuracy(truth: pd.Series, guess: pd.Series) -> Share:
    """Return the share of rows guessed right.

    Raises:
        SchemaError: the indexes differ, or a value is blank.

    >>> accuracy(pd.Series(["a", "b", "b", "b"]), pd.Series(["a", "b", "b", "a"])).value
    0.75
    """
    must_meet(truth, guess)
    return wilson(sum(map(operator.eq, truth, guess)), len(truth))


def confusion(truth: pd.Series, guess: pd.Series, classes: Sequence[Any]) -> pd.DataFrame:
    """Return how often each true class (rows) was guessed as each class (columns): always all of ``classes``.

    Raises:
        SchemaError: a label is none of ``classes``, the indexes differ, or a value is blank.

    >>> confusion(pd.Series(["a", "b"]), pd.Series(["a", "a"]), ["a", "b", "c"]).to_numpy().tolist()
    [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
    """
    must_meet(truth, guess)
    _must_know({*truth, *guess}, classes)
    pairs = Counter(zip(truth, guess, strict=True))
    counts = [[pairs[true, guessed] for guessed in classes] for true in classes]
    return pd.DataFrame(counts, pd.Index(classes, name="truth"), pd.Index(classes, name="guess"), dtype="int64")


def majority(known: pd.Series, truth: pd.Series) -> Share:
    """Return the accuracy on ``truth`` of always guessing the commonest class of ``known`` (a tie: the first by name).

    Raises:
        NotYetError: ``known`` holds no label.

    >>> majority(pd.Series(["b", "a", "b"]), pd.Series(["a", "b"])).value
    0.5
    """
    commonest = known.mode()
    if commonest.empty:
        raise NotYetError("no label is known yet, so there is no commonest class; train on labelled rows first")
    return wilson([*truth].count(commonest.iloc[0]), len(truth))


def log_loss(probabilities: pd.DataFrame, truth: pd.Series) -> pd.Series:
    """Return each row's -ln(probability of its true class), in nats, at most 13.8; columns are the classes.

    Raises:
        SchemaError: a true class has no column, a probability is no number in 0..1, or the indexes differ.

    >>> log_loss(pd.DataFrame({"a": [0.5, 1.0], "b": [0.5, 0.0]}), pd.Series(["a", "b"])).round(3).tolist()
    [0.693, 13.816]
    """
    given = checked(probabilities)[one_hot(truth, probabilities)]
    return pd.Series(-np.log(given.clip(SMALLEST_PROBABILITY, 1)), index=truth.index, name="log_loss")


def calibration(confidence: pd.Series, hit: pd.Series, bins: int = 5) -> pd.DataFrame:
    """Return, for each of ``bins`` equal widths of 0..1, the mean ``confidence`` and the share of hits.

    Columns ``bin_low, bin_high, confidence`` and those of ``Share``; a bin nobody falls into stays, with count 0.

    Args:
        confidence: the largest probability of each row.
        hit: whether the class it belongs to was the true one.
        bins: how many.

    Raises:
        SchemaError: a confidence is no number in 0..1, or the indexes differ.

    >>> calibration(pd.Series([0.9, 0.8, 0.4]), pd.Series([True, False, True]), 2)[["confidence", "value", "count"]]
       confidence  value  count
    0        0.40    1.0      1
    1        0.85    0.5      2
    """
    must_meet(confidence, hit)
    given, edges = checked(confidence.to_frame())[:, 0], np.arange(bins + 1) / bins
    place, hits = np.digitize(given, edges[1:-1]), hit.to_numpy(dtype=bool)
    inside = [place == number for number in range(bins)]
    means = [given[rows].mean() if rows.any() else math.nan for rows in inside]
    shares = [asdict(wilson(int(hits[rows].sum()), int(rows.sum()))) for rows in inside]
    return pd.DataFrame({"bin_low": edges[:-1], "bin_high": edges[1:], "confidence": means}).join(pd.DataFrame(shares))


def expected_calibration_error(table: pd.DataFrame) -> float:
    """Return the mean distance between confidence and share of hits in ``calibration``'s bins, weighted by count.

    From 0 (calibrated) to 1; nan of no rows (Guo et al. 2017, arXiv:1706.04599).

    >>> expected_calibration_error(calibration(pd.Series([0.9, 0.9]), pd.Series([True, False])))
    0.4
    """
    filled = table[table["count"] > 0]
    if filled.empty:
        return math.nan
    return float(np.average((filled["value"] - filled["confidence"]).abs(), weights=filled["count"]))


def quadratic_kappa(truth: pd.Series, guess: pd.Series, grades: Sequence[int]) -> float:
    """Return how well two gradings agree beyond chance: 1 fully, 0 as by chance; nan where both say one grade only.

    A miss counts by its squared distance (Cohen 1968, Psychol. Bull. 70:213).

    Raises:
        SchemaError: the indexes differ, a grade is none of ``grades``, or a value is blank.

    >>> quadratic_kappa(pd.Series([3, 4, 5]), pd.Series([3, 4, 4]), grades=[3, 4, 5])
    0.6666666666666667
    """
    must_meet(truth, guess)
    _must_know({*truth, *guess}, grades)
    if truth.empty:
        return math.nan
    one, other = truth.to_numpy(dtype="float64"), guess.to_numpy(dtype="float64")
    by_chance = one.var() + other.var() + (one.mean() - other.mean()) ** 2  # mean squared distance of random pairs
    return math.nan if by_chance == 0 else float(1 - ((one - other) ** 2).mean() / by_chance)


def mean_of(losses: pd.Series, confidence: float = 0.95) -> Share:
    """Return the mean of ``losses`` with its normal interval; rows of one index value count as one (their mean).

    So repeats of a cross-validation, or duplicates indexed by what they have in common, do not make it surer. The
    bounds of a single one are nan.

    Raises:
        SchemaError: a loss is blank.

    >>> mean_of(pd.Series([1.0, 3.0, 1.0, 3.0]))
    Share(value=2.0, low=0.868..., high=3.131..., count=4)
    """
    if losses.isna().any():
        raise SchemaError("a loss is blank; leave out the rows whose outcome is not known yet")
    if losses.empty:
        return Share(math.nan, math.nan, math.nan, 0)
    each = losses.groupby(level=0).agg(["sum", "size"])
    mean, z = float(losses.mean()), NormalDist().inv_cdf((1 + confidence) / 2)
    away = each["sum"] - mean * each["size"]  # the ratio estimator's residuals: Cochran 1977, Sampling Techniques, 6.4
    count = len(each)
    half = z * math.sqrt(float((away**2).sum()) * count / (count - 1)) / len(losses) if count > 1 else math.nan
    return Share(mean, mean - half, mean + half, count)


def checked(probabilities: pd.DataFrame) -> np.ndarray:
    """Return the probabilities as float64 ``[rows, classes]``.

    Raises:
        SchemaError: one is blank, or outside 0..1 by more than float32 rounding.
    """
    given = probabilities.to_numpy(dtype="float64")
    if not ((given >= -SMALLEST_PROBABILITY) & (given <= 1 + SMALLEST_PROBABILITY)).all():
        raise SchemaError("a probability is blank or outside 0..1; pass the classifier's probabilities, not its scores")
    return given.clip(0, 1)


def one_hot(truth: pd.Series, table: pd.DataFrame) -> np.ndarray:
    """Return bool ``[rows, classes]``: which column of ``table`` names the row's true class.

    Raises:
        SchemaError: a true class has no column, the indexes differ, or a label is blank.
    """
    must_meet(truth, table.iloc[:, 0])
    _must_know({*truth}, table.columns)
    classes = table.columns.to_numpy(dtype=object)
    return np.asarray(truth.to_numpy(dtype=object)[:, None] == classes[None, :], dtype=bool)


def _must_know(labels: set[Any], classes: Sequence[Any] | pd.Index) -> None:
    unknown = sorted(labels - {*classes})
    if unknown:
        raise SchemaError(f"{unknown} is none of the classes {[*classes]}; declare it or correct the label")


def must_meet(one: pd.Series, other: pd.Series) -> None:
    """Refuse two columns that do not have the same index, or in which a value is blank.

    Raises:
        SchemaError: one or the other.
    """
    if not one.index.equals(other.index):
        raise SchemaError(f"{len(one)} and {len(other)} rows do not have the same index; join them by key first")
    if one.isna().any() or other.isna().any():
        raise SchemaError("a label or a prediction is blank; leave out the rows whose outcome is not known yet")
