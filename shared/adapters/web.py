"""The ``Web`` port over HTTP: time limits, retries, a size limit, and errors a person can act on.

    get ── try ── follow redirects ── read at most ``limit_mib`` ──► Answer
            ▲                              │ slow, refused, throttled, down, cut off
            └──── wait 1, 2, 4 … s ◄───────┘          anything else, or too often: WebError

Which world answers is the transport's business: ``live``, ``replay`` or ``demo``.
"""

from __future__ import annotations

import logging
import re
import time
from contextlib import closing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from shared.errors import WebError
from shared.ports import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MAX_REDIRECTS = 10
MAX_WAIT_S = 60.0  # the longest wait between two tries, also for an address that asks for more
BACK_OFF = wait_exponential(multiplier=1, max=MAX_WAIT_S)  # 1, 2, 4, 8 … s; no jitter, so runs repeat exactly
AGAIN = frozenset({429, 500, 502, 503, 504})

LATER = "it is down or overloaded, so run the same command again later"
UNREACHED = "check the address and your connection, or stay offline with ALMANAC_WORLD=demo"
ADVICE = {
    400: "check the parameters",
    401: "check the key or token for this address",
    403: "check the key or token for this address",
    404: "check the address",
    410: "the page is gone for good, so look for its new address",
    429: "it throttles us, so wait a while or ask for less at a time",
}


@dataclass(eq=False)
class _TryError(Exception):
    """One try that failed: what happened, what to do, and whether and when to ask again."""

    what: str
    advice: str
    again: bool = False
    wait_s: float = 0.0


# What each of the client's errors means; the first that fits counts.
_MEANINGS: tuple[tuple[type[httpx.RequestError], _TryError], ...] = (
    (httpx.TimeoutException, _TryError("did not answer in time", LATER, again=True)),
    (httpx.UnsupportedProtocol, _TryError("is not an http(s) address", "check the address")),
    (httpx.TooManyRedirects, _TryError("redirects in a circle", "check the address")),
    (httpx.ConnectError, _TryError("could not be reached", UNREACHED, again=True)),
    (httpx.ProxyError, _TryError("could not be reached through the proxy", UNREACHED, again=True)),
    (httpx.RequestError, _TryError("broke off its answer", LATER, again=True)),
)


class HttpWeb:
    """Asks addresses through ``transport``; may be shared by threads. Close it when done.

    Args:
        transport: the world that answers.
        timeout_s: seconds to wait for a connection and for each next piece of the answer.
        attempts: how often an address is asked before giving up.
        sleep: called with the seconds to wait between two tries.
        limit_mib: the largest body that is read, after decompression.
    """

    def __init__(
        self,
        transport: httpx.BaseTransport,
        timeout_s: float = 20.0,
        attempts: int = 4,
        sleep: Callable[[float], None] = time.sleep,
        limit_mib: float = 256.0,  # FineTome is 117 MB
    ) -> None:
        logging.getLogger("httpx").setLevel(logging.WARNING)  # at INFO it logs every query, and with it the keys
        self._limit = int(limit_mib * 2**20)
        self._client = httpx.Client(
            transport=transport,
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0)),
            headers={"User-Agent": "almanac", "Accept-Encoding": "gzip"},  # some services turn nameless clients away
        )
        self._attempts, self._sleep = attempts, sleep

    def get(
        self, url: str, params: Mapping[str, str | int | float] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return the answer, after retries; its ``url`` has no query. ``params`` join those already in ``url``."""
        address = _address(url, params)
        retrying = Retrying(
            stop=stop_after_attempt(self._attempts),
            wait=_wait,
            retry=retry_if_exception(lambda error: isinstance(error, _TryError) and error.again),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._once, address, headers or {})
        except _TryError as error:
            tries = retrying.statistics["attempt_number"]
            often = "once" if tries == 1 else f"{tries} times"
            message = f"{_name(address)} {error.what} (asked {often}): {error.advice}"
            raise WebError(message) from error.__cause__

    def close(self) -> None:
        """Give connections back."""
        self._client.close()

    def _once(self, address: httpx.URL, headers: Mapping[str, str]) -> Answer:
        try:
            with closing(
                self._follow(self._client.build_request("GET", address, headers=headers), headers)
            ) as response:
                _refuse(response)
                body = b"".join(self._pieces(response))
        except (httpx.LocalProtocolError, UnicodeEncodeError):
            # Their texts quote the header, often a key with a line end, so they are not passed on.
            raise _TryError("was not asked", "a header, perhaps the key, holds a line end or a letter like é") from None
        except httpx.RequestError as cause:
            meaning = next(meaning for kind, meaning in _MEANINGS if isinstance(cause, kind))
            raise _TryError(meaning.what, meaning.advice, meaning.again) from cause
        return Answer(f"{address.scheme}://{_name(address)}", response.status_code, body)

    def _follow(self, request: httpx.Request, headers: Mapping[str, str]) -> httpx.Response:
        """Send the request and go where it is sent on to, leaving the caller's headers behind on another host."""
        for _ in range(MAX_REDIRECTS + 1):
            response = self._client.send(request, stream=True)
            if response.next_request is None:
                return response
            response.close()
            before, request = request, response.next_request
            if _origin(before.url) != _origin(request.url):
                for name in headers:
                    request.headers.pop(name, None)
        raise httpx.TooManyRedirects("too many redirects", request=request)

    def _pieces(self, response: httpx.Response) -> Iterator[bytes]:
        size = 0
        for piece in response.iter_bytes():
            size += len(piece)
            if size > self._limit:
                advice = "fetch the file yourself, cut it down, and give its path"
                raise _TryError(f"is larger than {self._limit / 2**20:g} MiB", advice)
            yield piece


def _address(url: str, params: Mapping[str, str | int | float] | None) -> httpx.URL:
    try:
        address = httpx.URL(url)
        return address.copy_merge_params(dict(params)) if params else address
    except httpx.InvalidURL:
        # Its text may quote any part of the address, so it is not passed on.
        seen = re.sub(r"//[^/]*@", "//", re.split(r"[?#]", url)[0])
        raise WebError(f"{seen!r} is no valid address: check its port and look for line ends in it") from None


def _name(address: httpx.URL) -> str:
    """Return host, port where unusual, and path: never user, password or query, which may be secret."""
    return address.netloc.decode() + address.path


def _origin(address: httpx.URL) -> tuple[str, bytes]:
    return address.scheme, address.netloc


def _refuse(response: httpx.Response) -> None:
    status = response.status_code
    if status >= 400:
        advice = ADVICE.get(status, LATER if status >= 500 else "it does not accept the request")
        raise _TryError(f"answered {status}", advice, status in AGAIN, _asked_wait(response.headers))


def _asked_wait(headers: httpx.Headers) -> float:
    """Return the seconds that Retry-After asks for, 0 when it asks for none (RFC 9110, 10.2.3)."""
    asked = headers.get("Retry-After", "0")
    try:
        # A date is compared with the server's own clock, not ours.
        return float(asked) if asked.isdecimal() else _seconds(headers.get("Date", ""), asked)
    except (TypeError, ValueError):
        return 0.0


def _seconds(start: str, end: str) -> float:
    return (parsedate_to_datetime(end) - parsedate_to_datetime(start)).total_seconds()


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait_s if isinstance(error, _TryError) else 0.0
    return max(BACK_OFF(state), min(asked, MAX_WAIT_S))
