"""The service end to end, in this process: stages as Modal would call them, two at once, killed at any moment."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from functions import iris as service_file
from shared.connect import open_platform
from shared.runs import RUNS
from shared.steps.promotion import PROMOTIONS
from shared.systems.iris.tables import FLOWERS, LABELS, MONITORING, PREDICTIONS

ROOT = Path(__file__).parents[2]
STAGES = service_file.service.stages
MADE_BY = ["run_id", "code_version", "store_version", "model_version"]

# A process that has imported everything and forks a child for each run, so that 50 kills take seconds.
FORKS = """
import os, sys
from functions.iris import service
import shared.systems.iris.inference, shared.systems.iris.monitoring, shared.systems.iris.sources
from shared.connect import open_platform
for line in sys.stdin:
    child = os.fork()
    if not child:
        service.stages["daily"](until=line.strip())
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


def tables(platform):
    """The rows of every iris table, without who made them."""
    read = {table.name: platform.features.read(table) for table in (FLOWERS, LABELS, PREDICTIONS, MONITORING)}
    return {name: rows.drop(columns=[c for c in MADE_BY if c in rows]) for name, rows in read.items()}


def test_the_three_stages_take_an_empty_store_to_scored_predictions():
    assert STAGES["backfill"](day="2026-11-01")["rows"] == 300
    assert STAGES["train"](day="2026-11-01")["note"].startswith("promoted")
    report = STAGES["daily"](until="2026-11-10")
    assert report["metrics"]["outcomes"] == 9
    assert report["model"] == "iris v1"
    assert len(open_platform().features.read(PREDICTIONS)) == 10


def test_the_modal_functions_are_the_same_stages(iris_home):
    with pytest.warns(UserWarning, match="Volume"):
        report = service_file.daily.local(until="2026-10-21")
    assert report["rows"] > 0


def test_daily_before_training_names_the_stage_and_leaves_a_failed_row():
    STAGES["backfill"](day="2026-11-01")
    with pytest.raises(LookupError, match="almanac run iris train"):
        STAGES["daily"](day="2026-11-01")


def test_a_month_old_model_is_trained_anew_by_daily(iris):
    report = STAGES["daily"](until="2026-10-29")
    assert report["note"].startswith("retrained (the last training was 28 days ago): promoted")
    assert iris.models.versions("iris") == [1, 2]
    made = iris.features.read(PREDICTIONS).set_index("flower_id")["model_version"]
    STAGES["daily"](until="2026-10-30")
    made = iris.features.read(PREDICTIONS).set_index("flower_id")["model_version"]
    assert (made["2026-10-29-1"], made["2026-10-30-1"]) == (1, 2)


def test_catching_up_gives_the_rows_that_daily_runs_would_have_given(iris_home, tmp_path, monkeypatch):
    STAGES["daily"](until="2026-10-26")
    at_once = tables(open_platform())
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path / "other"))
    STAGES["backfill"](day="2026-10-01")
    STAGES["train"](day="2026-10-01")
    for day in range(1, 27):
        STAGES["daily"](day=f"2026-10-{day:02d}")
    day_by_day = tables(open_platform())
    assert {name: rows.equals(day_by_day[name]) for name, rows in at_once.items()} == dict.fromkeys(at_once, True)


def test_two_daily_runs_at_once_leave_one_set_of_rows(iris):
    both = [threading.Thread(target=STAGES["daily"], kwargs={"until": "2026-10-24"}) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    flowers = iris.features.read(FLOWERS)
    assert (flowers["origin"] == "synthetic").sum() == 24
    runs = iris.features.read(RUNS)
    assert sorted(runs.loc[runs["stage"] == "daily", "day"].dt.day) == list(range(1, 25))


@pytest.mark.slow
def test_killed_at_50_random_moments_the_next_run_completes_without_loss_or_duplicates(
    iris_home, tmp_path, monkeypatch
):
    kills = kill_daily_runs(50, until=lambda attempt: f"2026-10-{21 + attempt // 6:02d}")
    STAGES["daily"](until="2026-10-29")
    survived, runs = tables(open_platform()), open_platform().features.read(RUNS)
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path / "calm"))
    STAGES["backfill"](day="2026-10-01")
    STAGES["train"](day="2026-10-01")
    STAGES["daily"](until="2026-10-29")
    calm = tables(open_platform())
    assert {name: rows.equals(calm[name]) for name, rows in survived.items()} == dict.fromkeys(calm, True)
    assert kills >= 20
    assert (runs["status"] == "lost").sum() >= 5, "the kills came too late to hit a run"


@pytest.mark.slow
def test_first_days_killed_at_random_moments_end_as_one_that_was_not(tmp_path, monkeypatch):
    """From an empty store: kills hit the making of the store, backfill, training, promotion and the first dates."""
    chance = random.Random(4)
    for moment in sorted(chance.uniform(0.5, 9) for _ in range(8)):
        day = start_day()
        with contextlib.suppress(subprocess.TimeoutExpired):
            day.wait(timeout=moment)
        day.kill()
        day.wait()
    assert start_day().wait() == 0
    survived, runs = tables(open_platform()), open_platform().features.read(RUNS)
    champions = open_platform().features.read(PROMOTIONS)
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path / "calm"))
    assert start_day().wait() == 0
    calm = tables(open_platform())
    assert {name: rows.equals(calm[name]) for name, rows in survived.items()} == dict.fromkeys(calm, True)
    assert (runs["status"] == "lost").any()
    assert champions["version"].is_unique


@pytest.mark.slow
def test_two_first_days_at_once_fill_and_train_once():
    both = [start_day(), start_day()]
    assert [day.wait() for day in both] == [0, 0]
    platform = open_platform()
    runs = platform.features.read(RUNS)
    done = runs[runs["status"] == "done"].groupby("stage")["day"].agg(["size", "nunique"])
    assert done.loc["backfill"].tolist() == [1, 1]
    assert done.loc["daily"].tolist() == [31, 31]
    assert (platform.features.read(FLOWERS)["origin"] == "synthetic").sum() == 31


def start_day():
    words = [sys.executable, "-m", "functions", "day", "--only", "iris", "--day", "2026-10-31"]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_daily_runs(count, until):
    """Start ``count`` daily runs, kill each within 0.4 s; return how many were still alive then."""
    chance = random.Random(20)
    words = [sys.executable, "-c", FORKS]
    kills = 0
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as forks:
        for attempt in range(count):
            forks.stdin.write(f"{until(attempt)}\n")
            forks.stdin.flush()
            child = int(forks.stdout.readline())
            time.sleep(chance.uniform(0, 0.4))
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
                kills += 1
            assert forks.stdout.readline() == "ended\n"
    return kills


@pytest.mark.slow
def test_a_day_from_the_shell_prints_json_for_programs(iris_home):
    words = [sys.executable, "-m", "functions", "day", "--only", "iris", "--day", "2026-10-21", "--json"]
    ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout)["systems"][0]["rows"] > 0
