"""Skill and its bounds, the Diebold–Mariano test, and levels that keep intervals honest."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, ttest_1samp

from shared.errors import SchemaError, UsageError
from shared.steps.forecasting import adaptive_levels, diebold_mariano, paired_difference, rmse, skill


def by_day(values, start="2026-01-01"):
    return pd.Series(values, index=pd.date_range(start, periods=len(values), name="day"), dtype="float64")


def by_station(values):
    """A Series by (day, station) of ``[days, stations]``."""
    days = pd.date_range("2026-01-01", periods=len(values), name="day")
    columns = pd.Index([f"s{number}" for number in range(values.shape[1])], name="station")
    return pd.DataFrame(values, days, columns).stack()


def noise(days, seed=0, scale=1.0):
    return np.random.default_rng(seed).normal(scale=scale, size=days)


def test_rmse_leaves_blanks_out_and_is_nan_of_none():
    assert rmse(pd.Series([3.0, math.nan, -4.0])) == pytest.approx(math.sqrt(12.5))
    assert math.isnan(rmse(pd.Series([], dtype="float64")))


def test_half_the_error_is_three_quarters_of_skill_whatever_the_day():
    found = skill(by_day(noise(100)), by_day(2 * noise(100)))
    assert (found.low, found.middle, found.high) == pytest.approx((0.75, 0.75, 0.75))


def test_an_equal_forecast_has_no_skill_and_its_bounds_hold_zero():
    found = skill(by_day(noise(400, seed=1)), by_day(noise(400, seed=2)))
    assert found.low < 0 < found.high


def test_rows_meet_by_index_and_a_blank_on_either_side_leaves_the_pair_out():
    ours = by_day([1.0] * 70 + [math.nan, 50.0])
    theirs = by_day([2.0] * 71).iloc[::-1]
    assert skill(ours, theirs).middle == 0.75


def test_skill_counts_every_row_of_a_day_with_many_stations():
    ours, theirs = by_station(np.tile([1.0, 3.0], (70, 1))), by_station(np.tile([2.0, 4.0], (70, 1)))
    assert skill(ours, theirs).middle == pytest.approx(1 - 10 / 20)


def test_stations_that_err_together_make_the_bounds_no_surer_than_one_station():
    ours, theirs = noise(300, seed=3), noise(300, seed=4, scale=1.2)
    one = skill(by_day(ours), by_day(theirs))
    many = skill(by_station(np.tile(ours[:, None], 50)), by_station(np.tile(theirs[:, None], 50)))
    assert (many.low, many.high) == pytest.approx((one.low, one.high))


def test_errors_that_last_for_days_make_the_bounds_wider():
    lasting = np.repeat(noise(60, seed=5), 7)
    shuffled = np.random.default_rng(6).permutation(lasting)
    theirs = by_day(np.full(420, 1.0))
    wide, narrow = skill(by_day(lasting), theirs), skill(by_day(shuffled), theirs)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_a_few_weeks_give_a_figure_without_bounds():
    found = skill(by_day(noise(69)), by_day(2 * noise(69)))
    assert found.middle == pytest.approx(0.75)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_a_month_without_a_day_stays_a_gap_of_the_calendar():
    gap = by_day(noise(120, seed=7)).drop(pd.date_range("2026-02-01", "2026-02-28"))
    assert paired_difference(gap, gap * 2).high < 0


def test_a_baseline_that_never_errs_leaves_no_number_to_compare_with():
    assert math.isnan(skill(by_day([1.0] * 80), by_day([0.0] * 80)).middle)


def test_the_difference_of_two_rmse_is_in_the_errors_unit():
    found = paired_difference(by_day(noise(200)), by_day(3 * noise(200)))
    assert found.middle == pytest.approx(-2 * rmse(noise(200)))
    assert found.low < found.middle < found.high < 0


def test_the_same_seed_draws_the_same_blocks():
    ours, theirs = by_day(noise(90, seed=1)), by_day(noise(90, seed=2))
    assert skill(ours, theirs, seed=3) == skill(ours, theirs, seed=3)
    assert skill(ours, theirs, seed=3) != skill(ours, theirs, seed=4)


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        (pd.Series([1.0, 2.0]), "day as first level"),
        (by_day([1.0], start="2030-01-01"), "no known row in common"),
        (pd.concat([by_day([1.0]), by_day([1.0])]), "comes twice"),
    ],
)
def test_errors_that_cannot_be_paired_say_why(errors, message):
    with pytest.raises(SchemaError, match=message):
        skill(errors, by_day([1.0, 2.0]))


@pytest.mark.slow
def test_the_bounds_hold_the_true_difference_about_19_times_in_20():
    """Errors with a memory of days; both forecasts are equally good, so the true skill is 0."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):
        shocks = rng.normal(size=(2, 730))
        series = [np.convolve(one, np.ones(4) / 2, mode="same") for one in shocks]
        found = skill(by_day(series[0]), by_day(series[1]))
        held += found.low <= 0 <= found.high
    assert 0.88 <= held / 200 <= 0.99


def test_one_day_ahead_the_test_is_students_paired_t():
    ours, theirs = noise(50, seed=1), noise(50, seed=2, scale=1.3)
    expected = ttest_1samp(ours**2 - theirs**2, 0)
    assert diebold_mariano(by_day(ours), by_day(theirs), lead=1) == pytest.approx((expected.statistic, expected.pvalue))


def test_two_days_ahead_the_variance_counts_one_lag():
    # differences of squares 1, 2, 3, 4, 5: mean 3, autocovariances 2 and 0.8, so the variance is 3.6 / 5;
    # the correction for small samples is sqrt((5 + 1 - 4 + 2 / 5) / 5), which makes it sqrt(6);
    # with 4 degrees of freedom P(|T| < t) is sin a (1 + cos² a / 2) where tan a = t / 2
    ours, theirs = by_day(np.sqrt([1.0, 2, 3, 4, 5])), by_day([0.0] * 5)
    statistic, p_value = diebold_mariano(ours, theirs, lead=2)
    assert statistic == pytest.approx(3 / math.sqrt(3.6 / 5) * math.sqrt(2.4 / 5))
    assert p_value == pytest.approx(1 - 1.2 * math.sqrt(0.6))


def test_where_the_rectangular_variance_is_not_positive_bartletts_weights_take_over():
    # differences 3, 1, 3, 1, 3, 1: autocovariances 1 and -5/6, so 1 - 5/3 < 0 but 1 - 5/6 = 1/6
    ours = by_day(np.sqrt([3.0, 1, 3, 1, 3, 1]))
    statistic, _ = diebold_mariano(ours, by_day([0.0] * 6), lead=2)
    assert statistic == pytest.approx(2 / math.sqrt(1 / 6 / 6) * math.sqrt((6 + 1 - 4 + 2 / 6) / 6))


def test_the_better_forecast_has_a_negative_statistic_and_swapping_turns_its_sign():
    ours, theirs = by_day(noise(365, seed=1)), by_day(noise(365, seed=2, scale=1.5))
    statistic, p_value = diebold_mariano(ours, theirs, lead=3)
    assert statistic < -3
    assert p_value < 0.01
    assert diebold_mariano(theirs, ours, lead=3) == pytest.approx((-statistic, p_value))


def test_a_missing_day_is_no_neighbour_of_the_days_around_it():
    # differences 1, 3, -, 2: mean 2; only the first two are neighbours, (-1)(1), and around[2] is blank
    ours = by_day(np.sqrt([1.0, 3, 0, 2])).drop(pd.Timestamp("2026-01-03"))
    statistic, _ = diebold_mariano(ours, ours * 0, lead=2)
    variance = 2 / 3 + 2 * -1 / 3 * 0.5  # Bartlett's, as 2/3 - 2/3 is not positive
    assert statistic == pytest.approx(2 / math.sqrt(variance / 3) * math.sqrt((3 + 1 - 4 + 2 / 3) / 3))


@pytest.mark.parametrize("errors", [[1.0], [1.0, 1.0, 1.0, 1.0], [0.1] * 50])
def test_without_days_that_differ_there_is_no_test(errors):
    found = diebold_mariano(by_day(errors), by_day([0.3] * len(errors)), lead=1)
    assert np.isnan(found).all()


def test_a_lead_of_no_day_is_refused():
    with pytest.raises(UsageError, match="leads count from 1"):
        diebold_mariano(by_day([1.0]), by_day([1.0]), lead=0)
    with pytest.raises(UsageError, match="a lead from 1"):
        adaptive_levels(np.array([[0.5]]), lead=0)


def test_a_miss_lowers_its_own_tail_and_a_hit_raises_both_a_little():
    found = adaptive_levels(np.array([[0.01], [0.5]]), gamma=0.02)
    assert found.lower[:, 0] == pytest.approx([0.05, 0.031, 0.032])
    assert found.upper[:, 0] == pytest.approx([0.05, 0.051, 0.052])


def test_an_unknown_outcome_changes_nothing_and_series_do_not_see_each_other():
    found = adaptive_levels(np.array([[math.nan, 0.01], [math.nan, 0.5]]))
    assert found.lower[:, 0].tolist() == [found.lower[0, 0]] * 3
    assert found.lower[-1, 1] < found.lower[-1, 0]


def test_a_forecast_of_several_days_ahead_is_judged_by_the_level_known_when_it_was_made():
    # the second truth is below 0.04: a miss of the level 0.05 of two days before, a hit of yesterday's 0.031
    ranks = np.array([[0.01], [0.04]])
    assert adaptive_levels(ranks, gamma=0.02, lead=1).lower[-1, 0] == pytest.approx(0.032)
    assert adaptive_levels(ranks, gamma=0.02, lead=2).lower[-1, 0] == pytest.approx(0.012)


def test_levels_stay_between_their_bounds_however_long_truths_miss_or_hit():
    always = np.tile([[0.0, 0.5, 1.0]], (500, 1))
    found = adaptive_levels(always, gamma=0.02)
    assert found.lower[-1].tolist() == [0.005, 0.25, 0.25]
    assert found.upper[-1].tolist() == [0.25, 0.25, 0.005]


def test_levels_recomputed_each_day_are_those_of_one_pass():
    ranks = np.random.default_rng(0).uniform(size=(30, 4))
    whole = adaptive_levels(ranks, lead=3).lower
    assert np.array_equal(whole[-6], adaptive_levels(ranks[:-5], lead=3).lower[-1])


@pytest.mark.parametrize("rank", [-0.1, 1.1])
def test_a_rank_outside_0_to_1_is_refused(rank):
    with pytest.raises(SchemaError, match="share of the forecast distribution"):
        adaptive_levels(np.array([[rank]]))


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), low=st.floats(0.6, 1.0), high=st.floats(1.0, 1.45), lead=st.integers(1, 7))
def test_intervals_keep_their_promise_though_the_residuals_scale_drifts(seed, low, high, lead):
    """The forecast distribution stays a standard normal; the truth's spread swings between ``low`` and ``high``."""
    days, series = 2000, 5
    scale = low + (high - low) * (1 + np.sin(np.arange(days) / 120))[:, None] / 2
    ranks = norm.cdf(np.random.default_rng(seed).normal(size=(days, series)) * scale)
    found = adaptive_levels(ranks, gamma=0.015, lead=lead)
    used = np.maximum(0, np.arange(days) + 1 - lead)
    held = (ranks >= found.lower[used]) & (ranks <= 1 - found.upper[used])
    assert 0.88 <= held.mean() <= 0.92
