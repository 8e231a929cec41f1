"""A language model elsewhere, asked over HTTP: an endpoint of our own, or any that speaks OpenAI's API.

    question ──► is it awake? ──► POST …/v1/chat/completions ──► server-sent events ──► pieces

A machine that sleeps is woken by asking for its health, so that whoever waits can be told. What fails before the first
piece is tried again; afterwards it would be another answer.
"""

from __future__ import annotations

import time
import weakref
from typing import TYPE_CHECKING, Any

import httpx

from shared.adapters.events import lines, parsed, question, read, sentence, wait
from shared.chat import Reply, Replying
from shared.errors import BusyError, UsageError, WebError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from shared.chat import Message, Sampling

CONNECT_S, ASLEEP_S, PIECE_S = 10.0, 2.0, 60.0  # to connect; until it counts as asleep; between two pieces
WAKE_S, WHOLE_S = 300.0, 600.0  # most that is waited for a machine, and for a whole answer
JSON = {"Content-Type": "application/json"}
TRIES = 3  # of a question, until its first piece
AWAKE_S = 45.0  # for so long after a sign of life it need not be asked; machines are kept for a minute or more


class Endpoint:
    """A ``Chat`` at an address; the token goes into a header and nowhere else."""

    def __init__(self, url: str, token: str = "", *, transport: httpx.BaseTransport | None = None) -> None:
        """Prepare; nothing is asked yet.

        Raises:
            UsageError: the address is none, or would show the token to whoever listens.
        """
        at = httpx.URL(url)
        if at.scheme not in ("http", "https") or not at.host:
            raise UsageError(f"{url!r} is no address of an endpoint; write https://…")
        if token and at.scheme == "http" and at.host not in ("localhost", "127.0.0.1", "::1"):
            raise UsageError(f"{at.host} is asked without encryption, and would get the token; write https://…")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        limits = httpx.Timeout(PIECE_S, connect=CONNECT_S)
        self._client = httpx.Client(base_url=at, headers=headers, timeout=limits, transport=transport)
        weakref.finalize(self, self._client.close)
        self._host, self._token, self._model, self._seen = at.host, token, "", -AWAKE_S

    @property
    def name(self) -> str:
        """Which model answers; the host's name until it has said so."""
        return self._model or self._host

    @property
    def where(self) -> str:
        """Where it computes."""
        return self._host

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        schema: Mapping[str, Any] | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Reply:
        """Return the answer; it is asked for with its first piece. See ``Chat``."""
        told = Replying()
        return Reply(self._pieces(question(messages, sampling, schema), told, stopped), told)

    def _pieces(self, body: bytes, told: Replying, stopped: Callable[[], bool]) -> Generator[str]:
        """Yield the answer; a question that failed before its first piece is asked again."""
        for attempt in range(1, TRIES + 1):
            said = False
            try:
                for piece in self._tried(body, told, stopped):
                    said = said or bool(piece)
                    yield piece
            except _PassingError as failure:
                if said:
                    raise WebError(f"{self._host} broke off in the middle of its answer; ask again") from failure
                if attempt == TRIES or stopped():
                    raise WebError(f"{self._host} {failure}; asked {attempt} times. Try again in a minute") from failure
                self._seen = -AWAKE_S
            else:
                return

    def _tried(self, body: bytes, told: Replying, stopped: Callable[[], bool]) -> Iterator[str]:
        yield from self._woken(told, stopped)
        began = time.monotonic()
        for piece in () if stopped() else self._asked(body, told, stopped):
            yield piece
            if time.monotonic() - began > WHOLE_S:
                raise WebError(f"{self._host} took more than {WHOLE_S:.0f} s; ask for a shorter answer")

    def _woken(self, told: Replying, stopped: Callable[[], bool]) -> Iterator[str]:
        """Yield signs of life until the machine says that it is awake; ``told`` says for how long it was waited."""
        began = time.monotonic()
        while time.monotonic() - self._seen > AWAKE_S and not stopped():
            if self._is_awake():
                self._seen = time.monotonic()
                return
            told.waking_s = time.monotonic() - began
            if told.waking_s > WAKE_S:
                raise WebError(f"{self._host} did not wake up within {WAKE_S:.0f} s; look at its log on Modal")
            yield ""

    def _is_awake(self) -> bool:
        try:
            answer = self._client.get("/health", timeout=httpx.Timeout(ASLEEP_S, connect=CONNECT_S))
        except httpx.ReadTimeout:
            return False
        except httpx.RequestError as cause:
            raise _PassingError(f"cannot be reached ({type(cause).__name__})") from cause
        if answer.status_code in (502, 503, 504):
            time.sleep(ASLEEP_S / 2)
            return False
        if answer.status_code == 404:  # an endpoint of another make, that has no such address
            return True
        self._must_be_fine(answer)
        self._model = str(parsed(answer.text).get("model", ""))[:80]
        return True

    def _asked(self, body: bytes, told: Replying, stopped: Callable[[], bool]) -> Iterator[str]:
        """Yield the pieces of one answer, and "" for each sign of life.

        Raises:
            _PassingError: it broke off, which may pass.
        """
        try:
            with self._client.stream("POST", "/v1/chat/completions", content=body, headers=JSON) as answer:
                if answer.status_code != 200:
                    answer.read()
                self._must_be_fine(answer)
                if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                    raise WebError(f"{self._host} answered with something that is no stream of events")
                for line in lines(answer):
                    if line == "data: [DONE]":
                        return
                    if stopped():
                        told.ended = "stopped"
                        return
                    yield read(line, told)
        except httpx.RequestError as cause:
            raise _PassingError(f"broke off ({type(cause).__name__})") from cause
        raise _PassingError("ended its answer too early")

    def _must_be_fine(self, answer: httpx.Response) -> None:
        """Raise the sentence for a status that is no success."""
        status = answer.status_code
        if status == 200:
            return
        if status in (401, 403):
            raise WebError(f"{self._host} does not let us in; ALMANAC_ENDPOINT_TOKEN is missing, or not its token")
        if status == 404:
            raise WebError(f"{self._host} has no assistant; ALMANAC_ASSISTANT_URL must be the address of `serve`")
        told = sentence(answer).replace(self._token or "\0", "…")  # were it to echo what it was sent
        if status in (400, 413, 415, 422):  # 422 of servers that are stricter than OpenAI's
            raise UsageError(told or f"{self._host} does not take this question ({status})")
        if status == 429:
            raise BusyError(told or f"{self._host} is asked too much; ask again {wait(answer)}")
        if status >= 500:
            raise _PassingError(f"failed with {status}")
        raise WebError(f"{self._host} answered with {status}, which no assistant does; look at ALMANAC_ASSISTANT_URL")


class _PassingError(Exception):
    """What may be gone at the next try."""
