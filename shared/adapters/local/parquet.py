"""Rows to Parquet files and back, and the merge behind an upsert.

A file holds one table's rows of one calendar year (UTC), or of one month once the year has more than ``YEAR_ROWS``:
few files where there is little, small rewrites where there is much. Rows are sorted by event time and key, so that a
read by time is a binary search and a slice, not a scan.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from shared.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from shared.tables import Table

YEAR_ROWS = 50_000  # a rewrite of this many rows takes about 30 ms

_ARROW = {
    "float": pa.float64(),
    "int": pa.int64(),
    "text": pa.string(),
    "time": pa.timestamp("us", tz="UTC"),
    "flag": pa.bool_(),
}
_PANDAS = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}


def schema(table: Table, columns: Sequence[str] | None = None) -> pa.Schema:
    """Return the Arrow schema of the table, or of some of its columns."""
    return pa.schema([(c.name, _ARROW[c.kind]) for c in table.columns if columns is None or c.name in columns])


def to_arrow(table: Table, typed: pd.DataFrame) -> pa.Table:
    """Return rows that passed ``Table.check`` as Arrow, sorted by event time and key."""
    ordered = typed.sort_values([*dict.fromkeys((table.event_time, *table.key))], kind="stable")
    return pa.table([_array(ordered[field.name], field.type) for field in schema(table)], schema=schema(table))


def to_pandas(table: Table, rows: pa.Table) -> pd.DataFrame:
    """Return Arrow rows with the dtypes ``Table.check`` gives; nullable whole numbers stay whole."""
    kinds = {c.name: c.kind for c in table.columns if c.nullable}
    nullable = [name for name in rows.column_names if kinds.get(name) in ("int", "flag")]
    plain = rows.select([name for name in rows.column_names if name not in nullable])
    frame: pd.DataFrame = plain.to_pandas(split_blocks=True)
    for name in nullable:
        frame.insert(rows.column_names.index(name), name, rows[name].to_pandas(types_mapper=_PANDAS.get))
    return frame


def labels(typed: pd.DataFrame, event_time: str, live: Collection[str]) -> pd.Series:
    """Return the file each row belongs to: its month where its year is split already, else its year."""
    month: pd.Series = typed[event_time].dt.strftime("%Y-%m").astype(object)
    split = {label[:4] for label in live if len(label) > 4}
    return month.where(month.str[:4].isin(split), month.str[:4])


def split(rows: pa.Table, label: str, event_time: str) -> list[tuple[str, pa.Table]]:
    """Return a file's rows as they are, or by month once a year's file has grown beyond ``YEAR_ROWS``."""
    if len(label) > 4 or len(rows) <= YEAR_ROWS:
        return [(label, rows)]
    starts = [datetime(int(label), month, 1, tzinfo=UTC) for month in range(1, 13)]
    ends = [*starts[1:], datetime(int(label) + 1, 1, 1, tzinfo=UTC)]
    pieces = [
        (f"{start:%Y-%m}", between(rows, event_time, start, end)) for start, end in zip(starts, ends, strict=True)
    ]
    return [(month, piece) for month, piece in pieces if len(piece)]


def touches(label: str, since: datetime | None, until: datetime | None) -> bool:
    """Tell whether a file may hold rows with ``since <= event time < until``."""
    first, last = (None if moment is None else f"{as_utc(moment):%Y-%m}"[: len(label)] for moment in (since, until))
    return (first is None or label >= first) and (last is None or label <= last)


def merge(table: Table, old: pa.Table, new: pa.Table) -> tuple[pa.Table, int]:
    """Return ``old`` with ``new`` put over it by key, sorted, and how many rows of ``new`` were new or different."""
    key = list(table.key)
    keys = pd.concat([old.select(key).to_pandas(), new.select(key).to_pandas()], ignore_index=True)
    replaced = keys.duplicated(key, keep="last").to_numpy()[: len(old)]
    same = 0
    if replaced.any():
        both = pa.concat_tables([old.filter(pa.array(replaced)), new]).to_pandas(types_mapper=_PANDAS.get)
        same = int(both.duplicated().to_numpy()[int(replaced.sum()) :].sum())
    merged = pa.concat_tables([old.filter(pa.array(~replaced)), new])
    order = [(name, "ascending") for name in dict.fromkeys((table.event_time, *table.key))]
    return merged.sort_by(order), len(new) - same


def without(table: Table, old: pa.Table, keys: pd.DataFrame) -> pa.Table:
    """Return ``old`` without the rows whose key is among ``keys``."""
    key = list(table.key)
    present = pd.MultiIndex.from_frame(old.select(key).to_pandas()).isin(pd.MultiIndex.from_frame(keys[key]))
    return old.filter(pa.array(~present))


def between(rows: pa.Table, event_time: str, since: datetime | None, until: datetime | None) -> pa.Table:
    """Return the rows with ``since <= event time < until``; they must be sorted by time."""
    if since is None and until is None:
        return rows
    times = rows[event_time].to_numpy()
    first = 0 if since is None else int(np.searchsorted(times, _instant(since)))
    last = len(times) if until is None else int(np.searchsorted(times, _instant(until)))
    return rows.slice(first, max(0, last - first))


def write_file(rows: pa.Table, path: Path) -> None:
    """Write beside, flush to disk, rename, flush the folder: the file is whole or not there, after a power cut too."""
    beside = path.with_suffix(".tmp")
    pq.write_table(rows, beside, compression="lz4")
    flush(beside)
    beside.replace(path)
    flush(path.parent)


def flush(path: Path) -> None:
    """Make a file, or a folder's list of files, outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_file(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the file's rows, or some of their columns.

    Raises:
        BackendError: it is no Parquet file any more.
        FileNotFoundError: it is gone.
    """
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            return file.read(None if columns is None else list(columns))
    except (pa.ArrowInvalid, OSError) as cause:
        if isinstance(cause, FileNotFoundError):
            raise
        raise BackendError(f"{path} is damaged ({cause}); restore it, or remove the folder to start anew") from cause


def as_utc(moment: datetime) -> datetime:
    """Return the moment in UTC; one without a zone is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _array(values: pd.Series, kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):  # pyarrow would ask pandas for an array that pandas 3.1 is about to change
        return pa.array(values.dt.tz_convert(None).to_numpy()).cast(kind)
    return pa.array(values, type=kind, from_pandas=True)


def _instant(moment: datetime) -> np.datetime64:
    return np.datetime64(as_utc(moment).replace(tzinfo=None), "us")
