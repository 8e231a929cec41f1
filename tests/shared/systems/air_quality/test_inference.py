"""Forecasts of a date from a served model: intervals of few residuals, pauses, stations of which little is known."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from shared.errors import NotYetError
from shared.runs import Run, midnight
from shared.systems.air_quality.blend import WINDOW
from shared.systems.air_quality.inference import (
    DAYS,
    _borrowed,
    _distribution,
    at_its_level,
    explain,
    forecast,
    predict,
    serving,
)
from shared.systems.air_quality.keeping import load
from shared.systems.air_quality.panel import panel_of
from shared.systems.air_quality.sources import fetch
from shared.systems.air_quality.tables import BASELINES, LEADS, LIMITS, OBSERVATIONS, PREDICTIONS, STATIONS

CHANCES = [f"p{limit}" for limit in LIMITS]


def run_of(day):
    return Run(
        "r", "air_quality", "daily", date.fromisoformat(day), datetime.fromisoformat(f"{day}T06:45+00:00"), "c0de"
    )


@pytest.fixture
def model(air):
    return serving(air, run_of("2026-10-20"))


def test_a_forecast_again_is_the_one_that_was_stored(air, model):
    stored = air.features.read(PREDICTIONS).set_index("forecast")
    made = forecast(air, model, date(2026, 10, 20)).set_index("forecast")
    assert len(made) == 14
    for name in ("pm25", "low", "high", *CHANCES, "input_hash"):
        assert made[name].equals(stored[name].reindex(made.index)), name


def test_what_was_said_in_time_stays_and_what_was_missed_is_said_late(air, model):
    before = air.features.read(PREDICTIONS)
    days = air.features.read(OBSERVATIONS)
    air.features.write(OBSERVATIONS, days[days["day"] == midnight(date(2026, 10, 16))].assign(pm25=40.0))
    late = replace(run_of("2026-10-17"), started_at=datetime.fromisoformat("2026-10-21T06:45:00+00:00"))
    assert predict(air, late, model) == 0
    assert air.features.read(PREDICTIONS).equals(before)
    assert predict(air, run_of("2026-10-17"), model) == 14  # on the day itself the newest that is known counts
    missed = replace(late, day=date(2026, 10, 25))
    assert predict(air, replace(missed, started_at=late.started_at + timedelta(days=9)), model) == 14


@pytest.mark.parametrize("dust", [0.0, 990.0])
def test_what_no_model_ever_saw_still_gets_forecasts_that_the_table_takes(air, model, dust):
    days = air.features.read(OBSERVATIONS, since=midnight(date(2026, 9, 1)))
    air.features.write(OBSERVATIONS, days.assign(pm25=dust))
    rows = forecast(air, model, date(2026, 10, 20))
    assert len(rows) == 14
    for name in ("pm25", "low", "high", *BASELINES):
        assert rows[name].dropna().between(0, PREDICTIONS.column(name).high).all()


def test_a_station_of_which_nothing_was_ever_seen_gets_no_forecast(air, model):
    row = air.features.read(STATIONS).tail(1)
    air.features.write(STATIONS, row.assign(station="oslo", latitude=59.91, longitude=10.75, feed=None))
    assert {*forecast(air, model, date(2026, 10, 20))["station"]} == {"lima", "rotterdam-zuid"}


def test_a_known_station_silent_for_months_still_gets_one_with_a_wider_guess(air, model):
    """Of Lima nothing is stored after July; the model knows what is usual there."""
    rows = air.features.read(OBSERVATIONS, since=midnight(date(2026, 10, 10)))
    late = date(2027, 1, 25)
    row = rows[rows["station"] == "rotterdam-zuid"].tail(1)
    air.features.write(OBSERVATIONS, row.assign(day=pd.Timestamp(midnight(date(2027, 1, 24)))))
    made = forecast(air, model, late).set_index(["station", "lead"])
    assert made.loc["lima", ["pm25", "low", "high", *CHANCES]].notna().all(axis=None)
    assert made.loc["lima", "persistence"].isna().all()


def test_after_a_pause_of_a_year_the_newest_errors_there_are_give_the_intervals(air, model):
    fetch(air, run_of("2028-01-10"))
    made = forecast(air, model, date(2028, 1, 10))
    assert len(made) == 14
    assert made[["low", "high", *CHANCES]].notna().all(axis=None)
    assert (made["low"] < made["high"]).all()


def test_a_date_of_which_no_day_is_known_is_refused(air, model):
    with pytest.raises(NotYetError, match="almanac run air_quality backfill"):
        forecast(air, model, date(2020, 1, 1))


def test_what_goes_in_is_shown_by_name(air):
    told = explain(air, "lima/2026-10-18/2")
    assert told["made again"]["prediction_exactly_the_same"] is True
    assert told["input"]["read_from"].startswith("store version ")
    assert sum(told["input"][f"weekday{n}"] for n in range(7)) == 1
    assert told["input"]["weekday6"] == 1  # a Sunday
    with pytest.raises(NotYetError, match="no prediction is called"):
        explain(air, "lima/2026-10-18/9")


def test_dust_is_put_at_the_level_that_the_model_learned(air, model):
    panel = panel_of(air, date(2026, 10, 19), DAYS)
    kept = replace(load(model, panel), level=np.array([1.0, 2.0]))
    known = at_its_level(panel, kept)
    np.testing.assert_array_equal(known.pm25[0], panel.pm25[0])
    np.testing.assert_array_equal(known.pm25[1], panel.pm25[1] / 2)


# --- distributions -------------------------------------------------------------------------------------------------


def past_of(stations, days=2 * WINDOW, spread=0.3, seed=0):
    return np.random.default_rng(seed).normal(0, spread, (days, stations, len(LEADS)))


def test_an_interval_holds_nine_of_ten_of_the_past_and_chances_fall_with_the_limit():
    past, pm25 = past_of(2), np.full((2, 7), 12.0)
    said = _distribution(pm25, past)
    outcomes = np.expm1(np.log1p(12.0) + past[-WINDOW:])
    held = (outcomes >= said["low"]) & (outcomes <= said["high"])
    assert held.mean() == pytest.approx(0.9, abs=0.03)
    assert (said["p15"] > said["p25"]).all() and (said["p25"] >= said["p35"]).all()
    assert said["p15"].mean() == pytest.approx((outcomes > 15).mean(), abs=0.02)


def test_no_interval_reaches_below_zero():
    assert (_distribution(np.full((1, 7), 0.1), past_of(1, spread=1.0))["low"] == 0).all()


def test_a_station_with_few_errors_borrows_those_of_all():
    past = past_of(3)
    past[:, 2] = np.nan
    past[-5:, 2] = 9.0
    lent = _borrowed(past)
    assert np.array_equal(lent[:, :2], past[:, :2])
    assert np.isfinite(lent[-WINDOW:, 2]).all()
    pool = past[-WINDOW:, :, 0]
    assert np.median(lent[-WINDOW:, 2, 0]) == pytest.approx(np.nanmedian(pool), abs=0.02)


def test_where_nobody_erred_yet_nothing_is_borrowed():
    assert np.isnan(_borrowed(np.full((2 * WINDOW, 1, 7), np.nan))).all()
