"""What programs and assistants may ask of fine dust, over REST and MCP, and the rows that the page shows, too.

station ──► air_quality_forecast          station, lead, period ──► past ──────► air_quality_hindcast
        ──► air_quality_stations          station or all ──► judged_rows ──► air_quality_skill
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from shared.connect import open_platform
from shared.errors import UsageError
from shared.pages import air
from shared.pages.period import parse_period
from shared.steps.promotion import champion
from shared.systems.air_quality import showing
from shared.systems.air_quality.blend import COVERAGE
from shared.systems.air_quality.scores import covered, errors
from shared.systems.air_quality.tables import LEADS, LIMITS, MODEL
from shared.systems.air_quality.units import class_of, published_aqi

if TYPE_CHECKING:
    import pandas as pd

    from shared.ports import ModelVersion, Platform

DAYS = {True: 365, False: 90}  # that skill is made of: of one station it takes longer to be sure


def air_quality_stations() -> list[dict[str, Any]]:
    """List the stations of which fine dust (PM2.5) is forecast, with the short names that the other tools take.

    Returns:
        Short name, name, country (ISO code), latitude and longitude in degrees, time zone, and AQICN's feed (null:
        nothing is measured there, the Copernicus atmosphere service's model stands in).
    """
    rows = showing.places(open_platform()).drop(columns="added_at")
    return [
        {str(name): None if value != value else value for name, value in row.items()} for row in rows.to_dict("records")
    ]


def air_quality_forecast(station: str = "") -> dict[str, Any]:
    """Tell fine dust (PM2.5) of the next seven days at a station, with how sure that is.

    Args:
        station: Short name or name, such as rotterdam-zuid; blank where there is only one.

    Returns:
        For each day the expected daily mean in µg/m³, the US index of it and its class, an interval in µg/m³ that
        holds the truth 9 times in 10, and the probabilities of more than 15, 25 and 35 µg/m³ (0 to 1); when it was
        made, by which version of the model; the days observed before; and what is missing, in sentences.
    """
    platform = open_platform()
    name = showing.place(platform, station)["station"]
    said = showing.outlooks(platform, name)[name]
    fresh = showing.freshness(platform, name, said.made_on)
    return {
        "station": name,
        "name": said.place["name"],
        "simulated": platform.world == "demo",
        "made_on": said.made_on,
        "model": {"name": MODEL, "version": said.forecast["model_version"].iloc[0]},
        "days": [_plain_day(row) for row in said.forecast.to_dict("records")],
        "observed": [
            {"day": row["day"].date(), "pm25": row["pm25"], "origin": row["origin"]}
            for row in said.observed.to_dict("records")
        ],
        "missing": air.missing(said, fresh),
    }


def air_quality_hindcast(station: str = "", lead: int = 1, since: str = "", until: str = "") -> dict[str, Any]:
    """Tell what was forecast for each day of a period at a station, and what was then observed, in µg/m³ of PM2.5.

    Args:
        station: Short name or name, such as rotterdam-zuid; blank where there is only one.
        lead: Days ahead, 1 (said on the day itself) to 7.
        since: First date, such as 2026-10-12; blank for 30 days before the last.
        until: Last date, such as 2026-11-10; blank for the newest there is.

    Returns:
        For each day the observed mean, the forecast, its interval that should hold the truth 9 times in 10, and whether
        it was really said then (live) or comes from the backtest; mean and root mean square error (µg/m³), coverage.
    """
    platform = open_platform()
    name = showing.place(platform, station)["station"]
    (first, last), rows = past(platform, champion(platform, MODEL), name, lead, since, until)
    days = rows[["day", "observed", "pm25", "low", "high", "live"]].to_dict("records")
    return {
        "station": name,
        "lead": lead_of(lead),
        "since": first,
        "until": last,
        "mean_error": errors(rows).abs().mean(),
        "rmse": (errors(rows) ** 2).mean() ** 0.5,
        "coverage": {"value": covered(rows), "promised": COVERAGE},
        "days": [{**row, "day": row["day"].date()} for row in days],
    }


def air_quality_skill(station: str = "") -> dict[str, Any]:
    """Tell how good the forecasts of fine dust were at each lead, beside every baseline.

    Args:
        station: Short name or name, such as rotterdam-zuid; blank for all stations together.

    Returns:
        The last lead up to which the forecast surely beats damped persistence (null: too few days to tell); by lead the
        root mean square error of the forecast and of each baseline (µg/m³), the skill against each (1 - MSE / its MSE:
        above 0 is better, 1 perfect) with a 95 % interval, and the share of 90 % intervals that held, likewise.
    """
    platform = open_platform()
    name = showing.place(platform, station)["station"] if station not in ("", None) else ""
    rows = judged_rows(platform, champion(platform, MODEL), name)
    found, rmses = showing.skills(rows), showing.rmses(rows).rename(columns={"pm25": "forecast"})
    return {
        "station": name or "*",
        "days": rows["day"].nunique(),
        "live": int(rows["live"].sum()),
        "backtest": int((~rows["live"].astype(bool)).sum()),
        "surely_better_up_to_lead": showing.horizon(found),
        "rmse": [{"lead": lead, **row} for lead, row in rmses.to_dict("index").items()],
        "skill": found.to_dict("records"),
        "coverage": {"promised": COVERAGE, "by_lead": showing.coverages(rows).to_dict("records")},
    }


def past(  # noqa: PLR0913 - what a visitor may choose
    platform: Platform, model: ModelVersion, station: str, lead: object, since: object, until: object
) -> tuple[tuple[date, date], pd.DataFrame]:
    """Return the period that is meant, and its forecasts at one lead.

    Raises:
        UsageError: there is no such lead, a text is no date, or the dates make no period.
    """
    newest, one = showing.newest_outcome(platform, station), lead_of(lead)
    span = parse_period(str(since or ""), str(until or ""), newest, platform.world)
    rows = showing.seen(platform, model, station, span)
    return span, rows[rows["lead"] == one].reset_index(drop=True)


def judged_rows(platform: Platform, model: ModelVersion, station: str) -> pd.DataFrame:
    """Return the forecasts by which a station, or with '' all of them, are judged."""
    last = showing.newest_outcome(platform, station)
    first = last - timedelta(days=DAYS[bool(station)] - 1)
    return showing.seen(platform, model, station, (first, last))


def lead_of(given: object) -> int:
    """Return the lead that is meant.

    Raises:
        UsageError: there is no such one.
    """
    if isinstance(given, bool) or given not in LEADS:
        raise UsageError(f"lead must be a whole number of days from {LEADS[0]} to {LEADS[-1]}; got {given!r}"[:120])
    return int(str(int(given)))  # type: ignore[call-overload]


def _plain_day(row: dict[Any, Any]) -> dict[str, Any]:
    dust = float(row["pm25"])
    said = {"day": row["day"].date(), "lead": row["lead"], "pm25": dust, "us_aqi": published_aqi(dust)}
    chances = {f"above_{limit}": row[f"p{limit}"] for limit in LIMITS}
    return {**said, "class": class_of(dust).name, "low": row["low"], "high": row["high"], "probability": chances}
