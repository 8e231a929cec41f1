"""Wine: the synthesizer that is chosen beside default CTGAN, each judged on real wines it has not seen.

ALMANAC_TEST_DATA=FOLDER python tests/benchmarks/bench_wine.py [--check] [--epochs 300] [--seeds 3] [--candidates A,B]

The folder holds wine/winequality-red.csv and wine/winequality-white.csv, as UCI gives them. CTGAN takes minutes a seed.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table as Grid

from shared.steps import sdv
from shared.systems.wine.synthesis import Plan, compare, data_hash
from shared.systems.wine.synthesizers import USUAL, fit, whole
from shared.systems.wine.tables import COLOURS, MEASURES

SHOWN = ("tstr_mse", "real_mse", "c2st_auc", "quality", "dcr", "dcr_held_out", "exact_copies", "membership_auc")


def reference(folder: Path) -> pd.DataFrame:
    files = {colour: folder / "wine" / f"winequality-{colour}.csv" for colour in COLOURS}
    rows = pd.concat([pd.read_csv(path, sep=";").assign(colour=name) for name, path in files.items()])
    return rows.set_axis([*MEASURES, "grade", "colour"], axis=1).assign(source="uci").reset_index(drop=True)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="fail where the usual one misses a bar")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--candidates", default="")
    return parser.parse_args()


def missed(board: list[dict[str, object]]) -> list[str]:
    """Return which bars the usual synthesizer does not reach, in words."""
    ours = next((row for row in board if row["candidate"] == USUAL), None)
    if ours is None:
        return [f"{USUAL} was not compared"]
    ctgan = next((row for row in board if row["candidate"] == "sdv_ctgan"), None)
    bars = {
        "TSTR MSE <= 0.50": ours["tstr_mse"] <= 0.50,
        "C2ST AUC <= 0.60": ours["c2st_auc"] <= 0.60,
        "no exact copy": ours["exact_copies"] == 0,
        "as far from learned wines as unseen ones": ours["dcr"] >= ours["dcr_held_out"],
        "beats CTGAN": ctgan is None or ours["tstr_mse"] < ctgan["tstr_mse"],
        "is the one chosen": next(row for row in board if row["private"]) is ours,
    }
    return [name for name, reached in bars.items() if not reached]


def main() -> int:
    asked, place = options(), os.environ.get("ALMANAC_TEST_DATA", "")
    if not (Path(place) / "wine" / "winequality-red.csv").is_file() or not place:
        print("skipped: ALMANAC_TEST_DATA names no folder that holds wine/winequality-red.csv")
        return 0
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    wines = reference(Path(place))
    clock = time.perf_counter()
    fit(USUAL, whole(wines), sdv.Training())
    data_hash(wines)
    print(f"{USUAL} fitted to {len(whole(wines))} wines in {time.perf_counter() - clock:.2f} s")
    named = tuple(name for name in asked.candidates.split(",") if name)
    board = compare(wines, Plan(named, tuple(range(asked.seeds)), asked.epochs))
    grid = Grid("candidate", *SHOWN, "seconds", "private", box=None)
    for row in board:
        figures = ["–" if row[name] is None else f"{row[name]:.3f}" for name in (*SHOWN, "seconds")]
        grid.add_row(str(row["candidate"]), *figures, "yes" if row["private"] else "no")
    Console(width=160).print(grid)
    if asked.check and (bars := missed(board)):
        print("missed:", "; ".join(bars))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
