"""A weighted sum of models, weighted by what they said of rows they had not learned from."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from shared.errors import SchemaError
from shared.steps.regressors import sklearn_onnx, to_file
from shared.steps.stacking import LEAST_WEIGHT, out_of_fold, stacked, weights

TRUTH = np.array([3.0, 5.0, 6.0, 4.0, 8.0, 5.0])
NUMBERS = st.floats(-100, 100, allow_subnormal=False)


class Mean:
    """Says the mean of what it learned."""

    def fit(self, inputs, truth):
        self.mean = truth.mean()
        return self

    def predict(self, inputs):
        return np.full(len(inputs), self.mean)


# --- out of fold ---------------------------------------------------------------------------------------------------


def test_no_row_is_predicted_by_a_model_that_learned_from_it():
    inputs = np.zeros((4, 1))
    folds = [(np.array([2, 3]), np.array([0, 1])), (np.array([0, 1]), np.array([2, 3]))]
    said = out_of_fold(Mean, inputs, np.array([1.0, 3.0, 10.0, 20.0]), folds)
    assert said.tolist() == [15.0, 15.0, 2.0, 2.0]


def test_a_row_that_no_fold_holds_stays_blank():
    said = out_of_fold(Mean, np.zeros((3, 1)), np.array([1.0, 2.0, 3.0]), [(np.array([0]), np.array([1]))])
    assert np.isnan(said).tolist() == [True, False, True]


def test_every_fold_has_a_new_model():
    made = []

    def make():
        made.append(Mean())
        return made[-1]

    folds = [(np.array([0]), np.array([1])), (np.array([1]), np.array([0]))]
    out_of_fold(make, np.zeros((2, 1)), np.array([1.0, 2.0]), folds)
    assert [model.mean for model in made] == [1.0, 2.0]


# --- weights -------------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(NUMBERS, min_size=6, max_size=6), min_size=1, max_size=5))
def test_weights_are_positive_and_sum_to_1(columns):
    found = weights({f"m{n}": np.array(column) for n, column in enumerate(columns)}, TRUTH)
    assert sum(found.values()) == pytest.approx(1, abs=1e-9)
    assert all(LEAST_WEIGHT <= weight <= 1 for weight in found.values())


def test_two_noisy_models_are_averaged_by_how_sure_they_are():
    rng = np.random.default_rng(0)
    truth = rng.normal(6, 1, 4000)
    said = {"sharp": truth + rng.normal(0, 0.5, 4000), "blurred": truth + rng.normal(0, 1.0, 4000)}
    found = weights(said, truth)
    assert found["sharp"] == pytest.approx(0.8, abs=0.03)  # inverse variances: 4 to 1
    assert found["blurred"] == pytest.approx(0.2, abs=0.03)


def test_the_sum_is_no_worse_than_the_best_of_its_models():
    rng = np.random.default_rng(1)
    truth = rng.normal(6, 1, 500)
    said = {name: truth + rng.normal(0, spread, 500) for name, spread in (("a", 0.5), ("b", 0.7), ("c", 2.0))}
    found = weights(said, truth)
    together = sum(weight * said[name] for name, weight in found.items())
    assert ((together - truth) ** 2).mean() < min(((one - truth) ** 2).mean() for one in said.values())


def test_a_model_of_small_weight_is_left_out():
    truth = np.linspace(3, 9, 200)
    near = truth + 0.1 * np.sin(np.arange(200))
    assert weights({"near": near, "far": truth[::-1]}, truth) == {"near": 1.0}


def test_models_that_say_the_same_share_or_leave_the_weight_and_nothing_fails():
    said = TRUTH + np.array([0.1, -0.1, 0.2, 0.0, -0.3, 0.1])
    found = weights({"one": said, "twin": said.copy()}, TRUTH)
    assert sum(found.values()) == pytest.approx(1)


def test_a_single_model_has_all_the_weight_however_bad_it_is():
    assert weights({"zero": np.zeros(6)}, TRUTH) == {"zero": 1.0}


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_blank_is_refused_wherever_it_is(wrong):
    with pytest.raises(SchemaError, match="every row"):
        weights({"a": np.r_[TRUTH[:-1], wrong]}, TRUTH)
    with pytest.raises(SchemaError, match="blank"):
        weights({"a": TRUTH}, np.r_[TRUTH[:-1], wrong])


# --- stacked -------------------------------------------------------------------------------------------------------


def test_a_registered_stack_adds_weight_times_base_and_outputs(tmp_path):
    inputs = np.array([[1.0], [2.0], [3.0]], dtype="float32")
    double, minus = LinearRegression().fit(inputs, [2.0, 4.0, 6.0]), LinearRegression().fit(inputs, [-1.0, -2.0, -3.0])
    to_file(double, sklearn_onnx, inputs, tmp_path / "double.onnx")
    to_file(minus, sklearn_onnx, inputs, tmp_path / "minus.onnx")
    members = {"double": {"weight": 0.75, "base": 0.0}, "minus": {"weight": 0.25, "base": 4.0}}
    model = SimpleNamespace(folder=tmp_path, signature={"members": members})
    expected = [0.75 * 2 + 0.25 * 3, 0.75 * 4 + 0.25 * 2, 0.75 * 6 + 0.25 * 1]
    assert stacked(model, inputs) == pytest.approx(expected, abs=1e-5)
    assert stacked(model, inputs, batch=True) == pytest.approx(expected, abs=1e-5)
    assert stacked(model, inputs[:0]).shape == (0,)
    assert stacked(model, inputs[:0], batch=True).shape == (0,)
