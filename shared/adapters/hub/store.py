"""The feature store in a data set repository: the embedded store's files and manifest, one commit a write.

    write: check ─► newest head ─► merge files ─► commit {files, manifest, README.md} if the head is still that one
                         ▲                                    │ moved: by whom? ──► by us, the answer was lost: done
                         └────────────────────────────────────┘                └─► by others: merge again on that head
    read:  head, asked every ``fresh_s`` ─► manifest of it ─► files, each fetched once as they never change

``cache`` holds the same folder as an embedded store. Its rows are never ahead of the repository: the SQLite transaction
ends after the commit there, so a write that was cut, refused or killed leaves both as they were.

What it costs: the Hub counts commits by the hour and answers 429 above that; it is waited for up to five minutes, then
told. A date of iris takes six, a run two more for its lock: a schedule is far below, but a first month of
several systems is above. Whoever is told so runs the same command again; done dates are not done again.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.adapters.hub import cards, snapshot
from shared.adapters.hub.account import MovedError, Repo
from shared.adapters.hub.leases import Leases
from shared.adapters.local.store import Checked, LocalStore, Staged
from shared.errors import BackendError, BusyError, NotYetError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    import pandas as pd

    from shared.adapters.hub.account import HubAccount
    from shared.adapters.local.manifest import Part
    from shared.ports import Version, Written
    from shared.tables import Table

TRIES = 12  # heads that may move under a write
ASKED = "asked"  # the file in the cache whose time says when the head was asked for
_ASKING = threading.Lock()  # of many threads that answer for pages one asks for the head
log = logging.getLogger("almanac")


class HubStore(LocalStore):
    """A FeatureStore in the data set repository ``prefix``, such as ``jane/almanac-demo``.

    Args:
        account: whose it is; reading a public one needs no token.
        prefix: the repository; it need not be there: that is an empty store, and the first write makes it.
        cache: folder of this machine for what was read.
        now: stamps the commits.
        fresh_s: for how long rows read once count as the newest. Pages say 60, and show what they have while the Hub
            is out of reach; stages say 0, and fail.
    """

    def __init__(
        self, account: HubAccount, prefix: str, cache: Path, *, now: Callable[[], datetime], fresh_s: float = 0
    ) -> None:
        super().__init__(cache, now)
        self.repo = Repo("dataset", prefix)
        self._account, self._fresh_s = account, fresh_s
        self._asking = account.hasty() if fresh_s else account
        self._leases = Leases(account, self.repo, now)

    def write(self, table: Table, rows: pd.DataFrame) -> Written:
        return self.write_all([(table, rows)])[0]

    def write_all(self, writes: Sequence[tuple[Table, pd.DataFrame]]) -> list[Written]:
        """Write rows of several tables in one commit, all or none; return what each did.

        Raises:
            SchemaError: some rows do not fit; nothing was written.
            BusyError: others wrote all the time.
            BackendError: it was refused, or no answer came; nothing was written.
        """
        checked: list[Checked] = [(table, *table.check(rows)) for table, rows in writes]
        tried: _Tried | None = None
        for attempt in range(TRIES):
            self._refresh_to_write()
            try:
                with self._manifest.writing() as connection:
                    if tried is not None and tried.is_in(connection):
                        return tried.staged.written  # it was done, and the answer lost on the way
                    known = snapshot.named(connection)
                    staged = self._stage(connection, checked)
                    tried = _Tried.of(connection, staged)
                    if tried.version > staged.before:
                        self._push(connection, staged, known)
            except MovedError:
                time.sleep(random.uniform(0, 0.05 * 2 ** min(attempt, 6)))  # noqa: S311 - apart from other writers
            else:
                self._remove(staged.expired)
                return staged.written
        raise BusyError(f"others write to {self.repo.name} all the time; run the same command again")

    def read(
        self,
        table: Table,
        columns: Sequence[str] | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        as_of: Version | datetime | None = None,
    ) -> pd.DataFrame:
        self._refresh()
        return super().read(table, columns, since=since, until=until, as_of=as_of)

    def tables(self) -> list[Table]:
        self._refresh()
        return super().tables()

    def version(self) -> Version:
        self._refresh()
        return super().version()

    @contextmanager
    def lock(self, name: str, wait_s: float = 60) -> Iterator[None]:
        with self._leases.held(name, wait_s):
            yield

    def _push(self, connection: sqlite3.Connection, staged: Staged, known: set[str]) -> None:
        """Commit what is staged, if the head is still the one it was staged on; the manifest then stands for that."""
        new = snapshot.born_after(connection, staged.before)
        card = cards.data_set(self.repo.name, snapshot.live(connection))
        texts = {snapshot.PATH: snapshot.dump(connection).encode(), "README.md": card.encode()}
        message = f"{', '.join(sorted({path.split('/')[1] for path in new}))}: version {staged.before + 1}"
        adds: dict[str, bytes | Path] = {**{path: self._folder / path for path in new}, **texts}
        deletes, parent = known.intersection(staged.expired), snapshot.head(connection)
        try:
            commit = self._account.commit(self.repo, message, adds, sorted(deletes), parent)
        except NotYetError:  # somebody deleted one of them by hand
            deletes &= self._account.files(self.repo, parent).keys()
            commit = self._account.commit(self.repo, message, adds, sorted(deletes), parent)
        snapshot.set_head(connection, commit)

    def _refresh_to_write(self) -> None:
        """Take over the newest head; make the repository where there is none."""
        self._refresh(at_once=True)
        if not self._head():
            self._account.create(self.repo)
            self._refresh(at_once=True)

    def _refresh(self, at_once: bool = False) -> None:
        """Take over the newest head, unless it was asked for less than ``fresh_s`` seconds ago.

        Raises:
            BackendError: the Hub is out of reach, and we may not or cannot go on with what we have.
        """
        with _ASKING:
            if not at_once and self._asked_s_ago() < self._fresh_s:
                return
            known, account = self._head(), self._account if at_once else self._asking
            try:
                while (newest := account.head(self.repo)) != known:
                    if not newest:
                        raise BackendError(
                            f"{self.repo.name} is not there any more, or private and HF_TOKEN may not read it; where "
                            f"it was removed on purpose, remove {self._folder} too"
                        )
                    if (known := self._taken_over(account, known, newest)) == newest:
                        break
            except BackendError as failure:
                if at_once or not self._fresh_s or not known:
                    raise
                log.warning("%s: showing what was read before. %s", self.repo.name, failure)
            (self._folder / ASKED).touch()

    def _taken_over(self, account: HubAccount, known: str, newest: str) -> str:
        """Load the manifest of ``newest``, unless another process was faster; return the head that is loaded."""
        text = self._text(account, newest)
        with self._manifest.writing() as connection:
            if (loaded := snapshot.head(connection)) != known:  # by whoever shares this cache, and perhaps newer
                return loaded
            snapshot.load(connection, text, newest)
            gone = self._orphans(connection)
        self._remove(gone)
        return newest

    def _text(self, account: HubAccount, head: str) -> str:
        """Return the manifest, "" in a repository just made; taken for that, one that holds rows would lose them."""
        try:
            return account.text(self.repo, snapshot.PATH, head)
        except NotYetError as cause:
            there = account.files(self.repo, head)
            if snapshot.PATH in there:
                raise BackendError(f"{self.repo.name} did not give its {snapshot.PATH}; run the same again") from cause
            if [path for path in there if path.startswith("tables/")]:
                raise BackendError(
                    f"{self.repo.name} holds tables and no {snapshot.PATH}: take it back to a commit that has one"
                ) from cause
            return ""

    def _asked_s_ago(self) -> float:
        """Return how long ago the head was asked for, by whichever process or page keeps this cache."""
        asked = self._folder / ASKED
        return time.time() - asked.stat().st_mtime if asked.exists() else float("inf")

    def _head(self) -> str:
        with self._manifest.reading() as connection:
            return snapshot.head(connection)

    def _file(self, part: Part) -> Path:
        path = super()._file(part)
        if not path.exists():
            try:
                self._asking.fetch(self.repo, part.path, self._head(), path)
            except NotYetError as cause:  # the head moved on in between; whoever reads asks again
                raise FileNotFoundError(part.path) from cause
        return path

    def _orphans(self, connection: sqlite3.Connection) -> list[str]:
        return [path for path in super()._orphans(connection) if not path.endswith(".part")]  # being fetched by others


@dataclass(frozen=True)
class _Tried:
    """A write that was staged, and how to know it again: its version and when that was stamped."""

    staged: Staged
    version: int
    at: str

    @classmethod
    def of(cls, connection: sqlite3.Connection, staged: Staged) -> _Tried:
        row = connection.execute("select version, at from versions order by version desc limit 1").fetchone()
        return cls(staged, *(row or (0, "")))

    def is_in(self, connection: sqlite3.Connection) -> bool:
        stamped = connection.execute("select at from versions where version = ?", [self.version]).fetchone()
        return self.version > self.staged.before and stamped == (self.at,)
