"""How good forecasts of fine dust were, in words and in a table beside the baselines; air_charts draws it.

rows of forecasts and truth ──► a paragraph, errors by days ahead, how far ahead it surely beats its hardest baseline
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from markupsafe import Markup

from shared.pages import pieces
from shared.pages.words import UNKNOWN, between, percent
from shared.systems.air_quality.scores import covered, errors
from shared.systems.air_quality.showing import NAMES, coverages, horizon, rmses
from shared.systems.air_quality.tables import BASELINES

if TYPE_CHECKING:
    import pandas as pd

    from shared.ports import ModelVersion

MEANS = {
    "persistence": "as on the last day",
    "damped": "the usual for the date, and a part of the last day's deviation from it",
    "climatology": "the usual for the date",
    "recursive": "boosted trees on three days of dust and the weather, fed with their own forecasts",
    "ridge": "a straight line through the last days, season and weekday",
    "cams": "the Copernicus atmosphere service's own forecast, up to five days ahead",
}


def hindcast_words(rows: pd.DataFrame, lead: int, model: ModelVersion) -> Markup:
    """Return how good the forecasts of a period were, in a paragraph."""
    if rows.empty:
        return pieces.notice("No day of this period has both a forecast and an observation", "empty")
    live, off = int(rows["live"].sum()), errors(rows)
    said = (
        f"{len(rows)} days, forecast {_ahead(lead)}. Off by {off.abs().mean():.1f} µg/m³ on average "
        f"(root mean square {(off**2).mean() ** 0.5:.1f}); the interval held the truth on {percent(covered(rows))} of "
        f"them (promised: 90\u00a0%). {live} were really said then; {len(rows) - live} come from the backtest of "
        f"version {model.version}, fitted on earlier days alone."
    )
    return Markup("<p>{}</p>").format(said)


def errors_by_lead(rows: pd.DataFrame) -> Markup:
    """Return the root mean square error at each lead beside every baseline, on the same days."""
    shown = [
        {
            "Days ahead": lead,
            "This forecast": _number(row["pm25"]),
            **{NAMES[name]: _number(row[name]) for name in BASELINES},
        }
        for lead, row in rmses(rows).to_dict("index").items()
    ]
    named = "; ".join(f"{NAMES[name]}: {MEANS[name]}" for name in BASELINES)
    note = f"Lower is better; all on the same days, CAMS on those of which it says something. {named}."
    return pieces.table("Root mean square error (µg/m³)", shown) + Markup('<p class="al-muted">{}</p>').format(note)


def verdict(rows: pd.DataFrame, skills: pd.DataFrame, whose: str) -> Markup:
    """Return up to which day the forecast surely beats its hardest cheap baseline, and how its intervals do."""
    days, far = rows["day"].nunique(), horizon(skills)
    if far is None:
        told = f"{days} days are too few to tell how much better than its baselines the forecast of {whose} is."
    elif far:
        span = f"{far} {'day' if far == 1 else 'days'} ahead"
        told = f"For {whose}, the forecast surely beats damped persistence up to {span}."
    else:
        told = f"For {whose}, it is not sure that the forecast beats damped persistence, at any lead."
    held = coverages(rows)["value"]
    by_lead = (
        f" Intervals held {between(float(held.min()), float(held.max()))} of the time, by lead; 90\u00a0% is promised."
        * bool(len(held))
    )
    live = int(rows["live"].sum())
    counted = f" {days} days, {len(rows)} forecasts: {live} really said then, {len(rows) - live} from the backtest."
    return Markup("<p><strong>{}</strong>{}{}</p>").format(told, by_lead, counted)


def _ahead(lead: int) -> str:
    return "on the day itself" if lead == 1 else f"{lead - 1} {'day' if lead == 2 else 'days'} before"


def _number(value: float) -> str:
    return UNKNOWN if math.isnan(value) else f"{value:.2f}"
