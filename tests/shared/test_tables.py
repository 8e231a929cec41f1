"""What a table lets in, what it quarantines, and what it refuses whole."""

import json
from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SchemaError
from shared.tables import Column, Table

TIDES = Table(
    "tides",
    (
        Column("port", "text", allowed=("Hull", "Rye")),
        Column("at", "time"),
        Column("height", unit="m", low=-20, high=20),
        Column("ships", "int", low=0, nullable=True),
        Column("spring", "flag"),
    ),
    key=("port", "at"),
    event_time="at",
)


def tides(**changed):
    row = {"port": "Hull", "at": pd.Timestamp("2026-11-20"), "height": 1.5, "ships": 3, "spring": False} | changed
    return pd.DataFrame([row])


def test_rows_come_back_in_the_declared_order_with_utc_times():
    fit, refused = TIDES.check(tides()[["spring", "ships", "height", "at", "port"]])
    assert list(fit.columns) == ["port", "at", "height", "ships", "spring"]
    assert str(fit["at"].dtype) == "datetime64[us, UTC]"
    assert refused.empty


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"height": 99.0}, "height is above 20 m"),
        ({"height": -21.0}, "height is below -20 m"),
        ({"height": np.nan}, "height is blank"),
        ({"height": np.inf}, "height is infinite; height is above 20 m"),
        ({"port": "Oslo"}, "port is none of Hull, Rye"),
        ({"ships": -1}, "ships is below 0"),
        ({"spring": None}, "spring is blank"),
        ({"height": 99.0, "ships": -1}, "height is above 20 m; ships is below 0"),
    ],
)
def test_a_row_that_breaks_a_bound_is_quarantined_with_the_reason(changed, reason):
    fit, refused = TIDES.check(pd.concat([tides(**changed), tides(at=pd.Timestamp("2026-11-21"))]))
    assert len(fit) == 1
    assert refused["reason"].tolist() == [reason]
    assert '"port"' in refused["refused_row"][0]
    assert list(refused.columns) == TIDES.quarantine.names


def test_a_refused_row_is_kept_as_json_that_any_reader_takes():
    _, refused = TIDES.check(tides(height=np.nan, ships=None))
    kept = json.loads(refused["refused_row"][0], parse_constant=pytest.fail)
    assert (kept["height"], kept["ships"], kept["port"]) == (None, None, "Hull")


def test_a_nullable_column_keeps_its_blank_and_stays_whole_numbers():
    fit, refused = TIDES.check(pd.concat([tides(ships=None), tides(at=pd.Timestamp("2026-11-21"))]))
    assert refused.empty
    assert fit["ships"].isna().tolist() == [True, False]
    assert str(fit["ships"].dtype) == "Int64"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (tides().drop(columns="height"), r"missing columns \['height'\]"),
        (tides(hight=1.0), r"unknown columns \['hight'\]"),
        (tides(height="1.5"), r"tides.height: expected float, got .*'1.5'"),
        (tides(height=True), "tides.height: expected float"),
        (tides(ships=1.5), "tides.ships: expected int"),
        (tides(ships="3"), "tides.ships: expected int"),
        (tides(port=7), "tides.port: expected text"),
        (tides(at="2026-11-20"), "tides.at: expected time"),
        (tides(at=1763596800), "tides.at: expected time"),
        (tides(spring=1), "tides.spring: expected flag"),
        (tides(port=None), "a blank in"),
        (tides(at=pd.NaT), "a blank in"),
        (pd.concat([tides(), tides(height=2.0)]), "comes twice in one write"),
    ],
)
def test_a_wrong_schema_or_key_is_refused_whole(rows, said):
    with pytest.raises(SchemaError, match=said):
        TIDES.check(rows)


def test_whole_numbers_fit_a_float_column_and_whole_floats_an_int_column():
    fit, _ = TIDES.check(tides(height=2, ships=3.0))
    assert fit["height"].tolist() == [2.0]
    assert fit["ships"].tolist() == [3]


@pytest.mark.parametrize(
    "moment", [date(2026, 11, 20), datetime(2026, 11, 20), pd.Timestamp("2026-11-20 01:00", tz="Europe/Amsterdam")]
)
def test_dates_naive_times_and_zoned_times_all_become_utc(moment):
    fit, _ = TIDES.check(tides(at=moment))
    assert fit["at"].tolist() == [pd.Timestamp("2026-11-20", tz="UTC")]


def test_no_rows_are_fine_and_keep_the_dtypes():
    fit, refused = TIDES.check(TIDES.empty())
    assert len(fit) == len(refused) == 0
    assert fit.dtypes.astype(str).to_dict()["at"] == "datetime64[us, UTC]"


@pytest.mark.parametrize(
    "declaration",
    [
        {"name": "Tides"},
        {"key": ("pier",)},
        {"key": ()},
        {"event_time": "height"},
        {"name": "tides; drop table"},
    ],
)
def test_a_declaration_no_store_could_keep_is_refused(declaration):
    with pytest.raises(SchemaError):
        Table(**{"name": "tides", "columns": TIDES.columns, "key": TIDES.key, "event_time": "at"} | declaration)


def test_a_declaration_survives_json():
    assert Table.from_json(TIDES.to_json()) == TIDES


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20))
def test_every_row_is_either_kept_or_quarantined_and_kept_rows_are_in_bounds(heights):
    times = pd.date_range("2026-01-01", periods=len(heights))
    rows = pd.DataFrame({"port": "Rye", "at": times, "height": heights, "ships": 1, "spring": True})
    fit, refused = TIDES.check(rows)
    assert len(fit) + len(refused) == len(heights)
    assert fit["height"].between(-20, 20).all()
    again, none = TIDES.check(fit)
    assert none.empty
    pd.testing.assert_frame_equal(again, fit)
