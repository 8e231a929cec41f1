"""What `almanac status`, `table` and `explain` look up."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from functions._timetable import timetable
from shared.errors import AlmanacError, BackendError, BusyError, NotYetError, UsageError
from shared.runs import Report, due, ledger, midnight, parse_day
from shared.steps.promotion import PROMOTIONS, SERVING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from shared.ports import Platform


_RUN = ("system", "stage", "day", "status", "started_at", "seconds", "rows", "error")


def systems_now(platform: Platform) -> list[dict[str, object]]:
    """Return a row a system: up to which date it is done, what is due, its live figure, and its cost this month."""
    runs = ledger(platform)
    today = datetime.now(UTC).date()  # noqa: TID251 - the command asks the clock
    month = runs[runs["started_at"] >= midnight(today.replace(day=1))]
    rows: list[dict[str, object]] = []
    for system, group in runs.groupby("system", sort=True):
        scheduled = "daily" in timetable().get(str(system), {})
        done = group[(group["status"] == "done") & ((group["stage"] == "daily") | (not scheduled))]
        reports = [json.loads(one) for one in done.sort_values(["day", "started_at"])["report"]]
        report = next((one for one in reversed(reports) if one["headline"] or scheduled), Report().to_dict())
        figure = report["headline"]
        cost = float(month.loc[month["system"] == system, "cost_usd"].sum())
        rows.append(
            {
                **{"system": system, "done_up_to": f"{done['day'].max():%Y-%m-%d}" if reports else "never"},
                **{"dates_due": len(due(platform, str(system), "daily", today)) if scheduled else 0, "figure": figure},
                **{"value": report["metrics"].get(figure), "baseline": report["baselines"].get(figure)},
                **{"model": report["model"], "usd_this_month": cost},
            }
        )
    return rows


def last_runs(platform: Platform) -> list[dict[str, object]]:
    """Return a row a stage: its last run, with what a wrong use after it was told.

    A run whose process is gone was "cut off": its stage's lock is free, or its row would say how it ended.
    """
    rows: list[dict[str, object]] = []
    for (system, stage), runs in ledger(platform).groupby(["system", "stage"], sort=True):
        wrong = runs["error"].fillna("").str.startswith(f"{UsageError.__name__}: ")
        used = runs[~wrong].tail(1) if not wrong.all() else runs.tail(1)
        row = {name: used.iloc[0][name] for name in _RUN}
        if row["status"] == "running" and _nobody_holds(platform, f"{system}.{stage}"):
            row |= {"status": "cut off", "error": "cut off: the process is gone, and the same command does it again"}
        refused = runs["error"].iloc[-1] if used.index[0] != runs.index[-1] else None
        rows.append({**row, "refused": refused})
    return rows


def _nobody_holds(platform: Platform, name: str) -> bool:
    try:
        with platform.features.lock(name, wait_s=0):
            return True
    except (BusyError, BackendError):  # also of whoever may only read
        return False


def champions(platform: Platform) -> list[dict[str, object]]:
    """Return a row a model: the version that serves, the first figure it was registered with, and why it serves."""
    decided = platform.features.read(PROMOTIONS)
    serving = decided[decided["verdict"].isin(SERVING)].sort_values(["day", "decided_at"]).groupby("model").tail(1)
    rows: list[dict[str, object]] = []
    for row in serving.to_dict("records"):
        facts = {"model": row["model"], "version": row["version"], "trained_on": "", "why": row["reason"]}
        try:
            model = platform.models.load(row["model"], row["version"])
            figure = "loss" if "loss" in model.metrics else next(iter(model.metrics))
            value = model.metrics[figure]
            why = facts.pop("why")
            rows.append({**facts, "trained_on": model.trained_on, "figure": figure, "value": value, "why": why})
        except AlmanacError as failure:
            rows.append({**facts, "why": str(failure)})
    return rows


def describe(platform: Platform) -> list[dict[str, object]]:
    """Return a row a table: its name, key, and what it holds."""
    return [
        {"table": table.name, "key": ", ".join(table.key), "time": table.event_time, "about": table.about}
        for table in platform.features.tables()
    ]


def read_table(platform: Platform, name: str, *, since: str, until: str, as_of: str) -> pd.DataFrame:
    """Return a table's rows between two dates, both included.

    Raises:
        UsageError: there is no such table, or a date is not one.
    """
    tables = {table.name: table for table in platform.features.tables()}
    if name not in tables:
        raise UsageError(f"there is no table {name!r}; there are: {', '.join(tables) or 'none yet, run `almanac day`'}")
    if since and until and since > until:
        raise UsageError(f"--since {since} is after --until {until}")
    first = midnight(parse_day(since, "demo")) if since else None
    last = midnight(parse_day(until, "demo") + timedelta(days=1)) if until else None
    return platform.features.read(tables[name], since=first, until=last, as_of=_version(as_of))


def explained(platform: Platform, systems: Sequence[str], prediction: str) -> dict[str, Any]:
    """Return what the system that made the prediction says about it.

    Raises:
        NotYetError: none did.
    """
    for system in systems:
        table = getattr(import_module(f"shared.systems.{system}.tables"), "PREDICTIONS", None)
        if table is None:  # one that answers and keeps nothing
            continue
        if prediction in set(platform.features.read(table, columns=[table.key[0]])[table.key[0]]):
            inference = import_module(f"shared.systems.{system}.inference")
            found: dict[str, Any] = inference.explain(platform, prediction)
            return found
    raise NotYetError(f"no prediction is called {prediction!r}; `almanac table` lists the tables, *_predictions too")


def _version(text: str) -> int | datetime | None:
    if not text:
        return None
    try:
        return int(text) if text.isdigit() else datetime.fromisoformat(text)
    except ValueError as cause:
        raise UsageError(f"--as-of takes a store version or a time such as 2026-11-20T06:00, not {text!r}") from cause
