"""A fine-tuning's whole life on a Modal control plane, with the real `modal` command: killed, searched, served from."""

import os
import signal

import pytest

from shared.connect import open_platform
from shared.runs import RUNS
from shared.steps.promotion import champion
from shared.systems.assistant.tables import TRIALS
from tests.loopback.modal_engine import MISSING, SCRIPT, ModalEngine

pytest.importorskip("trl")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not SCRIPT, reason=MISSING)]

TINY = "tiny:2x48x3x400x512"
STAGES = "functions.assistant"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engine")
    with ModalEngine(folder, log=folder / "log") as started:
        started.modal("secret", "create", "almanac-assistant", "ALMANAC_ENDPOINT_TOKEN=of-this-test")
        yield started


def run(engine, stage, *words):
    return engine.modal("run", "-m", f"{STAGES}::{stage}", *words, "--day", "2026-10-02")


def volume(engine, tmp_path, monkeypatch):
    """The platform as it lies on the system's volume now."""
    target = tmp_path / f"volume{len(list(tmp_path.iterdir()))}"
    target.mkdir()
    engine.modal("volume", "get", "almanac-assistant", "demo", target, "--force")
    monkeypatch.setenv("ALMANAC_HOME", str(target))
    return open_platform()


def fine_tune_and_kill_its_container(engine):
    """All that was printed, by both attempts."""
    plan = ("--base", TINY, "--steps", "120", "--batch", "4", "--max-length", "256", "--day", "2026-10-02")
    with engine.start("modal", "run", "-m", f"{STAGES}::finetune", *plan) as killed:
        said = []
        for line in iter(killed.stdout.readline, ""):
            said.append(line)
            if "step 110 " in line:  # after the checkpoint of step 100
                break
        for container in engine.containers():
            os.killpg(container, signal.SIGKILL)
        said.append(killed.stdout.read())
    assert killed.returncode == 0, "".join(said)
    return "".join(said)


def trials_are_heard(said):
    """Each worker's beginning, steps and end are in Modal's log."""
    assert said.count(" begins, up to step 2\n") == 4
    assert said.count(" begins, up to step 6\n") == said.count(" ends at step 6, loss ") == 2
    assert said.count(": step 2 of 2, loss ") == 4
    assert said.count(" is judged before it is trained\n") == 1


def test_a_model_is_fine_tuned_through_a_kill_evaluated_exported_promoted_and_searched(engine, tmp_path, monkeypatch):
    """Each container has the mounted packages and volumes alone: neither modal.toml nor what another one computed."""
    run(engine, "prepare", "--limit", "150")
    assert "goes on after step 100" in fine_tune_and_kill_its_container(engine)
    run(engine, "evaluate")
    run(engine, "export")
    search = ("--ranks", "2,4", "--learning-rates", "1e-3,2e-3", "--lowest", "2", "--rungs", "2")
    trials_are_heard(run(engine, "search", "--bases", TINY, *search))
    started = engine.log.read_text().count("start functions.assistant.trial ")
    assert 2 <= started <= 4, "workers = 4, and four trials have nobody to wait for"

    there = volume(engine, tmp_path, monkeypatch)
    runs = there.features.read(RUNS)
    assert set(runs["stage"]) == {"prepare", "finetune", "evaluate", "export", "search"}
    assert set(runs["status"]) == {"done"}
    assert champion(there, "assistant").version == 1
    trials = there.features.read(TRIALS)
    assert sorted(trials["step"]) == [2, 2, 2, 2, 6, 6]
    assert not trials["verdict"].str.startswith("failed").any()
    (search_name,) = set(trials["search"])
    engine.modal("volume", "get", "almanac-assistant-runs", search_name, tmp_path, "--force")
    files = [file for file in (tmp_path / search_name).rglob("*") if file.is_file()]
    left = {file.relative_to(tmp_path / search_name).parts[0] for file in files} - {".lock"}
    assert left == {"plan.json", "told"}, "what its workers wrote is gone, but for what they found"
    kept = engine.modal("volume", "ls", "almanac-assistant-cache")
    assert "tokens-" in kept
