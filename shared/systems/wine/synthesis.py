"""Where synthetic wines come from: candidates judged on wines they have not seen, the best kept, a wine a day drawn.

    real wines ──► compare: 3 in 4 learned, 1 in 4 held out, by seed ──► leaderboard
               ──► synthesize: the best without a privacy fault, fitted to all ──► registry ──► current ──► draw(day)
               ──► ensure: the usual one, without a comparison, where this data has none yet

A synthesizer is refitted only when the real wines changed. A synthetic wine depends on its id (``2026-11-20-1``) and on
the synthesizer alone. SDV's candidates (extra ``synth``) stand under the Business Source License: shared/steps/sdv.py.
"""

from __future__ import annotations

import hashlib
import logging
import math
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from shared.errors import NotYetError, UnsafeFileError, UsageError
from shared.ports import NewModel
from shared.runs import Report, midnight
from shared.steps import sdv
from shared.steps.realism import judge
from shared.steps.swap import accepted
from shared.systems.wine.features import fingerprint, labelled
from shared.systems.wine.synthesizers import OWN, USUAL, Synthesizer, fit, from_folder, to_folder, whole
from shared.systems.wine.tables import GRADED, SAMPLES, SYNTHESIZER

if TYPE_CHECKING:
    from shared.ports import ModelVersion, Platform
    from shared.runs import Run

HELD_OUT = 0.25
FEWEST_HELD_OUT = 100  # fewer wines tell little
MOST_MEMBERSHIP_AUC = 0.65  # above it, who was learned from is told too well
MOST_A_DAY, MOST_DRIFT = 10_000, 5.0
FIGURES = ("tstr_mse", "c2st_auc", "quality", "dcr", "dcr_held_out", "exact_copies", "membership_auc")

log = logging.getLogger("almanac")


@dataclass(frozen=True)
class Plan:
    """Which candidates are compared (all that are installed, unless named), over which seeds, trained how long."""

    candidates: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    epochs: int = 300  # of SDV's networks: its default

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        known = (*OWN, *sdv.SYNTHESIZERS)
        if wrong := [name for name in self.candidates if name not in known]:
            raise UsageError(f"candidates are {', '.join(known)}, joined by commas; got {', '.join(wrong)}")
        if not self.seeds or self.epochs < 1:
            raise UsageError(f"a comparison takes a seed and an epoch at least; got {self.seeds}, {self.epochs}")

    @property
    def compared(self) -> tuple[str, ...]:
        """The candidates, those of SDV where they are installed or named."""
        return self.candidates or (*OWN, *(sdv.SYNTHESIZERS if sdv.installed() else ()))


def compare(rows: pd.DataFrame, plan: Plan) -> list[dict[str, Any]]:
    """Return a row a candidate, the lowest TSTR error first: mean figures, 95 % intervals over seeds, and ``private``.

    Raises:
        NotYetError: there are too few different wines.
    """
    wines = whole(rows)
    log.info("wine synthesize: %d fits", total := len(plan.compared) * len(plan.seeds), extra={"due": total})
    found = [_tried(name, wines, seed, plan.epochs) for name in plan.compared for seed in plan.seeds]
    tried = pd.DataFrame(found)
    return sorted((_summary(tried[tried["candidate"] == name]) for name in plan.compared), key=lambda r: r["tstr_mse"])


def synthesize(platform: Platform, run: Run, rows: pd.DataFrame, plan: Plan | None = None) -> Report:
    """Compare the candidates, fit the best to all ``rows`` and register it; return the leaderboard.

    The best has the lowest TSTR error of those that are private: no exact copy, not nearer to what they learned than
    real wines are, and a membership attack that mostly fails. If none is, the usual one is kept, and the note says so.
    """
    plan = plan or Plan()
    board = compare(rows, plan)
    private = [row for row in board if row["private"]]
    chosen = private[0] if private else next((row for row in board if row["candidate"] == USUAL), board[0])
    version = _register(platform, run, rows, chosen, plan)
    beside = next((row for row in board if row["candidate"] == "sdv_ctgan"), board[-1])
    note = f"{chosen['candidate']} was chosen, beside {beside['candidate']}"
    if (held := round(HELD_OUT * len(whole(rows)))) < FEWEST_HELD_OUT:
        note += f"; judged on {held} wines only, so the figures are rough"
    return Report(
        rows=len(rows),
        metrics={name: float(chosen[name]) for name in (*FIGURES, "real_mse") if chosen[name] is not None},
        baselines={name: float(beside[name]) for name in FIGURES if beside[name] is not None},
        headline="tstr_mse",
        model=f"{SYNTHESIZER} v{version.version}",
        note=note if private else f"{note}; no candidate was private",
        table=[{**row, "chosen": row is chosen} for row in board],
    )


def ensure(platform: Platform, run: Run, rows: pd.DataFrame) -> Synthesizer:
    """Return the serving synthesizer of these wines; where there is none, fit and register the usual one at once."""
    if (found := current(platform, rows, run.day)) is None:
        _register(platform, run, rows, {"candidate": USUAL}, Plan(seeds=(0,)))
        found = current(platform, rows, run.day)
    if found is None:  # registered, and not there a moment later
        raise NotYetError("the wine synthesizer's files changed while it was registered; run it again")
    return found


def current(platform: Platform, rows: pd.DataFrame, day: date) -> Synthesizer | None:
    """Return the synthesizer that serves on ``day``, of those that learned exactly these wines; None if none is whole.

    The newest that was registered on an earlier date, else the first: a date that is done again brings the same wines.
    """
    wanted, whole_ones = data_hash(rows), []
    for number in platform.models.versions(SYNTHESIZER):
        try:
            version = platform.models.load(SYNTHESIZER, number)
        except UnsafeFileError as damaged:  # another one of the same data, or a new one, serves as well
            log.warning("passed over: %s", damaged)
            continue
        if version.signature["data_hash"] == wanted:
            whole_ones.append(version)
    earlier = [version for version in whole_ones if version.trained_on < day.isoformat()]
    if not whole_ones:
        return None
    serving = earlier[-1] if earlier else whole_ones[0]
    return from_folder(serving.folder, serving.signature["source"])


def learnable(platform: Platform, run: Run, source: str) -> pd.DataFrame:
    """Return the graded wines of ``source`` that were there from the first: those of the reserve teach no synthesizer.

    Raises:
        NotYetError: there are none.
    """
    known = labelled(platform, run.until, source)
    return known[known["origin"] == "reference"]


def fetch(platform: Platform, run: Run, source: str, count: int = 1, drift: float = 0.0) -> int:
    """Store the synthetic wines of the run's date and their grades, known a day later; return how many rows changed."""
    samples, grades = draw(ensure(platform, run, learnable(platform, run, source)), run.day, count, drift)
    written = [platform.features.write(table, rows) for table, rows in ((SAMPLES, samples), (GRADED, grades))]
    return sum(one.rows for one in written)


def must_be_a_day(count: int, drift: float) -> None:
    """Refuse what no day may bring.

    Raises:
        UsageError: the count or the drift is out of bounds.
    """
    if not 1 <= count <= MOST_A_DAY or not abs(drift) <= MOST_DRIFT:
        raise UsageError(
            f"a day brings 1 to {MOST_A_DAY} wines, drifted by at most {MOST_DRIFT:g} % vol; got {count}, {drift} % vol"
        )


def draw(synthesizer: Synthesizer, day: date, count: int = 1, drift: float = 0.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (samples, grades) of the ``count`` wines of ``day``; ``drift`` % vol is added to alcohol, density follows.

    The grade is the synthesizer's, known a day later: nobody tasted the wine.

    Raises:
        UsageError: the count or the drift is out of bounds.
    """
    must_be_a_day(count, drift)
    ids = [f"{day.isoformat()}-{number}" for number in range(1, count + 1)]
    drawn = [accepted(synthesizer.generator, _seeded(one), synthesizer.holds) for one in ids]
    wines = pd.DataFrame([synthesizer.plausible.drifted(wine, drift) for wine in drawn]).assign(sample_id=ids)
    samples = wines.assign(taken_at=midnight(day), origin="synthetic", source=synthesizer.source)
    grades = wines.assign(graded_at=midnight(day + timedelta(days=1)), grader="synthesizer")
    return samples[SAMPLES.names], grades[GRADED.names]


def data_hash(rows: pd.DataFrame) -> str:
    """Return a hash of the wines a synthesizer learns from ``rows``, and of their source."""
    wines = whole(rows)
    seen = sorted(zip(fingerprint(wines), wines["grade"].astype(int).tolist(), strict=True))
    return hashlib.sha256(repr((_source(rows), seen)).encode()).hexdigest()[:16]


def _tried(name: str, wines: pd.DataFrame, seed: int, epochs: int) -> dict[str, Any]:
    """Return the figures of a candidate that learned three wines in four, judged on the fourth."""
    groups = pd.Series(fingerprint(wines))  # wines of equal measures and other grades stay together
    names = groups.unique()
    held = groups.isin(np.random.default_rng(seed).choice(names, round(HELD_OUT * len(names)), replace=False))
    learned = wines[~held].reset_index(drop=True)
    clock = time.monotonic()
    made = fit(name, learned, sdv.Training(epochs, seed)).sample(len(learned), seed)
    seconds = time.monotonic() - clock
    figures = judge(learned, wines[held], made, "grade", seed)
    log.info("wine synthesize: %s, seed %d", name, seed)
    return {"candidate": name, "seconds": seconds, **asdict(figures)}


def _summary(tried: pd.DataFrame) -> dict[str, Any]:
    """Return a candidate's row of the leaderboard, from its figures by seed; blank what was not measured."""
    means = {str(name): float(value) for name, value in tried.mean(numeric_only=True).items()}
    private = (
        tried["exact_copies"].max() == 0
        and means["dcr"] >= means["dcr_held_out"]
        and means["membership_auc"] <= MOST_MEMBERSHIP_AUC
    )
    row = {"candidate": tried["candidate"].iloc[0], "seeds": len(tried), "private": bool(private)}
    row |= {name: None if math.isnan(value) else value for name, value in means.items()}
    for name in ("tstr_mse", "c2st_auc"):
        row[f"{name}_low"], row[f"{name}_high"] = _interval(tried[name])
    return row


def _interval(values: pd.Series) -> tuple[float | None, float | None]:
    """Return Student's 95 % interval of the mean, blank for one value."""
    if len(values) < 2:
        return None, None
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.sem())
    return float(values.mean() - half), float(values.mean() + half)


def _register(platform: Platform, run: Run, rows: pd.DataFrame, figures: dict[str, Any], plan: Plan) -> ModelVersion:
    name, wines = figures["candidate"], whole(rows)
    made = fit(name, wines, sdv.Training(plan.epochs, plan.seeds[0]), _source(rows))
    metrics = {key: value for key, value in figures.items() if isinstance(value, float)}
    signature = {"candidate": name, "data_hash": data_hash(rows), "source": made.source, "wines": len(wines)}
    facts = {"code_version": run.code_version, "run_id": run.run_id, "trained_on": run.day.isoformat()}
    with tempfile.TemporaryDirectory() as folder:
        to_folder(made, Path(folder), plan.seeds[0])
        return platform.models.save(NewModel(SYNTHESIZER, Path(folder), metrics, signature, **facts))


def _source(rows: pd.DataFrame) -> str:
    return str(rows["source"].iloc[0]) if len(rows) else ""


def _seeded(sample_id: str) -> np.random.Generator:
    """Return the generator of a wine's draw, from nothing but its id."""
    seed = int.from_bytes(hashlib.sha256(f"wine {sample_id}".encode()).digest()[:8], "big")
    return np.random.default_rng(seed)
