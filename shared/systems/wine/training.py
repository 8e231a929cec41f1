"""How the quality model comes to serve: judged on wines it had not learned from, kept as ONNX, held against others.

    graded wines ──► outer folds, three times over: learn in each, judge on the rest ──► the honest table
                 ──► learn on all ──► ONNX, equal to the fitted models on every row ──► registry ──► promotions

Synthetic wines never take part; ``augmented`` measures what would come of it.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from shared.errors import NotYetError, UnsafeFileError, UsageError
from shared.ports import NewModel
from shared.runs import Report
from shared.steps import promotion
from shared.steps.augmentation import augmentation
from shared.steps.grading import compared, figures
from shared.steps.regressors import FAMILIES, one_thread, to_file, xgboost_onnx
from shared.steps.scoring import majority, mean_of
from shared.steps.sdv import Training
from shared.steps.splits import hashed_folds
from shared.steps.stacking import stacked
from shared.systems.wine import synthesizers
from shared.systems.wine.features import fingerprint, inputs, labelled, medians, must_suffice, ranges, usual_source
from shared.systems.wine.model import Learned, Plan, learn
from shared.systems.wine.tables import GRADES, MEASURES, MODEL, SAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.ports import ModelVersion, Platform
    from shared.runs import Run

BACKGROUND = 15  # wines of each colour kept with the model: an explanation compares with them
LEAKY = ", twins in several folds: LEAKS"
SINGLE = "extra_trees"  # the family that is compared under other protocols, too

log = logging.getLogger("almanac")


def train(platform: Platform, run: Run, source: str, plan: Plan) -> Report:
    """Choose, fit, register and judge a model on the wines of ``source`` known by the run's date; return its figures.

    Of what the serving model learned from, when no ``source`` is named, or of what the store holds.

    Raises:
        NotYetError: there are no graded wines of that source, or too few.
    """
    source = source or usual_source(platform, run.until)
    rows = labelled(platform, run.until, source)
    must_suffice(rows)
    log.info("wine train: %d wines", len(rows), extra={"due": plan.folds * plan.repeats + 2})
    with one_thread():
        said = out_of_sample(rows, plan)
        table = comparison(said, rows, plan)
        log.info("wine train: other protocols compared")
        learned = learn(rows, plan)
    leaky = next(row["mse"] for row in table if row["model"] == f"{SINGLE}{LEAKY}")
    metrics = _metrics(said, learned) | {"mse_leaky": float(leaky)}
    model = _register(platform, run, rows, _Made(learned, said, metrics, source, plan))
    verdict = _judged(platform, run, rows, said)
    promotion.record(platform, model, verdict, day=run.day, decided_at=run.started_at, run_id=run.run_id)
    log.info("wine train: %s", verdict.verdict)
    return Report(
        rows=len(rows),
        metrics=metrics,
        baselines=_baselines(said),
        headline="mse",
        model=f"{MODEL} v{model.version}",
        note=f"{verdict.verdict}: {verdict.reason}",
        table=table,
    )


def out_of_sample(rows: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Return what is said of each wine by models that had learned from neither it nor its twins, once a repeat.

    Columns of ``Learned.grade``, ``mean`` (of the wines learned from), ``predecessor``, ``truth``, ``repeat``; indexed
    by ``input_hash``, so that twins count as one.
    """
    wines, parts = pd.Index(fingerprint(rows), name="input_hash"), []
    for repeat in range(plan.repeats):
        for number, (fit, held) in enumerate(hashed_folds([*wines], plan.folds, plan.seed + repeat), 1):
            known, judged = rows.iloc[fit], rows.iloc[held]
            said = learn(known, plan, every_family=True).grade(judged)
            said = said.assign(mean=known["grade"].mean(), predecessor=_forest(known, judged), repeat=repeat)
            parts.append(said.assign(truth=judged["grade"]).set_axis(wines[held]))
            log.info("wine train: repeat %d, fold %d", repeat + 1, number)
    return pd.concat(parts)


def comparison(said: pd.DataFrame, rows: pd.DataFrame, plan: Plan) -> list[dict[str, Any]]:
    """Return a row a model: the families, the one chosen, what they must beat, and the same under other protocols."""
    labels = {name: name for name in plan.families} | _OTHERS
    table = [compared(label, said, name, GRADES) for name, label in labels.items()]
    for label, protocol in _PROTOCOLS.items():
        table.append(compared(f"{SINGLE}{label}", _one_family(rows, plan, **protocol), SINGLE, GRADES))
    return table


_OTHERS = {
    "quality": "chosen in each fold, grades by its rule",
    "mean": "mean grade",
    "predecessor": "predecessor: forest, no total SO2",
}


def augmented(platform: Platform, run: Run, source: str, repeats: int) -> Report:
    """Return what adding synthetic wines to the real ones does to one family's error on real wines.

    In each fold the synthesizer learns only what the model learns.

    Raises:
        NotYetError: there are no graded wines of that source, or too few.
        UsageError: there is nothing to repeat.
    """
    if repeats < 1:
        raise UsageError(f"an experiment takes 1 repeat at least; got {repeats}")
    rows = labelled(platform, run.until, source or usual_source(platform, run.until))
    must_suffice(rows)
    log.info("wine experiment: %d wines", len(rows), extra={"due": repeats * 5})

    def draw(known: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
        log.info("wine experiment: repeat %d", seed + 1)
        return synthesizers.fit(synthesizers.USUAL, synthesizers.whole(known), Training(1, seed)).sample(count, seed)

    def predict(known: pd.DataFrame, judged: pd.DataFrame) -> np.ndarray:
        blanks = medians(known)
        model = FAMILIES[SINGLE].make(0).fit(inputs(known, blanks).to_numpy(), known["grade"])
        return np.asarray(model.predict(inputs(judged, blanks).to_numpy()))

    table = augmentation(rows, "grade", fingerprint(rows), draw, predict, repeats=repeats)
    found = {row["learned_from"]: row for row in table}
    both, alone = found["real + as many synthetic"], found["synthetic alone, as many"]
    metrics = {"mse": both["mse"], "difference": both["difference"], "mse_synthetic_alone": alone["mse"]}
    verdict = "hurts" if both["low"] > 0 else "helps" if both["high"] < 0 else "makes no sure difference"
    return Report(
        rows=len(rows),
        metrics=metrics,
        baselines={"mse": found["real"]["mse"]},
        headline="difference",
        note=f"adding as many synthetic wines {verdict}: mse {both['difference']:+.4f}",
        table=table,
    )


_ON_TOTAL = ("total_sulfur_dioxide", "free_share", "bound_so2")
_PROTOCOLS: dict[str, dict[str, Any]] = {
    ", no total SO2": {"without": _ON_TOTAL},
    LEAKY: {"leaky": True},
}


def _one_family(rows: pd.DataFrame, plan: Plan, *, without: Sequence[str] = (), leaky: bool = False) -> pd.DataFrame:
    """Return what one family says out of sample: without some features, or with twins on both sides of a fold."""
    parts, groups = [], [*rows["sample_id"]] if leaky else fingerprint(rows)
    for repeat in range(plan.repeats):
        for fit, held in hashed_folds(groups, plan.folds, plan.seed + repeat):
            blanks = medians(rows.iloc[fit])
            known, judged = (
                inputs(part, blanks).drop(columns=[*without]) for part in (rows.iloc[fit], rows.iloc[held])
            )
            model = FAMILIES[SINGLE].make(plan.seed).fit(known.to_numpy(), rows["grade"].iloc[fit])
            said = pd.DataFrame({SINGLE: model.predict(judged.to_numpy()), "truth": rows["grade"].iloc[held]})
            parts.append(said.assign(repeat=repeat).set_axis(pd.Index(fingerprint(rows.iloc[held]))))
    return pd.concat(parts)


def _forest(known: pd.DataFrame, judged: pd.DataFrame) -> np.ndarray:
    """Return what the predecessor's forest says: the measures but total SO2, and the colour; trees as it tuned them."""
    blanks = medians(known)
    names = [name for name in (*MEASURES, "white") if name != "total_sulfur_dioxide"]
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(300, min_samples_split=3, random_state=0, n_jobs=-1)  # it took 1,200: no better
    forest.fit(inputs(known, blanks)[names].to_numpy(), known["grade"])
    return np.asarray(forest.predict(inputs(judged, blanks)[names].to_numpy()))


def _metrics(said: pd.DataFrame, learned: Learned) -> dict[str, float]:
    """Return the honest figures of the model as it serves, with 95 % intervals where a reader asks for them."""
    mse, hits = mean_of((said["quality"] - said["truth"]) ** 2), mean_of((said["grade"] == said["truth"]).astype(float))
    sure = {"mse_low": mse.low, "mse_high": mse.high, "accuracy_low": hits.low, "accuracy_high": hits.high}
    return figures(said, GRADES) | sure | {"stretch": learned.link.stretch}


def _baselines(said: pd.DataFrame) -> dict[str, float]:
    """Return the figures of always saying the mean grade (the commonest, for accuracy), and the predecessor's error."""
    mean, before = said["mean"] - said["truth"], said["predecessor"] - said["truth"]
    errors = {"mse": float((mean**2).mean()), "mae": float(mean.abs().mean()), "qwk": 0.0}
    return errors | {"accuracy": majority(said["truth"], said["truth"]).value, "predecessor": float((before**2).mean())}


@dataclass(frozen=True)
class _Made:
    """What a version is registered with."""

    learned: Learned
    said: pd.DataFrame
    metrics: dict[str, float]
    source: str
    plan: Plan


def _register(platform: Platform, run: Run, rows: pd.DataFrame, made: _Made) -> ModelVersion:
    learned, plan = made.learned, asdict(made.plan) | {"families": " ".join(made.plan.families)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        signature = {
            "inputs": ["colour", *(f"{name} {SAMPLES.column(name).unit}".strip() for name in MEASURES)],
            "members": _to_folder(learned, inputs(rows, learned.medians).to_numpy(), folder),
            "margin": learned.margin,
            "link": learned.link.to_dict(),
            "medians": learned.medians,
            "coverage": made.plan.coverage,
            "family": " + ".join(learned.weights),
            "rows": len(rows),
            "source": made.source,
            "ranges": ranges(rows),
        }
        _losses(made.said).rename("loss").reset_index().to_parquet(folder / "held_out.parquet")
        mixed = rows.sample(frac=1, random_state=made.plan.seed).groupby("colour").head(BACKGROUND)
        mixed[["colour", *MEASURES]].reset_index(drop=True).to_parquet(folder / "background.parquet")
        platform.tracker.log(run.run_id, {"source": made.source, **plan}, made.metrics, folder)
        trained = {"code_version": run.code_version, "run_id": run.run_id, "trained_on": run.day.isoformat()}
        return platform.models.save(NewModel(MODEL, folder, made.metrics, signature, **trained))


def _to_folder(learned: Learned, taken: np.ndarray, folder: Path) -> dict[str, dict[str, float]]:
    """Write every model as ONNX; return the members of the sum: weight, and base below the outputs."""
    for name, end in zip(("low", "high"), learned.ends, strict=True):
        to_file(end, xgboost_onnx, taken, folder / f"{name}.onnx")
    members = {}
    for name, weight in learned.weights.items():
        base = to_file(learned.families[name], FAMILIES[name].to_onnx, taken, folder / f"{name}.onnx")
        members[name] = {"weight": weight, "base": base}
    return members


def _judged(platform: Platform, run: Run, rows: pd.DataFrame, said: pd.DataFrame) -> promotion.Verdict:
    """Return the verdict against the mean grade and the champion, on the same held-out wines."""
    try:
        champion = _champion_losses(promotion.champion(platform, MODEL, until=run.until), rows)
    except (NotYetError, UnsafeFileError):  # one whose files were damaged cannot serve, so it does not count
        champion = None
    mean = ((said["mean"] - said["truth"]) ** 2).groupby(level=0).mean()
    return promotion.judge(_losses(said), {"mean grade": mean}, champion)


def _losses(said: pd.DataFrame) -> pd.Series:
    return ((said["quality"] - said["truth"]) ** 2).groupby(level=0).mean()


def _champion_losses(serving: ModelVersion, rows: pd.DataFrame) -> pd.Series:
    """Return the champion's loss on each wine it had not learned from: out of sample, or simply new to it."""
    held_out: pd.Series = pd.read_parquet(serving.folder / "held_out.parquet").set_index("input_hash")["loss"]
    wines = pd.Series(fingerprint(rows), index=rows.index)
    new = rows[~wines.isin(held_out.index)]
    if new.empty:
        return held_out
    said = stacked(serving, inputs(new, serving.signature["medians"]).to_numpy(), batch=True)
    losses = ((said - new["grade"]) ** 2).set_axis(wines[new.index])
    return pd.Series(pd.concat([held_out, losses]))
