"""AQICN's feed: what a station says now. One request a station, eight at a time.

    stations with a feed ── token ──► answer ─┬─ a plausible index of PM2.5, by the station's own clock ──► READINGS
                                              └─ anything else ──► why the station is silent

Errors come with HTTP status 200, and "-" where there is no data: https://aqicn.org/json-api/doc/. After a bad token, an
exhausted quota or a few failures the other stations are not asked.
"""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from shared.errors import UsageError, WebError
from shared.systems.air_quality.open_meteo import dated
from shared.systems.air_quality.tables import READINGS
from shared.systems.air_quality.units import pm25

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.ports import Web

AT_ONCE = 8
MOST_FAILURES = 3  # after these the service is down, not a station
SLACK = timedelta(hours=1)  # that a station's clock may be ahead
SILENT_AFTER = timedelta(hours=24)
MOST_AQI = READINGS.column("aqi").high or 0.0
UNKNOWN = "AQICN knows no such station"
TRIAL = "as it does for the trial token demo: set AQICN_TOKEN to one of your own"
_FEED = re.compile(r"@-?\d+|A\d+|geo:-?[\d.]+;-?[\d.]+|\w[\w.-]*(/\w[\w.-]*){0,3}")
_FATAL = {
    "invalid key": "the token is not valid: set AQICN_TOKEN to one from https://aqicn.org/data-platform/token",
    "over quota": "the token's quota is used up: run the same command again later",
}


class _SilentError(Exception):
    """A station said nothing that could be used; the text says why."""


@dataclass
class _Asking:
    """What the requests of one run share: why to stop asking, once that is known."""

    web: Web
    token: str = field(repr=False)
    asked_at: datetime
    stop: str = ""
    failures: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def readings(
    web: Web, stations: pd.DataFrame, token: str, asked_at: datetime, newest: Mapping[str, datetime] | None = None
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return rows of READINGS, at most one a station, and why the other stations are silent, by station.

    Args:
        web: answers.
        stations: rows of STATIONS; those without a feed are not asked.
        token: AQICN's.
        asked_at: for which moment is asked; a reading of a later one is none.
        newest: when each station spoke last; an older reading is none.
    """
    asking = _Asking(web, token, asked_at)
    fed = stations[stations["feed"].notna()]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        said = [*pool.map(lambda feed: _ask(asking, feed), fed["feed"])]
    rows, silent = [], {}
    for station, answer in zip(fed["station"], said, strict=True):
        try:
            rows.append({"station": station, **_reading(answer, asked_at, (newest or {}).get(station))})
        except _SilentError as why:
            silent[str(station)] = str(why)
    return (pd.DataFrame(rows) if rows else READINGS.empty()), silent


def positions(web: Web, feeds: Sequence[str], token: str, asked_at: datetime) -> list[tuple[float, float] | str]:
    """Return latitude and longitude of each feed's station, or why they are not known."""
    asking = _Asking(web, token, asked_at)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [_position(answer) for answer in pool.map(lambda feed: _ask(asking, feed), feeds)]


def must_be_feed(feed: str) -> None:
    """Refuse what cannot be a station's name at AQICN.

    Raises:
        UsageError: it cannot.
    """
    if not _FEED.fullmatch(feed):
        raise UsageError(f"{feed!r} is no feed of AQICN: write @5284, the number in the station's address there")


def _ask(asking: _Asking, feed: str) -> dict[str, Any] | str:
    """Return what the feed says, or why it says nothing."""
    if asking.stop:
        return asking.stop
    try:
        answer = asking.web.get(
            f"https://api.waqi.info/feed/{feed}/", {"token": asking.token}, dated(asking.asked_at)
        ).json()
    except WebError as cause:
        with asking.lock:
            asking.failures += 1
            asking.stop = asking.stop or (str(cause) if asking.failures >= MOST_FAILURES else "")
        return str(cause)
    inside = answer.get("data") if isinstance(answer, dict) else None
    if isinstance(inside, dict) and answer.get("status") == "ok":
        return inside if _is_of(inside, feed) else f"AQICN answered for another station, {inside['idx']}, {TRIAL}"
    asking.stop = asking.stop or _FATAL.get(str(inside).lower(), "")
    return (
        UNKNOWN
        if inside == "Unknown station"
        else asking.stop or f"AQICN says {str(inside).replace(asking.token, '***')[:80]!r}"
    )


def _is_of(inside: dict[str, Any], feed: str) -> bool:
    """Return whether an answer is of the station asked for, as far as the number in ``feed`` tells."""
    asked, number = feed.removeprefix("@"), inside.get("idx")
    return not (feed != asked and asked.isdecimal() and isinstance(number, int) and number != int(asked))


def _position(answer: dict[str, Any] | str) -> tuple[float, float] | str:
    if isinstance(answer, str):
        return answer
    try:
        latitude, longitude = (float(one) for one in answer["city"]["geo"])
    except (KeyError, TypeError, ValueError):
        return "AQICN does not say where it stands"
    return latitude, longitude


def _reading(answer: dict[str, Any] | str, asked_at: datetime, newest: datetime | None) -> dict[str, Any]:
    """Return ``read_at``, ``aqi`` and ``pm25`` of an answer."""
    if isinstance(answer, str):
        raise _SilentError(answer)
    if answer.get("aqi") == "-":
        raise _SilentError("it has no data now")
    try:
        index = float(answer["iaqi"]["pm25"]["v"])
    except (KeyError, TypeError, ValueError):
        raise _SilentError("it does not measure PM2.5 now") from None
    if not 0 <= index <= MOST_AQI:
        raise _SilentError(f"its index of PM2.5 is {index:g}")
    return {"read_at": _moment(answer, asked_at, newest), "aqi": index, "pm25": pm25(index)}


def _moment(answer: dict[str, Any], asked_at: datetime, newest: datetime | None) -> datetime:
    try:
        moment = datetime.fromisoformat(str(answer["time"]["iso"]))
        ahead = moment > asked_at + SLACK
    except (KeyError, TypeError, ValueError):  # TypeError also of a time without its zone
        raise _SilentError("it does not say when it measured") from None
    if ahead:
        raise _SilentError(f"its clock is ahead: {moment.isoformat()}")
    if newest is not None and moment < newest:
        raise _SilentError(f"it fell back to {moment.isoformat()}")
    if moment < asked_at - SILENT_AFTER:
        raise _SilentError(f"it has been silent since {moment.isoformat()}")
    return moment
