"""Weights against brute force, ranks of what was known, and intervals that hold what they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shared.systems.air_quality.backtest import distributed
from shared.systems.air_quality.blend import (
    FEWEST,
    MEMBERS,
    RECENT,
    WINDOW,
    Blend,
    corrected,
    corrections,
    exceedance,
    fit_blend,
    levels_of,
    ranks,
    residuals,
    simplex_weights,
    spread,
)

SHARES = np.arange(0, 21) / 20
TRIPLES = np.array([[a, b, 1 - a - b] for a in SHARES for b in SHARES if a + b <= 1 + 1e-9])


def even(members, stations=1):
    return Blend(np.ones((stations, 7, members)), np.full((stations, 7, members), 1 / members))


def series(days, stations=1, seed=0, scale=0.3):
    """Return (truth [stations, days, 7], what a forecaster says that errs by shares of ``scale``)."""
    rng = np.random.default_rng(seed)
    dust = np.exp(2.5 + rng.normal(0, 0.5, (stations, days, 1)))
    return np.broadcast_to(dust, (stations, days, 7)), dust * np.exp(rng.normal(0, scale, (stations, days, 7)))


@given(arrays(float, (6, 3), elements=st.floats(-3, 3, width=32)))
@settings(max_examples=150)
def test_no_mix_of_three_members_has_a_smaller_error_than_the_weights_found(errors):
    squares = errors.T @ errors + 0.01 * np.eye(3)
    weights = simplex_weights(squares)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)
    tried = np.einsum("ni,ij,nj->n", TRIPLES, squares, TRIPLES)
    assert weights @ squares @ weights <= tried.min() + 1e-9


@given(st.integers(0, 500), st.integers(1, 5))
@settings(max_examples=60)
def test_weights_of_any_number_of_members_cannot_be_improved_by_moving_some_to_another(seed, members):
    errors = np.random.default_rng(seed).normal(size=(20, members)) * np.arange(1, members + 1)
    squares = errors.T @ errors
    weights = simplex_weights(squares)
    gradient = squares @ weights
    assert weights.sum() == pytest.approx(1)
    assert gradient.min() >= weights @ gradient - 1e-6 * squares.max()  # Karush-Kuhn-Tucker on the simplex


def test_equal_members_share_and_a_perfect_one_takes_all():
    assert simplex_weights(np.eye(4)).tolist() == pytest.approx([0.25] * 4)
    assert simplex_weights(np.diag([0.0, 1.0])).tolist() == pytest.approx([1, 0], abs=1e-9)
    assert simplex_weights(np.zeros((3, 3))).tolist() == pytest.approx([1 / 3] * 3)


def test_many_problems_are_solved_as_each_alone():
    errors = np.random.default_rng(0).normal(size=(4, 7, 30, 3))
    squares = np.einsum("slni,slnj->slij", errors, errors)
    together = simplex_weights(squares)
    assert together[2, 5].tolist() == simplex_weights(squares[2, 5]).tolist()


def others(truth, scale=0.5, seed=5):
    """Return what all members say ``[members, stations, days, 7]``, each with errors of its own."""
    rng = np.random.default_rng(seed)
    return truth * np.exp(rng.normal(-(scale**2) / 2, scale, (len(MEMBERS), *truth.shape)))


def test_the_better_member_weighs_more_at_each_station_and_lead():
    truth, good = series(400, stations=2, seed=1, scale=0.05)
    said = others(truth)
    said[3] = good
    weights = fit_blend(said, truth).weights
    assert weights.shape == (2, 7, len(MEMBERS))
    assert (weights[..., 3] > 0.5).all()


def test_a_station_of_long_standing_has_its_own_weights_and_a_new_one_what_serves_all():
    truth, good = series(600, stations=3, seed=1, scale=0.05)
    said = others(truth)
    said[0, 0], said[1, 1] = good[0], good[1]  # at the second station another member is the good one
    seen = truth.copy()
    seen[2] = np.nan
    weights = fit_blend(said, seen).weights
    assert weights[0, :, 0].min() > 0.45
    assert weights[1, :, 1].min() > 0.45
    assert weights[2, :, :2].min() > weights[2, :, 2:].max()
    assert weights[2, :, :2].max() < 0.4


def test_a_forecaster_that_says_too_little_is_lifted():
    truth, said = series(2000, scale=0.02)
    low = np.broadcast_to((said + 1) * 0.8 - 1, (len(MEMBERS), *said.shape))
    blend = fit_blend(low, truth)
    assert blend.lifts == pytest.approx(np.full((1, 7, len(MEMBERS)), 1 / 0.8), rel=0.01)
    assert blend.of(low).mean() == pytest.approx(truth.mean(), rel=0.01)


@pytest.mark.parametrize("seen", [0, 1])
def test_with_hardly_anything_known_members_have_their_usual_weights_and_are_not_lifted(seen):
    truth, _ = series(1)
    said = others(truth, scale=0.1)
    blend = fit_blend(said[:, :, :seen], truth[:, :seen])
    assert blend.lifts == pytest.approx(np.ones((1, 7, len(MEMBERS))), abs=0.05)
    assert blend.weights == pytest.approx(
        np.broadcast_to([*MEMBERS.values()], blend.weights.shape), abs=0.3 * seen + 1e-3
    )
    assert (blend.of(said) > 0.8 * said.min(axis=0)).all()


def test_usual_weights_are_shares_of_one():
    assert sum(MEMBERS.values()) == pytest.approx(1)


def test_a_station_never_observed_keeps_what_its_members_say():
    truth, said = series(300, stations=2)
    seen = truth.copy()
    seen[1] = np.nan
    alike = np.broadcast_to(said, (len(MEMBERS), *said.shape))
    assert fit_blend(alike, seen).of(alike)[1] == pytest.approx(said[1])


def test_a_member_that_says_nothing_leaves_its_weight_to_the_others():
    said = np.broadcast_to(np.array([10.0, 20.0, 40.0])[:, None, None, None], (3, 1, 2, 7)).copy()
    said[2, :, 1] = np.nan
    weights = np.broadcast_to([0.5, 0.25, 0.25], (1, 7, 3))
    blended = Blend(np.ones((1, 7, 3)), weights).of(said)
    assert blended[0, 0].tolist() == pytest.approx([20.0] * 7)
    assert blended[0, 1].tolist() == pytest.approx([(10 * 0.5 + 20 * 0.25) / 0.75] * 7)


def test_the_others_speak_even_where_they_had_no_weight():
    said = np.full((2, 1, 1, 7), 10.0)
    said[0] = np.nan
    blend = Blend(np.ones((1, 7, 2)), np.broadcast_to([1.0, 0.0], (1, 7, 2)))
    assert blend.of(said)[0, 0].tolist() == pytest.approx([10.0] * 7)


def test_where_no_member_speaks_nothing_is_said():
    assert np.isnan(even(2).of(np.full((2, 1, 1, 7), np.nan))).all()


def test_forecasts_are_never_below_zero():
    blend = Blend(np.full((1, 7, 1), 0.5), np.ones((1, 7, 1)))
    assert blend.of(np.full((1, 1, 1, 7), 0.2)).tolist() == np.zeros((1, 1, 7)).tolist()


def test_a_residual_is_the_logarithm_of_what_was_over_what_was_said():
    assert residuals(np.array([9.0, 4.0, np.nan]), np.array([4.0, 4.0, 4.0])).tolist() == pytest.approx(
        [np.log(2), 0, np.nan], nan_ok=True
    )


def test_a_rank_is_the_share_of_earlier_residuals_below():
    past = np.concatenate([np.arange(40.0), [10.5, -1.0, 99.0]])[:, None]
    found = ranks(past, lead=1)[:, 0]
    assert found[40] == pytest.approx((11 + 0.5) / 41)
    assert found[41] == pytest.approx(0.5 / 42)
    assert found[42] == pytest.approx((42 + 0.5) / 43)
    assert np.isnan(found[:FEWEST]).all()


@given(day=st.integers(60, 119), lead=st.integers(1, 7))
@settings(max_examples=40)
def test_a_rank_knows_no_residual_of_a_day_that_was_not_over_at_its_origin(day, lead):
    past = np.random.default_rng(0).normal(size=(120, 2))
    spoilt = past.copy()
    spoilt[day - lead + 1 : day] = 1e6
    assert ranks(past, lead)[day].tolist() == ranks(spoilt, lead)[day].tolist()
    spoilt[day - lead] = np.where(past[day - lead] < past[day], 1e6, -1e6)  # the newest that counts, on the other side
    assert (ranks(past, lead)[day] != ranks(spoilt, lead)[day]).all()


def test_ranks_forget_what_is_older_than_the_window():
    past = np.zeros((WINDOW + 40, 1))
    past[:20] = 9.0
    past[-1] = 1.0
    assert ranks(past, 1)[-1, 0] == pytest.approx((WINDOW + 0.5) / (WINDOW + 1))


def test_blanks_have_no_rank_and_count_in_no_other():
    past = np.arange(80.0)[:, None]
    past[::2] = np.nan
    found = ranks(past, 1)[:, 0]
    assert np.isnan(found[::2]).all()
    assert found[79] == pytest.approx(39.5 / 40)


def test_the_ends_of_an_interval_lie_at_the_n_plus_first_parts():
    past = np.arange(1.0, 20.0)[:, None]  # 1 to 19: the k-th of 20 parts ends at k
    low, high = spread(past, np.array([0.05]), np.array([0.10]))
    assert (low.item(), high.item()) == pytest.approx((1, 18))
    low, high = spread(past, np.array([0.125]), np.array([0.2]))
    assert (low.item(), high.item()) == pytest.approx((2.5, 16))


def test_beyond_the_outermost_residual_there_is_none():
    low, high = spread(np.array([[1.0], [2.0], [4.0]]), np.array([0.01]), np.array([0.01]))
    assert (low.item(), high.item()) == (1, 4)


def test_each_station_has_its_own_spread_whatever_blanks_it_has():
    past = np.array([[1.0, np.nan, np.nan], [2.0, 7.0, np.nan], [3.0, np.nan, np.nan]])
    low, high = spread(past, np.full(3, 0.25), np.full(3, 0.25))
    assert low.tolist() == pytest.approx([1, 7, np.nan], nan_ok=True)
    assert high.tolist() == pytest.approx([3, 7, np.nan], nan_ok=True)


def test_the_chance_of_more_than_a_limit_is_the_share_of_residuals_that_lead_there():
    past = np.log(np.array([0.5, 0.9, 1.1, 2.0, 4.0]))[:, None]
    # 1 + forecast is 10, 1 + limit is 16: only factors 2 and 4 lead above it
    assert exceedance(past, np.array([9.0]), 15).item() == pytest.approx((2 + 0.5) / 6)
    assert exceedance(past, np.array([0.0]), 15).item() == pytest.approx(0.5 / 6)
    assert exceedance(past, np.array([99.0]), 15).item() == pytest.approx(5.5 / 6)


def test_of_no_forecast_there_is_no_chance():
    assert np.isnan(exceedance(np.zeros((5, 1)), np.array([np.nan]), 15)).all()


@given(arrays(float, (40, 1), elements=st.floats(-1, 1)), st.floats(0, 100))
@settings(max_examples=40)
def test_a_higher_limit_is_never_more_likely(past, forecast):
    chances = [exceedance(past, np.array([forecast]), limit).item() for limit in (15, 25, 35)]
    assert 1 > chances[0] >= chances[1] >= chances[2] > 0


def simulated(years, noise):
    """Return (truth, forecasts) ``[1, days, 7]``: log dust lasts 0.7 a day; what is said is its conditional mean."""
    rng, days = np.random.default_rng(3), int(years * 365)
    level = np.zeros(days)
    for day in range(1, days):
        level[day] = 0.7 * level[day - 1] + noise(day, days) * rng.normal()
    leads = np.arange(1, 8)
    said = np.full((days, 7), np.nan)
    for lead in leads:
        said[lead:, lead - 1] = 0.7**lead * level[:-lead]
    return np.broadcast_to(np.exp(2.5 + level)[None, :, None], (1, days, 7)), np.exp(2.5 + said)[None]


@pytest.mark.slow
@pytest.mark.parametrize(
    "noise",
    [lambda day, days: 0.3, lambda day, days: 0.3 if day < days / 2 else 0.6],
    ids=["steady", "doubling half-way"],
)
def test_intervals_hold_nine_in_ten_at_each_lead(noise):
    truth, said = simulated(3, noise)
    forecasts = distributed(said, truth)
    inside = (truth >= forecasts.low) & (truth <= forecasts.high)
    cover = inside[0, 180:].mean(axis=0)
    assert cover == pytest.approx(np.full(7, 0.9), abs=0.03)


@pytest.mark.slow
def test_chances_are_as_often_right_as_they_say():
    truth, said = simulated(4, lambda day, days: 0.4)
    over = distributed(said, truth).over[:, 0, 180:]
    for place, limit in enumerate((15, 25)):
        assert over[place].mean(axis=0) == pytest.approx((truth[0, 180:] > limit).mean(axis=0), abs=0.04)
    likely = over[0] > 0.5
    assert likely.sum() > 300
    assert (truth[0, 180:] > 15)[likely].mean() == pytest.approx(over[0][likely].mean(), abs=0.08)


@given(day=st.integers(45, 100), lead=st.integers(1, 7))
@settings(max_examples=5)
def test_an_interval_knows_nothing_of_days_that_were_not_over_at_its_origin(day, lead):
    truth, said = series(104, stations=2)
    spoilt = truth.copy()
    spoilt[:, day - lead + 1 :] = 1e6
    one, other = distributed(said, truth), distributed(said, spoilt)
    for name in ("low", "high", "over"):
        assert np.array_equal(getattr(one, name)[..., day, lead - 1], getattr(other, name)[..., day, lead - 1]), name


def test_levels_after_a_day_are_those_that_its_rank_has_taught():
    path = levels_of(np.concatenate([np.zeros(FEWEST + 5), [50.0], [0.0]])[:, None], 1)[1][:, 0]
    missed = FEWEST + 5
    assert path[missed + 1] < path[missed]


def test_forecasts_that_have_been_half_too_low_for_weeks_are_raised_and_those_of_two_days_hardly():
    off = np.full((56, 1), np.log(1.5))
    raised = np.exp(corrections(off)[:, 0])
    assert raised[0] == 1.0
    assert raised[2] == pytest.approx((2 * 1.5 + RECENT) / (2 + RECENT))
    assert raised[-1] == pytest.approx(1.25)


def test_a_correction_knows_nothing_of_the_day_it_corrects_nor_of_those_on_the_way():
    past = np.zeros((60, 1))
    past[50:] = 1.0
    assert corrected(past, lead=3)[50:53, 0].tolist() == [1.0, 1.0, 1.0]
    assert corrected(past, lead=3)[53, 0] < 1.0
