"""Rigs: the same tests over every adapter of a port, and a platform of its own for each test."""

import importlib
import logging
import os
import shutil
from datetime import UTC, datetime

import pytest

from shared.adapters.local.registry import LocalRegistry
from shared.adapters.local.store import LocalStore
from shared.connect import open_platform


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    """No test sees the developer's store, world or settings."""
    for name in ("PLATFORM", "WORLD", "TRACKER", "FAULTS", "RECORD", "MACHINE", "LOCKS"):
        monkeypatch.delenv(f"ALMANAC_{name}", raising=False)
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
