"""Figures over the last days, for every calendar day."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import SchemaError
from shared.steps.rolling import rolling_mean, rolling_share
from shared.steps.scoring import mean_of, wilson


def at(values, days):
    return pd.Series(values, index=pd.to_datetime([f"2026-01-{day:02d}T06:00Z" for day in days]))


# --- rolling_share -------------------------------------------------------------------------------------------------


def test_the_rolling_share_counts_calendar_days_not_rows():
    rolling = rolling_share(at([True, False, True], [1, 2, 5]), days=3)
    assert rolling["date"].dt.strftime("%m-%d").tolist() == ["01-01", "01-02", "01-03", "01-04", "01-05"]
    assert rolling["count"].tolist() == [1, 2, 2, 1, 1]
    assert rolling["value"].tolist() == [1.0, 0.5, 0.5, 0.0, 1.0]
    assert rolling["low"][1] == wilson(1, 2).low


def test_a_window_without_rows_is_shown_as_unknown():
    rolling = rolling_share(at([True, True], [1, 4]), days=2)
    assert rolling["count"].tolist() == [1, 1, 0, 1]
    assert math.isnan(rolling["value"][2])
    assert (rolling["low"][2], rolling["high"][2]) == (0, 1)


# --- rolling_mean --------------------------------------------------------------------------------------------------


def test_the_rolling_mean_counts_calendar_days_not_rows():
    rolling = rolling_mean(at([1.0, 3.0, 8.0], [1, 2, 5]), days=3)
    assert rolling["date"].dt.strftime("%m-%d").tolist() == ["01-01", "01-02", "01-03", "01-04", "01-05"]
    assert rolling["count"].tolist() == [1, 2, 2, 1, 1]
    assert rolling["value"].tolist() == [1.0, 2.0, 2.0, 3.0, 8.0]


def test_its_band_is_that_of_the_mean_and_unknown_for_one_row_or_none():
    rolling = rolling_mean(at([1.0, 3.0, 8.0], [1, 2, 9]), days=2)
    of_two = mean_of(pd.Series([1.0, 3.0]))
    assert (rolling["low"][1], rolling["high"][1]) == pytest.approx((of_two.low, of_two.high))
    assert rolling["low"].isna().tolist() == [True, False, True, True, True, True, True, True, True]
    assert rolling["value"].isna().tolist() == [False, False, False, True, True, True, True, True, False]


def test_losses_that_are_all_the_same_have_a_band_of_no_width():
    rolling = rolling_mean(at([0.1] * 9, range(1, 10)), days=5)
    assert rolling["value"].to_numpy() == pytest.approx(0.1)
    assert (rolling["high"] - rolling["low"]).iloc[1:].to_numpy() == pytest.approx(0, abs=1e-6)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0, 36), st.integers(1, 28)), min_size=1, max_size=30), st.integers(1, 30))
def test_every_window_is_the_mean_of_its_days(rows, days):
    losses = at(*zip(*rows, strict=True))
    for seen in rolling_mean(losses, days).itertuples():
        start = seen.date - pd.Timedelta(days=days - 1)
        inside = losses[(losses.index >= start) & (losses.index < seen.date + pd.Timedelta(days=1))]
        expected = mean_of(inside.reset_index(drop=True))
        assert seen.count == len(inside)
        assert seen.value == pytest.approx(expected.value, nan_ok=True, abs=1e-9)
        assert seen.low == pytest.approx(expected.low, nan_ok=True, abs=1e-5)


# --- both ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("figure", [rolling_share, rolling_mean])
def test_days_are_days_of_utc_and_the_order_of_rows_does_not_matter(figure):
    times = pd.to_datetime(["2026-01-02T00:30+02:00", "2026-01-01T03:00+02:00"])
    rolling = figure(pd.Series([1, 0], index=times), days=1)
    assert rolling[["value", "count"]].to_numpy().tolist() == [[0.5, 2]]


@pytest.mark.parametrize("figure", [rolling_share, rolling_mean])
def test_nothing_gives_no_rows_with_their_columns(figure):
    rolling = figure(pd.Series([], index=pd.DatetimeIndex([], tz="UTC"), dtype=float), days=30)
    assert [*rolling.columns] == ["date", "value", "low", "high", "count"]
    assert rolling.empty
    assert rolling["value"].dtype == "float64"


@pytest.mark.parametrize("figure", [rolling_share, rolling_mean])
def test_a_rolling_figure_needs_times_and_no_blank(figure):
    with pytest.raises(SchemaError, match="time"):
        figure(pd.Series([1.0, 0.0]), days=7)
    with pytest.raises(SchemaError, match="blank"):
        figure(at([1.0, np.nan], [1, 2]), days=7)
    with pytest.raises(SchemaError, match="time"):
        figure(pd.Series([1.0], index=pd.DatetimeIndex([pd.NaT])), days=7)
