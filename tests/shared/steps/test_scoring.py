import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from shared.errors import NotYetError, SchemaError
from shared.steps.scoring import (
    Share,
    accuracy,
    calibration,
    confusion,
    expected_calibration_error,
    log_loss,
    majority,
    mean_of,
    quadratic_kappa,
    wilson,
)

CLASSES = ["setosa", "versicolor", "virginica"]


def test_the_interval_is_the_one_that_textbooks_print():
    # Newcombe 1998, Stat. Med. 17:857, table I, method 3: 81 of 263 and 15 of 148
    assert wilson(81, 263).low == pytest.approx(0.2553, abs=1e-4)
    assert wilson(81, 263).high == pytest.approx(0.3662, abs=1e-4)
    assert wilson(15, 148).low == pytest.approx(0.0624, abs=1e-4)
    assert wilson(15, 148).high == pytest.approx(0.1605, abs=1e-4)


def test_of_no_cases_the_share_is_unknown_and_may_be_anything():
    share = wilson(0, 0)
    assert math.isnan(share.value)
    assert (share.low, share.high, share.count) == (0.0, 1.0, 0)


def test_more_hits_than_cases_are_refused():
    with pytest.raises(SchemaError, match="5 hits of 4"):
        wilson(5, 4)


@given(st.integers(1, 10_000).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_the_interval_holds_the_share_and_stays_within_0_and_1(case):
    share = wilson(*case)
    assert 0 <= share.low <= share.value <= share.high <= 1
    assert share.low < share.high


@given(st.integers(1, 1000).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_hits_and_misses_have_mirrored_intervals(case):
    hits, count = case
    right, wrong = wilson(hits, count), wilson(count - hits, count)
    assert right.low == pytest.approx(1 - wrong.high, abs=1e-12)


def test_a_higher_confidence_gives_a_wider_interval():
    assert wilson(9, 10, 0.99).low < wilson(9, 10, 0.95).low < wilson(9, 10, 0.5).low


def test_accuracy_counts_equal_labels():
    truth = pd.Series(["setosa", "setosa", "virginica"], index=[7, 8, 9])
    guess = pd.Series(["setosa", "virginica", "virginica"], index=[7, 8, 9])
    assert accuracy(truth, guess) == wilson(2, 3)


def test_rows_that_do_not_meet_by_key_are_refused():
    with pytest.raises(SchemaError, match="same index"):
        accuracy(pd.Series(["setosa"], index=[1]), pd.Series(["setosa"], index=[2]))


def test_an_unknown_outcome_is_refused_rather_than_counted_as_a_miss():
    with pytest.raises(SchemaError, match="blank"):
        accuracy(pd.Series(["setosa", None]), pd.Series(["setosa", "setosa"]))


def test_confusion_has_truth_in_its_rows_and_every_declared_class():
    truth = pd.Series(["setosa", "versicolor", "versicolor"])
    guess = pd.Series(["setosa", "setosa", "versicolor"])
    counts = confusion(truth, guess, CLASSES)
    assert counts.to_numpy().tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert [*counts.index] == [*counts.columns] == CLASSES
    assert (counts.index.name, counts.columns.name) == ("truth", "guess")


def test_confusion_of_nothing_is_all_zeros():
    nothing = pd.Series([], dtype=object)
    assert confusion(nothing, nothing, CLASSES).to_numpy().tolist() == [[0] * 3] * 3


@pytest.mark.parametrize(("truth", "guess"), [("rose", "setosa"), ("setosa", "rose")])
def test_a_label_outside_the_classes_is_named(truth, guess):
    with pytest.raises(SchemaError, match="'rose'"):
        confusion(pd.Series([truth]), pd.Series([guess]), CLASSES)


def test_the_majority_is_of_the_known_labels_not_of_the_judged_ones():
    known = pd.Series(["virginica", "setosa", "virginica"])
    assert majority(known, pd.Series(["setosa", "setosa", "setosa", "virginica"])) == wilson(1, 4)


def test_of_equally_common_classes_the_first_by_name_is_guessed():
    known = pd.Series(["virginica", "setosa"])
    assert majority(known, pd.Series(["setosa"])).value == 1.0


def test_without_known_labels_there_is_no_majority():
    with pytest.raises(NotYetError, match="no label is known"):
        majority(pd.Series([], dtype=object), pd.Series(["setosa"]))


SURE_AND_UNSURE = pd.DataFrame(
    {"setosa": [1.0, 0.2, 0.0], "versicolor": [0.0, 0.5, 1.0], "virginica": [0.0, 0.3, 0.0]}, index=[3, 1, 2]
)
TRUTH = pd.Series(["setosa", "versicolor", "virginica"], index=[3, 1, 2])


def test_log_loss_is_0_when_sure_and_right_and_finite_when_sure_and_wrong():
    losses = log_loss(SURE_AND_UNSURE, TRUTH)
    assert losses.tolist() == pytest.approx([0.0, math.log(2), math.log(1e6)])
    assert [*losses.index] == [3, 1, 2]


def test_the_order_of_the_class_columns_does_not_matter():
    turned = SURE_AND_UNSURE[["virginica", "setosa", "versicolor"]]
    pd.testing.assert_series_equal(log_loss(turned, TRUTH), log_loss(SURE_AND_UNSURE, TRUTH))


@given(st.floats(0.02, 0.98))
def test_the_loss_is_lowest_on_average_for_the_true_probability(chance):
    offers = np.linspace(0.01, 0.99, 99)
    offered = pd.DataFrame({"yes": offers, "no": 1 - offers})
    if_yes, if_no = (log_loss(offered, pd.Series([label] * 99)) for label in ("yes", "no"))
    best = offers[(chance * if_yes + (1 - chance) * if_no).idxmin()]
    assert best == pytest.approx(chance, abs=0.0101)


def test_float32_rounding_above_1_is_forgiven():
    rounded = pd.DataFrame({"a": [np.float32(1.0000001)], "b": [np.float32(0)]})
    assert log_loss(rounded, pd.Series(["a"])).tolist() == [0.0]


@pytest.mark.parametrize("wrong", [1.5, -0.1, math.nan])
def test_what_is_no_probability_is_refused(wrong):
    with pytest.raises(SchemaError, match=r"0\.\.1|blank"):
        log_loss(pd.DataFrame({"a": [0.5, 0.5], "b": [0.5, wrong]}), pd.Series(["a", "b"]))


def test_a_true_class_without_a_probability_is_named():
    with pytest.raises(SchemaError, match="'rose'"):
        log_loss(pd.DataFrame({"setosa": [1.0]}), pd.Series(["rose"]))


def test_calibration_keeps_empty_bins_and_puts_an_edge_in_the_bin_above():
    table = calibration(pd.Series([0.4, 0.6, 0.7, 1.0]), pd.Series([True, False, True, True]))
    assert table["count"].tolist() == [0, 0, 1, 2, 1]
    assert table["bin_low"].tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    assert table["value"].tolist() == pytest.approx([math.nan, math.nan, 1, 0.5, 1], nan_ok=True)
    assert table["confidence"].tolist() == pytest.approx([math.nan, math.nan, 0.4, 0.65, 1], nan_ok=True)
    assert (table["low"][0], table["high"][0]) == (0, 1)
    assert (table["low"][3], table["high"][3]) == (wilson(1, 2).low, wilson(1, 2).high)


def test_calibration_error_weighs_bins_by_their_rows():
    confidence, hit = pd.Series([0.9, 0.9, 0.9, 0.5]), pd.Series([True, True, True, False])
    assert expected_calibration_error(calibration(confidence, hit)) == pytest.approx((3 * 0.1 + 0.5) / 4)


def test_calibration_error_of_nothing_is_unknown():
    nothing = pd.Series([], dtype=float)
    assert math.isnan(expected_calibration_error(calibration(nothing, nothing.astype(bool))))


def test_a_calibrated_guesser_has_a_small_calibration_error_and_a_boaster_a_large_one():
    rng = np.random.default_rng(0)
    chance = pd.Series(rng.uniform(0.3, 0.7, 5000))
    hit = pd.Series(rng.uniform(size=5000) < chance)
    assert expected_calibration_error(calibration(chance, hit)) < 0.03
    assert expected_calibration_error(calibration(chance + 0.3, hit)) == pytest.approx(0.3, abs=0.03)


# --- grades and means ----------------------------------------------------------------------------------------------

GRADE_PAIRS = st.lists(st.tuples(st.integers(3, 9), st.integers(3, 9)), min_size=1, max_size=40)


@given(GRADE_PAIRS)
def test_quadratic_kappa_is_scikit_learns(pairs):
    truth, guess = (pd.Series(column) for column in zip(*pairs, strict=True))
    found = quadratic_kappa(truth, guess, range(3, 10))
    if len({*truth, *guess}) == 1:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(cohen_kappa_score(truth, guess, labels=[*range(3, 10)], weights="quadratic"))


def test_kappa_is_1_for_agreement_0_for_always_the_mean_and_negative_for_the_opposite():
    truth = pd.Series([4, 5, 6])
    assert quadratic_kappa(truth, truth, range(3, 10)) == 1
    assert quadratic_kappa(truth, pd.Series([5, 5, 5]), range(3, 10)) == 0
    assert quadratic_kappa(truth, pd.Series([6, 5, 4]), range(3, 10)) == -1


def test_kappa_of_nothing_is_unknown_and_a_grade_nobody_declared_is_named():
    nothing = pd.Series([], dtype="int64")
    assert math.isnan(quadratic_kappa(nothing, nothing, range(3, 10)))
    with pytest.raises(SchemaError, match="11"):
        quadratic_kappa(pd.Series([5]), pd.Series([11]), range(3, 10))
    with pytest.raises(SchemaError, match="blank"):
        quadratic_kappa(pd.Series([5.0]), pd.Series([math.nan]), range(3, 10))


def test_the_interval_of_a_mean_is_the_textbooks():
    losses = pd.Series([1.0, 2.0, 3.0, 4.0])
    half = 1.959964 * losses.std() / 2
    assert mean_of(losses) == Share(2.5, pytest.approx(2.5 - half), pytest.approx(2.5 + half), 4)


def test_the_mean_of_one_or_of_one_in_repeats_has_no_known_interval():
    for losses in (pd.Series([2.0]), pd.Series([1.0, 3.0], index=["a", "a"])):
        share = mean_of(losses)
        assert (share.value, share.count) == (2.0, 1)
        assert math.isnan(share.low)
        assert math.isnan(share.high)


def test_the_mean_of_nothing_is_unknown_and_a_blank_is_refused():
    assert math.isnan(mean_of(pd.Series([], dtype=float)).value)
    with pytest.raises(SchemaError, match="blank"):
        mean_of(pd.Series([1.0, math.nan]))


@given(st.lists(st.floats(0, 36), min_size=2, max_size=20), st.integers(1, 4))
def test_repeats_do_not_make_a_mean_surer(losses, repeats):
    once = pd.Series(losses)
    one, many = mean_of(once), mean_of(pd.concat([once] * repeats))
    assert (many.value, many.low, many.high) == pytest.approx((one.value, one.low, one.high), abs=1e-9)
    assert many.count == len(losses)


@pytest.mark.slow
def test_the_interval_of_a_mean_holds_the_truth_as_often_as_promised_also_with_twins():
    rng, held = np.random.default_rng(0), 0
    for _ in range(2000):
        size = rng.choice([1, 1, 1, 2, 4], 150)
        wines = np.repeat(np.arange(150), size)
        losses = pd.Series((rng.chisquare(1, 150)[wines] + rng.chisquare(1, len(wines))) / 2, index=wines)
        share = mean_of(losses)
        held += share.low <= 1.0 <= share.high
    assert held / 2000 == pytest.approx(0.95, abs=0.02)
