"""The Delta log of a feature group: which versions there are, and the rows of one.

A version of the store is the moment of a commit, in milliseconds since 1970, as the log keeps it; so versions of all
tables are on one line. Writing goes by two steps, the log and then a note for Hopsworks' own pages; a writer killed in
between leaves the note out, which the next one adds.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from shared.adapters.hopsworks import client, columns
from shared.adapters.hopsworks.faults import delta_error
from shared.adapters.local import parquet
from shared.errors import NotYetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deltalake import DeltaTable

    from shared.tables import Table

Window = tuple[datetime | None, datetime | None]  # since, until


def newest(group: Any) -> int:  # noqa: ANN401 - vendor type
    """Return the version of the group's last commit, 0 before the first."""
    return max((int(moment) for moment in group.commit_details(limit=1)), default=0)


def settled(group: Any) -> int:  # noqa: ANN401
    """Return the version of the last commit, after telling Hopsworks of one that only the log knows."""
    from hsfs.core.feature_group_api import FeatureGroupApi

    engine = _engine(group)
    last = engine._get_last_commit_metadata(None, engine._get_delta_rs_location(), _options(engine))
    if last is not None and last.commit_time > newest(group) and _rows_in(last):
        FeatureGroupApi()._commit(group, last)
    return newest(group)


def rows_now(group: Any, table: Table, names: Sequence[str], window: Window) -> pa.Table:  # noqa: ANN401
    """Return the newest rows, straight from the log: what the next merge will find."""
    log = _log(group)
    return columns.back(table, [], names) if log is None else _rows(log, table, names, window)


def rows_at(group: Any, table: Table, names: Sequence[str], then: tuple[int, Window]) -> pa.Table:  # noqa: ANN401
    """Return the rows as they stood at a moment in milliseconds.

    Raises:
        NotYetError: so old a version is no longer kept.
    """
    moment, window = then
    log = _log(group)
    commits = [] if log is None else sorted((c["version"], c["timestamp"]) for c in log.history())
    number = None
    for version, committed in commits:
        if committed > moment:
            break
        number = version
    gone = NotYetError(f"{table.name}: version {moment} is no longer kept; the oldest readable ones are a month old")
    if log is None or number is None:
        if commits and commits[0][0] > 0:
            raise gone
        return columns.back(table, [], names)
    try:
        log.load_as_version(number)
        return _rows(log, table, names, window)
    except (delta_error(), FileNotFoundError) as cause:
        if isinstance(cause, FileNotFoundError) or "not found" in str(cause).lower():
            raise gone from cause
        raise


def _rows(log: DeltaTable, table: Table, names: Sequence[str], window: Window) -> pa.Table:
    time, kept = pc.field(table.event_time), None
    for moment, fits in zip(window, (time.__ge__, time.__lt__), strict=True):
        if moment is not None:
            bound = fits(pa.scalar(parquet.as_utc(moment).replace(tzinfo=None), pa.timestamp("us")))
            kept = bound if kept is None else kept & bound
    found = log.to_pyarrow_dataset().to_table(columns=list(names), filter=kept)
    return columns.back(table, found.to_batches(), names)


def _log(group: Any) -> DeltaTable | None:  # noqa: ANN401
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    engine = _engine(group)
    try:
        return DeltaTable(engine._get_delta_rs_location(), storage_options=_options(engine))
    except TableNotFoundError:
        return None


def _engine(group: Any) -> Any:  # noqa: ANN401
    """Return the client's own way to a group's files: it knows the address and sets up HopsFS."""
    from hsfs.core.delta_engine import DeltaEngine

    engine = DeltaEngine(group.feature_store_id, group.feature_store_name, group, None, None)
    place = urlsplit(engine._get_delta_rs_location())
    if place.scheme == "hdfs" and place.hostname and place.port:
        client.probe(place.hostname, place.port, "the file system of Hopsworks")
    return engine


def _options(engine: Any) -> dict[str, str]:  # noqa: ANN401
    options: dict[str, str] = engine._get_delta_rs_storage_options()
    return options


def _rows_in(commit: Any) -> int:  # noqa: ANN401
    """Return how many rows a commit changed: making a group commits none."""
    return sum(int(count or 0) for count in (commit.rows_inserted, commit.rows_updated, commit.rows_deleted))
