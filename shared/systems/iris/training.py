"""How the classifier is made: families compared by cross-validation, the best kept as ONNX, judged before it serves.

    labelled flowers ──► compare families (repeated 5-fold) ──► the lowest log loss
                     ──► nested 5-fold: the honest accuracy of choosing that way
                     ──► out-of-fold probabilities: conformal threshold, paired losses for the judge
                     ──► fit on all ──► ONNX, equal to scikit-learn on every row ──► registry ──► promotions

Duplicated flowers stay in one fold. Synthetic flowers take part only when ``Plan.origins`` names them.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from shared.errors import BackendError, MissingExtraError, NotYetError, UnsafeFileError, UsageError
from shared.ports import NewModel
from shared.runs import Report
from shared.steps import promotion
from shared.steps.intervals import conformal_quantile, label_scores
from shared.steps.onnx import class_probabilities
from shared.steps.scoring import Share, accuracy, log_loss, majority, wilson
from shared.steps.synthetic import ClassCopula, two_sample_auc, uniform_ranges
from shared.systems.iris.features import fingerprint, labelled
from shared.systems.iris.sources import FISHER, draw
from shared.systems.iris.tables import MEASURES, MODEL, ORIGINS, VARIETIES

try:
    from skl2onnx import to_onnx
    from sklearn.base import ClassifierMixin, clone
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import LeaveOneGroupOut, StratifiedGroupKFold, cross_val_predict
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
except ImportError as cause:
    raise MissingExtraError("training needs scikit-learn and skl2onnx: pip install 'almanac[train]'") from cause

if TYPE_CHECKING:
    from shared.ports import ModelVersion, Platform
    from shared.runs import Run

FAMILIES: dict[str, ClassifierMixin] = {
    "linear_discriminant": LinearDiscriminantAnalysis(),
    "quadratic_discriminant": QuadraticDiscriminantAnalysis(),
    "logistic_regression": make_pipeline(StandardScaler(), LogisticRegression()),
    "nearest_neighbours_7": make_pipeline(StandardScaler(), KNeighborsClassifier(7)),
    "naive_bayes": GaussianNB(),
    "random_forest": RandomForestClassifier(60, random_state=0),
}
PREDECESSOR = KNeighborsClassifier(2)  # shown beside the families, never chosen


@dataclass(frozen=True)
class Plan:
    """How a model is chosen and what it may learn from."""

    folds: int = 5
    repeats: int = 5
    coverage: float = 0.9  # of the label sets
    seed: int = 0
    origins: tuple[str, ...] = ("reference",)

    def __post_init__(self) -> None:
        """Refuse origins that no flower has."""
        if not self.origins or {*self.origins} - {*ORIGINS}:
            raise UsageError(f"origins are {', '.join(ORIGINS)}, joined by commas; got {', '.join(self.origins)}")


def train(platform: Platform, run: Run, plan: Plan | None = None) -> Report:
    """Choose, fit, register and judge a model on what was known by the run's date; return its figures.

    Raises:
        NotYetError: there are no labelled flowers, or too few of a variety.
    """
    plan = plan or Plan()
    rows = labelled(platform, run.until, plan.origins)
    _must_suffice(rows, plan)
    compared = {name: compare(family, rows, plan) for name, family in FAMILIES.items()}
    chosen = min(compared, key=lambda name: float(compared[name]["loss"].mean()))
    held_out = compared[chosen].groupby("flower_id").mean(numeric_only=True)
    choice = _Choice(chosen, held_out, _figures(rows, plan, chosen))
    realism = _realism(labelled(platform, run.until), plan)
    verdict = _judged(platform, run, rows, held_out)
    model = _register(platform, run, rows, choice, plan)
    promotion.record(platform, model, verdict, day=run.day, decided_at=run.started_at, run_id=run.run_id)
    compared["predecessor: nearest_neighbours_2"] = compare(PREDECESSOR, rows, plan)
    return Report(
        rows=len(rows),
        metrics=dict(model.metrics) | {"c2st_auc": realism["copula"]},
        baselines={"accuracy": majority(rows["variety"], rows["variety"]).value, "c2st_auc": realism["uniform"]},
        headline="accuracy",
        model=f"{MODEL} v{model.version}",
        note=f"{verdict.verdict}: {verdict.reason}",
        table=[_row(name, results, chosen) for name, results in compared.items()],
    )


def compare(family: ClassifierMixin, rows: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Return out-of-fold results, one row a flower and repeat: probabilities, ``loss`` in nats, ``hit``."""
    results = []
    for repeat in range(plan.repeats):
        probabilities = _out_of_fold(family, rows, _folds(plan, repeat))
        guess = probabilities.idxmax(axis=1)
        results.append(
            probabilities.assign(
                flower_id=rows["flower_id"], repeat=repeat, loss=log_loss(probabilities, rows["variety"])
            ).assign(hit=guess == rows["variety"])
        )
    return pd.concat(results, ignore_index=True)


def nested_accuracy(rows: pd.DataFrame, plan: Plan) -> Share:
    """Return the accuracy of choosing a family inside each training part and testing it on the part held out."""
    hits = 0
    once = Plan(plan.folds, repeats=1, seed=plan.seed + 1)
    for fit, held in _folds(plan, repeat=0).split(rows, rows["variety"], fingerprint(rows)):
        inner = rows.iloc[fit].reset_index(drop=True)
        losses = {name: float(compare(family, inner, once)["loss"].mean()) for name, family in FAMILIES.items()}
        best = clone(FAMILIES[min(losses, key=lambda name: losses[name])]).fit(_inputs(inner), inner["variety"])
        hits += int((best.predict(_inputs(rows.iloc[held])) == rows["variety"].iloc[held]).sum())
    return wilson(hits, len(rows))


def to_folder(classifier: ClassifierMixin, rows: pd.DataFrame, folder: Path) -> None:
    """Write the fitted classifier as ``model.onnx``, after showing that it says the same of every row.

    Raises:
        BackendError: the converted model differs.
    """
    onnx = to_onnx(classifier, _inputs(rows)[:1], options={"zipmap": False}, target_opset=18)
    (folder / "model.onnx").write_bytes(onnx.SerializeToString())
    ours = class_probabilities(folder / "model.onnx", _inputs(rows))
    theirs = classifier.predict_proba(_inputs(rows))
    if not np.allclose(ours, theirs, atol=1e-5):
        worst = float(np.abs(ours - theirs).max())
        raise BackendError(f"the ONNX model differs from scikit-learn's by up to {worst:.2g}; it was not registered")


def _figures(rows: pd.DataFrame, plan: Plan, chosen: str) -> dict[str, Share]:
    """Return the honest accuracy, and the chosen family's leave-one-out accuracy for comparison with the literature."""
    one_out = cross_val_predict(
        clone(FAMILIES[chosen]), _inputs(rows), rows["variety"], groups=fingerprint(rows), cv=LeaveOneGroupOut()
    )
    return {
        "accuracy": nested_accuracy(rows, plan),
        "accuracy_leave_one_out": accuracy(rows["variety"], pd.Series(one_out, index=rows.index)),
    }


@dataclass(frozen=True)
class _Choice:
    """The family chosen, its out-of-fold results by flower, and the honest figures."""

    family: str
    held_out: pd.DataFrame
    figures: dict[str, Share]


def _register(platform: Platform, run: Run, rows: pd.DataFrame, choice: _Choice, plan: Plan) -> ModelVersion:
    fitted = clone(FAMILIES[choice.family]).fit(_inputs(rows), rows["variety"])
    varieties = rows.set_index("flower_id")["variety"].reindex(choice.held_out.index)
    scores = label_scores(choice.held_out[[*VARIETIES]], varieties)
    honest = choice.figures["accuracy"]
    metrics = {name: share.value for name, share in choice.figures.items()}
    metrics |= {"accuracy_low": honest.low, "accuracy_high": honest.high}
    metrics |= {"log_loss": float(choice.held_out["loss"].mean())}
    signature = {
        "inputs": [f"{name} cm" for name in MEASURES],
        "classes": list(VARIETIES),
        "threshold": conformal_quantile(scores, plan.coverage),
        "coverage": plan.coverage,
        "family": choice.family,
        "rows": len(rows),
        "ranges_cm": {name: [float(rows[name].min()), float(rows[name].max())] for name in MEASURES},
    }
    with tempfile.TemporaryDirectory() as folder:
        to_folder(fitted, rows, Path(folder))
        choice.held_out.reset_index()[["flower_id", "loss", *VARIETIES]].to_parquet(Path(folder) / "held_out.parquet")
        platform.tracker.log(run.run_id, {"family": choice.family, **_params(plan)}, metrics, Path(folder))
        trained = {"code_version": run.code_version, "run_id": run.run_id, "trained_on": run.day.isoformat()}
        return platform.models.save(NewModel(MODEL, Path(folder), metrics, signature, **trained))


def _judged(platform: Platform, run: Run, rows: pd.DataFrame, held_out: pd.DataFrame) -> promotion.Verdict:
    """Return the verdict against the majority baseline and the champion, on the same held-out flowers."""
    shares = rows["variety"].value_counts(normalize=True)
    always = pd.Series(-np.log(shares[rows["variety"]].to_numpy()), index=pd.Index(rows["flower_id"], name="flower_id"))
    try:
        champion = _champion_losses(promotion.champion(platform, MODEL, until=run.until), rows)
    except (NotYetError, UnsafeFileError):  # one whose files were damaged cannot serve, so it does not count
        champion = None
    return promotion.judge(held_out["loss"], {"majority": always}, champion)


def _champion_losses(serving: ModelVersion, rows: pd.DataFrame) -> pd.Series:
    """Return the champion's loss on each flower it had not learned from: out of fold, or simply new to it."""
    held_out: pd.Series = pd.read_parquet(serving.folder / "held_out.parquet").set_index("flower_id")["loss"]
    new = rows[~rows["flower_id"].isin(held_out.index)].set_index("flower_id")
    if new.empty:
        return held_out
    said = class_probabilities(serving.folder / "model.onnx", _inputs(new))
    fresh = log_loss(pd.DataFrame(said, columns=list(VARIETIES), index=new.index), new["variety"])
    losses: pd.Series = pd.concat([held_out, fresh])
    return losses


def _realism(rows: pd.DataFrame, plan: Plan) -> dict[str, float]:
    """Return how well a classifier tells synthetic from real flowers (AUC, 0.5 = not at all), by generator.

    Each generator learns from one half and is compared with the other: against the very rows it learned from, its
    draws would look too close rather than real.
    """
    halves = StratifiedGroupKFold(2, shuffle=True, random_state=plan.seed)
    found: dict[str, list[float]] = {"copula": [], "uniform": []}
    for fit, held in halves.split(rows, rows["variety"], fingerprint(rows)):
        known, real = rows.iloc[fit], rows.iloc[held]
        drawn = draw(ClassCopula.fit(known, "variety", MEASURES), FISHER.date(), count=len(real))
        ranges = uniform_ranges(known, "variety", MEASURES, np.random.default_rng(plan.seed)).round(1)
        for name, made in (("copula", drawn), ("uniform", ranges)):
            found[name].append(two_sample_auc(real[[*MEASURES]], made[[*MEASURES]], seed=plan.seed))
    return {name: float(np.mean(aucs)) for name, aucs in found.items()}


def _folds(plan: Plan, repeat: int) -> StratifiedGroupKFold:
    return StratifiedGroupKFold(plan.folds, shuffle=True, random_state=plan.seed + repeat)


def _out_of_fold(family: ClassifierMixin, rows: pd.DataFrame, folds: StratifiedGroupKFold) -> pd.DataFrame:
    found = cross_val_predict(
        clone(family), _inputs(rows), rows["variety"], groups=fingerprint(rows), cv=folds, method="predict_proba"
    )
    return pd.DataFrame(found, columns=list(VARIETIES), index=rows.index)


def _inputs(rows: pd.DataFrame) -> np.ndarray:
    """Return float32 ``[flowers, 4]`` in cm: what the ONNX model takes, so both see the same numbers."""
    return rows[list(MEASURES)].to_numpy(dtype=np.float32)


def _row(name: str, results: pd.DataFrame, chosen: str) -> dict[str, Any]:
    """Return a family's accuracy over repeats, with the Wilson interval of one repeat: repeats add no flowers."""
    flowers = results["flower_id"].nunique()
    share = wilson(round(float(results["hit"].mean()) * flowers), flowers)
    figures = {"accuracy": share.value, "low": share.low, "high": share.high, "log_loss": float(results["loss"].mean())}
    return {"family": name, **figures, "chosen": name == chosen}


def _must_suffice(rows: pd.DataFrame, plan: Plan) -> None:
    different = rows.loc[~pd.Series(fingerprint(rows), index=rows.index).duplicated(), "variety"]
    counts, fewest = different.value_counts().reindex(VARIETIES, fill_value=0), 3 * plan.folds
    if counts.min() < fewest:
        few = f"{counts.idxmin()} has {counts.min()}"
        raise NotYetError(f"each variety needs {fewest} different labelled flowers and {few}; backfill more of them")


def _params(plan: Plan) -> dict[str, Any]:
    return {"folds": plan.folds, "repeats": plan.repeats, "seed": plan.seed, "origins": ",".join(plan.origins)}
