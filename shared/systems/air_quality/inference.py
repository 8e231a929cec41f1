"""The day's forecasts: every station, seven leads, with an interval, probabilities, and what each baseline says.

panel as known on the eve ──► members ──► blend ──► expected µg/m³ ─┐
past forecasts, what then was ──► residuals, adaptive levels ───────┴─► air_quality_forecasts
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from shared.runs import midnight, stamp
from shared.steps.promotion import champion
from shared.steps.tracing import traced
from shared.systems.air_quality.baselines import say as say_baselines
from shared.systems.air_quality.blend import (
    FEWEST,
    WINDOW,
    corrected,
    corrections,
    distribution,
    levels_of,
    residuals,
)
from shared.systems.air_quality.features import FEATURES, LOOK_BACK, features
from shared.systems.air_quality.keeping import Kept, load
from shared.systems.air_quality.model import say
from shared.systems.air_quality.panel import Panel, own_days, panel_of
from shared.systems.air_quality.tables import (
    BASELINES,
    LEADS,
    LIMITS,
    MODEL,
    OBSERVATIONS,
    PREDICTIONS,
)

if TYPE_CHECKING:
    from shared.ports import ModelVersion, Platform, Version
    from shared.runs import Run

DAYS = LOOK_BACK + 10  # that features look back
GOLDEN = (5**0.5 - 1) / 2
REPLAYED = 2 * WINDOW  # days of residuals: those of the first half only say where levels stood


def serving(platform: Platform, run: Run) -> ModelVersion:
    """Return the model that serves on the run's date.

    Raises:
        NotYetError: none does.
    """
    return champion(platform, MODEL, until=run.until)


def predict(platform: Platform, run: Run, model: ModelVersion) -> int:
    """Write the forecasts of the run's date; return how many rows changed.

    On a later day those that are there stay as they were said: now they would know of revised days and newer models.
    """
    store_version = platform.features.version()
    rows = forecast(platform, model, run.day, store_version)
    if run.started_at.date() > run.day:
        said = platform.features.read(PREDICTIONS, ["forecast"], since=midnight(run.day))["forecast"]
        rows = rows[~rows["forecast"].isin(said)]
    return platform.features.write(PREDICTIONS, stamp(rows, run, model, store_version)).rows


def forecast(platform: Platform, model: ModelVersion, day: date, as_of: Version | None = None) -> pd.DataFrame:
    """Return the forecasts made on ``day``, all columns of PREDICTIONS but the provenance.

    A station of which nothing is known, neither by the model nor in the last months, gets none.

    Raises:
        NotYetError: nothing was observed of any station.
    """
    return _made(platform, model, day, as_of)[0]


def _made(
    platform: Platform, model: ModelVersion, day: date, as_of: Version | None
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Return what ``forecast`` does, and the features it is made from, by station ``[7, features]``."""
    origin = day - timedelta(days=1)
    panel = panel_of(platform, origin, DAYS, as_of=as_of)
    kept, at = load(model, panel), np.array([DAYS - 1])
    known = at_its_level(panel, kept)
    beside = say_baselines(kept.fitted.baselines, known, at)
    blend = kept.level[:, None] * kept.blend.of(say(kept.fitted, known, at, beside))[:, 0]
    blend[~(np.isfinite(panel.pm25).any(axis=1) | kept.known)] = np.nan
    raised = {name: (1.0 if name == "cams" else kept.level[:, None]) * beside[name][:, 0] for name in BASELINES}
    past = _past(platform, kept, panel, day, as_of)
    said = {"blend": blend, **_distribution(blend, past), **raised}
    inputs = features(known, kept.fitted.climate, at)[:, 0]
    return _rows(panel, day, said, inputs), dict(zip(panel.stations, inputs, strict=True))


def at_its_level(panel: Panel, kept: Kept) -> Panel:
    """Return the panel with dust at the level that the model learned.

    A model that learned from CAMS knows CAMS's level of a station; its own days, once there are some, lie higher or
    lower. What it says is raised by the same factor.
    """
    return replace(panel, pm25=panel.pm25 / kept.level[:, None])


def explain(platform: Platform, name: str) -> dict[str, Any]:
    """Return what a forecast was made from, and whether making it again gives exactly the same.

    Raises:
        NotYetError: there is no forecast of that name.
    """

    def again(model: ModelVersion, made: pd.Series, as_of: Version | None) -> tuple[dict[str, Any], pd.Series]:
        day = (made["day"] - pd.Timedelta(days=int(made["lead"]) - 1)).date()
        rows, inputs = _made(platform, model, day, as_of)
        values = inputs[made["station"]][int(made["lead"]) - 1]
        told = [None if np.isnan(value) else round(float(value), 4) for value in values]
        return dict(zip(FEATURES, told, strict=True)), rows[rows["forecast"] == name].iloc[0]

    return traced(platform, PREDICTIONS, name, again)


def _past(platform: Platform, kept: Kept, panel: Panel, day: date, as_of: Version | None) -> np.ndarray:
    """Return residuals ``[REPLAYED, stations, 7]`` by target day, of forecasts whose day was over before ``day``.

    Those of the model's backtest, and after it those of what was really said, whichever model said it. After a pause so
    long that none is of the last months, the newest there are stand in.
    """
    first = day - timedelta(days=REPLAYED)
    since, until = midnight(first), midnight(day)
    live = platform.features.read(
        PREDICTIONS, ["station", "day", "lead", "blend"], since=since, until=until, as_of=as_of
    )
    seen = platform.features.read(
        OBSERVATIONS, ["station", "day", "pm25", "origin"], since=since, until=until, as_of=as_of
    )
    live = live.merge(own_days(seen).rename(columns={"pm25": "observed"}), on=["station", "day"])
    rows = pd.concat([kept.past, live])
    out = np.full((REPLAYED, len(panel.stations), len(LEADS)), np.nan)
    when = (rows["day"] - pd.Timestamp(since)).dt.days.to_numpy()
    newest = when[when < REPLAYED].max(initial=0)
    when = when + (REPLAYED - 1 - newest if newest < REPLAYED - WINDOW else 0)
    who = pd.Index(panel.stations).get_indexer(pd.Index(rows["station"]))
    there = (when >= 0) & (when < REPLAYED) & (who >= 0)
    fell = residuals(rows["observed"].to_numpy(float), rows["blend"].to_numpy(float))
    out[when[there], who[there], rows["lead"].to_numpy()[there] - 1] = fell[there]
    return _borrowed(out)


def _borrowed(past: np.ndarray) -> np.ndarray:
    """Return the residuals, of a station with few those of all in their place, spread over the days."""
    few = np.isfinite(past[-WINDOW:]).sum(axis=0) < FEWEST
    if not few.any() or not np.isfinite(past).any():
        return past
    out = past.copy()
    for place in range(len(LEADS)):
        pool = np.sort(past[-WINDOW:, :, place][np.isfinite(past[-WINDOW:, :, place])])
        if len(pool):
            shares = (np.arange(WINDOW) * GOLDEN) % 1  # in an order of which no stretch lies high or low
            out[-WINDOW:, few[:, place], place] = np.quantile(pool, shares)[:, None]
    return out


def _distribution(blend: np.ndarray, past: np.ndarray) -> dict[str, np.ndarray]:
    """Return ``pm25``, ``low``, ``high`` and ``p<limit>`` of blends ``[stations, 7]``, each ``[stations, 7]``."""
    by_lead = []
    for place, lead in enumerate(LEADS):
        fell, off = corrected(past[:, :, place], lead), corrections(past[:, :, place])[-1]
        lower, upper = levels_of(fell, lead)
        by_lead.append(distribution(blend[:, place], off, fell[-WINDOW:], (lower[-1], upper[-1])))
    said = {name: np.stack([getattr(one, name) for one in by_lead], axis=-1) for name in ("pm25", "low", "high")}
    chances = np.stack([one.over for one in by_lead], axis=-1)
    return said | {f"p{limit}": chance for limit, chance in zip(LIMITS, chances, strict=True)}


def _rows(panel: Panel, day: date, said: dict[str, np.ndarray], inputs: np.ndarray) -> pd.DataFrame:
    """Return what was said ``[stations, 7]`` as rows, one a station and lead, of stations with a forecast."""
    spine = pd.MultiIndex.from_product([panel.stations, LEADS], names=["station", "lead"]).to_frame(index=False)
    targets = [day + timedelta(days=lead - 1) for lead in LEADS] * len(panel.stations)
    taken, named = inputs.reshape(-1, inputs.shape[-1]), zip(spine["station"], targets, spine["lead"], strict=True)
    rows = spine.assign(
        forecast=["/".join(map(str, parts)) for parts in named],
        day=[midnight(target) for target in targets],
        input_hash=[hashlib.sha256(row.tobytes()).hexdigest()[:12] for row in taken],
        **{name: np.clip(values.ravel(), 0, PREDICTIONS.column(name).high) for name, values in said.items()},
    )
    return rows[rows["pm25"].notna()].reset_index(drop=True)
