"""What the embedded store promises beyond the port: kills, many processes, a year of writes."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pandas as pd
import pytest

from shared.adapters.local.store import LocalStore
from shared.errors import BackendError
from shared.tables import Column, Table

COUNTS = Table("counts", (Column("writer", "int"), Column("at", "time"), Column("n", "int")), ("writer", "at"), "at")

WRITER = """
import sys, datetime, pathlib, pandas as pd
sys.path.insert(0, {here!r})
from test_local_store import COUNTS, opened
store, writer = opened(pathlib.Path(sys.argv[1])), int(sys.argv[2])
for n in range(int(sys.argv[3]), int(sys.argv[4])):
    at = pd.date_range("2026-01-01", periods=400, freq="D", tz="UTC")
    store.write(COUNTS, pd.DataFrame({{"writer": writer, "at": at, "n": n}}))
    print(n, flush=True)
"""


def opened(folder):
    return LocalStore(folder, now=lambda: datetime.now(UTC))


def start(folder, writer, first, last):
    code = WRITER.format(here=os.path.dirname(__file__))
    words = [sys.executable, "-c", code, str(folder), str(writer), str(first), str(last)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_four_processes_writing_at_once_lose_nothing_and_make_no_error(tmp_path):
    workers = [start(tmp_path, writer, 0, 10) for writer in range(4)]
    assert [worker.wait() for worker in workers] == [0, 0, 0, 0]
    for worker in workers:
        worker.stdout.close()
    rows = opened(tmp_path).read(COUNTS)
    assert len(rows) == 4 * 400
    assert (rows["n"] == 9).all()


@pytest.mark.slow
def test_a_kill_in_mid_write_leaves_all_of_a_write_or_none_of_it(tmp_path):
    """Each write sets 400 rows over two years of files to one number: a mixture would be a torn write."""
    chance = random.Random(7)
    reached = 0
    for _ in range(12):
        worker = start(tmp_path, 1, reached, reached + 10_000)
        acknowledged = int(worker.stdout.readline())
        time.sleep(chance.uniform(0, 0.05))
        worker.send_signal(signal.SIGKILL)
        acknowledged = max([acknowledged, *(int(line) for line in worker.stdout.read().split() if line.isdigit())])
        worker.wait()
        worker.stdout.close()
        found = opened(tmp_path).read(COUNTS)["n"].unique().tolist()
        assert found in ([acknowledged], [acknowledged + 1])
        reached = found[0]


def test_files_left_by_a_killed_writer_are_never_read_and_are_swept(tmp_path):
    store = opened(tmp_path)
    at = [datetime(2026, 11, 1, tzinfo=UTC)]
    for n in range(60):
        store.write(COUNTS, pd.DataFrame({"writer": [1], "at": at, "n": [n]}))
    orphan = tmp_path / "tables" / "counts" / "2026-dead.parquet"
    orphan.write_bytes(b"half a file")
    (tmp_path / "tables" / "counts" / "2026-dead.tmp").write_bytes(b"")
    assert store.read(COUNTS)["n"].tolist() == [59]
    for n in range(60, 64):
        store.write(COUNTS, pd.DataFrame({"writer": [1], "at": at, "n": [n]}))
    assert not orphan.exists()
    assert not list((tmp_path / "tables" / "counts").glob("*.tmp"))


@pytest.mark.slow
def test_a_year_of_daily_writes_stays_small(tmp_path):
    store = opened(tmp_path)
    for day in pd.date_range("2025-11-20", periods=365, tz="UTC"):
        store.write(COUNTS, pd.DataFrame({"writer": [1, 2], "at": day, "n": 1}))
    files = list((tmp_path / "tables" / "counts").iterdir())
    assert len(store.read(COUNTS)) == 730
    assert len(files) < 40
    assert sum(file.stat().st_size for file in files) < 400_000


def test_a_year_that_grows_large_is_split_by_month_and_reads_the_same(tmp_path):
    store = opened(tmp_path)
    at = pd.date_range("2026-01-01", "2026-12-31", freq="D", tz="UTC")
    for writer in range(0, 180, 60):
        writers = range(writer, writer + 60)
        rows = pd.DataFrame([(one, day, one) for one in writers for day in at], columns=["writer", "at", "n"])
        store.write(COUNTS, rows)
    store.write(COUNTS, pd.DataFrame({"writer": [0], "at": at[:1], "n": [-1]}))
    found = store.read(COUNTS)
    assert len(found) == 180 * 365
    assert found["at"].is_monotonic_increasing
    assert found["n"].iloc[0] == -1
    assert len({path.name[:7] for path in (tmp_path / "tables" / "counts").iterdir()}) >= 12


def test_a_reader_is_not_kept_waiting_by_a_writer(tmp_path):
    store = opened(tmp_path)
    store.write(COUNTS, pd.DataFrame({"writer": [1], "at": [datetime(2026, 11, 1, tzinfo=UTC)], "n": [1]}))
    with store._manifest.writing() as connection:
        connection.execute("delete from files")
        assert store.read(COUNTS)["n"].tolist() == [1], "one who was kept waiting would fail in the end"
        connection.execute("rollback")
        connection.execute("begin")
    assert store.read(COUNTS)["n"].tolist() == [1]


def test_a_damaged_manifest_says_what_to_do(tmp_path):
    store = opened(tmp_path)
    (tmp_path / "manifest.db").write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(BackendError, match="damaged"):
        store.read(COUNTS)


@pytest.mark.parametrize("damage", ["emptied", "removed"])
def test_a_data_file_damaged_by_hand_says_what_to_do(tmp_path, damage):
    store, row = opened(tmp_path), pd.DataFrame({"writer": [1], "at": [datetime(2026, 11, 1, tzinfo=UTC)], "n": [1]})
    store.write(COUNTS, row)
    (file,) = (tmp_path / "tables" / "counts").iterdir()
    file.write_bytes(b"") if damage == "emptied" else file.unlink()
    for use in (lambda: store.read(COUNTS), lambda: store.write(COUNTS, row.assign(n=2))):
        with pytest.raises(BackendError, match="restore it, or remove the folder"):
            use()


CREATOR = """
import sys, pathlib
sys.path.insert(0, {here!r})
from test_local_store import opened
import contextlib
import os
for line in sys.stdin:
    child = os.fork()
    if not child:
        opened(pathlib.Path(line.strip()))
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


@pytest.mark.slow
def test_a_store_whose_maker_was_killed_is_made_whole_by_the_next_to_open_it(tmp_path):
    chance = random.Random(3)
    code = CREATOR.format(here=os.path.dirname(__file__))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as maker:
        for attempt in range(40):
            maker.stdin.write(f"{tmp_path / str(attempt)}\n")
            maker.stdin.flush()
            child = int(maker.stdout.readline())
            time.sleep(chance.uniform(0, 0.03))
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            assert maker.stdout.readline() == "ended\n"
    for attempt in range(40):
        assert opened(tmp_path / str(attempt)).read(COUNTS).empty


@pytest.mark.slow
def test_several_processes_may_make_one_store_at_once(tmp_path):
    workers = [start(tmp_path / "new", writer, 0, 1) for writer in range(6)]
    assert [worker.wait() for worker in workers] == [0] * 6
    for worker in workers:
        worker.stdout.close()
    assert len(opened(tmp_path / "new").read(COUNTS)) == 6 * 400


def test_a_folder_that_went_away_under_a_store_is_said_in_a_sentence(tmp_path):
    store = opened(tmp_path / "store")
    (tmp_path / "store").rename(tmp_path / "moved")
    with pytest.raises(BackendError, match=r"manifest.db cannot be used"):
        store.read(COUNTS)
