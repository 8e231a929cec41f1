"""Charts of fine dust: the days before and ahead over the six classes, hindcasts, skill, coverage, importance.

Days are calendar days, so an axis of days has no hours. Colours as ``steps.charts``; the classes' are the EPA's,
thinned so that lines and text stay readable on a light page and on a dark one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from shared.pages.plots import framed
from shared.steps.charts import BAND, BLUE, CLEAR, GRID, INK, ORANGE, VERMILLION
from shared.systems.air_quality.blend import COVERAGE
from shared.systems.air_quality.units import CLASSES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from shared.systems.air_quality.showing import Outlook

GREEN, PURPLE, SKY = "#009E73", "#CC79A7", "#56B4E9"  # of Okabe and Ito, too
SERIES = dict(
    zip(
        ("damped", "persistence", "climatology", "recursive", "ridge", "cams"),
        (BLUE, SKY, GREEN, VERMILLION, ORANGE, PURPLE),
        strict=True,
    )
)
THIN = 0.16  # of the classes' colours
ROOM = 1.12  # above the highest value
STAND_INS = {  # how a day came to be: its name, its mark
    ("history", "station"): ("measured", "circle"),
    ("station_cams",): ("measured in part, filled up by CAMS", "diamond"),
    ("cams",): ("CAMS's estimate", "circle-open"),
}
_BAND = {"line_width": 0, "mode": "lines", "hoverinfo": "skip"}
DAY_MS = 86_400_000
_DATES = {"type": "date", "tickformat": "%-d %b"}
_DUST = {"title": "PM2.5 (µg/m³)"}


def forecast_chart(look: Outlook) -> go.Figure:
    """Return the observed days and the forecast in its band, over the classes; the days that CAMS filled are marked."""
    ahead, days = look.forecast, _dates(look.forecast["day"])
    figure = go.Figure()
    _add_band(figure, ahead, BAND, f"{COVERAGE:.0%} interval")
    _add_observed(figure, look.observed)
    expected = {"x": days, "y": ahead["pm25"], "mode": "lines+markers", "name": "forecast"}
    figure.add_scatter(**expected, line={"color": BLUE, "width": 3}, hovertemplate="%{y:.1f} µg/m³")
    top = ROOM * max(12.0, ahead["high"].max(), look.observed["pm25"].max() if len(look.observed) else 0.0)
    _add_classes(figure, top)
    return _laid(figure, {**_DUST, "range": [0, top], "showgrid": False}, height=400)


def hindcast_chart(rows: pd.DataFrame) -> go.Figure:
    """Return what was said of each day, live and in the backtest apart, beside what was then observed."""
    if rows.empty:
        return framed(_empty(), 400)
    figure = go.Figure()
    for live, colour, name in ((False, ORANGE, "from the backtest"), (True, BLUE, "really said then")):
        part = _whole(rows[rows["live"] == live])
        if part.empty:
            continue
        _add_band(figure, part, _thinned(colour, 0.22), f"{COVERAGE:.0%} interval, {name}")
        dates = {"x": _dates(part["day"]), "y": part["pm25"], "hovertemplate": "%{y:.1f} µg/m³"}
        figure.add_scatter(**dates, line={"color": colour, "width": 2}, mode="lines", name=f"forecast, {name}")
    was = _whole(rows)
    dots = {"mode": "lines+markers", "marker": {"size": 5, "color": INK}, "line": {"color": INK, "width": 1}}
    figure.add_scatter(x=_dates(was["day"]), y=was["observed"], name="observed", **dots)
    daily = {"dtick": DAY_MS} if len(was) <= 10 else {}  # else plotly writes the same date at several hours
    return _laid(figure, {**_DUST, "rangemode": "tozero"}, x={**_DATES, **daily}, height=400)


def skill_chart(skills: pd.DataFrame, names: Mapping[str, str]) -> go.Figure:
    """Return ``showing.skills`` as a line with 95 % bars for each baseline; above 0 the forecast is better.

    A baseline of which too few days are known for an interval is left out, unless none has one.
    """
    if skills.empty:
        return framed(_empty(), 400)
    sure = skills[skills["low"].notna()]
    skills = sure if len(sure) else skills
    figure = go.Figure()
    present = [name for name in SERIES if name in {*skills["baseline"]}]
    for place, name in enumerate(present):
        part = skills[skills["baseline"] == name]
        off = 0.08 * (place - (len(present) - 1) / 2)  # so that bars stand beside each other
        bars: dict[str, object] = {
            "type": "data",
            "array": part["high"] - part["value"],
            "arrayminus": part["value"] - part["low"],
        }
        bars |= {"color": SERIES[name], "thickness": 1.2, "width": 2}
        line = {"x": part["lead"] + off, "y": part["value"], "line": {"color": SERIES[name]}, "error_y": bars}
        told = {"mode": "lines+markers", "name": names[name], "hovertemplate": "%{y:.0%}"}
        figure.add_scatter(**line, **told)
    figure.add_hline(0, line={"color": INK, "width": 1.5})
    lowest = max(-1.0, min(-0.05, skills["low"].min() - 0.02, skills["value"].min() - 0.05))
    y = {"title": "error removed (%)", "tickformat": ".0%", "range": [lowest, 1.0]}
    return _laid(figure, y, x={"title": "days ahead (1: the day of the forecast)", "dtick": 1}, height=400)


def coverage_chart(coverages: pd.DataFrame) -> go.Figure:
    """Return ``showing.coverages`` as points with 95 % bars, over what is promised."""
    if coverages.empty:
        return framed(_empty())
    above, below = coverages["high"] - coverages["value"], coverages["value"] - coverages["low"]
    bars = {"type": "data", "array": above, "arrayminus": below, "color": BLUE}
    points = {"x": coverages["lead"], "y": coverages["value"], "error_y": bars, "mode": "markers"}
    figure = go.Figure(go.Scatter(**points, marker={"color": BLUE, "size": 10}, name="held the truth"))
    level = {"x": [0.6, 7.4], "y": [COVERAGE] * 2, "mode": "lines", "line": {"color": ORANGE, "dash": "dash"}}
    figure.add_scatter(**level, name=f"promised: {COVERAGE:.0%}", hoverinfo="skip")
    lowest = min(0.5, coverages["low"].min(), coverages["value"].min())
    y = {"title": "intervals that held (%)", "tickformat": ".0%", "range": [max(0, lowest - 0.05), 1.01]}
    return _laid(figure, y, x={"title": "days ahead", "dtick": 1}, height=400)


def importance_chart(shares: Sequence[tuple[str, str, float]], groups: Sequence[str]) -> go.Figure:
    """Return every (group, name, share) as a bar, the longest on top, coloured by group."""
    if not shares:
        return framed(_empty())
    ordered = sorted(shares, key=lambda one: -one[2])
    figure = go.Figure()
    for group, colour in zip(groups, (BLUE, ORANGE, GREEN, PURPLE), strict=True):
        mine = [(name, share) for kind, name, share in ordered if kind == group]
        places = {"x": [share for _, share in mine], "y": [name for name, _ in mine], "orientation": "h"}
        texts = {"text": [f"{share:.1%}" for _, share in mine], "textposition": "outside", "cliponaxis": False}
        figure.add_bar(**places, **texts, name=group, marker={"color": colour, "line_width": 0}, hoverinfo="skip")
    y = {"type": "category", "categoryarray": [name for _, name, _ in ordered], "autorange": "reversed"}
    x = {"title": "share (%)", "tickformat": ".0%", "range": [0, 1.3 * ordered[0][2]]}
    height = 90 + 19 * len(ordered)  # px: a line of text a bar
    return _laid(figure, {**y, "dtick": 1, "showgrid": False}, x=x, height=height).update_layout(bargap=0.25)


def _add_observed(figure: go.Figure, observed: pd.DataFrame) -> None:
    line = {"x": _dates(observed["day"]), "y": observed["pm25"], "mode": "lines", "hoverinfo": "skip"}
    figure.add_scatter(**line, line={"color": INK, "width": 1.5}, showlegend=False)
    for origins, (name, mark) in STAND_INS.items():
        part = observed[observed["origin"].isin(origins)]
        if len(part):
            dots = {"x": _dates(part["day"]), "y": part["pm25"], "mode": "markers", "name": name}
            marker = {"symbol": mark, "size": 8, "color": INK, "line_width": 2}
            figure.add_scatter(**dots, marker=marker, hovertemplate="%{y:.1f} µg/m³")


def _add_classes(figure: go.Figure, top: float) -> None:
    """Draw the classes below ``top``, each from where the one below ends."""
    for one in CLASSES:
        if one.lower >= top:
            break
        figure.add_hrect(
            one.lower, min(one.upper, top), fillcolor=_thinned(one.colour, THIN), line_width=0, layer="below"
        )
        if min(one.upper, top) - one.lower > 0.06 * top:
            at = {"x": 0.005, "xref": "paper", "xanchor": "left", "y": min(one.upper, top), "yanchor": "top"}
            figure.add_annotation(text=one.name, showarrow=False, font={"size": 11, "color": INK}, **at)


def _add_band(figure: go.Figure, rows: pd.DataFrame, colour: str, name: str) -> None:
    days = _dates(rows["day"])
    figure.add_scatter(x=days, y=rows["high"], showlegend=False, **_BAND)
    figure.add_scatter(x=days, y=rows["low"], fill="tonexty", fillcolor=colour, name=name, **_BAND)


def _whole(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with a blank one on days that are missing, so that no line is drawn across them."""
    return rows.set_index("day").asfreq("D").reset_index() if len(rows) else rows


def _dates(days: pd.Series) -> list[str]:
    return [f"{day:%Y-%m-%d}" for day in days]


def _thinned(colour: str, opacity: float) -> str:
    """Return a colour such as #0072B2 as plotly's rgba.

    >>> _thinned("#0072B2", 0.5)
    'rgba(0, 114, 178, 0.5)'
    """
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"


def _laid(
    figure: go.Figure, y: Mapping[str, object], x: Mapping[str, object] | None = None, height: int = 320
) -> go.Figure:
    clear = {"paper_bgcolor": CLEAR, "plot_bgcolor": CLEAR, "modebar_bgcolor": CLEAR, "font_color": INK}
    figure.update_layout(**clear, hovermode="closest")
    lines = {"gridcolor": GRID, "zerolinecolor": GRID, "ticks": "outside", "tickcolor": CLEAR}
    figure.update_xaxes(**lines, **(_DATES if x is None else x))
    figure.update_yaxes(**lines, **y)
    return framed(figure, height)


def _empty() -> go.Figure:
    figure = go.Figure().add_annotation(text="nothing yet", showarrow=False, font={"size": 18, "color": INK})
    figure.update_layout(paper_bgcolor=CLEAR, plot_bgcolor=CLEAR, xaxis_visible=False, yaxis_visible=False)
    return figure
