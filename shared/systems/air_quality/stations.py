"""Where fine dust is forecast: a place is checked against the towns around it before it is kept.

    name, latitude, longitude ── towns near it ── country fits? ── time zone, feed ──► STATIONS

Latitude and longitude that were swapped are refused with the hint. Without any station there is one in Rotterdam.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd

from shared.errors import AlmanacError, MissingExtraError, SourceError, UsageError
from shared.runs import Report, midnight
from shared.steps.files import name_of, pick, read_table
from shared.systems.air_quality import aqicn
from shared.systems.air_quality.open_meteo import asked_at
from shared.systems.air_quality.tables import STATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from shared.ports import Platform
    from shared.runs import Run

LONGEST_NAME = 100
MOVED_KM = 1  # from which on a station is no longer where it was
EARTH_KM = 6371.0
FAR_KM = 200  # a station is nearer than that to some town
BORDER_KM = 50  # and to one of its country
RING_KM = (0, 15, 45)  # around a place, where towns beyond a border are looked for
_COLUMNS = {
    "name": ("station", "city"),
    "latitude": ("lat",),
    "longitude": ("lon", "lng", "long"),
}
_OPTIONAL = {"country": ("country_code",), "timezone": ("time_zone", "tz"), "feed": ("aqicn", "aqicn_feed")}


@dataclass(frozen=True)
class Place:
    """A station as a person names it; ``country`` by name or ISO code; blanks are found out."""

    name: str
    latitude: float
    longitude: float
    country: str = ""
    timezone: str = ""
    feed: str = ""


ROTTERDAM = Place("Rotterdam-Zuid", 51.9, 4.51, "NL", "Europe/Amsterdam", "@5284")
ROTTERDAM_SINCE = midnight(date(2014, 9, 4))  # from when on AQICN knows it


def add(platform: Platform, run: Run, place: Place) -> Report:
    """Keep a station, or change the one of that name; return one row and what is odd about it.

    Raises:
        MissingExtraError: the packages that know towns and time zones are not installed.
        UsageError: the place cannot be what it is called; nothing was written.
    """
    return _kept(platform, run, [_checked(place)])


def add_all(platform: Platform, run: Run, source: str) -> Report:
    """Keep the stations of a CSV file, all or none: ``station,latitude,longitude``, perhaps ``country,timezone,feed``.

    Raises:
        SourceError: the file or one of its rows cannot be used; nothing was written.
    """
    table = read_table(source, platform.web)
    there = {name for name, also in _OPTIONAL.items() if {name, *also} & {*table.columns}}
    rows = pick(table, _COLUMNS | {name: _OPTIONAL[name] for name in _OPTIONAL if name in there}, source)
    checked, twice = [], rows["name"].map(lambda name: slug(str(name))).duplicated()
    for number, (row, again) in enumerate(zip(rows.to_dict("records"), twice, strict=True), 1):
        try:
            if again:
                raise UsageError(f"the station {row['name']!r} comes twice")
            checked.append(_checked(_place(row)))
        except (UsageError, ValueError) as cause:
            what = cause if isinstance(cause, AlmanacError) else "latitude and longitude are numbers"
            raise SourceError(f"{name_of(source)}, row {number}: {what}") from cause
    return _kept(platform, run, checked)


def stations(platform: Platform) -> pd.DataFrame:
    """Return rows of STATIONS by name; without any, Rotterdam is kept and returned."""
    known = platform.features.read(STATIONS)
    if known.empty:
        row = _row(ROTTERDAM) | {"added_at": ROTTERDAM_SINCE}
        platform.features.write(STATIONS, pd.DataFrame([row])[STATIONS.names])
        known = platform.features.read(STATIONS)
    return known.sort_values("station", ignore_index=True)


def slug(name: str) -> str:
    """Return a name as tables and addresses spell it.

    >>> slug("Kraków, ul. Dietla"), slug("Stockholm Hornsgatan")
    ('krakow-ul-dietla', 'stockholm-hornsgatan')
    """
    plain = unicodedata.normalize("NFKD", name.casefold()).replace("ł", "l").replace("ø", "o")
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.sub(r"\W+|_+", "-", bare).strip("-")


def km_between(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the great-circle distance of two (latitude, longitude), by haversines.

    >>> round(km_between((51.9, 4.51), (59.33, 18.07)))
    1182
    """
    (a, b), (c, d) = (map(math.radians, pair) for pair in (one, other))
    half = math.sin((c - a) / 2) ** 2 + math.cos(a) * math.cos(c) * math.sin((d - b) / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(half))


# --- keeping -------------------------------------------------------------------------------------------------------


def _kept(platform: Platform, run: Run, places: list[Place]) -> Report:
    with platform.features.lock("air_quality.stations"):
        known = platform.features.read(STATIONS)
        since = dict(zip(known["station"], known["added_at"], strict=True))
        rows = pd.DataFrame([_row(place) | {"added_at": run.started_at} for place in places])
        rows["added_at"] = [since.get(name, at) for name, at in zip(rows["station"], rows["added_at"], strict=True)]
        notes = _feed_notes(platform, places, asked_at(run))
        notes += _moved(known, rows)
        notes += _same_place(pd.concat([known[~known["station"].isin(rows["station"])], rows]), {*rows["station"]})
        written = platform.features.write(STATIONS, rows[STATIONS.names])
    return Report(
        rows=written.rows,
        metrics={"stations": float(len({*since, *rows["station"]}))},
        headline="stations",
        note="; ".join(notes),
        table=[_row(place) for place in places[:1]],
    )


def _row(place: Place) -> dict[str, Any]:
    return {
        "station": slug(place.name),
        "name": place.name.strip(),
        "latitude": place.latitude,
        "longitude": place.longitude,
        "country": place.country,
        "timezone": place.timezone,
        "feed": place.feed or None,
    }


def _place(row: dict[Any, Any]) -> Place:
    """Return the place in a row of a file; ValueError for coordinates that are no numbers."""
    texts = {name: str(row[name]) for name in _OPTIONAL if name in row and not pd.isna(row[name])}
    return Place(str(row["name"]), float(row["latitude"]), float(row["longitude"]), **texts)


def _moved(known: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    """Return a note for each station that stood elsewhere: its days so far are of there."""
    both = known.merge(rows, on="station", suffixes=("_was", ""))
    apart = {row["station"]: km_between(_spot(row, "_was"), _spot(row)) for row in both.to_dict("records")}
    far = {name: km for name, km in apart.items() if km >= MOVED_KM}
    return [f"{name} was {km:.0f} km away until now, and its days so far are of there" for name, km in far.items()]


def _spot(row: dict[Any, Any], when: str = "") -> tuple[float, float]:
    return row[f"latitude{when}"], row[f"longitude{when}"]


def _same_place(rows: pd.DataFrame, new: set[str]) -> list[str]:
    """Return a note for each new station that stands where another one does."""
    notes = []
    for _, alike in rows.groupby([rows["latitude"].round(2), rows["longitude"].round(2)]):
        first, *others = alike["station"]
        if others and new & {*alike["station"]}:
            notes.append(f"{first} and {', '.join(others)} are the same place")
    return notes


def _feed_notes(platform: Platform, places: list[Place], moment: datetime) -> list[str]:
    """Return why feeds could not be checked; refuse a feed that stands elsewhere or nowhere."""
    token, fed = platform.secrets.get("AQICN_TOKEN", ""), [place for place in places if place.feed]
    if not token:
        return ["without AQICN_TOKEN no feed is asked: CAMS stands in"] if fed else []
    notes: dict[str, list[str]] = {}
    found = aqicn.positions(platform.web, [place.feed for place in fed], token, moment)
    for place, spot in zip(fed, found, strict=True):
        if spot == aqicn.UNKNOWN:
            raise UsageError(f"{place.name}: {spot} as {place.feed}: look up its number on aqicn.org")
        if isinstance(spot, str):
            notes.setdefault(spot, []).append(place.feed)
        elif (far := km_between(spot, (place.latitude, place.longitude))) > BORDER_KM:
            where = f"{spot[0]:g}, {spot[1]:g}, {far:.0f} km from {place.name}"
            raise UsageError(f"the feed {place.feed} stands at {where}: correct one of the two")
    return [f"the position of {shortened(feeds)} was not checked: {why}" for why, feeds in notes.items()]


def shortened(names: Sequence[str]) -> str:
    """Return names as a message lists them.

    >>> shortened(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


# --- checking ------------------------------------------------------------------------------------------------------


def _checked(place: Place) -> Place:
    """Return the place with country as ISO code and time zone, once it fits."""
    if not slug(place.name):
        raise UsageError("a station needs a name with letters or digits: --station NAME")
    if len(place.name) > LONGEST_NAME:
        raise UsageError(f"a station's name has at most {LONGEST_NAME} letters; got {len(place.name)}")
    if place.feed:
        aqicn.must_be_feed(place.feed)
    swapped = (place.longitude, place.latitude)
    code = _country(place.latitude, place.longitude, place.country)
    if not code:
        hint = f"; latitude and longitude look swapped: {swapped[0]:g}, {swapped[1]:g} fits" * bool(
            _country(*swapped, place.country)
        )
        said = _where(place.latitude, place.longitude)
        wanted = f", not in {place.country}" if place.country else ""
        raise UsageError(f"{place.name} at {place.latitude:g}, {place.longitude:g} is {said}{wanted}{hint}")
    zone = place.timezone or _timezone(place.latitude, place.longitude)
    try:
        ZoneInfo(zone)
    except (KeyError, OSError, ValueError) as cause:
        raise UsageError(f"there is no time zone {zone!r}: write it as Europe/Amsterdam") from cause
    return Place(place.name, place.latitude, place.longitude, code, zone, place.feed)


def _country(latitude: float, longitude: float, wanted: str) -> str:
    """Return the ISO code of the country in which a place lies, near a border the wanted one's; '' where none fits."""
    if not _on_earth(latitude, longitude):
        return ""
    towns = _towns(latitude, longitude)
    nearest, apart = towns[0]
    if not wanted:
        return str(nearest["country_code"]) if apart <= FAR_KM else ""
    near = [nearest] if apart <= FAR_KM else []
    near += [town for town, km in towns if km <= BORDER_KM]
    fits = (town for town in near if wanted.strip().casefold() in {town["country_code"].casefold(), _plain(town)})
    return str(next((town["country_code"] for town in fits), ""))


def _where(latitude: float, longitude: float) -> str:
    if not _on_earth(latitude, longitude):
        return "nowhere on earth"
    town, apart = _towns(latitude, longitude)[0]
    return f"{apart:.0f} km from {town['city']}, {town['country']} ({town['country_code']})"


def _towns(latitude: float, longitude: float) -> list[tuple[dict[str, Any], float]]:
    """Return towns around a place with their distance in km, the nearest first."""
    try:
        import reverse_geocode  # type: ignore[import-untyped]
    except ImportError as cause:
        raise MissingExtraError("checking a place needs reverse_geocode: pip install 'almanac[air]'") from cause
    found = reverse_geocode.search([*_ring(latitude, longitude)])
    named = {(town["latitude"], town["longitude"]): town for town in found}
    apart = [(town, km_between((latitude, longitude), spot)) for spot, town in named.items()]
    return sorted(apart, key=lambda pair: pair[1])


def _ring(latitude: float, longitude: float) -> Iterable[tuple[float, float]]:
    """Yield points around a place; the nearest towns to these stand on either side of a border."""
    for km in RING_KM:
        for bearing in range(0, 360, 45) if km else [0]:
            north, east = (km / 111.2 * turn(math.radians(bearing)) for turn in (math.cos, math.sin))
            yield latitude + north, longitude + east / max(0.05, math.cos(math.radians(latitude)))


def _timezone(latitude: float, longitude: float) -> str:
    try:
        from timezonefinder import timezone_at
    except ImportError as cause:
        raise MissingExtraError("finding a time zone needs timezonefinder: pip install 'almanac[air]'") from cause
    return str(timezone_at(lat=latitude, lng=longitude))


def _on_earth(latitude: float, longitude: float) -> bool:
    return abs(latitude) <= 90 and abs(longitude) <= 180


def _plain(town: dict[str, Any]) -> str:
    return str(town["country"]).casefold()
