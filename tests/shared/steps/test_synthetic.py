import json
import math
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_iris

from shared.errors import MissingExtraError, NotYetError, SchemaError
from shared.steps.synthetic import ClassCopula, two_sample_auc, uniform_ranges

MEASURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def real_flowers():
    found = load_iris(as_frame=True)
    return found.data.set_axis(MEASURES, axis=1).assign(variety=found.target_names[found.target])


REAL = real_flowers()
COPULA = ClassCopula.fit(REAL, "variety", MEASURES)


def drawn(copula, labels, seed):
    rng = np.random.default_rng(seed)
    rows = [{**copula.draw(label, rng), "variety": label} for label in labels]
    return pd.DataFrame(rows).round(1)


def test_a_draw_names_every_column():
    assert [*COPULA.draw("setosa", np.random.default_rng(0))] == MEASURES


def test_the_same_state_draws_the_same_flower_and_this_one():
    first, again = (COPULA.draw("virginica", np.random.default_rng(2026)) for _ in range(2))
    assert first == again
    assert [round(value, 6) for value in first.values()] == [6.119266, 2.999715, 4.8, 2.2]


def test_each_class_keeps_its_means_spreads_and_correlations():
    for variety, real in REAL.groupby("variety"):
        made = drawn(COPULA, [variety] * 2000, seed=1)[MEASURES]
        spread = real[MEASURES].std()
        assert ((made.mean() - real[MEASURES].mean()).abs() < 0.1 * spread).all()
        assert (made.std() / spread).between(0.9, 1.1).all()
        assert (made.corr(method="spearman") - real[MEASURES].corr(method="spearman")).abs().max(axis=None) < 0.2


def test_a_draw_reaches_a_little_past_the_seen_values_and_never_past_the_bounds():
    bounded = ClassCopula.fit(REAL, "variety", MEASURES, {"petal_width": (0.1, 2.5)})
    made = pd.DataFrame([bounded.draw("setosa", rng) for rng in [np.random.default_rng(3)] for _ in range(3000)])
    seen = REAL[REAL["variety"] == "setosa"]
    assert made["petal_width"].min() >= 0.1
    assert seen["sepal_length"].min() - 0.04 < made["sepal_length"].min() < seen["sepal_length"].min()
    assert seen["sepal_length"].max() < made["sepal_length"].max() < seen["sepal_length"].max() + 0.04


def test_columns_that_rise_together_exactly_do_so_in_draws_too():
    rows = pd.DataFrame({"kind": "a", "width": [1.0, 2.0, 4.0, 8.0], "depth": [10.0, 20.0, 40.0, 80.0]})
    flower = ClassCopula.fit(rows, "kind", ["width", "depth"]).draw("a", np.random.default_rng(0))
    assert flower["depth"] == pytest.approx(10 * flower["width"], rel=0.02)


def test_a_small_class_borrows_the_correlation_of_the_others():
    rng = np.random.default_rng(0)
    base = rng.normal(size=200)
    many = pd.DataFrame({"kind": "many", "a": base, "b": base + 0.1 * rng.normal(size=200)})
    few = pd.DataFrame({"kind": "few", "a": [1.0, 2.0, 3.0], "b": [2.0, 3.0, 1.0]})
    copula = ClassCopula.fit(pd.concat([many, few]), "kind", ["a", "b"])
    assert few[["a", "b"]].corr().iloc[0, 1] < 0
    made = pd.DataFrame([copula.draw("few", rng) for _ in range(500)])
    assert made.corr().iloc[0, 1] > 0.4


def test_a_constant_column_and_a_class_of_one_row_are_drawn_as_they_are():
    rows = pd.DataFrame({"kind": ["a", "a", "b"], "width": [1.0, 2.0, 7.0], "depth": [5.0, 5.0, 5.0]})
    copula = ClassCopula.fit(rows, "kind", ["width", "depth"])
    assert copula.draw("b", np.random.default_rng(0)) == {"width": 7.0, "depth": 5.0}
    assert copula.draw("a", np.random.default_rng(0))["depth"] == 5.0


def test_a_generator_comes_back_from_json_exactly():
    again = ClassCopula.from_dict(json.loads(json.dumps(COPULA.to_dict())))
    assert again == COPULA
    assert again.draw("setosa", np.random.default_rng(9)) == COPULA.draw("setosa", np.random.default_rng(9))


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=20), st.integers(0, 2**32))
def test_any_rows_give_a_generator_that_stays_near_them_and_survives_json(values, seed):
    rows = pd.DataFrame(values, columns=["a", "b"]).assign(kind="x")
    copula = ClassCopula.fit(rows, "kind", ["a", "b"])
    assert ClassCopula.from_dict(json.loads(json.dumps(copula.to_dict()))) == copula
    low, high = rows[["a", "b"]].min(), rows[["a", "b"]].max()
    for name, value in copula.draw("x", np.random.default_rng(seed)).items():
        assert 2 * low[name] - high[name] <= value <= 2 * high[name] - low[name]


def test_an_unknown_class_is_named():
    with pytest.raises(SchemaError, match="'rose'"):
        COPULA.draw("rose", np.random.default_rng(0))


@pytest.mark.parametrize("generator", [ClassCopula.fit, lambda *rows: uniform_ranges(*rows, np.random.default_rng(0))])
def test_nothing_can_be_learned_from_no_rows_or_blank_ones(generator):
    with pytest.raises(NotYetError, match="no real rows"):
        generator(REAL[:0], "variety", MEASURES)
    with pytest.raises(SchemaError, match="blank"):
        generator(REAL.assign(petal_width=math.nan), "variety", MEASURES)


def test_uniform_rows_keep_class_and_index_and_fill_the_range_of_their_class():
    made = uniform_ranges(REAL, "variety", MEASURES, np.random.default_rng(0))
    assert made["variety"].tolist() == REAL["variety"].tolist()
    low, high = (REAL.groupby("variety")[MEASURES].transform(end) for end in ("min", "max"))
    assert ((made[MEASURES] >= low) & (made[MEASURES] <= high)).all(axis=None)
    assert made["petal_length"].nunique() > 140


@pytest.mark.slow
def test_copula_flowers_pass_for_real_far_more_often_than_uniform_ones():
    learned = REAL.groupby("variety").sample(frac=0.5, random_state=0)
    unseen = REAL.drop(learned.index)
    copula = drawn(ClassCopula.fit(learned, "variety", MEASURES), unseen["variety"], seed=0)[unseen.columns]
    uniform = uniform_ranges(learned, "variety", MEASURES, np.random.default_rng(0)).round(1)[unseen.columns]
    assert two_sample_auc(unseen, copula, seed=0) < 0.65 < two_sample_auc(unseen, uniform, seed=0)


@pytest.mark.slow
def test_rows_of_another_place_are_told_apart_and_rows_of_the_same_are_not():
    rng = np.random.default_rng(0)
    real, same, other = (pd.DataFrame({"width": rng.normal(mean, 1, 150)}) for mean in (0, 0, 5))
    assert two_sample_auc(real, other, seed=0) > 0.99
    assert two_sample_auc(real, same, seed=0) == pytest.approx(0.5, abs=0.1)


def test_rows_with_other_columns_cannot_be_compared():
    with pytest.raises(SchemaError, match="cannot be compared"):
        two_sample_auc(REAL, REAL[MEASURES], seed=0)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(MissingExtraError, match=r"almanac\[train\]"):
        two_sample_auc(REAL, REAL, seed=0)
