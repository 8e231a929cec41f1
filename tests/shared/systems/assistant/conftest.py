"""A home in which a tiny Llama was fine-tuned and judged, once a worker; each test has its own copy."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.connect import open_platform
from shared.ports import Platform
from tests.tuned_rig import a_run, stored, tuned


@dataclass
class Home:
    """A store, its run folders, and the run that has ended in it."""

    platform: Platform
    folders: object
    name: str

    @property
    def run(self) -> Path:
        """The folder of that run."""
        return self.folders.runs / self.name


@pytest.fixture(autouse=True)
def _own_engines(monkeypatch):
    """No test hears the model of another: all are version 1, decided on at the same moment."""
    from shared.systems.assistant import inference

    monkeypatch.setattr(inference, "_LOADED", inference.Loaded(inference.MOST_LOADED))


def opened(home, name=""):
    from shared.systems.assistant.training import Folders

    return Home(open_platform(home=home), Folders(home / "runs", home / "cache"), name)


@pytest.fixture(scope="session")
def _tuned_once(tmp_path_factory):
    pytest.importorskip("trl")
    found = opened(tmp_path_factory.mktemp("assistant"))
    stored(found.platform)
    found.name = tuned(found.platform, found.folders)
    return found


@pytest.fixture(scope="session")
def _judged_once(_tuned_once, tmp_path_factory):
    from shared.systems.assistant.evaluation import Effort, evaluate

    home = tmp_path_factory.mktemp("judged") / "home"
    shutil.copytree(_tuned_once.folders.runs.parent, home)
    found = opened(home, _tuned_once.name)
    report = evaluate(found.platform, a_run(), "", found.folders, Effort(24, 10, 1, 8))
    return found, report


@pytest.fixture
def home(_tuned_once, tmp_path):
    """The tuned home, not judged yet."""
    shutil.copytree(_tuned_once.folders.runs.parent, tmp_path / "home", dirs_exist_ok=True)
    return opened(tmp_path / "home", _tuned_once.name)


@pytest.fixture
def judged(_judged_once, tmp_path):
    """The home after its evaluation."""
    shutil.copytree(_judged_once[0].folders.runs.parent, tmp_path / "home", dirs_exist_ok=True)
    return opened(tmp_path / "home", _judged_once[0].name)


@pytest.fixture
def judgement(_judged_once):
    """What that evaluation reported."""
    return _judged_once[1]
