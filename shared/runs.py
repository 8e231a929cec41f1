"""One run of one stage for one business date: what is due, the lock, the ledger, the cost, the provenance.

    due dates ──► lock ──► ledger row "running" ──► the stage's body ──► ledger row "done" | "failed"

A schedule that was missed heals at the next run: every date without a success is due, oldest first. A run that was
killed leaves its row "running"; whoever takes the lock next marks it "lost" and does the date again. Bodies write by
key, so doing a date twice leaves the same rows.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from shared.connect import Machine, machine
from shared.errors import BusyError, UsageError
from shared.tables import Column, Table

if TYPE_CHECKING:
    from shared.ports import ModelVersion, Platform

RUNS = Table(
    "runs",
    (
        Column("run_id", "text"),
        Column("system", "text"),
        Column("stage", "text"),
        Column("day", "time", about="business date, at 00:00 UTC"),
        Column("started_at", "time"),
        Column("seconds", unit="s", low=0, nullable=True),
        Column("asked", "flag", about="named by --day, not due"),
        Column("status", "text", allowed=("running", "done", "failed", "lost")),
        Column("rows", "int", low=0),
        Column("report", "text", about="what the stage returned, as JSON"),
        Column("error", "text", nullable=True),
        Column("code_version", "text"),
        Column("machine", "text"),
        Column("cost_usd", unit="USD", low=0, about="estimate, from the price table in shared/runs.py"),
    ),
    key=("run_id",),
    event_time="started_at",
    about="The ledger: one row a run of a stage.",
)

FIRST_YEAR, LAST_YEAR = 1900, 2200
WAIT_S = 600  # for another run of the same stage
MOST_DATES = 31  # that one run catches up
DEMO_DATES = 30  # before the first run: the demo world did not begin today

# USD a second, as transcribed on 2026-07-01 from https://modal.com/pricing
CPU_CORE_USD_S, MEMORY_GIB_USD_S = 0.0000131, 0.00000222
GPU_USD_S = {"T4": 0.000164, "L4": 0.000222, "A10": 0.000306, "L40S": 0.000542, "A100-40GB": 0.000583}
GPU_USD_S |= {"A100-80GB": 0.000694, "RTX-PRO-6000": 0.000842, "H100": 0.001097, "H200": 0.001261, "B200": 0.001736}

log = logging.getLogger("almanac")


@dataclass(frozen=True)
class Run:
    """What a stage's body is told about the run it is part of."""

    run_id: str
    system: str
    stage: str
    day: date
    started_at: datetime
    code_version: str
    asked: bool = False

    @property
    def until(self) -> datetime:
        """The end of the business date: what happened before it may be read."""
        return midnight(self.day + timedelta(days=1))


@dataclass(frozen=True)
class Report:
    """What a stage's body gives back: rows written, figures by name beside their baselines, the model that served.

    ``headline`` says which of ``metrics`` stands for the stage; ``table`` holds rows for people to compare.
    """

    rows: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    baselines: dict[str, float] = field(default_factory=dict)
    headline: str = ""
    model: str = ""
    note: str = ""
    table: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, for JSON and for Modal."""
        return asdict(self)


Body = Callable[[Run], Report]


def run_stage(platform: Platform, name: str, body: Body, *, day: str = "", until: str = "") -> Report:
    """Run the stage ``name`` (``iris.daily``): exactly ``day`` when given, else every date due up to ``until``.

    Raises:
        UsageError: a date is not ISO, or lies in a future that the world does not have.
        AlmanacError: whatever the body raised; its ledger row says "failed" and the date stays due.
    """
    if day and until:
        raise UsageError("--day names one date, --until the last of those that are due; give one of the two")
    last = parse_day(day or until, platform.world)
    system, stage = name.split(".")
    with _held(platform, system, stage):
        _bury_the_dead(platform, system, stage)
        waiting = [last] if day else due(platform, system, stage, last)
        counts, now_due = f"dates of {system} {stage}", waiting[:MOST_DATES]
        log.info("%s %s: %d due", system, stage, len(waiting), extra={"counts": counts, "due": len(now_due)})
        reports = []
        for one in now_due:
            run = Run(uuid.uuid4().hex[:12], system, stage, one, _now(), code_version(), bool(day))
            reports.append(_attempt(platform, run, body))
            said = {"counts": counts, "done": len(reports)}
            log.info("%s %s %s: %d rows", system, stage, one, reports[-1].rows, extra=said)
    return _summed(reports, left=len(waiting) - len(reports)) if reports else _last(platform, system, stage, last)


def due(platform: Platform, system: str, stage: str, until: date) -> list[date]:
    """Return the dates up to ``until`` without a success, oldest first, counted from the first scheduled success.

    Without one: from the first date of the last month that was done by name; else ``until`` alone, or in the demo
    world the month that ends with it, but no date before the system's other stages had their first success.
    """
    runs = ledger(platform, system)
    succeeded = runs[runs["status"] == "done"]
    mine = succeeded[succeeded["stage"] == stage]
    done = {moment.date() for moment in mine["day"]}
    recent = mine[mine["day"] > midnight(until - timedelta(days=MOST_DATES))]
    begun = mine.loc[~mine["asked"], "day"] if len(mine[~mine["asked"]]) else recent["day"]
    if len(begun):
        first = begun.min().date()
    else:
        stood_on = succeeded[succeeded["stage"] != stage].groupby("stage")["day"].min()
        ready = stood_on.max().date() if len(stood_on) else date.min
        first = max(until - timedelta(days=DEMO_DATES if platform.world == "demo" else 0), ready)
    first = min(first, until)
    dates = [first + timedelta(days=offset) for offset in range((until - first).days + 1)]
    return [one for one in dates if one not in done]


def ledger(platform: Platform, system: str | None = None, stage: str | None = None) -> pd.DataFrame:
    """Return rows of ``runs``, oldest first, of one system and stage when named."""
    runs = platform.features.read(RUNS)
    for column, wanted in (("system", system), ("stage", stage)):
        runs = runs if wanted is None else runs[runs[column] == wanted]
    return runs


def stamp(rows: pd.DataFrame, run: Run, model: ModelVersion, store_version: int) -> pd.DataFrame:
    """Return prediction rows with the columns of ``tables.PROVENANCE``."""
    return rows.assign(
        model=model.name,
        model_version=model.version,
        run_id=run.run_id,
        code_version=run.code_version,
        store_version=store_version,
    )


def now() -> datetime:
    """Return the moment it is, in UTC: for what a visitor of a page gives, who knows no business date."""
    return _now()


def parse_day(text: str, world: str) -> date:
    """Return the business date, today (UTC) for "" and "today"; only the demo world has a future.

    Raises:
        UsageError: not an ISO date, or in the future.
    """
    today = _now().date()
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date() if text not in ("", "today") else today  # noqa: DTZ007
    except ValueError as cause:
        raise UsageError(f"{text!r} is not a date; write it as {today}") from cause
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise UsageError(f"{day} is too long ago or too far ahead; a date lies between {FIRST_YEAR} and {LAST_YEAR}")
    if day > today and world != "demo":
        raise UsageError(f"{day} is in the future; the {world} world ends with {today}")
    return day


def midnight(day: date) -> datetime:
    """Return the first moment of a business date."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def cost_usd(seconds: float, on: Machine) -> float:
    """Return the estimated price of ``seconds`` on a Modal machine, 0 on one's own.

    >>> round(cost_usd(3600, Machine("modal", cpu_cores=0.125, memory_gib=0.5, gpu="A10")), 4)
    1.1115
    """
    if on.where != "modal":
        return 0.0
    kind, _, count = on.gpu.partition(":")
    gpus = GPU_USD_S[kind] * int(count or 1) if kind else 0.0
    return seconds * (on.cpu_cores * CPU_CORE_USD_S + on.memory_gib * MEMORY_GIB_USD_S + gpus)


@cache
def code_version() -> str:
    """Return a hash of the ``shared`` package's sources but its pages: the same here and in a Modal container."""
    home = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for path in home.rglob("*.py") if "pages" not in path.parts):
        digest.update(path.relative_to(home).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def _held(platform: Platform, system: str, stage: str) -> Iterator[None]:
    """Hold a stage against other runs; who has to wait for one is told so."""
    name = f"{system}.{stage}"
    with ExitStack() as held:
        try:
            held.enter_context(platform.features.lock(name, wait_s=0))
        except BusyError:
            begun = ledger(platform, system, stage).query("status == 'running'")["started_at"].max()
            since = "" if pd.isna(begun) else f", begun {begun:%Y-%m-%d %H:%M} UTC,"
            log.info("%s %s: another run%s holds it; waiting at most %d min", system, stage, since, WAIT_S // 60)
            held.enter_context(platform.features.lock(name, wait_s=WAIT_S))
        yield


def _attempt(platform: Platform, run: Run, body: Body) -> Report:
    clock = time.monotonic()
    _enter(platform, run, "running", 0.0)
    try:
        report = body(run)
    except KeyboardInterrupt as stop:
        said = str(stop) or f"interrupted; the same command does {run.day} again"
        _enter(platform, run, "failed", time.monotonic() - clock, error=said)
        raise KeyboardInterrupt(said) from stop
    except BaseException as failure:
        reason = f"{type(failure).__name__}: {failure}"[:2000]
        _enter(platform, run, "failed", time.monotonic() - clock, error=reason)
        raise
    _enter(platform, run, "done", time.monotonic() - clock, **_facts(report))
    return report


def _enter(platform: Platform, run: Run, status: str, seconds: float, **facts: object) -> None:
    on = machine()
    known = {name: getattr(run, name) for name in ("run_id", "system", "stage", "asked", "started_at", "code_version")}
    costs = {"seconds": seconds, "machine": on.where, "cost_usd": cost_usd(seconds, on)}
    row = {**_facts(Report()), "error": None, **known, "day": midnight(run.day), "status": status, **costs, **facts}
    platform.features.write(RUNS, pd.DataFrame([row]))


def _facts(report: Report) -> dict[str, object]:
    return {"rows": report.rows, "report": json.dumps(report.to_dict())}


def _bury_the_dead(platform: Platform, system: str, stage: str) -> None:
    """Mark as lost what still says "running" although we hold the lock: its process is gone."""
    runs = ledger(platform, system, stage)
    dead = runs[runs["status"] == "running"]
    if len(dead):
        platform.features.write(RUNS, dead.assign(status="lost", error="killed: the process ended without a word"))


def _summed(reports: list[Report], left: int) -> Report:
    """Return the last report with all rows counted, and a note on what is left."""
    notes = [reports[-1].note, f"{left} more dates are due: run it again" if left else ""]
    return replace(
        reports[-1],
        rows=sum(report.rows for report in reports),
        note="; ".join(note for note in notes if note),
    )


def _last(platform: Platform, system: str, stage: str, until: date) -> Report:
    """Return what the newest run of a date up to ``until`` reported, with no rows: nothing was due."""
    runs = ledger(platform, system, stage)
    done = runs[(runs["status"] == "done") & (runs["day"] <= midnight(until))]
    newest = done.sort_values(["day", "started_at"]).iloc[-1]
    return replace(Report(**json.loads(newest["report"])), rows=0, note="nothing is due")


def _now() -> datetime:
    return datetime.now(UTC)
