"""The point-in-time join, for every store that can read a table by time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pandas as pd

from shared.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from shared.tables import Table


class Reads(Protocol):
    """What the join asks of a store."""

    def read(self, table: Table, *, until: datetime | None = None) -> pd.DataFrame:
        """Return the rows before ``until``, oldest first."""
        ...


def join(
    store: Reads, spine: pd.DataFrame, tables: Sequence[Table], *, time: str, within: timedelta | None
) -> pd.DataFrame:
    """Return ``spine`` with each table's newest row not after ``time``; see ``FeatureStore.join``.

    Raises:
        SchemaError: the spine lacks a time or an entity, or a column would come twice.
    """
    missing = sorted({time, *(name for table in tables for name in table.entity)} - {*spine.columns})
    if missing or spine[time].isna().any():
        raise SchemaError(f"the spine needs {time!r} without a blank, and the entities to match on; missing {missing}")
    moments = pd.to_datetime(spine[time], utc=True).astype("datetime64[us, UTC]")
    joined = spine
    for table in tables:
        latest = None if moments.empty else moments.max() + pd.Timedelta(microseconds=1)
        found = newest_before(spine, moments, table, store.read(table, until=latest), within)
        clash = [name for name in found.columns if name in joined.columns]
        if clash:
            raise SchemaError(f"join with {table.name}: {clash} is there already; rename or drop it first")
        joined = joined.join(found)
    return joined


def newest_before(
    spine: pd.DataFrame, moments: pd.Series, table: Table, rows: pd.DataFrame, within: timedelta | None
) -> pd.DataFrame:
    """Return the table's other columns for each spine row, on the spine's index."""
    entity = list(table.entity)
    values = [name for name in table.names if name not in {*entity, table.event_time}]
    left = spine[entity].assign(_time=moments.array, _order=range(len(spine))).sort_values("_time", kind="stable")
    right = rows.rename(columns={table.event_time: "_time"})[[*entity, "_time", *values]]
    tolerance = None if within is None else pd.Timedelta(within)
    matched = pd.merge_asof(left, right, on="_time", by=entity or None, tolerance=tolerance)
    return matched.sort_values("_order")[values].set_axis(spine.index)
