"""What every engine does with a question: fit it into the model's context, and hand the answer on as it comes.

    conversation ──► fitted: oldest turns left out ──► Job ──► an engine draws id after id ──► pieces ──► its reader

Between an engine's threads and a reader stands the job's own queue and nothing else: a reader who is slow, or gone,
keeps nobody waiting, and nothing of one answer can come into another.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from shared.chat import Replying
from shared.errors import AlmanacError, BackendError, TooLongError, UsageError
from shared.steps.answering.draws import Sampler, Text
from shared.steps.rendering import prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shared.chat import Message, Sampling

    Rule = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # ids [1, length], scores [1, vocabulary] ──► scores

MOST_CONTEXT = 8192  # tokens of prompt and answer; in 16 bits each takes 32 KB in a Llama of 1B, 112 KB in one of 3B
ALIVE_S = 0.5  # between two signs of life
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Model:
    """A loaded model with its tokenizer, both transformers', and what it is called."""

    weights: Any
    tokenizer: Any
    name: str

    @property
    def context(self) -> int:
        """Return how many tokens prompt and answer may have together.

        With LongRoPE as many as it was first trained with: beyond that it turns all positions otherwise, in one place
        for all that are being answered, so that who asks little would be answered otherwise beside who asks much.
        """
        config = self.weights.config
        rope = getattr(config, "rope_parameters", None) or {}
        short = rope.get("original_max_position_embeddings") if rope.get("rope_type") == "longrope" else None
        return min(int(short or MOST_CONTEXT), int(config.max_position_embeddings), MOST_CONTEXT)

    @property
    def ends(self) -> tuple[int, ...]:
        """Return the ids that end an answer: what the model names, and the tokenizer's own."""
        told = self.weights.generation_config.eos_token_id
        named = told if isinstance(told, list) else [told]
        return tuple(dict.fromkeys(one for one in (self.tokenizer.eos_token_id, *named) if one is not None))

    @property
    def where(self) -> str:
        """Return where it computes, in words."""
        device = self.weights.device
        return f"this machine, {'CPU' if device.type == 'cpu' else torch.cuda.get_device_name(device)}"


class Job:
    """One answer in the making: an engine's thread draws it, its reader takes it piece by piece."""

    def __init__(
        self, model: Model, messages: Sequence[Message], sampling: Sampling, stopped: Callable[[], bool]
    ) -> None:
        """Fit the conversation in; where the context is small, the answer may take half of it.

        Raises:
            UsageError: as ``fitted``.
        """
        self.most = min(sampling.max_tokens, model.context // 2)
        self.ids, left_out = fitted(model.tokenizer, messages, model.context - self.most)  # grow with the answer
        self.told = Replying(left_out=left_out, prompt_tokens=len(self.ids))
        self._sampler, self._text = Sampler(sampling, model.weights.device), Text(model.tokenizer)
        self._ends, self._stopped, self._gone = model.ends, stopped, threading.Event()
        self._rule: Rule | None = None
        self._pieces: queue.SimpleQueue[str | Exception | None] = queue.SimpleQueue()  # None: no more come

    def keep_to(self, tokenizer: Any, schema: Mapping[str, Any]) -> None:  # noqa: ANN401 - transformers'
        """Let the answer be JSON that fits the schema."""
        from shared.steps.answering.grammar import constrained

        self._rule = constrained(tokenizer, schema)

    def draw(self, scores: torch.Tensor) -> int:
        """Return the next id, given ``scores`` [vocabulary], and hand its text on; the one that ends it all at the end.

        Once it has ended, more draws give that id again.
        """
        if self.ended():
            return self._ends[0]
        if self._rule is not None:
            scores = self._rule(torch.tensor([self.ids]), scores[None])[0]
        one = self._sampler.draw(scores)
        self.ids.append(one)
        self.told.tokens += 1
        if one in self._ends:
            self.end("stop")
        else:
            self._pieces.put(self._text.add(one))
        if self.told.tokens >= self.most:
            self.end("length")
        return one

    def ended(self) -> bool:
        """Return whether no more is to be drawn: it is whole, or nobody wants more of it."""
        if not self.told.ended and (self._gone.is_set() or self._stopped()):
            self.end("stopped")
        return bool(self.told.ended)

    def end(self, why: str, failure: Exception | None = None) -> None:
        """End the answer, once; a failure reaches its reader."""
        if not self.told.ended:
            self.told.ended = why
            self._pieces.put(failure and _ours(failure))

    def next_piece(self) -> str | None:
        """Return the next piece, "" where none came for a while, None at the end.

        Raises:
            BackendError: the model failed.
        """
        if self._stopped() and self._pieces.empty():
            self.end("stopped")
        try:
            piece = self._pieces.get(timeout=ALIVE_S)
        except queue.Empty:
            return ""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def leave(self) -> None:
        """Say that its reader is gone, which ends it."""
        self._gone.set()
        self.end("stopped")


def fitted(tokenizer: Any, messages: Sequence[Message], room: int) -> tuple[list[int], int]:  # noqa: ANN401 - transformers'
    """Return the prompt's ids, at most ``room`` of them, and how many of the oldest messages were left out for that.

    A question goes with its answer; the system's message stays.

    Raises:
        UsageError: no visitor's turn comes last.
        TooLongError: that turn alone does not fit.
    """
    if not messages or messages[-1]["role"] != "user" or any(one["role"] not in ROLES for one in messages):
        raise UsageError("a conversation has messages of system, user and assistant, and the user's comes last")
    system = [one for one in messages[:1] if one["role"] == "system"]
    turns = list(messages[len(system) :])
    while len(ids := prompt(tokenizer, [*system, *turns])) > room:
        if len(turns) < 3:
            raise TooLongError(f"the message has {len(ids)} tokens and this model reads {room}; shorten it")
        turns = turns[2:]
    return ids, len(messages) - len(system) - len(turns)


def _ours(failure: Exception) -> Exception:
    """Return the failure as an error of ours; what a vendor said may show the prompt, and stays its cause."""
    if isinstance(failure, AlmanacError):
        return failure
    ours = BackendError(f"the model failed ({type(failure).__name__}); ask again, or choose another one")
    ours.__cause__ = failure
    return ours
