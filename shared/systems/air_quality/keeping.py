"""A fitted forecaster as files: trees as ONNX, all else as plain numbers, what it said out of sample as rows.

    Fitted, Blend, rows ──► save: trees.onnx, recursive.onnx, numbers.parquet, past.parquet ──► registry
                                        ModelVersion ──► load, for any stations ──► Kept

A station that the model does not know takes what is shared: the others' mean, at its own level.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from shared.errors import NotYetError
from shared.steps.onnx import predicted_values
from shared.steps.ridge import Ridge
from shared.systems.air_quality.baselines import Baselines
from shared.systems.air_quality.blend import MEMBERS, Blend
from shared.systems.air_quality.features import FEATURES, Climate, calendar, log
from shared.systems.air_quality.model import Fitted
from shared.systems.air_quality.tables import BASELINES

if TYPE_CHECKING:
    from pathlib import Path

    from shared.ports import ModelVersion
    from shared.systems.air_quality.panel import Panel

PAST = [
    "station",
    "day",
    "lead",
    "observed",
    "blend",
    "pm25",
    "low",
    "high",
    *BASELINES,
]  # what is kept of the backtest
MOSTLY = 0.5  # share of own days from which a model knows a station's own level
MOST_PAST = 1_000_000  # rows, the newest


@dataclass(frozen=True)
class Kept:
    """A model as it serves: forecasters, blend, what it said of days before it was trained (PAST), whom it knows."""

    fitted: Fitted
    blend: Blend
    past: pd.DataFrame
    known: np.ndarray  # [stations], flags
    level: np.ndarray  # [stations], by what the model's level of dust is to be raised to today's


def save(folder: Path, fitted: Fitted, blend: Blend, panel: Panel, past: pd.DataFrame) -> None:
    """Write everything but the trees, which ``training`` writes as it knows what they learned from."""
    numbers = {
        "dust": fitted.climate.dust,
        "warmth": fitted.climate.warmth,
        "usual": fitted.baselines.usual,
        "lasting": fitted.baselines.lasting,
        "lifts": blend.lifts,
        "weights": blend.weights,
        "level": np.where(panel.own < MOSTLY, panel.level, np.nan),  # nan: learned from the station's own days
    }
    for name, ridge in {"ridge": fitted.baselines.ridge, "linear": fitted.linear}.items():
        numbers |= {f"{name}.{part.name}": getattr(ridge, part.name) for part in fields(Ridge)}
    pd.DataFrame({"station": [*panel.stations]}).to_parquet(folder / "stations.parquet")
    rows = [{"name": name, "shape": [*array.shape], "values": array.ravel()} for name, array in numbers.items()]
    pd.DataFrame(rows).to_parquet(folder / "numbers.parquet")
    newest = past.sort_values(["day", "station", "lead"])[PAST].tail(MOST_PAST)
    newest.to_parquet(folder / "past.parquet", index=False)


def load(model: ModelVersion, panel: Panel) -> Kept:
    """Return the model as it serves the stations of ``panel``, in their order.

    Raises:
        NotYetError: it was made of other features or members than there are now.
    """
    told = [[*model.signature.get(name, ())] for name in ("features", "members")]
    if told != [[*FEATURES], [*MEMBERS]]:
        what = f"{model.name} v{model.version} was made of other features than there are now"
        raise NotYetError(f"{what}: run `almanac run air_quality train`")
    rows = pd.read_parquet(model.folder / "numbers.parquet").to_dict("records")
    numbers = {row["name"]: np.asarray(row["values"], dtype=float).reshape(row["shape"]) for row in rows}
    known = pd.read_parquet(model.folder / "stations.parquet")["station"]
    place = pd.Index(known).get_indexer(pd.Index(panel.stations))
    own = {name: _of(numbers[name], place) for name in ("warmth", "lasting", "lifts", "weights")}
    new = place < 0
    dust = _at_level(_of(numbers["dust"], place), new, log(panel.pm25), panel)
    usual = _at_level(_of(numbers["usual"], place), new, panel.pm25, panel)
    ridge = Ridge(*(_of(numbers[f"ridge.{part.name}"], place) for part in fields(Ridge)))
    ridge.level[new] = np.nan  # a straight line through another station's dust says nothing of this one
    linear = Ridge(*(numbers[f"linear.{part.name}"] for part in fields(Ridge)))
    bases = model.signature["bases"]
    trees = {name: _Trees(model.folder / f"{name}.onnx", float(base)) for name, base in bases.items()}
    baselines = Baselines(usual, own["lasting"], ridge, trees.get("recursive"))
    fitted = Fitted(Climate(dust, own["warmth"]), baselines, linear, trees["trees"])
    then = np.append(numbers["level"], np.nan)[np.where(new, len(known), place)]
    level = np.where(np.isfinite(then), panel.level / then, 1.0)
    past = pd.read_parquet(model.folder / "past.parquet")
    return Kept(fitted, Blend(own["lifts"], own["weights"]), past, ~new, level)


@dataclass(frozen=True)
class _Trees:
    """A regressor of one output as a file, and what is to be added to what it says."""

    path: Path
    base: float

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return ``[rows]`` of float32 ``[rows, inputs]``."""
        return self.base + predicted_values(self.path, inputs)[:, 0]


def _of(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return the stations' values; of one that is not known (-1) the mean of all."""
    shared = np.nanmean(values, axis=0, keepdims=True)
    return np.concatenate([values, shared])[np.where(place < 0, len(values), place)]


def _at_level(weights: np.ndarray, new: np.ndarray, seen: np.ndarray, panel: Panel) -> np.ndarray:
    """Return the calendar's weights, those of new stations raised or lowered to what was seen of them."""
    away = seen - weights @ calendar(panel.days).T
    known = np.isfinite(away)
    shift = np.where(known, away, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    moved = weights.copy()
    moved[:, 0] += np.where(new, shift, 0)
    return moved
