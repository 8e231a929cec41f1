"""Two models side by side as part of a page: a question, answers A and B, a vote, the names.

question ──► two models by lot ──► both answers in lockstep ──► Round ──► vote ──► names, FEEDBACK, the tally
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator  # Gradio reads the hints of handlers
from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import Markup

from shared.connect import open_platform
from shared.errors import UsageError
from shared.pages import chat_events, chat_models, pieces
from shared.pages.chat_duel import VOTES, Round, lockstep, tally
from shared.pages.chat_events import ASKING, BUSY, HIDDEN, SEND, WAITING, How, waiting
from shared.pages.chat_progress import heard
from shared.pages.chat_tab import AT_ONCE, QUIET, talk
from shared.pages.closed import STAYS
from shared.pages.guard import shown, shown_if, streamed
from shared.pages.talking import MOST_CHARACTERS, as_shown, asked

if TYPE_CHECKING:
    from shared.pages.visitors import Visitors

KEPT_S = 3600  # for how long an unvoted round is remembered
ABOUT = "Both are asked the same. Which is which is drawn by lot, and told once you have voted; the vote is kept."


class CompareTab:
    """The components; ``rows`` is shown where there are two models, ``alone`` where there are not."""

    def __init__(self, visitors: Visitors, settings: list[Any]) -> None:
        """Build it inside the Blocks that are being built; ``settings`` are those of ``chat_tab``."""
        self._visitors = visitors
        self.alone = gr.HTML(visible=False)
        with gr.Column(visible=False) as self.rows:
            gr.HTML(pieces.heading("Which answer is better?", ABOUT))
            self._against = gr.Dropdown([], label="What serves, against", interactive=True)
            self._trouble, self._round = gr.HTML(visible=False), gr.State(None, time_to_live=KEPT_S)
            self._box = gr.Textbox(
                label="A question to both", max_length=MOST_CHARACTERS, lines=1, max_lines=8, submit_btn=SEND
            )
            with gr.Row():
                self._sides = [
                    talk(f"Answer {name}", height=340, min_width=300, feedback_options=None, autoscroll=False)
                    for name in "AB"
                ]
            self._said = gr.HTML()
            with gr.Row(visible=False) as self._votes:
                buttons = [gr.Button(vote, size="sm", min_width=90) for vote in VOTES]
        self.tally = gr.HTML()
        self.filled = [self.rows, self.alone, self._against, self._box, self.tally]
        self._connect(settings, buttons)

    @staticmethod
    def fill() -> list[Any]:
        """Return what ``filled`` shows: whom the champion can be compared with, or why nobody, and how votes stand.

        And that a question in the box stays.
        """
        rivals = chat_models.rivals()
        why = chat_models.alone() if not rivals else Markup("")
        chosen = {**STAYS, **gr.update(choices=rivals, value=rivals[0][1] if rivals else None)}
        return [gr.update(visible=bool(rivals)), shown_if(why), chosen, STAYS, tally(open_platform())]

    def _connect(self, settings: list[Any], buttons: list[gr.Button]) -> None:
        heard_by = [self._trouble, self._box, *self._sides, self._said, self._votes, self._round]
        failed = [*[gr.skip()] * 3, "", *[gr.skip()] * 2]  # nothing is waited for any more
        asking = {"preprocess": False, "concurrency_limit": AT_ONCE, "concurrency_id": "answers", **QUIET}
        started = self._box.submit(
            streamed(self._compare, failed, daily=False), [self._box, self._against, *settings], heard_by, **asking
        )
        # Only now, as the stream's last values are sent once more when it ends, over what a quick vote has shown.
        started.then(votable, [self._box, self._round], [self._box, self._votes], **QUIET)
        stopped = self._box.stop(None, None, None, cancels=[started], **QUIET)
        stopped.then(lambda: [WAITING, "Stopped."], None, [self._box, self._said], **QUIET)
        voted = [self._trouble, self._said, self._votes, self.tally, self._round]
        for button in buttons:
            button.click(shown(self._vote, [gr.skip()] * 4), [button, self._round], voted, **QUIET)

    def _compare(
        self, request: gr.Request, question: object, against: object, *settings: object
    ) -> Iterator[list[Any]]:
        """Yield both answers so far; a Round once both are whole."""
        self._visitors.admit(request)
        names = secrets.SystemRandom().sample(chat_models.pair(against), 2)
        how = How(None, *settings)
        messages, sampling = asked(how.system, [], question), how.sampling
        yield [ASKING, [], [], "Both are reading the question.", HIDDEN, None]
        chats = [chat_models.opened(name) for name in names]
        texts: tuple[str, str] = ("", "")
        for both in lockstep(*(heard(chat.stream(messages, sampling)) for chat in chats)):
            texts = (both[0].text, both[1].text)
            sides = [as_shown([{"role": "user", "content": messages[-1]["content"]}, *_answer(text)]) for text in texts]
            yield [BUSY, *sides, "", HIDDEN, None]
        if not all(texts):
            raise UsageError("one of the two had nothing to say: ask something else")
        of = Round(messages, texts, (chats[0].name, chats[1].name))
        yield [BUSY, gr.skip(), gr.skip(), "", HIDDEN, of]

    def _vote(self, request: gr.Request, vote: str, of: Round | None) -> list[Any]:
        """Return which model was which, and how the votes stand."""
        if of is None:
            raise UsageError("that vote came too late or twice: ask both again")
        kept = chat_events.kept(of.opinion(vote, self._visitors.admit(request)))
        return [of.named(kept), HIDDEN, tally(open_platform()), None]


def votable(box: str, of: Round | None) -> list[Any]:
    """Return the box for the next question, and the votes where there is something to vote on."""
    return [waiting(box, of.asked[-1]["content"]) if of else WAITING, gr.update(visible=of is not None)]


def _answer(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}] if text else []
