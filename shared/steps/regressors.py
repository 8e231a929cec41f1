"""Regression families for tables of some thousand rows, each a way of fitting and a way of keeping it as ONNX.

    make(seed) ──► fit(inputs, truth) ──► predict ──► to_file: ONNX, shown to say the same of every row

A family without ``to_onnx`` is compared and never serves: its converter does not carry it over whole.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.errors import BackendError, MissingExtraError
from shared.steps.onnx import predicted_values

try:
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType
    from skl2onnx import to_onnx
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor, RandomForestRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR
    from threadpoolctl import threadpool_limits
    from xgboost import XGBRegressor
except ImportError as cause:
    raise MissingExtraError("training needs scikit-learn and xgboost: pip install 'almanac[train]'") from cause

if TYPE_CHECKING:
    from pathlib import Path

Convert = Callable[[Any, np.ndarray], bytes]
# float32 in ONNX: a row that falls on another side of one split of one of 200 trees moves by less than this.
SAME = 0.01
OPSET = 18


@dataclass(frozen=True)
class Family:
    """How models of one kind are made from a seed, and written as ONNX where that is exact."""

    make: Callable[[int], Any]
    to_onnx: Convert | None


class OrdinalTrees(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Extra trees that learn, for whole grades, whether each is passed: P(grade > g), as many outputs as steps.

    Their sum above the lowest grade is the expected grade (Frank & Hall 2001, ECML, LNCS 2167:145, with one model for
    all steps, so that the probabilities cannot contradict each other).
    """

    def __init__(self, n_estimators: int = 100, random_state: int = 0) -> None:
        self.n_estimators, self.random_state = n_estimators, random_state

    def fit(self, inputs: np.ndarray, truth: np.ndarray) -> OrdinalTrees:
        """Fit on ``[rows, features]`` and whole grades ``[rows]``."""
        grades = np.unique(truth)
        self.lowest_, steps = float(grades[0]), np.diff(grades)
        self.trees_ = _extra_trees(self.random_state, self.n_estimators, leaf=3)  # several outputs: larger files
        passed = (truth[:, None] > grades[None, :-1]) * steps
        self.trees_.fit(inputs, passed if len(steps) > 1 else passed.sum(axis=1))  # scikit-learn wants one output flat
        return self

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return expected grades ``[rows]``."""
        passed = np.asarray(self.trees_.predict(inputs)).reshape(len(inputs), -1)
        return np.asarray(self.lowest_ + passed.sum(axis=1))


def one_thread() -> AbstractContextManager[Any]:
    """Keep OpenMP and BLAS to one thread each: theirs wait busily, which on shared cores takes minutes of nothing.

    Forests are not affected: their threads sleep when they wait.
    """
    limits: AbstractContextManager[Any] = threadpool_limits(1)
    return limits


def quantile_trees(share: float, seed: int) -> Any:  # noqa: ANN401 - a scikit-learn estimator
    """Return an unfitted model of the quantile at ``share`` (0..1), kept as ONNX like the family xgboost."""
    shape = {"n_estimators": 200, "learning_rate": 0.05, "max_depth": 4, "min_child_weight": 10}
    some = {"subsample": 0.7, "colsample_bytree": 0.5}
    return XGBRegressor(
        objective="reg:quantileerror", quantile_alpha=share, **shape, **some, random_state=seed, n_jobs=1
    )


def to_file(model: Any, convert: Convert | None, inputs: np.ndarray, path: Path) -> float:  # noqa: ANN401
    """Write the fitted model as ONNX; return what is to be added to the sum of its outputs.

    Raises:
        BackendError: it cannot be converted, or says something else of one of the ``inputs``.
    """
    if convert is None:
        raise BackendError(f"{path.stem} cannot be written as ONNX, so it cannot serve: choose another family")
    try:
        path.write_bytes(convert(model, inputs))
    except (ValueError, RuntimeError) as cause:  # such as support vectors when there are none
        raise BackendError(f"{path.stem} cannot be written as ONNX: choose another family") from cause
    base = float(getattr(model, "lowest_", 0.0))
    worst = float(np.abs(base + predicted_values(path, inputs, batch=True).sum(axis=1) - model.predict(inputs)).max())
    if not worst <= SAME:
        raise BackendError(f"{path.stem} as ONNX differs from the fitted model by up to {worst:.2g}: not registered")
    return base


def sklearn_onnx(model: Any, inputs: np.ndarray) -> bytes:  # noqa: ANN401
    """Return a scikit-learn model as ONNX."""
    return bytes(to_onnx(getattr(model, "trees_", model), inputs[:1], target_opset=OPSET).SerializeToString())


def xgboost_onnx(model: Any, inputs: np.ndarray) -> bytes:  # noqa: ANN401
    """Return an xgboost model as ONNX."""
    taken = [("X", FloatTensorType([None, inputs.shape[1]]))]
    # Named, or the file would hold a random name, and the same model would have another hash each time.
    return bytes(convert_xgboost(model, name="xgboost", initial_types=taken).SerializeToString())


def _extra_trees(seed: int, trees: int = 200, leaf: int = 1) -> ExtraTreesRegressor:
    return ExtraTreesRegressor(trees, min_samples_leaf=leaf, max_features=0.5, random_state=seed, n_jobs=-1)


def _forest(seed: int) -> RandomForestRegressor:
    return RandomForestRegressor(100, min_samples_leaf=2, max_features=0.3, random_state=seed, n_jobs=-1)


def _xgboost(seed: int) -> XGBRegressor:
    shape = {"n_estimators": 300, "learning_rate": 0.05, "max_depth": 8, "min_child_weight": 5, "reg_lambda": 2}
    return XGBRegressor(**shape, subsample=0.7, colsample_bytree=0.5, random_state=seed, n_jobs=1)  # waits busily


def _hist_boosting(seed: int) -> HistGradientBoostingRegressor:
    shape = {"max_iter": 300, "learning_rate": 0.04, "max_leaf_nodes": 31, "max_features": 0.5}
    return HistGradientBoostingRegressor(**shape, random_state=seed)


def _support_vectors(_: int) -> Any:  # noqa: ANN401
    return make_pipeline(StandardScaler(), SVR(C=1.0, gamma=0.04, epsilon=0.3))


FAMILIES = {
    "forest": Family(_forest, sklearn_onnx),
    "extra_trees": Family(_extra_trees, sklearn_onnx),
    "xgboost": Family(_xgboost, xgboost_onnx),
    "hist_boosting": Family(_hist_boosting, None),  # skl2onnx 1.20 cannot write scikit-learn 1.9's
    "support_vectors": Family(_support_vectors, sklearn_onnx),
    "ordinal_trees": Family(lambda seed: OrdinalTrees(random_state=seed), sklearn_onnx),
}


def boosted(inputs: np.ndarray, truth: np.ndarray, trees: int, seed: int) -> XGBRegressor:
    """Return boosted trees for noisy series of some thousand rows ``[rows, features]``; blanks are told apart."""
    shape = {"n_estimators": trees, "learning_rate": 0.04, "max_depth": 5, "min_child_weight": 20, "reg_lambda": 5}
    some = {"subsample": 0.7, "colsample_bytree": 0.5}
    return XGBRegressor(tree_method="hist", **shape, **some, random_state=seed, n_jobs=1).fit(inputs, truth)


def default_boosted(inputs: np.ndarray, truth: np.ndarray) -> XGBRegressor:
    """Return XGBoost as it comes, fitted on ``[rows, features]``: what many a project takes without a look."""
    return XGBRegressor(random_state=0, n_jobs=1).fit(inputs, truth)
