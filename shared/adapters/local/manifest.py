"""The commit log of the embedded store: which Parquet files are live, and since which version.

One write is one SQLite transaction. A killed writer leaves files that no row names: nobody reads them, the next sweep
removes them. WAL mode lets readers go on while somebody writes. A connection lasts one operation, so threads, forked
processes and a Modal volume that reloads never share one.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filelock import FileLock

from shared.errors import BackendError, BusyError, SchemaError
from shared.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

KEEP = 32  # commits of a table that stay readable through ``as_of``
WAIT_S = 60

_LAYOUT = """
begin immediate;
create table if not exists versions(version integer primary key autoincrement, tab text not null, at text not null);
create table if not exists files(
    tab text not null, part text not null, path text not null, rows integer not null,
    born integer not null, died integer
);
create table if not exists schemas(tab text primary key, declared text not null, horizon integer not null default 0);
create index if not exists files_by_tab on files(tab, died);
create index if not exists versions_by_tab on versions(tab, version);
pragma user_version = 1;
commit;
"""


@dataclass(frozen=True)
class Part:
    """One Parquet file: the year or month it holds (``2026`` or ``2026-11``) and its path below the store's folder."""

    label: str
    path: str


class Manifest:
    """The SQLite file ``manifest.db`` in ``folder``."""

    def __init__(self, folder: Path) -> None:
        """Open the manifest; make it first where there is none, or where whoever made it was killed half-way."""
        self._path = folder / "manifest.db"
        if not self._made():
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / "manifest.lock"):
                if not self._made():
                    with self._connected() as connection:
                        connection.execute("pragma journal_mode = wal")
                        connection.executescript(_LAYOUT)

    def _made(self) -> bool:
        if not self._path.exists():
            return False
        with self._connected() as connection:
            return bool(connection.execute("pragma user_version").fetchone()[0])

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give one consistent view; later commits do not show in it."""
        with self._connected() as connection:
            connection.execute("begin")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the only writer's transaction: committed at the end, rolled back on any error."""
        with self._connected() as connection:
            connection.execute("pragma synchronous = full")
            connection.execute("begin immediate")
            yield connection
            connection.execute("commit")

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        connection = None
        try:
            connection = sqlite3.connect(self._path, timeout=WAIT_S, isolation_level=None)
            yield connection
        except sqlite3.OperationalError as cause:
            if "locked" in str(cause):
                raise BusyError(
                    f"another process has been writing to {self._path} for {WAIT_S} s; try again"
                ) from cause
            raise BackendError(f"{self._path} cannot be used: {cause}") from cause
        except sqlite3.DatabaseError as cause:
            raise BackendError(
                f"{self._path} is damaged ({cause}); restore it, or remove its folder to start anew"
            ) from cause
        finally:
            if connection is not None:
                connection.close()  # an open transaction is rolled back


def declare(connection: sqlite3.Connection, table: Table) -> None:
    """Keep the table's declaration; bounds and texts may change, columns, units and keys only with a new version.

    Raises:
        SchemaError: the table was written before with other columns.
    """
    refuse_other_shape(declared(connection, table)[0], table)
    connection.execute(
        "insert into schemas(tab, declared) values(?, ?) on conflict(tab) do update set declared = excluded.declared",
        [tab(table), table.to_json()],
    )


def refuse_other_shape(known: Table | None, table: Table) -> None:
    """Let a table be written again with the columns it has.

    Raises:
        SchemaError: it was written before with other ones.
    """
    if known is not None and _shape(known) != _shape(table):
        raise SchemaError(
            f"{table.name} v{table.version} holds {_shape(known)}; this write has {_shape(table)}. "
            f"Declare it as version={table.version + 1} and backfill"
        )


def declared(connection: sqlite3.Connection, table: Table) -> tuple[Table | None, int]:
    """Return the declaration the table was last written with (None before that) and its oldest readable version."""
    row = connection.execute("select declared, horizon from schemas where tab = ?", [tab(table)]).fetchone()
    return (Table.from_json(row[0]), int(row[1])) if row else (None, 0)


def live(connection: sqlite3.Connection, table: Table, version: int | None = None) -> list[Part]:
    """Return the table's files at ``version`` (the newest unless told), oldest first."""
    newest = (
        "died is null" if version is None else f"born <= {int(version)} and (died is null or died > {int(version)})"
    )
    found = connection.execute(f"select part, path from files where tab = ? and {newest} order by part", [tab(table)])  # noqa: S608
    return [Part(*row) for row in found]


def commit(connection: sqlite3.Connection, table: Table, now: datetime) -> int:
    """Open a new version for a write to ``table``."""
    cursor = connection.execute("insert into versions(tab, at) values(?, ?)", [tab(table), now.isoformat()])
    return int(cursor.lastrowid or 0)


def supersede(connection: sqlite3.Connection, table: Table, old: Part, version: int) -> None:
    """Mark a file as not live from ``version`` on."""
    connection.execute(
        "update files set died = ? where tab = ? and path = ? and died is null", [version, tab(table), old.path]
    )


def add(connection: sqlite3.Connection, table: Table, new: Part, rows: int, version: int) -> None:
    """Name a file as live from ``version`` on."""
    connection.execute(
        "insert into files values(?, ?, ?, ?, ?, null)", [tab(table), new.label, new.path, rows, version]
    )


def expire(connection: sqlite3.Connection, table: Table) -> list[str]:
    """Forget files superseded before the last ``KEEP`` commits; return their paths, to be removed after the commit."""
    recent = "select version from versions where tab = ? order by version desc limit 1 offset ?"
    oldest_kept = connection.execute(recent, [tab(table), KEEP]).fetchone()
    if oldest_kept is None:
        return []
    paths = connection.execute(
        "select path from files where tab = ? and died <= ?", [tab(table), oldest_kept[0]]
    ).fetchall()
    if paths:
        connection.execute("delete from files where tab = ? and died <= ?", [tab(table), oldest_kept[0]])
        connection.execute("update schemas set horizon = ? where tab = ?", [oldest_kept[0], tab(table)])
        # Other tables do not need these: what they held at a time follows from their own commits up to it.
        connection.execute("delete from versions where tab = ? and version < ?", [tab(table), oldest_kept[0]])
    return [path for (path,) in paths]


def tab(table: Table) -> str:
    """Return the table's name in the manifest and on disk; a new version of a table is another table."""
    return table.name if table.version == 1 else f"{table.name}_v{table.version}"


def _shape(table: Table) -> str:
    columns = ", ".join(
        f"{c.name} {c.kind}{' ' + c.unit if c.unit else ''}{'?' if c.nullable else ''}" for c in table.columns
    )
    return f"({columns}) by {', '.join(table.key)} at {table.event_time}"
