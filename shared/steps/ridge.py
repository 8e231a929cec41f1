"""Ridge regressions, many at once: standardised inputs, blanks as their mean; kept as plain numbers.

Hoerl & Kennard 1970, Technometrics 12:55.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Ridge:
    """Any number of regressions of alike shape ``[...]``: ``level [...]``, the others ``[..., inputs]``."""

    level: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    weights: np.ndarray

    def say(self, inputs: np.ndarray, farthest: float = np.inf) -> np.ndarray:
        """Return ``[...]`` for ``inputs [..., inputs]``, each counted up to ``farthest`` spreads from its mean."""
        away = np.clip(np.nan_to_num((inputs - self.centre) / self.spread), -farthest, farthest)
        return np.asarray(self.level + (away * self.weights).sum(axis=-1))


def fit_ridge(inputs: np.ndarray, truth: np.ndarray, strength: float) -> Ridge:
    """Return one regression of ``truth [rows]`` on ``inputs [rows, inputs]``; of no rows one that says nan.

    >>> line = fit_ridge(np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0]), strength=0.0)
    >>> line.say(np.array([[3.0], [np.nan]])).round(6).tolist()
    [7.0, 3.0]
    """
    known = np.isfinite(inputs)
    count = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, inputs, 0).sum(axis=0, dtype=float) / count
    away = np.where(known, inputs - centre, 0.0)
    spread = np.sqrt((away**2).sum(axis=0) / count)
    spread = np.where(spread > 1e-6, spread, 1.0)
    scaled, level = away / spread, float(truth.mean()) if len(truth) else np.nan
    squares = scaled.T @ scaled + (strength + 1e-9) * np.eye(scaled.shape[1])
    weights = np.linalg.solve(squares, scaled.T @ (truth - level)) if len(truth) else np.zeros(len(centre))
    return Ridge(np.array(level), centre, spread, weights)


def stacked_ridges(ridges: Sequence[Ridge], shape: tuple[int, ...]) -> Ridge:
    """Return regressions as one of ``shape``, which must hold as many."""
    arrays = (np.stack([getattr(one, part.name) for one in ridges]) for part in fields(Ridge))
    return Ridge(*(array.reshape(*shape, *array.shape[1:]) for array in arrays))
