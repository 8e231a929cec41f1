"""How an answer comes, for the eye: its text so far, and a line that says what is being waited for and how fast it is.

a Chat's pieces ──► heard: text and times, a few times a second ──► status: a sentence
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from markupsafe import Markup

from shared.chat import Replying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.chat import Reply

EVERY_S = 0.06  # between two redrawings: faster than this nobody reads, and each sends something to the browser


@dataclass(frozen=True)
class Heard:
    """An answer so far; times in seconds since it was asked for, ``first_s`` None before its first piece."""

    text: str
    told: Replying
    seconds: float = 0.0
    first_s: float | None = None
    over: bool = False

    @property
    def cut(self) -> bool:
        """Whether it ended for want of tokens."""
        return self.over and self.told.ended == "length"

    @property
    def speed(self) -> float | None:
        """Return tokens a second since the first; None of fewer than two."""
        if self.first_s is None or self.told.tokens < 2 or self.seconds <= self.first_s:
            return None
        return (self.told.tokens - 1) / (self.seconds - self.first_s)


def heard(answer: Reply, clock: Callable[[], float] = monotonic) -> Iterator[Heard]:
    """Yield the answer so far: at its first piece at once, then every EVERY_S, and once more when it is over."""
    begun = drawn = clock()
    text, first_s = "", None
    with closing(answer):
        for piece in answer:
            now, text = clock(), text + piece
            if first_s is None and text:
                first_s = now - begun
            elif piece and now - drawn < EVERY_S:
                continue
            drawn = now
            yield Heard(text, answer.told, now - begun, first_s)
    yield Heard(text, answer.told, clock() - begun, first_s, over=True)


def status(said: Heard, name: str, advice: str = "") -> Markup:
    """Return what there is to know about an answer of the model ``name`` besides its text; ``advice`` if it was cut."""
    words = " ".join([*_words(said), *([advice] if said.cut and advice else [])])
    return Markup('<p class="al-muted" role="status">{}: {}</p>').format(name, words)


def _words(said: Heard) -> Iterator[str]:
    if said.over:
        yield _end(said)
    elif said.told.waking_s and said.first_s is None:
        yield f"The machine that answers was asleep and is being started: {said.told.waking_s:.0f} s so far."
    elif said.told.before:
        yield f"{_answers(said.told.before)} made before yours: waiting since {said.seconds:.0f} s."
    elif said.first_s is None:
        yield f"Reading the question: {said.seconds:.0f} s."
    if said.first_s is not None:
        yield _pace(said)
    if said.told.left_out:
        yield f"The {said.told.left_out} oldest messages were left out: the model cannot read more at once."


def _answers(count: int) -> str:
    return "1 answer is" if count == 1 else f"{count} answers are"


def _end(said: Heard) -> str:
    if said.cut:
        return f"Cut after {said.told.tokens} tokens, the most there may be."
    return {"stopped": "Stopped."}.get(said.told.ended, "" if said.text else "The model had nothing to say.")


def _pace(said: Heard) -> str:
    speed = "" if said.speed is None else f", {said.speed:.1f} tokens/s"
    count = "1 token" if said.told.tokens == 1 else f"{said.told.tokens} tokens"
    return f"{count}{speed}; the first after {said.first_s:.2f} s."
