"""Open-Meteo's answers and the days cut from them: hours, zones, clocks that change, blanks, nonsense."""

import json
from datetime import UTC, date, datetime, timedelta

import httpx
import numpy as np
import pandas as pd
import pytest

from shared.adapters.web import HttpWeb
from shared.errors import WebError
from shared.runs import Run
from shared.systems.air_quality.days import Hours, daily_cams, daily_readings, daily_weather
from shared.systems.air_quality.open_meteo import AIR, ARCHIVE, FORECAST, PREVIOUS, asked_at, hourly

NOON = datetime(2024, 11, 20, 12, tzinfo=UTC)
UNITS = {"temperature_2m": "°C", "precipitation": "mm", "wind_speed_10m": "km/h", "wind_direction_10m": "°"}


def places(*zones):
    names = [f"s{number}" for number in range(len(zones))]
    return pd.DataFrame({"station": names, "latitude": 51.9, "longitude": 4.51, "timezone": zones})


def hours_of(zone, first, values, count=72):
    """Hours from 00:00 UTC of ``first`` on; each value one number or a list."""
    times = pd.date_range(pd.Timestamp(first, tz="UTC"), periods=count, freq="h")
    grid = {name: np.broadcast_to(np.array(one, dtype=float), (1, count)).copy() for name, one in values.items()}
    return Hours(places(zone), times, grid)


def calm(**changed):
    still = {"temperature_2m": 5, "precipitation": 0, "wind_speed_10m": 10, "wind_direction_10m": 270}
    return still | changed


def one_day(hours, day):
    rows = daily_weather(hours, (date.fromisoformat(day), date.fromisoformat(day)))
    return rows.iloc[0].to_dict() if len(rows) else None


# --- days ----------------------------------------------------------------------------------------------------------


def test_a_day_is_mean_sum_maximum_and_the_direction_of_the_mean_wind():
    hours = hours_of("UTC", "2024-11-01", calm(temperature_2m=range(72), precipitation=0.5, wind_speed_10m=range(72)))
    row = one_day(hours, "2024-11-02")
    assert (row["temperature_mean"], row["precipitation_sum"], row["wind_speed_max"]) == (35.5, 12, 47)
    assert row["wind_direction"] == pytest.approx(270)
    assert (row["station"], row["day"], row["lead"]) == ("s0", pd.Timestamp("2024-11-02", tz="UTC"), 0)


def test_directions_on_either_side_of_north_make_north_and_the_stronger_wind_counts_more():
    around = hours_of("UTC", "2024-11-01", calm(wind_direction_10m=[350, 10] * 36))
    assert min(one_day(around, "2024-11-02")["wind_direction"] % 360, 360) == pytest.approx(0, abs=1e-6)
    strong = hours_of("UTC", "2024-11-01", calm(wind_direction_10m=[0, 90] * 36, wind_speed_10m=[30, 1] * 36))
    assert one_day(strong, "2024-11-02")["wind_direction"] == pytest.approx(np.degrees(np.arctan2(1, 30)))


def test_a_calm_has_no_direction():
    assert np.isnan(one_day(hours_of("UTC", "2024-11-01", calm(wind_speed_10m=0)), "2024-11-02")["wind_direction"])


def test_a_day_is_that_of_the_stations_clock():
    hours = hours_of("America/New_York", "2024-07-01", calm(temperature_2m=range(72)))
    assert one_day(hours, "2024-07-02")["temperature_mean"] == np.mean(range(28, 52))  # UTC-4


def test_a_zone_of_half_hours_has_its_own_day():
    hours = hours_of("Asia/Kolkata", "2024-07-01", calm(temperature_2m=range(72)))
    assert one_day(hours, "2024-07-02")["temperature_mean"] == np.mean(range(19, 43))  # from 18:30 UTC on


@pytest.mark.parametrize(("day", "hours"), [("2024-03-31", 23), ("2024-10-27", 25), ("2024-02-29", 24)])
def test_a_day_on_which_clocks_change_has_23_or_25_hours_and_leap_years_their_day(day, hours):
    before = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
    assert one_day(hours_of("Europe/Amsterdam", before, calm(precipitation=1)), day)["precipitation_sum"] == hours


def test_eighteen_hours_make_a_day_and_seventeen_do_not():
    for blank, expected in ((6, 24), (7, None)):
        rain = np.ones(72)
        rain[24 : 24 + blank] = np.nan
        row = one_day(hours_of("UTC", "2024-11-01", calm(precipitation=rain)), "2024-11-02")
        assert (None if np.isnan(row["precipitation_sum"]) else row["precipitation_sum"]) == expected
        assert row["temperature_mean"] == 5


def test_a_day_without_anything_is_left_out():
    hours = hours_of("UTC", "2024-11-01", {name: np.nan for name in UNITS})
    assert one_day(hours, "2024-11-02") is None


def test_days_before_and_after_the_hours_are_left_out():
    rows = daily_weather(hours_of("UTC", "2024-11-10", calm()), (date(2024, 11, 1), date(2024, 11, 30)))
    assert rows["day"].dt.day.tolist() == [10, 11, 12]


def test_stations_of_several_zones_are_cut_at_once_each_by_its_own():
    times = pd.date_range("2024-11-01", periods=72, freq="h", tz="UTC")
    hours = Hours(places("Asia/Tokyo", "UTC", "Asia/Tokyo"), times, {"pm2_5": np.tile(np.arange(72.0), (3, 1))})
    rows = daily_cams(hours, (date(2024, 11, 2), date(2024, 11, 2))).set_index("station")["pm25"]
    assert rows.to_dict() == {"s0": 26.5, "s2": 26.5, "s1": 35.5}


# --- readings and CAMS ---------------------------------------------------------------------------------------------


def day_of_dust(readings, cams=10.0):
    """The day 2024-11-02 of a station with these readings by hour of the day."""
    hours = hours_of("UTC", "2024-11-01", {"pm2_5": cams})
    grid = np.full((1, 72), np.nan)
    for hour, value in readings.items():
        grid[0, 24 + hour] = value
    rows = daily_readings(grid, hours, (date(2024, 11, 2), date(2024, 11, 2)))
    return rows[["pm25", "origin", "hours"]].values.tolist()


def test_eighteen_readings_make_a_day_of_the_stations_own():
    assert day_of_dust({hour: 20 for hour in range(18)}) == [[20, "station", 18]]
    assert day_of_dust({hour: 20 for hour in range(18)}, cams=np.nan) == [[20, "station", 18]]


def test_fewer_readings_move_cams_by_their_ratio_to_it():
    course = [10.0] * 24 + [8.0] * 12 + [16.0] * 12 + [10.0] * 24
    assert day_of_dust({0: 12, 1: 12}, course) == [[18, "station_cams", 2]]  # CAMS says 12 a day, 8 then


@pytest.mark.parametrize(("reading", "expected"), [(1000, 40), (0, 2.5), (15, 15)])
def test_one_wild_reading_moves_cams_four_times_at_most(reading, expected):
    assert day_of_dust({7: reading}) == [[expected, "station_cams", 1]]


def test_without_readings_cams_stands_alone_and_without_either_there_is_no_day():
    assert day_of_dust({}) == [[10, "cams", 0]]
    assert day_of_dust({}, np.nan) == []
    assert day_of_dust({3: 8}, np.nan) == []


def test_where_cams_says_none_at_all_it_stays_none():
    assert day_of_dust({3: 8}, 0.0) == [[0, "station_cams", 1]]


# --- answers -------------------------------------------------------------------------------------------------------


def answer(days=3, start="2024-11-01", **changed):
    """An answer of Open-Meteo of one place."""
    first = int(pd.Timestamp(start, tz="UTC").timestamp())
    hourly = {"time": [first + 3600 * hour for hour in range(24 * days)]}
    hourly |= {name: [1.0] * 24 * days for name in UNITS} | changed
    return {"latitude": 52.0, "longitude": 4.5, "hourly_units": {"time": "unixtime", **UNITS}, "hourly": hourly}


def web_of(*said, seen=None):
    answers = iter(said)

    def respond(request):
        if seen is not None:
            seen.append(request)
        return httpx.Response(200, text=json.dumps(next(answers)))

    return HttpWeb(httpx.MockTransport(respond), sleep=lambda _: None)


def ask(web, api=FORECAST, stations=None, day="2024-11-02"):
    span = (date.fromisoformat(day), date.fromisoformat(day))
    return [*hourly(web, api, places("UTC") if stations is None else stations, span, NOON)]


def test_the_day_before_and_after_are_asked_too_and_the_moment_goes_along():
    seen = []
    (hours,) = ask(web_of(answer(), seen=seen))
    assert dict(seen[0].url.params) == {
        "latitude": "51.9",
        "longitude": "4.51",
        "hourly": "temperature_2m,precipitation,wind_speed_10m,wind_direction_10m",
        "start_date": "2024-11-01",
        "end_date": "2024-11-03",
        "timezone": "GMT",
        "timeformat": "unixtime",
    }
    assert seen[0].headers["Date"] == "Wed, 20 Nov 2024 12:00:00 GMT"
    assert hours.values["precipitation"].shape == (1, 72)


def test_the_archive_is_asked_for_no_day_to_come():
    seen = []
    (hours,) = ask(web_of(answer(2, "2024-11-19"), seen=seen), ARCHIVE, day="2024-11-20")
    assert seen[0].url.params["end_date"] == "2024-11-20"
    assert len(hours.times) == 48


def test_many_stations_are_asked_a_hundred_at_a_time_and_fewer_when_the_answers_would_be_large():
    seen = []
    some = places(*["UTC"] * 150)
    counts = [len(hours.stations) for hours in ask(web_of([answer()] * 100, [answer()] * 50, seen=seen), stations=some)]
    assert counts == [100, 50]
    assert seen[1].url.params["latitude"].count(",") == 49
    span, sizes = (date(2023, 1, 1), date(2024, 12, 31)), []

    def none(request):
        sizes.append(request.url.params["latitude"].count(",") + 1)
        return httpx.Response(400)

    with pytest.raises(WebError):
        [*hourly(HttpWeb(httpx.MockTransport(none)), PREVIOUS, some, span, NOON)]
    assert sizes == [8]


def test_nulls_and_what_cannot_be_are_blank():
    odd = answer(temperature_2m=[None, -999.0, *[7.0] * 70], wind_direction_10m=[400.0] * 72)
    (hours,) = ask(web_of(odd))
    assert np.isnan(hours.values["temperature_2m"][0, :3]).tolist() == [True, True, False]
    assert np.isnan(hours.values["wind_direction_10m"]).all()


def test_hours_are_placed_by_their_time_not_by_their_order():
    late = answer(2, "2024-11-02", temperature_2m=[*range(48)])
    (hours,) = ask(web_of(late))
    assert np.isnan(hours.values["temperature_2m"][0, 23])
    assert hours.values["temperature_2m"][0, 24:27].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            {"error": True, "reason": "Daily limit exceeded"},
            "refused: Daily limit exceeded; run the same command again",
        ),
        ([answer(), answer()], "answered 2 places instead of 1"),
        (answer(precipitation=[1.0] * 71), "lists of different lengths"),
        (answer(precipitation=["wet"] * 72), "no hourly numbers"),
        (answer(time=None), "no hourly numbers"),
        ({"hourly": {"time": []}}, "no hourly numbers"),
        ([], "0 places instead of 1"),
        ("down", "no hourly numbers"),
        (answer() | {"hourly_units": {"wind_speed_10m": "mp/h"}}, "wind_speed_10m in 'mp/h' instead of km/h"),
    ],
)
def test_an_answer_that_is_none_is_a_web_error_that_says_what_to_do(said, why):
    with pytest.raises(WebError, match=f"api.open-meteo.com/v1/forecast.*{why}"):
        ask(web_of(said))


def test_the_micro_sign_and_the_greek_letter_are_one_unit():
    dust = {"time": answer()["hourly"]["time"], "pm2_5": [3.0] * 72}
    for unit in ("\u00b5g/m³", "\u03bcg/m³"):
        (hours,) = ask(web_of({"hourly": dust, "hourly_units": {"pm2_5": unit}}), AIR)
        assert hours.values["pm2_5"].mean() == 3


def test_what_was_forecast_is_cut_by_its_lead():
    values = {f"{name}_previous_day{lead}": float(lead) for lead in range(1, 8) for name in UNITS}
    hours = hours_of("UTC", "2024-11-01", values)
    rows = [daily_weather(hours, (date(2024, 11, 2), date(2024, 11, 2)), lead).iloc[0] for lead in (1, 7)]
    assert [(row["lead"], row["temperature_mean"], row["precipitation_sum"]) for row in rows] == [
        (1, 1, 24),
        (7, 7, 168),
    ]


@pytest.mark.parametrize(
    ("started", "expected"),
    [
        ("2024-11-20T03:00", "2024-11-20T03:00"),
        ("2024-11-20T23:00", "2024-11-20T06:45"),
        ("2024-12-24T23:00", "2024-11-20T06:45"),
        ("2024-01-01T00:00", "2024-11-20T06:45"),  # the demo world's future
    ],
)
def test_a_run_asks_for_the_morning_of_its_date_on_the_day_itself_for_no_later_moment_than_now(started, expected):
    run = Run("r", "air_quality", "daily", date(2024, 11, 20), datetime.fromisoformat(started + "+00:00"), "c0de")
    assert asked_at(run) == datetime.fromisoformat(expected + "+00:00")
