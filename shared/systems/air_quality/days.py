"""Days cut from hours: one function for weather as it was, as it is forecast and as it was forecast; one for dust.

    Hours [stations, hours], UTC ── by time zone ── days of 23 to 25 hours ──► mean, sum, maximum, circular mean

A day is the calendar day where the station stands. With fewer than 18 hourly values it is blank, never a partial sum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from shared.systems.air_quality.tables import WEATHER_MEASURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

WEATHER_HOURLY = ("temperature_2m", "precipitation", "wind_speed_10m", "wind_direction_10m")
DUST_HOURLY = "pm2_5"
WHOLE = 18  # hourly values that make a day: 75 %, as in EU directive 2008/50/EC, annex XI


@dataclass(frozen=True)
class Hours:
    """Hourly values of stations, each ``[stations, hours]``; ``times`` are without a gap, in UTC."""

    stations: pd.DataFrame
    times: pd.DatetimeIndex
    values: Mapping[str, Array]


def daily_weather(hours: Hours, span: tuple[date, date], lead: int = 0) -> pd.DataFrame:
    """Return weather by ``station`` and ``day`` at one ``lead``: mean, sum, maximum and circular mean of the hours.

    The direction is that of the mean wind vector. A sum over 18 or more hours stands for the whole day. Days without
    any measure are left out.
    """
    suffix = f"_previous_day{lead}" if lead else ""
    suffix = suffix if f"temperature_2m{suffix}" in hours.values else ""
    temperature, rain, speed, direction = (hours.values[name + suffix] for name in WEATHER_HOURLY)
    angle = np.radians(direction)
    pieces = []
    for cut in _cuts(hours, span):
        east, north = (cut.mean(speed * turn(angle)) for turn in (np.sin, np.cos))
        blows = np.hypot(east, north) > 1e-9  # a calm has no direction
        means = (
            cut.mean(temperature),
            cut.mean(rain) * cut.lengths,
            cut.maximum(speed),
            np.where(blows, np.degrees(np.arctan2(east, north)) % 360, np.nan),
        )
        pieces.append(cut.rows(dict(zip(WEATHER_MEASURES, means, strict=True))))
    return _together(pieces, WEATHER_MEASURES).assign(lead=lead)


def daily_cams(hours: Hours, span: tuple[date, date]) -> pd.DataFrame:
    """Return CAMS's daily mean ``pm25`` by ``station`` and ``day``; blank days are left out."""
    return _together([cut.rows({"pm25": cut.mean(hours.values[DUST_HOURLY])}) for cut in _cuts(hours, span)], ("pm25",))


def daily_readings(readings: Array, cams: Hours, span: tuple[date, date]) -> pd.DataFrame:
    """Return ``pm25``, ``origin`` and ``hours`` by station and day from a station's own readings and CAMS.

    From 18 hours on their mean counts; below, CAMS's mean of the day times what the readings sum up to, over what
    CAMS does at their hours (a quarter to four); without a reading CAMS's mean alone.
    """
    dust, pieces = cams.values[DUST_HOURLY], []
    both = np.isfinite(readings) & np.isfinite(dust)
    for cut in _cuts(cams, span):
        said, modelled = (cut.sum(np.where(both, one, np.nan)) for one in (readings, dust))
        count = cut.count(readings)
        ratio = np.divide(said, modelled, out=np.ones_like(said), where=modelled > 0)
        scaled = cut.mean(dust) * np.where(cut.count(np.where(both, 1.0, np.nan)) > 0, np.clip(ratio, 0.25, 4), np.nan)
        alone = np.where(count == 0, cut.mean(dust), np.nan)
        dust_by_day = np.where(count >= WHOLE, cut.mean(readings), np.where(count > 0, scaled, alone))
        pieces.append(cut.rows({"pm25": dust_by_day, "hours": count}))
    days = _together(pieces, ("pm25", "hours")).dropna(subset="pm25")
    origin = np.select([days["hours"] >= WHOLE, days["hours"] > 0], ["station", "station_cams"], "cams")
    return days.assign(origin=origin, hours=days["hours"].astype("int64"))


@dataclass(frozen=True)
class _Cut:
    """The stations of one time zone, and where in the hours each of their days begins."""

    stations: pd.Series  # names
    rows_of: NDArray[np.int64]  # their rows in the hours
    days: NDArray[np.datetime64]
    edges: NDArray[np.int64]  # [days + 1]
    lengths: NDArray[np.int64]  # hours of each day

    def sum(self, values: Array) -> Array:
        """Return sums ``[stations, days]`` of what is there."""
        mine = np.nan_to_num(values[self.rows_of, self.edges[0] : self.edges[-1]])
        return np.asarray(np.add.reduceat(mine, self.edges[:-1] - self.edges[0], axis=1))

    def count(self, values: Array) -> Array:
        """Return how many values are there."""
        return self.sum(np.isfinite(values).astype(float))

    def mean(self, values: Array) -> Array:
        """Return means, blank for days with fewer than 18 values."""
        count = self.count(values)
        return np.where(count >= WHOLE, self.sum(values) / np.maximum(count, 1), np.nan)

    def maximum(self, values: Array) -> Array:
        """Return maxima, blank likewise."""
        mine = np.where(np.isfinite(values), values, -math.inf)[self.rows_of, self.edges[0] : self.edges[-1]]
        peaks = np.maximum.reduceat(mine, self.edges[:-1] - self.edges[0], axis=1)
        return np.where(self.count(values) >= WHOLE, peaks, np.nan)

    def rows(self, measures: Mapping[str, Array]) -> dict[str, NDArray[Any]]:
        """Return columns with one entry a station and day."""
        station = np.repeat(self.stations.to_numpy(dtype=object), len(self.days))
        columns = {name: values.ravel() for name, values in measures.items()}
        return {"station": station, "day": np.tile(self.days, len(self.stations)), **columns}


def _cuts(hours: Hours, span: tuple[date, date]) -> Iterator[_Cut]:
    """Yield the days of ``span`` of which there are hours, for each time zone."""
    start = int(hours.times[0].timestamp())
    for timezone, some in hours.stations.groupby("timezone"):
        zone = ZoneInfo(str(timezone))
        dates = [span[0] + timedelta(days=n) for n in range((span[1] - span[0]).days + 2)]
        begins = [
            math.ceil(datetime(d.year, d.month, d.day, tzinfo=zone).timestamp() / 3600 - start / 3600) for d in dates
        ]
        edges = np.clip(begins, 0, len(hours.times))  # the hours may begin after the first day, and end before the last
        there = np.flatnonzero(np.diff(edges))
        if len(there):
            some_days = slice(there[0], there[-1] + 1)
            days = np.array(dates, dtype="datetime64[us]")[some_days]
            bounds = edges[there[0] : there[-1] + 2]
            yield _Cut(some["station"], some.index.to_numpy(), days, bounds, np.diff(begins)[some_days])


def _together(pieces: Sequence[Mapping[str, NDArray[Any]]], measures: Sequence[str]) -> pd.DataFrame:
    """Return rows of all time zones, without those that hold nothing; days as 00:00 UTC."""
    names = ("station", "day", *measures)
    columns: dict[str, Any] = {name: np.concatenate([one[name] for one in pieces]) if pieces else [] for name in names}
    day = pd.Series(columns["day"], dtype="datetime64[us]").dt.tz_localize("UTC")
    return pd.DataFrame(columns | {"day": day}).dropna(subset=list(measures), how="all").reset_index(drop=True)
