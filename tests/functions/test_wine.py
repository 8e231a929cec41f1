"""The service end to end, in this process: stages as Modal would call them, in the demo world and on own files."""

import json
import multiprocessing
import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from functions import wine as service_file
from shared.connect import open_platform
from shared.errors import NotYetError, SourceError, UsageError
from shared.runs import RUNS, Run, ledger
from shared.steps.promotion import PROMOTIONS
from shared.systems.wine import synthesis
from shared.systems.wine.tables import GRADED, MEASURES, MONITORING, PREDICTIONS, RESERVE, SAMPLES

ROOT = Path(__file__).parents[2]
STAGES = service_file.service.stages
MADE_BY = ["run_id", "code_version", "store_version", "model_version"]
COMMAND = [sys.executable, "-m", "functions"]


def tables(platform):
    """The rows of every wine table, without who made them."""
    read = {table.name: platform.features.read(table) for table in (SAMPLES, GRADED, RESERVE, PREDICTIONS, MONITORING)}
    return {name: rows.drop(columns=[c for c in MADE_BY if c in rows]) for name, rows in read.items()}


def taken(platform, day):
    samples = platform.features.read(SAMPLES)
    return samples[samples["taken_at"] == f"{day}T00:00Z"].set_index("origin")


def test_a_day_brings_a_wine_of_the_reserve_and_a_synthetic_one_and_predicts_both(wine):
    day = taken(wine, "2026-10-20")
    assert sorted(day.index) == ["reserve", "synthetic"]
    made = wine.features.read(PREDICTIONS).set_index("sample_id")
    assert {*day["sample_id"]} <= {*made.index}
    assert made["quality"].between(3, 9).all()
    assert (made["low"] <= made["quality"]).all() and (made["quality"] <= made["high"]).all()
    assert len(made) == 40  # two a day


def test_the_grade_of_a_synthetic_wine_is_its_synthesizers_and_that_of_a_real_one_the_panels(wine):
    origins = wine.features.read(SAMPLES).set_index("sample_id")["origin"]
    graded = wine.features.read(GRADED)
    graders = graded["grader"].groupby(graded["sample_id"].map(origins)).unique()
    assert {origin: list(found) for origin, found in graders.items()} == {
        "reference": ["panel"],
        "reserve": ["panel"],
        "synthetic": ["synthesizer"],
    }


def test_a_day_done_twice_leaves_the_same_rows(wine):
    before = tables(wine)
    assert STAGES["daily"](day="2026-10-19")["rows"] == 0
    for name, rows in tables(open_platform()).items():
        assert rows.equals(before[name]), name


def test_a_week_that_was_missed_is_done_day_by_day(wine):
    STAGES["daily"](until="2026-10-27")
    days = wine.features.read(PREDICTIONS)["taken_at"].dt.date.astype(str)
    assert days.value_counts()["2026-10-21":].eq(2).all()
    assert days.max() == "2026-10-27"


def test_the_same_date_gives_the_same_wines_in_another_store_and_another_process(wine, tmp_path):
    home = tmp_path / "elsewhere"
    script = (
        "from functions.wine import service as s; s.stages['backfill'](day='2026-10-09');"
        "from shared.connect import open_platform; from shared.runs import Run, run_stage, Report;"
        "from shared.systems.wine import sources, synthesis; p = open_platform();"
        "body = lambda run: Report(rows=sources.open_reserve(p, run, 'uci') + synthesis.fetch(p, run, 'uci'));"
        "run_stage(p, 'wine.daily', body, day='2026-10-15')"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, env={**os.environ, "ALMANAC_HOME": str(home)})
    os.environ["ALMANAC_HOME"] = str(home)
    other, here = taken(open_platform(), "2026-10-15"), taken(wine, "2026-10-15")
    assert (
        other[["sample_id", "colour", *MEASURES]]
        .sort_index()
        .equals(here[["sample_id", "colour", *MEASURES]].sort_index())
    )


def test_the_synthesizer_is_fitted_once_and_reused(wine):
    assert wine.models.versions("wine_synthesizer") == [1]
    STAGES["daily"](until="2026-10-23")
    assert wine.models.versions("wine_synthesizer") == [1]


def test_a_day_may_bring_more_wines_and_drift_is_seen_on_the_synthetic_track_only(wine):
    report = STAGES["daily"](day="2026-10-21", count=60, drift=2.0)
    assert (taken(wine, "2026-10-21").index == "synthetic").sum() == 60
    assert "synthetic shift:alcohol alarms" in report["note"]
    assert "reserve" not in report["note"] and "retrained" not in report["note"]


@pytest.mark.parametrize("options", [{"count": 0}, {"count": 10_001}, {"drift": float("nan")}, {"drift": 50.0}])
def test_a_day_that_cannot_be_is_refused_before_anything_is_written(wine, options):
    before = wine.features.version()
    with pytest.raises(UsageError):
        STAGES["daily"](day="2026-10-21", **options)
    assert wine.features.version() == before


def test_daily_before_training_names_the_stage_and_leaves_a_failed_row():
    STAGES["backfill"](day="2026-11-01")
    with pytest.raises(NotYetError, match="almanac run wine train"):
        STAGES["daily"](day="2026-11-01")
    assert ledger(open_platform(), "wine", "daily")["status"].tolist() == ["failed"]


def test_training_on_a_source_that_is_no_table_says_so_and_keeps_the_champion(wine, tmp_path):
    (tmp_path / "red.csv").write_text("<html>404</html>")
    with pytest.raises(SourceError, match="web page"):
        STAGES["train"](source=str(tmp_path / "red.csv"), day="2026-10-21")
    assert wine.models.versions("wine") == [1]
    assert STAGES["daily"](day="2026-10-21")["model"] == "wine v1"


def test_an_earlier_version_serves_again_after_a_rollback(wine):
    report = STAGES["rollback"](version=1, reason="to try", day="2026-10-21")
    assert report["note"] == "rolled back: to try"
    assert wine.features.read(PROMOTIONS)["verdict"].tolist()[-1] == "rolled_back"


def test_train_prints_the_honest_figures_beside_the_leaky_one_and_the_predecessors(wine):
    report = json.loads(ledger(wine, "wine", "train")["report"].iloc[-1])
    rows = {row["model"]: row for row in report["table"]}
    leaky = next(name for name in rows if "LEAKS" in name)
    assert rows[leaky]["mse"] < rows["extra_trees"]["mse"] < rows["mean grade"]["mse"]
    assert report["metrics"]["mse"] == rows["chosen in each fold, grades by its rule"]["mse"]
    assert report["baselines"]["mse"] == rows["mean grade"]["mse"]
    assert any("predecessor" in name for name in rows)


def test_a_prediction_is_explained_and_made_again_exactly(wine):
    key = wine.features.read(PREDICTIONS)["sample_id"].iloc[-1]
    ran = subprocess.run([*COMMAND, "explain", key, "--json"], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    again = json.loads(ran.stdout)["made again"]
    assert again["prediction_exactly_the_same"] and again["input_unchanged"]


def test_a_person_trains_on_a_file_in_a_store_that_holds_simulated_wines(wine, tmp_path):
    real = wine.corpora.read("wine").sample(240, random_state=0).rename(columns={"grade": "quality", "colour": "type"})
    real.to_csv(tmp_path / "cellar.csv", index=False)
    report = STAGES["train"](source=str(tmp_path / "cellar.csv"), repeats=1, day="2026-10-21")
    assert report["rows"] <= 240
    learned = wine.models.load("wine", 2).signature
    assert learned["source"].startswith("cellar-")
    assert report["note"].split(":")[0] in ("promoted", "waits", "rejected")


@pytest.mark.parametrize("stage", ["train", "synthesize"])
def test_a_colour_without_a_source_is_refused_and_not_left_out(wine, stage):
    with pytest.raises(UsageError, match="--colour says of which colour"):
        STAGES[stage](colour="red", day="2026-10-21")


def _daily(home, until):
    os.environ["ALMANAC_HOME"] = home
    service_file.service.stages["daily"](until=until)


@pytest.mark.slow
def test_days_killed_at_random_moments_end_as_days_that_were_not(wine_home, tmp_path, monkeypatch):
    calm = tmp_path / "calm"
    subprocess.run(["cp", "-r", str(wine_home), str(calm)], check=True)
    monkeypatch.setenv("ALMANAC_HOME", str(calm))
    STAGES["daily"](until="2026-10-24")
    expected = tables(open_platform())
    monkeypatch.setenv("ALMANAC_HOME", str(wine_home))
    fork = multiprocessing.get_context("fork")
    for moment in range(8):
        child = fork.Process(target=_daily, args=(str(wine_home), "2026-10-24"))
        child.start()
        time.sleep(0.05 + 0.12 * moment)
        child.kill()
        child.join()
    STAGES["daily"](until="2026-10-24")
    found = tables(open_platform())
    for name, rows in expected.items():
        key = [column for column in ("day", "track", "figure", "sample_id") if column in rows]
        assert rows.sort_values(key, ignore_index=True).equals(found[name].sort_values(key, ignore_index=True)), name
    assert "running" not in {*open_platform().features.read(RUNS)["status"]}


@pytest.mark.slow
def test_a_day_takes_less_than_ten_seconds_in_a_fresh_process(wine):
    before = os.times()
    subprocess.run([*COMMAND, "run", "wine", "daily", "--day", "2026-10-21"], cwd=ROOT, check=True, capture_output=True)
    spent = os.times()
    took = spent.children_user + spent.children_system - before.children_user - before.children_system
    assert took < 10  # seconds of its own: others may keep it waiting


def test_a_newer_synthesizer_serves_from_the_next_day_and_changes_no_day_that_is_done(wine):
    before = tables(wine)["wine_samples"]
    run = Run("by-hand", "wine", "synthesize", date(2026, 10, 20), before["taken_at"].max(), "code")
    rows = synthesis.learnable(wine, run, "uci")
    synthesis.synthesize(wine, run, rows, synthesis.Plan(("class_copula",), seeds=(0,)))
    assert STAGES["daily"](day="2026-10-20")["rows"] == 0
    assert tables(open_platform())["wine_samples"].equals(before)
    newer = synthesis.current(wine, rows, date(2026, 10, 21))
    assert newer.generator != synthesis.current(wine, rows, date(2026, 10, 20)).generator


def test_a_day_that_is_done_late_is_predicted_by_the_model_of_then(wine):
    late = wine.features.read(PREDICTIONS).tail(2)["sample_id"].tolist()
    samples = wine.features.read(SAMPLES)
    corrected = samples[samples["sample_id"].isin(late)]
    wine.features.write(SAMPLES, corrected.assign(residual_sugar=corrected["residual_sugar"] + 0.1))
    STAGES["train"](day="2026-10-21")
    wine.features.write(PROMOTIONS, promoted(wine, version=2, day="2026-10-21"))
    STAGES["daily"](day="2026-10-22")
    made = wine.features.read(PREDICTIONS).set_index("sample_id")
    assert made.loc[late, "model_version"].tolist() == [1, 1]
    assert made["model_version"].iloc[-1] == 2


def promoted(platform, version, day):
    """The newest decision as a promotion of that version, whatever the judge said."""
    rows = platform.features.read(PROMOTIONS).tail(1)
    return rows.assign(
        version=version,
        verdict="promoted",
        day=pd.Timestamp(day, tz="UTC"),
        decided_at=rows["decided_at"] + pd.Timedelta(seconds=1),
    )


def test_when_the_reserve_is_used_up_the_day_says_so(wine):
    reserve = wine.features.read(RESERVE)
    left = reserve.assign(taken_at=pd.Timestamp("2026-10-20", tz="UTC"), origin="reserve")
    wine.features.write(SAMPLES, left[~left["sample_id"].isin(wine.features.read(SAMPLES)["sample_id"])][SAMPLES.names])
    assert "the reserve of uci is used up" in STAGES["daily"](day="2026-10-21")["note"]


def test_a_rollback_without_a_reason_is_refused(wine):
    with pytest.raises(UsageError, match="--reason"):
        STAGES["rollback"](version=1, reason=" ", day="2026-10-21")


@pytest.mark.slow
def test_synthesize_compares_sdvs_with_ours_and_keeps_the_best(wine):
    report = STAGES["synthesize"](seeds=1, epochs=1, day="2026-10-21")
    names = [row["candidate"] for row in report["table"]]
    assert {"cell_swap", "sdv_ctgan", "sdv_tvae", "sdv_gaussian_copula"} <= {*names}
    assert report["metrics"]["tstr_mse"] < report["baselines"]["tstr_mse"]
    assert report["metrics"]["exact_copies"] == 0
    assert wine.models.versions("wine_synthesizer") == [1, 2]
    assert STAGES["daily"](day="2026-10-22")["rows"] > 0
