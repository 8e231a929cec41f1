"""Rigs: the same tests over every adapter of a port, and a platform of its own for each test."""

import logging
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
