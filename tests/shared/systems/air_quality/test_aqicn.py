"""AQICN's feed: what a station says, why another is silent, and when to stop asking."""

import copy
import json
import threading
from datetime import UTC, datetime

import httpx
import pandas as pd
import pytest

from shared.adapters.web import HttpWeb
from shared.errors import UsageError
from shared.systems.air_quality.aqicn import UNKNOWN, _Asking, must_be_feed, positions, readings
from shared.systems.air_quality.tables import READINGS

# As recorded of Kraków, cut down.
SAID = {
    "status": "ok",
    "data": {
        "aqi": 65,
        "idx": 8689,
        "city": {"geo": [50.057447, 19.946008], "name": "Kraków-ul. Dietla, Małopolska, Poland"},
        "dominentpol": "pm25",
        "iaqi": {"pm10": {"v": 28}, "pm25": {"v": 65}},
        "time": {"s": "2023-02-24 14:00:00", "tz": "+01:00", "v": 1677247200, "iso": "2023-02-24T14:00:00+01:00"},
    },
}
SOON = datetime(2023, 2, 24, 13, 45, tzinfo=UTC)


def changed(path, value):
    """The answer with one entry set, or removed for None."""
    said = copy.deepcopy(SAID)
    inside = said["data"]
    for name in path[:-1]:
        inside = inside[name]
    inside[path[-1]] = value
    if value is None:
        del inside[path[-1]]
    return said


def fed(*feeds):
    return pd.DataFrame({"station": [f"s{n}" for n in range(len(feeds))], "feed": feeds})


class Feed:
    """A transport that counts who was asked; one answer for all, or one a feed."""

    def __init__(self, said, status=200):
        self.said, self.status, self.asked, self.lock = said, status, [], threading.Lock()

    def __call__(self, request):
        with self.lock:
            self.asked.append(request)
        name = request.url.path.split("/")[2]
        said = copy.deepcopy(self.said.get(name, SAID) if "status" not in self.said else self.said)
        if name[1:].isdecimal() and isinstance(said, dict) and isinstance(said.get("data"), dict):
            said["data"]["idx"] = int(name[1:])
        return httpx.Response(self.status, text=json.dumps(said))

    def web(self):
        return HttpWeb(httpx.MockTransport(self), sleep=lambda _: None)


def ask(said, stations=None, newest=None, at=SOON):
    return readings(Feed(said).web(), fed("@8689") if stations is None else stations, "t0ken", at, newest)


def test_a_reading_is_the_index_of_fine_dust_at_the_stations_own_time():
    rows, silent = ask(SAID)
    assert rows.to_dict("records") == [
        {
            "station": "s0",
            "read_at": pd.Timestamp("2023-02-24T13:00", tz="UTC"),
            "aqi": 65,
            "pm25": pytest.approx(16.614, abs=1e-3),
        }
    ]
    assert silent == {}
    assert len(READINGS.check(rows)[0]) == 1


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"status": "ok", "data": {"aqi": "-", "city": {"name": "X"}}}, "it has no data now"),
        (changed(("iaqi", "pm25"), None), "it does not measure PM2.5 now"),
        (changed(("iaqi", "pm25", "v"), "-"), "it does not measure PM2.5 now"),
        (changed(("iaqi", "pm25", "v"), -3), "its index of PM2.5 is -3"),
        (changed(("iaqi", "pm25", "v"), 1001), "its index of PM2.5 is 1001"),
        (changed(("time", "iso"), "2023-02-24T17:00:00+01:00"), "its clock is ahead: 2023-02-24T17:00:00+01:00"),
        (changed(("time", "iso"), "2023-01-24T14:00:00+01:00"), "it has been silent since 2023-01-24T14:00:00+01:00"),
        (changed(("time", "iso"), "2023-02-24 14:00"), "it does not say when it measured"),
        (changed(("time",), None), "it does not say when it measured"),
        ({"status": "error", "data": "Unknown station"}, UNKNOWN),
        ({"status": "nope", "data": "Café t0ken"}, "AQICN says 'Café ***'"),
        ({"status": "ok", "data": None}, "AQICN says 'None'"),
    ],
)
def test_anything_else_is_no_reading_and_says_why(said, why):
    rows, silent = ask(said)
    assert len(rows) == 0
    assert silent == {"s0": why}


def test_a_reading_older_than_the_stored_one_is_none_and_the_same_again_is_one():
    stored = datetime(2023, 2, 24, 13, tzinfo=UTC)
    assert len(ask(SAID, newest={"s0": stored})[0]) == 1
    rows, silent = ask(SAID, newest={"s0": stored.replace(minute=30)})
    assert len(rows) == 0
    assert silent == {"s0": "it fell back to 2023-02-24T14:00:00+01:00"}


@pytest.mark.parametrize(
    ("data", "why"), [("Invalid key", "the token is not valid: set AQICN_TOKEN"), ("Over quota", "quota is used up")]
)
def test_after_a_bad_token_or_an_exhausted_quota_the_others_are_not_asked(data, why):
    feed = Feed({"status": "error", "data": data})
    rows, silent = readings(feed.web(), fed(*(f"@{n}" for n in range(200))), "t0ken", SOON)
    assert len(rows) == 0
    assert len(feed.asked) <= 16  # eight at a time
    assert len(silent) == 200
    assert all(why in reason for reason in silent.values())


def test_when_the_service_is_down_it_is_not_asked_for_each_station():
    feed = Feed(SAID, status=503)
    rows, silent = readings(feed.web(), fed(*(f"@{n}" for n in range(200))), "t0ken", SOON)
    assert len(feed.asked) <= 4 * 16
    assert (len(rows), len(silent)) == (0, 200)
    assert "api.waqi.info/feed/@199/" not in silent["s199"]
    assert "t0ken" not in str(silent)


def test_one_station_that_says_nonsense_leaves_the_others():
    feed = Feed({"@1": {"status": "error", "data": "Unknown station"}})
    rows, silent = readings(feed.web(), fed("@0", "@1", None, "@3"), "t0ken", SOON)
    assert rows["station"].tolist() == ["s0", "s3"]
    assert silent == {"s1": UNKNOWN}
    assert {request.headers["Date"] for request in feed.asked} == {"Fri, 24 Feb 2023 13:45:00 GMT"}


@pytest.mark.parametrize(("feed", "count"), [("@5284", 0), ("@8689", 1), ("@-71962", 1), ("krakow", 1), ("A8689", 1)])
def test_an_answer_about_another_station_is_none(feed, count):
    """The trial token answers for Shanghai whatever is asked, and some numbers for a city far away."""
    web = HttpWeb(httpx.MockTransport(lambda _: httpx.Response(200, json=SAID)), sleep=lambda _: None)
    rows, silent = readings(web, fed(feed), "t0ken", SOON)
    assert len(rows) == count
    assert all("answered for another station, 8689" in why for why in silent.values())


def test_a_token_is_not_shown():
    assert "t0ken" not in repr(_Asking(None, "t0ken", SOON))


def test_a_station_says_where_it_stands_or_why_that_is_not_known():
    feed = Feed({"@2": {"status": "error", "data": "Unknown station"}, "@3": changed(("city", "geo"), ["x"])})
    assert positions(feed.web(), ["@1", "@2", "@3"], "t0ken", SOON) == [
        (50.057447, 19.946008),
        UNKNOWN,
        "AQICN does not say where it stands",
    ]


@pytest.mark.parametrize("feed", ["@5284", "@-71962", "A471031", "geo:51.9;4.51", "rotterdam/zwartewaalstraat"])
def test_every_name_of_a_station_at_aqicn_is_taken(feed):
    must_be_feed(feed)


@pytest.mark.parametrize("feed", ["@5284?token=x", "../map", "@", "a b", "https://aqicn.org/station/@5284"])
def test_what_is_no_name_of_a_station_is_wrong_usage(feed):
    with pytest.raises(UsageError, match="is no feed of AQICN: write @5284"):
        must_be_feed(feed)
