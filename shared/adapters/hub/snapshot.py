"""The manifest of a data set repository as text, ``manifest.json``, and back into the embedded store's SQLite file.

One line a version and one line a file, so that two commits differ in the lines that changed, and no large-file storage
is needed. Versions older than what a table still keeps are left out: the text stays as small as the last 32 commits.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from shared.errors import BackendError
from shared.tables import Table

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

PATH = "manifest.json"
LAYOUT = 1

_ORIGIN = "create table if not exists origin(head text not null)"
_VERSIONS = "select version, at from versions where tab = ? order by version"
_FILES = "select part, path, rows, born, died from files where tab = ? order by part, born, path"


def head(connection: sqlite3.Connection) -> str:
    """Return the commit that the manifest was read from, "" when it was never read."""
    if not connection.execute("select 1 from sqlite_master where name = 'origin'").fetchone():
        return ""
    row = connection.execute("select head from origin").fetchone()
    return str(row[0]) if row else ""


def set_head(connection: sqlite3.Connection, commit: str) -> None:
    """Remember the commit that the manifest stands for."""
    connection.execute(_ORIGIN)
    connection.execute("delete from origin")
    connection.execute("insert into origin values(?)", [commit])


def dump(connection: sqlite3.Connection) -> str:
    """Return the manifest as text, sorted, one row a line."""
    tables = connection.execute("select tab, declared, horizon from schemas order by tab").fetchall()
    written = [_table(connection, *row) for row in tables]
    return f'{{\n"layout": {LAYOUT},\n"tables": {{\n' + ",\n".join(written) + "\n}\n}\n"


def load(connection: sqlite3.Connection, text: str, commit: str) -> None:
    """Replace the manifest by what ``dump`` wrote; "" is an empty one.

    Raises:
        BackendError: it is none, or of a layout that this code does not know.
    """
    tables = _parsed(text)
    for name in ("schemas", "versions", "files"):
        connection.execute(f"delete from {name}")  # noqa: S608 - the three names above
    for tab, kept in tables.items():
        declared = json.dumps(kept["declared"], sort_keys=True, ensure_ascii=False)
        connection.execute("insert into schemas values(?, ?, ?)", [tab, declared, kept["horizon"]])
        connection.executemany("insert into versions values(?, ?, ?)", [(v, tab, at) for v, at in kept["versions"]])
        connection.executemany("insert into files values(?, ?, ?, ?, ?, ?)", [(tab, *file) for file in kept["files"]])
    set_head(connection, commit)


def born_after(connection: sqlite3.Connection, version: int) -> list[str]:
    """Return the files that versions after this one brought."""
    return [path for (path,) in connection.execute("select path from files where born > ?", [version])]


def named(connection: sqlite3.Connection) -> set[str]:
    """Return every file that some version names."""
    return {path for (path,) in connection.execute("select path from files")}


def live(connection: sqlite3.Connection) -> list[tuple[Table, list[str], int]]:
    """Return every table with its live files and its number of rows, by name."""
    newest = "select path, rows from files where tab = ? and died is null order by part"
    found = []
    for tab, declared in connection.execute("select tab, declared from schemas order by tab").fetchall():
        files = connection.execute(newest, [tab]).fetchall()
        found.append((Table.from_json(declared), [path for path, _ in files], sum(rows for _, rows in files)))
    return found


def _table(connection: sqlite3.Connection, tab: str, declared: str, horizon: int) -> str:
    facts = [
        f'"declared": {declared}',
        f'"horizon": {horizon}',
        f'"versions": [{_lines(connection.execute(_VERSIONS, [tab]))}]',
        f'"files": [{_lines(connection.execute(_FILES, [tab]))}]',
    ]
    return f"{json.dumps(tab)}: {{\n" + ",\n".join(facts) + "\n}"


def _lines(rows: Iterator[Sequence[object]]) -> str:
    lines = ",\n".join(json.dumps(list(row)) for row in rows)
    return f"\n{lines}\n" if lines else ""


def _parsed(text: str) -> dict[str, dict[str, list[list[object]]]]:
    try:
        told = json.loads(text or f'{{"layout": {LAYOUT}, "tables": {{}}}}')
        layout, tables = told["layout"], told["tables"]
    except (ValueError, KeyError, TypeError) as cause:
        raise BackendError(f"{PATH} is damaged ({cause}); take it back to an earlier commit on its page") from cause
    if layout != LAYOUT:
        raise BackendError(f"{PATH} is of layout {layout}, this code knows {LAYOUT}; install a newer Almanac")
    return dict(tables)
