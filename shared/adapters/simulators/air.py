"""Weather and fine dust of a simulated earth: any place, any hour, always the same, and what is forecast of them.

    noise by place and hour ──► temperature, wind, wetness ──► truth_weather
                  │                └─ + an error that grows by the day ──► forecast_weather
                  └─ place, season, weekday, hour, wind, rain, cold, own noise ──► truth_pm25
                                           └─ biased, smoothed, noisier ──► cams_pm25

Spreads and day-to-day correlations are near Rotterdam's weather 2014–2024 and European cities' dust
(standard deviation of the logarithm 0.5, correlation from a day to the next 0.7); the effects on dust are made up, with
the real ones' sign.

Places are latitude and longitude in degrees, ``[P, 2]``; hours whole UTC hours since 1970, ``[H]``; answers ``[P, H]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from shared.adapters.simulators.noise import noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.adapters.simulators.noise import Array, Hours, Places


YEAR_H = 365.25 * 24
SPREADS = {"temperature": 2.9, "east": 14.0, "north": 14.0, "wetness": 1.0}  # °C, km/h, km/h, none
RAIN_FROM, RAIN_MM = 0.75, 0.75  # wetness above which it rains; mm/h at one more
MEAN_WIND = 17.0  # km/h
SATURATED = 10  # days ahead from which a weather forecast gets no worse
SETTLED = -3  # lead from which CAMS's analysis is no longer revised
CAMS_DAYS = 5  # that CAMS forecasts, the first one included


@dataclass(frozen=True)
class Weather:
    """Hourly weather, each ``[P, H]``."""

    temperature: Array  # °C
    precipitation: Array  # mm in the hour
    wind_speed: Array  # km/h
    wind_direction: Array  # °, where it comes from


def truth_weather(places: Places, hours: Hours) -> Weather:
    """Return the weather as it is.

    >>> rotterdam, noon = [(51.9, 4.51)], np.array([498_540])
    >>> truth_weather(rotterdam, noon).temperature.round(1)
    array([[11.4]])
    """
    return _weather(_drivers(places, hours))


def forecast_weather(places: Places, hours: Hours, leads: NDArray[np.int64] | int) -> Weather:
    """Return the weather as forecast ``leads`` days before the day of each hour; 0 and less: as measured, nearly.

    The error is a sum over the days ahead, so forecasts of an hour improve from one day to the next.
    """
    ahead = np.broadcast_to(np.clip(leads, 0, SATURATED), np.shape(hours))
    forecast = _drivers(places, hours)
    for name, spread in SPREADS.items():
        forecast[name] = forecast[name] + spread * _error(name, places, hours, ahead)
        if name != "temperature":  # else it would rain and blow too much far ahead
            forecast[name] /= np.hypot(1, _growth(ahead))
    return _weather(forecast)


def truth_pm25(places: Places, hours: Hours) -> Array:
    """Return fine dust in µg/m³."""
    driven, own = _dust(places, hours)
    return np.asarray(level(places) * np.exp(driven + own + 0.15 * noise("dust hour", places, hours, 2, 20)))


def cams_pm25(places: Places, hours: Hours, leads: NDArray[np.int64] | int = SETTLED) -> Array:
    """Return fine dust in µg/m³ as CAMS has it ``leads`` days ahead (below 0: after); nan beyond its forecast."""
    driven, own = _dust(places, hours)
    leads = np.broadcast_to(np.asarray(leads), np.shape(hours))
    own = 0.5 * own + 0.26 * noise("cams", places, hours, 40, 300)
    revised = np.where(leads > SETTLED, 0.7 * _error("cams", places, hours, leads.clip(0, CAMS_DAYS)), 0)
    bias = np.clip(np.exp(0.3 * noise("cams bias", places, np.zeros(1, int), 1, 300)), 0.6, 1.4)
    return np.where(leads < CAMS_DAYS, level(places) * bias * np.exp(0.7 * driven + own + revised), np.nan)


def level(places: Places) -> Array:
    """Return the places' typical fine dust in µg/m³, ``[P, 1]``: 5 to 40."""
    return np.asarray(np.clip(12 * np.exp(0.5 * noise("level", places, np.zeros(1, int), 1, 300)), 5, 40))


def zone_at(latitude: float, longitude: float) -> ZoneInfo:
    """Return the time zone of a place, at sea that of its longitude.

    >>> zone_at(51.9, 4.51).key
    'Europe/Amsterdam'
    """
    from timezonefinder import timezone_at  # takes a second to load, and few questions need it

    return ZoneInfo(timezone_at(lat=latitude, lng=longitude) or "GMT")


def _drivers(places: Places, hours: Hours) -> dict[str, Array]:
    """Return what the weather follows from: temperature in °C, wind to the east and north in km/h, wetness."""
    latitude = np.asarray(places, dtype=float).reshape(-1, 2)[:, :1]
    course, summer = np.cos(2 * np.pi * (_solar(places, hours) - 15) / 24), _summer(places, hours)
    usual = 27 - 0.0062 * latitude**2 + 0.14 * np.abs(latitude) * summer + 3 * course
    synoptic = {name: _synoptic(name, places, hours) for name in SPREADS}
    windy = np.cos(np.radians(latitude)) ** 0.5 * (1 + 0.15 * course)  # more wind in the afternoon
    return {
        "temperature": usual + SPREADS["temperature"] * synoptic["temperature"],
        "east": windy * (4 + SPREADS["east"] * synoptic["east"]),
        "north": windy * (2 + SPREADS["north"] * synoptic["north"]),
        "wetness": 0.8 * synoptic["wetness"] + 0.6 * noise("shower", places, hours, 3, 80),
    }


def _synoptic(name: str, places: Places, hours: Hours) -> Array:
    """Return the noise of passing weather, of a quick and a slow part."""
    quick, slow = {"temperature": (40, 150), "wetness": (20, 70)}.get(name, (28, 100))  # hours
    passing = noise(f"{name} quick", places, hours, quick, 700)
    return 0.8 * passing + 0.6 * noise(f"{name} slow", places, hours, slow, 900)


def _weather(drivers: dict[str, Array]) -> Weather:
    east, north = drivers["east"], drivers["north"]
    rain = RAIN_MM * np.maximum(drivers["wetness"] - RAIN_FROM, 0) ** 1.5
    direction = np.degrees(np.arctan2(-east, -north)) % 360
    return Weather(drivers["temperature"], rain, np.hypot(east, north), direction)


def _growth(ahead: NDArray[np.int64]) -> Array:
    """Return the error of a weather forecast in spreads of the weather: 0.17 a day ahead, 1 seven days ahead."""
    return np.asarray(np.hypot(0.1, 0.14 * ahead))


def _error(name: str, places: Places, hours: Hours, ahead: NDArray[np.int64]) -> Array:
    """Return an error whose spread is ``_growth``, built from a part for each day ahead."""
    total = np.zeros((len(np.asarray(places).reshape(-1, 2)), len(hours)))
    for day in range(int(ahead.max()) + 1):
        far = ahead >= day
        part = 0.14 * np.sqrt(2 * day - 1) if day else 0.1  # so that the squares sum to growth's
        total[:, far] += part * noise(f"{name} error {day}", places, hours[far], 24, 700)
    return total


def _dust(places: Places, hours: Hours) -> tuple[Array, Array]:
    """Return the logarithm of dust about its level: what weather and calendar do, and what is its own."""
    drivers = _drivers(places, hours)
    weather, days = _weather(drivers), (np.asarray(hours) // 24 + 3) % 7  # 0 is Monday
    summer, solar = _summer(places, hours), _solar(places, hours)
    calm = np.log((MEAN_WIND + 5) / (weather.wind_speed + 5))
    cold = np.clip((8 - weather.temperature) / 10, 0, 1.5)
    washed = np.maximum(drivers["wetness"], 0)
    continental = np.cos(np.radians(weather.wind_direction - 90))  # air from the east is the dustier
    calendar = -0.2 * summer - 0.12 * (days >= 5) + 0.12 * np.cos(4 * np.pi * (solar - 8.5) / 24)
    own = 0.2 * noise("dust quick", places, hours, 40, 300) + 0.22 * noise("dust slow", places, hours, 150, 600)
    driven = calendar + 0.65 * calm + 0.3 * cold * (1 + calm) - 0.25 * washed + 0.12 * continental
    return np.asarray(driven), np.asarray(own)


def _solar(places: Places, hours: Hours) -> Array:
    """Return the local solar hour, 0 to 24."""
    return np.asarray((np.asarray(hours) + np.asarray(places, dtype=float).reshape(-1, 2)[:, 1:] / 15) % 24)


def _summer(places: Places, hours: Hours) -> Array:
    """Return the season: 1 in the middle of summer, -1 in that of winter; less of it towards the equator."""
    latitude = np.asarray(places, dtype=float).reshape(-1, 2)[:, :1]
    return np.asarray(np.tanh(latitude / 20) * np.cos(2 * np.pi * (np.asarray(hours) / YEAR_H - 0.55)))
