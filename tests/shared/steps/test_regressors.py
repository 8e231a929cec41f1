"""Every family that serves says the same through ONNX as fitted, on good days and on odd ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from shared.errors import BackendError
from shared.steps.onnx import predicted_values
from shared.steps.regressors import (
    FAMILIES,
    SAME,
    OrdinalTrees,
    boosted,
    default_boosted,
    quantile_trees,
    sklearn_onnx,
    to_file,
    xgboost_onnx,
)

SERVING = [name for name, family in FAMILIES.items() if family.to_onnx]


def wines(count, seed=0):
    """Return (inputs float32 [count, 4] with a constant column, grades 4 to 7 that follow the first one)."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(count, 4)).astype("float32")
    inputs[:, 2] = 1
    return inputs, np.floor(5.5 + inputs[:, 0] + rng.normal(0, 0.3, count)).clip(4, 7)


def through_onnx(path, base, inputs, *, batch):
    return base + predicted_values(path, inputs, batch=batch).sum(axis=1)


@pytest.mark.parametrize("rows", [8, 150])
@pytest.mark.parametrize("name", SERVING)
def test_a_family_says_the_same_through_onnx_as_fitted_on_rows_it_never_saw(name, rows, tmp_path):
    inputs, truth = wines(rows)
    model = FAMILIES[name].make(0).fit(inputs, truth)
    base = to_file(model, FAMILIES[name].to_onnx, inputs, tmp_path / "m.onnx")
    fresh = np.random.default_rng(1).normal(0, 2, (200, 4)).astype("float32")
    said = through_onnx(tmp_path / "m.onnx", base, fresh, batch=True)
    assert said == pytest.approx(model.predict(fresh), abs=1e-4)
    assert through_onnx(tmp_path / "m.onnx", base, fresh[:20], batch=False) == pytest.approx(said[:20], abs=1e-5)


@pytest.mark.parametrize("share", [0.05, 0.95])
def test_a_quantile_says_the_same_through_onnx_and_lies_where_it_should(share, tmp_path):
    inputs, truth = wines(600)
    model = quantile_trees(share, 0).fit(inputs, truth)
    to_file(model, xgboost_onnx, inputs, tmp_path / "end.onnx")
    fresh, seen = wines(600, seed=1)
    said = predicted_values(tmp_path / "end.onnx", fresh, batch=True)[:, 0]
    assert said == pytest.approx(model.predict(fresh), abs=1e-4)
    assert (seen <= said + 1e-3).mean() == pytest.approx(share, abs=0.1)


@pytest.mark.parametrize("name", [*SERVING, pytest.param("hist_boosting", marks=pytest.mark.slow)])
def test_every_family_learns_more_than_the_mean_and_the_same_seed_gives_the_same_model(name):
    inputs, truth = wines(300)
    fresh, seen = wines(300, seed=1)
    one, other = (FAMILIES[name].make(7).fit(inputs, truth).predict(fresh) for _ in range(2))
    assert one == pytest.approx(other, abs=1e-12)  # a forest's threads add up in any order
    assert ((one - seen) ** 2).mean() < 0.6 * ((truth.mean() - seen) ** 2).mean()


@pytest.mark.parametrize("name", [name for name in SERVING if name != "support_vectors"])
def test_one_class_only_is_learned_and_written(name, tmp_path):
    inputs, _ = wines(40)
    model = FAMILIES[name].make(0).fit(inputs, np.full(40, 5.0))
    base = to_file(model, FAMILIES[name].to_onnx, inputs, tmp_path / "m.onnx")
    assert through_onnx(tmp_path / "m.onnx", base, inputs, batch=True) == pytest.approx(np.full(40, 5.0), abs=1e-4)


# --- what cannot be written ----------------------------------------------------------------------------------------


def test_support_vectors_of_one_class_only_cannot_be_written_and_say_so(tmp_path):
    inputs, _ = wines(40)
    model = FAMILIES["support_vectors"].make(0).fit(inputs, np.full(40, 5.0))
    with pytest.raises(BackendError, match="support_vectors cannot be written as ONNX: choose another family"):
        to_file(model, sklearn_onnx, inputs, tmp_path / "support_vectors.onnx")


def test_a_family_without_a_converter_never_serves(tmp_path):
    inputs, truth = wines(40)
    model = FAMILIES["hist_boosting"].make(0).fit(inputs, truth)
    with pytest.raises(BackendError, match="hist_boosting cannot be written as ONNX, so it cannot serve"):
        to_file(model, FAMILIES["hist_boosting"].to_onnx, inputs, tmp_path / "hist_boosting.onnx")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("shift", [2 * SAME, np.nan])
def test_a_model_whose_conversion_says_something_else_is_not_registered(shift, tmp_path):
    inputs, truth = wines(40)
    fitted = FAMILIES["forest"].make(0).fit(inputs, truth)

    class Shifted:
        def predict(self, given):
            return fitted.predict(given) + shift

    with pytest.raises(BackendError, match="m as ONNX differs from the fitted model by up to"):
        to_file(Shifted(), lambda _, given: sklearn_onnx(fitted, given), inputs, tmp_path / "m.onnx")


# --- ordinal trees -------------------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(st.lists(st.integers(3, 9), min_size=2, max_size=20))
def test_ordinal_trees_stay_between_the_lowest_and_the_highest_grade_they_saw(grades):
    inputs = np.random.default_rng(0).normal(size=(len(grades), 2)).astype("float32")
    said = OrdinalTrees(n_estimators=3).fit(inputs, np.array(grades, dtype="float64")).predict(inputs)
    assert said.shape == (len(grades),)
    assert (said >= min(grades) - 1e-9).all()
    assert (said <= max(grades) + 1e-9).all()


@pytest.mark.parametrize("grades", [(5.0, 6.0), (3.0, 5.0, 9.0)])
def test_ordinal_trees_learn_two_grades_and_grades_with_one_left_out(grades, tmp_path):
    inputs = np.repeat(np.arange(len(grades), dtype="float32"), 20)[:, None]
    model = OrdinalTrees(n_estimators=20).fit(inputs, np.repeat(grades, 20))
    assert model.predict(inputs)[::20] == pytest.approx(grades, abs=1e-6)
    base = to_file(model, sklearn_onnx, inputs, tmp_path / "m.onnx")
    assert base == grades[0]
    assert through_onnx(tmp_path / "m.onnx", base, inputs, batch=True)[::20] == pytest.approx(grades, abs=1e-5)


def test_ordinal_trees_can_be_cloned_with_their_settings():
    copy = clone(OrdinalTrees(n_estimators=3, random_state=9))
    assert (copy.n_estimators, copy.random_state) == (3, 9)


def test_boosted_trees_are_the_same_from_the_same_seed_and_others_from_another():
    inputs, truth = wines(300)
    one, again, other = (boosted(inputs, truth, 20, seed).predict(inputs) for seed in (1, 1, 2))
    assert one.tolist() == again.tolist() != other.tolist()


def test_boosted_trees_tell_blanks_apart_from_any_value():
    inputs, _ = wines(400)
    inputs[::2, 0] = np.nan
    truth = np.where(np.isnan(inputs[:, 0]), 9.0, 1.0)
    said = boosted(inputs, truth, 200, 0).predict(inputs)
    assert np.median(said[::2]) == pytest.approx(9, abs=0.3)
    assert np.median(said[1::2]) == pytest.approx(1, abs=0.3)


def test_boosted_trees_take_a_column_of_nothing_but_blanks():
    inputs, truth = wines(300)
    blank = np.column_stack([inputs, np.full(300, np.nan, dtype=np.float32)])
    assert np.isfinite(boosted(blank, truth, 20, 0).predict(blank)).all()


def test_xgboost_as_it_comes_is_the_same_each_time_and_takes_blanks():
    inputs, truth = wines(200)
    inputs[::3, 1] = np.nan
    one, again = (default_boosted(inputs, truth) for _ in range(2))
    assert one.predict(inputs).tolist() == again.predict(inputs).tolist()
    assert one.get_params()["n_estimators"] is None  # nothing was tuned
    assert one.get_params()["max_depth"] is None
