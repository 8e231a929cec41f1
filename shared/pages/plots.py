"""Charts that fit the page: no title of their own (the page has headings), one height, thin margins."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go

HEIGHT = 320  # px


def framed(figure: go.Figure) -> go.Figure:
    """Return the figure as the page shows it; legend below, so that it takes no width on a phone."""
    legend = {"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0}
    figure.update_layout(title=None, height=HEIGHT, margin={"l": 10, "r": 10, "t": 30, "b": 10}, legend=legend)
    figure.update_xaxes(automargin=True, fixedrange=True)  # a finger that scrolls must not zoom
    figure.update_yaxes(automargin=True, fixedrange=True)
    return figure
