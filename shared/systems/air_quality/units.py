"""Fine dust in two units: µg/m³, which everything is kept in, and the US EPA's index (AQI), which people know.

    µg/m³ ── aqi ──► index, continuous ── pm25 ──► µg/m³        for conversion: no two values meet, none is lost
          └─ published_aqi ──► whole index ── class_of ──► one of six classes       for display

Breakpoints of 2024: https://www.epa.gov/system/files/documents/2024-02/pm-naaqs-air-quality-index-fact-sheet.pdf
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = TypeVar("Values", float, pd.Series, NDArray[np.float64])

# The last and the first value of each band; between 9.0 and 9.1 the index goes from 50 to 51.
_DUST = np.array([0, 9.0, 9.1, 35.4, 35.5, 55.4, 55.5, 125.4, 125.5, 225.4, 225.5, 325.4])  # µg/m³
_INDEX = np.array([0, 50, 51, 100, 101, 150, 151, 200, 201, 300, 301, 500], dtype=float)


@dataclass(frozen=True)
class AqiClass:
    """One of the EPA's six classes: ``lower <= µg/m³ < upper``, whole indices from ``aqi_low`` to ``aqi_high``."""

    name: str
    lower: float
    upper: float
    aqi_low: int
    aqi_high: float
    colour: str
    advice: str


CLASSES = (
    AqiClass("Good", 0, 9.1, 0, 50, "#00e400", "Enjoy being outside."),
    AqiClass("Moderate", 9.1, 35.5, 51, 100, "#ffff00", "The unusually sensitive take it easier outside."),
    AqiClass(
        "Unhealthy for sensitive groups",
        35.5,
        55.5,
        101,
        150,
        "#ff7e00",
        "Children, the old and the ill do less outside.",
    ),
    AqiClass("Unhealthy", 55.5, 125.5, 151, 200, "#ff0000", "All do less outside; sensitive groups stay in."),
    AqiClass(
        "Very unhealthy", 125.5, 225.5, 201, 300, "#8f3f97", "All avoid effort outside; sensitive groups stay in."
    ),
    AqiClass("Hazardous", 225.5, float("inf"), 301, float("inf"), "#7e0023", "Everybody stays in."),
)


def aqi(pm25: Values) -> Values:
    """Return the index of µg/m³, continuous and strictly increasing; above 325.4 µg/m³ on the last slope.

    >>> [aqi(dust) for dust in (9.0, 35.4, 325.4)]
    [50.0, 100.0, 500.0]
    """
    return _like(pm25, _bent(np.asarray(pm25, dtype=float), _DUST, _INDEX))


def pm25(aqi: Values) -> Values:
    """Return µg/m³ of the index: the inverse of ``aqi``.

    >>> [round(pm25(index), 1) for index in (50.0, 100.0, 150.0)]
    [9.0, 35.4, 55.4]
    """
    return _like(aqi, _bent(np.asarray(aqi, dtype=float), _INDEX, _DUST))


def published_aqi(pm25: Values) -> Values:
    """Return the index as the EPA publishes it: µg/m³ cut to one decimal, the index rounded to a whole number.

    >>> [published_aqi(dust) for dust in (9.09, 35.49, 55.5)]
    [50.0, 100.0, 151.0]
    """
    cut = np.floor(np.asarray(pm25, dtype=float) * 10 + 1e-6) / 10  # 1e-6: 35.4 * 10 may be 353.999…
    return _like(pm25, np.floor(_bent(cut, _DUST, _INDEX) + 0.5))


def class_of(pm25: float) -> AqiClass:
    """Return the class in which µg/m³ falls.

    >>> class_of(9.05).name, class_of(9.1).name
    ('Good', 'Moderate')
    """
    return next(one for one in CLASSES if not published_aqi(float(pm25)) > one.aqi_high)


def _bent(values: NDArray[np.float64], knots: NDArray[np.float64], heights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the line through the knots at ``values``; 0 below the first, on the last slope above the last."""
    slope = (heights[-1] - heights[-2]) / (knots[-1] - knots[-2])
    return np.asarray(np.interp(values, knots, heights) + slope * np.maximum(values - knots[-1], 0))


def _like(given: Values, found: NDArray[np.float64]) -> Values:
    if isinstance(given, pd.Series):
        return pd.Series(found, index=given.index, name=given.name)
    return found if isinstance(given, np.ndarray) else float(found)
