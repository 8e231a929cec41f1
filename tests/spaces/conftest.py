"""Real servers for the pages: one roof over an empty store and one over a filled one, each started once."""

import importlib
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from shared.connect import open_platform
from shared.errors import SourceError
from shared.runs import run_stage
from shared.steps.promotion import Verdict, record
from shared.systems.air_quality import model as dust
from shared.systems.air_quality.stations import ROTTERDAM, Place, add
from shared.systems.air_quality.training import train as learn_dust
from shared.systems.wine.model import Plan
from shared.systems.wine.training import train
from tests.assistant_rig import tiny_assistant

REPO = Path(__file__).parents[2]
# Text that would run in a page that believes it: as HTML, or as a template of Gradio's own.
HOSTILE = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>${window.hacked=1}{{hacked}}"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(command, home, folder, log, told=None):
    """Run a page until the block ends; give its address and what it has logged so far. {port} in a word is its port."""
    port = free_port()
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ALMANAC_", "GRADIO_", "PYTHON", "HF_"))
    }
    settings = {"ALMANAC_HOME": str(home), "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}
    settings |= told or {}
    command = [word.replace("{port}", str(port)) for word in command]
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=folder, env=kept | settings, stdout=out, stderr=subprocess.STDOUT)
        try:
            url = f"http://127.0.0.1:{port}/"
            _wait_for(url, process, log)
            yield SimpleNamespace(url=url, log=log.read_text, pid=process.pid)
        finally:
            process.terminate()
            process.wait(timeout=20)


def _wait_for(url, process, log):
    for _ in range(600):
        if process.poll() is not None:
            raise AssertionError(f"the page ended with {process.returncode}:\n{log.read_text()}")
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"the page did not answer within a minute:\n{log.read_text()}")


@pytest.fixture(scope="session")
def serve():
    """What runs a page: a command, the store's home, the folder to run in, where to log."""
    return serving


@pytest.fixture(scope="session")
def filled_home(_iris_once, tmp_path_factory):
    """A store with all systems until 2026-10-20, and text in it that came from outside with bad intent."""
    home = tmp_path_factory.mktemp("filled") / "home"
    shutil.copytree(_iris_once, home)
    platform = open_platform(world="demo", home=home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALMANAC_HOME", str(home))
        _fill_with_wine(platform)
        _fill_with_dust(platform)
    tiny_assistant(platform, tmp_path_factory.mktemp("tiny"), versions=2, verdicts=("promoted", "waits"))
    verdict, day = Verdict("waits", HOSTILE, {}), date(2026, 10, 20)
    model = platform.models.load("iris", 1)
    record(platform, model, verdict, day=day, decided_at=datetime.now(UTC), run_id="")

    def fail(run):
        raise SourceError(HOSTILE)

    with pytest.raises(SourceError):
        run_stage(platform, "iris.backfill", fail, day="2026-10-20")
    return home


def _fill_with_wine(platform):
    """Wines of the demo world, a model learned from them in seconds, and twenty days."""
    stages = importlib.import_module("functions.wine").service.stages
    stages["backfill"](day="2026-10-01")
    plan = Plan(folds=2, inner_folds=2, repeats=1, families=("extra_trees", "support_vectors"))
    run_stage(platform, "wine.train", lambda run: train(platform, run, "uci", plan), day="2026-10-01")
    stages["daily"](until="2026-10-20")


def _fill_with_dust(platform):
    """Three stations of the demo world, one of them hostile, a forecaster learned in seconds, and twenty days."""
    stages = importlib.import_module("functions.air_quality").service.stages
    for place in (ROTTERDAM, Place("Kraków", 50.06, 19.95), Place(HOSTILE, 40.42, -3.7)):
        run_stage(platform, "air_quality.add", lambda run, place=place: add(platform, run, place), day="2026-10-01")
    stages["backfill"](days=300, day="2026-10-01")
    plan = dust.Plan(years=1, trees=40)
    run_stage(platform, "air_quality.train", lambda run: learn_dust(platform, run, plan), day="2026-10-01")
    model, served = platform.models.load("air_quality", 1), Verdict("promoted", "for the pages", {})
    record(platform, model, served, day=date(2026, 10, 1), decided_at=datetime.now(UTC), run_id="")
    stages["daily"](until="2026-10-20")


def roof(home, folder):
    app = REPO / "spaces" / "almanac" / "app.py"
    return serving([sys.executable, "-P", str(app)], home, folder, folder / "log.txt", {"OMP_NUM_THREADS": "1"})


@pytest.fixture(scope="session")
def filled(filled_home, tmp_path_factory):
    """All pages over the filled store."""
    with roof(filled_home, tmp_path_factory.mktemp("served")) as server:
        yield server
        assert "Traceback" not in server.log()


@pytest.fixture(scope="session")
def empty(tmp_path_factory):
    """All pages over a store in which nothing ever ran."""
    folder = tmp_path_factory.mktemp("served")
    with roof(folder / "home", folder) as server:
        yield server
        assert "Traceback" not in server.log()
