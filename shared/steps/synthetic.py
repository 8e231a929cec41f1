"""Synthetic rows that look like real ones, drawn for a class, and how well they pass for real.

    real rows ──► ClassCopula.fit ──► draw(label, rng) ──► two_sample_auc: 0.5 means that nobody can tell
              └─► uniform_ranges: the simple generator to beat

A Gaussian copula joins the columns of a class (Nelsen 2006, An Introduction to Copulas, ch. 2.3): each column keeps
its own distribution, as seen in the rows, and a correlation matrix of normal scores says which values go together.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from shared.errors import MissingExtraError, NotYetError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Bounds = Mapping[str, tuple[float, float]]

PRIOR_ROWS = 10  # a class's correlation counts as its own rows, the pooled one as this many
RIDGE = 1e-6  # keeps the factor defined when two columns rise and fall together exactly


@dataclass(frozen=True)
class Shape:
    """One class: ascending quantiles of each column and the lower Cholesky factor of the correlation."""

    quantiles: tuple[tuple[float, ...], ...]
    factor: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class ClassCopula:
    """A generator of rows, one ``Shape`` a class.

    >>> real = pd.DataFrame({"kind": ["a"] * 4, "length": [1.0, 2.0, 3.0, 4.0], "width": [2.0, 3.0, 4.0, 5.0]})
    >>> flower = ClassCopula.fit(real, by="kind", columns=["length", "width"]).draw("a", np.random.default_rng(0))
    >>> round(flower["width"] - flower["length"], 2)  # in the rows, width is length + 1
    1.0
    """

    columns: tuple[str, ...]
    shapes: Mapping[str, Shape]

    @classmethod
    def fit(cls, rows: pd.DataFrame, by: str, columns: Sequence[str], bounds: Bounds | None = None) -> ClassCopula:
        """Return the generator of rows like ``rows``, by the class in column ``by``.

        A class reaches past its smallest and largest value by one mean step between values, not past ``bounds``.

        Raises:
            NotYetError: there are no rows.
            SchemaError: a value is blank.
        """
        must_be_whole(rows, [by, *columns])
        groups = {str(label): group[[*columns]] for label, group in rows.groupby(by, observed=True)}
        own = {label: _correlation(group) for label, group in groups.items()}
        pooled = np.sum([own[label] * len(group) for label, group in groups.items()], axis=0) / len(rows)
        limits = [(bounds or {}).get(name, (-math.inf, math.inf)) for name in columns]
        return cls(
            tuple(columns),
            {
                label: Shape(_quantiles(group, limits), _factor(own[label], pooled, len(group)))
                for label, group in groups.items()
            },
        )

    def draw(self, label: str, rng: np.random.Generator) -> dict[str, float]:
        """Return one row of class ``label`` by column, unrounded: round it to the resolution of the real rows.

        Raises:
            SchemaError: no such class was fitted.
        """
        if label not in self.shapes:
            raise SchemaError(f"no class {label!r} was fitted; there are {[*self.shapes]}")
        shape, noise = self.shapes[label], rng.standard_normal(len(self.columns)).tolist()
        # Summed here, in this order: a BLAS may add in another order on another machine.
        scores = [sum(weight * value for weight, value in zip(row, noise, strict=True)) for row in shape.factor]
        placed = zip(self.columns, shape.quantiles, scores, strict=True)
        return {name: _value(quantiles, math.erfc(-score / math.sqrt(2)) / 2) for name, quantiles, score in placed}

    def to_dict(self) -> dict[str, Any]:
        """Return the generator as plain values; through JSON and ``from_dict`` it comes back equal."""
        return {"columns": list(self.columns), "shapes": {label: asdict(shape) for label, shape in self.shapes.items()}}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> ClassCopula:
        """Return the generator that ``to_dict`` described."""
        shapes = {
            label: Shape(*(tuple(map(tuple, shape[part])) for part in ("quantiles", "factor")))
            for label, shape in fields["shapes"].items()
        }
        return cls(tuple(fields["columns"]), shapes)


def uniform_ranges(rows: pd.DataFrame, by: str, columns: Sequence[str], rng: np.random.Generator) -> pd.DataFrame:
    """Return for each row one of its class, each column drawn evenly between the class's smallest and largest value.

    Raises:
        NotYetError: there are no rows.
        SchemaError: a value is blank.

    >>> real = pd.DataFrame({"kind": ["a", "a"], "length": [1.0, 1.0]})
    >>> uniform_ranges(real, "kind", ["length"], np.random.default_rng(0)).to_numpy().tolist()
    [['a', 1.0], ['a', 1.0]]
    """
    must_be_whole(rows, [by, *columns])
    by_class = rows.groupby(by, observed=True)[[*columns]]
    drawn = rng.uniform(by_class.transform("min"), by_class.transform("max"))
    return pd.DataFrame(drawn, rows.index, [*columns]).assign(**{by: rows[by]})[[by, *columns]]


def two_sample_auc(real: pd.DataFrame, synthetic: pd.DataFrame, *, seed: int) -> float:
    """Return how well a random forest tells synthetic rows from real ones: its cross-validated AUC; 0.5 is not at all.

    The classifier two-sample test (Lopez-Paz & Oquab 2017, arXiv:1610.06545). Text columns count as categories. Compare
    with rows the generator has not learned from: against its own it falls below 0.5, as each draw lies by a real row.

    Raises:
        MissingExtraError: scikit-learn is not installed.
        SchemaError: the columns differ.
    """
    try:
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.metrics import roc_auc_score
        from sklearn.model_selection import StratifiedKFold, cross_val_predict
    except ImportError as cause:
        raise MissingExtraError(
            "telling real from synthetic needs scikit-learn: pip install 'almanac[train]'"
        ) from cause
    if [*real.columns] != [*synthetic.columns]:
        raise SchemaError(f"columns {[*real.columns]} and {[*synthetic.columns]} cannot be compared; select the same")
    rows = pd.get_dummies(pd.concat([real, synthetic], ignore_index=True), dtype=float)
    made = np.repeat([0, 1], [len(real), len(synthetic)])
    forest = RandomForestClassifier(200, min_samples_leaf=3, random_state=seed)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    return float(roc_auc_score(made, cross_val_predict(forest, rows, made, cv=folds, method="predict_proba")[:, 1]))


def normal_scores(rows: pd.DataFrame) -> np.ndarray:
    """Return where each value stands in its column, as the normal quantile of its rank ``[rows, columns]``.

    >>> normal_scores(pd.DataFrame({"width": [1.0, 2.0, 90.0]})).round(2).tolist()
    [[-0.97], [0.0], [0.97]]
    """
    ranks = ((rows.rank() - 0.5) / len(rows)).to_numpy()
    return np.asarray(np.vectorize(NormalDist().inv_cdf)(ranks))


def must_be_whole(rows: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse what no generator can learn from.

    Raises:
        NotYetError: there are no rows.
        SchemaError: a value is blank.
    """
    if rows.empty:
        raise NotYetError("there are no real rows to learn from; fill the table first")
    if rows[[*columns]].isna().any(axis=None):
        raise SchemaError(f"a blank among {[*columns]}; leave out rows that are not whole")


def _correlation(group: pd.DataFrame) -> np.ndarray:
    """Return the correlation of normal scores ``[columns, columns]``; 0 beside a constant column."""
    scores = normal_scores(group)
    spread = scores.std(axis=0)
    standard = (scores - scores.mean(axis=0)) / np.where(spread > 0, spread, 1)
    correlation = standard.T @ standard / len(group)
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation)


def _factor(own: np.ndarray, pooled: np.ndarray, count: int) -> tuple[tuple[float, ...], ...]:
    """Return the Cholesky factor of ``own`` shrunk towards ``pooled``; unlike eigenvectors it has one sign."""
    shrunk = (own * count + pooled * PRIOR_ROWS) / (count + PRIOR_ROWS)
    return _plain(np.linalg.cholesky((shrunk + RIDGE * np.eye(len(own))) / (1 + RIDGE)))


def _quantiles(group: pd.DataFrame, limits: Sequence[tuple[float, float]]) -> tuple[tuple[float, ...], ...]:
    """Return each column's values in order, with one more at either end."""
    ordered = np.sort(group.to_numpy(dtype="float64"), axis=0)
    step = (ordered[-1] - ordered[0]) / max(len(ordered) - 1, 1)
    widened = np.vstack([ordered[0] - step, ordered, ordered[-1] + step]).T
    return _plain(np.array([values.clip(*limit) for values, limit in zip(widened, limits, strict=True)]))


def _value(quantiles: tuple[float, ...], share: float) -> float:
    """Return the quantile at ``share``: the i-th of n values stands at (i - 0.5) / n (Hazen), the ends at 0 and 1."""
    count = len(quantiles) - 2
    places = [0.0, *((number + 0.5) / count for number in range(count)), 1.0]
    return float(np.interp(share, places, quantiles))


def _plain(matrix: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, matrix.tolist()))
