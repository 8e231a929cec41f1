"""What `almanac status`, `table` and `explain` look up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from shared.errors import NotYetError, UsageError
from shared.runs import due, ledger, midnight, parse_day
from shared.steps.promotion import PROMOTIONS, SERVING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from shared.ports import Platform


def last_runs(platform: Platform) -> list[dict[str, object]]:
    """Return a row a stage: its last run, how many dates are due, and what it cost since the first of the month."""
    runs = ledger(platform)
    now = datetime.now(UTC)  # noqa: TID251 - the command asks the clock
    month = runs[runs["started_at"] >= now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)]
    rows: list[dict[str, object]] = []
    for (system, stage), group in runs.groupby(["system", "stage"], sort=True):
        last = group.iloc[-1]
        cost = month.loc[(month["system"] == system) & (month["stage"] == stage), "cost_usd"].sum()
        waiting = due(platform, str(system), str(stage), now.date()) if stage == "daily" else []
        facts = {"system": system, "stage": stage, "date": f"{last['day']:%Y-%m-%d}", "status": last["status"]}
        figures = {"seconds": float(last["seconds"]), "rows": int(last["rows"]), "dates_due": len(waiting)}
        rows.append({**facts, **figures, "usd_this_month": float(cost), "error": last["error"] or ""})
    return rows


def champions(platform: Platform) -> list[dict[str, object]]:
    """Return a row a model: the version that serves, its figures, and why it was promoted."""
    decided = platform.features.read(PROMOTIONS)
    serving = decided[decided["verdict"].isin(SERVING)].sort_values(["day", "decided_at"]).groupby("model").tail(1)
    rows: list[dict[str, object]] = []
    for row in serving.to_dict("records"):
        model = platform.models.load(row["model"], row["version"])
        figures = {name: value for name, value in list(model.metrics.items())[:1]}
        facts = {"model": model.name, "version": model.version, "trained_on": model.trained_on}
        rows.append({**facts, **figures, "why": row["reason"]})
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
    first = midnight(parse_day(since, "demo")) if since else None
    last = midnight(parse_day(until, "demo") + timedelta(days=1)) if until else None
    return platform.features.read(tables[name], since=first, until=last, as_of=_version(as_of))


def explained(platform: Platform, systems: Sequence[str], prediction: str) -> dict[str, Any]:
    """Return what the system that made the prediction says about it.

    Raises:
        NotYetError: none did.
    """
    for inference in (import_module(f"shared.systems.{system}.inference") for system in systems):
        key = inference.PREDICTIONS.key[0]
        if prediction in set(platform.features.read(inference.PREDICTIONS, columns=[key])[key]):
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
