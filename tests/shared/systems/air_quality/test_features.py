"""What goes into a forecast: lags by calendar day, weather as it was forecast, nothing from after the origin."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.systems.air_quality.features import (
    AIR,
    FEATURES,
    LAGS,
    WINDOWS,
    Climate,
    ahead,
    at_days,
    features,
    fit_calendar,
    fit_climate,
    targets,
    trailing_mean,
)

FLAT = Climate(np.zeros((1, 12)), np.zeros((1, 12)))  # nothing is usual: an anomaly is the logarithm itself
OWN = tuple(f"lag{lag}" for lag in LAGS) + tuple(f"mean{window}" for window in WINDOWS)
HOW = st.sampled_from(["nan", "huge", "shuffled"])


def counting(panel):
    """Return the panel with a log level of n/100 on day number n."""
    steps = np.broadcast_to(np.arange(len(panel.days)) / 100, panel.pm25.shape)
    return replace(panel, pm25=np.expm1(steps))


def told(panel, origin, lead, climate=FLAT):
    """Return the features of the first station by name."""
    row = features(panel, climate, np.array([origin]))[0, 0, lead - 1]
    return dict(zip(FEATURES, row.tolist(), strict=True))


def approx(values):
    return pytest.approx(values, abs=1e-5, nan_ok=True)


@given(origin=st.integers(0, 178), how=HOW, seed=st.integers(0, 99))
@settings(max_examples=40)
def test_nothing_after_the_origin_changes_a_feature(made_panel, corrupted, origin, how, seed):
    panel, at = made_panel(days=180), np.array([origin])
    spoilt = corrupted(panel, origin, how, seed)
    climate = fit_climate(panel, origin + 1)
    assert np.array_equal(
        features(panel, climate, at), features(spoilt, fit_climate(spoilt, origin + 1), at), equal_nan=True
    )


@given(origin=st.integers(20, 178), how=HOW, gaps=st.floats(0, 1))
@settings(max_examples=30)
def test_hindsight_is_no_stand_in_for_a_forecast_that_was_not_kept(made_panel, corrupted, origin, how, gaps):
    panel, at = made_panel(days=180), np.array([origin])
    weather = panel.weather.copy()
    weather[:, :, 1:][np.random.default_rng(0).random(weather[:, :, 1:].shape) < gaps] = np.nan
    patchy = replace(panel, weather=weather)
    climate = fit_climate(patchy, origin + 1)
    then, now = (features(one.known_at(origin), climate, at) for one in (patchy, corrupted(patchy, origin, how)))
    assert np.array_equal(then, now, equal_nan=True)


def test_the_same_day_has_the_same_features_in_history_and_when_it_is_the_newest(made_panel):
    panel = made_panel(days=150)
    climate = fit_climate(panel, 120)
    in_history = features(panel, climate, np.arange(100, 140))[:, 19]
    newest = features(panel.known_at(119), climate, np.array([119]))[:, 0]
    assert np.array_equal(in_history, newest, equal_nan=True)


def test_many_origins_are_told_the_same_as_each_alone(made_panel):
    panel = made_panel(days=130)
    climate = fit_climate(panel, 120)
    together = features(panel, climate, np.arange(90, 120))
    alone = np.concatenate([features(panel, climate, np.array([origin])) for origin in range(90, 120)], axis=1)
    assert np.array_equal(together, alone, equal_nan=True)
    assert together.shape == (2, 30, 7, len(FEATURES))
    assert together.dtype == np.float32


def test_lags_and_means_count_calendar_days_back_from_the_origin(made_panel):
    row = told(counting(made_panel(days=150, stations=1)), origin=110, lead=1)
    assert [row[name] for name in OWN] == approx([1.10, 1.09, 1.08, 1.07, 1.04, 1.09, 1.07, 0.965, 0.655])


def test_the_week_before_is_that_of_the_target_day(made_panel):
    panel = counting(made_panel(days=150, stations=1))
    assert [told(panel, 110, lead)["week_before"] for lead in (1, 4, 7)] == approx([1.04, 1.07, 1.10])


def test_a_gap_stays_a_gap_and_moves_no_other_lag(made_panel):
    panel = counting(made_panel(days=150, stations=1))
    panel.pm25[:, 108] = np.nan
    row = told(panel, origin=110, lead=1)
    assert [row[f"lag{lag}"] for lag in LAGS] == approx([1.10, 1.09, np.nan, 1.07, 1.04])
    assert row["mean3"] == approx(1.095)


def test_on_the_first_of_march_yesterday_is_the_29th_of_february_in_a_leap_year_only(made_panel):
    for year, yesterday in ((2024, "2024-02-29"), (2025, "2025-02-28")):
        panel = counting(made_panel(days=100, stations=1, start=f"{year}-01-01"))
        number = panel.days.get_loc(pd.Timestamp(f"{year}-03-01"))
        assert panel.days[number - 1] == pd.Timestamp(yesterday)
        assert told(panel, number, 1)["lag1"] == approx((number - 1) / 100)


def test_over_the_change_of_the_clocks_a_day_is_a_day(made_panel):
    panel = counting(made_panel(days=30, stations=1, start="2026-03-15"))  # clocks go on 29 March
    assert [told(panel, origin, 1)["lag2"] for origin in (13, 14, 15, 16)] == approx([0.11, 0.12, 0.13, 0.14])


def test_a_station_silent_for_a_month_has_no_lags_but_its_season_still(made_panel):
    panel = made_panel(days=150, stations=1)
    panel.pm25[:, 110:141] = np.nan
    row = told(panel, 140, 1, fit_climate(panel, 141))
    assert [name for name in OWN if np.isfinite(row[name])] == ["mean90"]
    assert np.isfinite([row["usual"], row["sin1"], row["warmth_target"], row["cams_target"]]).all()


def test_weather_is_told_of_the_target_day_and_both_its_neighbours(made_panel):
    panel = made_panel(days=60, stations=1)
    temperature = panel.weather[0, :, :, 0]
    row = told(panel, origin=40, lead=3)
    wanted = [temperature[43, 3], temperature[42, 2], temperature[44, 4], temperature[40, 0]]
    assert [row[f"warmth_{moment}"] for moment in ("target", "before", "after", "origin")] == approx(wanted)
    assert row["warmth_change"] == approx(float(temperature[43, 3] - temperature[40, 0]))
    assert row["warmth_way"] == approx(float(np.mean([temperature[41, 1], temperature[42, 2], temperature[43, 3]])))


def test_at_the_ends_of_the_week_the_day_before_is_the_origin_and_the_day_after_is_not_known(made_panel):
    panel = made_panel(days=60, stations=1)
    first, last = told(panel, 40, 1), told(panel, 40, 7)
    assert [first[f"{name}_before"] for name in AIR] == [first[f"{name}_origin"] for name in AIR]
    assert np.isnan([last[f"{name}_after"] for name in AIR]).all()
    assert np.isfinite([first[f"{name}_after"] for name in AIR]).all()


@pytest.mark.parametrize(
    ("whence", "east", "north"),
    [(0, 0, 20), (90, 20, 0), (180, 0, -20), (270, -20, 0), (360, 0, 20), (45, 14.142, 14.142)],
)
def test_wind_is_a_vector_pointing_whence_it_blows(made_panel, whence, east, north):
    panel = made_panel(days=30, stations=1)
    panel.weather[..., 2:] = [20, whence]
    row = told(panel, 10, 2)
    assert [row["wind_east_target"], row["wind_north_target"]] == pytest.approx([east, north], abs=1e-3)


def test_the_mean_of_wind_from_just_west_and_just_east_of_north_is_from_north(made_panel):
    panel = made_panel(days=30, stations=1)
    panel.weather[..., 2:] = [20, 350]
    panel.weather[:, 12, 2, 3] = 10
    row = told(panel, 10, 2)
    assert [row["wind_east_way"], row["wind_north_way"]] == pytest.approx([0, 20 * np.cos(np.deg2rad(10))], abs=1e-4)


def test_rain_and_wind_speed_count_by_their_logarithms_and_a_calm_is_no_infinity(made_panel):
    panel = made_panel(days=30, stations=1)
    panel.weather[..., 1], panel.weather[..., 2] = 3, 0
    row = told(panel, 10, 2)
    assert [row["rain_target"], row["wind_target"]] == approx([np.log(4), 0])


def test_warmth_is_what_is_above_the_usual_for_the_date(made_panel):
    panel = made_panel(days=60, stations=1)
    usual = np.zeros((1, 12))
    usual[0, 0] = 10.0
    row = told(panel, 40, 3, Climate(np.zeros((1, 12)), usual))
    assert row["warmth_target"] == approx(float(panel.weather[0, 43, 3, 0] - 10))


def test_weather_as_it_was_stands_in_where_no_forecast_was_kept(made_panel):
    panel = made_panel(days=60, stations=1)
    panel.weather[:, 43, 3] = np.nan
    assert told(panel, 40, 3)["warmth_target"] == approx(float(panel.weather[0, 43, 0, 0]))


def test_without_any_weather_or_cams_only_those_features_are_blank(made_panel):
    panel = made_panel(days=150, stations=1)
    bare = replace(panel, weather=np.full_like(panel.weather, np.nan), cams=np.full_like(panel.cams, np.nan))
    climate = fit_climate(bare, 120)
    row = told(bare, 119, 2, climate)
    blank = {name for name, value in row.items() if np.isnan(value)}
    assert blank == {name for name in FEATURES if name.startswith((*(f"{part}_" for part in AIR), "cams_"))}


def test_cams_is_told_above_the_usual_and_above_its_own_analysis_of_the_origin_day(made_panel):
    panel = made_panel(days=30, stations=1)
    panel.cams[0, 12, 2], panel.cams[0, 10, 0] = 19.0, 4.0
    row = told(panel, 10, 2)
    assert [row["cams_target"], row["cams_change"]] == approx([np.log(20), np.log(4)])


def test_weekday_and_holiday_are_those_of_the_target_day(made_panel):
    panel = made_panel(days=30, stations=1, start="2024-01-01")  # a Monday
    panel.holiday[0, 12] = 1
    row, next_day = told(panel, 10, 2), told(panel, 10, 3)
    assert [row[f"weekday{n}"] for n in range(7)] == [0, 0, 0, 0, 0, 1, 0]
    assert [row["holiday"], next_day["holiday"]] == [1, 0]


def test_a_station_beside_others_has_the_features_it_has_alone(made_panel):
    both = made_panel(days=150)
    first = {name: getattr(both, name)[:1] for name in ("pm25", "weather", "cams", "holiday")}
    alone = replace(both, stations=("s0",), **first)
    climate = fit_climate(both, 120)
    own = Climate(climate.dust[:1], climate.warmth[:1])
    origins = np.arange(95, 120)
    assert np.array_equal(features(both, climate, origins)[:1], features(alone, own, origins), equal_nan=True)


def test_the_target_is_the_anomaly_of_each_lead_and_blank_beyond_the_last_day(made_panel):
    panel = counting(made_panel(days=50, stations=1))
    assert targets(panel, FLAT, np.array([40, 45]))[0].tolist() == approx(
        np.array([[0.41, 0.42, 0.43, 0.44, 0.45, 0.46, 0.47], [0.46, 0.47, 0.48, 0.49, np.nan, np.nan, np.nan]])
    )


def test_days_outside_are_blank_and_none_comes_in_from_the_other_end():
    values = np.array([[1.0, 2.0, 3.0]])
    assert at_days(values, np.array([-1, 0, 2, 3])).tolist() == approx(np.array([[np.nan, 1, 3, np.nan]]))
    assert ahead(values, np.array([-1]))[0, 0].tolist() == approx([1.0, 2.0, 3.0, np.nan, np.nan, np.nan, np.nan])


def test_a_mean_takes_the_days_up_to_each_day_and_is_blank_of_too_few():
    values = np.array([[1.0, np.nan, 3.0, 5.0, np.nan, np.nan]])
    assert trailing_mean(values, 3, 2).tolist() == approx(np.array([[np.nan, np.nan, 2, 4, 4, np.nan]]))


@given(st.integers(0, 999), st.integers(1, 40), st.integers(1, 20))
@settings(max_examples=40)
def test_a_mean_is_what_pandas_says(seed, window, least):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((2, 60)) < 0.3, np.nan, rng.normal(size=(2, 60)))
    rolled = pd.DataFrame(values.T).rolling(window, min_periods=min(least, window)).mean().to_numpy().T
    assert trailing_mean(values, window, min(least, window)) == approx(rolled)


YEAR = pd.date_range("2025-01-01", "2025-12-31")


def wave(level):
    return level + 0.5 * np.cos(2 * np.pi * YEAR.day_of_year.to_numpy() / 365.25)


def said(weights):
    return Climate(weights, weights).usual(YEAR)


def test_of_a_constant_series_the_usual_is_that_constant():
    assert said(fit_calendar(np.full((1, 365), 2.5), YEAR))[0] == pytest.approx(2.5, abs=1e-3)


def test_of_zeros_the_usual_is_zero():
    assert said(fit_calendar(np.zeros((2, 365)), YEAR)).tolist() == np.zeros((2, 365)).tolist()


def test_a_full_year_shows_its_wave():
    assert said(fit_calendar(wave(2.0)[None], YEAR))[0] == pytest.approx(wave(2.0), abs=0.06)


def test_a_station_without_an_observation_has_the_others_course_and_level():
    values = np.stack([wave(2.0), wave(3.0), np.full(365, np.nan)])
    usual = said(fit_calendar(values, YEAR))
    assert usual[2] == pytest.approx((usual[0] + usual[1]) / 2, abs=0.05)


def test_a_station_of_five_days_has_the_others_course_nearer_to_its_own_level():
    values = np.stack([wave(2.0), wave(2.0), np.full(365, np.nan)])
    values[2, :5] = wave(3.0)[:5]
    usual = said(fit_calendar(values, YEAR))
    assert np.ptp(usual[2]) == pytest.approx(np.ptp(usual[0]), rel=0.35)
    assert np.corrcoef(usual[2], usual[0])[0, 1] > 0.95
    assert 2.3 < usual[2].mean() < 3.0


def test_with_nothing_observed_at_all_nothing_is_usual_and_nothing_breaks():
    assert said(fit_calendar(np.full((1, 365), np.nan), YEAR))[0].tolist() == [0.0] * 365
    assert said(fit_calendar(np.full((2, 365), np.nan), YEAR)).tolist() == np.zeros((2, 365)).tolist()


def test_what_is_usual_is_learned_from_the_days_before_only(made_panel):
    panel = made_panel(days=120)
    late = panel.pm25.copy()
    late[:, 100:] = 999.0
    one, other = fit_climate(panel, 100), fit_climate(replace(panel, pm25=late), 100)
    assert np.array_equal(one.dust, other.dust)
    assert not np.array_equal(one.dust, fit_climate(panel, 101).dust)
