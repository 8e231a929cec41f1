"""Plotly figures for monitor pages: one function a table of ``shared.steps``, and "nothing yet" for an empty one.

Colours are Okabe and Ito's (2008, jfly.uni-koeln.de/color), which stay apart in the common colour blindnesses;
backgrounds are transparent and text is mid-grey, so a figure reads on a light page and on a dark one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

if TYPE_CHECKING:
    import pandas as pd

BLUE, ORANGE, VERMILLION = "#0072B2", "#E69F00", "#D55E00"
BAND = "rgba(0, 114, 178, 0.3)"  # BLUE, thinned
INK = "#767676"  # contrast 4.5 to white and 4.6 to black: WCAG 2.2 AA on both
GRID = "rgba(118, 118, 118, 0.25)"
CLEAR = "rgba(0, 0, 0, 0)"


def share_over_time(rolling: pd.DataFrame, baseline: float, title: str) -> go.Figure:
    """Return ``rolling_share``'s table as a line in its 95 % band, over the baseline as a dashed line."""
    if rolling.empty:
        return _nothing_yet(title)
    dates = rolling["date"].dt.strftime("%Y-%m-%d").tolist()
    figure = go.Figure(
        [
            go.Scatter(x=dates, y=rolling["high"], line_width=0, hoverinfo="skip", showlegend=False),
            go.Scatter(x=dates, y=rolling["low"], line_width=0, fill="tonexty", fillcolor=BAND, name="95 % interval"),
            go.Scatter(x=dates, y=rolling["value"], line_color=BLUE, mode="lines+markers", name="model"),
        ]
    )
    if not math.isnan(baseline):
        level = {"x": [dates[0], dates[-1]], "y": [baseline, baseline]}
        figure.add_scatter(**level, line={"color": ORANGE, "dash": "dash"}, mode="lines", name="baseline")
    return _layout(figure, title, x={"title": "date (UTC)"}, y={"title": "share right (%)", **_PERCENT})


def confusion_heatmap(counts: pd.DataFrame) -> go.Figure:
    """Return ``confusion``'s table as a heat map with the counts in its cells, the first class on top."""
    title = "Guesses by true class"
    if counts.to_numpy().sum() == 0:
        return _nothing_yet(title)
    axes = {"x": counts.columns.tolist(), "y": counts.index.tolist(), "z": counts.to_numpy().tolist()}
    shades = [[0, "#FFFFFF"], [1, BLUE]]  # opaque: plotly picks black or white for the number from the cell's colour
    cells = go.Heatmap(**axes, colorscale=shades, zmin=0, texttemplate="%{z}", showscale=False, xgap=2, ygap=2)
    return _layout(go.Figure(cells), title, x={"title": "guess"}, y={"title": "truth", "autorange": "reversed"})


def calibration_curve(table: pd.DataFrame) -> go.Figure:
    """Return ``calibration``'s table as points with 95 % bars, over the diagonal of perfect calibration."""
    title, filled = "Calibration", table[table["count"] > 0]
    if filled.empty:
        return _nothing_yet(title)
    above, below = filled["high"] - filled["value"], filled["value"] - filled["low"]
    bars = {"type": "data", "array": above, "arrayminus": below, "color": BLUE}
    points = {"x": filled["confidence"], "y": filled["value"], "text": [f"{count} rows" for count in filled["count"]]}
    figure = go.Figure(
        [
            go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": ORANGE, "dash": "dash"}, name="as promised"),
            go.Scatter(**points, error_y=bars, mode="markers", marker={"color": BLUE, "size": 9}, name="model"),
        ]
    )
    x = {"title": "mean probability of the guess (%)", **_PERCENT}
    return _layout(figure, title, x=x, y={"title": "share right (%)", **_PERCENT})


def drift_bars(table: pd.DataFrame) -> go.Figure:
    """Return ``drift``'s table as one bar a column: its shift, coloured where it drifted, with the note beside it."""
    title = "Shift of recent rows"
    if table.empty:
        return _nothing_yet(title)
    figure = go.Figure()
    for drifted, colour, name in ((False, BLUE, "as before"), (True, VERMILLION, "drifted")):
        rows = table[table["drifted"] == drifted]
        places = {"x": rows["shift"].fillna(0.0), "y": rows["column"], "text": rows["note"]}
        figure.add_bar(**places, orientation="h", marker_color=colour, name=name, textposition="outside")
    y = {"title": "column", "categoryarray": table["column"].tolist(), "autorange": "reversed", "showgrid": False}
    return _layout(figure, title, x={"title": "shift (reference standard deviations)"}, y=y)


_PERCENT = {"range": [0, 1.02], "tickformat": ".0%"}
_INKED = {"font_color": INK, "modebar_color": INK, "modebar_activecolor": BLUE}


def _layout(figure: go.Figure, title: str, x: dict[str, Any], y: dict[str, Any]) -> go.Figure:
    clear = {"paper_bgcolor": CLEAR, "plot_bgcolor": CLEAR, "modebar_bgcolor": CLEAR}
    figure.update_layout(title=title, margin={"l": 60, "r": 20, "t": 50, "b": 50}, **clear, **_INKED)
    lines = {"gridcolor": GRID, "zerolinecolor": GRID, "ticks": "outside", "tickcolor": CLEAR}  # ticks only for room
    figure.update_xaxes(**lines, **x)
    figure.update_yaxes(**lines, **y)
    return figure


def _nothing_yet(title: str) -> go.Figure:
    figure = _layout(go.Figure(), title, x={"visible": False}, y={"visible": False})
    return figure.add_annotation(text="nothing yet", showarrow=False, font={"size": 18, "color": INK})
