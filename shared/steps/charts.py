"""Plotly figures for monitor pages: one function a table of ``shared.steps``, and "nothing yet" for an empty one.

Colours are Okabe and Ito's (2008, jfly.uni-koeln.de/color), which stay apart in the common colour blindnesses;
backgrounds are transparent and text is mid-grey, so a figure reads on a light page and on a dark one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from shared.steps.scoring import Share

BLUE, ORANGE, VERMILLION = "#0072B2", "#E69F00", "#D55E00"
PALE = "rgba(0, 114, 178, 0.45)"  # BLUE, thinned
BAND = "rgba(0, 114, 178, 0.3)"  # BLUE, thinner
INK = "#767676"  # contrast 4.5 to white and 4.6 to black: WCAG 2.2 AA on both
GRID = "rgba(118, 118, 118, 0.25)"
CLEAR = "rgba(0, 0, 0, 0)"


def share_over_time(rolling: pd.DataFrame, baseline: float, title: str) -> go.Figure:
    """Return ``rolling_share``'s table as a line in its 95 % band, over the baseline as a dashed line."""
    return _over_time(rolling, baseline, title, {"title": "share right (%)", **_PERCENT})


def mean_over_time(rolling: pd.DataFrame, baseline: float, title: str, loss: str) -> go.Figure:
    """Return ``rolling_mean``'s table as a line in its 95 % band, over the baseline; ``loss`` names the axis."""
    return _over_time(rolling, baseline, title, {"title": loss, "rangemode": "tozero"})


def _over_time(rolling: pd.DataFrame, baseline: float, title: str, y: dict[str, Any]) -> go.Figure:
    if rolling.empty:
        return _nothing_yet(title)
    dates = rolling["date"].dt.strftime("%Y-%m-%d").tolist()
    sure = rolling["low"].notna()  # of a single loss there is no interval
    within = [date for date, known in zip(dates, sure, strict=True) if known]
    band = {"x": within, "line_width": 0, "mode": "lines"}
    figure = go.Figure(
        [
            go.Scatter(y=rolling.loc[sure, "high"], hoverinfo="skip", showlegend=False, **band),
            go.Scatter(y=rolling.loc[sure, "low"], fill="tonexty", fillcolor=BAND, name="95 % interval", **band),
            go.Scatter(x=dates, y=rolling["value"], line_color=BLUE, mode="lines+markers", name="model"),
        ]
    )
    if not math.isnan(baseline):
        level = {"x": [dates[0], dates[-1]], "y": [baseline, baseline]}
        figure.add_scatter(**level, line={"color": ORANGE, "dash": "dash"}, mode="lines", name="baseline")
    return _layout(figure, title, x={"title": "date (UTC)"}, y=y)


def confusion_heatmap(counts: pd.DataFrame) -> go.Figure:
    """Return ``confusion``'s table as a heat map with the counts in its cells, the first class on top."""
    title = "Guesses by true class"
    if counts.to_numpy().sum() == 0:
        return _nothing_yet(title)
    axes = {"x": counts.columns.tolist(), "y": counts.index.tolist(), "z": counts.to_numpy().tolist()}
    shades = [[0, "#FFFFFF"], [1, BLUE]]  # opaque: plotly picks black or white for the number from the cell's colour
    downwards = {"autorange": "reversed", **_NAMED}
    cells = go.Heatmap(**axes, colorscale=shades, zmin=0, texttemplate="%{z}", showscale=False, xgap=2, ygap=2)
    return _layout(go.Figure(cells), title, x={"title": "guess", **_NAMED}, y={"title": "truth", **downwards})


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


def coverage_bars(by_class: Mapping[int, Share], promised: float, name: str) -> go.Figure:
    """Return each class's coverage as a bar with its 95 % interval, over what was promised; no bar of no rows.

    ``name`` is what a class is called; below each stands how many rows it has.
    """
    title, places = "Coverage", [str(one) for one in by_class]
    if not any(share.count for share in by_class.values()):
        return _nothing_yet(title)
    known = {str(one): share for one, share in by_class.items() if share.count}
    above, below = zip(*((one.high - one.value, one.value - one.low) for one in known.values()), strict=True)
    bars = {"type": "data", "array": above, "arrayminus": below, "color": BLUE}
    tops = {"x": [*known], "y": [one.value for one in known.values()]}
    figure = go.Figure(go.Bar(**tops, error_y=bars, marker=_PALER, name="model"))
    level = {"x": [places[0], places[-1]], "y": [promised, promised]}
    figure.add_scatter(**level, line={"color": ORANGE, "dash": "dash"}, mode="lines", name="as promised")
    counted = [f"{place}<br>({share.count})" for place, share in zip(places, by_class.values(), strict=True)]
    x = {"categoryarray": places, "tickvals": places, "ticktext": counted, "range": [-0.5, len(places) - 0.5], **_NAMED}
    return _layout(
        figure,
        title,
        x={"title": name, "showgrid": False, **x},
        y={"title": "intervals that held the truth (%)", **_PERCENT},
    )


def probability_bars(probabilities: Mapping[int, float], said: int, name: str) -> go.Figure:
    """Return the probability of each class, in order, as a bar; the one that was ``said`` in a colour of its own."""
    places, shares = [str(one) for one in probabilities], [*probabilities.values()]
    colours = {"color": [BLUE if one == said else PALE for one in probabilities], "line_width": 0}
    texts = {"text": [f"{share:.0%}" for share in shares], "textposition": "outside", "cliponaxis": False}
    figure = go.Figure(go.Bar(x=places, y=shares, marker=colours, **texts))
    y = {"title": "probability (%)", "tickformat": ".0%", "range": [0, 1.15 * max(shares)]}
    return _layout(figure, "Probability", x={"title": name, "showgrid": False, **_NAMED}, y=y)


def shift_bars(labels: Sequence[str], shifts: Sequence[float], unit: str) -> go.Figure:
    """Return how far each input moved a prediction, as bars to the right and to the left, the longest on top."""
    title = "What moved the prediction"
    if not len(labels):
        return _nothing_yet(title)
    ordered = sorted(zip(labels, shifts, strict=True), key=lambda one: -abs(one[1]))
    figure = go.Figure()
    for colour, name, sign in ((BLUE, "up", 1), (VERMILLION, "down", -1)):
        mine = [(label, shift) for label, shift in ordered if (shift >= 0) == (sign > 0)]
        places = {"x": [shift for _, shift in mine], "y": [label for label, _ in mine]}
        texts = {"text": [_signed(shift) for _, shift in mine], "textposition": "outside", "cliponaxis": False}
        figure.add_bar(**places, **texts, orientation="h", marker={"color": colour, "line_width": 0}, name=name)
    ends = min(0.0, *(shift for _, shift in ordered)), max(1e-9, *(shift for _, shift in ordered))
    room = 0.3 * (ends[1] - ends[0])  # for the numbers beside the bars
    x = {"title": f"shift ({unit})", "range": [ends[0] - room * (ends[0] < 0), ends[1] + room]}
    y = {"title": "input", "categoryarray": [label for label, _ in ordered], "autorange": "reversed", **_NAMED}
    return _layout(figure, title, x=x, y={**y, "showgrid": False})


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


def _signed(shift: float) -> str:
    """Return a shift with two digits and its sign, none for what rounds to nothing."""
    return f"{shift:+.2f}".replace("-", "−") if abs(shift) >= 0.005 else "0.00"


_PALER = {"color": PALE, "line_width": 0}
_NAMED = {"type": "category"}  # numbers that are names, such as grades, stay apart evenly
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
