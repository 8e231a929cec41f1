"""A simulated world: it answers real addresses in their real formats from seeded simulators, and fails on request.

    request ──► a Fault is due? ── yes ──► timeout, refusal, 429, 5xx, or the simulator's answer, spoilt
                     └── no ──► the first simulator of that host that knows the address ──► answer | WebError

A simulator is a function of a request; it returns None for an address it does not know (``simulators`` holds them).
The parsers, retries and checks above cannot tell this world from the live one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, get_args

import httpx

from shared.errors import UsageError, WebError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Simulator = Callable[[httpx.Request], httpx.Response | None]
FaultKind = Literal["timeout", "refused", "429", "500", "503", "truncated", "error_in_200", "empty"]

# What services write into an answer with status 200 that is none: the fields of AQICN, Open-Meteo and Socrata at once.
ERROR_BODY = {"status": "error", "data": "simulated fault", "error": True, "reason": "simulated fault"}


@dataclass(frozen=True)
class Fault:
    """The next ``times`` requests to hosts like ``host`` (``*`` matches any text) fail; None: every one."""

    host: str
    kind: FaultKind
    times: int | None = None


def parse_faults(text: str) -> list[Fault]:
    """Return the faults in ``HOST=KIND[:TIMES]``, separated by commas.

    >>> parse_faults("raw.githubusercontent.com=timeout:2, api.example.org=429")
    [Fault(host='raw.githubusercontent.com', kind='timeout', times=2),
     Fault(host='api.example.org', kind='429', times=None)]

    Raises:
        UsageError: the text is nothing of that form.
    """
    return [_parse_fault(part.strip()) for part in text.split(",") if part.strip()]


def _parse_fault(part: str) -> Fault:
    host, _, what = part.partition("=")
    kind, colon, times = what.partition(":")
    known = {name: name for name in get_args(FaultKind)}
    countable = times.isdecimal() and int(times) > 0
    if not host or kind not in known or (colon and not countable):
        kinds = ", ".join(known)
        raise UsageError(
            f"no fault {part!r}: write HOST=KIND or HOST=KIND:TIMES, with TIMES from 1 and KIND of {kinds}"
        )
    return Fault(host.lower(), known[kind], int(times) if countable else None)


class DemoTransport(httpx.BaseTransport):
    """Answers from ``simulators``, by host (``*`` matches any text); may be shared by threads."""

    def __init__(self, simulators: Mapping[str, Simulator], faults: Sequence[Fault] = ()) -> None:
        self._simulators, self._faults = simulators, faults
        self._left = [fault.times for fault in faults]
        self._counting = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._simulate(request)
        kind = self._due(request.url.host)
        return answer if kind is None else _spoil(kind, request, answer)

    def _simulate(self, request: httpx.Request) -> httpx.Response:
        for pattern, simulator in self._simulators.items():
            answer = simulator(request) if fnmatchcase(request.url.host, pattern) else None
            if answer is not None:
                return answer
        place = request.url.netloc.decode() + request.url.path
        raise WebError(f"{place} is not part of the demo world: set ALMANAC_WORLD=live to ask the real one")

    def _due(self, host: str) -> FaultKind | None:
        """Return the first fault still due for ``host``, counted down, or None."""
        with self._counting:
            for place, fault in enumerate(self._faults):
                left = self._left[place]
                if left != 0 and fnmatchcase(host, fault.host):
                    self._left[place] = None if left is None else left - 1
                    return fault.kind
        return None


def _spoil(kind: FaultKind, request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    match kind:
        case "timeout":
            raise httpx.ReadTimeout("simulated time-out", request=request)
        case "refused":
            raise httpx.ConnectError("simulated refusal", request=request)
        case "429" | "500" | "503":
            return httpx.Response(int(kind))
        case "truncated":
            return httpx.Response(answer.status_code, stream=_CutOff(answer.content))
        case "error_in_200":
            return httpx.Response(200, json=ERROR_BODY)
        case "empty":
            return httpx.Response(200)


class _CutOff(httpx.SyncByteStream):
    """The first half of a body, then the error that real connections give."""

    def __init__(self, body: bytes) -> None:
        self._half = body[: len(body) // 2]

    def __iter__(self) -> Iterator[bytes]:
        yield self._half
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")
