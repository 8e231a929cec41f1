"""Stations: places are checked against the towns around them, files are taken whole or not; Rotterdam is there."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pandas as pd
import pytest

from shared.adapters.demo import DemoTransport, parse_faults
from shared.adapters.simulators import SIMULATORS
from shared.adapters.web import HttpWeb
from shared.errors import SourceError, UsageError
from shared.runs import Run
from shared.systems.air_quality.stations import Place, add, add_all, slug, stations
from shared.systems.air_quality.tables import STATIONS

HORNSGATAN = Place("Stockholm Hornsgatan", 59.317, 18.049, "SE")


def run_of(day):
    return Run("r", "air_quality", "add", date.fromisoformat(day), datetime(2026, 11, 20, 9, tzinfo=UTC), "c0de")


RUN = run_of("2026-11-20")


def names(platform):
    return platform.features.read(STATIONS)["station"].tolist()


def test_without_any_station_there_is_one_in_rotterdam(platform):
    (row,) = stations(platform).drop(columns="added_at").to_dict("records")
    assert row == {
        "station": "rotterdam-zuid",
        "name": "Rotterdam-Zuid",
        "latitude": 51.9,
        "longitude": 4.51,
        "country": "NL",
        "timezone": "Europe/Amsterdam",
        "feed": "@5284",
    }
    assert names(platform) == ["rotterdam-zuid"]
    version = platform.features.version()
    stations(platform)
    assert platform.features.version() == version


def test_a_station_of_ones_own_is_kept_alone_with_country_and_time_zone(platform):
    report = add(platform, RUN, replace(HORNSGATAN, country=""))
    row = stations(platform).iloc[0]
    assert row[["station", "country", "timezone"]].tolist() == ["stockholm-hornsgatan", "SE", "Europe/Stockholm"]
    assert pd.isna(row["feed"])
    assert (report.rows, report.note) == (1, "")
    assert names(platform) == ["stockholm-hornsgatan"]


@pytest.mark.parametrize("country", ["SE", "se", "Sweden", " sweden "])
def test_a_country_is_named_or_coded(platform, country):
    add(platform, RUN, replace(HORNSGATAN, country=country))
    assert stations(platform)["country"].tolist() == ["SE"]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (
            Place("R", 4.51, 51.9, "NL"),
            r"Hobyo, Somalia \(SO\), not in NL; latitude and longitude look swapped: 51.9, 4.51",
        ),
        (Place("R", 4.51, 51.9), r"Somalia \(SO\); latitude and longitude look swapped: 51.9, 4.51 fits"),
        (
            Place("B", 116.4, 39.9, "CN"),
            "nowhere on earth, not in CN; latitude and longitude look swapped: 39.9, 116.4",
        ),
        (Place("R", 51.9, 4.51, "Atlantis"), r"Netherlands \(NL\), not in Atlantis$"),
        (Place("Sea", 0, -140), r"km from Taiohae, French Polynesia \(PF\)$"),
        (Place("N", float("nan"), 4.5), "nowhere on earth"),
        (Place("...", 51.9, 4.51), "a station needs a name"),
        (Place("R" * 101, 51.9, 4.51), "at most 100 letters; got 101"),
        (Place("R", 51.9, 4.51, "NL", "Europe/Rotterdam"), "there is no time zone 'Europe/Rotterdam'"),
        (Place("R", 51.9, 4.51, "NL", "../etc"), "there is no time zone"),
        (Place("R", 51.9, 4.51, "NL", "", "@5284?x"), "is no feed of AQICN"),
    ],
)
def test_a_place_that_cannot_be_is_refused_with_the_hint(platform, place, said):
    with pytest.raises(UsageError, match=said):
        add(platform, RUN, place)
    assert names(platform) == []


@pytest.mark.parametrize("country", ["NL", "BE", "DE"])
def test_near_a_border_either_country_is_right(platform, country):
    add(platform, RUN, Place("Vaals", 50.77, 6.01, country))
    assert stations(platform)["country"].tolist() == [country]


def test_adding_a_station_again_changes_it_and_keeps_since_when_it_is_there(platform):
    add(platform, RUN, HORNSGATAN)
    again = replace(run_of("2026-12-01"), started_at=datetime(2026, 12, 1, tzinfo=UTC))
    assert add(platform, again, HORNSGATAN).rows == 0
    assert add(platform, again, replace(HORNSGATAN, timezone="Europe/Oslo")).rows == 1
    row = stations(platform).iloc[0]
    assert (row["timezone"], row["added_at"].date()) == ("Europe/Oslo", date(2026, 11, 20))


def test_a_station_that_moves_is_noted(platform):
    add(platform, RUN, HORNSGATAN)
    report = add(platform, RUN, replace(HORNSGATAN, latitude=HORNSGATAN.latitude + 0.1))
    assert report.note.startswith("stockholm-hornsgatan was 11 km away until now, and its days so far are of there")
    assert add(platform, RUN, replace(HORNSGATAN, latitude=HORNSGATAN.latitude + 0.101)).note == ""


def test_one_place_under_two_names_is_noted(platform):
    add(platform, RUN, HORNSGATAN)
    report = add(platform, RUN, replace(HORNSGATAN, name="Horn", latitude=59.3171))
    assert report.note == "stockholm-hornsgatan and horn are the same place"
    assert len(names(platform)) == 2


def test_a_feed_of_another_place_is_refused(platform):
    with pytest.raises(UsageError, match=r"the feed @5284 stands at 51.9, 4.51, 118\d km from Stockholm Hornsgatan"):
        add(platform, RUN, replace(HORNSGATAN, feed="@5284"))
    with pytest.raises(UsageError, match="AQICN knows no such station as nowhere: look up its number"):
        add(platform, RUN, replace(HORNSGATAN, feed="nowhere"))
    assert names(platform) == []
    add(platform, RUN, Place("Zuid", 51.91, 4.5, "NL", "", "@5284"))
    assert stations(platform)["feed"].tolist() == ["@5284"]


@pytest.mark.parametrize(
    ("token", "faults", "note"),
    [
        ("bad", "", "the position of @5284 was not checked: the token is not valid"),
        ("demo", "api.waqi.info=503", "the position of @5284 was not checked: api.waqi.info/feed/@5284/ answered 503"),
        (None, "", "without AQICN_TOKEN no feed is asked: CAMS stands in"),
    ],
)
def test_a_feed_that_cannot_be_asked_is_kept_with_a_note(platform, token, faults, note):
    web = HttpWeb(DemoTransport(SIMULATORS, parse_faults(faults)), sleep=lambda _: None)
    platform = replace(platform, web=web, secrets={"AQICN_TOKEN": token} if token else {})
    report = add(platform, RUN, Place("Zuid", 51.9, 4.51, "NL", "", "@5284"))
    assert report.note.startswith(note)
    assert names(platform) == ["zuid"]


# --- files ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    def written(text):
        (tmp_path / "stations.csv").write_text(text)
        return str(tmp_path / "stations.csv")

    return written


def test_many_stations_come_from_a_file(platform, file):
    path = file("station;lat;lon;country;feed\nZuid;51,9;4,51;NL;@5284\nKraków Dietla;50,057;19,946;Poland;\n")
    report = add_all(platform, RUN, path)
    assert (report.rows, report.metrics) == (2, {"stations": 2})
    rows = stations(platform)
    assert rows["station"].tolist() == ["krakow-dietla", "zuid"]
    assert rows["timezone"].tolist() == ["Europe/Warsaw", "Europe/Amsterdam"]
    assert rows["feed"].fillna("").tolist() == ["", "@5284"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("station,lat,lon\nA,51.9,4.51\nB,4.51,51.9\n", r"row 2: B at 4.51, 51.9 .* look swapped"),
        ("station,lat,lon\nA,51.9,4.51\na,51.9,4.51\n", "row 2: the station a comes twice"),
        ("station,lat,lon\nA,north,4.51\n", "row 1: latitude and longitude are numbers"),
        ("station,lat,lon\nA,,4.51\n", "row 1: A at nan, 4.51 is nowhere on earth"),
        ("station,lat\nA,51.9\n", "has no column longitude"),
    ],
)
def test_a_file_with_one_wrong_row_is_refused_whole(platform, file, text, said):
    with pytest.raises(SourceError, match=said.replace("station a", "station 'a'")):
        add_all(platform, RUN, file(text))
    assert names(platform) == []


def test_a_name_becomes_a_slug():
    assert [slug(name) for name in ("  São Paulo / Centro ", "Ørsted_Vej", "Łódź", "...")] == [
        "sao-paulo-centro",
        "orsted-vej",
        "lodz",
        "",
    ]
