"""Smooth noise over the earth and time that is the same whenever and in whatever order it is asked for.

    place ──► the 8 knots around it, in space ─┐
    hour ──► the 2 knots around it ────────────┴─► a hash of each ──► blended, so that the variance stays 1

"Value noise": nothing is stepped through, so any hour of any year costs the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Places = Sequence[tuple[float, float]] | NDArray[Any]  # latitude and longitude in degrees, [P, 2]
    Hours = NDArray[np.int64]  # whole hours since 1970 began, in UTC, [H]
    Array = NDArray[np.float64]

EARTH_KM = 6371.0
CORNERS = np.indices((2, 2, 2)).reshape(3, 8).T  # of the cube of knots around a place
AXES = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)  # odd, else any


def noise(name: str, places: Places, hours: Hours, pace_h: float, reach_km: float) -> Array:
    """Return standard normal noise ``[P, H]`` that forgets itself within about ``pace_h`` hours and ``reach_km`` km.

    >>> two = noise("x", [(51.9, 4.51), (51.9, 4.61)], np.arange(1000), pace_h=24, reach_km=500)
    >>> bool(np.corrcoef(two)[0, 1] > 0.99)
    True
    """
    cells, shares = _around(places, reach_km)
    when = np.asarray(hours) / pace_h
    knots = np.arange(np.floor(when.min()), np.floor(when.max()) + 2).astype(np.int64)
    seeds = _hash((cells.astype(np.uint64) * AXES).sum(axis=-1) + np.uint64(crc32(name.encode())))
    drawn = _normal(_hash(seeds[:, :, None] ^ _hash(knots.astype(np.uint64))))
    series = np.einsum("pc,pck->pk", shares, drawn)
    before = np.floor(when).astype(np.int64) - knots[0]
    later = _smooth(when - np.floor(when))
    blended = series[:, before] * (1 - later) + series[:, before + 1] * later
    return np.asarray(blended / np.hypot(1 - later, later))


def _around(places: Places, reach_km: float) -> tuple[NDArray[np.int64], Array]:
    """Return the knots around each place ``[P, 8, 3]`` and their shares ``[P, 8]``, whose squares sum to 1.

    Knots lie in space, not on a map: no seam at the date line, no crowding at the poles.
    """
    latitude, longitude = np.radians(np.asarray(places, dtype=float).reshape(-1, 2)).T
    flat = np.cos(latitude)
    spot = np.stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], axis=-1)
    spot *= EARTH_KM / reach_km
    low = np.floor(spot)
    upper = _smooth(spot - low)[:, None, :]
    shares = np.where(CORNERS, upper, 1 - upper).prod(axis=-1)
    return (low[:, None, :] + CORNERS).astype(np.int64), shares / np.linalg.norm(shares, axis=1, keepdims=True)


def _smooth(share: Array) -> Array:
    """Return shares of 0 to 1 with no kink at their ends: 3s² - 2s³."""
    return np.asarray(share * share * (3 - 2 * share))


def _hash(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the numbers scattered: the finalizer of SplitMix64 (Steele, Lea, Flood 2014, OOPSLA)."""
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(numbers ^ (numbers >> np.uint64(31)))


def _normal(hashes: NDArray[np.uint64]) -> Array:
    """Return near-normal numbers, mean 0 and variance 1: four uniform ones of 16 bits each, summed."""
    parts = np.ascontiguousarray(hashes).view(np.uint16).reshape(*hashes.shape, 4)
    return np.asarray((parts.sum(axis=-1, dtype=np.int64) - 2 * 65535) / (65536 / np.sqrt(3)))
