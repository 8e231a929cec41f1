"""The quality model: families and their stack, chosen on inner folds, and what makes grades of an expected one.

    graded wines ──► inner folds: what each family says of wines it had not learned from
                 ──► the best of the families and their stack; link to grades; margin of the 90 % interval
                 ──► the families that it needs, fitted on all

Folds keep equal wines together. Medians that fill blanks, weights, link and margin are learned from the wines given, so
whoever judges the model on others judges the whole way of choosing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from shared.errors import UsageError
from shared.steps.intervals import conformal_quantile, quantile_scores
from shared.steps.ordinal import GradeLink, graded
from shared.steps.regressors import FAMILIES, quantile_trees
from shared.steps.splits import hashed_folds
from shared.steps.stacking import out_of_fold, weights
from shared.systems.wine.features import fingerprint, inputs, medians
from shared.systems.wine.tables import GRADES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


INNER = 1000  # added to the seed, so that inner folds are others than those that judge


@dataclass(frozen=True)
class Plan:
    """How a model is chosen: folds that judge, folds inside them that choose, how often all of it is repeated."""

    folds: int = 5
    inner_folds: int = 3
    repeats: int = 3
    coverage: float = 0.9  # of the intervals
    seed: int = 0
    families: tuple[str, ...] = tuple(FAMILIES)

    def __post_init__(self) -> None:
        """Refuse families that there are not, a choice of which none can serve, and folds that judge nothing."""
        if not {*self.families} <= {*FAMILIES} or not any(FAMILIES[name].to_onnx for name in self.families):
            able = ", ".join(name for name, family in FAMILIES.items() if family.to_onnx)
            raise UsageError(f"no model can be made of {', '.join(self.families)}; choose among {able}")
        if min(self.folds, self.inner_folds) < 2 or self.repeats < 1:
            told = f"{self.folds} and {self.inner_folds} folds, {self.repeats} repeats"
            raise UsageError(f"a cross-validation takes 2 folds and 1 repeat at least; got {told}")


@dataclass(frozen=True)
class Learned:
    """A model as fitted: families by name, their weights, both quantiles, and what makes grades of them."""

    weights: dict[str, float]
    families: dict[str, Any]
    ends: list[Any]
    margin: float
    link: GradeLink
    medians: dict[str, dict[str, float]]  # by colour and measure

    def grade(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Return what ``ordinal.graded`` does, and a column of expected grades for each family."""
        taken = inputs(samples, self.medians).to_numpy()
        each = {name: np.asarray(model.predict(taken), "float64") for name, model in self.families.items()}
        low, high = (np.asarray(end.predict(taken), "float64") for end in self.ends)
        said = graded(self.link, _sum(self.weights, each), low - self.margin, high + self.margin)
        return said.assign(**each).set_axis(samples.index)


def learn(rows: pd.DataFrame, plan: Plan, *, every_family: bool = False) -> Learned:
    """Return the model that the inner folds choose, fitted on all ``rows``; on request with ``every_family``.

    Chosen is the family, or the stack of those that can serve, with the lowest squared error on held-out rows.
    """
    blanks, truth = medians(rows), rows["grade"].to_numpy(dtype="float64")
    taken = inputs(rows, blanks).to_numpy()
    folds = hashed_folds(fingerprint(rows), plan.inner_folds, plan.seed + INNER)
    made: dict[str, Callable[[], Any]] = {name: partial(FAMILIES[name].make, plan.seed) for name in plan.families}
    serving = {name: out_of_fold(made[name], taken, truth, folds) for name in made if FAMILIES[name].to_onnx}
    options = [*({name: 1.0} for name in serving), weights(serving, truth)]
    chosen = min(options, key=lambda option: float(np.mean((_sum(option, serving) - truth) ** 2)))
    ends = [partial(quantile_trees, share, plan.seed) for share in ((1 - plan.coverage) / 2, (1 + plan.coverage) / 2)]
    low, high = (out_of_fold(end, taken, truth, folds) for end in ends)
    return Learned(
        weights=chosen,
        families={name: made[name]().fit(taken, truth) for name in (made if every_family else chosen)},
        ends=[end().fit(taken, truth) for end in ends],
        margin=conformal_quantile(quantile_scores(low, high, truth), plan.coverage),
        link=GradeLink.fit(_sum(chosen, serving), truth.astype("int64"), GRADES),
        medians=blanks,
    )


def _sum(shares: Mapping[str, float], each: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.asarray(sum(share * each[name] for name, share in shares.items()))
