"""What is known of every station and day, as arrays: the one shape that features, baselines and models share.

    tables, or a person's files ──► Panel: fine dust [stations, days], weather and CAMS [stations, days, leads]

Rows meet by station and calendar day, so a gap is a gap: nothing moves up a row.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from shared.errors import MissingExtraError, NotYetError
from shared.runs import midnight
from shared.systems.air_quality.tables import CAMS, LEADS, OBSERVATIONS, STATIONS, WEATHER, WEATHER_MEASURES

if TYPE_CHECKING:
    from shared.ports import Platform, Version

AHEAD = LEADS[-1]
LEVELLED_DAYS = 5  # a station's own days that weigh as much as the guess that CAMS is right


@dataclass(frozen=True)
class Panel:
    """Arrays over stations and consecutive days; nan where nothing is known.

    Attributes:
        stations: names, the first axis.
        days: calendar days without a gap, the second axis; the last seven may be days to come.
        pm25: ``[stations, days]``, µg/m³.
        weather: ``[stations, days, 8, 4]``: each measure of WEATHER as it was (0) and as forecast 1 to 7 days before.
        cams: ``[stations, days, 8]``, µg/m³, likewise.
        holiday: ``[stations, days]``, 1 on a public holiday of the station's country.
        perfect: whether the weather that was stands in for forecasts.
        level: ``[stations]``, by what CAMS's stand-in days were raised to the station's level.
        own: ``[stations]``, the share of days with a value of the station's own.
    """

    stations: tuple[str, ...]
    days: pd.DatetimeIndex
    pm25: np.ndarray
    weather: np.ndarray
    cams: np.ndarray
    holiday: np.ndarray
    perfect: bool = False
    level: np.ndarray = field(default_factory=lambda: np.ones(1))
    own: np.ndarray = field(default_factory=lambda: np.ones(1))

    def since(self, first: int) -> Panel:
        """Return the days from number ``first`` on."""
        cut = {name: getattr(self, name)[:, first:] for name in ("pm25", "weather", "cams", "holiday")}
        return replace(self, days=self.days[first:], **cut)

    def known_at(self, origin: int) -> Panel:
        """Return what was known at the end of day number ``origin``: later days only as they were forecast by then."""
        pm25, weather, cams = self.pm25.copy(), self.weather.copy(), self.cams.copy()
        pm25[:, origin + 1 :] = np.nan
        for array in (weather, cams):
            for lead in range(AHEAD + 1):
                array[:, origin + lead + 1 :, lead] = np.nan
        return replace(self, pm25=pm25, weather=weather, cams=cams)


def panel_of(platform: Platform, origin: date, days: int, *, as_of: Version | None = None) -> Panel:
    """Return the last ``days`` days up to ``origin`` and the seven after it, as known at the end of ``origin``.

    Read from the store as it stood ``as_of`` a version of it.

    Raises:
        NotYetError: there is no station, or nothing was observed.
    """
    first, last = origin - timedelta(days=days - 1), origin + timedelta(days=AHEAD)
    since, until = midnight(first), midnight(last + timedelta(days=1))
    read = partial(platform.features.read, as_of=as_of)
    places = read(STATIONS).sort_values("station")
    names, axis = tuple(places["station"]), pd.date_range(first, last)
    over = midnight(origin + timedelta(days=1))  # a catch-up finds later days; they must not level the earlier ones
    seen = read(OBSERVATIONS, ["station", "day", "pm25", "origin"], since=since, until=over)
    pm25 = _by_day(seen, names, axis)
    if not np.isfinite(pm25).any():
        raise NotYetError("no fine dust was observed yet; run `almanac run air_quality backfill`")
    air = read(WEATHER, ["station", "day", "lead", *WEATHER_MEASURES], since=since, until=until)
    modelled = read(CAMS, ["station", "day", "lead", "pm25"], since=since, until=until)
    cams = _by_lead(modelled, names, axis, ("pm25",))[..., 0]
    own = _origins(seen, names, axis)
    level = _level(pm25, own, cams[:, :, 0])
    whole = Panel(
        stations=names,
        days=axis,
        pm25=np.where(own, pm25, pm25 * level[:, None]),
        weather=_by_lead(air, names, axis, WEATHER_MEASURES),
        cams=cams,
        holiday=holidays_of(tuple(places["country"]), axis),
        level=level,
        own=(own & np.isfinite(pm25)).sum(axis=1) / np.maximum(np.isfinite(pm25).sum(axis=1), 1),
    )
    return whole.known_at(days - 1)


def panel_from_files(history: pd.DataFrame, weather: pd.DataFrame | None, country: str = "") -> Panel:
    """Return one station's panel from a person's own rows ``day, pm25`` and ``day, <measures>``.

    The weather that was stands in for forecasts: scores are then those of a perfect weather forecast.
    """
    axis = pd.date_range(_naive(history["day"]).min(), _naive(history["day"]).max() + timedelta(days=AHEAD))
    measured = np.full((1, len(axis), AHEAD + 1, len(WEATHER_MEASURES)), np.nan, dtype=np.float32)
    if weather is not None:
        by_day = weather.assign(day=_naive(weather["day"])).set_index("day")[[*WEATHER_MEASURES]].reindex(axis)
        measured[0] = by_day.to_numpy(dtype=np.float32)[:, None, :]
    pm25 = history.assign(day=_naive(history["day"])).set_index("day")["pm25"].reindex(axis).to_numpy(float)[None, :]
    return Panel(
        stations=("file",),
        days=axis,
        pm25=pm25,
        weather=measured,
        cams=np.full((1, len(axis), AHEAD + 1), np.nan),
        holiday=holidays_of((country,), axis),
        perfect=True,
    )


def holidays_of(countries: tuple[str, ...], days: pd.DatetimeIndex) -> np.ndarray:
    """Return ``[countries, days]``: 1 on a public holiday, 0 on other days and where a country's are not known."""
    try:
        from holidays import country_holidays
    except ImportError as cause:
        raise MissingExtraError("air quality needs public holidays: pip install 'almanac[air]'") from cause
    years = range(days[0].year, days[-1].year + 1)
    found: dict[str, np.ndarray] = {}
    for country in {*countries}:
        try:
            free = {*country_holidays(country, years=years)} if country else set()
        except NotImplementedError:
            free = set()
        found[country] = np.array([float(day.date() in free) for day in days])
    return np.stack([found[country] for country in countries])


def _level(pm25: np.ndarray, own: np.ndarray, cams: np.ndarray) -> np.ndarray:
    """Return by what CAMS's stand-in days are to be raised to the station's own level ``[stations]``.

    CAMS knows grid cells of ten kilometres and more, not the street: at one station it may always say half. The factor
    is the ratio of sums over days that both know, drawn towards 1 as long as those are few.
    """
    both = own & np.isfinite(cams) & np.isfinite(pm25)
    mine, theirs = (np.where(both, values, 0).sum(axis=1) for values in (pm25, cams))
    count = np.maximum(both.sum(axis=1), 1)
    prior = LEVELLED_DAYS * np.maximum(theirs / count, 1e-6)
    return np.asarray((mine + prior) / (theirs + prior))


def _origins(seen: pd.DataFrame, names: tuple[str, ...], axis: pd.DatetimeIndex) -> np.ndarray:
    """Return ``[stations, days]``: whether the day's value is the station's own."""
    own = seen.assign(pm25=(seen["origin"] != "cams").astype(float))
    return np.asarray(np.nan_to_num(_by_day(own, names, axis), nan=1.0) > 0)


def _by_day(rows: pd.DataFrame, names: tuple[str, ...], axis: pd.DatetimeIndex) -> np.ndarray:
    return _by_lead(rows.assign(lead=0), names, axis, ("pm25",))[:, :, 0, 0].astype(float)


def _by_lead(
    rows: pd.DataFrame, names: tuple[str, ...], axis: pd.DatetimeIndex, measures: tuple[str, ...]
) -> np.ndarray:
    """Return ``[stations, days, 8, measures]`` with each row at its place."""
    out = np.full((len(names), len(axis), AHEAD + 1, len(measures)), np.nan, dtype=np.float32)
    who = pd.Index(names).get_indexer(pd.Index(rows["station"]))
    when = axis.get_indexer(pd.DatetimeIndex(_naive(rows["day"])))
    there = (who >= 0) & (when >= 0)
    out[who[there], when[there], rows["lead"].to_numpy()[there]] = rows.loc[there, [*measures]].to_numpy(np.float32)
    return out


def _naive(days: pd.Series) -> pd.Series:
    """Return days without a timezone, as the axis has none."""
    return pd.to_datetime(days, utc=True).dt.tz_localize(None).dt.normalize()


def of_station(rows: pd.DataFrame, station: str) -> pd.DataFrame:
    """Return the rows of one station, by its short name; all of them with ''."""
    return rows[rows["station"] == station] if station else rows


def own_days(seen: pd.DataFrame) -> pd.DataFrame:
    """Return the observed days that forecasts are judged by: a station's own, or CAMS's where it never had its own."""
    stand_in = seen["origin"] == "cams"
    speaks = (~stand_in).groupby(seen["station"]).transform("any")
    return seen.loc[~(stand_in & speaks), ["station", "day", "pm25"]]
