"""Two models side by side without their names: asked the same, drawn left and right by lot, named after the vote.

question ──► two answers in lockstep ──► Round, which the server keeps until the vote ──► Opinion ──► FEEDBACK
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from markupsafe import Markup

from shared.errors import AlmanacError, UsageError
from shared.pages import pieces
from shared.pages.words import percent, sure_of
from shared.systems.assistant.monitoring import Opinion, duels, thumbs
from shared.systems.assistant.tables import FEEDBACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.chat import Message
    from shared.pages.chat_progress import Heard
    from shared.ports import Platform

LEFT, RIGHT, TIE = "A is better", "B is better", "No difference"
VOTES = (LEFT, TIE, RIGHT)


@dataclass(frozen=True)
class Round:
    """Two whole answers to one question, A's first, and which models gave them."""

    asked: Sequence[Message]
    answers: tuple[str, str]
    models: tuple[str, str]

    def opinion(self, vote: str, visitor: str) -> Opinion:
        """Return the vote as a preference.

        Raises:
            UsageError: it is none of VOTES, or the answers are the same.
        """
        if vote not in VOTES:
            raise UsageError(f"a vote is one of: {', '.join(VOTES)}")
        if vote != TIE and self.answers[0] == self.answers[1]:
            raise UsageError(f"both answers are the same: vote {TIE!r}")
        first, second = (1, 0) if vote == RIGHT else (0, 1)
        texts, names = (self.answers[first], self.answers[second]), (self.models[first], self.models[second])
        return Opinion(visitor, self.asked, "tie" if vote == TIE else "better", *texts, *names, blind=True)

    def named(self, kept: str) -> Markup:
        """Return which model was which, and whether the vote was kept."""
        words = "A was <strong>{}</strong>, B was <strong>{}</strong>. {}"
        return Markup(f'<p class="al-about" role="status">{words}</p>').format(*self.models, kept)  # noqa: S704 - literal


def lockstep(one: Iterator[Heard], other: Iterator[Heard]) -> Iterator[tuple[Heard, Heard]]:
    """Yield both answers so far, neither ahead of the other by much, so that speed tells no names."""
    left = right = None
    for new in zip_longest(one, other):
        left, right = new[0] or left, new[1] or right
        if left and right:
            yield left, right


def tally(platform: Platform) -> Markup:
    """Return how the votes stand, with what may be concluded from them."""
    try:
        feedback = platform.features.read(FEEDBACK)
    except AlmanacError as failure:
        return pieces.notice(f"the votes cannot be read: {failure}", "warning")
    told = [Markup("<li>{}.</li>").format(duel.told) for duel in duels(feedback)]
    nothing = Markup('<p class="al-muted">Nobody has compared two models yet.</p>')
    said = Markup("<ul>{}</ul>").format(Markup("").join(told)) if told else nothing
    rows = [
        {"Model": name, "Visitors": share.count, "Up": percent(share.value), "How sure": sure_of(share)}
        for name, share in thumbs(feedback).items()
    ]
    about = "Blind votes; a visit counts once a pair of models, and once a model for thumbs, however often it voted."
    thumbed = pieces.table("Thumbs in the chat", rows, "Nobody has given a thumb yet.")
    return pieces.parts([pieces.heading("Which model do visitors prefer?", about), said, thumbed])
