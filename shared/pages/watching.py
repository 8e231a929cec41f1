"""What every monitor page does: two dates and three buttons choose a period, and the page fills with its figures.

    dates, other choices ──► Watched: the period ──► ``page``: the system's own figures, charts and tables

A chosen period stays in the visitor's browser alone; without one the page shows the newest 30 days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from shared.connect import open_platform
from shared.errors import NotYetError, UsageError
from shared.pages.guard import shown, shown_if
from shared.pages.period import USUAL_DAYS, parse_period
from shared.pages.standing import head

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    import pandas as pd

    from shared.ports import Platform
    from shared.tables import Table

HIDDEN = gr.update(visible=False)


@dataclass(frozen=True)
class Watched:
    """What a monitor watches. ``page`` gives its parts from (platform, first date, last date, *other choices)."""

    system: str
    predictions: Table
    nothing: str  # what is said while there is no prediction
    page: Callable[..., Sequence[Any]]

    def period(self, platform: Platform, since: str, until: str) -> tuple[date, date]:
        """Return the first and last date that a visitor means.

        Raises:
            NotYetError: nothing was predicted yet.
            UsageError: a text is no date, or the dates make no period.
        """
        times = self._times(platform)
        if times.empty:
            raise NotYetError(self.nothing)
        return parse_period(since, until, times.iloc[-1].date(), platform.world)

    def fill(self, kept: object, *chosen: object) -> list[Any]:
        """Return the whole page for the period this visitor chose before, else for the newest 30 days."""
        platform = open_platform()
        since, until = kept if isinstance(kept, list) and len(kept) == 2 else ("", "")
        try:
            first, last = self.period(platform, since, until)
        except UsageError:  # what the browser kept is no period any more; the visitor did nothing wrong
            first, last = self.period(platform, "", "")
        top = shown_if(head(platform, self.system))
        return [top, gr.update(visible=True), *self._parts(platform, first, last, *chosen)]

    def show(self, since: str, until: str, *chosen: object) -> list[Any]:
        """Return what to keep in the browser, and the figures of the period as written."""
        platform = open_platform()
        first, last = self.period(platform, since, until)
        return [[first.isoformat(), last.isoformat()], *self._parts(platform, first, last, *chosen)]

    def show_usual(self, *chosen: object) -> list[Any]:
        """Return that nothing is kept, so that the period moves on with the days, and the newest 30 days."""
        return [[], *self.show("", "", *chosen)[1:]]

    def show_all(self, *chosen: object) -> list[Any]:
        """Return what to keep, and the figures of all there is."""
        times = self._times(open_platform())
        return self.show("" if times.empty else times.iloc[0].date().isoformat(), "", *chosen)

    def show_other(self, since: str, until: str, *chosen: object) -> list[Any]:
        """Return the figures of the period as written, after another choice than that of the period."""
        return self.show(since, until, *chosen)[1:]

    def _times(self, platform: Platform) -> pd.Series:
        name = self.predictions.event_time
        return platform.features.read(self.predictions, columns=[name])[name]

    def _parts(self, platform: Platform, first: date, last: date, *chosen: object) -> list[Any]:
        return [first.isoformat(), last.isoformat(), *self.page(platform, first, last, *chosen)]


class Frame:
    """What stands around a monitor's own parts; they go below it, ``with frame.page:``, and are then ``connected``."""

    def __init__(self, system: str) -> None:
        """Put notice, head and the row of the period into the page that is being built."""
        self.kept = gr.BrowserState([], storage_key=f"almanac.{system}_monitor.period", secret="not one")  # noqa: S106
        self.top, self.notice = gr.HTML(visible=False), gr.HTML(visible=False)
        with gr.Column(visible=False) as self.page, gr.Row(elem_classes="al-period"):
            self.since = gr.Textbox(label="From", max_length=40, min_width=150, scale=2)
            self.until = gr.Textbox(label="To", max_length=40, min_width=150, scale=2)
            self.shows = gr.Button("Show", variant="primary", min_width=90)
            self.usual = gr.Button(f"Last {USUAL_DAYS} days", min_width=110)
            self.everything = gr.Button("Everything", min_width=110)

    def connected(self, demo: gr.Blocks, watched: Watched, parts: Sequence[Any], chosen: Sequence[Any] = ()) -> None:
        """Let the page fill when it opens, and its ``parts`` change with the period and the other choices."""
        quiet = {"show_progress": "hidden", "api_visibility": "private"}
        dates, parts = [self.since, self.until], [self.since, self.until, *parts]
        same = [gr.skip()] * len(parts)
        filled = {"inputs": [self.kept, *chosen], "outputs": [self.notice, self.top, self.page, *parts]}
        demo.load(shown(watched.fill, [HIDDEN, HIDDEN, *same]), **filled, **quiet)
        asked = {"outputs": [self.notice, self.kept, *parts], **quiet}
        submits = [self.shows.click, self.since.submit, self.until.submit]
        gr.on(submits, shown(watched.show, [gr.skip(), *same]), [*dates, *chosen], **asked)
        self.usual.click(shown(watched.show_usual, [gr.skip(), *same]), [*chosen], **asked)
        self.everything.click(shown(watched.show_all, [gr.skip(), *same]), [*chosen], **asked)
        for one in chosen:  # what was kept of the period stays
            one.input(shown(watched.show_other, same), [*dates, *chosen], [self.notice, *parts], **quiet)
