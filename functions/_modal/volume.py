"""A system's embedded store on a Modal volume, worked on in a copy, by one container at a time.

    take the lease ──► reload ──► copy ──► the stage works on the copy ──► confirm ──► publish ──► commit ──► release

A stage never writes on the volume itself. Modal commits a mounted volume in the background, at any moment and also when
the container dies: half a write would be kept, and a container that lost its lease would write over the one that
has it. SQLite's log beside the database needs a local disk, too. Copying 12 MB in 340 files takes 0.1 s.
"""

from __future__ import annotations

import filecmp
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from functions._modal.lease import Lease

NEW = ".new-"  # what is not whole yet: never copied, and removed by the next who publishes
LOGS = (".db-wal", ".db-shm", ".lock")  # of the process that works; what they hold is in the published database


class Volume(Protocol):
    """What is needed of ``modal.Volume``."""

    def reload(self) -> None:
        """Show what was committed."""
        ...

    def commit(self) -> None:
        """Keep what is there."""
        ...


class Store:
    """The store of one system: ``home`` is where its volume is mounted, ``copy`` a folder on the container's disk."""

    def __init__(self, volume: Volume, lease: Lease, home: Path, copy: Path) -> None:
        """Prepare; nothing is asked yet."""
        self._volume, self._lease, self._home, self._copy = volume, lease, home, copy

    def open(self) -> None:
        """Wait for the lease and copy what was committed last.

        Raises:
            BusyError: another container has held it for as long as we wait.
        """
        self._lease.take()
        try:
            self._volume.reload()
            fetch(self._home, self._copy)
        except BaseException:
            self._lease.release()
            raise

    def keep(self) -> None:
        """Publish and commit what is done so far.

        Raises:
            BusyError: the lease was lost; nothing was published.
        """
        self._lease.confirm()
        gone = publish(self._copy, self._home)
        self._volume.commit()
        for path in gone:  # committed with what comes next: until then, what is committed may name them
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Keep what is done, and let the next one have the store, whatever happens."""
        try:
            self.keep()
        finally:
            self._lease.release()


def fetch(home: Path, copy: Path) -> None:
    """Make ``copy`` hold what ``home`` holds, and nothing else."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(home, copy, ignore=shutil.ignore_patterns(f"{NEW}*"))


def fetch_to_read(volume: Volume, home: Path, copy: Path) -> None:
    """Make ``copy`` hold the tables committed last, and lead to the models where they lie; nothing is to be written.

    Whatever moment the commit is of, it is whole: see ``publish``.
    """
    volume.reload()
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(home, copy, ignore=shutil.ignore_patterns(f"{NEW}*", "models"))
    for models in home.glob("*/models"):
        (copy / models.relative_to(home)).symlink_to(models)


def publish(copy: Path, home: Path) -> list[Path]:
    """Bring to ``home`` what is new or changed in ``copy``; return the files of ``home`` that are to go afterwards.

    A folder comes whole or not at all, a file too, and databases come last: whatever moment somebody keeps a snapshot
    of, what the database in it names is there.
    """
    for folder in sorted(path for path in copy.rglob("*") if path.is_dir()):
        target = home / folder.relative_to(copy)
        if not target.exists() and not _unfinished(target):
            _bring_folder(folder, target)
    files = {path.relative_to(copy) for path in copy.rglob("*") if path.is_file() and not path.name.endswith(LOGS)}
    for name in sorted(files, key=lambda name: (name.suffix == ".db", name)):
        if not _unfinished(name) and not _same(copy / name, home / name):
            _bring(copy / name, home / name)
    return [path for path in home.rglob("*") if path.is_file() and path.relative_to(home) not in files]


def _bring_folder(source: Path, target: Path) -> None:
    beside = target.with_name(f"{NEW}{target.name}")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(source, beside, ignore=shutil.ignore_patterns(f"{NEW}*", "*.db", *(f"*{log}" for log in LOGS)))
    beside.rename(target)


def _bring(source: Path, target: Path) -> None:
    beside = target.with_name(f"{NEW}{target.name}")
    if source.suffix == ".db":
        settled = source.with_name(f"{NEW}{source.name}")  # SQLite writes on the local disk only
        settled.unlink(missing_ok=True)
        with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(settled)) as whole:
            live.backup(whole)
        source = settled
    shutil.copy2(source, beside)
    beside.replace(target)


def _same(one: Path, other: Path) -> bool:
    """Return whether both hold the same; a database never does, as its newest rows may be in its log."""
    return one.suffix != ".db" and other.exists() and filecmp.cmp(one, other, shallow=True)


def _unfinished(path: Path) -> bool:
    return any(part.startswith(NEW) for part in path.parts)
