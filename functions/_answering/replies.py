"""An answer as it comes, told in OpenAI's forms: server-sent events, or one object at the end.

data: {… "delta": {"role": "assistant", "content": "Two"} …}      : before 3 (a comment: 3 answers are made first)
data: {… "finish_reason": "stop", "usage": …}      data: [DONE]
"""

from __future__ import annotations

import json
import time
import uuid
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from functions._answering.stops import Stops
from shared.errors import AlmanacError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from functions._answering.asked import Asked
    from shared.chat import Reply, Replying

FAILED = "the answer could not be made; ask again"
REASONS = {"stop": "stop", "length": "length", "stopped": "stop"}


class Sent:
    """One answer on its way; ``gone`` is set when nobody takes it any more."""

    def __init__(self, reply: Reply, gone: Event, name: str, threads: CapacityLimiter, asked: Asked) -> None:
        """Take an answer that ends once ``gone``; its pieces are waited for in ``threads``."""
        self.told, self._gone = reply.told, gone
        self._reply, self._threads, self._name = reply, threads, name
        self._stops, self._counts = Stops(asked.stops), asked.counts
        self._id, self._made = f"chatcmpl-{uuid.uuid4().hex}", int(time.time())

    async def next_piece(self) -> str | None:
        """Return the next piece, "" as a sign of life, None at the end."""
        try:
            return await run_sync(self._next, limiter=self._threads, abandon_on_cancel=True)
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """End the answer."""
        self._gone.set()
        with suppress(ValueError):  # a piece is waited for at this moment: ``_next`` ends it
            self._reply.close()

    async def events(self, piece: str | None) -> AsyncIterator[bytes]:
        """Yield server-sent events, the first of them about ``piece``; an error in the middle is an event too."""
        who = {"role": "assistant"}  # OpenAI's first piece says so
        try:
            while piece is not None:
                yield self._chunk(who | {"content": piece}) if piece else _alive(self.told)
                who = {} if piece else who
                piece = await self.next_piece()
            yield self._end() + b"data: [DONE]\n\n"
        except Exception as failure:  # noqa: BLE001 - of any kind: the answer's head was sent long ago
            sentence = str(failure) if isinstance(failure, AlmanacError) else FAILED
            yield _event({"error": {"message": sentence, "type": "server_error", "param": None, "code": None}})
        finally:
            self.leave()

    def whole(self, text: str) -> dict[str, Any]:
        """Return the answer as one object."""
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": self._reason()}
        return self._object("chat.completion", choice) | self._usage()

    def _next(self) -> str | None:
        piece = next(self._reply, None)
        text = self._stops.rest() or None if piece is None else self._stops.add(piece)
        if self._gone.is_set() or self._stops.met:
            self._reply.close()
        return text

    def _end(self) -> bytes:
        """Return the last events: usage in one of its own where that was asked for, so that no choice stands in it."""
        reason = self._reason()
        if not self._counts:
            return self._chunk({}, reason, **self._usage())
        alone = self._object("chat.completion.chunk") | self._usage()
        return self._chunk({}, reason) + _event(alone)

    def _chunk(self, delta: dict[str, str], reason: str | None = None, **more: Any) -> bytes:
        usage = {"usage": None} if self._counts else {}
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return _event(self._object("chat.completion.chunk", choice) | usage | more)

    def _object(self, kind: str, *choices: dict[str, Any]) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._made, "model": self._name, "choices": [*choices]}

    def _usage(self) -> dict[str, Any]:
        prompt, answer = self.told.prompt_tokens, self.told.tokens
        usage = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
        return {"usage": usage, "left_out": self.told.left_out}

    def _reason(self) -> str:
        return REASONS.get(self.told.ended, "stop")


def _event(told: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(told).encode() + b"\n\n"


def _alive(told: Replying) -> bytes:
    return f": before {told.before}\n\n".encode()
