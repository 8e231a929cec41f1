"""What the page of fine dust says: figures, tables and sentences of a station, in µg/m³ and the US EPA's index.

Outlook ──► tiles, the table of seven days, CSV          Freshness ──► what the numbers rest on, what is missing
How good it was, air_skill says.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from markupsafe import Markup

from shared.pages import pieces
from shared.pages.pieces import Tile
from shared.pages.words import UNKNOWN, ago, percent, sentence, sentence_case
from shared.systems.air_quality.tables import LIMITS
from shared.systems.air_quality.units import CLASSES, class_of, published_aqi

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd

    from shared.systems.air_quality.showing import Freshness, Outlook
    from shared.systems.air_quality.units import AqiClass

LIMIT_NAMES = dict(zip(LIMITS, ("WHO's guideline", "the EU's limit from 2030", "the US standard"), strict=True))
STALE_WEATHER_DAYS = 7  # the archive is some days late; later than that it has stopped
SWATCH = Markup(
    '<span style="display:inline-block;width:0.8em;height:0.8em;border-radius:2px;margin-right:0.4em;'
    'border:1px solid rgba(118,118,118,0.6);background:{}"></span>{}'
)


def tiles(look: Outlook, today: date) -> Markup:
    """Return the day of the forecast, the worst day, the likeliest exceedance, and how old all is."""
    rows = look.forecast.to_dict("records")
    first, worst, likely = rows[0], max(rows, key=lambda row: row["pm25"]), max(rows, key=lambda row: row["p25"])
    version = f"by version {first['model_version']} of the model, {ago(look.made_on, today)}"
    return pieces.tiles(
        [
            Tile(_day(first["day"]), _dust(first["pm25"]), _told(first["pm25"])),
            Tile(f"Highest: {_day(worst['day'])}", _dust(worst["pm25"]), _told(worst["pm25"])),
            Tile("More than 25 µg/m³", percent(likely["p25"]), f"at its likeliest, on {_day(likely['day'])}"),
            Tile("Forecast made", f"{look.made_on}", version),
        ]
    )


def week(look: Outlook) -> Markup:
    """Return the seven days as a table: expected, index and class, interval, probabilities."""
    rows = [
        {
            "Day": _day(row["day"]),
            "Expected (µg/m³)": f"{row['pm25']:.1f}",
            "US index": f"{published_aqi(float(row['pm25'])):.0f}",
            "Class": _class(class_of(float(row["pm25"]))),
            "90\u00a0% interval (µg/m³)": f"{row['low']:.1f}–{row['high']:.1f}",
            **{f"Above {limit} µg/m³": percent(row[f"p{limit}"]) for limit in LIMITS},
        }
        for row in look.forecast.to_dict("records")
    ]
    limits = ", ".join(f"{limit} µg/m³: {name}" for limit, name in LIMIT_NAMES.items())
    note = f"Means of the day, of PM2.5: dust finer than 2.5 µm. {sentence_case(limits)}."
    return pieces.table("Seven days", rows) + Markup('<p class="al-muted">{}</p>').format(note)


def classes() -> Markup:
    """Return the key of the six classes, each from where the one below ends."""
    rows = [
        {
            "Class": _class(one),
            "PM2.5 (µg/m³)": f"{one.lower:g} and more" if one is CLASSES[-1] else f"{one.lower:g} to {one.upper:g}",
            "US index": f"{one.aqi_low} and more" if one is CLASSES[-1] else f"{one.aqi_low} to {one.aqi_high:g}",
            "What it means": one.advice,
        }
        for one in CLASSES
    ]
    return pieces.table("The classes of the US EPA, breakpoints of 2024", rows)


def standing_of(look: Outlook, fresh: Freshness, today: date) -> Markup:
    """Return what the station's numbers rest on, and a warning for each thing that is missing."""
    feed = look.place["feed"] if isinstance(look.place["feed"], str) else ""
    said = (
        f"Last reading of the station: {_moment(fresh)}." if feed else "No station is asked here: CAMS says the past."
    )
    own = f" Last day of its own: {_when(fresh.own_day, today)}." if feed else ""
    rest = f" Last observed day: {_when(fresh.observed_day, today)}."
    rest += f" Weather as it was, up to {fresh.archive_day or UNKNOWN}."
    line = Markup('<p class="al-freshness">{}{}{}</p>').format(said, own, rest)
    return line + Markup("").join(pieces.notice(why, "warning") for why in missing(look, fresh))


def missing(look: Outlook, fresh: Freshness) -> list[str]:
    """Return a sentence for each thing that was missing, or stood in for another, when the forecast was made."""
    stand_ins = int((look.observed["origin"] != "station").sum() - (look.observed["origin"] == "history").sum())
    own, found = isinstance(look.place["feed"], str) or fresh.own_day is not None, []
    if own and stand_ins:
        found.append(
            f"On {stand_ins} of the last {len(look.observed)} days CAMS stood in for readings, wholly or in part"
        )
    if own and fresh.own_day is not None and (days := (look.made_on - fresh.own_day).days) > 2:
        found.append(f"The station had been silent for {days} days")
    if fresh.archive_day is None or (look.made_on - fresh.archive_day).days > STALE_WEATHER_DAYS:
        found.append("The archive of weather is late: forecasts stand in for what it was")
    if fresh.note:
        found.append(f"The last daily run said: {fresh.note}")
    return found


def alerts(rows: pd.DataFrame) -> Markup:
    """Return the newest alerts as a table."""
    shown = [
        {
            "Raised (UTC)": f"{row['raised_at']:%Y-%m-%d %H:%M}",
            "About": row["kind"],
            "Station": row["station"],
            "Sent": "yes" if row["sent"] else "no",
            "What": sentence(str(row["message"])),
        }
        for row in rows.to_dict("records")
    ]
    return pieces.table("Latest alerts", shown, "No alert was raised yet.")


def csv_link(rows: pd.DataFrame, name: str, words: str) -> Markup:
    """Return a link that saves the rows as a CSV file; it carries them, so that nothing is kept on the server."""
    text = rows.to_csv(index=False, date_format="%Y-%m-%d", float_format="%.4g")
    link = '<p class="al-links"><a download="{}.csv" href="data:text/csv;charset=utf-8;base64,{}">{}</a></p>'
    return Markup(link).format(name, b64encode(text.encode()).decode(), words)  # noqa: S704 - a literal


def _day(moment: pd.Timestamp) -> str:
    return f"{moment:%a} {moment.day} {moment:%b}"


def _dust(pm25: float) -> str:
    return f"{pm25:.1f} µg/m³"


def _told(pm25: float) -> Markup:
    return Markup("US index {:.0f}: {}").format(published_aqi(float(pm25)), _class(class_of(float(pm25))))


def _class(one: AqiClass) -> Markup:
    return SWATCH.format(one.colour, one.name)


def _when(day: date | None, today: date) -> str:
    return f"{day} ({ago(day, today)})" if day else "none of late"


def _moment(fresh: Freshness) -> str:
    return f"{fresh.read_at:%Y-%m-%d %H:%M} UTC" if fresh.read_at else "none of late"
