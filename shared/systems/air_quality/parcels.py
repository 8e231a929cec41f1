"""A day's fetching in parts, each apart from the store, so that many stations can be asked in many places at once.

    store ── some stations, their last three months ──► parcel ──► worked: a store for the moment, fetch ──► parcel
                                                                                         rows, notes ──► store

What is fetched, and what of it is kept, is decided by ``sources.fetch`` alone; only the store stays in one hand.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from shared.runs import Run, midnight
from shared.systems.air_quality.merging import WIDEST
from shared.systems.air_quality.sources import Fetched
from shared.systems.air_quality.sources import fetch as fetch_all
from shared.systems.air_quality.stations import stations
from shared.systems.air_quality.tables import CAMS, OBSERVATIONS, READINGS, STATIONS, WEATHER

if TYPE_CHECKING:
    from shared.ports import Platform

Parcel = dict[str, Any]
MOVED = (OBSERVATIONS, WEATHER, CAMS, READINGS)


def fetch(platform: Platform, run: Run, each: Callable[[Sequence[Parcel]], Iterator[Parcel]], size: int = 0) -> Fetched:
    """Do what ``sources.fetch`` does, ``size`` stations a part; all at once with 0, or when there are no more."""
    names = [*stations(platform)["station"]]
    if not size or len(names) <= size:
        return fetch_all(platform, run)
    parts = packed(platform, run, [names[first : first + size] for first in range(0, len(names), size)])
    rows, notes = 0, list[str]()
    for answer in each(parts):
        rows += sum(platform.features.write(table, _rows(answer["tables"][table.name])).rows for table in MOVED)
        notes += answer["notes"]
    return Fetched(rows, tuple(dict.fromkeys(notes)))


def packed(platform: Platform, run: Run, parts: Sequence[Sequence[str]]) -> list[Parcel]:
    """Return what fetching each part's stations takes: which they are, and what is stored of their last three months.

    The store is read once, however many parts there are.
    """
    since = midnight(run.day - timedelta(days=WIDEST))
    part_of = {name: number for number, some in enumerate(parts) for name in some}
    kept = {STATIONS.name: platform.features.read(STATIONS)}
    kept |= {table.name: platform.features.read(table, since=since) for table in MOVED}
    groups = {name: rows.groupby(rows["station"].map(part_of)).indices for name, rows in kept.items()}
    facts = {name: str(value) if isinstance(value, date) else value for name, value in asdict(run).items()}
    return [
        {"run": facts, "tables": {name: _bytes(rows.iloc[groups[name].get(n, [])]) for name, rows in kept.items()}}
        for n in range(len(parts))
    ]


def worked(platform: Platform, parcel: Parcel) -> Parcel:
    """Fetch for a parcel into a store that is only for this, and return its rows, and what is missing."""
    for table in (STATIONS, *MOVED):
        platform.features.write(table, _rows(parcel["tables"][table.name]))
    facts = parcel["run"]
    moments = {"day": date.fromisoformat(facts["day"]), "started_at": datetime.fromisoformat(facts["started_at"])}
    fetched = fetch_all(platform, Run(**{**facts, **moments}))
    tables = {table.name: _bytes(platform.features.read(table)) for table in MOVED}
    return {"tables": tables, "notes": list(fetched.notes)}


def _bytes(rows: pd.DataFrame) -> bytes:
    """Return rows as Parquet, which Modal carries between containers as it is."""
    into = io.BytesIO()
    rows.reset_index(drop=True).to_parquet(into)
    return into.getvalue()


def _rows(parquet: bytes) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(parquet))
