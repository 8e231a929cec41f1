"""The apps on a Modal control plane, with the real `modal` command: deployed, run, fired, killed and retried.

Modal's client has no local mode, so these tests need a control plane on loopback: set ALMANAC_TEST_MODAL_ENGINE to its
script, which takes --port and --state and answers POST /fire/APP/FUNCTION on the port after.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
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

ROOT = Path(__file__).parents[2]
ENGINE = os.environ.get("ALMANAC_TEST_MODAL_ENGINE", "")
MODAL = str(Path(sys.executable).parent / "modal")
TODAY = datetime.now(UTC).date()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not ENGINE, reason="no Modal control plane: set ALMANAC_TEST_MODAL_ENGINE to its script"),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """Start the control plane; return the environment that the client needs and the admin address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, ENGINE, "--port", str(port), "--state", str(tmp_path_factory.mktemp("engine"))]
    admin = f"http://127.0.0.1:{port + 1}"
    ours = {"MODAL_SERVER_URL": f"http://127.0.0.1:{port}", "MODAL_TOKEN_ID": "ak-x", "MODAL_TOKEN_SECRET": "as-x"}
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_until(lambda: httpx.get(f"{admin}/state").status_code == 200)
    yield {**os.environ, **ours, "MODAL_CONFIG_PATH": os.devnull}, admin
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(holds, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if holds():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    pytest.fail(f"not within {seconds} s")


def modal(engine, *words):
    ran = subprocess.run([MODAL, *words], cwd=ROOT, env=engine[0], capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def volume(engine, tmp_path, monkeypatch, system="iris"):
    """The platform as it lies on the system's volume now."""
    target = tmp_path / f"volume{len(list(tmp_path.iterdir()))}"
    target.mkdir()
    modal(engine, "volume", "get", f"almanac-{system}", "demo", str(target), "--force")
    monkeypatch.setenv("ALMANAC_HOME", str(target))
    return open_platform()


def run_daily_and_kill_its_container(engine):
    words = [MODAL, "run", "-m", "functions.iris::daily"]
    with subprocess.Popen(words, cwd=ROOT, env=engine[0], stdout=subprocess.PIPE, text=True) as killed:
        lines = iter(killed.stdout.readline, "")
        assert any("iris daily" in line for line in lines)  # it is among its dates now
        subprocess.run(["pkill", "-KILL", "-f", "modal._container_entrypoint"], check=True)
        rest = "".join(lines)
    assert killed.returncode == 0, rest


def test_iris_deploys_runs_fires_retrains_and_survives_a_kill(engine, tmp_path, monkeypatch):
    first = TODAY - timedelta(days=30)
    modal(engine, "deploy", "-m", "functions.iris")
    deployed = {f["fn"]: f for f in json.loads(httpx.get(f"{engine[1]}/state").text)["functions"]}
    assert "15 6 * * *" in deployed["daily"]["schedule"]
    assert "Europe/Amsterdam" in deployed["daily"]["schedule"]
    assert deployed["train"]["volumes"] == {"/almanac": "almanac-iris"}
    modal(engine, "run", "-m", "functions.iris::backfill", "--day", str(first))
    modal(engine, "run", "-m", "functions.iris::train", "--day", str(first))

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

    httpx.post(f"{engine[1]}/fire/iris/daily")
    time.sleep(5)
    pd.testing.assert_frame_equal(volume(engine, tmp_path, monkeypatch).features.read(PREDICTIONS), predictions)


def test_wine_deploys_and_a_day_takes_less_than_ten_seconds_and_brings_the_wines_it_brings_here(
    engine, tmp_path, monkeypatch
):
    modal(engine, "deploy", "-m", "functions.wine")
    modal(engine, "run", "-m", "functions.wine::backfill", "--day", "2026-10-01")
    modal(engine, "run", "-m", "functions.wine::train", "--day", "2026-10-01")
    modal(engine, "run", "-m", "functions.wine::daily", "--day", "2026-10-15")  # fits the synthesizer, once
    clock = time.monotonic()
    modal(engine, "run", "-m", "functions.wine::daily", "--day", "2026-10-16")
    assert time.monotonic() - clock < 10
    there = volume(engine, tmp_path, monkeypatch, "wine")
    assert there.models.versions("wine_synthesizer") == [1]
    came = there.features.read(SAMPLES, since=datetime(2026, 10, 15, tzinfo=UTC))
    assert came["origin"].value_counts().to_dict() == {"reserve": 2, "synthetic": 2}

    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path / "here"))
    here = open_platform()
    run_stage(here, "wine.backfill", lambda _: sources.backfill(here), day="2026-10-01")
    for day in ("2026-10-15", "2026-10-16"):
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
    modal(engine, "deploy", "-m", stages)
    for name, lat, lon in (("delft", "52.01", "4.36"), ("gouda", "52.01", "4.71"), ("lisse", "52.26", "4.56")):
        words = ("--station", name, "--lat", lat, "--lon", lon, "--feed", f"geo:{lat};{lon}", "--day", "2026-10-01")
        modal(engine, "run", "-m", f"{stages}::add", *words)
    modal(engine, "run", "-m", f"{stages}::backfill", "--day", "2026-10-01", "--days", "400")
    modal(engine, "run", "-m", f"{stages}::train", "--day", "2026-10-01")
    said = modal(engine, "run", "-m", f"{stages}::daily", "--day", "2026-10-02", "--part", "2")
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
