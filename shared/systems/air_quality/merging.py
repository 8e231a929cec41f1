"""How far back to fetch, and what of it is kept: the better of two rows of a day.

archive, newest forecast ── best ──┐
readings ── by_hour ── days ───────┴── no_worse than what is stored ──► written
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from shared.runs import midnight
from shared.systems.air_quality.days import DUST_HOURLY, Hours, daily_weather
from shared.systems.air_quality.tables import LEADS, OBSERVATIONS, ORIGINS, WEATHER, WEATHER_MEASURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.ports import Platform
    from shared.runs import Run
    from shared.tables import Table

    Span = tuple[date, date]

WIDEST = 92  # days that a fetch goes back at most


def best(archive: Sequence[pd.DataFrame], recent: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return one row a station and day: the archive's where it is whole, else the newest forecast's."""
    named = (("archive", archive), ("forecast", recent))
    rows = stacked([one.assign(origin=name) for name, frames in named for one in frames], WEATHER)
    blank = rows[[*WEATHER_MEASURES]].isna().any(axis=1)
    return pd.concat([rows[~blank], rows[blank]]).drop_duplicates(["station", "day"]).reset_index(drop=True)


def stacked(frames: Sequence[pd.DataFrame], table: Table) -> pd.DataFrame:
    """Return the rows of all frames, none of ``table`` where there are none."""
    filled = [one for one in frames if len(one)]
    return pd.concat(filled, ignore_index=True) if filled else table.empty()


def settled(platform: Platform, rows: pd.DataFrame, span: Span) -> pd.DataFrame:
    """Return rows of lead 0 that are no worse than what is stored: a file before the archive before a forecast."""
    stored = _stored(platform, WEATHER, span)
    return no_worse(rows, stored[stored["lead"] == 0], ("file", "archive", "forecast"))


def observe(platform: Platform, days: pd.DataFrame, span: Span) -> int:
    """Store days of fine dust where they are no worse than what is stored; return how many rows changed."""
    return write(platform, OBSERVATIONS, no_worse(days, _stored(platform, OBSERVATIONS, span), ORIGINS))


def no_worse(rows: pd.DataFrame, stored: pd.DataFrame, ranks: tuple[str, ...]) -> pd.DataFrame:
    """Return the rows whose origin stands not behind that of the stored row of the same station and day.

    >>> day = midnight(date(2026, 11, 1))
    >>> now = pd.DataFrame({"station": ["a", "b"], "day": day, "origin": "cams"})
    >>> no_worse(now, now.assign(origin=["station", "cams"]), ORIGINS)["station"].tolist()
    ['b']
    """
    before = rows[["station", "day"]].merge(stored[["station", "day", "origin"]], how="left", on=["station", "day"])
    old, new = (one.map(ranks.index, na_action="ignore") for one in (before["origin"], rows["origin"]))
    return rows[~(new.to_numpy(dtype=float) > old.to_numpy(dtype=float))].reset_index(drop=True)


def _stored(platform: Platform, table: Table, span: Span) -> pd.DataFrame:
    return platform.features.read(table, since=midnight(span[0]), until=midnight(span[1] + timedelta(days=1)))


def by_hour(readings: pd.DataFrame, hours: Hours) -> NDArray[np.float64]:
    """Return readings ``[stations, hours]``, the mean of each hour, blank where there is none."""
    grid = np.full((len(hours.stations), len(hours.times)), np.nan)
    place = hours.stations.reset_index().set_index("station")["index"]
    mine = readings[readings["station"].isin(place.index)]
    means = mine.groupby([mine["station"], mine["read_at"].dt.floor("h")])["pm25"].mean()
    row = place.reindex(means.index.get_level_values(0)).to_numpy()
    column = hours.times.get_indexer(means.index.get_level_values(1))
    grid[row[column >= 0], column[column >= 0]] = means.to_numpy()[column >= 0]
    return grid


def names_of(answers: Sequence[Hours]) -> set[str]:
    """Return the stations that the answers are about."""
    return {str(name) for hours in answers for name in hours.stations["station"]}


def without_cams(some: pd.DataFrame, span: Span) -> Hours:
    """Return blank hours of CAMS around the days: what stations said stands alone."""
    days = (span[1] - span[0]).days + 3
    times = pd.date_range(midnight(span[0] - timedelta(days=1)), periods=days * 24, freq="h")
    return Hours(some, times, {DUST_HOURLY: np.full((len(some), len(times)), np.nan)})


def ahead(hours: Hours, run: Run, span: Span) -> pd.DataFrame:
    """Return the newest forecast's rows of WEATHER."""
    rows = daily_weather(hours, span)
    return rows.assign(lead=lead_of(rows["day"], run), origin="forecast")


def issued(hours: Hours, run: Run) -> pd.DataFrame:
    """Return for each lead its one day ahead, as it was forecast by the run's date."""
    days = {lead: run.day + timedelta(days=lead - 1) for lead in LEADS}
    return stacked([daily_weather(hours, (day, day), lead) for lead, day in days.items()], WEATHER).assign(
        origin="forecast"
    )


def widths(platform: Platform, run: Run, known: pd.DataFrame, window: int) -> NDArray[np.int64]:
    """Return for each station how many days to fetch: the window, or back to its last settled day, at most 92."""
    since, until = midnight(run.day - timedelta(days=WIDEST)), midnight(run.day)
    dust = platform.features.read(OBSERVATIONS, columns=["station", "day"], since=since, until=until)
    weather = platform.features.read(WEATHER, columns=["station", "day", "lead", "origin"], since=since, until=until)
    weather = weather[(weather["lead"] == 0) & (weather["origin"] != "forecast")]
    last = [rows.groupby("station")["day"].max().reindex(known["station"]) for rows in (dust, weather)]
    ago = pd.concat([(until - one).dt.days for one in last], axis=1).max(axis=1, skipna=False).fillna(WIDEST).to_numpy()
    wide = min(int(ago.max()) + 2, WIDEST)  # one for all that need more, as stations are asked together
    return np.where(ago > window, wide, window)


def forecast_then(platform: Platform, run: Run) -> set[str]:
    """Return the stations of which is stored what was forecast on the day itself."""
    rows = platform.features.read(WEATHER, columns=["station", "lead"], since=midnight(run.day), until=run.until)
    return {*rows.loc[rows["lead"] == LEADS[0], "station"]}


def lead_of(days: pd.Series, run: Run) -> pd.Series:
    """Return how many days after the last whole one; 0 for days that are over."""
    return ((days - midnight(run.day)).dt.days + 1).clip(lower=0).astype("int64")


def write(platform: Platform, table: Table, rows: pd.DataFrame) -> int:
    """Store rows under the table's own columns; return how many changed."""
    return platform.features.write(table, rows[table.names]).rows if len(rows) else 0
