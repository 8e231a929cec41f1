"""Iris: how real the synthetic flowers look, and how fast drift is found, each beside its baseline.

python tests/benchmarks/bench_iris.py
"""

from __future__ import annotations

import statistics
from datetime import date, timedelta

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table as Grid

from shared.adapters.corpora import BundledCorpora
from shared.steps.drift import drift
from shared.steps.synthetic import ClassCopula
from shared.systems.iris import sources, training
from shared.systems.iris.tables import MEASURES

WINDOW, FIRST = 30, date(2026, 1, 1)


def reference() -> pd.DataFrame:
    rows = BundledCorpora().read("iris")
    return rows.assign(flower_id=[f"fisher-{number:04d}" for number in range(1, len(rows) + 1)], origin="reference")


def stream(copula: ClassCopula, seed: int, days: int, drift_cm: float) -> pd.DataFrame:
    """Return one labelled flower a day from FIRST, of other dates for each seed."""
    dates = (FIRST + timedelta(days=400 * seed + day) for day in range(days))
    drawn = [sources.draw(copula, one, 1, drift_cm) for one in dates]
    flowers = pd.concat(drawn, ignore_index=True)
    return flowers.assign(variety=sources.identify(flowers)["variety"].to_numpy(), day=range(days))


def days_to_find(known: pd.DataFrame, copula: ClassCopula, seed: int, by: str | None) -> int | None:
    """Return the day after the shift on which a petal measure is called drifted, None if not within 60 days."""
    rows = pd.concat([stream(copula, seed, WINDOW, 0.0), stream(copula, seed + 100, 60, 0.8)], ignore_index=True)
    for day in range(1, 61):
        found = drift(known, rows.iloc[day : WINDOW + day], MEASURES, by=by)
        if found.loc[found["column"].isin(sources.PETALS), "drifted"].any():
            return day
    return None


def false_alarm_days(known: pd.DataFrame, copula: ClassCopula, seed: int, by: str | None) -> int:
    """Return on how many days of a calm year something is called drifted."""
    rows = stream(copula, seed, 365, 0.0)
    windows = (rows.iloc[max(0, day - WINDOW) : day] for day in range(1, 366))
    return sum(bool(drift(known, recent, MEASURES, by=by)["drifted"].any()) for recent in windows)


def main() -> None:
    known = reference()
    copula = ClassCopula.fit(known, by="variety", columns=MEASURES)
    console = Console(width=120)
    aucs = [training._realism(known, training.Plan(seed=seed)) for seed in range(5)]
    grid = Grid("told from unseen real flowers, AUC (0.5 = cannot)", "mean of 5 seeds", "lowest–highest", box=None)
    for name, label in (("copula", "copula per variety (ours)"), ("uniform", "uniform ranges (predecessor)")):
        found = [auc[name] for auc in aucs]
        grid.add_row(label, f"{np.mean(found):.2f}", f"{min(found):.2f}–{max(found):.2f}")
    console.print(grid)
    grid = Grid(
        "petals drift by 0.8 cm, one flower a day", "days until found", "false alarms, days of 3 years", box=None
    )
    for label, by in (("compared within varieties (ours)", "variety"), ("compared over all flowers", None)):
        days = [days_to_find(known, copula, seed, by) for seed in range(12)]
        hit = sorted(day for day in days if day is not None)
        text = f"median {statistics.median(hit):.0f} ({hit[0]}–{hit[-1]}), missed {days.count(None)} of {len(days)}"
        grid.add_row(label, text, str(sum(false_alarm_days(known, copula, seed, by) for seed in range(3))))
    console.print(grid)


if __name__ == "__main__":
    main()
