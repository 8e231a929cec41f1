"""The apps on a Modal control plane, with the real `modal` command: deployed, run, fired, killed and retried."""

import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from shared.connect import open_platform
from shared.runs import RUNS, Report, run_stage
from shared.systems.air_quality import tables as air
from shared.systems.air_quality.sources import fetch
from shared.systems.air_quality.tables import PREDICTIONS as FORECASTS
from shared.systems.iris.tables import PREDICTIONS
from shared.systems.wine import sources, synthesis
from shared.systems.wine.tables import MEASURES, SAMPLES
from tests.loopback.modal_engine import MISSING, SCRIPT, ModalEngine

TODAY = datetime.now(UTC).date()

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not SCRIPT, reason=MISSING)]


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with ModalEngine(tmp_path_factory.mktemp("engine"), complete=True) as started:
        started.environment["ALMANAC_ENDPOINT_TOKEN"] = "of-these-tests"
        yield started


def volume(engine, tmp_path, monkeypatch, system="iris"):
    """The platform as it lies on the system's volume now."""
    target = tmp_path / f"volume{len(list(tmp_path.iterdir()))}"
    target.mkdir()
    engine.modal("volume", "get", f"almanac-{system}", "demo", target, "--force")
    monkeypatch.setenv("ALMANAC_HOME", str(target))
    return open_platform()


def run_daily_and_kill_its_container(engine):
    with engine.start("modal", "run", "-m", "functions.iris::daily") as killed:
        lines = iter(killed.stdout.readline, "")
        assert any("iris daily" in line for line in lines)  # it is among its dates now
        for container in engine.containers():
            os.killpg(container, signal.SIGKILL)
        rest = "".join(lines)
    assert killed.returncode == 0, rest


def test_iris_deploys_runs_fires_retrains_and_survives_a_kill(engine, tmp_path, monkeypatch):
    first = TODAY - timedelta(days=30)
    engine.modal("deploy", "-m", "functions.iris")
    deployed = engine.functions("iris")
    assert "15 6 * * *" in deployed["daily"]["schedule"]
    assert "Europe/Amsterdam" in deployed["daily"]["schedule"]
    assert deployed["train"]["volumes"] == {"/almanac": "almanac-iris"}
    engine.modal("run", "-m", "functions.iris::backfill", "--day", first)
    engine.modal("run", "-m", "functions.iris::train", "--day", first)

    run_daily_and_kill_its_container(engine)
    after = volume(engine, tmp_path, monkeypatch)
    runs = after.features.read(RUNS)
    done = runs[(runs["stage"] == "daily") & (runs["status"] == "done")]
    assert sorted(done["day"].dt.date.unique()) == [first + timedelta(days=n) for n in range(31)]
    assert (runs["machine"] == "modal").all()
    assert (done["cost_usd"] > 0).all()
    assert after.models.versions("iris") == [1, 2], "at 28 days daily called train, in a container of its own"
    predictions = after.features.read(PREDICTIONS)
    assert len(predictions) == 31

    call = engine.fire("iris", "daily")
    engine.wait_until(lambda: engine.ended(call) == ["GENERIC_STATUS_SUCCESS"])
    pd.testing.assert_frame_equal(volume(engine, tmp_path, monkeypatch).features.read(PREDICTIONS), predictions)


def test_two_stages_of_one_system_at_once_lose_nothing_of_each_other(engine, tmp_path, monkeypatch):
    """Both run for the first time of that date, in apps of their own; without the lease the last to commit wins."""
    before = len(volume(engine, tmp_path, monkeypatch).features.read(RUNS))
    versions = volume(engine, tmp_path, monkeypatch).models.versions("iris")
    stages = [("train", ()), ("backfill", ()), ("rollback", ("--version", "1", "--reason", "a rehearsal"))]
    at_once = [engine.start("modal", "run", "-m", f"functions.iris::{stage}", *more) for stage, more in stages]
    printed = [process.communicate(timeout=200)[0] for process in at_once]
    assert [process.returncode for process in at_once] == [0, 0, 0], "\n".join(printed)
    after = volume(engine, tmp_path, monkeypatch)
    runs = after.features.read(RUNS)
    newest = runs.sort_values("started_at").tail(3)
    assert len(runs) == before + 3
    assert set(newest["stage"]) == {"train", "backfill", "rollback"}
    assert set(newest["status"]) == {"done"}
    assert after.models.versions("iris") == [*versions, versions[-1] + 1]


def test_wine_deploys_and_a_day_takes_less_than_ten_seconds_and_brings_the_wines_it_brings_here(
    engine, tmp_path, monkeypatch
):
    engine.modal("deploy", "-m", "functions.wine")
    engine.modal("run", "-m", "functions.wine::backfill", "--day", "2026-10-01")
    engine.modal("run", "-m", "functions.wine::train", "--day", "2026-10-01")
    engine.modal("run", "-m", "functions.wine::daily", "--day", "2026-10-15")  # fits the synthesizer, once
    took = []
    for day in ("2026-10-16", "2026-10-17"):  # the quicker of two, on a machine that others use too
        begun = time.monotonic()
        engine.modal("run", "-m", "functions.wine::daily", "--day", day)
        took.append(time.monotonic() - begun)
    assert min(took) < 10
    there = volume(engine, tmp_path, monkeypatch, "wine")
    assert there.models.versions("wine_synthesizer") == [1]
    came = there.features.read(SAMPLES, since=datetime(2026, 10, 15, tzinfo=UTC))
    assert came["origin"].value_counts().to_dict() == {"reserve": 3, "synthetic": 3}

    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path / "here"))
    here = open_platform()
    run_stage(here, "wine.backfill", lambda _: sources.backfill(here), day="2026-10-01")
    for day in ("2026-10-15", "2026-10-16", "2026-10-17"):
        run_stage(here, "wine.daily", lambda run: the_wines_of(here, run), day=day)
    mine = here.features.read(SAMPLES, since=datetime(2026, 10, 15, tzinfo=UTC))
    columns = ["sample_id", "taken_at", "colour", *MEASURES]
    pd.testing.assert_frame_equal(came[columns], mine[columns])


def the_wines_of(platform, run):
    return Report(rows=sources.open_reserve(platform, run, "uci") + synthesis.fetch(platform, run, "uci"))


def test_air_quality_asks_for_its_stations_in_containers_of_their_own_and_finds_what_it_finds_here(
    engine, tmp_path, monkeypatch
):
    stages = "functions.air_quality"
    engine.modal("deploy", "-m", stages)
    for name, lat, lon in (("delft", "52.01", "4.36"), ("gouda", "52.01", "4.71"), ("lisse", "52.26", "4.56")):
        words = ("--station", name, "--lat", lat, "--lon", lon, "--feed", f"geo:{lat};{lon}", "--day", "2026-10-01")
        engine.modal("run", "-m", f"{stages}::add", *words)
    engine.modal("run", "-m", f"{stages}::backfill", "--day", "2026-10-01", "--days", "400")
    engine.modal("run", "-m", f"{stages}::train", "--day", "2026-10-01")
    said = engine.modal("run", "-m", f"{stages}::daily", "--day", "2026-10-02", "--part", "2")
    there = volume(engine, tmp_path, monkeypatch, "air-quality")
    assert len(there.features.read(FORECASTS)) == 3 * 7, said

    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path / "here"))
    here, october = open_platform(), datetime(2026, 9, 25, tzinfo=UTC)
    here.features.write(air.STATIONS, there.features.read(air.STATIONS))
    for table in (air.OBSERVATIONS, air.WEATHER, air.CAMS):
        here.features.write(table, there.features.read(table, until=datetime(2026, 10, 1, tzinfo=UTC)))
    run_stage(here, "air_quality.daily", lambda run: Report(rows=fetch(here, run).rows), day="2026-10-02")
    for table in (air.READINGS, air.OBSERVATIONS, air.WEATHER, air.CAMS):
        mine, theirs = (one.features.read(table, since=october) for one in (here, there))
        pd.testing.assert_frame_equal(*(rows.sort_values([*table.key], ignore_index=True) for rows in (mine, theirs)))


def test_the_stages_that_a_person_runs_by_hand_run_there_too(engine, tmp_path, monkeypatch):
    """Those that no other test runs on the control plane; after the others, which fill the stores."""
    wine, air_quality = "functions.wine", "functions.air_quality"
    for words in (
        (f"{wine}::synthesize", "--seeds", "1", "--epochs", "1", "--day", "2026-10-16"),
        (f"{wine}::experiment", "--repeats", "1", "--day", "2026-10-16"),
        (f"{wine}::rollback", "--version", "1", "--reason", "a rehearsal", "--day", "2026-10-16"),
        (f"{air_quality}::listen", "--day", "2026-10-02"),
        (f"{air_quality}::backtest", "--days", "60", "--day", "2026-10-02"),
        (f"{air_quality}::publish", "--to", "/tmp/page", "--day", "2026-10-02"),
        (f"{air_quality}::rollback", "--version", "1", "--reason", "a rehearsal", "--day", "2026-10-02"),
    ):
        engine.modal("run", "-m", *words)
    for system, stages in (
        ("wine", {"backfill", "train", "daily", "synthesize", "experiment", "rollback"}),
        ("air-quality", {"add", "backfill", "train", "daily", "listen", "backtest", "publish", "rollback"}),
    ):
        runs = volume(engine, tmp_path, monkeypatch, system).features.read(RUNS)
        assert set(runs.loc[runs["status"] == "done", "stage"]) == stages


def test_the_trial_counts_on_where_a_timeout_killed_it_in_a_container_of_its_own(engine):
    engine.modal("secret", "create", "almanac-trial", "ALMANAC_ENDPOINT_TOKEN=of-this-test")
    said = engine.modal("run", "-m", "functions._trial::count", "--to", "14", "--pause-s", "1")
    calls = [one for one in engine.state()["calls"] if one["fn"] == "count"]
    assert [one["done"] for one in calls] == [["GENERIC_STATUS_SUCCESS"]]
    kept = engine.modal("volume", "get", "almanac-trial", "trial.json", "-")
    counted = json.loads(kept[kept.index("[") : kept.rindex("]") + 1])
    assert [one["number"] for one in counted] == list(range(1, 15)), said
    assert len({one["attempt"] for one in counted}) == 2, "ten seconds an attempt, a number a second"


def test_the_trial_says_that_there_is_no_gpu(engine):
    engine.modal("run", "-m", "functions._trial::gpu")
    calls = [one for one in engine.state()["calls"] if one["fn"] == "gpu"]
    assert [one["done"] for one in calls] == [["GENERIC_STATUS_SUCCESS"]]


def test_destroy_after_a_deploy_leaves_nothing_but_data(engine):
    engine.run("almanac", "deploy", "modal", "--yes")
    assert "Nothing to do" in engine.run("almanac", "deploy", "modal", "--yes")
    engine.modal("run", "-m", "functions.iris::daily")
    engine.run("almanac", "destroy", "modal", "--yes")
    assert [engine.functions(system) for system in ("iris", "wine", "air_quality")] == [{}, {}, {}]
    again = engine.run("almanac", "destroy", "modal", "--yes")
    assert "remove" not in again
    assert "almanac-iris" in again, "its rows are kept"
