"""A day's fetching in parts: each part holds its own stations, and together they store what one fetch would."""

from datetime import date, datetime

import pandas as pd
import pytest

from shared.connect import open_platform
from shared.runs import Run
from shared.systems.air_quality.parcels import MOVED, _rows, fetch, packed, worked
from shared.systems.air_quality.tables import OBSERVATIONS, STATIONS

RUN = Run("r", "air_quality", "daily", date(2026, 10, 21), datetime.fromisoformat("2026-10-21T06:45:00+00:00"), "c0de")


def apart(tmp_path):
    """What asks for each part in a store of its own, the last part first, as they come on Modal."""
    return lambda parts: (
        worked(open_platform(home=tmp_path / str(number)), part) for number, part in reversed([*enumerate(parts)])
    )


def test_a_part_holds_its_own_stations_of_the_last_months_alone(air):
    lima, rotterdam = packed(air, RUN, [["lima"], ["rotterdam-zuid"]])
    assert _rows(lima["tables"][STATIONS.name])["station"].tolist() == ["lima"]
    days = _rows(rotterdam["tables"][OBSERVATIONS.name])
    assert {*days["station"]} == {"rotterdam-zuid"}
    assert days["day"].min() == pd.Timestamp("2026-07-21", tz="UTC")


def test_a_new_station_has_a_part_without_rows(air):
    row = air.features.read(STATIONS).head(1).assign(station="delft", feed=None)
    air.features.write(STATIONS, row)
    (part,) = packed(air, RUN, [["delft"]])
    assert [len(_rows(part["tables"][table.name])) for table in (STATIONS, *MOVED)] == [1, 0, 0, 0, 0]


@pytest.mark.slow
def test_parts_store_what_one_fetch_does(air_home, air, tmp_path):
    other = open_platform(home=tmp_path / "other")
    for table in (STATIONS, *MOVED):
        other.features.write(table, air.features.read(table))
    fetch(other, RUN, apart(tmp_path))
    fetch(air, RUN, apart(tmp_path), size=1)
    for table in MOVED:
        pd.testing.assert_frame_equal(air.features.read(table), other.features.read(table))
