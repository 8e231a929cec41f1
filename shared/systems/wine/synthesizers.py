"""The candidates for making wines, each fitted to real ones, held to what is plausible, and kept without a pickle.

    real wines ──► whole ──► fit: cell swap, copulas, even ranges, SDV's ──► Synthesizer ──► to_folder ──► from_folder

Cells are kept as JSON; what any other candidate is, as a stock of wines it drew, in Parquet.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from shared.errors import NotYetError
from shared.steps import sdv
from shared.steps.swap import CellSwap, Generator, Stock, sample
from shared.steps.synthetic import ClassCopula
from shared.systems.wine.plausible import Plausible
from shared.systems.wine.tables import GRADES, MEASURES

USUAL = "cell_swap"
OWN = ("uniform_ranges", "colour_copula", "class_copula", USUAL)
COLUMNS = ["colour", "grade", *MEASURES]
STOCK_WINES = 5000

Wine = dict[str, Any]


@dataclass(frozen=True)
class Synthesizer:
    """A generator of wines, what must be true of each, the source of those it learned, and their measures."""

    generator: Generator
    plausible: Plausible
    source: str
    learned: frozenset[tuple[Any, ...]] = frozenset()

    def holds(self, wine: Wine) -> bool:
        """Return whether the wine is plausible and no copy of one that was learned."""
        return self.plausible.holds(wine) and _identity(wine) not in self.learned

    def sample(self, count: int, seed: int) -> pd.DataFrame:
        """Return ``count`` wines, with colours and grades about as often as in the real ones."""
        return sample(self.generator, count, seed, self.holds)[COLUMNS]


@dataclass(frozen=True)
class _ByRow:
    """A generator whose places are real wines, of which a draw keeps the colour, and the grade unless it makes one."""

    wines: list[Wine]
    make: Callable[[Wine, np.random.Generator], Wine]
    decimals: dict[str, int]

    @property
    def size(self) -> int:
        return len(self.wines)

    def draw(self, place: int, rng: np.random.Generator) -> Wine:
        made = {**self.wines[place], **self.make(self.wines[place], rng)}
        grade = min(max(round(made["grade"]), GRADES[0]), GRADES[-1])
        return {**made, "grade": grade, **{name: round(made[name], at) for name, at in self.decimals.items()}}


def whole(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the different wines without a blank: colour, grade, measures, in one order whatever that of ``rows``."""
    found = rows[COLUMNS].dropna().drop_duplicates().sort_values(COLUMNS, ignore_index=True)
    return found.astype({"colour": object, "grade": "int64"})


def fit(name: str, wines: pd.DataFrame, training: sdv.Training, source: str = "") -> Synthesizer:
    """Return the candidate fitted to ``wines``, as ``whole`` gives them.

    Raises:
        NotYetError: there are too few wines, or it drew none that is plausible.
        MissingExtraError: it is one of SDV's, and that is not installed.
    """
    if wines.empty:
        raise NotYetError("there are no real wines without a blank to learn from; run `almanac run wine backfill`")
    learned = frozenset(_identity(wine) for wine in _plain(wines))
    made = Synthesizer(_generator(name, wines, training), Plausible.learn(wines), source, learned)
    return _stocked(name, made) if isinstance(made.generator, Stock) else made


def to_folder(made: Synthesizer, folder: Path, seed: int) -> None:
    """Write the synthesizer: cells as they are, any other generator as a stock of wines it draws from ``seed``."""
    state: Wine = {"plausible": made.plausible.to_dict()}
    if isinstance(made.generator, CellSwap):
        state["cells"] = made.generator.to_dict()
    else:
        stock = made.generator.rows if isinstance(made.generator, Stock) else made.sample(STOCK_WINES, seed)
        stock.head(STOCK_WINES).to_parquet(folder / "stock.parquet")
    (folder / "synthesizer.json").write_text(json.dumps(state))


def from_folder(folder: Path, source: str) -> Synthesizer:
    """Return the synthesizer that ``to_folder`` wrote."""
    state = json.loads((folder / "synthesizer.json").read_text())
    plausible = Plausible.from_dict(state["plausible"])
    if "cells" not in state:
        return Synthesizer(Stock(pd.read_parquet(folder / "stock.parquet")), plausible, source)
    cells = CellSwap.from_dict(state["cells"])
    return Synthesizer(
        cells, plausible, source, frozenset((cell.label[0], *row) for cell in cells.cells for row in cell.rows)
    )


def _generator(name: str, wines: pd.DataFrame, training: sdv.Training) -> Generator:
    if name == USUAL:
        return CellSwap.fit(wines, ["colour", "grade"], MEASURES)
    if name in sdv.SYNTHESIZERS:
        return Stock(sdv.draw_rows(name, wines, 4 * STOCK_WINES, training))
    kinds = wines.assign(kind=wines["colour"] + " " + wines["grade"].astype(str))
    if name == "uniform_ranges":
        grouped = kinds.groupby("kind")[[*MEASURES]]
        ends = {str(kind): (group.min().to_numpy(), group.max().to_numpy()) for kind, group in grouped}
        make = partial(_evenly, ends)
    elif name == "class_copula":
        make = partial(_from_copula, ClassCopula.fit(kinds, "kind", MEASURES), "kind")
    else:
        make = partial(_from_copula, ClassCopula.fit(kinds, "colour", [*MEASURES, "grade"]), "colour")
    return _ByRow(_plain(kinds), make, _decimals(wines))


def _evenly(ends: dict[str, tuple[np.ndarray, np.ndarray]], wine: Wine, rng: np.random.Generator) -> Wine:
    return dict(zip(MEASURES, rng.uniform(*ends[wine["kind"]]).tolist(), strict=True))


def _from_copula(copula: ClassCopula, by: str, wine: Wine, rng: np.random.Generator) -> Wine:
    return dict(copula.draw(wine[by], rng))


def _stocked(name: str, made: Synthesizer) -> Synthesizer:
    """Return the synthesizer with only those rows of its stock that hold."""
    drawn = made.generator.rows if isinstance(made.generator, Stock) else pd.DataFrame()
    keep = [made.holds(wine) for wine in _plain(drawn)]
    if not any(keep):
        raise NotYetError(f"{name} drew no plausible wine of {len(drawn)}; train it longer, or leave it out")
    return Synthesizer(Stock(drawn[keep].reset_index(drop=True)), made.plausible, made.source, made.learned)


def _decimals(wines: pd.DataFrame) -> dict[str, int]:
    """Return to how many decimals, five at most, at least 19 in 20 values of each measure are known."""
    return {
        name: next((d for d in range(5) if (wines[name].round(d) == wines[name]).mean() >= 0.95), 5)
        for name in MEASURES
    }


def _plain(wines: pd.DataFrame) -> list[Wine]:
    return [{str(name): value for name, value in wine.items()} for wine in wines.to_dict("records")]


def _identity(wine: Wine) -> tuple[Any, ...]:
    return (wine["colour"], *(wine[name] for name in MEASURES))
