"""The simulated Open-Meteo: the real one's format, what is known when, and what is refused."""

import math
import re
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.demo import DemoTransport, Fault
from shared.adapters.simulators import SIMULATORS
from shared.adapters.simulators.air import cams_pm25, forecast_weather, truth_weather
from shared.adapters.simulators.open_meteo import simulated_open_meteo
from shared.adapters.web import HttpWeb
from shared.errors import WebError

ARCHIVE = "https://archive-api.open-meteo.com/v1/archive"
FORECAST = "https://api.open-meteo.com/v1/forecast"
RUNS = "https://previous-runs-api.open-meteo.com/v1/forecast"
AIR = "https://air-quality-api.open-meteo.com/v1/air-quality"
ROTTERDAM = {"latitude": 51.9, "longitude": 4.51}
NOW = datetime(2026, 11, 20, 6, 45, tzinfo=UTC)
WEATHER = "temperature_2m,precipitation,wind_speed_10m,wind_direction_10m"


def ask(url, now=NOW, place=ROTTERDAM, **params):
    headers = {"Date": format_datetime(now, usegmt=True)} if now else {}
    return simulated_open_meteo(httpx.Request("GET", url, params={**place, **params}, headers=headers))


def values(url, name, now=NOW, **params):
    return ask(url, now, hourly=name, **params).json()["hourly"][name]


def span(first, last):
    return {"start_date": first, "end_date": last}


def hours(first, days=1):
    start = int(datetime.fromisoformat(first).replace(tzinfo=UTC).timestamp()) // 3600
    return np.arange(start, start + 24 * days)


def test_an_answer_has_the_fields_units_and_times_of_the_real_one():
    answer = ask(FORECAST, hourly=WEATHER, **span("2024-02-28", "2024-03-01"), now=datetime(2024, 2, 28, tzinfo=UTC))
    found = answer.json()
    assert list(found) == [
        *("latitude", "longitude", "generationtime_ms", "utc_offset_seconds", "timezone", "timezone_abbreviation"),
        *("elevation", "hourly_units", "hourly"),
    ]
    assert (found["utc_offset_seconds"], found["timezone"], found["timezone_abbreviation"]) == (0, "GMT", "GMT")
    assert found["hourly_units"] == {
        "time": "iso8601",
        "temperature_2m": "°C",
        "precipitation": "mm",
        "wind_speed_10m": "km/h",
        "wind_direction_10m": "°",
    }
    times = found["hourly"]["time"]
    assert (times[0], times[24], times[-1]) == ("2024-02-28T00:00", "2024-02-29T00:00", "2024-03-01T23:00")
    assert [len(column) for column in found["hourly"].values()] == [72] * 5
    assert all(value == round(value, 1) for value in found["hourly"]["temperature_2m"])


def test_all_four_are_part_of_the_demo_world():
    web = HttpWeb(DemoTransport(SIMULATORS))
    for url, name in ((ARCHIVE, "precipitation"), (FORECAST, "precipitation"), (RUNS, "precipitation"), (AIR, "pm2_5")):
        asked = {**ROTTERDAM, "hourly": name, **span("2026-11-10", "2026-11-10")}
        assert len(web.get(url, asked).json()["hourly"][name]) == 24
    with pytest.raises(WebError, match="not part of the demo world"):
        web.get("https://marine-api.open-meteo.com/v1/marine", ROTTERDAM)


def test_the_archive_holds_the_truth_up_to_two_days_ago():
    found = values(ARCHIVE, "temperature_2m", **span("2026-11-15", "2026-11-20"))
    truth = truth_weather([(51.9, 4.51)], hours("2026-11-15", 3)).temperature[0]
    assert found[:72] == pytest.approx(truth, abs=0.051)
    assert found[72:] == [None] * 72


def test_the_archives_days_are_mean_sum_maximum_and_dominant_direction_of_its_hours():
    names = ("temperature_2m_mean", "precipitation_sum", "wind_speed_10m_max", "wind_direction_10m_dominant")
    found = ask(ARCHIVE, daily=",".join(names), hourly=WEATHER, **span("2026-11-16", "2026-11-18")).json()
    assert found["daily"]["time"] == ["2026-11-16", "2026-11-17", "2026-11-18"]
    assert found["daily_units"] == dict(zip(("time", *names), ("iso8601", "°C", "mm", "km/h", "°"), strict=True))
    first = {name: np.array(column[:24]) for name, column in found["hourly"].items() if name != "time"}
    angle = np.radians(first["wind_direction_10m"])
    east, north = ((first["wind_speed_10m"] * part(angle)).sum() for part in (np.sin, np.cos))
    assert [found["daily"][name][0] for name in names] == pytest.approx(
        [
            first["temperature_2m"].mean(),
            first["precipitation"].sum(),
            first["wind_speed_10m"].max(),
            math.degrees(math.atan2(east, north)) % 360,
        ],
        abs=0.7,  # of rounding: the rain of 24 hours
    )
    assert [found["daily"][name][2] for name in names] == [None] * 4


def test_a_previous_run_is_what_the_forecast_said_on_that_day():
    said = values(FORECAST, "temperature_2m", now=NOW - timedelta(3), **span("2026-11-19", "2026-11-19"))
    assert values(RUNS, "temperature_2m_previous_day2", **span("2026-11-19", "2026-11-19")) == said
    assert values(RUNS, "temperature_2m_previous_day1", **span("2026-11-19", "2026-11-19")) != said


def test_a_run_that_was_not_made_yet_is_null_and_so_are_those_that_were_not_kept():
    found = values(RUNS, "precipitation_previous_day2", **span("2026-11-22", "2026-11-23"))
    assert found[:24] != [None] * 24
    assert found[24:] == [None] * 24
    found = values(RUNS, "precipitation_previous_day2", **span("2023-12-31", "2024-01-01"))
    assert found[:24] == [None] * 24
    assert None not in found[24:]


def test_seven_leads_of_four_variables_can_be_asked_at_once_repeated_or_joined():
    names = [f"{name}_previous_day{lead}" for name in WEATHER.split(",") for lead in range(1, 8)]
    joined = ask(RUNS, hourly=",".join(names), **span("2026-11-01", "2026-11-02")).json()
    assert list(joined["hourly"]) == ["time", *names]
    assert joined["hourly_units"]["wind_speed_10m_previous_day7"] == "km/h"
    assert ask(RUNS, hourly=names, **span("2026-11-01", "2026-11-02")).json() == joined


def test_the_forecasts_error_grows_from_past_hours_to_the_last_day():
    found = np.array(values(FORECAST, "temperature_2m", past_days=92, forecast_days=16))
    start = hours("2026-08-20", 108)
    truth = truth_weather([(51.9, 4.51)], start).temperature[0]
    assert np.abs(found - truth)[: 92 * 24].mean() < 0.4
    assert np.abs(found - truth)[-9 * 24 :].mean() > 1
    leads = start // 24 - start[92 * 24] // 24
    assert found == pytest.approx(forecast_weather([(51.9, 4.51)], start, leads).temperature[0], abs=0.051)


def test_without_days_an_answer_has_a_week_of_weather_and_five_days_of_dust_from_today_on():
    for url, name, days in ((FORECAST, "precipitation", 7), (RUNS, "precipitation", 7), (AIR, "pm2_5", 5)):
        times = ask(url, hourly=name).json()["hourly"]["time"]
        assert (times[0], len(times)) == ("2026-11-20T00:00", days * 24)


def test_dust_is_cams_and_null_from_the_sixth_day_on():
    found = ask(AIR, hourly="pm2_5", past_days=3, forecast_days=7).json()
    assert found["hourly_units"]["pm2_5"] == "\u03bcg/m³"
    numbers, start = found["hourly"]["pm2_5"], hours("2026-11-17", 8)
    expected = cams_pm25([(51.9, 4.51)], start, start // 24 - start[0] // 24 - 3)[0]
    assert numbers[: 8 * 24] == pytest.approx(expected, abs=0.051)
    assert numbers[8 * 24 :] == [None] * 48


def test_dust_of_the_last_two_days_is_revised_and_then_settled():
    asked = span("2026-11-18", "2026-11-18")
    then, later, last = (values(AIR, "pm2_5", now=NOW + timedelta(days), **asked) for days in (0, 1, 30))
    assert then != later == last
    assert then == pytest.approx(last, rel=0.4)


def test_one_place_gives_an_object_and_many_a_list_in_their_order():
    places = {"latitude": "51.9,59.33,-33.87", "longitude": "4.51,18.07,151.21"}
    found = ask(ARCHIVE, place=places, hourly="temperature_2m", **span("2026-11-10", "2026-11-10")).json()
    assert [(one["latitude"], one.get("location_id")) for one in found] == [(51.9, None), (59.3, 1), (-33.9, 2)]
    assert found[0]["hourly"]["temperature_2m"] == values(ARCHIVE, "temperature_2m", **span("2026-11-10", "2026-11-10"))
    assert found[2]["hourly"]["temperature_2m"] != found[1]["hourly"]["temperature_2m"]


def test_a_time_zone_is_the_offset_of_now_for_every_day_of_the_answer():
    asked = {"hourly": "temperature_2m", "timezone": "Europe/Amsterdam", **span("2026-07-01", "2026-07-01")}
    found = ask(ARCHIVE, **asked).json()
    assert (found["utc_offset_seconds"], found["timezone_abbreviation"]) == (3600, "CET")
    assert found["hourly"]["time"][0] == "2026-07-01T00:00"  # in winter time, as the real one does
    gmt = values(ARCHIVE, "temperature_2m", **span("2026-06-30", "2026-07-01"))
    assert found["hourly"]["temperature_2m"] == gmt[23:47]
    seconds = ask(ARCHIVE, timeformat="unixtime", **asked).json()
    assert seconds["hourly_units"]["time"] == "unixtime"
    assert seconds["hourly"]["time"][:2] == [hours("2026-07-01")[0] * 3600 - 3600, hours("2026-07-01")[0] * 3600]


def test_each_place_may_have_its_own_clock():
    places = {"latitude": "51.9,-33.87,22.57", "longitude": "4.51,151.21,88.36"}
    found = ask(FORECAST, place=places, hourly="temperature_2m", timezone="auto", now=NOW.replace(hour=15)).json()
    assert [one["utc_offset_seconds"] for one in found] == [3600, 11 * 3600, 5 * 3600 + 1800]
    assert [one["hourly"]["time"][0] for one in found] == ["2026-11-20T00:00", "2026-11-21T00:00", "2026-11-20T00:00"]


def test_without_a_date_it_is_a_fixed_morning():
    assert ask(FORECAST, now=None, hourly="precipitation").json() == ask(FORECAST, hourly="precipitation").json()


@pytest.mark.parametrize(
    ("url", "params", "reason"),
    [
        (FORECAST, {"hourly": "tempratur"}, "Cannot initialize .* invalid String value tempratur for key hourly"),
        (FORECAST, {"hourly": "temperature_2m_previous_day1"}, "invalid String value"),
        (RUNS, {"hourly": "temperature_2m_previous_day8"}, "invalid String value"),
        (FORECAST, {"daily": "precipitation_sum"}, "invalid String value precipitation_sum for key daily"),
        (FORECAST, {"hourly": "precipitation", "wind_unit": "ms"}, "Unknown parameter 'wind_unit'"),
        (FORECAST, {"latitude": "51.9,52"}, "'latitude' and 'longitude' must have the same number"),
        (FORECAST, {"latitude": "", "longitude": ""}, "must not be empty"),
        (FORECAST, {"latitude": "north"}, "'latitude' must be a number"),
        (FORECAST, {"latitude": "nan"}, "Latitude must be in range of -90 to 90°. Given: nan."),
        (FORECAST, {"longitude": "181"}, "Longitude must be in range of -180 to 180°. Given: 181.0."),
        (FORECAST, {"latitude": ",".join(["1"] * 1001), "longitude": ",".join(["1"] * 1001)}, "not exceed 1000"),
        (FORECAST, {"timezone": "Mars/Olympus"}, "Invalid timezone"),
        (FORECAST, {"timezone": "GMT,GMT"}, "'timezone' and coordinates must have the same number"),
        (FORECAST, {"timeformat": "roman"}, "invalid String value roman"),
        (FORECAST, {"past_days": "93"}, "Past days is invalid. Allowed range 0 to 92. Given 93."),
        (FORECAST, {"forecast_days": "17"}, "Forecast days is invalid. Allowed range 0 to 16. Given 17."),
        (FORECAST, {"forecast_days": "0"}, "no day is left"),
        (AIR, {"forecast_days": "8"}, "Allowed range 0 to 7"),
        (FORECAST, {"start_date": "2026-11-20"}, "Both 'start_date' and 'end_date' must be set"),
        (ARCHIVE, {}, "Both 'start_date' and 'end_date' must be set"),
        (FORECAST, {**span("2026-11-20", "2026-11-21"), "past_days": "1"}, "mutually exclusive"),
        (FORECAST, span("2026-11-21", "2026-11-20"), "End-date must be larger or equals than start-date"),
        (FORECAST, span("2026-02-29", "2026-03-01"), "Invalid date format"),
        (ARCHIVE, span("2026-11-20", "2026-11-21"), "'end_date' is out of allowed range from 1940-01-01 to 2026-11-20"),
        (FORECAST, span("2026-08-19", "2026-08-21"), "'start_date' is out of .* from 2026-08-20 to 2026-12-06"),
    ],
)
def test_what_the_real_one_refuses_is_refused_with_a_reason(url, params, reason):
    answer = ask(url, **params)
    assert answer.status_code == 400
    assert answer.json()["error"] is True
    assert re.search(reason, answer.json()["reason"])


def test_a_refusal_reaches_the_caller_as_an_error():
    with pytest.raises(WebError, match="answered 400"):
        HttpWeb(DemoTransport(SIMULATORS)).get(ARCHIVE, {**ROTTERDAM, "hourly": "precipitation"})


def test_no_data_is_an_answer_full_of_nulls():
    web = HttpWeb(DemoTransport(SIMULATORS, [Fault("archive-api.open-meteo.com", "no_data", 1)]))
    asked = {**ROTTERDAM, "hourly": "precipitation", **span("2026-11-10", "2026-11-10")}
    empty, full = (web.get(ARCHIVE, asked).json() for _ in range(2))
    assert empty["hourly"].pop("precipitation") == [None] * 24
    assert None not in full["hourly"].pop("precipitation")
    assert empty == full


@settings(max_examples=25)
@given(
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.dates(date(2024, 1, 10), date(2060, 12, 1)),
    st.sampled_from((FORECAST, RUNS)),
)
def test_any_place_and_day_has_a_whole_week_of_numbers(latitude, longitude, today, url):
    now = datetime(today.year, today.month, today.day, 6, 45, tzinfo=UTC)
    answer = ask(url, now, {"latitude": latitude, "longitude": longitude}, hourly=WEATHER, timezone="auto")
    for name in WEATHER.split(","):
        numbers = answer.json()["hourly"][name]
        assert len(numbers) == 168
        assert all(isinstance(number, float) for number in numbers)
