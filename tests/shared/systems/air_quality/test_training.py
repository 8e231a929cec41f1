"""How a model comes to serve: what it may learn from, how it is judged, what is kept of it, which one serves."""

from dataclasses import replace
from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest

from shared.errors import NotYetError
from shared.runs import Run, midnight
from shared.steps.promotion import PROMOTIONS, champion
from shared.systems.air_quality.features import FEATURES
from shared.systems.air_quality.inference import forecast
from shared.systems.air_quality.keeping import PAST
from shared.systems.air_quality.model import Plan
from shared.systems.air_quality.sources import backfill
from shared.systems.air_quality.tables import MODEL, OBSERVATIONS, PREDICTIONS
from shared.systems.air_quality.training import ROLLED_DAYS, SHOWN, champion_said, known, roll_last_year, some, train

FEW = Plan(trees=5)


def run_of(day, run_id="r"):
    moment = datetime.fromisoformat(f"{day}T06:45:00+00:00")
    return Run(run_id, "air_quality", "train", date.fromisoformat(day), moment, "c0de")


@pytest.fixture
def short(platform):
    """Ninety days of CAMS at the default station."""
    backfill(platform, run_of("2026-10-11"), days=90)
    return platform


# --- what is learned from ------------------------------------------------------------------------------------------


def test_what_is_known_ends_on_the_eve_and_begins_with_the_first_day(short):
    panel = known(short, run_of("2026-10-01"), FEW)
    assert (str(panel.days[0].date()), str(panel.days[-8].date())) == ("2026-07-13", "2026-09-30")
    assert np.isfinite(panel.pm25[:, :-7]).all() and np.isnan(panel.pm25[:, -7:]).all()


def test_sixty_days_are_enough_and_fifty_nine_are_not(short):
    assert known(short, run_of("2026-09-11"), FEW).pm25.shape == (1, 67)
    with pytest.raises(NotYetError, match="takes 60 days to learn from; there are 59: run `almanac run air_quality"):
        known(short, run_of("2026-09-10"), FEW)


def test_a_plan_of_fewer_years_learns_from_fewer_days(air):
    assert len(known(air, run_of("2026-10-11"), replace(FEW, years=0.5)).days) == 182 + 7


@pytest.mark.parametrize(("days", "first"), [(200, 100), (1000, 1000 - ROLLED_DAYS)])
def test_a_model_is_judged_on_the_last_year_or_on_half_of_a_shorter_history(made_panel, days, first):
    panel = made_panel(days=days + 7, stations=1)
    panel.pm25[:, days:] = np.nan
    rolled, judged_from = roll_last_year(panel, Plan(trees=1))
    assert rolled.cuts[0] == first
    assert judged_from in (first, rolled.cuts[1])
    assert np.isnan(rolled.members[:, :, :first]).all()
    assert np.isfinite(rolled.members[:, :, days - 1]).all()


def test_files_are_compared_on_rows_spread_evenly_and_not_too_many():
    rows = np.arange(3 * SHOWN)
    assert len(some(rows)) <= SHOWN
    assert some(rows)[:2].tolist() == [0, 4]
    assert some(rows[:10]).tolist() == [*range(10)]


# --- the verdict ---------------------------------------------------------------------------------------------------


def test_a_training_keeps_a_model_with_its_figures_and_records_a_verdict(short):
    report = train(short, run_of("2026-10-11"), FEW)
    model = short.models.load(MODEL, 1)
    assert report.model == "air_quality v1"
    assert report.rows == model.signature["rows"] == 90
    assert dict(model.metrics) == report.metrics
    assert [*model.signature["features"]] == [*FEATURES]
    assert sum(model.signature["importance"].values()) == pytest.approx(1, abs=0.01)
    assert {path.name for path in model.folder.iterdir() if path.is_file()} >= {
        "trees.onnx",
        "recursive.onnx",
        "past.parquet",
    }
    decided = short.features.read(PROMOTIONS).iloc[-1]
    assert report.note == f"{decided['verdict']}: {decided['reason']}"
    assert [row["lead"] for row in report.table] == [1, 2, 3, 4, 5, 6, 7]
    assert report.headline in report.metrics and "damped" in report.baselines


def test_a_model_that_does_not_surely_beat_what_needs_none_is_rejected_and_does_not_serve(short):
    report = train(short, run_of("2026-10-11"), FEW)
    assert report.note.startswith("rejected: It does not surely beat ")
    with pytest.raises(
        NotYetError, match="serves yet: version 1 was rejected. It does not surely beat .* run `almanac"
    ):
        champion(short, MODEL)


def test_what_is_kept_of_the_past_was_said_without_having_seen_it(air):
    model = champion(air, MODEL)
    past = pd.read_parquet(model.folder / "past.parquet")
    assert [*past.columns] == PAST
    assert past.dropna(subset=["observed"])["day"].max() == midnight(date(2026, 10, 10))
    assert past["day"].min() > midnight(date(2026, 10, 10)) - pd.Timedelta(days=ROLLED_DAYS)
    assert not past.duplicated(["station", "day", "lead"]).any()
    assert {*past["station"]} == {"lima", "rotterdam-zuid"}


@pytest.mark.slow
def test_a_challenger_is_judged_against_what_the_champion_really_said_and_fewer_trees_do_not_crash(air):
    report = train(air, run_of("2026-10-20", "second"), Plan(trees=2))
    assert air.models.versions(MODEL) == [1, 2]
    assert report.note.split(":")[0] in ("promoted", "waits", "rejected")
    figures = air.features.read(PROMOTIONS).iloc[-1]["figures"]
    assert ("champion_middle" in figures) == (not report.note.startswith("rejected"))


def test_what_the_champion_said_is_its_backtest_and_then_what_it_said_live(air):
    said = champion_said(air, run_of("2026-10-20"))
    assert not said.duplicated(["station", "day", "lead"]).any()
    live = air.features.read(PREDICTIONS)
    both = said.merge(live, on=["station", "day", "lead"])
    assert (both["pm25_x"] == both["pm25_y"]).all()
    assert len(both) == 2 * sum(10 - lead + 1 for lead in range(1, 8))  # of two stations, days up to 2026-10-20
    assert said["day"].min() < midnight(date(2026, 1, 1))


def test_a_training_learns_nothing_from_days_after_its_eve(short):
    first = train(short, run_of("2026-10-01", "a"), FEW)
    rows = short.features.read(OBSERVATIONS, since=midnight(date(2026, 10, 1)))
    short.features.write(OBSERVATIONS, rows.assign(pm25=900.0))
    again = train(short, run_of("2026-10-01", "b"), FEW)
    assert again.metrics == first.metrics
    one, other = (forecast(short, short.models.load(MODEL, n), date(2026, 10, 1))["pm25"] for n in (1, 2))
    assert one.equals(other)
