"""What a forecast must beat, each fitted on the past alone and said for every station, origin and lead.

    persistence   the origin day again
    climatology   what is usual for the date: waves of the year and the weekday
    damped        climatology, and of the newest anomaly as much as usually lasts
    ridge         linear in lags, season and weekday, one for each lead
    recursive     the predecessor's: default XGBoost on three lags and the day's weather, fed with its own forecasts
    cams          what the Copernicus model said

All are in µg/m³ ``[stations, origins, 7]``; nan where one cannot be said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from shared.steps.ridge import Ridge, fit_ridge, stacked_ridges
from shared.systems.air_quality.features import ahead, at_days, calendar, fit_calendar, newest, trailing_mean
from shared.systems.air_quality.panel import AHEAD, Panel
from shared.systems.air_quality.tables import LEADS

RIDGE_LAGS, RIDGE_WINDOWS, RIDGE_STRENGTH = (0, 1, 2, 6), (7, 28), 10.0
RECURSIVE_LAGS = 3


class Regressor(Protocol):
    """What was fitted: from ``[rows, inputs]`` to ``[rows]``."""

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return ``[rows]`` of ``[rows, inputs]``."""
        ...


@dataclass(frozen=True)
class Baselines:
    """What was learned of the past.

    Attributes:
        usual: weights of the calendar ``[stations, 12]``, µg/m³.
        lasting: share of an anomaly that lasts ``[stations, 7]``.
        ridge: regressions ``[stations, 1, 7]``.
        recursive: the predecessor's model, from ``[rows, 7]`` to µg/m³; None where nothing could be learned.
        rows: what that model learned from; of one that was loaded nothing.
    """

    usual: np.ndarray
    lasting: np.ndarray
    ridge: Ridge
    recursive: Regressor | None = None
    rows: np.ndarray | None = None


def fit_baselines(panel: Panel, until: int) -> Baselines:
    """Return the baselines learned from the days before number ``until``."""
    known = panel.known_at(until - 1)
    usual = fit_calendar(known.pm25[:, :until], panel.days[:until])
    return Baselines(usual, _fit_lasting(known, usual), _fit_ridge(known), *_fit_recursive(known))


def say(baselines: Baselines, panel: Panel, origins: np.ndarray) -> dict[str, np.ndarray]:
    """Return what each baseline says, by name."""
    usual = baselines.usual @ calendar(panel.days).T
    expected = ahead(usual, origins)
    anomaly = np.nan_to_num(newest(panel.pm25 - usual, origins))[..., None]
    inputs = _ridge_inputs(panel, origins)
    return {
        "persistence": np.repeat(newest(panel.pm25, origins)[..., None], len(LEADS), axis=2),
        "damped": np.maximum(expected + baselines.lasting[:, None, :] * anomaly, 0),
        "climatology": np.maximum(expected, 0),
        "recursive": _recursive(baselines.recursive, panel, origins),
        "ridge": np.maximum(baselines.ridge.say(inputs), 0),
        "cams": np.stack([at_days(panel.cams[:, :, lead], origins + lead) for lead in LEADS], axis=-1),
    }


def _fit_lasting(panel: Panel, usual: np.ndarray) -> np.ndarray:
    anomaly = panel.pm25 - usual @ calendar(panel.days).T
    found = []
    for lead in LEADS:
        before, after = anomaly[:, :-lead], anomaly[:, lead:]
        both = np.isfinite(before) & np.isfinite(after)
        products, squares = (np.where(both, before * other, 0).sum(axis=1) for other in (after, before))
        found.append(products / np.maximum(squares, 1e-9))
    return np.asarray(np.clip(np.stack(found, axis=-1), 0, 1))


def _ridge_inputs(panel: Panel, origins: np.ndarray) -> np.ndarray:
    """Return ``[stations, origins, 7, inputs]``: lags, means, and the target day's calendar."""
    lags = [newest(panel.pm25, origins), *(at_days(panel.pm25, origins - lag) for lag in RIDGE_LAGS[1:])]
    means = [at_days(trailing_mean(panel.pm25, window, 1), origins) for window in RIDGE_WINDOWS]
    past = np.stack([*lags, *means], axis=-1)
    terms = calendar(panel.days)[:, 1:]
    dates = np.stack([terms[np.clip(origins + lead, 0, len(terms) - 1)] for lead in LEADS], axis=1)
    shape = (*past.shape[:2], len(LEADS))
    return np.concatenate(
        [
            np.broadcast_to(past[:, :, None, :], (*shape, past.shape[-1])),
            np.broadcast_to(dates, (*shape, dates.shape[-1])),
        ],
        axis=-1,
    )


def _fit_ridge(panel: Panel) -> Ridge:
    origins = np.arange(len(panel.days) - AHEAD)
    inputs, truth = _ridge_inputs(panel, origins), ahead(panel.pm25, origins)
    fitted = []
    for station in range(len(panel.stations)):
        for place in range(len(LEADS)):
            kept = np.isfinite(truth[station, :, place])
            fitted.append(fit_ridge(inputs[station, kept, place], truth[station, kept, place], RIDGE_STRENGTH))
    return stacked_ridges(fitted, (len(panel.stations), 1, len(LEADS)))


def _fit_recursive(panel: Panel) -> tuple[Regressor | None, np.ndarray]:
    """Return the predecessor's model as it was trained: on the weather of the day itself, all defaults."""
    from shared.steps.regressors import default_boosted  # only to learn

    days = np.arange(RECURSIVE_LAGS, len(panel.days))
    lags = [at_days(panel.pm25, days - back) for back in range(1, RECURSIVE_LAGS + 1)]
    rows = np.concatenate([panel.weather[:, days, 0], np.stack(lags, axis=-1)], axis=-1)
    truth = at_days(panel.pm25, days)
    kept = np.isfinite(truth) & np.isfinite(rows[..., -RECURSIVE_LAGS:]).all(axis=-1)
    return (default_boosted(rows[kept], truth[kept]) if kept.any() else None), rows[kept].astype(np.float32)


def _recursive(model: Regressor | None, panel: Panel, origins: np.ndarray) -> np.ndarray:
    out = np.full((len(panel.stations), len(origins), len(LEADS)), np.nan)
    if model is None:
        return out
    lags = [newest(panel.pm25, origins - back) for back in range(RECURSIVE_LAGS)]
    for place, lead in enumerate(LEADS):
        forecast = panel.weather[:, :, lead]
        weather = np.where(np.isnan(forecast), panel.weather[:, :, 0], forecast)
        there = np.stack([at_days(weather[..., n], origins + lead) for n in range(weather.shape[-1])], axis=-1)
        rows = np.concatenate([there, np.stack(lags, axis=-1)], axis=-1)
        answer = np.asarray(model.predict(rows.reshape(-1, rows.shape[-1]).astype(np.float32)))
        out[:, :, place] = said = np.where(np.isfinite(lags[0]), answer.reshape(rows.shape[:2]), np.nan)
        lags = [said, *lags[:-1]]
    return np.asarray(np.maximum(out, 0))
