"""Rigs: the same tests over every adapter of a port, and a platform of its own for each test."""

import importlib
import logging
import os
import shutil
import time
import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings

from shared.adapters.hub.account import HubAccount, Repo
from shared.adapters.hub.registry import HubRegistry
from shared.adapters.hub.store import HubStore
from shared.adapters.local.registry import LocalRegistry
from shared.adapters.local.store import LocalStore
from shared.connect import open_platform
from tests.loopback.hopsworks_rig import (  # noqa: F401 - fixtures
    cluster,
    hopsworks,
    hopsworks_prefix,
    live_hopsworks,
    loopback_hopsworks,
)
from tests.loopback.hub import HubServer

collect_ignore = ["loopback"]  # servers, no tests; Hopsworks' imports what comes with its client only
settings.register_profile("almanac", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("almanac")  # a machine that others use too is slow now and then, which is no failure
ON_HOPSWORKS = (  # where: a fixture of a project, and of a prefix in it
    pytest.param("loopback_hopsworks", marks=pytest.mark.slow, id="hopsworks"),
    pytest.param("live_hopsworks", marks=pytest.mark.live, id="live hopsworks"),
)


def pytest_make_parametrize_id(val, argname):
    """Bytes as a parameter are named by their argument: packed ones hold the second of their packing, and two workers
    that collect in two seconds would collect two different tests."""
    return argname if isinstance(val, bytes) else None


HF_TOKEN = os.environ.get("HF_TOKEN", "")  # of whoever runs the live tests; no other test sees it
LIVE_HUB = pytest.param("live hub", marks=pytest.mark.live)


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    """No test sees the developer's store, world or settings."""
    for name in ("PLATFORM", "WORLD", "TRACKER", "FAULTS", "RECORD", "MACHINE", "LOCKS", "HUB", "FRESH_S", "ENV"):
        monkeypatch.delenv(f"ALMANAC_{name}", raising=False)
    for name in ("AQICN_TOKEN", "ALMANAC_NOTIFY", "HF_TOKEN", "HF_ENDPOINT", "HOPSWORKS_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    logging.getLogger("almanac").setLevel(logging.NOTSET)


@pytest.fixture
def platform():
    return open_platform()


@pytest.fixture
def hub(tmp_path):
    """A Hub of one's own on loopback."""
    with HubServer(tmp_path / "hub") as server:
        yield server


@pytest.fixture
def live_hub():
    """A real account, and a name for repositories of one's own on it, removed at the end."""
    own = os.environ.get("ALMANAC_TEST_HUB")
    if not (own and HF_TOKEN):
        pytest.skip("the real Hub needs ALMANAC_TEST_HUB=OWNER/PREFIX and HF_TOKEN in the environment")
    account, name = HubAccount("", HF_TOKEN), f"{own}-test-{uuid.uuid4().hex[:8]}"
    yield account, name
    for kind in ("dataset", "model"):
        for made in account.names(kind, name):
            account.delete(Repo(kind, made))


@pytest.fixture
def account(hub):
    """The account of that Hub's owner."""
    return HubAccount(hub.url, hub.token)


@pytest.fixture(params=["local", "hub", LIVE_HUB, *ON_HOPSWORKS])
def features(request, tmp_path):
    """A FeatureStore, empty."""
    if request.param.endswith("hopsworks"):
        place = request.getfixturevalue(request.param)
        from shared.adapters.hopsworks.store import HopsworksStore

        return HopsworksStore(*place, now=_utc_now)
    if request.param == "hub":
        account = request.getfixturevalue("account")
        return HubStore(account, "jane/almanac-demo", tmp_path / "store", now=_utc_now)
    if request.param == "live hub":
        return HubStore(*request.getfixturevalue("live_hub"), tmp_path / "store", now=_utc_now)
    return LocalStore(tmp_path / "store", now=_utc_now)


@pytest.fixture(params=["local", "hub", LIVE_HUB, *ON_HOPSWORKS])
def models(request, tmp_path):
    """A ModelRegistry, empty."""
    if request.param.endswith("hopsworks"):
        place = request.getfixturevalue(request.param)
        from shared.adapters.hopsworks.registry import HopsworksRegistry

        return HopsworksRegistry(*place, tmp_path / "cache", now=_utc_now)
    if request.param == "hub":
        return HubRegistry(request.getfixturevalue("account"), "jane/almanac-demo", tmp_path / "models")
    if request.param == "live hub":
        return HubRegistry(*request.getfixturevalue("live_hub"), tmp_path / "models")
    return LocalRegistry(tmp_path / "models")


def _utc_now():
    return datetime.now(UTC)


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
