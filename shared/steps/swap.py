"""A generator that swaps values among real rows that are alike, and drawing rows that hold what they must.

    real rows ──► CellSwap.fit: cells of rows alike ──► draw(place, rng) ──► sample: as many rows as wanted, each held
    rows of another synthesizer ──► Stock ───────────────────┘               against what must be true of a row

With hundreds of rows a class, this keeps more than the correlations a copula knows: what goes together only here or
there, clusters, and the resolution of each column.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from shared.errors import NotYetError, SchemaError
from shared.steps.synthetic import must_be_whole, normal_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CELL_ROWS = 4  # of wine the fewest whose draws lie no nearer to learned rows than unseen ones do; more blur
TRIES_AT_PLACE, MOST_TRIES = 1000, 2000


class Generator(Protocol):
    """What draws rows: at one of its ``size`` places, each as likely as any other."""

    @property
    def size(self) -> int:
        """The number of places."""
        ...

    def draw(self, place: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return one row by column."""
        ...


@dataclass(frozen=True)
class Cell:
    """Rows of one class that are alike; ``own`` of them belong to it, others were borrowed to fill a small class."""

    label: tuple[Any, ...]
    own: int
    rows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class CellSwap:
    """A generator that takes each column's value from any row of a cell of rows alike; a place is a real row.

    The cells are those of microaggregation (MDAV: Domingo-Ferrer & Torra 2005, Data Mining and Knowledge Discovery
    11:195), within a class; values are swapped, not averaged (Dalenius & Reiss 1982, J. Stat. Plan. Inference 6:73), so
    every value was seen and no row was. A draw takes whole numbers from ``rng`` and computes nothing: it is the
    same on any machine.

    >>> rows = [("a", 1.0, 6.0), ("a", 2.0, 7.0), ("a", 3.0, 8.0), ("a", 4.0, 9.0), ("a", 5.0, 10.0)]
    >>> real = pd.DataFrame(rows, columns=["kind", "length", "width"])
    >>> CellSwap.fit(real, ["kind"], ["length", "width"]).draw(0, np.random.default_rng(3))
    {'kind': 'a', 'length': 3.0, 'width': 10.0}
    """

    by: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[Cell, ...]

    @classmethod
    def fit(cls, rows: pd.DataFrame, by: Sequence[str], columns: Sequence[str], k: int = CELL_ROWS) -> CellSwap:
        """Return the generator of rows like ``rows``, in cells of ``k`` to ``2 k - 1`` different rows of one class.

        The class is what the columns ``by`` say; the order of the rows does not matter, nor do repeats. How alike rows
        are counts, by column, once to twice: most where the column goes with the last of ``by``, so that what is
        learned from synthetic rows is blurred least.

        Raises:
            NotYetError: there are fewer than ``k`` different rows.
            SchemaError: a value is blank.
        """
        must_be_whole(rows, [*by, *columns])
        different = rows[[*by, *columns]].drop_duplicates().sort_values([*by, *columns], ignore_index=True)
        if len(different) < k:
            raise NotYetError(f"there are {len(different)} different real rows and a cell needs {k}; fill the table")
        scores = (normal_scores(different[[*columns]]) * _told(different, by, columns)).round(9)
        labels = [*different[[*by]].itertuples(index=False, name=None)]
        values = [*different[[*columns]].astype("float64").itertuples(index=False, name=None)]
        cells = []
        for members in different.groupby([*by], observed=True).indices.values():
            for cell in _alike(scores, np.asarray(members), k):
                own = int(np.isin(cell, members).sum())
                cells.append(Cell(labels[members[0]], own, tuple(values[row] for row in cell)))
        return cls(tuple(by), tuple(columns), tuple(cells))

    @property
    def size(self) -> int:
        """How many different rows it learned."""
        return self._ends[-1]

    @cached_property
    def _ends(self) -> list[int]:
        return [*accumulate(cell.own for cell in self.cells)]

    def draw(self, place: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return one row by column, of the class and the cell of the real row at ``place``; by chance a real one."""
        cell = self.cells[bisect_right(self._ends, place)]
        donors = rng.integers(len(cell.rows), size=len(self.columns)).tolist()
        values = (cell.rows[donor][at] for at, donor in enumerate(donors))
        return dict(zip((*self.by, *self.columns), (*cell.label, *values), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return the generator as plain values; through JSON and ``from_dict`` it comes back equal."""
        return {"by": list(self.by), "columns": list(self.columns), "cells": [asdict(cell) for cell in self.cells]}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> CellSwap:
        """Return the generator that ``to_dict`` described."""
        cells = (Cell(tuple(c["label"]), c["own"], tuple(map(tuple, c["rows"]))) for c in fields["cells"])
        return cls(tuple(fields["by"]), tuple(fields["columns"]), tuple(cells))


@dataclass(frozen=True)
class Stock:
    """Rows that another synthesizer drew, kept to pick from: a place is one of them."""

    rows: pd.DataFrame

    @property
    def size(self) -> int:
        """How many rows there are."""
        return len(self.rows)

    def draw(self, place: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return the row at ``place`` by column."""
        return {str(name): value for name, value in self.rows.iloc[place].items()}


def accepted(
    generator: Generator, rng: np.random.Generator, holds: Callable[[dict[str, Any]], bool], place: int | None = None
) -> dict[str, Any]:
    """Return the first draw that ``holds``, at ``place`` if that gives one soon, else anywhere.

    Raises:
        SchemaError: 2000 draws did not hold.
    """
    for attempt in range(MOST_TRIES):
        stay = place is not None and attempt < TRIES_AT_PLACE
        row = generator.draw(place if stay and place is not None else int(rng.integers(generator.size)), rng)
        if holds(row):
            return row
    raise SchemaError(
        f"none of {MOST_TRIES} draws holds what it must; the rows it learned from may be too few or wrong"
    )


def sample(generator: Generator, count: int, seed: int, holds: Callable[[dict[str, Any]], bool]) -> pd.DataFrame:
    """Return ``count`` rows that hold, from every place once before any twice, as in systematic sampling."""
    rng = np.random.default_rng(seed)
    rounds = [rng.permutation(generator.size) for _ in range(-(-count // generator.size))]
    places = np.concatenate(rounds)[:count].tolist()
    return pd.DataFrame([accepted(generator, rng, holds, place) for place in places])


def _told(rows: pd.DataFrame, by: Sequence[str], columns: Sequence[str]) -> np.ndarray:
    """Return 1 to 2 a column: 1 + the share of its variance that the last of ``by`` explains, relative to the largest.

    Within the classes of the others of ``by`` (the correlation ratio of normal scores: Fisher 1925, ch. 8).
    """
    scores = pd.DataFrame(normal_scores(rows[[*columns]]))
    outer = [rows[name] for name in by[:-1]] or [pd.Series(0, index=rows.index)]
    within = scores - scores.groupby(outer).transform("mean")
    between = within.groupby([*outer, rows[by[-1]]]).transform("mean")
    spread = (within**2).mean().to_numpy()
    shares = (between**2).mean().to_numpy() / np.where(spread > 0, spread, 1)
    return np.asarray((1 + shares / max(float(shares.max()), 1e-9)).round(6))


def _alike(scores: np.ndarray, members: np.ndarray, k: int) -> list[np.ndarray]:
    """Return row numbers by cell: again and again the outermost row left, with the ``k - 1`` left nearest to it.

    A class of fewer than ``k`` rows is one cell, filled with the rows of other classes nearest to its middle.
    """
    middle = scores[members].mean(axis=0)
    if len(members) < k:
        others = np.setdiff1d(np.arange(len(scores)), members)
        return [np.append(members, others[_by_distance(scores[others], middle)[: k - len(members)]])]
    left, cells = members[_by_distance(scores[members], middle)[::-1]], []
    while len(left) >= 2 * k:
        nearest = _by_distance(scores[left], scores[left[0]])
        cells.append(left[nearest[:k]])
        left = left[np.sort(nearest[k:])]
    return [*cells, left]


def _by_distance(scores: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Return the order of rows from the nearest; summed and rounded so that every machine finds the same order."""
    squares = (scores - to) ** 2
    return np.argsort(sum(squares.T).round(9), kind="stable")
