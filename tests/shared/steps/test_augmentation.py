"""Whether synthetic rows help: every mix is judged on the same real rows, unseen by generator and model."""

import numpy as np
import pandas as pd
import pytest

from shared.steps.augmentation import MIXES, augmentation

GROUPS = [f"wine {number // 2}" for number in range(60)]  # each row has a twin
ROWS = pd.DataFrame({"group": GROUPS, "grade": np.tile([5.0, 5.0, 6.0, 6.0], 15)})


def shifted(by):
    """A generator whose rows have a grade ``by`` above that of the rows it learned."""

    def draw(known, count, seed):
        return known.sample(count, replace=True, random_state=seed).assign(grade=lambda rows: rows["grade"] + by)

    return draw


def mean(known, judged):
    return np.full(len(judged), known["grade"].mean())


def found(draw, predict=mean, repeats=2):
    table = augmentation(ROWS, "grade", GROUPS, draw, predict, repeats=repeats)
    return {row["learned_from"]: row for row in table}


def test_rows_that_are_wrong_hurt_the_more_the_more_there_are_and_the_interval_says_so():
    by_mix = found(shifted(3.0))
    assert [*by_mix] == [*MIXES]
    assert [row["mse"] for row in by_mix.values()] == sorted(row["mse"] for row in by_mix.values())
    assert by_mix["real + half as many synthetic"]["low"] > 0
    # Half of the rows are 3 too high, so the mean is 1.5 too high; alone, 3.
    assert by_mix["real + as many synthetic"]["difference"] == pytest.approx(1.5**2, abs=0.3)
    assert by_mix["synthetic alone, as many"]["difference"] == pytest.approx(9, abs=0.6)


def test_real_rows_alone_differ_from_themselves_by_nothing():
    real = found(shifted(0.0))["real"]
    assert (real["difference"], real["low"], real["high"]) == (0, 0, 0)


def test_neither_the_generator_nor_the_model_sees_a_row_that_is_judged_or_its_twin():
    seen = []

    def draw(known, count, seed):
        seen.append({*known["group"]})
        return shifted(0.0)(known, count, seed)

    def predict(known, judged):
        assert {*judged["group"]}.isdisjoint(seen[-1])
        assert {*known["group"]} <= seen[-1]
        return mean(known, judged)

    found(draw, predict, repeats=1)
    assert len(seen) == 5


def test_a_mix_holds_as_many_rows_as_its_name_says():
    sizes = []

    def predict(known, judged):
        sizes.append(len(known) / (len(ROWS) - len(judged)))
        return mean(known, judged)

    found(shifted(0.0), predict, repeats=1)
    assert sizes[: len(MIXES)] == pytest.approx([1, 1.5, 2, 3, 1], abs=0.02)
