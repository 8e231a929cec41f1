"""The row in which a visitor chooses a period: two dates, Show, and two buttons that each name a period.

touched ──► mark: which button, or '' for the dates as written ──► whatever is shown of the period
answer ──► told: what it was asked for, and its dates ──► the dates, unless they were touched meanwhile
a date that no answer told ──► mark: '' (Gradio's ``input`` comes of keys that write alone, not of pasting or deleting)

What is touched only writes the mark, in the browser, so that one answer at a time can write all that it is for: two
answers on their way at once might come in the wrong order.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import gradio as gr

from shared.pages.period import USUAL_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

WRITTEN, NEWEST, LONGEST = "", "newest", "longest"
PRIVATE = {"show_progress": "hidden", "api_visibility": "private"}
SETTLE = """(mark, since, until, told) => {
    const [asked, first, last] = JSON.parse(told || '[[]]');
    const same = mark === asked[0] && (mark !== '' || (since === asked[1] && until === asked[2]));
    return same ? [first, last] : [];
}"""  # under a button's mark nobody touched the dates: if they differ, an answer that came in between wrote them
TOUCHED = "(now, told) => told && now !== JSON.parse(told)[{place}] ? [''] : []"


class PeriodRow:
    """The row; ``asked`` are the inputs of what is shown of the period, ``told`` and ``mark`` its outputs."""

    def __init__(self, longest: str) -> None:
        """Put the row into the page that is being built; ``longest`` is what its last button says."""
        self.mark, self.told = (gr.Textbox(value, container=False, visible="hidden") for value in (NEWEST, ""))
        with gr.Row(elem_classes="al-period"):
            self.since = gr.Textbox("", label="From", max_length=40, min_width=150, scale=2)
            self.until = gr.Textbox("", label="To", max_length=40, min_width=150, scale=2)
            shows = gr.Button("Show", variant="primary", min_width=90)
            newest = gr.Button(f"Last {USUAL_DAYS} days", min_width=110)
            farthest = gr.Button(longest, min_width=110)
        self.asked = [self.mark, self.since, self.until]
        self._chosen = [shows.click, self.since.submit, self.until.submit, newest.click, farthest.click]
        for events, mark in (
            ([shows.click, self.since.input, self.until.input], WRITTEN),
            ([newest.click], NEWEST),
            ([farthest.click], LONGEST),
        ):
            gr.on(events, None, None, self.mark, js=f"() => '{mark}'", **PRIVATE)
        for place, one in ((1, self.since), (2, self.until)):
            one.change(None, [one, self.told], self.mark, js=TOUCHED.replace("{place}", f"{place}"), **PRIVATE)

    def connected(
        self, fill: Callable[..., Sequence[Any]], inputs: Sequence[Any], outputs: Sequence[Any], others: Sequence[Any]
    ) -> None:
        """Let ``fill`` write the outputs whenever a period was chosen, or one of the ``others`` events came.

        It alone does, and one at a time, so that what was asked last also comes last.
        """
        # What waits is asked anew by the event that came before it: by this step, not by that of another button.
        touched = gr.on([*self._chosen, *others], None, js="() => []", **PRIVATE)
        safe = {"preprocess": False, "trigger_mode": "always_last", "concurrency_limit": 1, **PRIVATE}
        self.settled(touched.then(fill, [*inputs], [*outputs], **safe))

    def settled(self, answer: Any) -> None:  # noqa: ANN401 - Gradio does not export the type of an event
        """Write the dates that an answer told, in the browser, unless others were chosen meanwhile."""
        answer.then(None, [*self.asked, self.told], [self.since, self.until], js=SETTLE, **PRIVATE)


def told(asked: Sequence[object], first: date, last: date) -> str:
    """Return what the row is told of an answer: what was asked for, and the dates that it is of.

    >>> from datetime import date
    >>> told(["newest", "", ""], date(2026, 10, 1), date(2026, 10, 30))
    '[["newest", "", ""], "2026-10-01", "2026-10-30"]'
    """
    return json.dumps([[*asked], f"{first}", f"{last}"])
