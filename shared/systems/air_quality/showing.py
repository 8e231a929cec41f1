"""What people are shown of a station, on the page and on the static one: its forecast, its past, how good that was.

STATIONS ──► place: the one that is meant
forecasts, observed days ──► outlooks: the newest forecast of each station, beside the days before it
forecasts whose day has come ──► seen ──► skills, rmses, coverages, horizon, by lead
readings, weather, ledger ──► freshness
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup

from shared.errors import NotYetError, UsageError
from shared.runs import ledger, midnight
from shared.steps.forecasting import skill
from shared.systems.air_quality.monitoring import outcomes
from shared.systems.air_quality.panel import of_station
from shared.systems.air_quality.scores import CLOSEST, judged
from shared.systems.air_quality.stations import shortened, slug
from shared.systems.air_quality.tables import (
    BASELINES,
    LEADS,
    LIMITS,
    MODEL,
    OBSERVATIONS,
    PREDICTIONS,
    READINGS,
    STATIONS,
    WEATHER,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.ports import ModelVersion, Platform

OBSERVED_DAYS = 14  # that are shown before a forecast
OLDEST_DAYS = 14  # of a forecast that is still shown, behind the newest of any station
FRESH_DAYS = 30  # in which readings and archived weather are looked for
MEASURED = ("history", "station", "station_cams")  # origins of a station's own days
NAMES = {
    "persistence": "Persistence",
    "damped": "Damped persistence",
    "climatology": "Climatology",
    "recursive": "Three lags",
    "ridge": "Ridge",
    "cams": "CAMS",
}
SOURCES = (  # whose data is shown: their licences ask to be named, with a link
    ("Open-Meteo.com", "https://open-meteo.com", "weather, CC BY 4.0"),
    ("Copernicus Atmosphere Monitoring Service", "https://atmosphere.copernicus.eu", "CAMS, modified here"),
    ("World Air Quality Index Project", "https://aqicn.org", "and its originating agencies: readings of stations"),
)
_SHOWN = ["station", "day", "lead", "pm25", "low", "high", *(f"p{limit}" for limit in LIMITS), "model_version"]


@dataclass(frozen=True)
class Outlook:
    """A station (row of STATIONS), its newest forecast (rows of PREDICTIONS by lead), and the observed days before."""

    place: dict[str, Any]
    made_on: date
    forecast: pd.DataFrame
    observed: pd.DataFrame


@dataclass(frozen=True)
class Freshness:
    """What a station's numbers rest on; None where nothing of late was found."""

    read_at: datetime | None
    own_day: date | None
    observed_day: date | None
    archive_day: date | None
    note: str  # of the last daily run: what was missing


def places(platform: Platform) -> pd.DataFrame:
    """Return rows of STATIONS by name.

    Raises:
        NotYetError: there is none.
    """
    known = platform.features.read(STATIONS)
    if known.empty:
        raise NotYetError("no station is known yet; run `almanac run air_quality backfill`")
    return known.sort_values(["name", "station"], ignore_index=True)


def place(platform: Platform, given: object) -> dict[str, Any]:
    """Return the station that is meant, by its short name or its name; blank means the only one.

    Raises:
        NotYetError: there is no station at all.
        UsageError: there is no such one, or it is not clear which.
    """
    known = places(platform)
    short = [*known["station"]]
    asked = slug(str(given)[:120]) if isinstance(given, str) else ""
    if isinstance(given, str) and given in short:
        asked = given
    if given in ("", None) and len(known) == 1:
        asked = short[0]
    if asked in short:
        return {str(name): value for name, value in known.iloc[short.index(asked)].items()}
    close = get_close_matches(asked, short, 3)
    told = "say which station" if given in ("", None) else f"there is no station {str(given)[:60]!r}"
    raise UsageError(f"{told}; {'did you mean' if close else 'there are'}: {shortened(close or short)}")


def outlooks(platform: Platform, station: str = "") -> dict[str, Outlook]:
    """Return the newest forecast of each station, or of one, by its short name.

    Raises:
        NotYetError: nothing was forecast yet, or not of that station.
    """
    days = platform.features.read(PREDICTIONS, ["day"])["day"]
    if days.empty:
        raise NotYetError("nothing was forecast yet; run `almanac day`")
    since = (days.max() - timedelta(days=OLDEST_DAYS + len(LEADS))).to_pydatetime()
    rows = of_station(platform.features.read(PREDICTIONS, _SHOWN, since=since), station)
    made = rows["day"] - pd.to_timedelta(rows["lead"] - 1, unit="D")
    newest = rows[made == made.groupby(rows["station"]).transform("max")]
    if newest.empty:
        raise NotYetError(f"nothing was forecast for {station} lately; run `almanac day`")
    wanted = ["station", "day", "pm25", "origin"]
    before = since - timedelta(days=OBSERVED_DAYS)
    observed = of_station(platform.features.read(OBSERVATIONS, wanted, since=before), station)
    known = {str(row["station"]): row for row in places(platform).to_dict("records")}
    past = dict([*observed.groupby("station")])
    ahead = {str(name): part for name, part in newest.groupby("station") if name in known}
    return {name: _outlook(known[name], part, past.get(name, observed.head(0))) for name, part in ahead.items()}


def seen(platform: Platform, model: ModelVersion | None, station: str, span: tuple[date, date]) -> pd.DataFrame:
    """Return forecasts whose day has come, from the first to the last date, as ``monitoring.outcomes``; all with ''."""
    return outcomes(platform, midnight(span[1] + timedelta(days=1)), (span[1] - span[0]).days + 1, model, station)


def newest_outcome(platform: Platform, station: str = "") -> date:
    """Return the last day of which fine dust was observed.

    Raises:
        NotYetError: there is none.
    """
    days = of_station(platform.features.read(OBSERVATIONS, ["station", "day"]), station)["day"]
    if days.empty:
        raise NotYetError("no fine dust was observed yet; run `almanac run air_quality backfill`")
    return date.fromisoformat(f"{days.max():%Y-%m-%d}")


def skills(rows: pd.DataFrame, names: Sequence[str] = BASELINES, *, sure: bool = True) -> pd.DataFrame:
    """Return ``lead, baseline, value, low, high``: skill against each baseline; bounds of 95 %, nan of too few days.

    Without ``sure`` there are no bounds, which is a hundred times faster. Errors are summed by day first, which changes
    nothing: whole days are drawn.

    >>> days = pd.date_range("2026-01-01", periods=70, tz="UTC")
    >>> rows = pd.DataFrame({"station": "a", "day": days, "lead": 1, "observed": 9.0, "pm25": 10.0, "ridge": 11.0})
    >>> found = skills(rows.assign(persistence=11.0, damped=11.0, climatology=11.0, recursive=11.0, cams=None))
    >>> found.loc[found["baseline"] == "damped"].to_dict("records")
    [{'lead': 1, 'baseline': 'damped', 'value': 0.75, 'low': 0.75, 'high': 0.75}]
    """
    known = judged(rows)
    found = [row for name in names for row in _against(known.dropna(subset=[name]), name, sure=sure)]
    return pd.DataFrame(found, columns=["lead", "baseline", "value", "low", "high"])


def coverages(rows: pd.DataFrame) -> pd.DataFrame:
    """Return ``lead, value, low, high``: the share of intervals that held the truth, bounded as ``skills``.

    That share is the skill of being outside against being outside always, so days are drawn in blocks here, too.
    """
    known = rows.dropna(subset=["observed", "low", "high"])
    out = (known["observed"] < known["low"]) | (known["observed"] > known["high"])
    sums = known.assign(ours=out.astype(float), theirs=1.0).groupby(["lead", "day"])[["ours", "theirs"]].sum()
    found = [{"lead": lead, **_bounded(sums.loc[lead])} for lead in sums.index.unique("lead")]
    return pd.DataFrame(found, columns=["lead", "value", "low", "high"])


def rmses(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the root mean square error in µg/m³ by lead: ours as ``pm25``, and each baseline's, on the same days.

    CAMS's is of the days of which it says something; nan of none.
    """
    known = judged(rows)
    squares = pd.DataFrame({name: (known[name] - known["observed"]) ** 2 for name in ("pm25", *BASELINES)})
    return squares.groupby(known["lead"]).mean() ** 0.5


def horizon(found: pd.DataFrame) -> int | None:
    """Return up to which lead the forecast surely beats damped persistence, 0 for none; None: too few days to tell.

    >>> rows = pd.DataFrame({"lead": [1, 2, 3], "baseline": "damped", "low": [0.2, 0.1, -0.1]})
    >>> horizon(rows), horizon(rows.assign(low=float("nan")))
    (2, None)
    """
    lows = found[found["baseline"] == CLOSEST].set_index("lead")["low"].sort_index()
    if lows.isna().all():
        return None
    return int((lows > 0).cumprod().sum())


def freshness(platform: Platform, station: str, day: date) -> Freshness:
    """Return how new what is known of a station is, looked for from FRESH_DAYS before a day on."""
    since = midnight(day - timedelta(days=FRESH_DAYS))
    read = of_station(platform.features.read(READINGS, ["station", "read_at"], since=since), station)
    days = of_station(platform.features.read(OBSERVATIONS, ["station", "day", "origin"], since=since), station)
    weather = of_station(platform.features.read(WEATHER, ["station", "day", "lead", "origin"], since=since), station)
    return Freshness(
        read_at=None if read.empty else read["read_at"].max().to_pydatetime(),
        own_day=_last(days[days["origin"].isin(MEASURED)]),
        observed_day=_last(days),
        archive_day=_last(weather[(weather["lead"] == 0) & (weather["origin"] == "archive")]),
        note=_note(platform),
    )


def _last(rows: pd.DataFrame) -> date | None:
    return None if rows.empty else rows["day"].max().date()


def _note(platform: Platform) -> str:
    runs = ledger(platform, MODEL, "daily")
    done = runs[runs["status"] == "done"]
    return str(json.loads(done["report"].iloc[-1])["note"]) if len(done) else ""


def _outlook(known: dict[Any, Any], rows: pd.DataFrame, past: pd.DataFrame) -> Outlook:
    made = (rows["day"] - pd.to_timedelta(rows["lead"] - 1, unit="D")).max().date()
    first = pd.Timestamp(midnight(made - timedelta(days=OBSERVED_DAYS)))
    shown = past[past["day"] >= first].sort_values("day", ignore_index=True)
    return Outlook({str(name): value for name, value in known.items()}, made, rows.sort_values("lead"), shown)


def _against(known: pd.DataFrame, name: str, *, sure: bool) -> list[dict[str, Any]]:
    """Return a row a lead: the skill against one baseline, on the days of which it says something."""
    squares = pd.DataFrame(
        {
            **{column: known[column] for column in ("lead", "day")},
            "ours": (known["pm25"] - known["observed"]) ** 2,
            "theirs": (known[name] - known["observed"]) ** 2,
        }
    )
    sums = squares.groupby(["lead", "day"]).sum()
    return [
        {"lead": lead, "baseline": name, **_bounded(sums.loc[lead], sure=sure)} for lead in sums.index.unique("lead")
    ]


def _bounded(sums: pd.DataFrame, *, sure: bool = True) -> dict[str, float]:
    """Return the skill of sums of squares by day, as a value between its bounds."""
    if not sure:
        theirs = float(sums["theirs"].sum())
        value = 1 - float(sums["ours"].sum()) / theirs if theirs else math.nan
        return {"value": value, "low": math.nan, "high": math.nan}
    found = skill(sums["ours"] ** 0.5, sums["theirs"] ** 0.5)
    return {"value": found.middle, "low": found.low, "high": found.high}


def thanks() -> Markup:
    """Return whose data is shown, with links."""
    links = (Markup('<a href="{}">{}</a> ({})').format(address, name, what) for name, address, what in SOURCES)
    return Markup("Data of the live world: {}.").format(Markup("; ").join(links))
