"""Which version of a model serves: decided on paired held-out losses, kept as rows with their reason.

    losses of the new version, of each baseline, of the champion ──► judge ──► Verdict
    Verdict ──► record ──► `promotions` ──► champion: the version that serves
                rollback ──┘

Nothing is ever overwritten: a promotion and a rollback are one row each, so the table is the history.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from math import comb
from typing import Literal

import numpy as np
import pandas as pd

from shared.errors import NotYetError, SchemaError, UsageError
from shared.ports import ModelVersion, Platform
from shared.runs import Report, Run
from shared.tables import Column, Table

SERVING = ("promoted", "rolled_back")

PROMOTIONS = Table(
    "promotions",
    (
        Column("model", "text"),
        Column("decided_at", "time"),
        Column("day", "time", about="business date, as midnight UTC"),
        Column("version", "int", low=1, about="the version judged, or gone back to"),
        Column("verdict", "text", allowed=("promoted", "waits", "rejected", "rolled_back")),
        Column("reason", "text", about="one sentence"),
        Column("figures", "text", about="JSON: losses, and differences in loss with their bounds"),
        Column("run_id", "text", about="empty for a rollback by hand"),
    ),
    key=("model", "decided_at"),
    event_time="day",
    about="What was decided about each version of a model; the newest promoted or rolled back one serves.",
)

# The percentile interval is too narrow on few rows: its 2.5 % bound is missed 8 % of the time at 5 rows, 5 % at 10.
FEWEST_ROWS = 10

# A non-inferiority margin that keeps 95 % of what the champion gained over the best baseline ("preserved effect", FDA
# 2016, Non-Inferiority Clinical Trials, sec. IV): in the unit of any loss, and 0 for a champion that gains nothing.
# A margin of 0 would keep a stale champion: of two equally good models, the upper bound is above 0 by chance.
SLACK = 0.05


@dataclass(frozen=True)
class Interval:
    """An estimate between its bounds."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Verdict:
    """What became of a version, the reason as one sentence, and the figures behind it by name."""

    verdict: Literal["promoted", "waits", "rejected"]
    reason: str
    figures: Mapping[str, float]


def paired_bootstrap(
    new_losses: pd.Series, old_losses: pd.Series, *, draws: int = 2000, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """Return the mean of new - old loss over the index values both have, with percentile bounds; below 0 new is better.

    Rows of one index value (repeats of a cross-validation) are averaged first: they are not independent evidence.
    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, ch. 13.

    Raises:
        SchemaError: fewer than ten index values in common, or a loss is blank or infinite.

    >>> paired_bootstrap(pd.Series(range(10)), pd.Series(range(1, 11)))
    Interval(low=-1.0, middle=-1.0, high=-1.0)
    """
    difference, rng = _difference(new_losses, old_losses).to_numpy(), np.random.default_rng(seed)
    means = [rng.choice(difference, size=len(difference)).mean() for _ in range(draws)]
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(difference.mean()), float(high))


def sign_test(gained: int, lost: int) -> float:
    """Return how probable so uneven a split of the cases that changed is by chance: exact, two-sided, at most 1.

    Of two models asked the same yes-or-no questions it is McNemar's exact test: cases with the same answer say nothing.
    Source: McNemar 1947, Psychometrika 12:153; the exact form is the binomial test of one half.

    >>> sign_test(0, 6), sign_test(1, 5), sign_test(0, 0)
    (0.03125, 0.21875, 1.0)
    """
    count = gained + lost
    tail = sum(comb(count, hits) for hits in range(min(gained, lost) + 1))
    return min(1.0, float(2 * tail / 2**count))


def holm(chances: Mapping[str, float], level: float = 0.05) -> set[str]:
    """Return which of several tests are sure, so that with ``level`` at most any of them is called so by chance.

    The smallest of m chances may be level / m, the next level / (m - 1), and on; the first that is larger ends it. The
    tests may depend on each other. Source: Holm 1979, Scandinavian Journal of Statistics 6:65.

    >>> sorted(holm({"safety": 0.03, "meals": 0.01, "lists": 0.02})), holm({"safety": 0.03, "meals": 0.04})
    (['lists', 'meals', 'safety'], set())
    """
    ordered = sorted(chances, key=lambda name: chances[name])
    small = [chances[name] <= level / (len(ordered) - place) for place, name in enumerate(ordered)]
    return {name for place, name in enumerate(ordered) if all(small[: place + 1])}


def judge(losses: pd.Series, baselines: Mapping[str, pd.Series], champion: pd.Series | None) -> Verdict:
    """Return what becomes of a version with these held-out ``losses``, all indexed by the key of the row they judge.

    Rejected unless it beats every baseline (each upper bound of the difference is below 0; as all must hold, no
    correction for several comparisons is due). Promoted when no champion serves, or when it is not worse than the
    champion by more than a small margin; else it waits.

    Raises:
        UsageError: no baseline is given.
        SchemaError: as ``paired_bootstrap``.
    """
    if not baselines:
        raise UsageError("a version is judged against at least one baseline, such as the majority class; give one")
    against = {name: paired_bootstrap(losses, old) for name, old in baselines.items()}
    figures = {"loss": float(losses.mean()), **_flat(against)}
    closest = max(against, key=lambda name: against[name].high)
    told = f"its loss differs by {_told(against[closest])}"
    if against[closest].high >= 0:
        reason = f"It does not surely beat {closest}: {told}, and the bound must be below 0."
        return Verdict("rejected", reason, figures)
    if champion is None:
        reason = f"By its loss it beats every baseline and nothing serves yet: against the closest, {closest}, {told}."
        return Verdict("promoted", reason, figures)
    return _challenge(paired_bootstrap(losses, champion), _tolerance(baselines, champion), figures)


def record(  # noqa: PLR0913 - a row of the history has six facts
    platform: Platform, model: ModelVersion, verdict: Verdict, *, day: date, decided_at: datetime, run_id: str
) -> None:
    """Write the verdict on ``model`` into ``promotions``."""
    told = {"verdict": verdict.verdict, "reason": verdict.reason, "figures": json.dumps(dict(verdict.figures))}
    row = {"model": model.name, "version": model.version, "decided_at": decided_at, "day": _midnight(day)}
    platform.features.write(PROMOTIONS, pd.DataFrame([{**row, **told, "run_id": run_id}]))


def champion(platform: Platform, name: str, *, until: datetime | None = None) -> ModelVersion:
    """Return the version of ``name`` that serves: the newest promoted or gone back to on a day before ``until``.

    Raises:
        NotYetError: none was; or its files are gone.
        UnsafeFileError: its files are not those that were registered.
    """
    rows = _decisions(platform, name, until)
    serving = rows[rows["verdict"].isin(SERVING)]
    if serving.empty:
        later = _decisions(platform, name, None)
        since = later.loc[later["verdict"].isin(SERVING), "day"].min()
        if not pd.isna(since):
            raise NotYetError(f"no version of {name} served then; the first did on {since:%Y-%m-%d}")
        refused = later[later["verdict"] == "rejected"].tail(1)
        why = "".join(
            f": version {row.version} was rejected. {row.reason} With more data" for row in refused.itertuples()
        )
        raise NotYetError(f"no version of {name} serves yet{why or ';'} run `almanac run {name} train`")
    return platform.models.load(name, int(serving["version"].iloc[-1]))


def rollback(  # noqa: PLR0913 - a row of the history has six facts
    platform: Platform, name: str, version: int, *, day: date, decided_at: datetime, reason: str
) -> None:
    """Let an earlier ``version`` serve again from ``day`` on, until the next promotion.

    Raises:
        NotYetError: the registry holds no such version.
        UsageError: that version was rejected, or no reason is given.
    """
    if not reason.strip():
        raise UsageError("say the --reason: whoever reads the history will ask for it")
    trained_on = platform.models.load(name, version).trained_on
    if trained_on and day.isoformat() < trained_on:
        raise UsageError(f"version {version} of {name} was trained on {trained_on}, so it cannot serve on {day}")
    rows = _decisions(platform, name, None)
    judged = rows[rows["version"] == version]
    if not judged.empty and judged["verdict"].iloc[-1] == "rejected":
        raise UsageError(f"version {version} of {name} was rejected, so it must not serve: {judged['reason'].iloc[-1]}")
    row = {"model": name, "version": version, "decided_at": decided_at, "day": _midnight(day)}
    told = {"verdict": "rolled_back", "reason": reason, "figures": "{}"}
    platform.features.write(PROMOTIONS, pd.DataFrame([{**row, **told, "run_id": ""}]))


def rolled_back(platform: Platform, run: Run, name: str, version: int, reason: str) -> Report:
    """Roll back as a stage does: ``rollback`` from the run's date on, and what came of it as a report."""
    rollback(platform, name, version, day=run.day, decided_at=run.started_at, reason=reason)
    return Report(rows=1, model=f"{name} v{version}", note=f"rolled back: {reason}")


def _challenge(gap: Interval, tolerance: float, figures: Mapping[str, float]) -> Verdict:
    """Return promoted or waits, for a version that beats the baselines and is ``gap`` worse than the champion."""
    kept = {**figures, **_flat({"champion": gap}), "tolerance": tolerance}
    told = f"its loss differs by {_told(gap)}, and {tolerance:.4g} is allowed"
    if gap.high <= tolerance:
        return Verdict(
            "promoted", f"By its loss it beats every baseline and is not worse than the champion: {told}.", kept
        )
    return Verdict("waits", f"By its loss it beats every baseline but may be worse than the champion: {told}.", kept)


def _tolerance(baselines: Mapping[str, pd.Series], champion: pd.Series) -> float:
    gained = min(float(_difference(baseline, champion).mean()) for baseline in baselines.values())
    return SLACK * max(0.0, gained)


def _difference(new_losses: pd.Series, old_losses: pd.Series) -> pd.Series:
    both = pd.concat([_by_key(new_losses), _by_key(old_losses)], axis=1, join="inner", keys=["new", "old"])
    if len(both) < FEWEST_ROWS:
        told = f"{len(new_losses)} and {len(old_losses)} losses have {len(both)} rows in common; at least {FEWEST_ROWS}"
        raise SchemaError(f"{told} are needed: score both on the same held-out rows, indexed by key")
    return both["new"] - both["old"]


def _by_key(losses: pd.Series) -> pd.Series:
    if not np.isfinite(losses.to_numpy(dtype="float64")).all():
        raise SchemaError("a loss is blank or infinite; score only rows whose outcome is known, and clip the loss")
    return losses.groupby(level=list(range(losses.index.nlevels))).mean()


def _decisions(platform: Platform, name: str, until: datetime | None) -> pd.DataFrame:
    rows = platform.features.read(PROMOTIONS, until=until)
    return rows[rows["model"] == name].sort_values(["day", "decided_at"])


def _flat(intervals: Mapping[str, Interval]) -> dict[str, float]:
    return {f"{name}_{part}": value for name, gap in intervals.items() for part, value in asdict(gap).items()}


def _told(gap: Interval) -> str:
    return f"{gap.middle:+.4g} (at most {gap.high:+.4g})"


def _midnight(day: date) -> pd.Timestamp:
    return pd.Timestamp(day.isoformat(), tz="UTC")
