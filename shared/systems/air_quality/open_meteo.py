"""Open-Meteo's four services, asked for many stations at once.

    stations ── at most 100 a request ──► answer, checked ──► Hours [stations, hours], in UTC; ``days`` cuts them

What was, what is forecast, what was forecast, and CAMS: https://open-meteo.com/en/docs, and there
historical-weather-api, previous-runs-api and air-quality-api. No key is needed.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from shared.errors import WebError
from shared.runs import midnight
from shared.systems.air_quality.days import DUST_HOURLY, WEATHER_HOURLY, Hours
from shared.systems.air_quality.tables import LEADS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from shared.ports import Web
    from shared.runs import Run

    Array = NDArray[np.float64]

MORNING = timedelta(hours=6, minutes=45)
MOST_PLACES = 100  # a request: longer addresses are turned away
MOST_NUMBERS = 4_000_000  # a request: some 30 MiB of JSON
# Unit and bounds of an hourly value; what lies outside is blank.
_HOURLY = {
    "temperature_2m": ("°C", -90, 60),
    "precipitation": ("mm", 0, 500),
    "wind_speed_10m": ("km/h", 0, 450),
    "wind_direction_10m": ("°", 0, 360),
    "pm2_5": ("μg/m3", 0, 1000),
}


@dataclass(frozen=True)
class Api:
    """One of the services: what messages call it, where it is, what is asked of it."""

    name: str
    url: str
    variables: tuple[str, ...]


ARCHIVE = Api("weather archive", "https://archive-api.open-meteo.com/v1/archive", WEATHER_HOURLY)
FORECAST = Api("weather forecast", "https://api.open-meteo.com/v1/forecast", WEATHER_HOURLY)
PREVIOUS = Api(
    "archive of weather forecasts",
    "https://previous-runs-api.open-meteo.com/v1/forecast",
    tuple(f"{name}_previous_day{lead}" for lead in LEADS for name in WEATHER_HOURLY),
)
AIR = Api("CAMS", "https://air-quality-api.open-meteo.com/v1/air-quality", (DUST_HOURLY,))


def dated(moment: datetime) -> dict[str, str]:
    """Return the header that says for which moment is asked; only the demo world heeds it (RFC 9110, 6.6.1).

    >>> from datetime import UTC
    >>> dated(datetime(2026, 11, 20, 6, 45, tzinfo=UTC))
    {'Date': 'Fri, 20 Nov 2026 06:45:00 GMT'}
    """
    return {"Date": format_datetime(moment, usegmt=True)}


def asked_at(run: Run) -> datetime:
    """Return the moment for which a run asks: 06:45 UTC of its date, on the day itself not before it is that late."""
    morning = midnight(run.day) + MORNING
    return min(run.started_at, morning) if run.started_at.date() == run.day else morning


def is_today(run: Run) -> bool:
    """Return whether what is forecast now was not known later than on the run's date."""
    return run.started_at.date() <= run.day


def hourly(web: Web, api: Api, stations: pd.DataFrame, span: tuple[date, date], asked_at: datetime) -> Iterator[Hours]:
    """Yield the hours of the days of ``span``, both included, wherever the stations stand; some stations at a time.

    Args:
        web: answers.
        api: which service.
        stations: rows of STATIONS.
        span: first and last day.
        asked_at: for which moment is asked; the archive is asked for no day after it.

    Raises:
        WebError: there was no usable answer.
    """
    first, last = span[0] - timedelta(days=1), span[1] + timedelta(days=1)
    last = min(last, asked_at.date()) if api is ARCHIVE else last
    numbers = ((last - first).days + 1) * 24 * len(api.variables)
    places = max(1, min(MOST_PLACES, MOST_NUMBERS // numbers))
    for start in range(0, len(stations), places):
        some = stations.iloc[start : start + places].reset_index(drop=True)
        yield _asked(web, api, some, (first, last), asked_at)


# --- answers -------------------------------------------------------------------------------------------------------


def _asked(web: Web, api: Api, stations: pd.DataFrame, span: tuple[date, date], asked_at: datetime) -> Hours:
    params = {
        "latitude": ",".join(f"{value:.5g}" for value in stations["latitude"]),
        "longitude": ",".join(f"{value:.6g}" for value in stations["longitude"]),
        "hourly": ",".join(api.variables),
        "start_date": span[0].isoformat(),
        "end_date": span[1].isoformat(),
        "timezone": "GMT",
        "timeformat": "unixtime",
    }
    said = web.get(api.url, params, dated(asked_at)).json()
    places = said if isinstance(said, list) else [said]
    refused = next((place for place in places if isinstance(place, dict) and place.get("error")), None)
    if refused:
        raise WebError(f"{api.url} refused: {str(refused.get('reason'))[:200]}; run the same command again later")
    if len(places) != len(stations):
        raise _nonsense(api, f"{len(places)} places instead of {len(stations)}")
    count = ((span[1] - span[0]).days + 1) * 24
    times = pd.date_range(midnight(span[0]), periods=count, freq="h")
    rows = [_place(place, api, times) for place in places]
    return Hours(stations, times, {name: np.array([row[name] for row in rows]) for name in api.variables})


def _place(said: Any, api: Api, times: pd.DatetimeIndex) -> dict[str, Array]:  # noqa: ANN401 - JSON is anything
    """Return the values of one place by variable, at ``times``; blank where it says nothing or what cannot be."""
    try:
        hours, units = said["hourly"], said.get("hourly_units", {})
        moments = np.asarray(hours["time"], dtype="int64")
        series = {name: np.array(hours[name], dtype=float) for name in api.variables}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as cause:
        raise _nonsense(api, "no hourly numbers for each variable") from cause
    if any(values.shape != moments.shape for values in series.values()):
        raise _nonsense(api, "lists of different lengths")
    where = (moments - int(times[0].timestamp())) // 3600
    inside = (where >= 0) & (where < len(times))
    placed = {}
    for name, values in series.items():
        unit, low, high = _HOURLY[name.partition("_previous_day")[0]]
        if name in units and _plain(units[name]) != _plain(unit):
            raise _nonsense(api, f"{name} in {units[name]!r} instead of {unit}")
        row = np.full(len(times), np.nan)
        row[where[inside]] = np.where((values >= low) & (values <= high), values, np.nan)[inside]
        placed[name] = row
    return placed


def _plain(unit: object) -> str:
    return unicodedata.normalize("NFKC", str(unit)).lower()


def _nonsense(api: Api, what: str) -> WebError:
    return WebError(f"{api.url} answered {what}; run the same command again later, and tell us if it stays so")
