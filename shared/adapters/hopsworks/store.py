"""The feature store on Hopsworks: each table an offline feature group in Delta format, no Kafka and no Spark job.

    write: check ─► declare ─► the newest rows from the log ─► merge what changed, one commit ─► note it
    read:  now: query service (Flight) ─► rows        as of then: the Delta log ─► rows

A write is one commit, all of it or none; refused rows go to their own group first. The join is ours (``matching``), for
outside Spark the client joins no rows that are not in the store. What a table was declared as lies as JSON beside:
descriptions hold 256 characters.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.adapters import matching
from shared.adapters.hopsworks import columns, commits, locks, query
from shared.adapters.hopsworks.faults import delta_error
from shared.adapters.hopsworks.groups import Groups
from shared.adapters.local import parquet
from shared.errors import BusyError, NotYetError
from shared.ports import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    import pandas as pd

    from shared.adapters.hopsworks.project import HopsworksProject
    from shared.tables import Table

TRIES = 6  # of a write that meets others
KEPT_HOURS = 31 * 24  # superseded files stay so long, for ``as_of``
CLOCKS_DIFFER = timedelta(minutes=5)  # at most, between machines


class HopsworksStore:
    """A FeatureStore in a project; ``prefix`` keeps worlds apart, ``now`` is the clock of locks and of tidying."""

    def __init__(
        self, project: HopsworksProject, prefix: str, now: Callable[[], datetime], terms: locks.Terms | None = None
    ) -> None:
        self._project, self._now, self._terms = project, now, terms or locks.Terms()
        self._groups = Groups(prefix)

    def write(self, table: Table, rows: pd.DataFrame) -> Written:
        fit, refused = table.check(rows)
        notes = self._put(table.quarantine, refused)[1] if len(refused) else 0
        changed, version = self._put(table, fit)
        return Written(changed, len(refused), max(notes, version) or self.version())

    def read(
        self,
        table: Table,
        columns: Sequence[str] | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        as_of: int | datetime | None = None,
    ) -> pd.DataFrame:
        names = [table.column(name).name for name in columns] if columns is not None else table.names
        needed = [name for name in table.names if name in {*names, *table.key, table.event_time}]
        moment = None if as_of is None else self._moment(as_of)
        with self._project.asking(f"read the table {table.name}") as live:
            group = self._groups.find(live, table)
            if group is None:
                rows = parquet.schema(table, needed).empty_table()
            elif moment is None:
                rows = query.rows(self._project.host, group, table, needed, (since, until))
            else:
                rows = commits.rows_at(group, table, needed, (moment, (since, until)))
        return parquet.to_pandas(table, rows.select(names))

    def join(
        self, spine: pd.DataFrame, tables: Sequence[Table], *, time: str, within: timedelta | None = None
    ) -> pd.DataFrame:
        return matching.join(self, spine, tables, time=time, within=within)

    def tables(self) -> list[Table]:
        with self._project.asking("list its tables") as live:
            declared = self._groups.declared(live)
        newest = {table.name: table for table in sorted(declared, key=lambda table: table.version)}
        return [newest[name] for name in sorted(newest)]

    def version(self) -> int:
        with self._project.asking("tell its version") as live:
            groups = [self._groups.find(live, table) for table in self._groups.declared(live)]
            return max((commits.newest(group) for group in groups if group is not None), default=0)

    def lock(self, name: str, wait_s: float = 60) -> AbstractContextManager[None]:
        return locks.held(self._project, f"{self._groups.home}/locks/{name}", self._now, wait_s, self._terms)

    def _put(self, table: Table, typed: pd.DataFrame) -> tuple[int, int]:
        """Merge rows into their group; return how many changed, and the version that holds them, 0 if none did."""
        for attempt in range(TRIES):
            with self._project.asking(f"write the table {table.name}") as live:
                group = self._groups.declare(live, table)
                try:
                    return self._merged(group, table, typed) if len(typed) else (0, 0)
                except delta_error() as cause:
                    if not _met_another(cause):
                        raise
            time.sleep(0.1 * 2**attempt)
        raise BusyError(f"{table.name}: others kept writing to it through {TRIES} tries; run the same command again")

    def _merged(self, group: Any, table: Table, typed: pd.DataFrame) -> tuple[int, int]:  # noqa: ANN401
        new = parquet.to_arrow(table, typed)
        times = new[table.event_time].to_pylist()
        window = (times[0], times[-1] + timedelta(microseconds=1)) if table.event_time in table.key else (None, None)
        changed = columns.changed(commits.rows_now(group, table, table.names, window), new)
        if not len(changed):
            commits.settled(group)
            return 0, 0
        plain = {"run_validation": False, "fetch_expectation_suite": False}
        group.insert(columns.there(changed), validation_options=plain)
        if self._now().day == 1:  # once a month, what nobody reads any more goes
            group.delta_vacuum(KEPT_HOURS)
        return len(changed), commits.newest(group)

    def _moment(self, as_of: int | datetime) -> int:
        """Return a version, or the one of a time: milliseconds since 1970."""
        if not isinstance(as_of, int):
            return int(parquet.as_utc(as_of).timestamp() * 1000)
        latest = int((self._now() + CLOCKS_DIFFER).timestamp() * 1000)
        if as_of > latest:
            raise NotYetError(f"there is no version {as_of} yet; versions are milliseconds, and now is {latest}")
        return as_of


def _met_another(cause: Exception) -> bool:
    """Tell whether a write failed because another one came first; then it is to be done again on what is there now."""
    from deltalake.exceptions import CommitFailedError

    return isinstance(cause, CommitFailedError) or "already exists" in str(cause)
