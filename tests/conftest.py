"""Rigs: the same tests over every adapter of a port, and a platform of its own for each test."""

import importlib
import logging
import os
import shutil
import time
from datetime import UTC, date, datetime, timedelta

import pytest

from shared.adapters.local.registry import LocalRegistry
from shared.adapters.local.store import LocalStore
from shared.connect import open_platform


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    """No test sees the developer's store, world or settings."""
    for name in ("PLATFORM", "WORLD", "TRACKER", "FAULTS", "RECORD", "MACHINE", "LOCKS"):
        monkeypatch.delenv(f"ALMANAC_{name}", raising=False)
    for name in ("AQICN_TOKEN", "ALMANAC_NOTIFY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    logging.getLogger("almanac").setLevel(logging.NOTSET)


@pytest.fixture
def platform():
    return open_platform()


@pytest.fixture(params=["local"])
def features(request, tmp_path):
    """A FeatureStore, empty. The deployment adapters join this list."""
    return {"local": lambda: LocalStore(tmp_path / "store", now=lambda: datetime.now(UTC))}[request.param]()


@pytest.fixture(params=["local"])
def models(request, tmp_path):
    """A ModelRegistry, empty."""
    return {"local": lambda: LocalRegistry(tmp_path / "models")}[request.param]()


@pytest.fixture(scope="session")
def _iris_once(tmp_path_factory):
    return _lived(tmp_path_factory.mktemp("iris"), "iris")


@pytest.fixture(scope="session")
def _wine_once(tmp_path_factory):
    return _lived(tmp_path_factory.mktemp("wine"), "wine")


def _lived(home, system):
    """A home in which a system was filled and trained on 2026-10-01 and ran daily until 2026-10-20: once a worker."""
    before = os.environ.get("ALMANAC_HOME")
    os.environ["ALMANAC_HOME"] = str(home)
    stages = importlib.import_module(f"functions.{system}").service.stages
    stages["backfill"](day="2026-10-01")
    stages["train"](day="2026-10-01")
    stages["daily"](until="2026-10-20")
    if before is not None:
        os.environ["ALMANAC_HOME"] = before
    return home


@pytest.fixture
def iris_home(_iris_once, tmp_path):
    """The environment's home, with iris as of 2026-10-20; each test has its own copy."""
    shutil.copytree(_iris_once, tmp_path / "home", dirs_exist_ok=True)
    return tmp_path / "home"


@pytest.fixture
def iris(iris_home):
    """The platform with iris as of 2026-10-20."""
    return open_platform()


@pytest.fixture
def wine_home(_wine_once, tmp_path):
    """The environment's home, with wine as of 2026-10-20; each test has its own copy."""
    shutil.copytree(_wine_once, tmp_path / "home", dirs_exist_ok=True)
    return tmp_path / "home"


@pytest.fixture
def wine(wine_home):
    """The platform with wine as of 2026-10-20."""
    return open_platform()


def _clock(patch):
    def shows(moment):
        began, shown = time.monotonic(), datetime.fromisoformat(moment).replace(tzinfo=UTC)
        patch.setattr("shared.runs._now", lambda: shown + timedelta(seconds=time.monotonic() - began))

    return shows


@pytest.fixture
def clock(monkeypatch):
    """A function that sets the clock of runs: whether a date is done in time or late is what it depends on."""
    return _clock(monkeypatch)


@pytest.fixture(scope="session")
def _air_once(tmp_path_factory):
    """Two stations: the default one, whose feed is asked, and one that only CAMS knows, south of the equator."""
    home, stages = tmp_path_factory.mktemp("air"), importlib.import_module("functions.air_quality").service.stages
    with pytest.MonkeyPatch.context() as patch:
        shows = _clock(patch)
        patch.setenv("ALMANAC_HOME", str(home))
        shows("2026-10-11T06:45")
        stages["add"](station="Rotterdam-Zuid", lat=51.9, lon=4.51, country="NL", feed="@5284")
        stages["add"](station="Lima", lat=-12.05, lon=-77.04, country="PE")
        stages["backfill"](days=800)
        stages["train"]()
        for day in range(11, 21):
            shows(f"{date(2026, 10, day)}T06:45")
            stages["daily"]()
    return home


@pytest.fixture
def air_home(_air_once, tmp_path):
    """The environment's home, with air quality done in time from 2026-10-11 to 2026-10-20; each test has its own."""
    shutil.copytree(_air_once, tmp_path / "home", dirs_exist_ok=True)
    return tmp_path / "home"


@pytest.fixture
def air(air_home):
    """The platform with air quality as of 2026-10-20."""
    return open_platform()
