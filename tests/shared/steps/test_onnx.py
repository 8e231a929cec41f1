"""Models run from their files: one row at a time gives the same bits, and a file that changed is opened anew."""

import os

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import LinearRegression

from shared.steps.onnx import predicted_values
from shared.steps.regressors import sklearn_onnx

ROWS = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")


def written(model, path):
    path.write_bytes(sklearn_onnx(model, ROWS))
    return path


@pytest.fixture
def trees(tmp_path):
    return written(ExtraTreesRegressor(20, random_state=0).fit(ROWS, ROWS @ [1, 2, 3]), tmp_path / "trees.onnx")


def test_a_row_gets_the_same_bits_whatever_came_with_it(trees):
    together, alone = predicted_values(trees, ROWS), predicted_values(trees, ROWS[7:8])
    assert together.shape == (50, 1)
    assert together.dtype == "float64"
    assert together[7].tolist() == alone[0].tolist()


def test_a_batch_says_the_same_to_float32s_precision(trees):
    assert predicted_values(trees, ROWS, batch=True) == pytest.approx(predicted_values(trees, ROWS), abs=1e-5)


@pytest.mark.parametrize("batch", [True, False])
def test_no_rows_give_no_values(trees, batch):
    assert predicted_values(trees, ROWS[:0], batch=batch).shape == (0, 1)


def test_several_outputs_are_columns(tmp_path):
    path = written(LinearRegression().fit(ROWS, ROWS[:, :2]), tmp_path / "two.onnx")
    assert predicted_values(path, ROWS, batch=True) == pytest.approx(ROWS[:, :2], abs=1e-5)


def test_a_file_that_was_written_anew_is_read_anew(tmp_path):
    path = written(LinearRegression().fit(ROWS, ROWS[:, 0]), tmp_path / "m.onnx")
    before = predicted_values(path, ROWS[:1])
    written(LinearRegression().fit(ROWS, -ROWS[:, 0]), path)
    os.utime(path, ns=(0, 1))
    assert predicted_values(path, ROWS[:1]) == pytest.approx(-before, abs=1e-5)
