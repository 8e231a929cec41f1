"""What is given as a measure is a number that its table allows, or there is a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UsageError
from shared.pages.measured import measured, unusual, with_unit
from shared.tables import Column, Table

TIDES = Table(
    "tides",
    (Column("at", "time"), Column("height", unit="m", low=-2, high=12), Column("ph", low=6, high=9)),
    key=("at",),
    event_time="at",
)
NAMES = ("height", "ph")


def test_measures_come_back_by_name_as_floats():
    assert measured(TIDES, NAMES, (3, 8.1)) == {"height": 3.0, "ph": 8.1}


@pytest.mark.parametrize("value", [-3, 12.01, float("nan"), float("inf"), 10**400, "3", None, True, [3], {"m": 3}])
def test_what_is_no_measure_is_refused_with_its_name_bounds_and_unit(value):
    with pytest.raises(UsageError, match=r"^height must be a number from -2 to 12 m; (got|it is empty)"):
        measured(TIDES, NAMES, (value, 8))


def test_a_measure_without_a_unit_is_spelt_as_chemists_do():
    with pytest.raises(UsageError, match=r"^pH must be a number from 6 to 9; got 3$"):
        measured(TIDES, NAMES, (0, 3))


@given(st.floats() | st.integers() | st.text() | st.none() | st.booleans() | st.lists(st.integers(), max_size=3))
def test_whatever_is_given_a_float_within_the_bounds_or_a_short_sentence_comes_out(value):
    try:
        (found,) = measured(TIDES, ("height",), (value,)).values()
    except UsageError as refused:
        assert len(str(refused)) < 120
    else:
        assert type(found) is float
        assert -2 <= found <= 12


def test_a_value_outside_what_the_model_saw_is_named_with_what_it_saw():
    seen = {"height": [0.5, 2.0, 4.0], "ph": [7.0, 8.0]}
    assert unusual(TIDES, {"height": 4.0, "ph": 7.0}, seen) == []
    assert unusual(TIDES, {"height": 9.0, "ph": 6.5}, seen) == [
        "Height 9 m is outside 0.5 to 4 m, which the model learned from: take its answer with care.",
        "pH 6.5 is outside 7 to 8, which the model learned from: take its answer with care.",
    ]


def test_a_value_has_its_unit():
    assert (with_unit(TIDES.column("height"), 3.5), with_unit(TIDES.column("ph"), 8.0)) == ("3.5 m", "8")
