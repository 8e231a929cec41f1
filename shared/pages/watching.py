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
from shared.pages.period import parse_period
from shared.pages.period_row import LONGEST, NEWEST, PRIVATE, WRITTEN, PeriodRow, told
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
            since = ""
            first, last = self.period(platform, "", "")
        top, mark = shown_if(head(platform, self.system)), WRITTEN if since else NEWEST
        row = [mark, told([mark, "", ""], first, last)]
        return [top, gr.update(visible=True), *row, *self.page(platform, first, last, *chosen)]

    def show(self, mark: str, since: str, until: str, *chosen: object) -> list[Any]:
        """Return what to keep in the browser, what the row is told, and the figures of the period that is marked.

        Nothing is kept of the newest 30 days, so that the period moves on with the days.
        """
        platform = open_platform()
        begin, end = {WRITTEN: (since, until), LONGEST: (self._oldest(platform), "")}.get(mark, ("", ""))
        first, last = self.period(platform, begin, end)
        kept = [] if mark == NEWEST else [first.isoformat(), last.isoformat()]
        return [kept, told([mark, since, until], first, last), *self.page(platform, first, last, *chosen)]

    def _oldest(self, platform: Platform) -> str:
        """Return the date of the first prediction, '' while there is none."""
        times = self._times(platform)
        return "" if times.empty else times.iloc[0].date().isoformat()

    def _times(self, platform: Platform) -> pd.Series:
        name = self.predictions.event_time
        return platform.features.read(self.predictions, columns=[name])[name]


class Frame:
    """What stands around a monitor's own parts; they go below it, ``with frame.page:``, and are then ``connected``."""

    def __init__(self, system: str) -> None:
        """Put notice, head and the row of the period into the page that is being built."""
        self.kept = gr.BrowserState([], storage_key=f"almanac.{system}_monitor.period", secret="not one")  # noqa: S106
        self.top, self.notice = gr.HTML(visible=False), gr.HTML(visible=False)
        with gr.Column(visible=False) as self.page:
            self.period = PeriodRow("Everything")

    def connected(self, demo: gr.Blocks, watched: Watched, parts: Sequence[Any], chosen: Sequence[Any] = ()) -> None:
        """Let the page fill when it opens, and its ``parts`` change with the period and the other choices."""
        row, same = self.period, [gr.skip()] * len(parts)
        filled = [self.notice, self.top, self.page, row.mark, row.told, *parts]
        fill = shown(watched.fill, [HIDDEN, HIDDEN, gr.skip(), gr.skip(), *same])
        row.settled(demo.load(fill, [self.kept, *chosen], filled, **PRIVATE))
        show, changed = shown(watched.show, [gr.skip(), gr.skip(), *same]), [self.notice, self.kept, row.told, *parts]
        row.connected(show, [*row.asked, *chosen], changed, [one.input for one in chosen])
