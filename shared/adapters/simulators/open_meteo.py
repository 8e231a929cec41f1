"""Open-Meteo, simulated: archive, forecast, previous runs and air quality, for one place or many, in Open-Meteo's JSON.

    request ──► Query ──► hours of each place's clock ──► numbers of the law as known at the moment of asking ──► JSON
                  └─ refused: 400 {"error": true, "reason": …}

That moment is the request's ``Date`` header, which the real service ignores. As there, a time zone is one offset for
the whole answer, that of the moment; ``previous_day3`` of an hour is what was forecast of it three days before; the
last days of the archive are null; one place gives an object, several a list.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np

from shared.adapters.demo import asked_at, wants_no_data
from shared.adapters.simulators.air import cams_pm25, forecast_weather, truth_weather
from shared.adapters.simulators.open_meteo_query import (
    DAILY,
    FIELDS,
    SERVICES,
    Query,
    RefusedError,
    Service,
    read_query,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.adapters.simulators.air import Weather
    from shared.adapters.simulators.noise import Array, Hours

UNITS = dict(zip(FIELDS, ("°C", "mm", "km/h", "°"), strict=True)) | {"pm2_5": "\u03bcg/m³"}  # a Greek mu, as there
UNITS |= dict(zip(DAILY, UNITS.values(), strict=False))
ARCHIVE_LAG_DAYS = 2
EPOCH = date(1970, 1, 1)
RUNS_KEPT_FROM_H = (date(2024, 1, 1) - EPOCH).days * 24


def simulated_open_meteo(request: httpx.Request) -> httpx.Response | None:
    """Return Open-Meteo's answer, or None for an address that is none of its four.

    >>> days = {"start_date": "2026-11-14", "end_date": "2026-11-14", "daily": "temperature_2m_mean"}
    >>> asked = {"latitude": 51.9, "longitude": 4.51, **days}
    >>> url = "https://archive-api.open-meteo.com/v1/archive"
    >>> simulated_open_meteo(httpx.Request("GET", url, params=asked)).json()["daily"]
    {'time': ['2026-11-14'], 'temperature_2m_mean': [6.7]}
    """
    service = SERVICES.get(request.url.host + request.url.path)
    if service is None:
        return None
    now = asked_at(request)
    try:
        query = read_query(service, request.url.params, now)
    except RefusedError as refused:
        return httpx.Response(400, json={"error": True, "reason": str(refused)})
    answers = _answers(service, query, now, blank=wants_no_data(request))
    return httpx.Response(200, json=answers[0] if len(answers) == 1 else answers)


def _answers(service: Service, query: Query, now: datetime, blank: bool) -> list[dict[str, Any]]:
    """Return an answer a place, in the order asked; the places of one offset are computed together."""
    offsets = [int((now.astimezone(zone).utcoffset() or timedelta()).total_seconds()) for zone in query.zones]
    answers = [_about(query, row, now, offset) for row, offset in enumerate(offsets)]
    for offset in set(offsets):
        rows = [row for row, other in enumerate(offsets) if other == offset]
        together = replace(query, places=[query.places[row] for row in rows])
        for block, (times, values) in _blocks(service, together, now, offset).items():
            units = {"time": "unixtime" if query.unixtime else "iso8601"} | {
                name: UNITS[_plain(name)] for name in values
            }
            for place, row in enumerate(rows):
                numbers = {name: _listed(of_places[place], blank) for name, of_places in values.items()}
                answers[row] |= {f"{block}_units": units, block: {"time": times} | numbers}
    return answers


def _about(query: Query, row: int, now: datetime, offset_s: int) -> dict[str, Any]:
    latitude, longitude = query.places[row]
    return {
        "latitude": round(latitude, 1),  # of the model's cell
        "longitude": round(longitude, 1),
        "generationtime_ms": 0.5,
        "utc_offset_seconds": offset_s,
        "timezone": query.zones[row].key,
        "timezone_abbreviation": now.astimezone(query.zones[row]).tzname(),
        "elevation": 3.0,
        **({"location_id": row} if row else {}),
    }


def _blocks(
    service: Service, query: Query, now: datetime, offset_s: int
) -> dict[str, tuple[list[str] | list[int], dict[str, Array]]]:
    """Return times, and values ``[P, times]`` by name, of the blocks asked for.

    The places' clocks are ``offset_s`` seconds ahead of UTC.
    """
    today, (before, ahead) = (now + timedelta(seconds=offset_s)).date(), query.around
    first, last = query.days or (today - timedelta(before), today + timedelta(ahead - 1))
    days = np.arange((first - EPOCH).days, (last - EPOCH).days + 1)
    clock = np.arange(days[0] * 24, (days[-1] + 1) * 24)
    hours = clock - int(offset_s / 3600)  # the half hours of some clocks are left out, as there
    blocks = {}
    if query.hourly:
        values = _values(service, query, query.hourly, hours, now)
        blocks["hourly"] = _times(clock * 3600, "m", offset_s if query.unixtime else None), values
    if query.daily:
        means = _daily(_values(service, query, list(FIELDS), hours, now), query.daily)
        blocks["daily"] = _times(days * 86400, "D", offset_s if query.unixtime else None), means
    return blocks


def _times(clock_s: Hours, unit: str, unix_offset_s: int | None) -> list[str] | list[int]:
    """Return what the clock shows, to the minute or the day; or unix time, when told how far the clock is ahead."""
    if unix_offset_s is not None:
        return [int(second) for second in clock_s - unix_offset_s]
    return [str(shown) for shown in clock_s.astype("datetime64[s]").astype(f"datetime64[{unit}]")]


def _values(service: Service, query: Query, names: list[str], hours: Hours, now: datetime) -> dict[str, Array]:
    """Return values by name, nan where the service has none yet."""
    today = (now.date() - EPOCH).days  # runs begin at midnight UTC
    if service.kind == "air":
        return {name: cams_pm25(query.places, hours, hours // 24 - today) for name in names}
    runs = {run: _weather(service, query, run, hours, today) for run in {_run(name) for name in names}}
    found = {name: np.asarray(getattr(runs[_run(name)], FIELDS[_plain(name)])) for name in names}
    return {name: np.where(_known(service, _run(name), hours, today), found[name], np.nan) for name in names}


def _weather(service: Service, query: Query, run: int, hours: Hours, today: int) -> Weather:
    if service.kind == "archive":
        return truth_weather(query.places, hours)
    return forecast_weather(query.places, hours, run or hours // 24 - today)


def _known(service: Service, run: int, hours: Hours, today: int) -> NDArray[np.bool_]:
    if service.kind == "archive":
        return np.asarray(hours < (today - ARCHIVE_LAG_DAYS) * 24)
    return np.asarray((run == 0) | ((hours // 24 - run <= today) & (hours >= RUNS_KEPT_FROM_H)))


def _run(name: str) -> int:
    """Return how many days before the hour a variable was forecast; 0: in the newest run."""
    return int(name.partition("_previous_day")[2] or 0)


def _plain(name: str) -> str:
    return name.partition("_previous_day")[0]


def _daily(hourly: dict[str, Array], names: list[str]) -> dict[str, Array]:
    """Return days' mean, sum, maximum and dominant direction (that of the mean wind vector), blank if an hour is."""
    temperature, rain, speed, direction = (
        values.reshape(len(values), -1, 24) for values in (hourly[name] for name in FIELDS)
    )
    vector = (speed * np.exp(1j * np.radians(direction))).mean(axis=2)
    days = (temperature.mean(axis=2), rain.sum(axis=2), speed.max(axis=2), np.degrees(np.angle(vector)) % 360)
    return {name: days[DAILY.index(name)] for name in names}


def _listed(values: Array, blank: bool) -> list[float | None]:
    rounded = (values.round(1) + 0.0).tolist()  # no minus zero
    return [None if blank or math.isnan(value) else value for value in rounded]
