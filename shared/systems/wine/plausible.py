"""What must be true of a synthetic wine: ranges seen in its colour, free within total SO₂, density as of what it holds.

Density is compared with a linear relation to sugar, alcohol, acids and salts, learned from the real wines of a colour:
dissolved matter makes wine heavier than water, alcohol lighter.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.systems.wine.tables import MEASURES, SAMPLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

WEIGHTY = ("residual_sugar", "alcohol", "fixed_acidity", "chlorides", "sulphates")
SPREADS = 3.0  # standard deviations of the residual; 1.5 % of real red wines and 0.3 % of white ones lie outside
LEAST_TOLERANCE = 0.0005  # g/cm³: what a hydrometer tells apart
DIGITS = 9  # of what was computed, so that every machine keeps the same


@dataclass(frozen=True)
class Colour:
    """The range of each measure, and density = ``base`` + the sum of ``slopes`` times WEIGHTY, within ``tolerance``."""

    ranges: Mapping[str, tuple[float, float]]
    base: float
    slopes: tuple[float, ...]
    tolerance: float

    def density(self, wine: Mapping[str, Any]) -> float:
        """Return the density, g/cm³, that a wine of this colour with these measures should have."""
        # Summed here, in this order: a BLAS may add in another order on another machine.
        return float(self.base + sum(slope * wine[name] for slope, name in zip(self.slopes, WEIGHTY, strict=True)))


@dataclass(frozen=True)
class Plausible:
    """What is true of wines, by colour."""

    colours: Mapping[str, Colour]

    @classmethod
    def learn(cls, wines: pd.DataFrame) -> Plausible:
        """Return what is true of real ``wines`` without blanks."""
        return cls({str(name): _learned(group) for name, group in wines.groupby("colour")})

    def holds(self, wine: Mapping[str, Any]) -> bool:
        """Return whether the wine could be real."""
        known = self.colours[wine["colour"]]
        return (
            all(low <= wine[name] <= high for name, (low, high) in known.ranges.items())
            and wine["free_sulfur_dioxide"] <= wine["total_sulfur_dioxide"]
            and abs(wine["density"] - known.density(wine)) <= known.tolerance
        )

    def drifted(self, wine: Mapping[str, Any], drift: float) -> dict[str, Any]:
        """Return the wine with ``drift`` % vol more alcohol, within what any wine has, and the density that follows."""
        if not drift:
            return dict(wine)
        known, bounds = self.colours[wine["colour"]], SAMPLES.column("alcohol")
        alcohol = min(max(wine["alcohol"] + drift, bounds.low or 0), bounds.high or 100)
        lighter = known.slopes[WEIGHTY.index("alcohol")] * (alcohol - wine["alcohol"])
        return {**wine, "alcohol": round(alcohol, 4), "density": round(wine["density"] + lighter, 5)}

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values; through JSON and ``from_dict`` it comes back equal."""
        return {name: asdict(colour) for name, colour in self.colours.items()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Plausible:
        """Return what ``to_dict`` described."""
        return cls({name: _colour(**colour) for name, colour in fields.items()})


def _colour(ranges: Mapping[str, list[float]], base: float, slopes: list[float], tolerance: float) -> Colour:
    return Colour({name: (low, high) for name, (low, high) in ranges.items()}, base, tuple(slopes), tolerance)


def _learned(wines: pd.DataFrame) -> Colour:
    ranges = {name: (float(wines[name].min()), float(wines[name].max())) for name in MEASURES}
    parts, density = wines[[*WEIGHTY]].to_numpy(float), wines["density"].to_numpy(float)
    middle, mean = parts.mean(axis=0), float(density.mean())
    found = np.linalg.lstsq(parts - middle, density - mean, rcond=None)[0]
    slopes = tuple(round(float(slope), DIGITS) for slope in found)
    base = round(mean - float(middle @ np.array(slopes)), DIGITS)
    rough = Colour(ranges, base, slopes, 0.0)
    off = density - np.array([rough.density(wine) for wine in _rows(wines[[*WEIGHTY]])])
    return Colour(ranges, base, slopes, round(max(SPREADS * float(off.std()), LEAST_TOLERANCE), DIGITS))


def _rows(wines: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in wine.items()} for wine in wines.to_dict("records")]
