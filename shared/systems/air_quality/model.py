"""The forecasters: linear and trees over all stations on logarithms, and four of the baselines; fitted at one moment.

    Panel ──► fit (the days before one) ──► Fitted ──► say ──► µg/m³ by member [members, stations, origins, 7]

Both learned members say the anomaly from what is usual at a station, so that one model serves them all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.errors import NotYetError
from shared.steps.ridge import Ridge, fit_ridge, stacked_ridges
from shared.systems.air_quality.baselines import Baselines, Regressor, fit_baselines
from shared.systems.air_quality.blend import MEMBERS
from shared.systems.air_quality.features import (
    AIR,
    FEATURES,
    SEASONS,
    Climate,
    ahead,
    features,
    fit_climate,
    seasons_known,
    targets,
)
from shared.systems.air_quality.panel import AHEAD, Panel
from shared.systems.air_quality.tables import LEADS

LINEAR_STRENGTH = 60.0
BLINDED = 8  # every so-manieth row is learned once more without weather: one day its service will be down
FARTHEST = 5.0  # spreads from the mean that an input of the linear member may lie


@dataclass(frozen=True)
class Plan:
    """How much is learned from: origins of the last ``years``, at most ``rows`` of station, origin and lead."""

    years: float = 6.0
    rows: int = 400_000
    trees: int = 250
    seed: int = 0


@dataclass(frozen=True)
class Fitted:
    """What the days before one moment taught.

    Attributes:
        climate: what is usual, by station.
        baselines: what is to be beaten; four of them are members.
        linear: regressions ``[7]``.
        trees: from ``[rows, features + 1]``, the lead last, to anomalies ``[rows]``.
        inputs: what the trees learned from; of a model that was loaded nothing.
    """

    climate: Climate
    baselines: Baselines
    linear: Ridge
    trees: Regressor
    inputs: np.ndarray | None = None

    @property
    def importance(self) -> dict[str, float]:
        """Return each feature's share in both learned members: of the trees' gain, of the standardised weights."""
        gain = np.asarray(self.trees.feature_importances_)[: len(FEATURES)]  # type: ignore[attr-defined]
        weight = np.abs(self.linear.weights).mean(axis=0)
        share = gain / max(gain.sum(), 1e-12) + weight / max(weight.sum(), 1e-12)
        return {name: round(float(value) / 2, 5) for name, value in zip(FEATURES, share, strict=True)}


def fit(panel: Panel, until: int, plan: Plan) -> Fitted:
    """Return the forecasters learned from the days before number ``until``.

    Raises:
        NotYetError: no three days of one week, and a day after them, were observed.
    """
    from shared.steps.regressors import boosted  # only to learn

    known = panel.known_at(until - 1)
    climate, baselines = fit_climate(known, until), fit_baselines(known, until)
    origins = _origins(known, until, plan)
    inputs, truth = features(known, climate, origins), targets(known, climate, origins)
    if not seasons_known(known, until):
        inputs[..., [FEATURES.index(name) for name in SEASONS]] = np.nan
    rows = np.isfinite(truth) & np.isfinite(_at_origin(inputs))
    if not rows.any():
        raise NotYetError("there is too little fine dust to learn from: run `almanac run air_quality backfill`")
    by_lead = ((inputs[:, :, n][rows[:, :, n]], truth[:, :, n][rows[:, :, n]]) for n in range(AHEAD))
    linear = [fit_ridge(*known_rows, LINEAR_STRENGTH) for known_rows in by_lead]
    taken, aims = with_lead(inputs)[rows], truth[rows]
    blind = taken[::BLINDED].copy()
    blind[:, _told_by_others()] = np.nan
    trees = boosted(np.vstack([taken, blind]), np.r_[aims, aims[::BLINDED]], plan.trees, plan.seed)
    return Fitted(climate, baselines, stacked_ridges(linear, (AHEAD,)), trees, taken)


def say(fitted: Fitted, panel: Panel, origins: np.ndarray, beside: dict[str, np.ndarray]) -> np.ndarray:
    """Return what each member says, µg/m³ ``[members, stations, origins, 7]``; ``beside``: what the baselines say."""
    inputs = features(panel, fitted.climate, origins)
    usual = ahead(fitted.climate.usual(panel.days), origins)
    anomalies = {"linear": fitted.linear.say(inputs, FARTHEST), "trees": by_trees(fitted.trees, inputs)}
    said = {name: np.expm1(np.clip(usual + anomaly, 0, 7)) for name, anomaly in anomalies.items()} | beside
    blind = np.isnan(inputs[..., FEATURES.index(f"{AIR[0]}_target")]) & np.isfinite(panel.weather).any()
    said["recursive"] = np.where(blind, np.nan, said["recursive"])  # it never learned what to do without weather
    return np.stack([said[name] for name in MEMBERS])


def by_trees(trees: Regressor, inputs: np.ndarray) -> np.ndarray:
    """Return anomalies ``[stations, origins, 7]`` of the trees."""
    rows = with_lead(inputs)
    return np.asarray(trees.predict(rows.reshape(-1, rows.shape[-1])), dtype=float).reshape(rows.shape[:-1])


def with_lead(inputs: np.ndarray) -> np.ndarray:
    """Return the inputs ``[stations, origins, 7, features]`` with the lead as one more."""
    leads = np.broadcast_to(np.array(LEADS, dtype=np.float32)[:, None], (*inputs.shape[:-1], 1))
    return np.concatenate([inputs, leads], axis=-1)


def _origins(panel: Panel, until: int, plan: Plan) -> np.ndarray:
    """Return the origins to learn from: the newest, and of many every second, or third."""
    first = max(0, until - int(plan.years * 365.25))
    step = 1 + (until - first) * len(panel.stations) * len(LEADS) // plan.rows
    return np.arange(until - 2, first, -step)[::-1]


def _told_by_others() -> list[int]:
    """Return the numbers of the features that a service must tell, so may be missing."""
    return [n for n, name in enumerate(FEATURES) if name.startswith((*(f"{air}_" for air in AIR), "cams_"))]


def _at_origin(inputs: np.ndarray) -> np.ndarray:
    """Return the week's mean anomaly, without which a row teaches little."""
    return inputs[..., FEATURES.index("mean7")]
