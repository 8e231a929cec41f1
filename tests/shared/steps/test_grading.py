"""Figures of expected grades beside the truth."""

import math

import numpy as np
import pandas as pd
import pytest

from shared.errors import SchemaError
from shared.steps.grading import compared, coverage_by_grade, figures
from shared.steps.ordinal import GradeLink, graded
from shared.steps.scoring import wilson

GRADES = (5, 6, 7)
SAID = pd.DataFrame(
    {
        "quality": [5.5, 5.0, 7.0, 6.0],
        "grade": [6, 5, 7, 6],
        "low": [5.0, 4.0, 6.5, 5.5],
        "high": [6.5, 5.5, 7.5, 6.5],
        "p5": [0.5, 0.8, 0.0, 0.2],
        "p6": [0.5, 0.2, 0.2, 0.5],
        "p7": [0.0, 0.0, 0.8, 0.3],
        "truth": [6, 5, 6, 7],
    }
)


def test_each_figure_is_the_one_that_a_hand_would_reckon():
    found = figures(SAID, GRADES)
    assert found["mse"] == (0.25 + 0 + 1 + 1) / 4
    assert found["mae"] == (0.5 + 0 + 1 + 1) / 4
    assert found["accuracy"] == 0.5
    assert found["log_loss"] == pytest.approx(-np.log([0.5, 0.8, 0.2, 0.3]).mean())
    assert found["coverage"] == 0.5
    assert found["interval_width"] == (1.5 + 1.5 + 1 + 1) / 4
    assert found["qwk"] == pytest.approx(1 - 0.5 / (0.5 + 0.5))


def test_a_probability_of_0_for_the_truth_costs_much_and_not_everything():
    impossible = SAID.assign(p6=0.0, truth=6)
    assert figures(impossible, GRADES)["log_loss"] == pytest.approx(math.log(1e6))


def test_figures_of_no_rows_are_unknown():
    found = figures(SAID.iloc[:0], GRADES)
    assert set(found) == {"mse", "mae", "qwk", "accuracy", "log_loss", "coverage", "interval_width"}
    assert all(math.isnan(value) for value in found.values())


@pytest.mark.parametrize("unknown", [4, 8])
def test_a_true_grade_that_is_none_of_the_grades_is_refused(unknown):
    with pytest.raises(SchemaError, match=f"{unknown}"):
        figures(SAID.assign(truth=unknown), GRADES)


def test_a_row_of_the_table_rounds_half_up_whatever_the_model():
    said = pd.DataFrame({"trees": [5.5, 4.0, 8.5], "truth": [6, 5, 6], "repeat": 0}, index=["a", "b", "c"])
    row = compared("trees", said, "trees", GRADES)
    assert row["model"] == "trees"
    assert row["accuracy"] == pytest.approx(2 / 3)  # 6, 5 as the lowest, 7 as the highest
    assert row["mse"] == pytest.approx((0.25 + 1 + 6.25) / 3)
    assert row["low"] < row["mse"] < row["high"]


def test_a_row_of_the_table_shows_the_range_over_repeats():
    said = pd.DataFrame({"m": [5.0, 6.0, 6.0, 6.0], "truth": 5, "repeat": [0, 0, 1, 1]}, index=["a", "b", "a", "b"])
    assert compared("m", said, "m", GRADES)["repeats"] == "0.500–1.000"


def test_repeating_what_was_said_does_not_make_a_row_surer():
    rng = np.random.default_rng(0)
    once = pd.DataFrame({"m": rng.normal(6, 1, 50), "truth": 6, "repeat": 0}, index=[f"wine {n}" for n in range(50)])
    thrice = pd.concat([once, once.assign(repeat=1), once.assign(repeat=2)])
    one, three = compared("m", once, "m", GRADES), compared("m", thrice, "m", GRADES)
    assert {**three, "repeats": ""} == pytest.approx({**one, "repeats": ""})


def test_every_grade_has_its_coverage_whether_it_occurred_or_not():
    found = coverage_by_grade(SAID, (5, 6, 7, 8))
    assert found == {5: wilson(1, 1), 6: wilson(1, 2), 7: wilson(0, 1), 8: found[8]}
    assert (found[8].count, found[8].low, found[8].high) == (0, 0.0, 1.0)


def test_what_a_link_says_is_what_the_figures_take():
    link = GradeLink((5, 6, 7), (5.5, 6.5), 1.0, 6.0, 1.0)
    said = graded(link, np.array([5.2, 6.9]), np.array([4.9, 6.0]), np.array([6.0, 7.5])).assign(truth=[5, 7])
    assert figures(said, GRADES)["accuracy"] == 1.0
