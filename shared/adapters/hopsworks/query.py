"""Rows by Hopsworks' query service: Arrow Flight on port 5005, filtered there, lossless."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.adapters.hopsworks import client, columns
from shared.adapters.local import parquet

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from shared.adapters.hopsworks.commits import Window
    from shared.tables import Table

NOT_WRITTEN = ("No delta logs found", "No data found", "No commits found")  # of a group whose maker was killed


def rows(host: str, group: Any, table: Table, names: Sequence[str], window: Window) -> pa.Table:  # noqa: ANN401
    """Return the newest rows of a group, after retries.

    Raises:
        BackendError: the query service cannot be reached.
    """
    from hopsworks_common.client.exceptions import FeatureStoreException

    client.flight(host)
    query = group.select(list(names))
    for moment, fits in zip(window, ("__ge__", "__lt__"), strict=True):
        if moment is not None:
            bound = parquet.as_utc(moment).replace(tzinfo=None)
            query = query.filter(getattr(group.get_feature(table.event_time), fits)(bound))
    try:
        return columns.back(table, client.patient(lambda: _batches(query)), names)
    except FeatureStoreException as cause:
        if any(said in str(cause) for said in NOT_WRITTEN):
            return columns.back(table, [], names)
        raise


def _batches(query: Any) -> list[pa.RecordBatch]:  # noqa: ANN401
    with query.read_batches(read_options={"arrow_flight_config": {"timeout": client.FLIGHT_S}}) as batches:
        return list(batches)
