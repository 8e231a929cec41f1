"""What people are shown of a station: the one they mean, its newest forecast, its past, and how good that was."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from shared.errors import NotYetError, UsageError
from shared.ports import NewModel
from shared.systems.air_quality.showing import (
    coverages,
    freshness,
    horizon,
    newest_outcome,
    outlooks,
    place,
    rmses,
    seen,
    skills,
)
from shared.systems.air_quality.tables import BASELINES, OBSERVATIONS, PREDICTIONS, READINGS, STATIONS

TODAY = date(2026, 11, 10)


def at(day):
    return pd.Timestamp(day, tz="UTC")


def station(name, called=None, feed=None):
    where = {"latitude": 51.9, "longitude": 4.5, "country": "NL", "timezone": "Europe/Amsterdam"}
    return {"station": name, "added_at": at("2026-01-01"), "name": called or name, **where, "feed": feed}


def said(name, made_on, pm25=10.0, **changes):
    """Return the seven forecasts that a station's run of a date made."""
    days = [made_on + timedelta(days=lead - 1) for lead in range(1, 8)]
    values = {"pm25": pm25, "blend": pm25, "low": 5.0, "high": 20.0, "p15": 0.2, "p25": 0.1, "p35": 0.01}
    values |= dict.fromkeys(BASELINES, 12.0) | changes
    made = {"input_hash": "h", "model": "air_quality", "model_version": 1, "run_id": "r", "code_version": "c"}
    return pd.DataFrame(
        [
            {"forecast": f"{name}/{day}/{lead}", "station": name, "day": at(day), "lead": lead, **values, **made}
            for lead, day in enumerate(days, 1)
        ]
    ).assign(store_version=1)


def was(name, first, values, origin="station"):
    days = pd.date_range(first, periods=len(values), tz="UTC")
    return pd.DataFrame({"station": name, "day": days, "pm25": values, "origin": origin, "hours": 24})


def write(platform, stations=(), forecasts=(), observed=()):
    if stations:
        platform.features.write(STATIONS, pd.DataFrame([*stations]))
    for rows in forecasts:
        platform.features.write(PREDICTIONS, rows)
    for rows in observed:
        platform.features.write(OBSERVATIONS, rows)


def errors_of(days, pm25, damped, leads=(1,), **more):
    """Return outcomes of which the truth is 10 each day, and what was said differs from it as given."""
    rows = [
        {"station": "delft", "day": day, "lead": lead, "observed": 10.0, "pm25": 10.0 + pm25[lead], "live": True}
        for day in pd.date_range("2026-01-01", periods=days, tz="UTC")
        for lead in leads
    ]
    others = {name: 10.0 + damped for name in BASELINES}
    return pd.DataFrame(rows).assign(low=8.0, high=12.0, **{**others, **more})


@pytest.mark.parametrize("given", ["krakow", "Kraków", "kraków", " Kraków "])
def test_a_station_is_known_by_its_short_name_and_by_its_name(platform, given):
    write(platform, [station("krakow", "Kraków"), station("delft", "Delft")])
    assert place(platform, given)["station"] == "krakow"


@pytest.mark.parametrize("given", ["", None])
def test_blank_means_the_only_station(platform, given):
    write(platform, [station("delft")])
    assert place(platform, given)["station"] == "delft"


@pytest.mark.parametrize("given", ["", None])
def test_blank_is_not_guessed_among_several(platform, given):
    write(platform, [station("delft"), station("gouda")])
    with pytest.raises(UsageError, match="say which station; there are: delft, gouda"):
        place(platform, given)


@pytest.mark.parametrize("given", ["delf", "<b>delft", "x" * 10_000, 7, 0.5, ["delft"], {"a": 1}, True, "!", "\x00"])
def test_what_is_no_station_is_refused_in_a_short_sentence(platform, given):
    write(platform, [station("delft"), station("gouda")])
    with pytest.raises(UsageError, match=r"there is no station .*(did you mean|there are): ") as refused:
        place(platform, given)
    assert len(str(refused.value)) < 200


def test_without_any_station_the_command_is_named(platform):
    with pytest.raises(NotYetError, match="run `almanac run air_quality backfill`"):
        place(platform, "delft")


def test_the_newest_run_of_a_station_is_its_forecast(platform):
    write(platform, [station("delft")], [said("delft", TODAY - timedelta(days=1), 9.0), said("delft", TODAY, 11.0)])
    look = outlooks(platform)["delft"]
    assert (look.made_on, [*look.forecast["lead"]], {*look.forecast["pm25"]}) == (TODAY, [*range(1, 8)], {11.0})


def test_a_station_that_missed_a_run_shows_its_last_one(platform):
    write(
        platform, [station("delft"), station("gouda")], [said("delft", TODAY - timedelta(days=2)), said("gouda", TODAY)]
    )
    assert {name: look.made_on for name, look in outlooks(platform).items()} == {
        "delft": TODAY - timedelta(days=2),
        "gouda": TODAY,
    }


def test_a_station_silent_for_a_month_has_no_forecast_to_show(platform):
    write(
        platform,
        [station("delft"), station("gouda")],
        [said("delft", TODAY - timedelta(days=40)), said("gouda", TODAY)],
    )
    assert [*outlooks(platform)] == ["gouda"]
    with pytest.raises(NotYetError, match="nothing was forecast for delft lately; run `almanac day`"):
        outlooks(platform, "delft")


def test_a_forecast_stands_beside_the_fourteen_days_before_it(platform):
    write(platform, [station("delft")], [said("delft", TODAY)], [was("delft", "2026-10-01", np.arange(40.0))])
    seen_days = outlooks(platform, "delft")["delft"].observed["day"]
    assert (seen_days.iloc[0], seen_days.iloc[-1], len(seen_days)) == (at("2026-10-27"), at("2026-11-09"), 14)


def test_nothing_observed_leaves_the_forecast_alone(platform):
    write(platform, [station("delft")], [said("delft", TODAY)])
    assert outlooks(platform)["delft"].observed.empty


def test_without_a_forecast_the_command_is_named(platform):
    write(platform, [station("delft")])
    with pytest.raises(NotYetError, match="run `almanac day`"):
        outlooks(platform)
    with pytest.raises(NotYetError, match="run `almanac run air_quality backfill`"):
        newest_outcome(platform, "delft")


def past_model(platform, tmp_path, first, count):
    """Return a model whose backtest said 7 for delft and gouda on each day, at lead 1."""
    days = pd.date_range(first, periods=count, tz="UTC")
    rows = [
        {"station": name, "day": day, "lead": 1, "observed": 8.0, "pm25": 7.0, "low": 6.0, "high": 9.0}
        for name in ("delft", "gouda")
        for day in days
    ]
    (tmp_path / "model").mkdir()
    pd.DataFrame(rows).assign(**dict.fromkeys(BASELINES, 9.0)).to_parquet(tmp_path / "model" / "past.parquet")
    return platform.models.save(NewModel("air_quality", tmp_path / "model", {}))


def test_what_was_really_said_replaces_the_backtest_of_that_day(platform, tmp_path):
    model = past_model(platform, tmp_path, "2026-11-08", 4)
    write(platform, [station("delft")], [said("delft", TODAY)], [was("delft", "2026-11-08", [8.0, 8.0, 8.5, 9.0])])
    rows = seen(platform, model, "delft", (date(2026, 11, 9), date(2026, 11, 11)))
    told = [(f"{row.day:%d}", row.lead, row.pm25, row.live) for row in rows.itertuples()]
    assert told == [("09", 1, 7.0, False), ("10", 1, 10.0, True), ("11", 1, 7.0, False), ("11", 2, 10.0, True)]
    assert {*rows["station"]} == {"delft"}


def test_one_station_is_seen_as_it_is_among_all(platform, tmp_path):
    model = past_model(platform, tmp_path, "2026-11-01", 10)
    observed = [was("delft", "2026-11-01", np.arange(12.0)), was("gouda", "2026-11-01", np.arange(12.0), "cams")]
    write(platform, [station("delft"), station("gouda")], [said("delft", TODAY), said("gouda", TODAY)], observed)
    span = (date(2026, 11, 3), date(2026, 11, 12))
    everything = seen(platform, model, "", span)
    for name in ("delft", "gouda"):
        mine = everything[everything["station"] == name].reset_index(drop=True)
        pd.testing.assert_frame_equal(seen(platform, model, name, span)[[*mine]], mine)


def test_skill_is_the_share_of_squared_error_that_is_gone():
    found = skills(errors_of(100, {1: 1.0}, 2.0))
    assert {*found["baseline"]} == {*BASELINES}
    assert found[["value", "low", "high"]].to_numpy() == pytest.approx(0.75)


def test_too_few_days_have_a_skill_without_an_interval():
    found = skills(errors_of(30, {1: 1.0}, 2.0))
    assert found["value"].to_numpy() == pytest.approx(0.75)
    assert found[["low", "high"]].isna().all(axis=None)
    assert horizon(found) is None


def test_without_an_interval_skill_is_the_same():
    rows = errors_of(100, {1: 1.0, 2: 3.0}, 2.0, leads=(1, 2))
    quick, sure = skills(rows, ("damped",), sure=False), skills(rows, ("damped",))
    assert quick["value"].to_numpy() == pytest.approx(sure["value"].to_numpy())
    assert quick["low"].isna().all()


def test_a_baseline_that_says_nothing_is_left_out():
    found = skills(errors_of(100, {1: 1.0}, 2.0, cams=np.nan))
    assert "cams" not in {*found["baseline"]}


def test_no_outcomes_have_no_figures():
    rows = errors_of(1, {1: 1.0}, 2.0).head(0)
    assert [len(skills(rows)), len(coverages(rows)), len(rmses(rows)), horizon(skills(rows))] == [0, 0, 0, None]


def test_the_horizon_ends_at_the_first_lead_that_is_not_surely_better():
    rows = errors_of(100, {1: 1.0, 2: 1.5, 3: 2.5, 4: 1.0}, 2.0, leads=(1, 2, 3, 4))
    assert horizon(skills(rows)) == 2


def test_errors_stand_beside_each_baseline_by_lead():
    table = rmses(errors_of(10, {1: 1.0, 2: -3.0}, 2.0, leads=(1, 2), cams=np.nan))
    assert table["pm25"].tolist() == [1.0, 3.0]
    assert table["damped"].tolist() == [2.0, 2.0]
    assert table["cams"].isna().all()


def test_coverage_is_the_share_of_intervals_that_held():
    rows = errors_of(100, {1: 1.0}, 2.0)
    rows.loc[rows.index[::5], "high"] = 9.0
    found = coverages(rows).iloc[0]
    assert found["value"] == pytest.approx(0.8)
    assert found["low"] <= 0.8 <= found["high"]


def test_freshness_says_when_the_station_last_spoke_for_itself(platform):
    write(
        platform,
        [station("delft")],
        [],
        [was("delft", "2026-11-01", [9.0] * 3), was("delft", "2026-11-04", [9.0], "cams")],
    )
    reading = {"station": "delft", "read_at": datetime(2026, 11, 4, 6, tzinfo=UTC), "aqi": 50.0, "pm25": 9.0}
    platform.features.write(READINGS, pd.DataFrame([reading]))
    fresh = freshness(platform, "delft", TODAY)
    assert (fresh.own_day, fresh.observed_day, fresh.archive_day) == (date(2026, 11, 3), date(2026, 11, 4), None)
    assert fresh.read_at == datetime(2026, 11, 4, 6, tzinfo=UTC)
    assert freshness(platform, "gouda", TODAY).observed_day is None
