"""Folds that keep a group together, and keep it where it is when other rows come or go.

    groups, number of folds, seed ──► the fold of each group, from a hash of its name ──► (rows to fit, rows held out)

Shuffled folds are dealt anew whenever a row is added, which moves a model's held-out loss by more than the row itself:
compared with the model of last month, half of the difference would be luck.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from shared.errors import NotYetError

if TYPE_CHECKING:
    from collections.abc import Sequence

Fold = tuple[np.ndarray, np.ndarray]


def hashed_folds(groups: Sequence[str], count: int, seed: int) -> list[Fold]:
    """Return ``count`` pairs of row numbers: those to fit, and those held out; folds are about equally large.

    Raises:
        NotYetError: a fold would hold no row.

    >>> [held.tolist() for _, held in hashed_folds(["a", "b", "a", "c", "d"], count=2, seed=1)]
    [[0, 2], [1, 3, 4]]
    """
    fold_of = {group: _number(f"{seed} {group}") % count for group in {*groups}}
    folds = np.array([fold_of[group] for group in groups])
    if missing := {*range(count)} - {*folds.tolist()}:
        raise NotYetError(f"{len(fold_of)} different rows leave {len(missing)} of {count} folds empty; add some")
    return [(np.flatnonzero(folds != number), np.flatnonzero(folds == number)) for number in range(count)]


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
