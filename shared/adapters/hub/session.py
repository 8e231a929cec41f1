"""The HTTP session of the Hub's client: one bounded attempt for our calls, as ever for everybody else's in the process.

The client sets no time-out, tries six times by itself, and waits for a "Retry-After" of any length. Where the call is
ours, an answer that another attempt may better becomes an ``AgainError``, which the client does not know and lets pass.
"""

from __future__ import annotations

import logging
import warnings
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from huggingface_hub import constants, set_client_factory
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import disable_progress_bars, parse_ratelimit_headers
from huggingface_hub.utils._http import hf_request_event_hook

try:
    import httpx2
except ImportError:  # huggingface-hub 1 asks with its predecessor, and where Unsloth trains there is no newer one
    import httpx as httpx2  # type: ignore[no-redef]

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

TIMEOUT_S = 30.0  # of one read or write on a connection
CONNECT_S = 10.0
PATIENCE_S = 300.0  # the longest "Retry-After" waited for; requests are counted by 5 min, commits by the hour
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})

Result = TypeVar("Result")
_LIMIT_S: ContextVar[float | None] = ContextVar("_LIMIT_S", default=None)  # set while a call of ours goes on


class AgainError(Exception):
    """An attempt that failed in a way that another one may not; ``after_s`` is how long the Hub says to wait."""

    def __init__(self, status: int, why: str, after_s: float | None = None) -> None:
        super().__init__(status, why, after_s)
        self.status, self.why, self.after_s = status, why, after_s

    def __str__(self) -> str:
        return self.why

    def told(self) -> str:
        """Return what happened and what to do next."""
        if self.status == 429:
            when = f"in {self.after_s / 60:.0f} min" if self.after_s else "in an hour"
            return f"it takes no more for now (HTTP 429); run the same command again {when}"
        return f"{self}; nothing is lost: run the same command again later, or see https://status.huggingface.co"


def asked_once(limit_s: float, function: Callable[..., Result], *words: object, **options: object) -> Result:
    """Return ``function(*words, **options)``, each of its requests tried once, ``limit_s`` seconds a read or write.

    Raises:
        AgainError: no answer, or one that says to come again.
        HfHubHTTPError: any other refusal; its request no longer holds the token.
    """
    before = _LIMIT_S.set(limit_s)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the client's, on cards and file types
            return function(*words, **options)
    except (httpx2.TransportError, HfHubHTTPError, RuntimeError) as failure:
        raise _plain(failure) from failure.__cause__
    finally:
        _LIMIT_S.reset(before)


def wait_s(state: RetryCallState) -> float:
    """Return the seconds before the next attempt: as the Hub said, else 1, 2, 4, …; give up beyond PATIENCE_S."""
    failure = state.outcome.exception() if state.outcome else None
    told = failure.after_s if isinstance(failure, AgainError) else None
    if failure is not None and told is not None and told > PATIENCE_S:
        raise failure
    return float(2 ** (state.attempt_number - 1)) if told is None else told + 1  # the Hub rounds down


@cache
def prepare() -> None:
    """Make the client bounded and quiet, once in a process: no telemetry, no progress bars, no word on Xet."""
    constants.HF_HUB_DISABLE_TELEMETRY = True
    disable_progress_bars()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    limits = httpx2.Timeout(TIMEOUT_S, connect=CONNECT_S)
    hooks: dict[str, list[Callable[..., Any]]] = {"request": [hf_request_event_hook]}
    set_client_factory(lambda: _Session(event_hooks=hooks, follow_redirects=True, timeout=limits))


class _Session(httpx2.Client):
    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        limit_s = _LIMIT_S.get()
        if limit_s is None:
            return super().send(request, **options)
        request.extensions["timeout"] = httpx2.Timeout(limit_s, connect=min(limit_s, CONNECT_S)).as_dict()
        try:
            response = super().send(request, **options)
        except httpx2.TransportError as failure:
            raise AgainError(0, _no_answer(failure)) from _without_token(failure)
        if response.status_code in AGAIN:
            response.close()
            raise AgainError(response.status_code, f"HTTP {response.status_code}", _retry_after(response))
        return response


def _plain(failure: Exception) -> Exception:
    """Return the error that another one was wrapped around, without the token."""
    if isinstance(failure, httpx2.TransportError):  # while an answer was being read
        return AgainError(0, _no_answer(failure))
    if isinstance(failure, HfHubHTTPError):
        _without_token(failure)
        return failure
    inner = failure.__cause__  # the client wraps what goes wrong in the upload of a large file
    if isinstance(inner, AgainError):
        return inner
    return _plain(inner) if isinstance(inner, (httpx2.TransportError, HfHubHTTPError)) else failure


def _no_answer(failure: Exception) -> str:
    return f"no answer came ({type(failure).__name__})"


def _without_token(failure: Exception) -> Exception:
    """Return the error with the token, and a Space's secret, taken out of the request it carries: errors travel."""
    response = getattr(failure, "response", None)
    for carrier in (failure, response, *getattr(response, "history", ())):
        if (request := getattr(carrier, "_request", None)) is not None:
            request.headers.pop("authorization", None)
            request._content = b""
    return failure


def _retry_after(response: httpx2.Response) -> float | None:
    """Return the seconds the Hub says to wait: its own header, or the standard one."""
    limits = parse_ratelimit_headers(response.headers) if response.status_code == 429 else None
    if limits is not None and limits.remaining == 0:
        return float(limits.reset_in_seconds)
    told = response.headers.get("retry-after", "").strip()
    return float(told) if told.isdigit() else None
