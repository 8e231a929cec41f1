"""What the chat does when somebody asks, asks again, edits, goes on or gives a thumb: Gradio's values in, updates out.

Every answer goes through ``reply``, whoever asked for it: box, conversation, status and the button Continue.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import Markup

from shared.chat import Sampling
from shared.connect import open_platform
from shared.errors import AlmanacError, UsageError
from shared.pages import chat_models
from shared.pages.chat_progress import heard, status
from shared.pages.talking import GO_ON, as_asked, as_shown, asked
from shared.runs import now
from shared.systems.assistant.monitoring import Opinion, keep

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.chat import Chat, Message
    from shared.pages.chat_progress import Heard
    from shared.pages.chat_seal import Seal

    Turns = list[dict[str, str]]

log = logging.getLogger("almanac.pages")
SEND, STOP = "Send", "Stop"  # in words: Gradio's pictures have no name that a screen reader could say
ASKING = gr.update(value="", submit_btn=False, stop_btn=STOP)
BUSY = gr.update(
    submit_btn=False, stop_btn=STOP
)  # again with each piece: of those that come at once a browser shows one
WAITING = gr.update(submit_btn=SEND, stop_btn=False)
HIDDEN = gr.update(visible=False)


@dataclass(frozen=True)
class How:
    """Which model answers, what it is told beforehand, and how words are drawn: as the page gives it, unchecked."""

    model: object
    system: object
    temperature: object
    min_p: object
    max_tokens: object

    @property
    def sampling(self) -> Sampling:
        """Return how words are drawn.

        Raises:
            UsageError: a value is no number, or out of its bounds.
        """
        most = _number(self.max_tokens, "max tokens")
        if most % 1:
            raise UsageError(f"max tokens is a whole number; got {most:g}")
        return Sampling(_number(self.temperature, "temperature"), _number(self.min_p, "min-p"), int(most))


def _number(given: object, name: str) -> float:
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not abs(given) < 1e9:
        raise UsageError(f"{name} is a number; got {given!r}"[:100])
    return float(given)


def reply(history: Turns, question: object, how: How, seal: Seal) -> Iterator[list[Any]]:
    """Yield what the page shows while a question is answered; one before it without an answer is taken back."""
    history = answered_only(history)
    messages, sampling = asked(how.system, history, question), how.sampling
    history = [*history, {"role": "user", "content": messages[-1]["content"]}]
    before = as_shown(history)
    yield [ASKING, before, chat_models.opening(how.model), HIDDEN]
    chat = chat_models.opened(how.model)
    for said in heard(chat.stream(messages, sampling)):
        answer = [seal.sealed(history, said.text, chat.name, _told(messages))] if said.text else []
        yield [BUSY, [*before, *as_shown(answer)], *_standing(said, chat)]


def more(history: Turns, how: How, seal: Seal) -> Iterator[list[Any]]:
    """Yield what the page shows while the last answer is taken further."""
    if not history or history[-1]["role"] != "assistant":
        raise UsageError("there is no answer to go on with")
    before, last = as_shown(history[:-1]), history[-1]
    messages, sampling = asked(how.system, history, GO_ON), how.sampling
    yield [BUSY, as_shown(history), chat_models.opening(how.model), HIDDEN]
    chat = chat_models.opened(how.model)
    ours = seal.holds(history)
    for said in heard(chat.stream(messages, sampling)):
        text, by = last["content"] + said.text, {"by": chat.name, "told": _told(messages)}
        same = by == {name: last.get(name, "") for name in by}  # one answer of two models, or orders, is nobody's
        longer = seal.sealed(history[:-1], text, **by) if ours and same else {"role": "assistant", "content": text}
        yield [BUSY, [*before, *as_shown([longer])], *_standing(said, chat)]


def waiting(box: object, question: str) -> Any:  # noqa: ANN401 - what a Gradio event may return
    """Return the box for the next question; one that was just asked does not stay in it, one being written does."""
    asked_still = isinstance(box, str) and box.strip() == question.strip()
    return gr.update(submit_btn=SEND, stop_btn=False, **({"value": ""} if asked_still else {}))


def answered_only(history: Turns) -> Turns:
    """Return the conversation without a question at its end that got no answer."""
    return history[:-1] if history and history[-1]["role"] == "user" else history


def question_at(history: Turns, place: object) -> tuple[Turns, str]:
    """Return what was said before the question at ``place``, and the question.

    Raises:
        UsageError: there is no question.
    """
    if not isinstance(place, int) or not 0 <= place < len(history) or history[place]["role"] != "user":
        raise UsageError("that is no question of this conversation")
    return history[:place], history[place]["content"]


def thumb(session: str, history: Turns, place: object, seal: Seal, *, up: bool) -> str:
    """Keep a thumb on the message at ``place``; return a sentence on what became of it.

    Raises:
        UsageError: there is no answer, or none that this page gave: what the browser tells of one proves nothing.
    """
    if not isinstance(place, int) or not 0 <= place < len(history) or history[place]["role"] != "assistant":
        raise UsageError("a thumb is for an answer")
    if not seal.holds(history[: place + 1]):
        raise UsageError("thumbs are kept of what this page has answered since it was started: ask again, then judge")
    answer, by = history[place]["content"], history[place].get("by", "")
    asked_then = as_asked(history[: place + 1])[:-1]
    if up:
        return kept(Opinion(session, asked_then, "up", chosen=answer, chosen_model=by))
    return kept(Opinion(session, asked_then, "down", rejected=answer, rejected_model=by))


def kept(opinion: Opinion) -> str:
    """Write an opinion where the store can be written; return a sentence on what became of it."""
    try:
        keep(open_platform(), opinion, now())
    except UsageError:
        raise
    except AlmanacError as failure:
        log.warning("an opinion was not kept: %s", failure)
        return "Thank you. It could not be kept: this page cannot write to its store."
    return "Thank you: kept, with the conversation up to there, without your name."


def _told(messages: Sequence[Message]) -> str:
    """Return what the model is told beforehand, "" for nothing."""
    return messages[0]["content"] if messages[0]["role"] == "system" else ""


def _standing(said: Heard, chat: Chat) -> list[Any]:
    line: Markup = status(said, chat.name, "Press Continue for more.")
    return [line, gr.update(visible=said.cut)]
