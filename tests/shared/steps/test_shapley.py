"""What moved a prediction: parts that add up, always the same, and fair by the laws that define Shapley values."""

import itertools
import math
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from shared.errors import MissingExtraError
from shared.steps.shapley import shapley

TYPICAL = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 4.0], [2.0, 2.0, 0.0]])
ROW = np.array([3.0, 5.0, 1.0])


def curved(rows):
    return rows[:, 0] * rows[:, 1] + np.maximum(rows[:, 2], rows[:, 0])


def exact(said, row, typical):
    """Return Shapley values from their definition: over every subset of the other inputs."""
    places, shifts = range(len(row)), np.zeros(len(row))

    def worth(taken):
        mixed = typical.copy()
        mixed[:, list(taken)] = row[list(taken)]
        return said(mixed).mean()

    for place in places:
        others = [one for one in places if one != place]
        for size in range(len(row)):
            weight = math.factorial(size) * math.factorial(len(row) - size - 1) / math.factorial(len(row))
            for taken in itertools.combinations(others, size):
                shifts[place] += weight * (worth((*taken, place)) - worth(taken))
    return shifts


def test_the_shifts_and_the_usual_prediction_add_up_to_this_one():
    shifts = shapley(curved, ROW, TYPICAL)
    assert shifts.sum() == pytest.approx(curved(ROW[None, :])[0] - curved(TYPICAL).mean())


def test_the_shifts_are_those_of_the_definition():
    assert shapley(curved, ROW, TYPICAL, orders=200) == pytest.approx(exact(curved, ROW, TYPICAL), abs=0.1)


def test_an_input_that_nothing_depends_on_moved_nothing():
    assert shapley(lambda rows: rows[:, 0] * 2, ROW, TYPICAL)[1:] == pytest.approx([0, 0])


def test_the_same_question_has_the_same_answer_also_from_several_threads_at_once():
    first = shapley(curved, ROW, TYPICAL)
    with ThreadPoolExecutor(4) as pool:
        rest = [*pool.map(lambda _: shapley(curved, ROW, TYPICAL), range(8))]
    assert all(np.array_equal(first, one) for one in rest)


def test_the_callers_random_numbers_stay_as_they_would_have_been():
    np.random.seed(5)
    wanted = np.random.random(3)
    np.random.seed(5)
    shapley(curved, ROW, TYPICAL)
    assert np.array_equal(np.random.random(3), wanted)


def test_without_shap_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'almanac\[explain\]'"):
        shapley(curved, ROW, TYPICAL)
