"""What the champion says about wines: an expected grade, a whole one, a 90 % interval, a probability a grade.

    predict: wines that came and were not predicted ──► grade ──► wine_predictions
    moved:   one wine ──► how much each measure moved its quality (Shapley values)
    lift:    one wine ──► the smallest change of measures that brings a better grade

Needs onnxruntime and scipy (``moved`` also shap), no training library, so a container that predicts starts fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from shared.errors import NotYetError
from shared.runs import midnight, stamp
from shared.steps.onnx import predicted_values
from shared.steps.ordinal import GradeLink, graded
from shared.steps.promotion import champion
from shared.steps.shapley import shapley
from shared.steps.stacking import stacked
from shared.steps.tracing import trace
from shared.systems.wine.features import DENSITY_BY, filled, fingerprint, inputs, unpredicted
from shared.systems.wine.tables import COLOURS, GRADES, MEASURES, MODEL, PREDICTIONS, SAMPLES

if TYPE_CHECKING:
    from shared.ports import ModelVersion, Platform
    from shared.runs import Run


def serving(platform: Platform, run: Run) -> ModelVersion:
    """Return the model that serves on the run's date.

    Raises:
        NotYetError: none does yet.
    """
    return champion(platform, MODEL, until=run.until)


def predict(platform: Platform, run: Run, model: ModelVersion) -> int:
    """Predict every wine that came by the run's date and was not predicted yet; return how many.

    A wine of an earlier date, late or corrected, is predicted by the model of then, which cannot know its grade.
    """
    store_version = platform.features.version()
    fresh = unpredicted(platform, run.until, as_of=store_version)
    said = []
    for _, wines in fresh.groupby("taken_at"):
        served = _serving_then(platform, wines["taken_at"].iloc[0], run, model)
        said.append(stamp(grade(served, wines), run, served, store_version))
    return platform.features.write(PREDICTIONS, pd.concat(said, ignore_index=True)).rows if said else 0


def _serving_then(platform: Platform, taken_at: pd.Timestamp, run: Run, model: ModelVersion) -> ModelVersion:
    """Return the model that served on the date a wine came: the run's on its own date, or when none did then."""
    if taken_at.date() == run.day:
        return model
    try:
        return champion(platform, MODEL, until=midnight(taken_at.date() + timedelta(days=1)))
    except NotYetError:
        return model


def grade(model: ModelVersion, samples: pd.DataFrame) -> pd.DataFrame:
    """Return sample_id, taken_at, origin, ``quality, grade, low, high``, ``p3`` to ``p9`` and ``input_hash``."""
    taken = inputs(samples, model.signature["medians"]).to_numpy()
    margin = float(model.signature["margin"])
    low, high = (predicted_values(model.folder / f"{end}.onnx", taken)[:, 0] for end in ("low", "high"))
    said = graded(_link(model), stacked(model, taken), low - margin, high + margin).set_axis(samples.index)
    known = samples[["sample_id", "taken_at", "origin"]]
    return known.join(said).assign(input_hash=fingerprint(samples))


def quality(model: ModelVersion, samples: pd.DataFrame) -> np.ndarray:
    """Return expected grades ``[samples]``, all at once: for many wines, good to 1e-5."""
    return stacked(model, inputs(samples, model.signature["medians"]).to_numpy(), batch=True)


def explain(platform: Platform, sample_id: str) -> dict[str, Any]:
    """Return what a prediction was made from, and whether making it again gives exactly the same.

    Raises:
        NotYetError: there is no prediction for that wine.
    """
    return trace(platform, PREDICTIONS, SAMPLES, sample_id, grade, ("colour", *MEASURES))


def _link(model: ModelVersion) -> GradeLink:
    return GradeLink.from_dict(model.signature["link"])


# --- what moved it -------------------------------------------------------------------------------------------------


def moved(model: ModelVersion, sample: pd.DataFrame) -> pd.DataFrame:
    """Return ``measure, value, shift`` of one wine: how far its colour and each measure moved its quality.

    Beside some wines that the model learned from: their mean quality and the shifts add up to this wine's. A blank is
    taken as the median of the colour, as the model does.

    Raises:
        MissingExtraError: shap is not installed.
    """
    typical = pd.read_parquet(model.folder / "background.parquet")
    row, beside = (_as_numbers(model, wines) for wines in (sample, typical))
    shifts = shapley(lambda rows: quality(model, _as_wines(rows)), row[0], beside)
    values = [sample["colour"].iloc[0], *row[0, 1:].tolist()]
    return pd.DataFrame({"measure": ["colour", *MEASURES], "value": values, "shift": shifts})


def _as_numbers(model: ModelVersion, wines: pd.DataFrame) -> np.ndarray:
    """Return ``[wines, 12]``: 1 for white, then the measures."""
    white = wines["colour"].map(dict(zip(COLOURS, (0.0, 1.0), strict=True)))
    return np.column_stack([white, filled(wines, model.signature["medians"])])


def _as_wines(rows: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(rows[:, 1:], columns=[*MEASURES]).assign(colour=np.where(rows[:, 0] > 0.5, "white", "red"))


# --- what would lift it --------------------------------------------------------------------------------------------

MOST_CHANGES = 3
SPREADS = (0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5)  # how far a measure is moved in the search, up and down
KEPT = 50  # changes too small yet that are tried with one more measure
# Digits that a laboratory gives; density is not here, as nobody changes it but by what is in the wine.
DIGITS = {
    "fixed_acidity": 1,
    "volatile_acidity": 2,
    "citric_acid": 2,
    "residual_sugar": 1,
    "chlorides": 3,
    "free_sulfur_dioxide": 0,
    "total_sulfur_dioxide": 0,
    "ph": 2,
    "sulphates": 2,
    "alcohol": 1,
}
_PLACE = {name: MEASURES.index(name) for name in MEASURES}


@dataclass(frozen=True)
class Lift:
    """A change of a wine, (from, to) by measure; its density before and after; its size; what the model then says."""

    changes: dict[str, tuple[float, float]]
    density: tuple[float, float]  # g/cm³; follows alcohol and sugar
    size: float  # sum of the changes, each in units of the middle half of the colour's wines
    quality: float
    grade: int


def lift(model: ModelVersion, sample: pd.DataFrame) -> Lift | None:
    """Return the smallest change found of at most three measures that brings one wine a better whole grade.

    Within what wines of the colour had, with free SO2 within total, and density as alcohol and sugar make it. None when
    the grade is the best there is, the wine cannot be, or no such change was found: a search in steps, not a proof that
    there is none.
    """
    link, room = _link(model), _room(model, sample)
    before = int(link.whole(quality(model, room.wines(room.start)))[0])
    if before == GRADES[-1] or room.impossible:
        return None
    enough, partial = np.empty((0, len(MEASURES))), room.start
    for _ in range(MOST_CHANGES):
        tried = room.further(partial)
        said = quality(model, room.wines(tried))
        better = link.whole(said) > before
        enough = room.nearest(np.vstack([enough, tried[better]]))
        partial = _front(tried[~better], room.size(tried[~better]), said[~better])
    if not len(enough):
        return None
    for _ in range(MOST_CHANGES):
        tried = room.closer(enough)
        enough = room.nearest(tried[link.whole(quality(model, room.wines(tried))) > before])
    said_of = grade(model, room.wines(enough))  # row by row: in a batch a quality may be off by 1e-5
    kept = np.flatnonzero(said_of["grade"] > before)
    return room.lift(enough[kept[0]], said_of.iloc[kept[0]]) if len(kept) else None


@dataclass(frozen=True)
class _Room:
    """What a wine may become: rows of all measures ``[wines, 11]``, within ``low`` and ``high``."""

    colour: str
    start: np.ndarray  # [1, 11]
    low: np.ndarray
    high: np.ndarray
    spread: np.ndarray  # of the middle half of the colour's wines; of density infinite, so that it counts for nothing

    def further(self, wines: np.ndarray) -> np.ndarray:
        """Return each of the wines with one more measure changed, in every step there is."""
        found = [wines[:0]]
        for name, digits in DIGITS.items():
            at = _PLACE[name]
            steps = self.start[0, at] + np.r_[-np.array(SPREADS), SPREADS] * self.spread[at]
            levels = np.unique(steps.clip(self.low[at], self.high[at]).round(digits))
            unchanged = wines[wines[:, at] == self.start[0, at]]
            tried = np.repeat(unchanged, len(levels), axis=0)
            tried[:, at] = np.tile(levels, len(unchanged))
            found.append(tried)
        return self._allowed(np.vstack(found))

    def closer(self, wines: np.ndarray) -> np.ndarray:
        """Return the wines, and each with one change made smaller or taken back."""
        found = [wines]
        for name, digits in DIGITS.items():
            at = _PLACE[name]
            for share in np.arange(10) / 10:
                tried, by = wines.copy(), share * (wines[:, at] - self.start[0, at])
                tried[:, at] = np.where(by == 0, self.start[0, at], (self.start[0, at] + by).round(digits))
                found.append(tried)
        return self._allowed(np.vstack(found))

    def nearest(self, wines: np.ndarray) -> np.ndarray:
        """Return the wines with the smallest changes, the smallest first."""
        return wines[np.argsort(self.size(wines), kind="stable")[:KEPT]]

    def size(self, wines: np.ndarray) -> np.ndarray:
        """Return how large each wine's change is ``[wines]``."""
        return np.asarray((np.abs(wines - self.start) / self.spread).sum(axis=1))

    def wines(self, rows: np.ndarray) -> pd.DataFrame:
        """Return the rows as samples, without an id or a time."""
        wines = pd.DataFrame(rows, columns=[*MEASURES])
        return wines.assign(sample_id="", taken_at=None, origin="", colour=self.colour)

    @property
    def impossible(self) -> bool:
        """Whether the wine has more free than total SO2."""
        return bool(self.start[0, _PLACE["free_sulfur_dioxide"]] > self.start[0, _PLACE["total_sulfur_dioxide"]])

    def lift(self, wine: np.ndarray, said: pd.Series) -> Lift:
        """Return the change from the start to ``wine``, of which ``said`` is said."""
        pairs = dict(zip(MEASURES, zip(self.start[0].tolist(), wine.tolist(), strict=True), strict=True))
        changes = {name: pairs[name] for name in DIGITS if pairs[name][0] != pairs[name][1]}
        size = float(self.size(wine[None, :])[0])
        return Lift(
            changes,
            (pairs["density"][0], round(pairs["density"][1], 5)),
            size,
            float(said["quality"]),
            int(said["grade"]),
        )

    def _allowed(self, wines: np.ndarray) -> np.ndarray:
        """Return the different wines among these, each with its density, that could be and are not the start."""
        made, density = wines.copy(), _PLACE["density"]
        by = sum(slope * (wines - self.start)[:, _PLACE[name]] for name, slope in DENSITY_BY.items())
        made[:, density] = self.start[0, density] + np.round(by, 5)
        within = (made == self.start) | ((made >= self.low) & (made <= self.high))
        free, total = (made[:, _PLACE[f"{part}_sulfur_dioxide"]] for part in ("free", "total"))
        return np.unique(made[within.all(axis=1) & (free <= total) & (self.size(made) > 0)], axis=0)


def _room(model: ModelVersion, sample: pd.DataFrame) -> _Room:
    """Return what one wine may become: what the model saw of its colour, nothing where it saw none."""
    colour, start = str(sample["colour"].iloc[0]), filled(sample, model.signature["medians"]).to_numpy()
    seen = model.signature["ranges"].get(colour) or {name: [now] for name, now in zip(MEASURES, start[0], strict=True)}
    low, high = (np.array([seen[name][end] for name in MEASURES]) for end in (0, -1))
    # A measure of which half of the wines had the same amount is counted by its whole range.
    middle = np.array([seen[name][-2] - seen[name][1] if len(seen[name]) > 2 else 0.0 for name in MEASURES])
    spread = np.where(middle > 0, middle, np.maximum((high - low) / 4, 1e-9))
    spread[_PLACE["density"]] = np.inf
    return _Room(colour, start, low, high, spread)


def _front(wines: np.ndarray, size: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Return the wines than which no smaller change has a better quality; KEPT of them, small to large."""
    order = np.lexsort((-said, size))
    best = np.r_[-np.inf, np.maximum.accumulate(said[order])[:-1]]
    front = order[said[order] > best]
    some = np.unique(np.linspace(0, len(front) - 1, min(KEPT, len(front))).round().astype(int))
    return np.asarray(wines[front[some]])
