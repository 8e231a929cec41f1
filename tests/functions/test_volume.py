"""The embedded store on a Modal volume: worked on in a copy, and whole on the volume at whatever moment it is kept."""

import shutil
import sqlite3
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from functions._modal.lease import Lease, Patience
from functions._modal.volume import Store, fetch, publish
from shared.adapters.local.registry import LocalRegistry
from shared.adapters.local.store import LocalStore
from shared.errors import BusyError
from shared.ports import NewModel
from shared.tables import Column, Table

FLOWERS = Table(
    "flowers", (Column("flower", "text"), Column("at", "time"), Column("cm")), key=("flower",), event_time="at"
)
NOW = datetime(2026, 11, 20, tzinfo=UTC)


class Place:
    """A place that holds leases: what modal.Dict does, here."""

    def __init__(self):
        self.values = {}

    def get(self, key, default=None):
        return self.values.get(key, default)

    def put(self, key, value, *, skip_if_exists=False):
        if skip_if_exists and key in self.values:
            return False
        self.values[key] = value
        return True


class Volume:
    """A volume as two containers see it: what was committed, and each one's own view of it."""

    def __init__(self, committed, mounted):
        self.committed, self.mounted = committed, mounted
        committed.mkdir(exist_ok=True)

    def reload(self):
        shutil.rmtree(self.mounted, ignore_errors=True)
        shutil.copytree(self.committed, self.mounted)

    def commit(self):
        shutil.rmtree(self.committed)
        shutil.copytree(self.mounted, self.committed)


@pytest.fixture
def container(tmp_path):
    """A function that starts a container by name, with its own view of the volume and its own disk."""
    place = Place()

    def start(name):
        disk = tmp_path / name
        volume = Volume(tmp_path / "committed", disk / "mounted")
        patience = Patience(beat=0.01, silence=0.1, wait=0.3)
        return Store(volume, Lease(place, "iris", patience), disk / "mounted", disk / "copy")

    return start


def store_in(folder):
    return LocalStore(folder, now=lambda: NOW)


def write(folder, **cm):
    rows = pd.DataFrame({"flower": list(cm), "at": [NOW] * len(cm), "cm": list(cm.values())})
    return store_in(folder).write(FLOWERS, rows)


def flowers(folder):
    return dict(store_in(folder).read(FLOWERS, ["flower", "cm"]).itertuples(index=False, name=None))


def save_model(folder, tmp_path, text):
    files = tmp_path / "files"
    files.mkdir(exist_ok=True)
    (files / "model.json").write_text(text)
    (files / "notes.md").write_text(text)
    return LocalRegistry(folder / "models").save(NewModel(name="iris", folder=files, metrics={"accuracy": 0.9}))


def test_what_one_container_stored_the_next_one_finds(container, tmp_path):
    for name, cm in (("one", 1.0), ("two", 2.0)):
        stage = container(name)
        stage.open()
        write(tmp_path / name / "copy" / "demo", **{name: cm})
        stage.close()
    third = container("three")
    third.open()
    assert flowers(tmp_path / "three" / "copy" / "demo") == {"one": 1.0, "two": 2.0}
    third.close()


def test_a_container_waits_for_the_one_that_has_the_volume(container):
    first = container("one")
    first.open()
    with pytest.raises(BusyError, match="another run writes what iris stores"):
        container("two").open()
    first.close()
    second = container("two")
    second.open()
    second.close()


def test_a_container_that_lost_its_lease_keeps_nothing_and_says_so(container, tmp_path):
    lost = container("one")
    lost.open()
    write(tmp_path / "one" / "copy" / "demo", early=1.0)
    lost.keep()
    write(tmp_path / "one" / "copy" / "demo", late=2.0)
    lost._lease._stopped.set()  # its process stood still
    lost._lease._heart.join()
    other = container("two")
    other.open()
    write(tmp_path / "two" / "copy" / "demo", other=3.0)
    other.close()
    with pytest.raises(BusyError, match="nothing of it was kept since the last commit"):
        lost.close()
    assert flowers(tmp_path / "committed" / "demo") == {"early": 1.0, "other": 3.0}


def test_a_stage_that_failed_keeps_what_it_had_written(container, tmp_path):
    stage = container("one")
    stage.open()
    write(tmp_path / "one" / "copy" / "demo", before=1.0)
    stage.close()  # as the context does, whatever happened
    assert flowers(tmp_path / "committed" / "demo") == {"before": 1.0}


def test_rows_in_the_databases_log_are_published_too(tmp_path):
    copy, home = tmp_path / "copy", tmp_path / "home"
    home.mkdir()
    write(copy / "demo", a=1.0)
    with sqlite3.connect(copy / "demo" / "manifest.db") as reader:
        reader.execute("begin")
        reader.execute("select count(*) from files").fetchone()  # keeps the log from being folded in
        write(copy / "demo", b=2.0)
        publish(copy, home)
    reader.close()
    assert not list(home.rglob("*.db-*"))
    assert flowers(home / "demo") == {"a": 1.0, "b": 2.0}


def test_what_the_store_removed_goes_after_the_commit_and_not_before(tmp_path):
    copy, home = tmp_path / "copy", tmp_path / "home"
    home.mkdir()
    (copy / "demo").mkdir(parents=True)
    (copy / "demo" / "old.parquet").write_text("old")
    publish(copy, home)
    (copy / "demo" / "old.parquet").unlink()
    (copy / "demo" / "new.parquet").write_text("new")
    gone = publish(copy, home)
    assert [path.name for path in gone] == ["old.parquet"]
    assert sorted(path.name for path in (home / "demo").iterdir()) == ["new.parquet", "old.parquet"]


def test_fetching_leaves_nothing_of_what_was_there(tmp_path):
    copy, home = tmp_path / "copy", tmp_path / "home"
    (copy / "demo").mkdir(parents=True)
    (copy / "demo" / "stale.txt").write_text("of the last run")
    (home / "demo" / ".new-half").mkdir(parents=True)
    (home / "demo" / "kept.txt").write_text("kept")
    fetch(home, copy)
    assert [path.name for path in copy.rglob("*")] == ["demo", "kept.txt"]


class KilledError(Exception):
    """Whatever ends a process."""


@pytest.mark.parametrize("dies_at", range(6))
def test_a_snapshot_of_the_volume_is_whole_at_whatever_copy_the_container_dies(tmp_path, monkeypatch, dies_at):
    """Five files come: three of a model, one of rows, the database. The container dies in one of them, or none."""
    copy, home = tmp_path / "copy", tmp_path / "home"
    home.mkdir()
    write(copy / "demo", a=1.0, b=2.0)
    save_model(copy / "demo", tmp_path, '{"weights": 1}')
    publish(copy, home)
    write(copy / "demo", b=3.0, c=4.0)
    save_model(copy / "demo", tmp_path, '{"weights": 2}')
    whole, copies = shutil.copyfile, []

    def copy_or_die(source, target, **options):
        copies.append(source)
        if len(copies) > dies_at:
            Path(target).write_bytes(Path(source).read_bytes()[:10])
            raise KilledError
        return whole(source, target, **options)

    monkeypatch.setattr(shutil, "copyfile", copy_or_die)
    with pytest.raises(KilledError) if dies_at < 5 else nullcontext():
        publish(copy, home)
    monkeypatch.undo()

    fetch(home, tmp_path / "next")  # what the next container sees of it
    old, new = {"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 3.0, "c": 4.0}
    assert flowers(tmp_path / "next" / "demo") == (old if dies_at < 5 else new)
    models = LocalRegistry(tmp_path / "next" / "demo" / "models")
    assert [models.load("iris", version).version for version in models.versions("iris")] in ([1], [1, 2])
    publish(copy, home)  # and a repeat brings the rest
    assert flowers(home / "demo") == new
