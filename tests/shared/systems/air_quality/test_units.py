"""µg/m³ and the US EPA's index: published points, round trips, classes without gaps."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.systems.air_quality.units import CLASSES, aqi, class_of, pm25, published_aqi

DUST = st.floats(0, 2000, allow_nan=False)


@pytest.mark.parametrize(
    ("dust", "index"),
    [
        (0, 0),
        (4.5, 25),
        (9.0, 50),
        (9.1, 51),
        (12.0, 56),
        (35.4, 100),
        (35.5, 101),
        (55.4, 150),
        (55.5, 151),
        (125.4, 200),
        (125.5, 201),
        (225.4, 300),
        (225.5, 301),
        (325.4, 500),
        (375.35, 599),
    ],
)
def test_the_published_points_are_hit(dust, index):
    assert published_aqi(float(dust)) == index


def test_the_epa_cuts_to_a_tenth_before_it_rounds():
    assert [published_aqi(dust) for dust in (9.09, 35.49, 55.49, 225.49)] == [50, 100, 150, 300]


@given(DUST, DUST)
def test_more_dust_has_a_higher_index(one, other):
    if other - one > 1e-6:
        assert aqi(other) > aqi(one)


@given(DUST)
def test_an_index_turns_back_into_the_dust_it_came_from(dust):
    assert pm25(aqi(dust)) == pytest.approx(dust, abs=1e-9, rel=1e-12)


@given(st.integers(0, 900))
def test_a_whole_index_survives_the_way_through_dust(index):
    assert aqi(pm25(float(index))) == pytest.approx(index, abs=1e-9)


def test_many_values_keep_their_form_and_blanks_stay_blank():
    series = pd.Series([9.0, np.nan], index=["a", "b"], name="pm25")
    pd.testing.assert_series_equal(aqi(series), pd.Series([50, np.nan], index=["a", "b"], name="pm25"))
    assert aqi(np.array([[9.0], [35.4]])).tolist() == [[50], [100]]
    assert isinstance(aqi(9.0), float)


def test_the_classes_follow_on_each_other_without_a_gap():
    assert [one.upper for one in CLASSES[:-1]] == [one.lower for one in CLASSES[1:]]
    assert [one.aqi_high + 1 for one in CLASSES[:-1]] == [one.aqi_low for one in CLASSES[1:]]
    assert (CLASSES[0].lower, CLASSES[-1].upper) == (0, float("inf"))


@given(DUST)
def test_every_value_falls_in_the_one_class_of_its_published_index(dust):
    (fit,) = [one for one in CLASSES if one.aqi_low <= published_aqi(dust) <= one.aqi_high]
    assert class_of(dust) == fit
    assert fit.lower - 1e-6 <= dust < fit.upper
