"""What stands on the static page: the two classic pictures of a station, forecast and hindcast, and tables beside them.

Outlook ──► forecast picture over the six classes, seven days ─┐
outcomes ──► hindcast picture at lead 1, errors by lead ───────┴─► page: HTML with its style, and nothing from elsewhere
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from shared.steps.svg import Axes, band, dots, level, line, picture
from shared.systems.air_quality.scores import covered
from shared.systems.air_quality.showing import NAMES, horizon, rmses, thanks
from shared.systems.air_quality.tables import BASELINES, LIMITS
from shared.systems.air_quality.units import CLASSES, class_of, published_aqi

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    import pandas as pd

    from shared.systems.air_quality.showing import Outlook

UNIT = "µg/m³"
LEAST_TOP, ROOM = 12.0, 1.12  # µg/m³ that a picture reaches at least; above the highest value
SIMULATED = Markup('<p class="banner"><strong>Simulated data.</strong> A simulator made what is shown here.</p>')
REPLAYED = Markup('<p class="banner"><strong>Recorded data.</strong> Stored answers were played again.</p>')
BANNERS = {"demo": SIMULATED, "replay": REPLAYED}
MARK = '<meta name="generator" content="almanac">'  # by which a page is known as ours
PAGE = Markup("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="generator" content="almanac">
<link rel="icon" href="data:,"><title>{}</title><style>{}</style></head>
<body><main>{}<h1>{}</h1>
{}
</main></body></html>
""")
STYLE = Markup("""
:root { color-scheme: light dark; --ink: #1e293b; --soft: #526071; --page: #fff; --rule: #d5dae1; --blue: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8edf4; --soft: #aab6c5; --page: #0b0f19; --rule: #333e4f; --blue: #56b4e9; } }
body { margin: 0; background: var(--page); color: var(--ink); 
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 860px; margin: 0 auto; padding: 16px; }
h1 { font-size: 1.7rem; margin: 12px 0 0; } h2 { font-size: 1.15rem; margin: 28px 0 4px; }
h1, td { overflow-wrap: anywhere; }
p { margin: 4px 0; } .soft { color: var(--soft); font-size: 0.9rem; } a { color: var(--blue); }
.banner { background: #fff3cd; color: #5c4400; padding: 8px 12px; border-radius: 8px; }
.now { font-size: 1.4rem; } .swatch { display: inline-block; width: 0.8em; height: 0.8em; border-radius: 2px;
  border: 1px solid #767676; margin-right: 0.4em; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th, td { text-align: left; padding: 5px 12px 5px 0; border-bottom: 1px solid var(--rule);
  font-variant-numeric: tabular-nums; } th { font-weight: 600; vertical-align: bottom; }
.tight td { white-space: nowrap; } .tight td:first-child { white-space: normal; min-width: 7em; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font-size: 12px; }
.level { fill-opacity: 0.2; } .grid { stroke: var(--soft); stroke-opacity: 0.2; }
.expected, .said, .then { fill: none; stroke: var(--blue); stroke-width: 2.5; } .then { stroke-dasharray: 5 3; }
.range { fill: var(--blue); fill-opacity: 0.25; } .was { fill: none; stroke: var(--soft); stroke-width: 1.2; }
.own, .part, .filled { stroke: var(--ink); stroke-width: 1.5; fill: var(--ink); }
.filled { fill: var(--page); } .part { fill: #808080; }
.dot { fill: var(--blue); } .level-name { dominant-baseline: hanging; }
@media (max-width: 600px) { svg text { font-size: 21px; } }
""")
MARKS = {"history": "own", "station": "own", "station_cams": "part", "cams": "filled"}


def page(title: str, body: Markup, world: str) -> str:
    """Return a whole page, which says when its numbers are not of the live world."""
    return str(PAGE.format(title, STYLE, BANNERS.get(world, ""), title, body))


def station(look: Outlook, rows: pd.DataFrame, found: pd.DataFrame) -> Markup:
    """Return what stands on a station's page; ``found`` is skill against damped persistence."""
    first = look.forecast.to_dict("records")[0]
    one = class_of(float(first["pm25"]))
    where = f"{look.place['latitude']:.2f}°, {look.place['longitude']:.2f}°, {look.place['country']}"
    now = Markup(
        '<p class="soft">{}. Forecast of {}, by version {} of the model.</p>'
        '<p class="now"><span class="swatch" style="background:{}"></span>{}: {:.1f} µg/m³, {} (US index {:.0f})</p>'
    ).format(
        where, look.made_on, first["model_version"], one.colour, day_name(first["day"]), first["pm25"], one.name,
        published_aqi(float(first["pm25"])),
    )  # fmt: skip
    lead = rows[rows["lead"] == 1].sort_values("day")
    parts = [now, Markup("<h2>Forecast</h2>"), _forecast(look), _legend(look), _week(look), Markup("<h2>Hindcast</h2>")]
    parts += [_hindcast(lead), _hindcast_words(lead), Markup("<h2>How good?</h2>"), skill_words(found, rows)]
    return Markup("\n").join([*parts, skill_table(rows, found), saved()])


def index(looks: Mapping[str, Outlook], links: Mapping[str, str], rows: pd.DataFrame, found: pd.DataFrame) -> Markup:
    """Return the stations, each with its day and a link to its page, and how good all forecasts were."""
    listed = [
        {
            "Station": Markup('<a href="{}">{}</a>').format(links[name], look.place["name"]),
            "Country": look.place["country"],
            "Today": f"{look.forecast['pm25'].iloc[0]:.1f}",
            "Class": _class(float(look.forecast["pm25"].iloc[0])),
            "Highest of seven days": f"{look.forecast['pm25'].max():.1f}",
            "Made on": look.made_on,
        }
        for name, look in sorted(looks.items(), key=lambda item: str(item[1].place["name"]).casefold())
    ]
    parts = [Markup('<p class="soft">Daily means of PM2.5 in µg/m³.</p>'), table(listed, "tight"), saved()]
    return Markup("\n").join([*parts, Markup("<h2>How good?</h2>"), skill_words(found, rows), skill_table(rows, found)])


def skill_words(found: pd.DataFrame, rows: pd.DataFrame) -> Markup:
    """Return up to which day the forecasts surely beat damped persistence, and of how many that is said."""
    far, days = horizon(found), rows["day"].nunique()
    if far is None:
        said = "There are too few days to tell whether the forecast is better than damped persistence."
    elif far:
        said = f"The forecast surely beats damped persistence up to {far} {'day' if far == 1 else 'days'} ahead."
    else:
        said = "It is not sure that the forecast beats damped persistence, at any lead."
    live = int(rows["live"].sum())
    counted = f"{days} days: {live} forecasts were really made then, {len(rows) - live} come from a backtest."
    return Markup('<p>{}</p><p class="soft">{}</p>').format(said, counted)


def skill_table(rows: pd.DataFrame, found: pd.DataFrame) -> Markup:
    """Return the root mean square error by lead beside the baselines', and skill, with its interval if there is one."""
    sure = found.set_index("lead").to_dict("index")
    shown = [
        {
            "Days ahead": lead,
            "Forecast": f"{row['pm25']:.2f}",
            **{NAMES[name]: f"{row[name]:.2f}" if row[name] == row[name] else "–" for name in BASELINES},
            "Skill against damped": _skill({str(name): value for name, value in sure[lead].items()}),
        }
        for lead, row in rmses(rows).to_dict("index").items()
    ]
    note = "Root mean square errors in µg/m³, lower is better. Skill: the share of squared error that is gone."
    return table(shown, "tight") + Markup('<p class="soft">{}</p>').format(note)


def table(rows: Sequence[Mapping[str, object]], kind: str = "") -> Markup:
    """Return rows as a table that scrolls sideways; nothing of none."""
    if not rows:
        return Markup("")
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(name) for name in rows[0])
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(value) for value in row.values()))
        for row in rows
    )
    return Markup(
        '<div class="wide" tabindex="0"><table class="{}"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(kind, head, body)


def saved() -> Markup:
    """Return links to what stands beside every page: the forecasts as files."""
    files = '<p>All forecasts: <a href="index.html">stations</a>, <a href="forecast.csv">CSV</a>, '
    links = Markup(f'{files}<a href="forecast.json">JSON</a></p>')  # noqa: S704 - literals
    return links + Markup('<p class="soft">{}</p>').format(thanks())


def day_name(moment: pd.Timestamp) -> str:
    """Return a day as people write it."""
    return f"{moment:%a} {moment.day} {moment:%b}"


def _forecast(look: Outlook) -> Markup:
    ahead, seen = _days(look.forecast), _days(look.observed)
    highest = max([LEAST_TOP, look.forecast["high"].max(), *look.observed["pm25"]])
    axes = Axes(min([*seen, *ahead]), max(ahead), ROOM * highest, UNIT)
    was = [*zip(seen, look.observed["pm25"], strict=True)]
    origins = [*zip(was, look.observed["origin"], strict=True)]
    layers = [
        *(level(axes, one.lower, one.upper, one.colour, one.name) for one in CLASSES),
        band(axes, zip(ahead, look.forecast["low"], look.forecast["high"], strict=True), "range"),
        line(axes, was, "was"),
        line(axes, zip(ahead, look.forecast["pm25"], strict=True), "expected"),
        *(
            dots(axes, [point for point, origin in origins if MARKS[origin] == mark], mark)
            for mark in ("own", "part", "filled")
        ),
        dots(axes, zip(ahead, look.forecast["pm25"], strict=True), "dot"),
    ]
    about = f"The last {len(was)} observed days, then seven days with the interval that holds the truth 9 times in 10."
    return picture(axes, "forecast", f"Fine dust in {look.place['name']}, {UNIT}", about, layers)


def _legend(look: Outlook) -> Markup:
    filled = int((look.observed["origin"] == "cams").sum())
    part = int((look.observed["origin"] == "station_cams").sum())
    said = "Blue: the forecast, in the interval that holds the truth 9 times in 10. Dark dots: observed."
    said += f" Hollow dots ({filled} days): the CAMS model stands in." * bool(filled)
    said += f" Grey dots ({part} days): measured in part, filled up by CAMS." * bool(part)
    return Markup('<p class="soft">{}</p>').format(said)


def _week(look: Outlook) -> Markup:
    rows = [
        {
            "Day": day_name(row["day"]),
            "Expected (µg/m³)": f"{row['pm25']:.1f}",
            "US index": f"{published_aqi(float(row['pm25'])):.0f}",
            "Class": _class(float(row["pm25"])),
            "90\u00a0% interval": f"{row['low']:.1f}–{row['high']:.1f}",
            **{f"Above {limit}": _chance(row[f"p{limit}"]) for limit in LIMITS},
        }
        for row in look.forecast.to_dict("records")
    ]
    return table(rows, "tight")


def _hindcast(rows: pd.DataFrame) -> Markup:
    if rows.empty:
        return Markup('<p class="soft">No day that was forecast is over yet.</p>')
    top = ROOM * max(LEAST_TOP, rows["high"].max(), rows["observed"].max())
    days, live = _days(rows), [*rows["live"]]
    axes = Axes(days[0], days[-1], top, UNIT)
    said = [*zip(days, rows["pm25"], strict=True)]
    was = [*zip(days, rows["observed"], strict=True)]
    held = rows.dropna(subset=["low", "high"])
    layers = [
        band(axes, zip(_days(held), held["low"], held["high"], strict=True), "range"),
        *(line(axes, (one for one, is_live in zip(said, live, strict=True) if is_live is kind), name)
          for kind, name in ((False, "then"), (True, "said"))),
        line(axes, was, "was"),
        dots(axes, was, "own", 2.5),
    ]  # fmt: skip
    return picture(axes, "hindcast", "Said on the day itself, and observed", f"{len(rows)} days, {UNIT}.", layers)


def _hindcast_words(rows: pd.DataFrame) -> Markup:
    if rows.empty:
        return Markup("")
    off = (rows["pm25"] - rows["observed"]).abs().mean()
    said = f"{len(rows)} days as forecast on the day itself: off by {off:.1f} µg/m³ on average; the interval held "
    said += (
        f"{covered(rows):.0%} of them (promised: 90\u00a0%). Solid line: really said then; dashed: from a backtest. "
    )
    said += "Dots: observed."
    return Markup('<p class="soft">{}</p>').format(said)


def _skill(found: Mapping[str, float]) -> str:
    sure = "" if found["low"] != found["low"] else f" ({found['low']:.0%} to {found['high']:.0%})"
    return f"{found['value']:.0%}{sure}"


def _chance(share: float) -> str:
    return "<1\u00a0%" if share < 0.01 else f"{share * 100:.0f}\u00a0%"


def _class(pm25: float) -> Markup:
    one = class_of(pm25)
    return Markup('<span class="swatch" style="background:{}"></span>{}').format(one.colour, one.name)


def _days(rows: pd.DataFrame) -> list[date]:
    return [moment.date() for moment in rows["day"]]
