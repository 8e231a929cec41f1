"""Charts that fit the page: no title of their own (the page has headings), one height, thin margins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from shared.pages.pieces import heading

if TYPE_CHECKING:
    import plotly.graph_objects as go

HEIGHT = 320  # px


def chart(title: str, about: str) -> gr.Plot:
    """Return the place of a chart, below a heading with a line that says how to read it."""
    with gr.Column(min_width=320):
        gr.HTML(heading(title, about))
        return gr.Plot(show_label=False, container=False)


def framed(figure: go.Figure, height: int = HEIGHT) -> go.Figure:
    """Return the figure as the page shows it; legend above, so that it takes no width on a phone."""
    legend = {"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0}
    figure.update_layout(title=None, height=height, margin={"l": 10, "r": 10, "t": 30, "b": 10}, legend=legend)
    figure.update_xaxes(automargin=True, fixedrange=True)  # a finger that scrolls must not zoom
    figure.update_yaxes(automargin=True, fixedrange=True)
    return figure
