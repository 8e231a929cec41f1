"""Where the numbers come from: years of them at once, and each day a window that heals.

    a person's files, CAMS, weather archive, archived forecasts ──► backfill ─┐
    AQICN, CAMS, weather archive and forecast ──► fetch, ten days and more ───┴─► READINGS, OBSERVATIONS, WEATHER, CAMS

What was late, revised or missed is put right in the window. A day of fine dust is a file's, the station's,
that completed by CAMS, or CAMS's: ``origin`` says which, and a worse one never replaces a better one.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from shared.errors import UsageError, WebError
from shared.runs import Report, midnight
from shared.systems.air_quality import aqicn
from shared.systems.air_quality.days import Hours, daily_cams, daily_readings, daily_weather
from shared.systems.air_quality.history import read_history, read_weather
from shared.systems.air_quality.merging import (
    ahead,
    best,
    by_hour,
    forecast_then,
    issued,
    lead_of,
    names_of,
    observe,
    settled,
    stacked,
    widths,
    without_cams,
    write,
)
from shared.systems.air_quality.open_meteo import AIR, ARCHIVE, FORECAST, PREVIOUS, Api, asked_at, hourly, is_today
from shared.systems.air_quality.stations import shortened, stations
from shared.systems.air_quality.tables import (
    CAMS,
    LEADS,
    OBSERVATIONS,
    ORIGINS,
    READINGS,
    WEATHER,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.ports import Platform
    from shared.runs import Run
    from shared.tables import Table

    Span = tuple[date, date]

DAYS = 1460  # of a backfill: a year is too few to tell the seasons from the weather
MOST_DAYS = 13_000  # since 1990, from when on histories are read
WINDOW = 10  # days: later CAMS and the archive do not change any more
REACH = 90  # days that Open-Meteo's forecast certainly reaches back
PIECE = 185  # days that a backfill asks for at once
CAMS_AHEAD = 5  # days that CAMS forecasts, the first one included

log = logging.getLogger("almanac")


@dataclass(frozen=True)
class Fetched:
    """What a fetch did: rows that changed, and in sentences what is missing."""

    rows: int
    notes: tuple[str, ...] = ()


@dataclass
class _Doing:
    """What was done so far."""

    rows: int = 0
    notes: list[str] = field(default_factory=list)
    failed: list[WebError] = field(default_factory=list)


def backfill(  # noqa: PLR0913 - the options of the command
    platform: Platform,
    run: Run,
    days: int = DAYS,
    station: str = "",
    source: str = "",
    weather: str = "",
    unit: str = "",
) -> Report:
    """Store the days before the run's: fine dust of a file or CAMS, weather as it was and as it was forecast.

    Done in pieces; after a failure the pieces before it stay, and it may be run again.

    Args:
        platform: where to.
        run: for which date.
        days: how many; a file's own days all count.
        station: one of STATIONS; all when empty.
        source: a file of its fine dust by day.
        weather: a file of its weather by day.
        unit: ``aqi`` or ``ugm3``, where the file does not say.

    Raises:
        SourceError: a file cannot be used; nothing was written.
        UsageError: there is no such station, or a file is not for one station.
        WebError: an address gave no usable answer.
    """
    chosen = _chosen(stations(platform), station, files=bool(source or weather), unit=bool(unit and not source))
    if not 1 <= days <= MOST_DAYS:
        raise UsageError(f"--days counts from 1 to {MOST_DAYS}; got {days}")
    last = run.day - timedelta(days=1)
    first = run.day - timedelta(days=days)
    own, notes = _own(platform, run, chosen["station"].iloc[0], (source, weather, unit))
    done = _Doing(notes=notes)
    for table, rows in own:
        written = platform.features.write(table, rows[table.names])
        done.rows += written.rows
        if written.quarantined:
            done.notes.append(f"{written.quarantined} rows are out of bounds: almanac table {table.name}_quarantine")
        first = min(first, rows["day"].min().date()) if table is OBSERVATIONS else first
    pieces = [(ARCHIVE, piece) for piece in _pieces(first, last)]
    pieces += [(api, piece) for api in (PREVIOUS, AIR) for piece in _pieces(run.day - timedelta(days=days), last)]
    log.info("air_quality backfill: %d stations, %s to %s", len(chosen), first, last, extra={"due": len(pieces)})
    for api, piece in pieces:
        for hours in hourly(platform.web, api, chosen, piece, asked_at(run)):
            done.rows += _store(platform, api, hours, piece)
        log.info("air_quality backfill: %s, %s to %s", api.name, *piece)
    return _report(platform, chosen, done)


def fetch(platform: Platform, run: Run, window: int = WINDOW) -> Fetched:
    """Store what is known on the run's morning of the last days and forecast of the next; return what changed.

    The window of days is wider for stations whose last settled day is longer ago. Each service may fail alone: what it
    would have said is named in the notes and fetched when it is back.

    Raises:
        WebError: no service answered, and nothing is known of any station.
    """
    known, done = stations(platform), _Doing()
    done.rows += _read(platform, run, known, done.notes, asked_at(run))
    for width, some in known.groupby(widths(platform, run, known, window)):
        group = some.reset_index(drop=True)
        done.rows += _heal(platform, run, group, int(str(width)), done)
    if done.failed and platform.features.read(OBSERVATIONS, columns=["station"]).empty:
        raise done.failed[0]
    return Fetched(done.rows, tuple(dict.fromkeys(done.notes)))


def listen(platform: Platform, run: Run) -> Report:
    """Store what the stations' feeds say now: the more hours of a day are heard, the less CAMS fills up."""
    notes: list[str] = []
    moment = run.started_at if is_today(run) else asked_at(run)
    rows = _read(platform, run, stations(platform), notes, moment)
    return Report(rows=rows, metrics={"readings": float(rows)}, headline="readings", note="; ".join(notes))


# --- backfill ------------------------------------------------------------------------------------------------------


def _chosen(known: pd.DataFrame, station: str, *, files: bool, unit: bool) -> pd.DataFrame:
    """Return the stations meant."""
    if unit:
        raise UsageError("--unit says in which unit the values of a --source are: name that, too")
    if station and station not in {*known["station"]}:
        raise UsageError(f"there is no station {station!r}; there are: {shortened([*known['station']])}")
    chosen = known[known["station"] == station] if station else known
    if files and len(chosen) > 1:
        raise UsageError("--source and --weather are of one station: say which with --station")
    return chosen.reset_index(drop=True)


def _own(
    platform: Platform, run: Run, station: str, told: tuple[str, str, str]
) -> tuple[list[tuple[Table, pd.DataFrame]], list[str]]:
    """Return the rows of a person's files, of days before the run's, and what is odd about them."""
    source, weather, unit = told
    tables, notes = [], []
    today = max(run.day, run.started_at.date())
    if source:
        rows = read_history(source, platform.web, unit, today)
        notes += rows.attrs["notes"]
        tables.append((OBSERVATIONS, rows.assign(station=station, origin="history", hours=0)))
    if weather:
        rows = read_weather(weather, platform.web, today)
        notes += rows.attrs["notes"]
        tables.append((WEATHER, rows.assign(station=station, lead=0, origin="file")))
    return [(table, rows[rows["day"] < midnight(run.day)]) for table, rows in tables], notes


def _pieces(first: date, last: date) -> list[Span]:
    """Return the days from ``first`` to ``last`` in pieces, the newest first: what matters most is there first.

    >>> _pieces(date(2026, 1, 1), date(2026, 7, 10))
    [(datetime.date(2026, 1, 7), datetime.date(2026, 7, 10)), (datetime.date(2026, 1, 1), datetime.date(2026, 1, 6))]
    """
    days = (last - first).days + 1
    ends = [last - timedelta(days=ago) for ago in range(0, days, PIECE)]
    return [(max(first, end - timedelta(days=PIECE - 1)), end) for end in ends]


def _store(platform: Platform, api: Api, hours: Hours, span: Span) -> int:
    """Store one answer of a backfill; return how many rows changed."""
    if api is AIR:
        cams = daily_cams(hours, span)
        changed = write(platform, CAMS, cams.assign(lead=0))
        return changed + observe(platform, cams.assign(origin="cams", hours=0), span)
    if api is ARCHIVE:
        return write(platform, WEATHER, settled(platform, daily_weather(hours, span).assign(origin="archive"), span))
    leads = stacked([daily_weather(hours, span, lead) for lead in LEADS], WEATHER)
    return write(platform, WEATHER, leads.assign(origin="forecast"))


def _report(platform: Platform, chosen: pd.DataFrame, done: _Doing) -> Report:
    kept = platform.features.read(OBSERVATIONS, columns=["station", "day", "origin"])
    mine = kept[kept["station"].isin(chosen["station"])]
    counts = {origin: float((mine["origin"] == origin).sum()) for origin in ORIGINS}
    return Report(
        rows=done.rows,
        metrics={"stations": float(len(chosen)), "days": float(len(mine)), **{k: v for k, v in counts.items() if v}},
        headline="days",
        note="; ".join([*done.notes, *(["no service had a value for these stations and days"] if mine.empty else [])]),
    )


# --- the healing fetch ---------------------------------------------------------------------------------------------


def _read(platform: Platform, run: Run, known: pd.DataFrame, notes: list[str], moment: datetime) -> int:
    """Ask the stations on the day itself (in the demo world on any), and store what they say by ``moment``."""
    token, fed = platform.secrets.get("AQICN_TOKEN", ""), known[known["feed"].notna()]
    if fed.empty:
        return 0
    if not token:
        notes.append("without AQICN_TOKEN no station is asked: CAMS stands in")
        return 0
    if not is_today(run) and platform.world != "demo":
        return 0
    since = midnight(run.day - timedelta(days=WINDOW))
    before = platform.features.read(READINGS, columns=["station", "read_at"], since=since, until=moment)
    newest = {str(station): times.max() for station, times in before.groupby("station")["read_at"]}
    rows, silent = aqicn.readings(platform.web, fed, token, moment, newest)
    for why in dict.fromkeys(silent.values()):
        names = [name for name, reason in silent.items() if reason == why]
        notes.append(f"no reading of {shortened(names)}: {why}")
    return platform.features.write(READINGS, rows).rows


def _heal(platform: Platform, run: Run, some: pd.DataFrame, width: int, done: _Doing) -> int:
    """Fetch the window of stations from each service; return how many rows changed."""
    past = (run.day - timedelta(days=width), run.day - timedelta(days=1))
    coming = (run.day, run.day + timedelta(days=len(LEADS) - 1))
    fresh = is_today(run)
    archive = [daily_weather(hours, past) for hours in _tried(platform, run, ARCHIVE, (some, past), done)]
    reach = max(run.day, run.started_at.date()) - timedelta(days=REACH)
    span = (max(past[0], reach), coming[1] if fresh else past[1])
    newest = [*_tried(platform, run, FORECAST, (some, span), done)]
    rest = some[~some["station"].isin(names_of(newest) if fresh else forecast_then(platform, run))]
    previous = [issued(hours, run) for hours in _tried(platform, run, PREVIOUS, (rest, coming), done)]
    forecasts = [ahead(hours, run, coming) for hours in newest] if fresh else []
    recent = [daily_weather(hours, past) for hours in newest]
    rows = stacked([settled(platform, best(archive, recent), past), *forecasts, *previous], WEATHER)
    return write(platform, WEATHER, rows) + _heal_dust(platform, run, (some, past), done)


def _heal_dust(platform: Platform, run: Run, asked: tuple[pd.DataFrame, Span], done: _Doing) -> int:
    """Fetch CAMS, and rebuild the days of the window from it and the readings; return how many rows changed."""
    some, past = asked
    known = is_today(run) or platform.world == "demo"  # else what CAMS forecast on the day is not known any more
    span = (past[0], past[1] + timedelta(days=CAMS_AHEAD if known else 0))
    answers = [*_tried(platform, run, AIR, (some, span), done)]
    cams = stacked([daily_cams(hours, span) for hours in answers], CAMS)
    changed = write(platform, CAMS, cams.assign(lead=lead_of(cams["day"], run)))
    rest = some[~some["station"].isin(names_of(answers))]
    answers += [without_cams(rest.reset_index(drop=True), past)] if len(rest) else []
    since, until = midnight(past[0] - timedelta(days=1)), midnight(run.day + timedelta(days=1))
    readings = platform.features.read(READINGS, since=since, until=until)
    days = [daily_readings(by_hour(readings, hours), hours, past) for hours in answers]
    return changed + observe(platform, stacked(days, OBSERVATIONS), past)


def _tried(platform: Platform, run: Run, api: Api, asked: tuple[pd.DataFrame, Span], done: _Doing) -> Iterator[Hours]:
    """Yield a service's answers until it fails; then say what is missing."""
    if asked[1][0] > asked[1][1]:
        return
    try:
        yield from hourly(platform.web, api, *asked, asked_at(run))
    except WebError as failure:
        done.notes.append(f"{api.name} is missing: {failure}")
        done.failed.append(failure)
