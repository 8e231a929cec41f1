"""Predictions beside outcomes, and the alarms that call for a new model."""

from datetime import UTC, date, datetime

import pytest

from functions.iris import service
from shared.runs import Run, midnight
from shared.steps.promotion import champion
from shared.systems.iris import monitoring, sources
from shared.systems.iris.tables import LABELS, MONITORING, PREDICTIONS, VARIETIES


def run_of(day):
    return Run("r1", "iris", "daily", date.fromisoformat(day), datetime.now(UTC), "c0de")


def test_outcomes_meet_predictions_by_flower_and_only_as_far_as_known(iris):
    seen = monitoring.outcomes(iris, midnight(date(2026, 10, 1)), midnight(date(2026, 10, 21)))
    assert seen["picked_at"].is_monotonic_increasing
    assert len(seen) == 20
    assert seen["variety"].isna().tolist() == [False] * 19 + [True]
    labels = iris.features.read(LABELS).set_index("flower_id")["variety"]
    known = seen[seen["variety"].notna()]
    assert known["variety"].tolist() == labels[known["flower_id"]].tolist()


def test_a_past_period_is_watched_with_what_is_known_now_or_with_what_was_known_then(iris):
    since, until = date(2026, 10, 1), date(2026, 10, 10)
    assert monitoring.watch(iris, since, until).accuracy.count == 10
    assert monitoring.watch(iris, since, until, known_by=midnight(date(2026, 10, 11))).accuracy.count == 9
    assert len(monitoring.watch(iris, since, until).outcomes) == 10


def test_the_confusion_matrix_has_all_varieties_from_day_one(iris):
    day_one = monitoring.watch(iris, date(2026, 10, 1), date(2026, 10, 1))
    assert day_one.confusion.shape == (3, 3)
    assert list(day_one.confusion.columns) == list(VARIETIES)
    assert day_one.confusion.to_numpy().sum() == 1


def test_an_empty_store_is_watched_without_an_error(platform):
    seen = monitoring.watch(platform, date(2026, 10, 1), date(2026, 10, 30))
    assert seen.outcomes.empty
    assert seen.accuracy.count == 0
    assert seen.confusion.to_numpy().sum() == 0


def test_each_day_leaves_its_figures(iris):
    figures = iris.features.read(MONITORING, since=midnight(date(2026, 10, 20)))
    accuracy = figures.set_index("figure").loc["accuracy"]
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert accuracy["value"] > accuracy["baseline"]
    assert {"coverage", "set_size", "calibration_error", "shift:petal_length"} <= set(figures["figure"])
    assert len(iris.features.read(MONITORING)) == 20 * 8


def test_without_drift_no_alarm_sounds_in_the_first_weeks(iris):
    assert not iris.features.read(MONITORING)["alarm"].any()


@pytest.mark.slow
def test_drifted_petals_sound_the_alarm_and_call_for_a_new_model(iris):
    for day in range(21, 31):
        report = service.stages["daily"](day=f"2026-10-{day}", count=4, drift=0.8)
    figures = iris.features.read(MONITORING, since=midnight(date(2026, 10, 30)))
    alarmed = set(figures.loc[figures["alarm"], "figure"])
    assert {"shift:petal_length", "shift:petal_width"} <= alarmed
    assert len(iris.models.versions("iris")) >= 2, report["note"]
    assert "shift:sepal_width" not in alarmed


def due(platform, day):
    return monitoring.retraining_due(platform, run_of(day), champion(platform, "iris"))


def test_a_training_of_an_earlier_date_by_hand_does_not_call_for_another(iris):
    service.stages["train"](day="2026-09-01")
    assert due(iris, "2026-10-20") == ""


def test_many_new_labelled_flowers_call_for_a_new_model(iris, tmp_path):
    flower = "5.1,3.5,1.4,0.2,setosa\n"
    path = tmp_path / "garden.csv"
    path.write_text("sepal_length,sepal_width,petal_length,petal_width,variety\n" + flower * 20)
    sources.backfill(iris, str(path))
    assert due(iris, "2026-10-20") == "170 labelled rows, and the serving model learned from 150"


def test_a_model_older_than_four_weeks_is_trained_anew_and_not_every_day_after(iris):
    assert due(iris, "2026-10-28") == ""
    assert due(iris, "2026-10-29") == "the last training was 28 days ago"
    service.stages["train"](day="2026-10-29")
    assert due(iris, "2026-10-30") == ""
    assert champion(iris, "iris").version == 2


def test_predictions_never_hold_a_reference_flower(iris):
    assert not iris.features.read(PREDICTIONS)["flower_id"].str.startswith("fisher").any()
