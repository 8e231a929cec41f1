"""From an expected grade to probabilities and whole grades: laws that hold for any link, and links that are learned."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import NotYetError, SchemaError
from shared.steps.ordinal import STRETCHES, GradeLink, graded

GRADES = tuple(range(3, 10))
QUALITIES = st.floats(-50, 50)


@st.composite
def links(draw):
    """Any link of grades 3 to 9: cuts ascend, as fit makes them."""
    steps = draw(st.lists(st.floats(1e-8, 20), min_size=5, max_size=5))
    cuts = np.cumsum([draw(st.floats(-20, 20)), *steps])
    slope, mean = draw(st.floats(1e-3, 50)), draw(st.floats(3, 9))
    return GradeLink(GRADES, tuple(cuts.tolist()), slope, mean, draw(st.sampled_from(STRETCHES)))


def simulated(count, seed=0):
    """Return (expected grades, true grades): truth scatters about the expected grade, most of it 5 and 6."""
    rng = np.random.default_rng(seed)
    quality = rng.normal(5.8, 0.5, count)
    return quality, np.floor(quality + rng.normal(0, 0.6, count) + 0.5).clip(3, 9).astype("int64")


# --- laws ----------------------------------------------------------------------------------------------------------


@given(links(), st.lists(QUALITIES, min_size=1, max_size=20))
def test_probabilities_are_shares_that_add_up_to_1(link, qualities):
    shares = link.probabilities(np.array(qualities))
    assert shares.shape == (len(qualities), 7)
    assert (shares >= 0).all()
    assert (shares <= 1).all()
    assert shares.sum(axis=1) == pytest.approx(1, abs=1e-12)


@given(links(), QUALITIES, QUALITIES)
def test_a_better_wine_is_never_less_likely_to_pass_a_grade(link, one, other):
    worse, better = np.cumsum(link.probabilities(np.sort([one, other])), axis=1)
    assert (better <= worse + 1e-12).all()


@given(links(), QUALITIES, QUALITIES)
def test_whole_grades_lie_within_the_grades_and_never_fall_as_quality_rises(link, one, other):
    worse, better = link.whole(np.sort([one, other]))
    assert 3 <= worse <= better <= 9


@given(links())
def test_a_link_comes_back_equal_through_json(link):
    assert GradeLink.from_dict(json.loads(json.dumps(link.to_dict()))) == link


@given(links(), st.lists(st.tuples(QUALITIES, QUALITIES, QUALITIES), min_size=1, max_size=9))
def test_every_interval_holds_its_quality(link, rows):
    quality, low, high = np.array(rows).T
    said = graded(link, quality, low, high)
    assert (said["low"] <= said["quality"]).all()
    assert (said["quality"] <= said["high"]).all()
    assert (said["low"] <= low).all()
    assert (said["high"] >= high).all()


# --- whole grades --------------------------------------------------------------------------------------------------


def test_half_rounds_up_for_even_grades_and_odd_ones():
    plain = GradeLink(GRADES, (3.5, 4.5, 5.5, 6.5, 7.5, 8.5), 1.0, 5.75, 1.0)
    assert plain.whole(np.array([4.5, 5.5, 6.5, 5.49, 2.5, 9.5])).tolist() == [5, 6, 7, 5, 3, 9]


def test_a_stretched_quality_moves_away_from_the_mean_before_it_is_rounded():
    link = GradeLink(GRADES, (3.5, 4.5, 5.5, 6.5, 7.5, 8.5), 1.0, 5.75, 1.5)
    assert link.whole(np.array([5.0, 5.75, 6.5])).tolist() == [5, 6, 7]  # 4.625, 5.75, 6.875
    assert link.whole(np.array([4.75, 6.2, 6.3])).tolist() == [4, 6, 7]  # 4.25, 6.425, 6.575


# --- learned -------------------------------------------------------------------------------------------------------


def test_learned_probabilities_are_as_frequent_as_they_say():
    quality, truth = simulated(4000)
    link = GradeLink.fit(quality, truth, GRADES)
    fresh, seen = simulated(4000, seed=1)
    said = link.probabilities(fresh)
    for place, grade in enumerate(GRADES):
        assert said[:, place].mean() == pytest.approx((seen == grade).mean(), abs=0.02)
    likely = fresh > 6.3
    assert said[likely, 3].mean() == pytest.approx(
        (seen[likely] == 6).mean(), abs=0.08
    )  # noise is normal, not logistic


def test_the_probabilities_tell_more_than_how_common_each_grade_is():
    quality, truth = simulated(2000)
    fresh, seen = simulated(2000, seed=1)
    said = GradeLink.fit(quality, truth, GRADES).probabilities(fresh)[np.arange(2000), seen - 3]
    common = (np.bincount(truth, minlength=10)[seen] + 0.5) / 2003.5
    assert -np.log(said).mean() < -np.log(common).mean() - 0.1


def test_shrunk_predictions_are_stretched_and_full_ones_are_not():
    quality, truth = simulated(4000)
    shrunk = 5.8 + (quality - 5.8) / 1.8
    assert GradeLink.fit(shrunk, truth, GRADES).stretch > 1.4
    assert GradeLink.fit(truth.astype("float64"), truth, GRADES).stretch == 1.0


def test_the_same_rows_give_the_same_link():
    assert GradeLink.fit(*simulated(300), GRADES) == GradeLink.fit(*simulated(300), GRADES)


def test_a_grade_that_no_row_has_is_improbable_and_its_cuts_stay_in_order():
    quality, truth = simulated(300)
    link = GradeLink.fit(quality, truth.clip(5, 6), GRADES)
    assert [*link.cuts] == sorted(link.cuts)
    assert (link.probabilities(quality)[:, [0, 1, 4, 5, 6]].mean(axis=0) < 0.01).all()


def test_one_class_only_is_learned_as_nearly_certain():
    quality, _ = simulated(60)
    link = GradeLink.fit(quality, np.full(60, 5), GRADES)
    assert link.whole(np.array([5.0])).tolist() == [5]
    assert link.probabilities(np.array([5.0]))[0, 2] > 0.9


def test_a_quality_that_is_the_same_for_all_gives_how_common_each_grade_is():
    _, truth = simulated(2000)
    said = GradeLink.fit(np.full(2000, 5.8), truth, GRADES).probabilities(np.array([5.8]))[0]
    assert said == pytest.approx(np.bincount(truth, minlength=10)[3:] / 2000, abs=0.005)


def test_two_grades_are_enough():
    quality, truth = simulated(100)
    link = GradeLink.fit(quality, truth.clip(5, 6), (5, 6))
    assert link.probabilities(np.array([1.0, 9.0])).round(2).tolist() == [[1.0, 0.0], [0.0, 1.0]]


# --- bad days ------------------------------------------------------------------------------------------------------


def test_too_few_rows_say_how_many_are_needed():
    with pytest.raises(NotYetError, match="at least 20 held-out rows; there are 19"):
        GradeLink.fit(*simulated(19), GRADES)
    assert GradeLink.fit(*simulated(20), GRADES).grades == GRADES


@pytest.mark.parametrize("grades", [(5,), (3, 5, 7), (6, 5)])
def test_a_single_grade_or_one_left_out_is_refused(grades):
    with pytest.raises(SchemaError, match="no grades in order"):
        GradeLink.fit(*simulated(30), grades)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_blank_quality_is_refused(wrong):
    quality, truth = simulated(30)
    with pytest.raises(SchemaError, match="blank"):
        GradeLink.fit(np.r_[quality[:-1], wrong], truth, GRADES)


@pytest.mark.parametrize("unknown", [2, 10])
def test_a_true_grade_outside_the_grades_is_refused(unknown):
    quality, truth = simulated(30)
    with pytest.raises(SchemaError, match="none of"):
        GradeLink.fit(quality, np.r_[truth[:-1], unknown], GRADES)


def test_no_rows_have_all_columns():
    link, nothing = GradeLink.fit(*simulated(30), GRADES), np.array([])
    said = graded(link, nothing, nothing, nothing)
    assert [*said.columns] == ["quality", "grade", "low", "high", "p3", "p4", "p5", "p6", "p7", "p8", "p9"]
    assert said.empty
    assert pd.api.types.is_integer_dtype(said["grade"])
