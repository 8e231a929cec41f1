"""What may be asked of the simulated Open-Meteo: an address's parameters, read and checked with Open-Meteo's own words.

    host and path ──► Service ──► Query: places and their clocks, variables, days ──► simulators.open_meteo
                         └─ anything else: RefusedError

A parameter that this one does not know it refuses; the real service ignores some.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from shared.adapters.simulators.air import zone_at

if TYPE_CHECKING:
    import httpx

FIELDS = {  # Open-Meteo's name: the law's
    "temperature_2m": "temperature",
    "precipitation": "precipitation",
    "wind_speed_10m": "wind_speed",
    "wind_direction_10m": "wind_direction",
}
DAILY = ("temperature_2m_mean", "precipitation_sum", "wind_speed_10m_max", "wind_direction_10m_dominant")
PARAMETERS = {
    *("latitude", "longitude", "hourly", "daily", "timezone", "timeformat"),
    *("start_date", "end_date", "past_days", "forecast_days"),
}
MAX_PLACES = 1000


class RefusedError(Exception):
    """What Open-Meteo answers with status 400."""


@dataclass(frozen=True)
class Service:
    """One of the addresses: what may be asked of it, and for which days around the one of asking."""

    kind: Literal["archive", "forecast", "runs", "air"]
    hourly: re.Pattern[str]
    first: date | int  # or days before
    days_ahead: int  # the farthest end_date
    forecast_days: tuple[int, int] = (0, 0)  # unless told, at most; none: start_date and end_date must be told


_WEATHER = "|".join(FIELDS)
SERVICES = {
    "archive-api.open-meteo.com/v1/archive": Service("archive", re.compile(_WEATHER), date(1940, 1, 1), 0),
    "api.open-meteo.com/v1/forecast": Service("forecast", re.compile(_WEATHER), -92, 16, (7, 16)),
    "previous-runs-api.open-meteo.com/v1/forecast": Service(
        "runs", re.compile(rf"({_WEATHER})(_previous_day[1-7])?"), date(2016, 1, 1), 16, (7, 16)
    ),
    "air-quality-api.open-meteo.com/v1/air-quality": Service("air", re.compile("pm2_5"), date(2013, 1, 1), 7, (5, 7)),
}


@dataclass(frozen=True)
class Query:
    """What is asked: places, names, whole days of the places' clocks, and how time is written."""

    places: list[tuple[float, float]]
    zones: list[ZoneInfo]
    hourly: list[str]
    daily: list[str]
    days: tuple[date, date] | None  # first and last; None: as many as ``around`` says
    around: tuple[int, int]  # days before today, days from today
    unixtime: bool


def read_query(service: Service, params: httpx.QueryParams, now: datetime) -> Query:
    """Return what is asked of ``service`` at ``now``.

    Raises:
        RefusedError: the parameters are not ones that the service takes.
    """
    unknown = set(params) - PARAMETERS
    if unknown:
        raise RefusedError(f"Unknown parameter '{min(unknown)}'")
    if params.get("timeformat", "iso8601") not in ("iso8601", "unixtime"):
        raise RefusedError(f"Cannot initialize Timeformat from invalid String value {params['timeformat']}")
    places = _places(params)
    return Query(
        places,
        _zones(_listed(params, "timezone") or ["GMT"], places),
        _names(params, "hourly", service.hourly),
        _names(params, "daily", re.compile("|".join(DAILY) if service.kind == "archive" else "(?!)")),
        _days(service, params, now.date()),
        _around(service, params),
        params.get("timeformat") == "unixtime",
    )


def _listed(params: httpx.QueryParams, name: str) -> list[str]:
    """Return the values of a parameter, whether repeated or joined by commas."""
    return [part.strip() for value in params.get_list(name) for part in value.split(",") if part.strip()]


def _places(params: httpx.QueryParams) -> list[tuple[float, float]]:
    latitudes, longitudes = (_degrees(params, name, most) for name, most in (("latitude", 90), ("longitude", 180)))
    if len(latitudes) != len(longitudes):
        raise RefusedError("Parameter 'latitude' and 'longitude' must have the same number of elements")
    if not latitudes:
        raise RefusedError("Parameter 'latitude' and 'longitude' must not be empty")
    if len(latitudes) > MAX_PLACES:
        raise RefusedError(f"Parameter 'latitude' and 'longitude' must not exceed {MAX_PLACES} coordinates.")
    return list(zip(latitudes, longitudes, strict=True))


def _degrees(params: httpx.QueryParams, name: str, most: int) -> list[float]:
    try:
        values = [float(value) for value in _listed(params, name)]
    except ValueError:
        raise RefusedError(f"Parameter '{name}' must be a number") from None
    for value in values:
        if not abs(value) <= most:
            raise RefusedError(f"{name.capitalize()} must be in range of -{most} to {most}°. Given: {value}.")
    return values


def _zones(names: list[str], places: list[tuple[float, float]]) -> list[ZoneInfo]:
    names = names * len(places) if len(names) == 1 else names
    if len(names) != len(places):
        raise RefusedError("Parameter 'timezone' and coordinates must have the same number of elements")
    try:
        return [
            zone_at(*place) if name == "auto" else ZoneInfo(name) for name, place in zip(names, places, strict=True)
        ]
    except (LookupError, ValueError, OSError):
        raise RefusedError("Invalid timezone") from None


def _around(service: Service, params: httpx.QueryParams) -> tuple[int, int]:
    before, ahead = _whole(params, "past_days", 0, 92), _whole(params, "forecast_days", *service.forecast_days)
    if service.forecast_days != (0, 0) and before + ahead == 0:
        raise RefusedError("Forecast days is invalid: no day is left")  # the real one answers with no hours
    return before, ahead


def _names(params: httpx.QueryParams, block: str, known: re.Pattern[str]) -> list[str]:
    names = _listed(params, block)
    for name in names:
        if not known.fullmatch(name):
            raise RefusedError(f"Cannot initialize variable from invalid String value {name} for key {block}")
    return names


def _whole(params: httpx.QueryParams, name: str, default: int, most: int) -> int:
    text = params.get(name, str(default))
    if not text.isdecimal() or int(text) > most:
        raise RefusedError(
            f"{name.replace('_', ' ').capitalize()} is invalid. Allowed range 0 to {most}. Given {text}."
        )
    return int(text)


def _days(service: Service, params: httpx.QueryParams, today: date) -> tuple[date, date] | None:
    told = [name for name in ("start_date", "end_date") if params.get(name)]
    if not told and service.forecast_days != (0, 0):
        return None
    if len(told) < 2:
        raise RefusedError("Both 'start_date' and 'end_date' must be set in the url")
    if {"past_days", "forecast_days"} & set(params):
        raise RefusedError("Parameter 'past_days' is mutually exclusive with 'start_date' and 'end_date'")
    first, last = (_day(params[name]) for name in told)
    if last < first:
        raise RefusedError("End-date must be larger or equals than start-date")
    earliest = today + timedelta(service.first) if isinstance(service.first, int) else service.first
    latest = today + timedelta(service.days_ahead)
    for name, day in zip(told, (first, last), strict=True):
        if not earliest <= day <= latest:
            raise RefusedError(f"Parameter '{name}' is out of allowed range from {earliest} to {latest}")
    return first, last


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise RefusedError("Invalid date format. Make sure to use 'YYYY-MM-DD'") from None
