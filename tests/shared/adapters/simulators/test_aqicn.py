"""The simulated AQICN feed: its fields and its ways of saying no, which all come with status 200."""

from datetime import UTC, datetime
from email.utils import format_datetime

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.demo import DemoTransport, Fault
from shared.adapters.simulators import SIMULATORS
from shared.adapters.simulators.air import truth_pm25
from shared.adapters.simulators.aqicn import epa_index, simulated_aqicn
from shared.adapters.web import HttpWeb

FEED = "https://api.waqi.info/feed"
NOW = datetime(2026, 7, 1, 6, 45, tzinfo=UTC)


def ask(station, token="demo", now=NOW):
    headers = {"Date": format_datetime(now, usegmt=True)}
    return simulated_aqicn(httpx.Request("GET", f"{FEED}/{station}/", params={"token": token}, headers=headers)).json()


def test_a_reading_has_the_fields_of_the_real_one():
    found = ask("@5284")
    assert found["status"] == "ok"
    reading = found["data"]
    fields = {"aqi", "idx", "attributions", "city", "dominentpol", "iaqi", "time", "forecast"}
    assert set(reading) == fields
    assert (reading["idx"], reading["city"]["geo"]) == (5284, [51.9, 4.51])
    assert set(reading["city"]) == {"geo", "name", "url", "location"}
    assert set(reading["iaqi"]) == {"pm25", "t", "w"}
    assert reading["aqi"] == reading["iaqi"]["pm25"]["v"]


def test_a_reading_is_the_index_of_the_last_full_hour():
    hour = np.array([int(NOW.timestamp()) // 3600])
    assert ask("@5284")["data"]["aqi"] == epa_index(truth_pm25([(51.9, 4.51)], hour))[0, 0]
    assert ask("@5284") == ask("@5284", now=NOW.replace(minute=1))


def test_the_stations_clock_is_local_also_in_summer_and_its_number_is_as_if_it_were_utc():
    assert ask("@5284")["data"]["time"] == {
        "s": "2026-07-01 08:00:00",
        "tz": "+02:00",
        "v": int(datetime(2026, 7, 1, 8, tzinfo=UTC).timestamp()),
        "iso": "2026-07-01T08:00:00+02:00",
    }
    assert ask("geo:51.9;4.51", now=NOW.replace(month=1))["data"]["time"]["iso"] == "2026-01-01T07:00:00+01:00"


def test_the_forecast_is_five_local_days_of_index():
    days = ask("geo:-33.87;151.21")["data"]["forecast"]["daily"]["pm25"]
    assert [day["day"] for day in days] == [f"2026-07-0{day}" for day in range(1, 6)]
    assert all(0 < day["min"] <= day["avg"] <= day["max"] <= 500 for day in days)


def test_a_place_is_a_station_too_and_the_same_air():
    here, there = ask("geo:51.9;4.51")["data"], ask("@5284")["data"]
    assert here["aqi"] == there["aqi"]
    assert here["idx"] != there["idx"]
    assert ask("geo:-33.87;-70.6")["data"]["city"]["geo"] == [-33.87, -70.6]


def test_other_numbers_are_other_places_and_always_the_same():
    places = [tuple(ask(f"@{station}")["data"]["city"]["geo"]) for station in (1, 2, 8689)]
    assert len(set(places)) == 3
    assert ask("@8689")["data"]["city"]["geo"] == list(places[2])


@pytest.mark.parametrize("token", ["", "bad"])
def test_a_bad_token_is_an_error_with_status_200(token):
    assert ask("@5284", token) == {"status": "error", "data": "Invalid key"}


@pytest.mark.parametrize("station", ["@", "@12x", "atlantis", "geo:91;0", "geo:1,2", "geo:x;y"])
def test_an_unknown_station_is_an_error_with_status_200(station):
    assert ask(station) == {"status": "error", "data": "Unknown station"}


def test_an_address_that_is_no_feed_is_not_part_of_the_demo_world():
    assert simulated_aqicn(httpx.Request("GET", "https://api.waqi.info/search/?token=demo&keyword=x")) is None


def test_no_data_is_a_dash():
    web = HttpWeb(DemoTransport(SIMULATORS, [Fault("api.waqi.info", "no_data", 1)]))
    found = web.get(f"{FEED}/@5284/", {"token": "demo"}).json()
    assert found["status"] == "ok"
    assert (found["data"]["aqi"], found["data"]["city"]["geo"]) == ("-", [51.9, 4.51])
    assert "iaqi" not in found["data"]
    assert web.get(f"{FEED}/@5284/", {"token": "demo"}).json()["data"]["aqi"] > 0


def test_a_stale_station_still_gives_its_reading_of_a_month_ago():
    web = HttpWeb(DemoTransport(SIMULATORS, [Fault("api.waqi.info", "stale", 1)]))
    headers = {"Date": format_datetime(NOW, usegmt=True)}
    stale, fresh = (web.get(f"{FEED}/@5284/", {"token": "demo"}, headers).json()["data"] for _ in range(2))
    assert stale["time"]["iso"] == "2026-05-31T08:00:00+02:00"
    assert fresh["time"]["iso"] == "2026-07-01T08:00:00+02:00"


@pytest.mark.parametrize(
    ("pm25", "index"),
    [
        *((0, 0), (9.0, 50), (9.09, 50), (9.1, 51), (12.0, 56), (35.4, 100), (35.5, 101), (40.0, 112), (55.5, 151)),
        *((125.5, 201), (225.5, 301), (325.4, 500), (900, 500)),
    ],
)
def test_the_index_is_the_epas_of_2024(pm25, index):
    assert epa_index(np.array([pm25]))[0] == index


@given(st.floats(0, 400), st.floats(0, 400))
def test_more_dust_never_has_a_lower_index(one, two):
    assert (epa_index(np.array([one]))[0] <= epa_index(np.array([two]))[0]) or one > two
