"""What a forecast is made from: one row a station, origin and lead, the same for history and for today.

    Panel ──► Climate: each station's usual level by season and weekday ──► anomalies in log(1 + µg/m³)
          └─► features [stations, origins, leads, names]: lags by calendar day, season, holidays, weather, CAMS

Everything at origin o is known at the end of day o: fine dust up to o, of day o + k what was forecast k days before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from shared.systems.air_quality.panel import AHEAD, Panel
from shared.systems.air_quality.tables import LEADS, WEATHER_MEASURES

LAGS = (0, 1, 2, 3, 6)  # days before the origin; of the origin itself, when it is missing, the newest of its week
WINDOWS = {3: 1, 7: 3, 28: 7, 90: 30}  # days of a mean, and how many of them must be known
LOOK_BACK = max(WINDOWS)
YEAR = 365
DRAWN = 100.0  # days of evidence against waves of the year: of one year a good part of them is that year's weather
FEW_DAYS = 5.0  # that a station's own level takes to count as much as all stations'
SEASONS = ("sin1", "cos1", "sin2", "cos2")
WEEKDAYS = tuple(f"weekday{n}" for n in range(7))
AIR = ("warmth", "rain", "wind", "wind_east", "wind_north")
# Of weather: on the target day, the day before, the day after, the origin day, the change since, the mean on the way.
# A station's day may begin and end at other hours than the weather's, so both neighbours of the target day are told.
MOMENTS = ("target", "before", "after", "origin", "change", "way")
FEATURES = (
    *(f"lag{n}" for n in LAGS),
    *(f"mean{n}" for n in WINDOWS),
    "week_before",
    "usual",
    *SEASONS,
    *WEEKDAYS,
    "holiday",
    *(f"{name}_{moment}" for name in AIR for moment in MOMENTS),
    "cams_target",
    "cams_change",
)


@dataclass(frozen=True)
class Climate:
    """What is usual by the calendar: log level ``dust [stations, 12]``, temperature ``warmth [stations, 12]``."""

    dust: np.ndarray
    warmth: np.ndarray

    def usual(self, days: pd.DatetimeIndex) -> np.ndarray:
        """Return the usual log(1 + µg/m³) ``[stations, days]``."""
        return np.asarray(self.dust @ calendar(days).T)

    def usual_warmth(self, days: pd.DatetimeIndex) -> np.ndarray:
        """Return the usual temperature ``[stations, days]``, °C."""
        return np.asarray(self.warmth @ calendar(days).T)


def log(pm25: np.ndarray) -> np.ndarray:
    """Return the logarithm of 1 + µg/m³: dust is lognormal, and its errors are shares."""
    return np.asarray(np.log1p(pm25))


def calendar(days: pd.DatetimeIndex) -> np.ndarray:
    """Return ``[days, 12]``: 1, two waves of the year, seven weekdays.

    >>> calendar(pd.DatetimeIndex(["2024-01-01"])).round(2)[0, :5].tolist()
    [1.0, 0.02, 1.0, 0.03, 1.0]
    """
    phase = 2 * np.pi * days.day_of_year.to_numpy() / 365.25
    waves = np.column_stack([np.sin(phase), np.cos(phase), np.sin(2 * phase), np.cos(2 * phase)])
    return np.column_stack([np.ones(len(days)), waves, np.eye(7)[days.day_of_week]])


def fit_climate(panel: Panel, until: int) -> Climate:
    """Return what is usual at each station, learned from the days before number ``until``."""
    known, drawn = panel.days[:until], DRAWN if seasons_known(panel, until) else np.inf
    return Climate(
        dust=fit_calendar(log(panel.pm25[:, :until]), known, drawn),
        warmth=fit_calendar(panel.weather[:, :until, 0, WEATHER_MEASURES.index("temperature_mean")], known, drawn),
    )


def seasons_known(panel: Panel, until: int) -> bool:
    """Return whether the days before number ``until`` hold a year: of less, waves say anything about the rest."""
    known = np.isfinite(panel.pm25[:, :until]).any(axis=0)
    return bool(known.any()) and until - int(known.argmax()) >= YEAR


def fit_calendar(values: np.ndarray, days: pd.DatetimeIndex, drawn: float = 20.0) -> np.ndarray:
    """Return for each row of ``values [stations, days]`` the weights of ``calendar`` ``[stations, 12]``.

    Ridge regression: waves and weekdays are drawn, as if by so many days' evidence, to the course that all stations
    share, and that to none; a station with few days takes the others' level, too.
    """
    terms, known = calendar(days), np.isfinite(values)
    squares = np.einsum("sd,di,dj->sij", known.astype(float), terms, terms, optimize=True)
    products = np.where(known, values, 0.0) @ terms
    pull = np.diag([1e-6, *[min(drawn, 1e9)] * len(SEASONS), *[20.0] * len(WEEKDAYS)])
    shared = np.linalg.solve(squares.sum(axis=0) + pull, products.sum(axis=0))
    if len(values) == 1:
        return shared[None, :]
    pull[0, 0] = FEW_DAYS
    return np.linalg.solve(squares + pull, (products + pull @ shared)[..., None])[..., 0]


def features(panel: Panel, climate: Climate, origins: np.ndarray) -> np.ndarray:
    """Return float32 ``[stations, origins, 7, len(FEATURES)]`` for day numbers ``origins``; nan where not known."""
    usual = climate.usual(panel.days)
    anomaly = log(panel.pm25) - usual
    out = np.empty((len(panel.stations), len(origins), len(LEADS), len(FEATURES)), dtype=np.float32)
    own = [newest(anomaly, origins), *(at_days(anomaly, origins - lag) for lag in LAGS[1:])]
    own += [at_days(trailing_mean(anomaly, window, least), origins) for window, least in WINDOWS.items()]
    out[..., : len(own)] = np.stack(own, axis=-1)[:, :, None, :]
    terms, known = calendar(panel.days), _known(panel, climate, origins)
    for place, lead in enumerate(LEADS):
        target = np.clip(origins + lead, 0, len(panel.days) - 1)
        dates = np.broadcast_to(terms[target, 1:], (len(panel.stations), len(origins), terms.shape[1] - 1))
        told = [at_days(anomaly, origins + lead - 7), usual[:, target]]
        rows = [
            np.stack(told, axis=-1),
            dates,
            panel.holiday[:, target, None],
            *_air(known, lead),
            _cams(panel, origins, lead, usual),
        ]
        out[:, :, place, len(own) :] = np.concatenate(rows, axis=-1)
    return out


def targets(panel: Panel, climate: Climate, origins: np.ndarray) -> np.ndarray:
    """Return the anomaly that each row of ``features`` is to say ``[stations, origins, 7]``; nan where not known."""
    anomaly = log(panel.pm25) - climate.usual(panel.days)
    return np.stack([at_days(anomaly, origins + lead) for lead in LEADS], axis=-1)


def ahead(values: np.ndarray, origins: np.ndarray) -> np.ndarray:
    """Return ``values [stations, days]`` on the target days ``[stations, origins, 7]``."""
    return np.stack([at_days(values, origins + lead) for lead in LEADS], axis=-1)


def at_days(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return the columns ``index`` of ``values [stations, days]``; nan for those that lie outside."""
    inside = (index >= 0) & (index < values.shape[1])
    return np.where(inside, values[:, np.where(inside, index, 0)], np.nan)


def newest(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return the newest value that is known of the week up to each day of ``index``; nan where none is."""
    found = at_days(values, index)
    for back in range(1, 7):
        found = np.where(np.isfinite(found), found, at_days(values, index - back))
    return found


def trailing_mean(values: np.ndarray, window: int, least: int) -> np.ndarray:
    """Return for each day the mean of the ``window`` days up to it; nan where fewer than ``least`` are known."""
    known = np.isfinite(values)
    sums, counts = (
        np.cumsum(np.pad(part, ((0, 0), (window, 0))), axis=1)
        for part in (np.where(known, values, 0.0), known.astype(float))
    )
    total, count = (part[:, window:] - part[:, :-window] for part in (sums, counts))
    return np.where(count >= least, total / np.maximum(count, 1), np.nan)


def _known(panel: Panel, climate: Climate, origins: np.ndarray) -> np.ndarray:
    """Return the weather ``[stations, origins, 8, len(AIR)]`` of the origin day and the seven after it.

    As it was forecast at the origin; where no forecast of that time was kept, as it then was.
    """
    found = []
    for lead in (0, *LEADS):
        there = panel.weather[:, :, lead]
        kept = np.where(np.isnan(there), panel.weather[:, :, 0], there)
        found.append(np.stack([at_days(kept[..., n], origins + lead) for n in range(kept.shape[-1])], axis=-1))
    temperature, rain, wind, whence = np.moveaxis(np.stack(found, axis=2), -1, 0)
    usual = climate.usual_warmth(panel.days)
    normal = np.stack([at_days(usual, origins + lead) for lead in (0, *LEADS)], axis=-1)
    angle = np.deg2rad(whence)
    return np.stack(
        [temperature - normal, np.log1p(rain), np.log(np.maximum(wind, 1)), wind * np.sin(angle), wind * np.cos(angle)],
        axis=-1,
    )


def _air(known: np.ndarray, lead: int) -> list[np.ndarray]:
    """Return ``[stations, origins, 30]``: by measure, in the order of MOMENTS."""
    after = known[:, :, lead + 1] if lead < AHEAD else np.full_like(known[:, :, 0], np.nan)
    target, origin, way = known[:, :, lead], known[:, :, 0], _mean_of(known[:, :, 1 : lead + 1])
    moments = np.stack([target, known[:, :, lead - 1], after, origin, target - origin, way], axis=-1)
    return [moments.reshape(*moments.shape[:2], -1)]


def _cams(panel: Panel, origins: np.ndarray, lead: int, usual: np.ndarray) -> np.ndarray:
    """Return ``[stations, origins, 2]``: CAMS's forecast above the usual, and above its own analysis at the origin."""
    forecast = at_days(log(panel.cams[:, :, lead]), origins + lead)
    return np.stack(
        [forecast - at_days(usual, origins + lead), forecast - at_days(log(panel.cams[:, :, 0]), origins)], axis=-1
    )


def _mean_of(values: np.ndarray) -> np.ndarray:
    """Return the mean over the days on the way ``[stations, origins, days, measures]``, of those that are known."""
    known = np.isfinite(values)
    count = known.sum(axis=2)
    return np.where(count > 0, np.where(known, values, 0).sum(axis=2) / np.maximum(count, 1), np.nan)
