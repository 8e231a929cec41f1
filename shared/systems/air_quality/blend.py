"""Several forecasters made one, by what each said of days it had not learned from; and how far the truth fell from it.

    what members said, what was ──► lifts, weights ──► blended: expected µg/m³
    log ratios of truth and forecast ──► ranks ──► adaptive levels ──► the interval, and P(more than a limit)

Weights minimise the squared error among those that are not negative and add up to 1 (stacking; Breiman 1996, Machine
Learning 24:49). A station's own errors count beside those of all stations, so that a new one starts with theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from shared.steps.forecasting import adaptive_levels
from shared.systems.air_quality.tables import LEADS, LIMITS

# Who takes part, and with which weight before anything is known of how well they do.
MEMBERS = {"linear": 0.3, "trees": 0.4, "damped": 0.05, "climatology": 0.05, "ridge": 0.1, "recursive": 0.1}
COVERAGE = 0.9
WINDOW = 180  # days of residuals that a forecast's distribution holds
WIDEST_TAIL = 0.1  # twice what is promised: a quiet summer must not leave a debt of misses for the winter
RECENT = 28  # days of residuals that correct a forecast, and that weigh as much as the guess that nothing is off
FEWEST = 30  # residuals; with fewer those of all stations stand in
BORROWED = 40.0  # days of all stations' errors that count beside a station's own
SILENT = 2.0  # a member that says nothing of a day errs that much more than the worst that spoke
LEAST = 1e-9  # of a weight: where those that count say nothing, the others speak
HIGHEST = 1000.0  # µg/m³ that are believed: what the table takes
USUAL_DAYS = 20.0  # days of errors that count for the weights that are usual


@dataclass(frozen=True)
class Blend:
    """``lifts`` and ``weights``, both ``[stations, 7, members]``."""

    lifts: np.ndarray
    weights: np.ndarray

    def of(self, said: np.ndarray) -> np.ndarray:
        """Return expected µg/m³ ``[stations, ..., 7]`` of what members said ``[members, stations, ..., 7]``.

        A member that says nothing of a row leaves its weight to the others; nan where none says anything.
        """
        middle = (1,) * (said.ndim - 3)
        shape = (len(self.weights), *middle, len(LEADS), len(said))
        lifted = (np.moveaxis(said, 0, -1) + 1) * self.lifts.reshape(shape) - 1
        weights = np.where(np.isfinite(lifted), self.weights.reshape(shape) + LEAST, 0.0)
        total = weights.sum(axis=-1)
        blended = (np.nan_to_num(lifted) * weights).sum(axis=-1) / np.where(total > 0, total, np.nan)
        return np.asarray(np.maximum(blended, 0))


def fit_blend(said: np.ndarray, truth: np.ndarray) -> Blend:
    """Return the blend of what members said ``[members, stations, days, 7]`` of ``truth [stations, days, 7]``."""
    lifts = _lifts(said, truth)
    errors = (np.moveaxis(said, 0, -1) + 1) * lifts[:, None] - 1 - truth[..., None]
    known = np.isfinite(errors).any(axis=-1)
    size = np.where(np.isfinite(errors), np.abs(errors), 0.0).max(axis=-1, keepdims=True)
    errors = np.where(np.isfinite(errors), errors, SILENT * size)
    count = known.sum(axis=1)[..., None, None]
    squares = np.einsum("sdli,sdlj->slij", errors, errors, optimize=True)
    sums = np.trace(squares.sum(axis=1), axis1=-2, axis2=-1)[:, None, None, None]
    scale = sums / np.maximum(count.sum(axis=1, keepdims=True), 1)
    own = squares / np.maximum(scale, 1e-9)
    pooled = own.sum(axis=0) / np.maximum(count.sum(axis=0), 1)
    near = 0.5 * pooled + 0.5 * pooled.mean(axis=0)
    both = own + BORROWED * near
    away = np.eye(len(said)) - np.array([*MEMBERS.values()])[:, None]  # of w: w - what is usual, as w adds up to 1
    pull = USUAL_DAYS * np.maximum(np.trace(near, axis1=-2, axis2=-1) / len(said), 1e-6)
    return Blend(lifts, simplex_weights(both + pull[..., None, None] * (away.T @ away)))


def simplex_weights(squares: np.ndarray) -> np.ndarray:
    """Return the weights, none below 0 and 1 in all, with the least ``w' squares w``, for ``[..., members, members]``.

    Exact: the best over all sets of members of which the unbound optimum is positive.

    >>> simplex_weights(np.array([[1.0, 0.0], [0.0, 3.0]])).round(6).tolist()
    [0.75, 0.25]
    """
    members = squares.shape[-1]
    best = np.full(squares.shape[:-2], np.inf)
    found = np.zeros(squares.shape[:-1])
    for size in range(1, members + 1):
        for chosen in map(list, combinations(range(members), size)):
            part = squares[..., chosen, :][..., chosen]
            free = np.linalg.solve(part + 1e-12 * np.eye(size), np.ones((*part.shape[:-1], 1)))[..., 0]
            weights = free / free.sum(axis=-1, keepdims=True)
            loss = 1 / free.sum(axis=-1)
            better = (weights >= 0).all(axis=-1) & (loss > 0) & (loss < best)
            best = np.where(better, loss, best)
            full = np.zeros_like(found)
            full[..., chosen] = weights
            found = np.where(better[..., None], full, found)
    return found


def residuals(truth: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Return log((1 + truth) / (1 + forecast)): dust errs by shares, not by amounts."""
    return np.asarray(np.log1p(truth) - np.log1p(forecast))


def corrections(past: np.ndarray) -> np.ndarray:
    """Return ``[days + 1, series]``: row n is what residuals ``[days, series]`` before day n say a forecast lies off.

    By the mean ratio of truth and forecast over the last weeks, drawn to 1 when few are known: a station whose level
    moves, or of which the model learned another level, is followed within weeks.
    """
    known = np.isfinite(past)
    ratios = np.where(known, np.exp(np.where(known, past, 0.0)), 0.0)
    sums, counts = (np.pad(part.cumsum(axis=0), ((1, 0), (0, 0))) for part in (ratios, known))
    since = np.maximum(np.arange(len(past) + 1) - RECENT, 0)
    return np.asarray(np.log((sums - sums[since] + RECENT) / (counts - counts[since] + RECENT)))


def corrected(past: np.ndarray, lead: int) -> np.ndarray:
    """Return the residuals ``[days, series]`` that are left when forecasts are corrected by what was known then."""
    then = np.maximum(np.arange(len(past)) - lead + 1, 0)
    return np.asarray(past - corrections(past)[then])


def ranks(past: np.ndarray, lead: int) -> np.ndarray:
    """Return for residuals ``[days, series]`` the share of the earlier ones below each: its PIT; nan where not known.

    Earlier are those of days that were over when the forecast was made, ``lead`` days before.
    """
    found = np.full(past.shape, np.nan)
    for day in range(lead + 1, len(past)):
        before = past[max(0, day - lead - WINDOW + 1) : day - lead + 1]
        known = np.isfinite(before)
        count = known.sum(axis=0)
        below = (known & (before < past[day])).sum(axis=0)
        found[day] = np.where((count >= FEWEST) & np.isfinite(past[day]), (below + 0.5) / (count + 1), np.nan)
    return found


def spread(past: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the residuals ``[series]`` below and above which the shares ``lower`` and ``upper`` of ``past`` lie.

    Of n residuals the interval's ends are the (n + 1)-th parts (split conformal); ``past`` is ``[days, series]``.
    """
    ordered = np.sort(past, axis=0)  # nan last
    count = np.isfinite(past).sum(axis=0)
    return _quantile(ordered, count, lower), _quantile(ordered, count, 1 - upper)


def _quantile(ordered: np.ndarray, count: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return the value at rank share * (n + 1), between neighbours by line; the outermost beyond them."""
    place = np.clip(share * (count + 1) - 1, 0, np.maximum(count - 1, 0))
    below = np.floor(place).astype(int)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    series = np.arange(ordered.shape[1])
    return np.asarray(ordered[below, series] + (place - below) * (ordered[above, series] - ordered[below, series]))


def exceedance(past: np.ndarray, forecast: np.ndarray, limit: float) -> np.ndarray:
    """Return P(truth > limit) for ``forecast [series]``: the share of residuals ``[days, series]`` above it."""
    known = np.isfinite(past)
    above = (known & (past > np.log1p(limit) - np.log1p(forecast))).sum(axis=0)
    return np.where(np.isfinite(forecast), (above + 0.5) / (known.sum(axis=0) + 1), np.nan)


@dataclass(frozen=True)
class Distribution:
    """``pm25``, ``low``, ``high``: µg/m³ ``[series]``; ``over``: P(more than each of LIMITS) ``[limits, series]``."""

    pm25: np.ndarray
    low: np.ndarray
    high: np.ndarray
    over: np.ndarray


def distribution(
    blend: np.ndarray, off: np.ndarray, past: np.ndarray, tails: tuple[np.ndarray, np.ndarray]
) -> Distribution:
    """Return what is said of blends ``[series]`` (µg/m³) that lie ``off`` (``corrections``), by corrected residuals.

    Those are ``past [days, series]``; the shares in ``tails [series]`` of them lie below and above the interval, which
    always holds what is expected.

    >>> past = np.log([[0.8], [1.0], [1.25]])
    >>> found = distribution(np.array([9.0]), np.zeros(1), past, (np.array([0.25]), np.array([0.25])))
    >>> [values.round(2).tolist() for values in (found.pm25, found.low, found.high, found.over[0])]
    [[9.0], [7.0], [11.5], [0.12]]
    """
    pm25 = np.clip(np.expm1(np.log1p(blend) + off), 0, HIGHEST)
    below, above = spread(past, *tails)
    low = np.maximum(np.expm1(np.log1p(pm25) + np.minimum(below, 0)), 0)
    high = np.minimum(np.expm1(np.log1p(pm25) + np.maximum(above, 0)), 2 * HIGHEST)
    return Distribution(pm25, low, high, np.array([exceedance(past, pm25, limit) for limit in LIMITS]))


def levels_of(past: np.ndarray, lead: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the adapted shares of both tails ``[days + 1, series]`` after residuals ``[days, series]``."""
    path = adaptive_levels(ranks(past, lead), coverage=COVERAGE, lead=lead, highest=WIDEST_TAIL)
    return path.lower, path.upper


def _lifts(said: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return by how much each member's 1 + µg/m³ is to be raised so that sums come right ``[stations, 7, members]``.

    A forecast of the mean logarithm is below the mean (Duan 1983, JASA 78:605); drawn to 1 when days are few.
    """
    known = np.isfinite(said) & np.isfinite(truth)
    truths = np.where(known, truth + 1, 0).sum(axis=2)
    saids = np.where(known, said + 1, 0).sum(axis=2)
    count = known.sum(axis=2)
    prior = 20.0 * np.where(count > 0, saids / np.maximum(count, 1), 1.0)
    return np.moveaxis((truths + prior) / (saids + prior), 0, -1)
