"""How a forecaster comes to serve: rolled over the last year as if it were then, judged, fitted on all, kept.

panel ──► roll, every three months ──► blend, residuals, verdict ──► fit on all days ──► registry ──► promotions
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from shared.errors import NotYetError
from shared.ports import NewModel
from shared.runs import Report
from shared.steps import promotion
from shared.steps.regressors import to_file, xgboost_onnx
from shared.systems.air_quality.backtest import Rolled, blended, last_observed, month_starts, roll, rows_of
from shared.systems.air_quality.blend import MEMBERS, Blend, fit_blend
from shared.systems.air_quality.features import FEATURES
from shared.systems.air_quality.keeping import MOSTLY, save
from shared.systems.air_quality.model import Fitted, Plan, fit
from shared.systems.air_quality.panel import Panel, panel_of
from shared.systems.air_quality.scores import CLOSEST, NAIVE, by_lead, errors, judged, totals
from shared.systems.air_quality.tables import MODEL, PREDICTIONS

if TYPE_CHECKING:
    from shared.ports import Platform
    from shared.runs import Run

ROLLED_DAYS, EVERY_MONTHS = 455, 3  # how far back a model is judged as if it were then, and how often fitted anew
FEWEST_DAYS = 60
SHOWN = 5000
WEEKS = 10  # from so many on, a week is one piece of evidence; else a day

log = logging.getLogger("almanac")


def train(platform: Platform, run: Run, plan: Plan) -> Report:
    """Fit, judge and register a model on what was known on the eve of the run's date; return its figures.

    Raises:
        NotYetError: fewer than FEWEST_DAYS days were observed.
    """
    panel = known(platform, run, plan)
    rolled, first = roll_last_year(panel, plan)
    rows = rows_of(rolled, blended(rolled), first)
    length = last_observed(panel) + 1
    since = rolled.cuts[0]
    blend = fit_blend(rolled.members[:, :, since:length], rolled.truth[:, since:length])
    metrics, baselines = totals(rows)
    with tempfile.TemporaryDirectory() as folder:
        made = _write(Path(folder), run, fit(panel, length, plan), (panel, blend, rows, plan))
        model = platform.models.save(replace(made, metrics=metrics))
    platform.tracker.log(run.run_id, asdict(plan), metrics)
    verdict = _judge(platform, run, rows)
    promotion.record(platform, model, verdict, day=run.day, decided_at=run.started_at, run_id=run.run_id)
    log.info("air_quality train: %s", verdict.verdict)
    return Report(
        rows=int(model.signature["rows"]),
        metrics=metrics,
        baselines=baselines,
        headline="rmse",
        model=f"{MODEL} v{model.version}",
        note=f"{verdict.verdict}: {verdict.reason}",
        table=by_lead(rows),
    )


def known(platform: Platform, run: Run, plan: Plan) -> Panel:
    """Return all that was known on the eve of the run's date, from the first day on that was observed.

    Raises:
        NotYetError: fewer than FEWEST_DAYS days were observed.
    """
    panel = panel_of(platform, run.day - timedelta(days=1), int(plan.years * 365.25))
    panel = panel.since(int(np.isfinite(panel.pm25).any(axis=0).argmax()))
    if (days := last_observed(panel) + 1) < FEWEST_DAYS:
        told = f"a forecaster takes {FEWEST_DAYS} days to learn from; there are {days}"
        raise NotYetError(f"{told}: run `almanac run air_quality backfill`")
    return panel


def roll_last_year(panel: Panel, plan: Plan) -> tuple[Rolled, int]:
    """Return what would have been said of the last year, or of half a shorter history, and where judging begins.

    Before the second fit the blend is a guess, as nothing is known of how well its members do.
    """
    length = last_observed(panel) + 1
    first = max(length - ROLLED_DAYS, length // 2)
    cuts = month_starts(panel.days[:length], first, EVERY_MONTHS)
    return roll(panel, cuts, length - 1, plan), cuts[1] if len(cuts) > 2 else first


def _write(folder: Path, run: Run, fitted: Fitted, told: tuple[Panel, Blend, pd.DataFrame, Plan]) -> NewModel:
    """Write the model's files; return it without its figures."""
    panel, blend, rows, plan = told
    save(folder, fitted, blend, panel, rows)
    trees = {"trees": (fitted.trees, fitted.inputs), "recursive": (fitted.baselines.recursive, fitted.baselines.rows)}
    bases = {
        name: to_file(model, xgboost_onnx, some(inputs), folder / f"{name}.onnx")
        for name, (model, inputs) in trees.items()
        if model is not None and inputs is not None
    }
    return NewModel(
        name=MODEL,
        folder=folder,
        metrics={},
        signature={
            **{"features": [*FEATURES], "members": [*MEMBERS], "bases": bases, "plan": asdict(plan)},
            **{"rows": int(np.isfinite(panel.pm25).sum()), "importance": fitted.importance},
            "stand_in": int((panel.own < MOSTLY).sum()),
        },
        code_version=run.code_version,
        run_id=run.run_id,
        trained_on=run.day.isoformat(),
    )


def some(inputs: np.ndarray) -> np.ndarray:
    """Return at most SHOWN of the rows, evenly: on them a model and its file are shown to say the same."""
    return inputs[:: 1 + len(inputs) // SHOWN]


def _judge(platform: Platform, run: Run, rows: pd.DataFrame) -> promotion.Verdict:
    """Return what becomes of the model, on days that neither it nor the champion had learned from.

    It must surely beat what needs no model, and damped persistence by its mean loss. The rest are members of the blend:
    no sure gap can be asked on short histories, or a newcomer would get no forecast at all.
    """
    seen, names = judged(rows), ["pm25", *NAIVE]
    with contextlib.suppress(NotYetError):  # no champion: nothing to compare with
        said = champion_said(platform, run).rename(columns={"pm25": "champion"})
        both = seen.merge(said, on=["station", "day", "lead"])
        if both["day"].nunique() >= promotion.FEWEST_ROWS:
            seen, names = both, [*names, "champion"]
    scale = seen.groupby("station")["observed"].transform("var").clip(lower=1e-6)
    losses = {name: _losses(seen, errors(seen, name), scale) for name in names}
    ours, cheap, champion = losses.pop("pm25"), losses.pop(CLOSEST), losses.pop("champion", None)
    verdict = promotion.judge(ours, losses, champion)
    if verdict.verdict != "rejected" and ours.mean() >= cheap.mean():
        told = f"its loss is {ours.mean():.4g}, that of {CLOSEST} persistence {cheap.mean():.4g}"
        return replace(verdict, verdict="rejected", reason=f"It does not beat {CLOSEST} persistence: {told}.")
    return verdict


def champion_said(platform: Platform, run: Run) -> pd.DataFrame:
    """Return ``station, day, lead, pm25`` of what the serving model said of days it had not learned from.

    Raises:
        NotYetError: none serves.
    """
    model = promotion.champion(platform, MODEL, until=run.until)
    past = pd.read_parquet(model.folder / "past.parquet")
    live = platform.features.read(PREDICTIONS, ["station", "day", "lead", "pm25", "model_version"], until=run.until)
    live = live[live["model_version"] == model.version]
    said = pd.concat([past, live])[["station", "day", "lead", "pm25"]]
    return said.drop_duplicates(["station", "day", "lead"], keep="last")


def _losses(rows: pd.DataFrame, missed: pd.Series, scale: pd.Series) -> pd.Series:
    """Return squared errors as shares of the station's variance, by week: days that follow each other go together."""
    period = "W" if rows["day"].nunique() >= WEEKS * 7 else "D"
    names = rows["day"].dt.tz_localize(None).dt.to_period(period).astype(str)
    return pd.Series(missed.to_numpy() ** 2 / scale.to_numpy(), index=pd.Index(names, name="when"))
