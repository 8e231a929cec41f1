import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import NotYetError, SchemaError, UsageError
from shared.steps.intervals import (
    conformal_quantile,
    interval_coverage,
    label_scores,
    label_sets,
    mean_set_size,
    quantile_scores,
    set_coverage,
)
from shared.steps.scoring import wilson


def test_a_score_is_what_the_true_class_lacked_to_certainty():
    probabilities = pd.DataFrame({"a": [0.75, 0.0], "b": [0.25, 1.0]}, index=["x", "y"])
    scores = label_scores(probabilities, pd.Series(["a", "a"], index=["x", "y"]))
    assert scores.to_dict() == {"x": 0.25, "y": 1.0}


def test_the_quantile_is_corrected_for_the_new_row():
    scores = pd.Series(range(1, 20)) / 20  # 19 scores: the 18th, as ceil(20 * 0.9) = 18; the plain quantile is the 17th
    assert conformal_quantile(scores, 0.9) == 0.9
    assert conformal_quantile(scores, 0.95) == 0.95


def test_rounding_does_not_ask_for_one_score_more():
    assert (99 + 1) * 0.55 > 55
    assert conformal_quantile(np.arange(1, 100), 0.55) == 55


@pytest.mark.parametrize(("coverage", "fewest"), [(0.5, 1), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_too_few_scores_are_refused_and_the_message_says_how_many_are_enough(coverage, fewest):
    with pytest.raises(NotYetError, match=f"needs {fewest} held-out rows; there are {fewest - 1}"):
        conformal_quantile(np.zeros(fewest - 1), coverage)
    assert conformal_quantile(np.zeros(fewest), coverage) == 0


@pytest.mark.parametrize("coverage", [0, 1, 90, -0.1])
def test_a_coverage_that_cannot_be_promised_is_refused(coverage):
    with pytest.raises(UsageError, match="between 0 and 1"):
        conformal_quantile(np.zeros(50), coverage)


def test_a_blank_score_is_refused():
    with pytest.raises(SchemaError, match="blank"):
        conformal_quantile([0.1, math.nan, 0.2], 0.5)


@given(st.lists(st.floats(0, 1), min_size=9, max_size=60), st.sampled_from([0.5, 0.8, 0.9]))
def test_each_row_left_out_is_covered_by_the_others_often_enough(scores, coverage):
    # The law itself, with no sampling: over all orders of n + 1 exchangeable scores, a share >= coverage is covered.
    covered = [
        score <= conformal_quantile(scores[:place] + scores[place + 1 :], coverage) if len(scores) > 9 else True
        for place, score in enumerate(scores)
    ]
    assert sum(covered) >= coverage * len(scores) - 1e-9


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_exchangeable_rows_are_covered_as_promised_and_not_much_more(coverage):
    rng, rounds, held_out = np.random.default_rng(4), 1500, 39
    covered = 0
    for _ in range(rounds):
        scores = rng.exponential(size=held_out + 1)
        covered += scores[-1] <= conformal_quantile(scores[:-1], coverage)
    error = 3 * math.sqrt(coverage * (1 - coverage) / rounds)
    assert coverage - error <= covered / rounds <= coverage + 1 / (held_out + 1) + error


def three_classes(count, rng):
    """Return (probabilities, truth) of a classifier that is far too sure of itself."""
    real = rng.dirichlet([0.7, 0.7, 0.7], count)
    truth = pd.Series([rng.choice(["a", "b", "c"], p=row) for row in real])
    boasted = real**4 / (real**4).sum(axis=1, keepdims=True)
    return pd.DataFrame(boasted, columns=["a", "b", "c"]), truth


def test_label_sets_of_an_overconfident_classifier_still_hold_the_truth():
    rng = np.random.default_rng(1)
    threshold = conformal_quantile(label_scores(*three_classes(999, rng)), 0.9)
    probabilities, truth = three_classes(1000, rng)
    sets = label_sets(probabilities, threshold)
    assert set_coverage(sets, truth).high >= 0.9
    assert set_coverage(sets, truth).low <= 0.92
    assert 1 < mean_set_size(sets) < 3


def test_a_set_is_never_empty():
    sets = label_sets(pd.DataFrame({"a": [0.4], "b": [0.35], "c": [0.25]}, index=["x"]), threshold=0.0)
    assert sets.loc["x"].to_dict() == {"a": True, "b": False, "c": False}


def test_a_label_exactly_at_the_threshold_is_held():
    probabilities = pd.DataFrame({"a": [0.9, 0.7], "b": [0.1, 0.3]})
    threshold = label_scores(probabilities, pd.Series(["a", "b"]))[1]
    assert label_sets(probabilities, threshold).to_numpy().tolist() == [[True, False], [True, True]]


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_never_drops_a_label(one, other):
    probabilities = pd.DataFrame({"a": [0.5, 0.1], "b": [0.3, 0.8], "c": [0.2, 0.1]})
    narrow, wide = (label_sets(probabilities, threshold) for threshold in sorted([one, other]))
    assert (wide | ~narrow).all(axis=None)


def test_coverage_and_size_of_no_sets_are_unknown():
    sets = label_sets(pd.DataFrame({"a": [], "b": []}, dtype=float), 0.5)
    assert set_coverage(sets, pd.Series([], dtype=object)).count == 0
    assert math.isnan(mean_set_size(sets))


def test_coverage_counts_the_sets_that_hold_the_truth():
    sets = pd.DataFrame({"a": [True, True, False], "b": [False, True, True]})
    assert set_coverage(sets, pd.Series(["a", "b", "a"])) == wilson(2, 3)
    assert mean_set_size(sets) == pytest.approx(4 / 3)


def test_a_true_label_that_no_set_could_hold_is_named():
    with pytest.raises(SchemaError, match="'rose'"):
        set_coverage(pd.DataFrame({"a": [True]}), pd.Series(["rose"]))


# --- intervals -----------------------------------------------------------------------------------------------------


def test_a_truth_outside_both_quantiles_scores_its_distance_and_one_inside_scores_below_0():
    low, high = np.array([4.0, 4.0, 4.0, 4.0]), np.array([6.0, 6.0, 6.0, 6.0])
    assert quantile_scores(low, high, np.array([3.0, 4.0, 5.5, 8.0])).tolist() == [1.0, 0.0, -0.5, 2.0]


@pytest.mark.parametrize("coverage", [0.8, 0.9])
@pytest.mark.parametrize("wrong_by", [-0.6, 0.0, 0.9])
def test_quantiles_that_are_too_narrow_or_too_wide_are_mended_to_what_was_promised(coverage, wrong_by):
    rng = np.random.default_rng(2)

    def wines(count):
        middle, spread = rng.normal(6, 1, count), rng.uniform(0.3, 1.0, count)
        truth = middle + spread * rng.normal(size=count)
        return middle - spread - wrong_by, middle + spread + wrong_by, truth

    margin = conformal_quantile(quantile_scores(*wines(999)), coverage)
    low, high, truth = (pd.Series(column) for column in wines(4000))
    held = interval_coverage(low - margin, high + margin, truth).value
    assert held == pytest.approx(coverage, abs=0.03)


@given(st.lists(st.tuples(st.floats(3, 9), st.floats(3, 9), st.integers(3, 9)), min_size=9, max_size=40))
def test_the_margin_covers_its_own_rows_at_least_as_often_as_promised(rows):
    low, high, truth = (np.array(column, dtype="float64") for column in zip(*rows, strict=True))
    margin = conformal_quantile(quantile_scores(low, high, truth), 0.9) + 1e-9
    assert interval_coverage(*map(pd.Series, (low - margin, high + margin, truth))).value >= 0.9


def test_both_ends_of_an_interval_belong_to_it():
    low, high = pd.Series([5.0, 5.0, 5.0]), pd.Series([6.0, 6.0, 6.0])
    assert interval_coverage(low, high, pd.Series([5, 6, 7])) == wilson(2, 3)


def test_coverage_of_no_intervals_is_unknown():
    nothing = pd.Series([], dtype=float)
    assert math.isnan(interval_coverage(nothing, nothing, nothing).value)


def test_a_blank_is_no_miss_and_rows_that_do_not_meet_are_refused():
    fine = pd.Series([5.0])
    for ends in [
        (pd.Series([math.nan]), fine, fine),
        (fine, pd.Series([math.nan]), fine),
        (fine, fine, fine * math.nan),
    ]:
        with pytest.raises(SchemaError, match="blank"):
            interval_coverage(*ends)
    with pytest.raises(SchemaError, match="same index"):
        interval_coverage(fine, fine, pd.Series([5.0], index=["x"]))
