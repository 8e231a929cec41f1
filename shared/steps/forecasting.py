"""What judges forecasts of days: skill against a baseline with how sure it is, and levels that keep a promise.

    errors, baseline's errors, by (day, …) ──► paired ──► sums a day ──► whole blocks of days drawn ──► skill,
                                                    └──► diebold_mariano                    paired_difference
    PIT of each truth `[days, series]` ──► adaptive_levels ──► the tail levels of the next day's interval

Errors of neighbouring days, and of stations on one day, go together, so rows are no independent evidence: days are
drawn in blocks, with all that happened on them. An error is forecast - truth; rows meet by index, whose first level is
the day, and blanks are left out in pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from shared.errors import SchemaError, UsageError
from shared.steps.promotion import Interval

BLOCK_DAYS = 14  # longer than weather lasts, and than the seven days by which forecasts of one origin overlap
FEWEST_BLOCKS = 5  # of fewer, an interval would tell nothing: its bounds are nan
LOWEST_LEVEL, HIGHEST_LEVEL = 0.005, 0.25  # of one tail: beyond them a residual distribution says nothing

_Figure = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # of squared errors, the baseline's, and rows


def rmse(errors: pd.Series | np.ndarray) -> float:
    """Return the root of the mean squared error, in the errors' unit; blanks are left out, nan of none.

    >>> rmse(np.array([3.0, -4.0, np.nan]))
    3.5355339059327378
    """
    known = np.asarray(errors, dtype="float64")
    known = known[~np.isnan(known)]
    return math.sqrt(float((known**2).mean())) if known.size else math.nan


def skill(errors: pd.Series, baseline: pd.Series, *, confidence: float = 0.95, seed: int = 0) -> Interval:
    """Return 1 - MSE / the baseline's MSE, with block-bootstrap bounds: above 0 is better than the baseline, 1 perfect.

    The bounds are nan with fewer than ``FEWEST_BLOCKS`` blocks of days. Source of the score: Murphy 1988, MWR 116:2417.

    Raises:
        SchemaError: an index comes twice, its first level holds no days, or there is no row in common.

    >>> days = pd.date_range("2026-01-01", periods=70)
    >>> skill(pd.Series(1.0, index=days), pd.Series(2.0, index=days))
    Interval(low=0.75, middle=0.75, high=0.75)
    """
    return _interval(_by_day(errors, baseline), _skill, confidence, seed)


def paired_difference(errors: pd.Series, baseline: pd.Series, *, confidence: float = 0.95, seed: int = 0) -> Interval:
    """Return RMSE - the baseline's RMSE, in the errors' unit, bounded as ``skill``; below 0 is better.

    Raises:
        SchemaError: as ``skill``.

    >>> days = pd.date_range("2026-01-01", periods=70)
    >>> paired_difference(pd.Series(1.0, index=days), pd.Series(3.0, index=days))
    Interval(low=-2.0, middle=-2.0, high=-2.0)
    """
    return _interval(_by_day(errors, baseline), _gap, confidence, seed)


def diebold_mariano(errors: pd.Series, baseline: pd.Series, lead: int) -> tuple[float, float]:
    """Return (statistic, two-sided p) of equal squared error ``lead`` days ahead; a negative statistic: ours is better.

    Squared errors are averaged over each day. Their variance counts ``lead`` - 1 lags (rectangular, and Bartlett's
    weights where that is not positive; gaps in the calendar stay gaps), with the correction for small samples and
    Student's t of Harvey, Leybourne & Newbold 1997, IJF 13:281. After Diebold & Mariano 1995, JBES 13:253. (nan, nan)
    with too few days, or where no day differs from another.

    Raises:
        SchemaError: as ``skill``.
        UsageError: ``lead`` is below 1.

    >>> days = pd.date_range("2026-01-01", periods=4)
    >>> diebold_mariano(pd.Series(1.0, index=days), pd.Series([1.0, 2.0, 1.0, 3.0], index=days), lead=1)
    (-1.45..., 0.24...)
    """
    if lead < 1:
        raise UsageError(f"a forecast {lead} days ahead is none; leads count from 1")
    from scipy.stats import t as student  # 0.85 s, which only a backtest should pay

    ours, theirs, rows = _by_day(errors, baseline)
    differences = (ours - theirs) / np.where(rows > 0, rows, math.nan)
    count, mean = int((rows > 0).sum()), float(np.nanmean(differences))
    around = np.nan_to_num(differences - mean)
    lags = [float(around[lag:] @ around[: len(around) - lag]) / count for lag in range(min(lead, len(around)))]
    variance = lags[0] + 2 * sum(lags[1:])
    if variance <= 0:
        variance = lags[0] + 2 * sum((1 - lag / lead) * value for lag, value in enumerate(lags) if lag)
    small = (count + 1 - 2 * lead + lead * (lead - 1) / count) / count
    # Equal differences leave a variance of rounding alone, which would make any mean look sure.
    if small <= 0 or variance <= 1e-18 * mean**2 or variance <= 0:
        return math.nan, math.nan
    statistic = mean / math.sqrt(variance / count) * math.sqrt(small)
    return statistic, float(2 * student.sf(abs(statistic), count - 1))


@dataclass(frozen=True)
class AdaptiveLevels:
    """The share that each tail outside the interval shall have, both ``[days + 1, series]``.

    Row t is known once the outcomes of the days before t are; the last row is for the next forecast.
    """

    lower: np.ndarray
    upper: np.ndarray


def adaptive_levels(
    ranks: np.ndarray, *, coverage: float = 0.9, gamma: float = 0.015, lead: int = 1, highest: float = HIGHEST_LEVEL
) -> AdaptiveLevels:
    """Return the levels at which intervals hold ``coverage`` in the long run, recomputed from all that happened.

    Adaptive conformal inference (Gibbs & Candès 2021, arXiv:2106.00172, eq. 2) for each tail of its own: after a miss
    its level falls, after a hit it rises a little; clipped, so a distribution that is off by far must be renewed.

    Args:
        ranks: ``[days, series]``, where each truth fell in the distribution that was forecast for it (its PIT, 0 to 1);
            nan where it is not known, which changes nothing. Every calendar day is a row.
        coverage: what is promised; each tail gets half of the rest.
        gamma: how fast levels adapt; the memory is about 1 / gamma days.
        lead: how many days ahead: a miss is judged by the level that was known that long before.
        highest: the level of a tail above which it does not rise: what a quiet spell saves, later misses spend.

    Raises:
        UsageError: ``coverage`` is not between 0 and 1, or ``lead`` is below 1.
        SchemaError: a rank lies outside 0..1.

    >>> adaptive_levels(np.array([[0.5], [0.99]]), gamma=0.02).upper[:, 0].round(4).tolist()
    [0.05, 0.051, 0.032]
    """
    if not 0 < coverage < 1 or lead < 1:
        raise UsageError(f"coverage {coverage} or lead {lead} cannot be; choose one between 0 and 1, and a lead from 1")
    if ((ranks < 0) | (ranks > 1)).any():
        raise SchemaError("a rank lies outside 0..1; give the share of the forecast distribution below the truth")
    share = (1 - coverage) / 2
    return AdaptiveLevels(*(_adapted(part, share, gamma, lead, highest) for part in (ranks, 1 - ranks)))


def _adapted(ranks: np.ndarray, share: float, gamma: float, lead: int, highest: float) -> np.ndarray:
    """Return the path of one tail's level ``[days + 1, series]``; a rank below its level is a miss."""
    path = np.full((len(ranks) + 1, ranks.shape[1]), np.clip(share, LOWEST_LEVEL, highest))
    for day, rank in enumerate(ranks):
        missed = rank < path[max(0, day + 1 - lead)]
        step = np.where(np.isnan(rank), 0.0, gamma * (share - missed))
        path[day + 1] = np.clip(path[day] + step, LOWEST_LEVEL, highest)
    return path


def _by_day(errors: pd.Series, baseline: pd.Series) -> np.ndarray:
    """Return ``[3, days]``: both sums of squared errors and the number of rows, for each calendar day."""
    if not (errors.index.is_unique and baseline.index.is_unique):
        raise SchemaError("an index value comes twice among the errors; index them by day and series")
    if not isinstance(errors.index.get_level_values(0), pd.DatetimeIndex):
        raise SchemaError("errors need the day as first level of their index")
    both = pd.concat([errors, baseline], axis=1, join="inner", keys=["ours", "theirs"]).dropna()
    if both.empty:
        raise SchemaError(f"{len(errors)} and {len(baseline)} errors have no known row in common; score the same days")
    squares = (both**2).assign(rows=1.0)
    daily = squares.groupby(pd.DatetimeIndex(squares.index.get_level_values(0)).floor("D")).sum()
    return daily.asfreq("D", fill_value=0.0).to_numpy(dtype="float64").T


def _skill(ours: np.ndarray, theirs: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return nan where the baseline makes no error: nothing beats it, and no number says by how much."""
    return np.asarray(1 - ours / np.where(theirs > 0, theirs, math.nan))


def _gap(ours: np.ndarray, theirs: np.ndarray, rows: np.ndarray) -> np.ndarray:
    some = np.where(rows > 0, rows, math.nan)
    return np.asarray(np.sqrt(ours / some) - np.sqrt(theirs / some))


def _interval(daily: np.ndarray, figure: _Figure, confidence: float, seed: int) -> Interval:
    """Return the figure of all days between its percentiles over drawn blocks (Künsch 1989, Ann. Stat. 17:1217)."""
    middle = float(figure(*daily.sum(axis=1)))
    if not math.isfinite(middle) or daily.shape[1] < FEWEST_BLOCKS * BLOCK_DAYS:
        return Interval(math.nan, middle, math.nan)
    drawn = figure(*_drawn(daily, seed))
    low, high = np.nanquantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), middle, float(high))


def _drawn(daily: np.ndarray, seed: int, draws: int = 2000) -> np.ndarray:
    """Return ``[3, draws]``: the sums over as many blocks, drawn with repeats, as fill the calendar."""
    before = np.concatenate([np.zeros((3, 1)), daily.cumsum(axis=1)], axis=1)
    blocks = before[:, BLOCK_DAYS:] - before[:, :-BLOCK_DAYS]
    many = math.ceil(daily.shape[1] / BLOCK_DAYS)
    starts = np.random.default_rng(seed).integers(blocks.shape[1], size=(draws, many))
    return np.asarray(blocks[:, starts].sum(axis=2))
