"""The addresses: ask, which models there are, whether it is awake. Nothing of an error but its sentence goes out.

POST /v1/chat/completions      GET /v1/models, /v1/models/NAME      GET /health
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from functions._answering.asked import MOST_BYTES, Asked, parsed
from functions._answering.replies import FAILED, Sent
from shared.errors import AlmanacError, BusyError, TooLongError, UsageError, WebError
from shared.steps.limits import Limiter

if TYPE_CHECKING:
    from shared.chat import Chat

READERS = 256  # threads that wait for pieces; there are no more answers than engines let wait
PER_MINUTE, BURST = 240, 60  # of one address, which may be a page's with all who visit it
WHERE = "POST a conversation to /v1/chat/completions; GET /v1/models and /health tell about the model"
RATE, TOO_LONG = "rate_limit_exceeded", "context_length_exceeded"  # OpenAI's words for it
BUSY_S = 60  # until one who found too many before may ask again: the minute that engines say


class RefusedError(Exception):
    """A request that is not asked of the model: its status, a sentence, seconds until it may be asked again."""

    def __init__(self, status: int, sentence: str, wait_s: int = 0, code: str | None = None) -> None:
        """Keep them, and OpenAI's word for it."""
        super().__init__(sentence)
        self.status, self.wait_s, self.code = status, wait_s, code


def answering(chat: Chat, *, model: str = "", limiter: Limiter | None = None) -> Starlette:
    """Return an ASGI app that answers with ``chat``; clients may call it ``model`` too."""
    api = _Api(chat, model, limiter or Limiter(BURST, PER_MINUTE))
    routes = [
        Route("/", api.root),
        Route("/v1/chat/completions", api.complete, methods=["POST"]),
        Route("/v1/models", api.models),
        Route("/v1/models/{name:path}", api.one_model),
        Route("/health", api.health),
    ]
    told: dict[Any, Callable[[Request, Exception], Response]] = {
        RefusedError: _refused,
        AlmanacError: _failed,
        HTTPException: _not_here,
        ClientDisconnect: lambda *_: Response(status_code=499),
        Exception: lambda *_: _said(500, FAILED),
    }
    return Starlette(routes=routes, exception_handlers=told)


class _Api:
    def __init__(self, chat: Chat, model: str, limiter: Limiter) -> None:
        self._chat, self._names, self._limiter = chat, [chat.name, *([model] if model else [])], limiter
        self._since, self._threads = time.monotonic(), CapacityLimiter(READERS)
        self._made = int(time.time())

    async def root(self, _: Request) -> Response:
        """Say where to ask."""
        return JSONResponse({"message": WHERE, "model": self._chat.name})

    async def health(self, _: Request) -> Response:
        """Say which model answers, where, and for how long it has been loaded."""
        loaded_s = round(time.monotonic() - self._since, 1)
        return JSONResponse({"model": self._chat.name, "where": self._chat.where, "loaded_s": loaded_s})

    async def models(self, _: Request) -> Response:
        """List the names under which the model is known."""
        return JSONResponse({"object": "list", "data": [self._told(name) for name in self._names]})

    async def one_model(self, request: Request) -> Response:
        """Tell about one name."""
        return JSONResponse(self._told(self._known(request.path_params["name"])))

    async def complete(self, request: Request) -> Response:
        """Answer a conversation, as it comes or at once."""
        # Modal says who connected, and takes X-Forwarded-For away: a header is but the asker's own word.
        if wait_s := math.ceil(self._limiter.wait_s(request.client.host if request.client else "")):
            refusal = f"that is more than may be asked at once; ask again in {wait_s} s"
            raise RefusedError(429, refusal, wait_s, RATE)
        asked = parsed(await _body(request))
        self._known(asked.model or self._chat.name)
        sent = await self._begun(asked)
        first = await sent.next_piece()  # what is wrong from the start still has a status of its own
        if asked.streams:
            return StreamingResponse(sent.events(first), media_type="text/event-stream", headers=_UNBUFFERED)
        return JSONResponse(sent.whole(await _collected(request, sent, first)))

    async def _begun(self, asked: Asked) -> Sent:
        gone = Event()
        begin = partial(self._chat.stream, asked.messages, asked.sampling, schema=asked.schema, stopped=gone.is_set)
        reply = await run_sync(begin, limiter=self._threads, abandon_on_cancel=True)  # who stops us is not kept waiting
        return Sent(reply, gone, self._chat.name, self._threads, asked)

    def _told(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._made, "owned_by": "almanac"}

    def _known(self, name: str) -> str:
        """Return the name; one that is not ours is not silently answered for."""
        if name not in self._names:
            there = f"the model {name[:80]!r} is not here; there are {', '.join(self._names)}"
            raise RefusedError(404, there, code="model_not_found")
        return name


_UNBUFFERED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # a proxy would keep pieces back


async def _collected(request: Request, sent: Sent, piece: str | None) -> str:
    """Return the whole text; an asker who goes away meanwhile ends it."""
    text: list[str] = []
    while piece is not None:
        text.append(piece)
        if await request.is_disconnected():
            sent.leave()
            raise ClientDisconnect
        piece = await sent.next_piece()
    return "".join(text)


async def _body(request: Request) -> bytes:
    """Return the request's body, as long as it is not longer than it may be."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise RefusedError(415, "send JSON, with the header Content-Type: application/json")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise RefusedError(413, f"the request has more than {MOST_BYTES // 1024} KB")
    return bytes(body)


def _refused(_: Request, failure: Exception) -> Response:
    assert isinstance(failure, RefusedError)
    return _said(failure.status, str(failure), failure.wait_s, failure.code)


def _not_here(_: Request, failure: Exception) -> Response:
    assert isinstance(failure, HTTPException)
    told = _said(failure.status_code, f"{failure.detail}: {WHERE}")
    told.headers.update(failure.headers or {})  # which methods there are
    return told


def _failed(_: Request, failure: Exception) -> Response:
    if isinstance(failure, UsageError):
        return _said(400, str(failure), code=TOO_LONG if isinstance(failure, TooLongError) else None)
    if isinstance(failure, BusyError):
        return _said(429, str(failure), BUSY_S, RATE)
    return _said(502 if isinstance(failure, WebError) else 503, str(failure))


def _said(status: int, sentence: str, wait_s: int = 0, code: str | None = None) -> Response:
    """Return an error in OpenAI's form, whose ``code`` is a word, or null."""
    headers = {"Retry-After": str(wait_s)} if wait_s else {}
    kind = "server_error" if status >= 500 else "rate_limit_error" if status == 429 else "invalid_request_error"
    return JSONResponse({"error": {"message": sentence, "type": kind, "param": None, "code": code}}, status, headers)
