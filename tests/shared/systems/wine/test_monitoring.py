"""Predictions beside grades, on two tracks; the alarms, and what calls for a new model."""

import math
from datetime import date, timedelta

import pandas as pd
import pytest

from shared.runs import RUNS, midnight
from shared.steps.promotion import champion
from shared.steps.scoring import wilson
from shared.systems.wine import inference, monitoring, sources
from shared.systems.wine.tables import GRADED, GRADES, MEASURES, MONITORING, PREDICTIONS, SAMPLES

OCT_1, OCT_24, OCT_25 = date(2026, 10, 1), date(2026, 10, 24), date(2026, 10, 25)


def watch(platform, track="reserve", since=OCT_1, until=OCT_24, known_by=None):
    return monitoring.watch(platform, champion(platform, "wine"), track, (since, until), known_by)


def score(platform, run):
    """Return (report, the day's rows by track and figure)."""
    report = monitoring.score(platform, run, champion(platform, "wine"))
    rows = platform.features.read(MONITORING, since=midnight(run.day), until=run.until)
    return report, rows.set_index(["track", "figure"])


def due(platform, run):
    return monitoring.retraining_due(platform, run, champion(platform, "wine"))


def regrade(platform, track, grade):
    """Let every wine of a track that was graded have been graded ``grade``."""
    predictions, grades = platform.features.read(PREDICTIONS), platform.features.read(GRADED)
    mine = grades[grades["sample_id"].isin(predictions.loc[predictions["origin"] == track, "sample_id"])]
    platform.features.write(GRADED, mine.assign(grade=grade))


# --- what is seen --------------------------------------------------------------------------------------------------


def test_predictions_meet_grades_by_wine_on_their_own_track_as_far_as_known(cellar):
    for track in ("reserve", "synthetic"):
        seen = monitoring.outcomes(cellar, track, midnight(OCT_1), midnight(OCT_25), midnight(OCT_25))
        assert set(seen["origin"]) == {track}
        assert len(seen) == 24
        assert seen["truth"].isna().tolist() == [False] * 23 + [True]
        grades = cellar.features.read(GRADED).set_index("sample_id")["grade"]
        known = seen[seen["truth"].notna()]
        assert known["truth"].tolist() == grades[known["sample_id"]].tolist()


def test_the_figures_are_of_the_track_and_period_and_beside_them_stands_the_mean_grade(cellar):
    seen = watch(cellar, until=date(2026, 10, 10), known_by=midnight(OCT_25))
    assert seen.mae.count == 10
    known = seen.outcomes
    assert seen.figures["mae"] == pytest.approx((known["quality"] - known["truth"]).abs().mean())
    mean = champion(cellar, "wine").signature["link"]["mean"]
    assert seen.baselines["mae"] == pytest.approx((mean - known["truth"]).abs().mean())
    reference = cellar.features.read(GRADED, until=midnight(OCT_1))["grade"]
    assert seen.baselines["accuracy"] == (known["truth"] == reference.mode()[0]).mean()
    assert seen.confusion.to_numpy().sum() == 10
    assert seen.coverage == wilson(round(seen.figures["coverage"] * 10), 10)
    assert seen.outcomes["taken_at"].is_monotonic_decreasing


def test_a_past_period_is_watched_with_what_was_known_then(cellar):
    until = date(2026, 10, 10)
    assert watch(cellar, until=until, known_by=midnight(date(2026, 10, 11))).mae.count == 9
    assert watch(cellar, until=until, known_by=midnight(OCT_25)).mae.count == 10


def test_before_any_grade_is_known_all_is_empty_and_nothing_fails(cellar):
    seen = watch(cellar, since=OCT_24, known_by=midnight(OCT_25))
    assert len(seen.outcomes) == 1
    assert seen.mae.count == 0
    assert all(math.isnan(value) for value in seen.figures.values())
    assert seen.confusion.shape == (7, 7)
    assert seen.confusion.to_numpy().sum() == 0
    assert [seen.by_grade[grade].count for grade in GRADES] == [0] * 7
    assert seen.rolling.empty


def test_with_one_grade_known_its_figures_are_there_and_their_bounds_are_not(cellar):
    seen = watch(cellar, until=OCT_1, known_by=midnight(OCT_25))
    assert seen.mae.count == 1
    assert seen.mae.value == abs(seen.outcomes["quality"].iloc[0] - seen.outcomes["truth"].iloc[0])
    assert math.isnan(seen.mse.low)
    assert seen.confusion.to_numpy().sum() == 1
    assert len(seen.rolling) == 1


def test_grades_never_seen_are_empty_rows_and_no_error(cellar):
    regrade(cellar, "reserve", 9)
    seen = watch(cellar, known_by=midnight(OCT_25))
    assert [*seen.confusion.index] == [*seen.confusion.columns] == [*GRADES]
    assert seen.confusion.loc[9].sum() == 23
    assert seen.confusion.drop(index=9).to_numpy().sum() == 0
    assert seen.by_grade[3].count == 0
    assert math.isnan(seen.by_grade[3].value)
    assert seen.by_grade[9].count == 23


def test_the_rolling_error_has_a_point_for_every_day(cellar):
    rolling = watch(cellar, known_by=midnight(OCT_25)).rolling
    assert rolling["date"].dt.day.tolist() == list(range(1, 24))
    assert rolling["count"].tolist() == list(range(1, 24))


# --- the day's figures ---------------------------------------------------------------------------------------------


def test_each_day_leaves_the_figures_of_both_tracks_and_reports_the_real_one(cellar, run_on):
    report, rows = score(cellar, run_on(OCT_24))
    for track in ("reserve", "synthetic"):
        assert set(rows.loc[track].index) == {
            *("mae", "mse", "qwk", "accuracy", "coverage"),
            *(f"shift:{name}" for name in MEASURES),
        }
    mae = rows.loc[("reserve", "mae")]
    assert mae["low"] < mae["value"] < mae["high"]
    assert (report.metrics["mae"], report.baselines["mae"]) == (mae["value"], mae["baseline"])
    assert (report.rows, report.metrics["outcomes"], report.headline) == (32, 23, "mae")


def test_scoring_a_day_twice_changes_nothing(cellar, run_on):
    score(cellar, run_on(OCT_24))
    before = cellar.features.read(MONITORING)
    assert score(cellar, run_on(OCT_24))[0].rows == 0
    pd.testing.assert_frame_equal(cellar.features.read(MONITORING), before)


def test_on_the_first_day_no_figure_is_known_and_nothing_alarms(cellar, run_on):
    report, rows = score(cellar, run_on(OCT_1))
    assert report.metrics["outcomes"] == 0
    assert math.isnan(report.metrics["mae"])
    assert rows.loc[("reserve", "mae"), ["value", "low", "high", "baseline"]].isna().all()
    assert not rows["alarm"].any()


def test_good_predictions_never_alarm(cellar, run_on):
    for day in range(1, 25, 3):
        report, rows = score(cellar, run_on(date(2026, 10, day)))
        assert not rows["alarm"].any()
        assert report.note == ""


def test_one_bad_prediction_of_the_first_days_is_no_alarm(cellar, run_on):
    regrade(cellar, "reserve", 9)
    for day in (2, 5, 19):
        assert not score(cellar, run_on(date(2026, 10, day)))[1]["alarm"].any()


def test_an_error_burst_on_real_wines_alarms_and_calls_for_a_new_model(cellar, run_on):
    regrade(cellar, "reserve", 9)
    report, rows = score(cellar, run_on(OCT_24))
    assert rows.loc[("reserve", "mse"), "alarm"]
    assert rows.loc[("reserve", "coverage"), "alarm"]
    assert report.note == "reserve mse alarms, reserve coverage alarms"
    assert due(cellar, run_on(OCT_24)) == "alarm: coverage, mse"


def test_an_error_burst_on_synthetic_wines_does_not(cellar, run_on):
    regrade(cellar, "synthetic", 9)
    report, rows = score(cellar, run_on(OCT_24))
    assert rows.loc[("synthetic", "mse"), "value"] > 5
    assert not rows["alarm"].any()
    assert report.note == ""
    assert due(cellar, run_on(OCT_24)) == ""


def test_drifted_alcohol_of_synthetic_wines_is_found_and_calls_for_nothing(cellar, run_on, invent):
    for day in range(25, 29):
        invent(cellar, date(2026, 10, day), count=10, alcohol=2.0)
    run = run_on("2026-10-28")
    inference.predict(cellar, run, champion(cellar, "wine"))
    report, rows = score(cellar, run)
    assert rows.loc[("synthetic", "shift:alcohol"), "alarm"]
    assert rows.loc[("synthetic", "shift:alcohol"), "value"] > 0.5
    assert rows[rows["alarm"]].index.tolist() == [("synthetic", "shift:alcohol")]
    assert report.note == "synthetic shift:alcohol alarms"
    assert due(cellar, run) == ""


def test_drifted_alcohol_of_real_wines_calls_for_a_new_model(cellar, run_on):
    samples = cellar.features.read(SAMPLES)
    came = samples[samples["origin"] == "reserve"]
    cellar.features.write(SAMPLES, came.assign(alcohol=came["alcohol"] + 4.0))
    _, rows = score(cellar, run_on(OCT_24))
    assert rows.loc[("reserve", "shift:alcohol"), "alarm"]
    assert due(cellar, run_on(OCT_24)) == "alarm: shift:alcohol"


# --- retraining ----------------------------------------------------------------------------------------------------


def test_growth_of_a_tenth_calls_for_a_new_model_and_synthetic_wines_do_not_count(cellar, wines, run_on, invent):
    run = run_on(OCT_24)
    invent(cellar, date(2026, 10, 20), count=100)
    assert due(cellar, run) == ""
    more = wines.head(140).assign(
        sample_id=[f"uci-more-{n}" for n in range(140)], graded_at=midnight(OCT_1), grader="panel"
    )
    cellar.features.write(SAMPLES, more[SAMPLES.names])
    cellar.features.write(GRADED, more[GRADED.names])
    assert due(cellar, run) == "1382 labelled rows, and the serving model learned from 1219"


def test_age_calls_for_a_new_model(cellar, run_on):
    assert due(cellar, run_on(OCT_1 + timedelta(days=89))) == ""
    assert due(cellar, run_on(OCT_1 + timedelta(days=90))) == "the last training was 90 days ago"


def test_within_a_week_of_a_training_no_alarm_calls_for_another(cellar, run_on):
    regrade(cellar, "reserve", 9)
    score(cellar, run_on(OCT_24))
    runs = cellar.features.read(RUNS)
    trained = runs[runs["stage"] == "train"]
    cellar.features.write(RUNS, trained.assign(run_id="again", day=midnight(date(2026, 10, 20))))
    assert due(cellar, run_on(OCT_24)) == ""


def test_a_reserve_that_is_used_up_leaves_an_empty_monitor(cellar, run_on):
    run = run_on("2027-09-01")
    sources.open_reserve(cellar, run, "uci")
    seen = watch(cellar, since=date(2027, 6, 1), until=date(2027, 8, 31))
    assert seen.outcomes.empty
    assert seen.figures["mae"] != seen.figures["mae"]


def test_a_wine_that_comes_forty_times_is_no_drift(cellar):
    samples = cellar.features.read(SAMPLES)
    one = samples[samples["origin"] == "synthetic"].tail(1)
    twins = pd.concat([one.assign(sample_id=f"2026-10-25-{number}") for number in range(1, 41)])
    cellar.features.write(SAMPLES, twins.assign(taken_at=midnight(OCT_25)))
    seen = watch(cellar, "synthetic", since=OCT_25, until=OCT_25)
    assert (seen.drift["rows"] == 1).all()
    assert not seen.drift["drifted"].any()
