"""Ridge regressions: against the textbook's formula, with blanks, without rows, and many at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.steps.ridge import fit_ridge, stacked_ridges


def drawn(rows=60, inputs=3, seed=0):
    rng = np.random.default_rng(seed)
    taken = rng.normal(5, 2, (rows, inputs))
    return taken, 4 + taken @ np.arange(1.0, inputs + 1) + rng.normal(0, 0.5, rows)


@given(st.integers(0, 1000), st.floats(0, 1000))
@settings(max_examples=30)
def test_it_says_what_the_formula_of_hoerl_and_kennard_says(seed, strength):
    inputs, truth = drawn(seed=seed)
    scaled = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    weights = np.linalg.inv(scaled.T @ scaled + strength * np.eye(3)) @ scaled.T @ (truth - truth.mean())
    assert fit_ridge(inputs, truth, strength).say(inputs) == pytest.approx(truth.mean() + scaled @ weights, abs=1e-6)


def test_more_strength_draws_towards_the_mean():
    inputs, truth = drawn()
    spreads = [fit_ridge(inputs, truth, strength).say(inputs).std() for strength in (0, 30, 3000, 3e9)]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[-1] < 1e-4


def test_scale_and_shift_of_an_input_do_not_matter():
    inputs, truth = drawn()
    other = inputs * [1000, 0.001, 1] + [0, 7, -90]
    said, again = fit_ridge(inputs, truth, 10.0).say(inputs), fit_ridge(other, truth, 10.0).say(other)
    assert said == pytest.approx(again, abs=1e-9)


def test_a_blank_counts_as_the_mean_in_learning_and_in_saying():
    inputs, truth = drawn()
    blank = inputs.copy()
    blank[::4, 1] = np.nan
    filled = np.where(np.isnan(blank), np.nanmean(blank, axis=0), blank)
    said, again = fit_ridge(blank, truth, 0.0).say(blank), fit_ridge(filled, truth, 0.0).say(filled)
    assert said == pytest.approx(again, abs=1e-6)


def test_an_input_that_is_constant_or_never_known_has_no_say():
    inputs, truth = drawn()
    odd = np.column_stack([inputs, np.full(60, 7.0), np.full(60, np.nan)])
    line = fit_ridge(odd, truth, 5.0)
    assert line.weights[3:].tolist() == [0, 0]
    assert line.say(odd) == pytest.approx(fit_ridge(inputs, truth, 5.0).say(inputs), abs=1e-9)


def test_of_no_rows_it_says_nan_and_of_one_row_that_row():
    assert np.isnan(fit_ridge(np.empty((0, 2)), np.empty(0), 1.0).say(np.zeros((3, 2)))).all()
    assert fit_ridge(np.array([[1.0, 2.0]]), np.array([5.0]), 1.0).say(np.array([[9.0, -9.0]])).tolist() == [5.0]


def test_an_input_far_from_all_that_was_seen_counts_only_so_far():
    line = fit_ridge(np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0]), 0.0)
    assert line.say(np.array([[100.0], [-1e6]]), farthest=5).round(6).tolist() == [5.0, -5.0]
    assert line.say(np.array([[100.0]])).round(6).tolist() == [100.0]


def test_stacked_regressions_say_what_each_says():
    one, other = (fit_ridge(*drawn(seed=seed), strength=1.0) for seed in (1, 2))
    inputs = drawn(rows=2, seed=3)[0]
    both = stacked_ridges([one, other], (2,)).say(inputs)
    assert both.tolist() == [one.say(inputs[0]).item(), other.say(inputs[1]).item()]
    apart = stacked_ridges([one, other], (2, 1)).say(np.stack([inputs, inputs]))
    assert apart == pytest.approx(np.stack([one.say(inputs), other.say(inputs)]))
