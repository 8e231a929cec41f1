"""A simulated world: it answers real addresses in their real formats from seeded simulators, and fails on request.

    request ──► a Fault is due? ── yes ──► timeout, refusal, 429, 5xx, or the simulator's answer, spoilt, stale or blank
                     └── no ──► the first simulator of that host that knows the address ──► answer | WebError

A simulator is a function of a request; it returns None for an address it does not know (``simulators`` holds them).
The parsers, retries and checks above cannot tell this world from the live one. It has no clock: a request's ``Date``
header, which real services ignore, says when it is asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, get_args

import httpx

from shared.errors import UsageError, WebError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Simulator = Callable[[httpx.Request], httpx.Response | None]
SpoiltKind = Literal["timeout", "refused", "429", "500", "503", "truncated", "error_in_200", "empty"]
FaultKind = Literal[SpoiltKind, "stale", "no_data"]  # the last two are answers to another question

# What services write into an answer with status 200 that is none: the fields of AQICN, Open-Meteo and Socrata at once.
ERROR_BODY = {"status": "error", "data": "simulated fault", "error": True, "reason": "simulated fault"}
NOW = datetime(2026, 11, 20, 6, 45, tzinfo=UTC)  # when a request that has no ``Date`` is asked
STALE = timedelta(days=31)  # how old a stale answer is


@dataclass(frozen=True)
class Fault:
    """The next ``times`` requests to hosts like ``host`` (``*`` matches any text) fail; None: every one."""

    host: str
    kind: FaultKind
    times: int | None = None


def asked_at(request: httpx.Request) -> datetime:
    """Return the moment at which the demo world is asked, in UTC: the request's ``Date`` header (RFC 9110, 6.6.1).

    Raises:
        UsageError: the header is no date.
    """
    told = request.headers.get("Date")
    try:
        return parsedate_to_datetime(told).astimezone(UTC) if told else NOW
    except ValueError as cause:
        raise UsageError(f"no date {told!r}: the Date header looks like Fri, 20 Nov 2026 06:45:00 GMT") from cause


def wants_no_data(request: httpx.Request) -> bool:
    """Return whether the fault ``no_data`` is due: the answer shall be in the right format, and hold no values."""
    return bool(request.extensions.get("no_data"))


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
        if kind == "stale" or kind == "no_data":
            return self._simulate(_changed(request, kind))
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


def _changed(request: httpx.Request, kind: FaultKind) -> httpx.Request:
    """Return the request asked 31 days before, or marked to be answered without values."""
    moment = asked_at(request) - (STALE if kind == "stale" else timedelta())
    headers = request.headers.copy()
    headers["Date"] = format_datetime(moment, usegmt=True)
    return httpx.Request(request.method, request.url, headers=headers, extensions={"no_data": kind == "no_data"})


def _spoil(kind: SpoiltKind, request: httpx.Request, answer: httpx.Response) -> httpx.Response:
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
