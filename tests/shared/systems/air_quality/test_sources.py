"""Backfill and the daily fetch in the demo world: what is stored, what heals, and each service failing in turn."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from shared.adapters.demo import DemoTransport, parse_faults
from shared.adapters.simulators import SIMULATORS
from shared.adapters.web import HttpWeb
from shared.connect import open_platform
from shared.errors import SourceError, UsageError, WebError
from shared.runs import Run, midnight
from shared.systems.air_quality.sources import backfill, fetch
from shared.systems.air_quality.stations import Place, add
from shared.systems.air_quality.tables import CAMS, OBSERVATIONS, READINGS, STATIONS, WEATHER

HOSTS = {
    "archive-api.open-meteo.com": "weather archive",
    "api.open-meteo.com": "weather forecast",
    "air-quality-api.open-meteo.com": "CAMS",
}


def run_of(day, started=None):
    """A run for a date, on that date's morning unless told."""
    started_at = datetime.fromisoformat(f"{started or day}T09:00:00+00:00")
    return Run("r", "air_quality", "daily", date.fromisoformat(day), started_at, "c0de")


def failing(faults):
    """The platform of the same home in a world with these faults, where no try waits for the next."""
    web = HttpWeb(DemoTransport(SIMULATORS, parse_faults(faults)), sleep=lambda _: None)
    return replace(open_platform(), web=web)


def alone(platform):
    """The platform without a token: only CAMS knows fine dust."""
    return replace(platform, secrets={})


def days(platform, table=OBSERVATIONS, **where):
    rows = platform.features.read(table)
    for name, value in where.items():
        rows = rows[rows[name] == value]
    return [str(day.date())[5:] for day in rows["day"]]


def origins(platform):
    rows = platform.features.read(OBSERVATIONS)
    return dict(zip(rows["day"].dt.strftime("%m-%d"), rows["origin"], strict=True))


@pytest.fixture
def filled(platform):
    """Twenty days before 2026-11-10."""
    backfill(platform, run_of("2026-11-10"), days=20)
    return platform


# --- backfill ------------------------------------------------------------------------------------------------------


def test_a_backfill_stores_the_days_before_and_none_after(platform):
    report = backfill(platform, run_of("2026-11-10"), days=20)
    assert report.metrics == {"stations": 1, "days": 20, "cams": 20}
    expected = [str(date(2026, 10, 21) + timedelta(days=n))[5:] for n in range(20)]
    assert days(platform) == days(platform, CAMS, lead=0) == expected
    assert days(platform, WEATHER, lead=1) == days(platform, WEATHER, lead=7) == expected
    assert days(platform, WEATHER, lead=0) == expected[:-2]  # the archive lags
    assert len(platform.features.read(CAMS)) == 20


def test_a_backfill_again_changes_nothing(filled):
    version = filled.features.version()
    assert backfill(filled, run_of("2026-11-10"), days=20).rows == 0
    assert filled.features.version() == version


def test_a_backfill_across_a_leap_day_and_a_change_of_clocks_misses_no_day(platform):
    backfill(platform, run_of("2024-04-02"), days=40)
    assert {"02-29", "03-30", "03-31", "04-01"} <= {*days(platform)}
    assert len(days(platform)) == 40


def test_a_value_out_of_bounds_is_put_aside_and_told(platform, tmp_path):
    (tmp_path / "dust.csv").write_text("date,pm25\n2026-11-07,7.5\n2026-11-08,9999.5\n2026-11-09,9.5\n")
    report = backfill(platform, run_of("2026-11-10"), days=2, source=str(tmp_path / "dust.csv"), unit="ugm3")
    assert "1 rows are out of bounds: almanac table air_quality_observations_quarantine" in report.note
    assert platform.features.read(OBSERVATIONS.quarantine)["reason"].tolist() == ["pm25 is above 1000 µg/m³"]


def test_a_file_is_history_and_cams_fills_the_days_that_it_lacks(platform, tmp_path):
    (tmp_path / "dust.csv").write_text("date,pm25\n2020-01-01,7.5\n2026-11-08,8.5\n2026-11-09,9\n2026-11-10,10\n")
    report = backfill(platform, run_of("2026-11-10"), days=4, source=str(tmp_path / "dust.csv"), unit="ugm3")
    assert origins(platform) == {
        "01-01": "history",
        "11-06": "cams",
        "11-07": "cams",
        "11-08": "history",
        "11-09": "history",
    }
    assert report.metrics["history"] == 3
    rows = platform.features.read(OBSERVATIONS)
    assert rows.loc[rows["origin"] == "history", "pm25"].tolist() == [7.5, 8.5, 9]
    assert "01-01" in days(platform, WEATHER, lead=0)
    assert platform.features.read(WEATHER)["day"].min().year == 2020


def test_a_weather_file_is_not_replaced_by_the_archive(platform, tmp_path):
    header = "date,temperature_2m_mean,precipitation_sum,wind_speed_10m_max,wind_direction_10m_dominant"
    (tmp_path / "w.csv").write_text(f"{header}\n2026-11-05,-40,0,1,90\n")
    backfill(platform, run_of("2026-11-10"), days=8, weather=str(tmp_path / "w.csv"))
    fetch(platform, run_of("2026-11-10"))
    rows = platform.features.read(WEATHER)
    kept = rows[(rows["day"] == midnight(date(2026, 11, 5))) & (rows["lead"] == 0)]
    assert kept[["temperature_mean", "origin"]].values.tolist() == [[-40, "file"]]


def test_a_backfill_that_breaks_keeps_what_it_had_and_goes_on_later():
    platform = failing("air-quality-api.open-meteo.com=503:4")
    with pytest.raises(WebError, match="air-quality-api"):
        backfill(platform, run_of("2026-11-10"), days=20)
    assert len(days(platform, WEATHER, lead=7)) == 20
    assert days(platform) == []
    assert backfill(platform, run_of("2026-11-10"), days=20).rows == 40  # OBSERVATIONS and CAMS


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"station": "oslo"}, "there is no station 'oslo'; there are: rotterdam-zuid"),
        ({"unit": "aqi"}, "--unit says in which unit the values of a --source are"),
        ({"days": 0}, "--days counts from 1 to 13000; got 0"),
        ({"days": 999_999}, "--days counts from 1 to 13000; got 999999"),
    ],
)
def test_a_backfill_of_what_is_not_there_is_wrong_usage(platform, told, said):
    with pytest.raises(UsageError, match=said):
        backfill(platform, run_of("2026-11-10"), **told)


def test_a_file_is_of_one_station(platform, tmp_path):
    for name in ("Zuid", "Noord"):
        add(platform, run_of("2026-11-10"), Place(name, 51.9, 4.51, "NL"))
    with pytest.raises(UsageError, match="say which with --station"):
        backfill(platform, run_of("2026-11-10"), source="dust.csv")
    with pytest.raises(SourceError, match="there is no file"):
        backfill(platform, run_of("2026-11-10"), station="zuid", source=str(tmp_path / "dust.csv"))
    assert [table.name for table in platform.features.tables()] == [STATIONS.name]


# --- fetch ---------------------------------------------------------------------------------------------------------


def test_a_day_brings_a_reading_the_weather_ahead_and_cams_five_days_ahead(filled):
    fetched = fetch(filled, run_of("2026-11-10"))
    assert fetched.notes == ()
    assert filled.features.read(READINGS)["read_at"].tolist() == [pd.Timestamp("2026-11-10T06:00", tz="UTC")]
    ahead = filled.features.read(WEATHER, since=midnight(date(2026, 11, 10)))
    assert [*zip(ahead["day"].dt.day, ahead["lead"], strict=True)] == [(9 + lead, lead) for lead in range(1, 8)]
    assert ahead["temperature_mean"].notna().all()
    cams = filled.features.read(CAMS, since=midnight(date(2026, 11, 10)))
    assert [*zip(cams["day"].dt.day, cams["lead"], strict=True)] == [(9 + lead, lead) for lead in range(1, 6)]
    assert days(filled)[-1] == "11-09"


def test_the_same_day_again_changes_nothing(filled):
    fetch(filled, run_of("2026-11-10"))
    version = filled.features.version()
    assert fetch(filled, run_of("2026-11-10")).rows == 0
    assert filled.features.version() == version


def test_one_reading_of_a_day_moves_cams_and_the_day_says_so(filled):
    fetch(filled, run_of("2026-11-10"))
    fetch(filled, run_of("2026-11-11"))
    assert origins(filled)["11-10"] == "station_cams"
    assert origins(filled)["11-09"] == "cams"


def test_eighteen_hours_of_readings_are_the_stations_own_day_also_when_cams_is_down(filled):
    read_at = pd.date_range("2026-11-09T00:00", periods=20, freq="h", tz="UTC")
    rows = pd.DataFrame({"station": "rotterdam-zuid", "read_at": read_at, "aqi": 100.0, "pm25": 35.4})
    filled.features.write(READINGS, rows)
    down = failing("air-quality-api.open-meteo.com=timeout")
    fetch(down, run_of("2026-11-10"))
    row = down.features.read(OBSERVATIONS).iloc[-1]
    assert (round(row["pm25"], 9), row["origin"], row["hours"]) == (35.4, "station", 20)
    fetch(failing(""), run_of("2026-11-10"))
    assert origins(filled)["11-09"] == "station"


def test_the_archive_replaces_a_forecast_when_it_is_there(filled):
    fetch(filled, run_of("2026-11-10"))
    assert days(filled, WEATHER, lead=0, origin="forecast") == ["11-08", "11-09"]
    fetch(filled, run_of("2026-11-12"))
    assert days(filled, WEATHER, lead=0, origin="forecast") == ["11-10", "11-11"]


def test_a_forecast_does_not_replace_the_archive_when_that_is_down(filled):
    before = filled.features.read(WEATHER)
    fetch(failing("archive-api.open-meteo.com=503"), run_of("2026-11-10"))
    after = filled.features.read(WEATHER, until=midnight(date(2026, 11, 8)))
    pd.testing.assert_frame_equal(before[before["day"] < midnight(date(2026, 11, 8))], after)


def test_cams_as_revised_replaces_what_it_said_first(filled):
    quiet = alone(filled)
    fetch(quiet, run_of("2026-11-10"))
    first = quiet.features.read(OBSERVATIONS).set_index("day")["pm25"]
    fetch(quiet, run_of("2026-11-14"))
    last = quiet.features.read(OBSERVATIONS).set_index("day")["pm25"]
    day = midnight(date(2026, 11, 9))
    assert first[day] != last[day]
    assert quiet.features.read(CAMS).query("lead == 0").set_index("day").loc[day, "pm25"] == last[day]


def test_history_stays_history(platform, tmp_path):
    (tmp_path / "dust.csv").write_text("date,pm25\n2026-11-08,8.5\n2026-11-09,99.5\n")
    backfill(platform, run_of("2026-11-10"), days=5, source=str(tmp_path / "dust.csv"), unit="ugm3")
    fetch(platform, run_of("2026-11-10"))
    fetch(platform, run_of("2026-11-12"))
    assert platform.features.read(OBSERVATIONS).set_index("day")["pm25"][midnight(date(2026, 11, 9))] == 99.5
    assert origins(platform)["11-09"] == "history"


# --- what was missed -----------------------------------------------------------------------------------------------


def test_a_missed_week_heals_at_the_next_run(filled):
    fetch(filled, run_of("2026-11-10"))
    fetch(filled, run_of("2026-11-18"))
    assert days(filled)[-8:] == [f"11-{day}" for day in range(10, 18)]


def test_a_month_of_silence_heals_itself(filled):
    fetch(filled, run_of("2026-11-10"))
    fetch(filled, run_of("2026-12-15"))
    expected = [str(date(2026, 10, 21) + timedelta(days=n))[5:] for n in range(55)]
    assert days(filled) == expected
    assert days(filled, WEATHER, lead=0) == expected


def test_a_late_run_knows_only_what_was_forecast_by_its_date(filled):
    fetch(filled, run_of("2026-11-10", started="2026-11-15"))
    ahead = filled.features.read(WEATHER, since=midnight(date(2026, 11, 10)))
    backfill(filled, run_of("2026-11-30"), days=30)
    issued = filled.features.read(WEATHER)
    both = ahead.merge(issued, on=["station", "day", "lead"], suffixes=("", "_issued"))
    assert len(both) == 7
    assert np.allclose(both["temperature_mean"], both["temperature_mean_issued"])


def test_a_late_run_leaves_what_was_forecast_on_the_day(filled):
    fetch(filled, run_of("2026-11-10"))
    before = filled.features.read(WEATHER, since=midnight(date(2026, 11, 10)))
    fetch(filled, run_of("2026-11-10", started="2026-11-15"))
    pd.testing.assert_frame_equal(before, filled.features.read(WEATHER, since=midnight(date(2026, 11, 10))))


# --- failures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["timeout", "refused", "429", "500", "503", "truncated", "error_in_200", "empty"])
@pytest.mark.parametrize("host", HOSTS)
def test_each_service_may_fail_alone_and_is_named_and_heals(filled, host, kind):
    fetched = fetch(failing(f"{host}={kind}"), run_of("2026-11-11"))
    assert len(fetched.notes) == 1
    assert fetched.notes[0].startswith(f"{HOSTS[host]} is missing: ")
    assert host in fetched.notes[0]
    assert ("11-10" in days(filled)) == (host != "air-quality-api.open-meteo.com")
    assert len(days(filled, WEATHER, lead=7)) == 21  # when the forecast is down, the archive of forecasts stands in
    healed = fetch(failing(""), run_of("2026-11-12"))
    assert healed.notes == ()
    assert days(filled)[-2:] == ["11-10", "11-11"]
    assert days(filled, WEATHER, lead=0)[-2:] == ["11-10", "11-11"]


def test_a_fault_that_passes_is_not_noticed(filled):
    assert fetch(failing("*open-meteo.com=503:2"), run_of("2026-11-11")).notes == ()


def test_when_all_fail_the_run_ends_with_notes_and_loses_nothing(filled):
    before = filled.features.read(OBSERVATIONS)
    fetched = fetch(failing("*=503"), run_of("2026-11-11"))
    assert fetched.rows == 0
    assert [note.split(":")[0] for note in fetched.notes] == [
        "no reading of rotterdam-zuid",
        "weather archive is missing",
        "weather forecast is missing",
        "archive of weather forecasts is missing",
        "CAMS is missing",
    ]
    pd.testing.assert_frame_equal(before, filled.features.read(OBSERVATIONS))


def test_when_all_fail_and_nothing_is_known_the_run_fails():
    with pytest.raises(WebError, match="again later"):
        fetch(failing("*=503"), run_of("2026-11-11"))


@pytest.mark.parametrize("kind", ["stale", "no_data", "503", "error_in_200"])
def test_a_station_that_says_nothing_new_is_named_and_cams_stands_in(filled, kind):
    fetched = fetch(failing(f"api.waqi.info={kind}"), run_of("2026-11-10"))
    assert fetched.notes[0].startswith("no reading of rotterdam-zuid: ")
    assert len(filled.features.read(READINGS)) == 0
    assert origins(filled)["11-09"] == "cams"


def test_without_a_token_no_station_is_asked_and_the_run_says_so(filled):
    fetched = fetch(alone(filled), run_of("2026-11-10"))
    assert fetched.notes == ("without AQICN_TOKEN no station is asked: CAMS stands in",)
    assert filled.features.read(READINGS).empty


def test_a_station_that_joins_later_has_three_months_at_once_and_the_others_their_window(filled):
    add(filled, run_of("2026-11-10"), Place("Tokyo", 35.68, 139.69, "JP"))
    add(filled, run_of("2026-11-10"), Place("Zuid", 51.9, 4.51, "NL"))
    fetch(filled, run_of("2026-11-10"))
    assert filled.features.read(OBSERVATIONS).groupby("station").size().to_dict() == {
        "rotterdam-zuid": 20,
        "tokyo": 92,
        "zuid": 92,
    }


@pytest.mark.slow
def test_two_hundred_stations_have_every_day_and_lead(platform):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"station": [f"s{n:03d}" for n in range(200)], "added_at": midnight(date(2026, 1, 1))})
    rows = rows.assign(
        name=rows["station"], country="NL", feed=None, timezone=["Europe/Amsterdam", "Asia/Kolkata"] * 100
    )
    rows = rows.assign(latitude=rng.uniform(-60, 60, 200).round(2), longitude=rng.uniform(-180, 180, 200).round(2))
    platform.features.write(STATIONS, rows[STATIONS.names])
    backfill(platform, run_of("2026-11-10"), days=12)
    fetch(platform, run_of("2026-11-10"))
    assert (platform.features.read(OBSERVATIONS).groupby("station").size() == 12).all()
    ahead = platform.features.read(WEATHER, since=midnight(date(2026, 11, 10)))
    assert ahead.groupby("lead").size().to_dict() == dict.fromkeys(range(1, 8), 200)


def test_no_message_holds_the_token(filled):
    secret = replace(failing("*=503"), secrets={"AQICN_TOKEN": "s3cret"})
    assert "s3cret" not in str(fetch(secret, run_of("2026-11-11")).notes)
    assert "s3cret" not in repr(secret)
