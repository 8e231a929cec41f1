"""AQICN's feed, simulated: the newest reading of a station, as the US EPA's index of fine dust.

    /feed/@5284/ or /feed/geo:51.9;4.51/ ──► a place ──► its hour of fine dust ──► index ──► JSON

Errors, too, are JSON with status 200.
Rotterdam is where it is; other numbers stand somewhere between Paris and Kyiv. The moment of asking is the request's
``Date`` header.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np

from shared.adapters.demo import asked_at, wants_no_data
from shared.adapters.simulators.air import cams_pm25, truth_pm25, truth_weather, zone_at

if TYPE_CHECKING:
    from shared.adapters.simulators.noise import Array

PLACES = {5284: (51.9, 4.51)}  # Rotterdam
# µg/m³ and index at the ends of each class: US EPA, 2024, 89 FR 16202, table 2 of appendix G to 40 CFR part 58.
MICROGRAMS = (0, 9.0, 9.1, 35.4, 35.5, 55.4, 55.5, 125.4, 125.5, 225.4, 225.5, 325.4)
INDEX = (0, 50, 51, 100, 101, 150, 151, 200, 201, 300, 301, 500)
BAD_TOKENS = ("", "bad")
FORECAST_DAYS = 5


def simulated_aqicn(request: httpx.Request) -> httpx.Response | None:
    """Return the feed's answer, or None for an address that is no feed.

    >>> url = "https://api.waqi.info/feed/@5284/?token=demo"
    >>> simulated_aqicn(httpx.Request("GET", url)).json()["data"]["time"]["iso"]
    '2026-11-20T07:00:00+01:00'
    """
    named = re.fullmatch(r"/feed/([^/]+)/?", request.url.path)
    if not named:
        return None
    place = _place(named[1])
    if request.url.params.get("token", "") in BAD_TOKENS:
        return httpx.Response(200, json={"status": "error", "data": "Invalid key"})
    if place is None:
        return httpx.Response(200, json={"status": "error", "data": "Unknown station"})
    station, latitude, longitude = place
    city = {
        "geo": [latitude, longitude],
        "name": f"Simulated station at {latitude:.2f}, {longitude:.2f}",
        "url": f"https://aqicn.org/station/@{station}",
        "location": "",
    }
    if wants_no_data(request):
        return httpx.Response(200, json={"status": "ok", "data": {"aqi": "-", "idx": station, "city": city}})
    reading = _reading(latitude, longitude, asked_at(request))
    return httpx.Response(200, json={"status": "ok", "data": {"idx": station, "city": city, **reading}})


def epa_index(pm25: Array) -> Array:
    """Return the US EPA's index, whole numbers up to 500, of fine dust in µg/m³.

    >>> epa_index(np.array([9.04, 9.1, 35.4, 60.0])).tolist()
    [50.0, 51.0, 100.0, 154.0]
    """
    truncated = np.floor(np.asarray(pm25) * 10 + 1e-6) / 10
    return np.asarray(np.interp(truncated, MICROGRAMS, INDEX).round())


def _place(name: str) -> tuple[int, float, float] | None:
    """Return a station's number, latitude and longitude, or None when it is neither @number nor geo:LAT;LON."""
    if re.fullmatch(r"@\d{1,9}", name):
        station = int(name[1:])
        north, east = np.random.default_rng(station).random(2)
        return station, *PLACES.get(station, (round(45 + 8 * north, 4), round(3 + 26 * east, 4)))
    spot = re.fullmatch(r"geo:(-?\d+(?:\.\d+)?);(-?\d+(?:\.\d+)?)", name)
    if spot and abs(float(spot[1])) <= 90 and abs(float(spot[2])) <= 180:
        latitude, longitude = float(spot[1]), float(spot[2])
        return round((latitude + 90) * 100) * 100_000 + round((longitude + 180) * 100), latitude, longitude
    return None


def _reading(latitude: float, longitude: float, now: datetime) -> dict[str, Any]:
    """Return what the station read at the last full hour, and what CAMS forecasts it to read, in local days."""
    read_at = now.astimezone(zone_at(latitude, longitude)).replace(minute=0, second=0, microsecond=0)
    places, hours = [(latitude, longitude)], np.array([int(read_at.timestamp() // 3600)])
    weather, aqi = truth_weather(places, hours), int(epa_index(truth_pm25(places, hours))[0, 0])
    written = read_at.isoformat()
    return {
        "aqi": aqi,
        "attributions": [{"url": "https://waqi.info/", "name": "World Air Quality Index Project (simulated)"}],
        "dominentpol": "pm25",  # so spelt
        "iaqi": {
            "pm25": {"v": aqi},
            "t": {"v": round(float(weather.temperature[0, 0]), 1)},
            "w": {"v": round(float(weather.wind_speed[0, 0]) / 3.6, 1)},  # m/s
        },
        "time": {
            "s": read_at.strftime("%Y-%m-%d %H:%M:%S"),
            "tz": written[-6:],
            "v": int(read_at.replace(tzinfo=UTC).timestamp()),  # as if the station's clock were UTC: so it is there
            "iso": written,
        },
        "forecast": {"daily": {"pm25": _forecast(places, read_at, int(now.timestamp()) // 86400)}},
    }


def _forecast(places: list[tuple[float, float]], read_at: datetime, today: int) -> list[dict[str, Any]]:
    midnight = int(read_at.replace(hour=0).timestamp() // 3600)
    hours = np.arange(midnight, midnight + 24 * FORECAST_DAYS)
    days = epa_index(cams_pm25(places, hours, (hours // 24 - today).clip(max=FORECAST_DAYS - 1))).reshape(-1, 24)
    return [
        {
            "avg": round(float(day.mean())),
            "day": (read_at.date() + timedelta(ahead)).isoformat(),
            "max": int(day.max()),
            "min": int(day.min()),
        }
        for ahead, day in enumerate(days)
    ]
