"""Whether forecasts held: literal forecasts beside literal days, what alarms, and when a new model is due."""

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from shared.runs import Run, midnight
from shared.systems.air_quality.inference import serving
from shared.systems.air_quality.monitoring import outcomes, retraining_due, score
from shared.systems.air_quality.tables import ALERTS, BASELINES, LEADS, MONITORING, OBSERVATIONS, PREDICTIONS

FIRST = date(2026, 11, 1)  # after all that the home holds
NAMES = ("rmse", "mae", "coverage", "skill")


def run_of(day):
    moment = datetime.fromisoformat(f"{day}T06:45:00+00:00")
    return Run(f"run-{day}", "air_quality", "daily", date.fromisoformat(str(day)), moment, "c0de")


def say(platform, station, said, observed, origin="station", leads=(1,), **fields):
    """Store forecasts of the days from FIRST on at some leads, and what those days were."""
    days = pd.date_range(FIRST, periods=len(said), tz="UTC")
    for lead in leads:
        row = platform.features.read(PREDICTIONS).head(1).drop(columns=["station", "day", "lead", "forecast"])
        rows = pd.concat([row] * len(days), ignore_index=True).assign(station=station, day=days, lead=lead)
        rows = rows.assign(forecast=[f"{station}/{day.date()}/{lead}" for day in days], pm25=np.asarray(said, float))
        given = {"low": rows["pm25"] - 2, "high": rows["pm25"] + 2, "damped": rows["pm25"] + 4.0, **fields}
        platform.features.write(PREDICTIONS, rows.assign(**given)[PREDICTIONS.names])
    seen = pd.DataFrame({"station": station, "day": days, "pm25": np.asarray(observed, float)})
    platform.features.write(OBSERVATIONS, seen.assign(origin=origin, hours=24)[OBSERVATIONS.names])


def figures(platform, station, lead=0):
    rows = platform.features.read(MONITORING)
    rows = rows[(rows["station"] == station) & (rows["lead"] == lead)]
    return rows[rows["day"] == rows["day"].max()].set_index("figure")


def scored(platform, day):
    return score(platform, run_of(day), serving(platform, run_of(day)))


# --- outcomes ------------------------------------------------------------------------------------------------------


def test_a_forecast_is_scored_once_its_day_is_known_and_not_before(air):
    say(air, "lima", [10, 10, 10], [12, 9, 11])
    rows = outcomes(air, midnight(FIRST + timedelta(days=2)), days=2)
    assert rows[["observed", "pm25", "live"]].values.tolist() == [[12, 10, True], [9, 10, True]]


def test_days_on_which_cams_stood_in_do_not_judge_a_station_that_speaks(air):
    say(air, "rotterdam-zuid", [10, 10], [12, 9])
    say(air, "rotterdam-zuid", [10], [12], origin="cams")
    assert outcomes(air, midnight(FIRST + timedelta(days=9)), days=9)["observed"].tolist() == [9]


def test_a_station_that_only_cams_knows_is_judged_by_cams(air):
    say(air, "lima", [10, 10], [12, 9], origin="cams")
    assert outcomes(air, midnight(FIRST + timedelta(days=9)), days=9)["observed"].tolist() == [12, 9]


def test_the_models_backtest_fills_days_before_it_served_and_what_was_really_said_goes_before(air):
    until = midnight(date(2026, 10, 20))
    rows = outcomes(air, until, 60, serving(air, run_of("2026-10-20")))
    lead1 = rows[(rows["lead"] == 1) & (rows["station"] == "lima")]
    assert not lead1.duplicated("day").any()
    assert lead1["day"].is_monotonic_increasing and len(lead1) == 60
    assert lead1.set_index("day")["live"].loc["2026-10-11":].all()
    assert not lead1.set_index("day")["live"].loc[:"2026-10-10"].any()


# --- figures -------------------------------------------------------------------------------------------------------


def test_the_figures_of_literal_rows(air):
    """Ours err by 1 or 3, damped persistence by 3 or 7; three of four intervals hold."""
    say(air, "lima", [10] * 40, [11, 11, 7, 11] * 10)
    scored(air, FIRST + timedelta(days=89))  # nothing of the home is in the 90 days before
    found = figures(air, "*", 1)
    assert [*found.index] == ["coverage", "mae", "rmse", "skill"]
    assert found.loc["mae", ["value", "baseline"]].tolist() == [1.5, 4.0]
    assert found.loc["coverage", "value"] == 0.75
    assert found.loc["coverage", "low"] < 0.75 < found.loc["coverage", "high"]
    assert found.loc["skill", "value"] > 0 and not found.loc["skill", "alarm"]
    assert found.loc["coverage", "alarm"]  # 0.75 of what is promised to be 0.9


def test_figures_are_told_for_all_together_each_lead_and_each_station(air):
    report = scored(air, "2026-10-20")
    rows = air.features.read(MONITORING)
    rows = rows[rows["day"] == midnight(date(2026, 10, 20))]
    assert {*rows.loc[rows["station"] == "*", "lead"]} == {0, *LEADS}
    assert {*rows.loc[rows["station"] == "lima", "figure"]} == {"rmse", "coverage", "drift"}
    assert {*rows.loc[rows["station"] == "rotterdam-zuid", "figure"]} == {"rmse", "coverage", "drift", "silent_days"}
    assert {*report.metrics} == {*NAMES}
    assert {*report.baselines} == {"rmse", *BASELINES} - {"cams"}


def test_forecasts_that_lie_off_by_half_for_weeks_are_drift_told_once_a_month(air):
    say(air, "lima", [10] * 27, [16] * 27)
    for day in ("2026-11-27", "2026-11-28"):
        scored(air, day)
    drift = figures(air, "lima").loc["drift"]
    assert drift["alarm"]
    assert drift["low"] < np.log(17 / 11) + 1e-9
    alerts = air.features.read(ALERTS)
    assert alerts.loc[alerts["kind"] == "drift", ["alert", "message"]].values.tolist() == [
        ["drift/lima/2026-11", f"lima: forecasts lie off by {np.expm1(drift['value']):+.0%}"]
    ]


def test_two_weeks_are_too_few_to_call_it_drift(air):
    say(air, "lima", [10] * 14, [16] * 14)
    scored(air, FIRST + timedelta(days=70 + 14))
    assert not figures(air, "lima").loc["drift", "alarm"]


def test_days_of_silence_count_from_the_last_value_of_ones_own(air):
    say(air, "rotterdam-zuid", [10] * 6, [10, 10, 10, 10, 10, 10], origin="cams")
    report = scored(air, "2026-11-06")
    silent = figures(air, "rotterdam-zuid").loc["silent_days"]
    assert (silent["value"], silent["alarm"]) == (18, True)  # 2026-10-19 was its own
    assert "silent_days of rotterdam-zuid" in report.note
    assert "silent_days" not in figures(air, "lima").index


def test_scoring_a_date_again_changes_nothing_and_repeats_no_alert(air):
    scored(air, "2026-10-20")
    version = air.features.version()
    assert scored(air, "2026-10-20").rows == 0
    assert air.features.version() == version


def test_scoring_a_date_again_once_its_day_is_known_changes_nothing(air):
    before = scored(air, "2026-10-20"), figures(air, "lima")
    days = air.features.read(OBSERVATIONS)
    known = days[days["day"] == midnight(date(2026, 10, 19))].assign(day=midnight(date(2026, 10, 20)), pm25=500.0)
    air.features.write(OBSERVATIONS, known)
    assert scored(air, "2026-10-20").metrics == before[0].metrics
    assert figures(air, "lima").equals(before[1])


def test_before_any_outcome_there_are_no_figures_and_no_error(air):
    report = scored(air, "2027-09-01")
    assert (report.metrics, report.baselines) == ({}, {})


# --- retraining ----------------------------------------------------------------------------------------------------


def due(platform, day):
    return retraining_due(platform, run_of(day), serving(platform, run_of(day)))


def test_a_model_is_due_after_thirty_days_and_not_before(air):
    assert due(air, "2026-11-09") == ""
    assert due(air, "2026-11-10") == "the last training was 30 days ago"


def test_drift_calls_for_a_new_model_but_not_within_a_week_of_the_last(air):
    say(air, "lima", [10] * 27, [16] * 27)
    scored(air, "2026-11-05")
    alarm = air.features.read(MONITORING).tail(1).assign(station="lima", lead=0, figure="drift", alarm=True)
    for day in ("2026-10-16", "2026-10-19"):
        air.features.write(MONITORING, alarm.assign(day=pd.Timestamp(day, tz="UTC")))
    assert due(air, "2026-10-16") == ""
    assert due(air, "2026-10-19") == "alarm: drift"


def test_a_silent_station_calls_for_no_new_model(air):
    alarm = air.features.read(MONITORING).tail(1).assign(station="lima", lead=0, figure="silent_days", alarm=True)
    air.features.write(MONITORING, alarm.assign(day=pd.Timestamp("2026-10-19", tz="UTC")))
    assert due(air, "2026-10-19") == ""


def test_a_quarter_more_days_call_for_a_new_model(air):
    """A station with a long history was added: it learns from it without waiting for a month."""
    days = pd.date_range("2020-01-01", periods=420, tz="UTC")
    rows = pd.DataFrame({"station": "lima", "day": days, "pm25": 9.0, "origin": "history", "hours": 0})
    air.features.write(OBSERVATIONS, rows)
    assert due(air, "2026-10-19").startswith("2036 labelled rows, and the serving model learned from 1600")
