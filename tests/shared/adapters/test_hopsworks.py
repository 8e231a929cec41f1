"""Hopsworks beyond the ports: its client's traps, a cluster that fails in every way, writers that are killed."""

import multiprocessing
import subprocess
import sys
import time
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from shared.adapters.hopsworks import client, locks
from shared.adapters.hopsworks import project as connections
from shared.adapters.hopsworks.project import HopsworksProject
from shared.adapters.hopsworks.registry import HopsworksRegistry
from shared.adapters.hopsworks.store import HopsworksStore
from shared.errors import BackendError, BusyError, NotYetError, SchemaError
from shared.ports import NewModel
from shared.tables import Column, Table

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
HEIGHT = Column("height", unit="m", low=-20, high=20)
TIDES = Table(
    "tides", (Column("port", "text"), Column("at", "time"), HEIGHT), ("port", "at"), "at", about="Of the sea."
)


def utc_now():
    return datetime.now(UTC)


def tides(*heights, port="Hull"):
    times = pd.date_range("2026-11-01", periods=len(heights), freq="D", tz="UTC")
    return pd.DataFrame({"port": port, "at": times, "height": [float(height) for height in heights]})


def heights(store, **how):
    return store.read(TIDES, **how)["height"].tolist()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Seconds become tenths, and no fault outlives its test."""
    for name, seconds in (("ANSWER_S", 0.5), ("PAUSE_S", 0.01), ("LONGEST_PAUSE_S", 0.05), ("FLIGHT_S", 0.5)):
        monkeypatch.setattr(client, name, seconds)


@pytest.fixture
def calm(cluster):
    """The cluster without faults, its log of requests empty."""
    cluster.faults.clear()
    cluster.flight_faults.clear()
    cluster.requests.clear()
    yield cluster
    cluster.faults.clear()


@pytest.fixture
def prefix(hopsworks_prefix):
    return hopsworks_prefix


@pytest.fixture
def store(calm, hopsworks, prefix):
    return HopsworksStore(hopsworks, prefix, now=utc_now)


@pytest.fixture
def registry(calm, hopsworks, prefix, tmp_path):
    return HopsworksRegistry(hopsworks, prefix, tmp_path / "cache", now=utc_now)


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"\x08\x0a weights" * 1000)
    return NewModel("tide", folder, {"mae": 0.5}, run_id="run1")


def test_nothing_is_asked_before_the_first_use(calm, hopsworks, tmp_path):
    HopsworksStore(hopsworks, "", now=utc_now)
    HopsworksRegistry(hopsworks, "", tmp_path, now=utc_now)
    assert calm.requests == []


def test_a_certificate_that_nobody_vouches_for_is_refused_before_the_key_is_sent(calm, hopsworks):
    stranger = HopsworksStore(replace(hopsworks, trust=None), "", now=utc_now)
    with pytest.raises(BackendError, match="not to be trusted.*HOPSWORKS_TRUST_STORE_PATH"):
        stranger.tables()
    assert calm.requests == []


@pytest.mark.parametrize("change", [{"api_key": "wrong-key"}, {"project": "palace"}])
def test_a_wrong_key_or_project_names_what_to_set_and_shows_no_key(calm, hopsworks, change):
    with pytest.raises(BackendError, match="HOPSWORKS_API_KEY") as told:
        HopsworksStore(replace(hopsworks, **change), "", now=utc_now).tables()
    shown = "".join(traceback.format_exception(told.value)) + repr(told.value) + repr(hopsworks)
    assert calm.key not in shown
    assert "wrong-key" not in shown


@pytest.mark.parametrize("what", ["timeout", "cut", 401, 403, 429, 500, 503])
def test_a_cluster_that_fails_at_login_is_one_sentence_within_seconds(calm, hopsworks, what):
    connections.close()
    calm.fail("GET /variables", what, times=9)
    began = time.monotonic()
    with pytest.raises(BackendError, match=r"^Hopsworks at .* cannot let us in"):
        HopsworksStore(hopsworks, "", now=utc_now).tables()
    assert time.monotonic() - began < 5
    calm.faults.clear()
    assert HopsworksStore(hopsworks, "nobody_", now=utc_now).tables() == []


@pytest.mark.parametrize("what", ["timeout", "cut", "cut answer", 429, 500, 503])
def test_a_read_is_asked_again_when_that_may_help(store, calm, what):
    store.write(TIDES, tides(1, 2))
    calm.fail("PUT .*/query", what, times=2, retry_after=1)
    assert heights(store) == [1, 2]
    assert len(calm.asked("PUT .*/query")) == 3


def test_a_read_is_not_asked_for_ever(store, calm):
    store.write(TIDES, tides(1))
    calm.fail("PUT .*/query", 503, times=9)
    with pytest.raises(BackendError, match="cannot read the table tides: it is down.*run the same command again"):
        store.read(TIDES)
    assert len(calm.asked("PUT .*/query")) == client.TRIES


@pytest.mark.parametrize("told", ["silent", "no slot"])
def test_the_query_service_is_asked_again_and_not_for_ever(store, calm, told):
    store.write(TIDES, tides(1))
    calm.flight_faults += [told]
    assert heights(store) == [1]
    calm.flight_faults += [told] * 9
    with pytest.raises(BackendError, match="cannot read the table tides"):
        store.read(TIDES)


def test_a_closed_port_5005_is_one_sentence_within_seconds_and_writes_go_on(store, monkeypatch):
    store.write(TIDES, tides(1))
    monkeypatch.setattr(client, "FLIGHT_PORT", 9)
    began = time.monotonic()
    with pytest.raises(BackendError, match="query service of Hopsworks at 127.0.0.1:9 cannot be reached.*port 9"):
        store.read(TIDES)
    assert time.monotonic() - began < 5
    assert store.write(TIDES, tides(2)).rows == 1


@pytest.mark.parametrize("what", ["timeout", "cut", 401, 409, 429, 500, 503])
@pytest.mark.parametrize("step", ["POST .*/featuregroups$", "POST .*/dataset/upload"])
def test_a_write_that_fails_on_its_way_has_written_nothing_and_can_be_done_again(store, calm, step, what):
    calm.fail(step, what)
    with pytest.raises((BackendError, BusyError)):
        store.write(TIDES, tides(1, 2))
    assert heights(store) == []
    assert store.version() == 0
    assert store.write(TIDES, tides(1, 2)).rows == 2
    assert heights(store) == [1, 2]


@pytest.mark.parametrize("what", ["timeout", "lost", "cut", 503])
def test_a_writer_killed_between_the_commit_and_its_note_loses_nothing(store, calm, what):
    """The rows are in; the next write says so to Hopsworks, and adds none twice."""
    store.write(TIDES, tides(1))
    calm.fail("POST .*/commits", what)
    with pytest.raises(BackendError, match="cannot write the table tides"):
        store.write(TIDES, tides(1, 2))
    assert heights(store) == [1, 2]
    again = store.write(TIDES, tides(1, 2))
    assert again.rows == 0
    assert again.version == store.version()
    assert heights(store, as_of=again.version) == [1, 2]


def test_a_group_whose_maker_was_killed_before_its_first_row_is_empty(store, calm, prefix):
    store.write(TIDES, tides(1))
    (calm.folder / "featurestore" / f"{prefix}tides_1").rename(calm.folder / f"gone-{prefix}")
    assert heights(store) == []
    assert store.write(TIDES, tides(3)).rows == 1
    assert heights(store) == [3]


def test_a_file_system_out_of_reach_is_one_sentence_within_seconds(store, calm, prefix):
    """On a real cluster rows lie in HopsFS, whose client waits for minutes."""
    store.write(TIDES, tides(1))
    group = next(one for one in calm.groups.values() if one["name"] == f"{prefix}tides")
    group |= {"location": f"hopsfs://namenode:9/{prefix}tides", "dataSource": None}
    connections.close()
    began = time.monotonic()
    with pytest.raises(BackendError, match="the file system of Hopsworks at 127.0.0.1:9 cannot be reached"):
        store.write(TIDES, tides(2))
    assert time.monotonic() - began < 5


def test_a_declaration_that_another_process_has_just_put_there_is_fine(store, calm, hopsworks, prefix):
    store.write(TIDES, tides(1))
    [name] = [path.name for path in (calm.folder / "files" / "Resources" / "almanac" / prefix[:-1]).glob("tables/*")]
    calm.fail("GET .*/tables$", "stale listing")
    assert store.write(TIDES, tides(2)).rows == 1
    assert name.startswith("tides.")


def test_a_key_twice_is_refused_before_anything_is_asked(store, calm):
    with pytest.raises(SchemaError, match="twice"):
        store.write(TIDES, pd.concat([tides(1), tides(2)]))
    assert calm.requests == []


def test_a_name_longer_than_hopsworks_keeps_is_refused(store):
    long = Table("t" * 60, TIDES.columns, TIDES.key, "at")
    with pytest.raises(SchemaError, match="63 characters"):
        store.write(long, tides(1))


def test_whole_numbers_beside_blanks_stay_whole(store):
    columns = (Column("at", "time"), Column("count", "int", nullable=True), Column("open", "flag", nullable=True))
    gates = Table("gates", columns, ("at",), "at")
    times = pd.date_range("2026-11-01", periods=2, freq="h", tz="Europe/Amsterdam")
    counts = pd.array([2**53 + 1, None], "Int64")
    store.write(gates, pd.DataFrame({"at": times, "count": counts, "open": [None, True]}))
    found = store.read(gates)
    assert found["count"].iloc[0] == 2**53 + 1
    assert found["count"].isna().tolist() == [False, True]
    assert found["open"].isna().tolist() == [True, False]
    assert found["at"].tolist() == times.tz_convert("UTC").tolist()


def test_people_see_bounds_as_expectations_and_units_as_descriptions(store, calm, prefix):
    about = replace(HEIGHT, about="over the mean, " + "long " * 80)
    store.write(replace(TIDES, columns=(*TIDES.columns[:2], about)), tides(1))
    group = next(one for one in calm.groups.values() if one["name"] == f"{prefix}tides")
    assert (group["eventTime"], group["onlineEnabled"], group["timeTravelFormat"]) == ("at", False, "DELTA")
    assert [one["name"] for one in group["features"] if one["primary"]] == ["port"]
    assert group["features"][2]["description"].startswith("m: over the mean")
    rules = {rule["expectationType"]: rule["kwargs"] for rule in calm.suites[group["id"]]["expectations"]}
    assert '"max_value": 20' in str(rules["expect_column_values_to_be_between"])


def test_new_bounds_take_the_place_of_the_expectations_shown(store, calm, prefix):
    store.write(TIDES, tides(1))
    store.write(replace(TIDES, columns=(*TIDES.columns[:2], replace(HEIGHT, high=30))), tides(25))
    group = next(one for one in calm.groups.values() if one["name"] == f"{prefix}tides")
    assert '"max_value": 30' in str(calm.suites[group["id"]])
    assert store.tables()[0].column("height").high == 30


def test_versions_are_kept_for_a_month_and_then_said_to_be_gone(store, calm, hopsworks, prefix, monkeypatch):
    first = store.write(TIDES, tides(1)).version
    store.write(TIDES, tides(2))
    tidying = HopsworksStore(hopsworks, prefix, now=lambda: datetime(2026, 12, 1, tzinfo=UTC))
    tidying.write(TIDES, tides(3))
    assert heights(store, as_of=first) == [1]
    monkeypatch.setattr("shared.adapters.hopsworks.store.KEPT_HOURS", 0)
    last = tidying.write(TIDES, tides(4)).version
    with pytest.raises(NotYetError, match="no longer kept"):
        store.read(TIDES, as_of=first)
    assert heights(store, as_of=last) == [4]


def test_a_version_that_lies_ahead_is_not_there_yet(store):
    store.write(TIDES, tides(1))
    with pytest.raises(NotYetError, match="no version"):
        store.read(TIDES, as_of=store.version() + 3_600_000)


def _write_five(project, prefix, port):
    store = HopsworksStore(project, prefix, now=utc_now)
    for height in range(5):
        store.write(TIDES, tides(*range(height + 1), port=port))


def test_processes_that_write_one_table_at_once_lose_nothing(store, hopsworks, prefix):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write_five, args=(hopsworks, prefix, port)) for port in ("Hull", "Rye")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert store.read(TIDES).groupby("port")["height"].agg(list).to_dict() == {
        port: [0, 1, 2, 3, 4] for port in ("Hull", "Rye")
    }


def _count(project, prefix, path):
    store = HopsworksStore(project, prefix, now=utc_now, terms=locks.Terms(poll_s=0.02))
    for _ in range(4):
        with store.lock("count", wait_s=60):
            number = int(path.read_text())
            time.sleep(0.02)
            path.write_text(str(number + 1))


def test_of_several_processes_one_holds_a_lock(hopsworks, prefix, calm, tmp_path):
    path = tmp_path / "number"
    path.write_text("0")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_count, args=(hopsworks, prefix, path)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert path.read_text() == "8"


def test_a_lock_whose_holder_died_is_free_when_its_lease_ends(store, hopsworks, prefix):
    clock = [datetime(2026, 11, 1, tzinfo=UTC)]
    later = HopsworksStore(hopsworks, prefix, now=lambda: clock[0])
    dead = later.lock("iris.daily")
    dead.__enter__()
    with pytest.raises(BusyError, match="another run holds 'iris.daily'"), later.lock("iris.daily", wait_s=0):
        pass
    clock[0] += timedelta(seconds=541)
    with later.lock("iris.daily", wait_s=0):
        pass
    dead.__exit__(None, None, None)


def test_a_lock_that_is_renewed_stays_held(hopsworks, prefix, calm):
    brief = HopsworksStore(hopsworks, prefix, now=utc_now, terms=locks.Terms(lease_s=0.4, renew_s=0.1, poll_s=0.05))
    with brief.lock("iris.daily"), pytest.raises(BusyError), brief.lock("iris.daily", wait_s=0.8):
        pass
    with brief.lock("iris.daily", wait_s=0):
        pass


@pytest.mark.parametrize("what", ["timeout", "cut", 503])
def test_a_model_whose_upload_is_cut_is_no_version_and_the_next_one_takes_its_number(registry, calm, model, what):
    calm.fail("POST .*/dataset/upload/.*Models", what, times=9)
    with pytest.raises(BackendError, match="cannot save the model"):
        registry.save(model)
    calm.faults.clear()
    assert registry.versions("tide") == []
    assert registry.save(model).version == 1
    assert (registry.load("tide", 1).folder / "model.onnx").read_bytes() == b"\x08\x0a weights" * 1000


def test_what_a_killed_saver_left_is_no_version_and_gives_way(registry, calm, model, prefix):
    left = calm.folder / "files" / "Models" / f"{prefix}tide" / "1" / "Files"
    left.mkdir(parents=True)
    (left / "half.onnx").write_bytes(b"half")
    assert registry.versions("tide") == []
    assert set(registry.save(model).files) == {"model.onnx"}


@pytest.mark.parametrize("what", ["cut answer", "timeout", 503])
def test_a_model_is_fetched_again_when_its_download_is_cut(registry, calm, hopsworks, prefix, model, tmp_path, what):
    registry.save(model)
    elsewhere = HopsworksRegistry(hopsworks, prefix, tmp_path / "elsewhere", now=utc_now)
    calm.fail("GET .*with_auth/.*onnx", what)
    assert elsewhere.load("tide", 1).metrics == {"mae": 0.5}


def test_a_signature_is_read_from_one_file_and_no_other_is_fetched(registry, calm, hopsworks, prefix, tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "model.onnx").write_bytes(b"gigabytes")
    registry.save(NewModel("tide", tmp_path / "made", {}, {"base": "tiny"}))
    elsewhere = HopsworksRegistry(hopsworks, prefix, tmp_path / "elsewhere", now=utc_now)
    calm.requests.clear()
    assert elsewhere.signature("tide", 1) == {"base": "tiny"}
    downloads = [path for _, path, _ in calm.requests if "/download/" in path]
    assert [path.rpartition("/")[2].partition("?")[0] for path in downloads] == ["model.json"]
    calm.requests.clear()
    assert registry.signature("tide", 1) == {"base": "tiny"}, "saving has fetched it here"
    assert not [path for _, path, _ in calm.requests if "/download/" in path]


def test_metrics_show_in_hopsworks_itself(registry, calm, model, prefix):
    registry.save(model)
    assert calm.models[f"{prefix}tide_1"]["metrics"] == {"mae": 0.5}


def test_the_client_prints_nothing(store, registry, model, capfd):
    connections.close()
    store.write(TIDES, tides(1))
    store.read(TIDES)
    registry.save(model)
    assert capfd.readouterr() == ("", "")


def test_importing_the_client_leaves_logging_and_warnings_as_they_were(cluster):
    code = """
import logging, warnings
before = (warnings.formatwarning, [*logging.getLogger().handlers], logging.getLogger().level)
from shared.adapters.hopsworks import client
client.prepare()
import hopsworks
assert (warnings.formatwarning, [*logging.getLogger().handlers], logging.getLogger().level) == before
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_a_project_shows_no_key():
    assert "s3cret" not in repr(HopsworksProject("host", "house", "s3cret"))


def test_a_write_of_refused_rows_alone_leaves_the_version_to_their_quarantine(store):
    """Making a group is a commit of the log too, but of no rows."""
    written = store.write(TIDES, tides(99))
    assert store.read(TIDES.quarantine)["reason"].tolist() == ["height is above 20 m"]
    assert written.version == store.version() > 0
    assert store.write(TIDES, tides(99)).version == written.version
