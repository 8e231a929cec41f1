"""The port of a language model that answers, here or at an endpoint: what it is asked, and how its answer comes.

messages, sampling, schema ──► Chat.stream ──► Reply: pieces of text, and what is known of them meanwhile
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shared.errors import UsageError

MOST_TOKENS = 4096  # of one answer
Message = Mapping[str, str]  # "role": system, user or assistant; "content": text


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn: 0 is always the likeliest; min-p as Nguyen et al. 2024, arXiv:2407.01082."""

    temperature: float = 0.7  # 0..2
    min_p: float = 0.05  # 0..1, of the likeliest token's probability
    max_tokens: int = 512
    seed: int | None = None  # None: another answer each time

    def __post_init__(self) -> None:
        """Refuse what no sampler could do.

        Raises:
            UsageError: a value out of its bounds.
        """
        if not (0 <= self.temperature <= 2 and 0 <= self.min_p <= 1 and 1 <= self.max_tokens <= MOST_TOKENS):
            bounds = f"temperature lies in 0..2, min-p in 0..1, max tokens in 1..{MOST_TOKENS}"
            raise UsageError(f"{bounds}; got {self.temperature}, {self.min_p}, {self.max_tokens}")


@dataclass
class Replying:
    """How it stands with an answer, for whoever shows it while it comes."""

    before: int = 0  # answers that are made first
    waking_s: float = 0.0  # seconds waited for a machine that sleeps
    left_out: int = 0  # oldest messages that the model had no room for
    prompt_tokens: int = 0
    tokens: int = 0  # of the answer, so far
    ended: str = ""  # stop: by itself; length: at the most tokens there may be; stopped: by its reader


class Reply:
    """An answer's text, piece by piece; an empty piece is a sign of life, while nothing came that could be shown."""

    def __init__(self, pieces: Generator[str], told: Replying) -> None:
        """Take what makes the pieces and keeps ``told`` true meanwhile."""
        self._pieces, self.told = pieces, told

    def __iter__(self) -> Reply:
        """Return itself: there is one reader."""
        return self

    def __next__(self) -> str:
        """Return the next piece."""
        return next(self._pieces)

    def close(self) -> None:
        """End the answer; whatever made it stops. Dropping the answer does the same."""
        self._pieces.close()


class Chat(Protocol):
    """A language model that answers a conversation, piece by piece."""

    @property
    def name(self) -> str:
        """Which model answers, such as ``assistant v3``."""
        ...

    @property
    def where(self) -> str:
        """Where it computes, in words, such as ``this machine, CPU``."""
        ...

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        schema: Mapping[str, Any] | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Reply:
        """Yield the answer's text as it comes; with a JSON ``schema``, text that fits it once it is whole.

        Ends early once ``stopped``, and whenever its reader stops reading.

        Raises:
            UsageError: the conversation is empty, too long, or no visitor's turn comes last.
            BackendError, WebError: the model failed, or could not be reached.
        """
        ...
