"""Grades in order: from one expected grade to a probability for each, and to a whole grade by a stated rule.

    held-out quality, grade ──► GradeLink.fit ──► kept with the model
    quality ──► link.probabilities: a column a grade          (cumulative logit)
            ──► link.whole: one whole grade                   (stretch, then round half up)

Whatever predicts the expected grade, a proportional-odds model of held-out predictions (McCullagh 1980, J. R. Statist.
Soc. B 42:109) turns it into P(grade <= g) = 1 / (1 + exp(-(cut_g - slope x quality))): cuts ascend, so every
probability is one, and a rare grade takes its share of the rows.

A predicted mean lies nearer the middle than grades do, so plain rounding hardly ever says a rare one. The rule here:
the distance of the quality from the mean grade is stretched by a factor from 1 to 2, then rounded half up (5.5 is 6,
never banker's rounding). Of the factors whose accuracy on held-out rows comes within two points of the best, it is the
one with the highest quadratic kappa: accuracy is best near 1, kappa near the full spread of the grades.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from shared.errors import NotYetError, SchemaError
from shared.steps.scoring import quadratic_kappa

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STRETCHES = tuple(round(1 + 0.05 * step, 2) for step in range(21))
GIVEN_UP = 0.02  # of accuracy, for kappa
FEWEST_ROWS = 20


@dataclass(frozen=True)
class GradeLink:
    """What joins an expected grade to whole grades; plain values, so that it is kept as JSON."""

    grades: tuple[int, ...]
    cuts: tuple[float, ...]  # one fewer than grades, ascending
    slope: float
    mean: float  # grade about which quality is stretched
    stretch: float

    @classmethod
    def fit(cls, quality: np.ndarray, truth: np.ndarray, grades: Sequence[int]) -> GradeLink:
        """Return the link for held-out ``quality [rows]`` and true grades ``[rows]``.

        A grade that no row has gets a probability near 0.

        Raises:
            NotYetError: there are fewer than 20 rows.
            SchemaError: a quality is blank, a true grade is none of ``grades``, or those are not two or more in a row.
        """
        if len(grades) < 2 or [*grades] != [*range(grades[0], grades[-1] + 1)]:
            raise SchemaError(f"{[*grades]} are no grades in order; declare at least two, with none left out")
        if not (np.isfinite(quality).all() and np.isin(truth, grades).all()):
            raise SchemaError(f"a quality is blank, or a true grade is none of {[*grades]}; leave such rows out")
        if len(truth) < FEWEST_ROWS:
            raise NotYetError(f"grades are learned from at least {FEWEST_ROWS} held-out rows; there are {len(truth)}")
        from scipy.optimize import minimize  # only to learn: it takes a third of a second

        mean, places = float(np.mean(truth)), np.searchsorted(grades, truth)
        counts = np.bincount(places, minlength=len(grades)) + 0.5  # half a row each, so that no cut runs away
        below = np.cumsum(counts)[:-1] / counts.sum()
        start = np.log(below / (1 - below))
        found = minimize(
            _loss, np.r_[start[0], np.log(np.diff(start)), np.log(2.0)], (quality - mean, places, counts), "L-BFGS-B"
        )
        cuts, slope = _unpacked(found.x)
        about_zero = (cuts + slope * mean).tolist()
        return cls(tuple(grades), tuple(about_zero), float(slope), mean, _stretch(quality, truth, mean, grades))

    def probabilities(self, quality: np.ndarray) -> np.ndarray:
        """Return float64 ``[rows, grades]``; each row adds up to 1.

        >>> GradeLink((1, 2), (1.5,), 1.0, 1.5, 1.0).probabilities(np.array([1.5, 9.5])).round(3).tolist()
        [[0.5, 0.5], [0.0, 1.0]]
        """
        return _shares(np.asarray(self.cuts), self.slope, quality)

    def whole(self, quality: np.ndarray) -> np.ndarray:
        """Return int64 ``[rows]``: stretched about the mean and rounded half up, within the grades.

        >>> GradeLink((3, 4, 5, 6), (3.5, 4.5, 5.5), 1.0, 5.0, 2.0).whole(np.array([4.6, 5.25, 9.0])).tolist()
        [4, 6, 6]
        """
        return _whole(quality, self.mean, self.stretch, self.grades)

    def to_dict(self) -> dict[str, Any]:
        """Return the link as plain values; through JSON and ``from_dict`` it comes back equal."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> GradeLink:
        """Return the link that ``to_dict`` described."""
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
        return cls(**given)  # type: ignore[arg-type]


def graded(link: GradeLink, quality: np.ndarray, low: np.ndarray, high: np.ndarray) -> pd.DataFrame:
    """Return ``quality, grade, low, high`` and a probability a grade (``p3`` …); the interval holds the quality.

    >>> link = GradeLink((1, 2), (1.5,), 1.0, 1.5, 1.0)
    >>> graded(link, np.array([1.5]), np.array([1.6]), np.array([2.4])).round(2).to_dict("records")
    [{'quality': 1.5, 'grade': 2, 'low': 1.5, 'high': 2.4, 'p1': 0.5, 'p2': 0.5}]
    """
    ends = {"low": np.minimum(low, quality), "high": np.maximum(high, quality)}
    shares = link.probabilities(quality)
    return pd.DataFrame({"quality": quality, "grade": link.whole(quality), **ends}).join(
        pd.DataFrame(shares, columns=[f"p{grade}" for grade in link.grades])
    )


def _whole(quality: np.ndarray, mean: float, stretch: float, grades: Sequence[int]) -> np.ndarray:
    stretched = mean + stretch * (np.asarray(quality) - mean)
    return np.floor(stretched + 0.5).clip(grades[0], grades[-1]).astype("int64")


def _stretch(quality: np.ndarray, truth: np.ndarray, mean: float, grades: Sequence[int]) -> float:
    said = {stretch: _whole(quality, mean, stretch, grades) for stretch in STRETCHES}
    accuracy = {stretch: float((whole == truth).mean()) for stretch, whole in said.items()}
    near = [stretch for stretch in STRETCHES if accuracy[stretch] >= max(accuracy.values()) - GIVEN_UP]
    return max(near, key=lambda stretch: quadratic_kappa(pd.Series(truth), pd.Series(said[stretch]), grades))


def _shares(cuts: np.ndarray, slope: float, quality: np.ndarray) -> np.ndarray:
    away = cuts[None, :] - slope * np.asarray(quality, dtype="float64")[:, None]
    below = 0.5 * (1 + np.tanh(away / 2))  # the logistic function, without overflow
    edges = np.hstack([np.zeros((len(below), 1)), below, np.ones((len(below), 1))])
    return np.asarray(np.diff(edges, axis=1))


def _unpacked(parameters: np.ndarray) -> tuple[np.ndarray, float]:
    """Return (ascending cuts, positive slope): steps between cuts and the slope are kept as logarithms."""
    steps = np.exp(parameters[1:-1].clip(-20, 20))
    return parameters[0] + np.r_[0.0, np.cumsum(steps)], float(np.exp(parameters[-1].clip(-20, 20)))


def _loss(parameters: np.ndarray, quality: np.ndarray, places: np.ndarray, counts: np.ndarray) -> float:
    """Return the mean log loss, with half a row of each grade spread over all rows as a prior on the cuts."""
    shares = _shares(*_unpacked(parameters), quality).clip(1e-12, 1)
    prior = -0.5 * np.log(shares.mean(axis=0)).sum() / counts.sum()
    return float(-np.log(shares[np.arange(len(places)), places]).mean() + prior)
