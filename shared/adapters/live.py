"""The world itself: real HTTP, and a transport that records what it answers for ``replay``."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import httpx

from shared.adapters.replay import save
from shared.adapters.web import AGAIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TRANSFER = frozenset({"content-length", "transfer-encoding"})


def live_transport(proxy: str | None = None) -> httpx.BaseTransport:
    """Return real HTTP with checked certificates, through ``proxy`` (an address) where one is given."""
    return PatientTransport(httpx.HTTPTransport(proxy=proxy))


class PatientTransport(httpx.BaseTransport):
    """Passes requests to ``inner``; to a service that lets only so much through a minute it goes again after that.

    Open-Meteo takes 600 places a minute, of two weeks and ten variables each, and says so in words alone.
    """

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        busy = response.status_code == 429 and "Retry-After" not in response.headers
        if busy and b"Minutely" in response.read():
            response.headers["Retry-After"] = "60"
        return response

    def close(self) -> None:
        """Close ``inner``."""
        self._inner.close()


class RecordingTransport(httpx.BaseTransport):
    """Passes requests to ``inner`` and keeps each final answer in ``folder``; a newer one replaces an older.

    Answers that ask for another try (429, 5xx) and bodies that were not read to their end are not kept.
    """

    def __init__(self, inner: httpx.BaseTransport, folder: Path) -> None:
        self._inner, self._folder = inner, folder

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        if response.status_code in AGAIN:
            return response
        if not response.is_success:  # nobody reads the body of a redirect or an error
            save(self._folder, request, httpx.Response(response.status_code, headers=_unsized(response)))
            return response
        body = _Recorder(self._folder, request, response)
        return httpx.Response(
            response.status_code, headers=response.headers, stream=body, extensions=response.extensions
        )

    def close(self) -> None:
        """Close ``inner``."""
        self._inner.close()


class _Recorder(httpx.SyncByteStream):
    """Passes a body on piece by piece and records it once the last piece has come."""

    def __init__(self, folder: Path, request: httpx.Request, response: httpx.Response) -> None:
        self._folder, self._request, self._response = folder, request, response
        self._body = cast("httpx.SyncByteStream", response.stream)

    def __iter__(self) -> Iterator[bytes]:
        pieces = []
        for piece in self._body:
            pieces.append(piece)
            yield piece
        whole = httpx.Response(self._response.status_code, headers=_unsized(self._response), content=b"".join(pieces))
        save(self._folder, self._request, whole)

    def close(self) -> None:
        self._body.close()


def _unsized(response: httpx.Response) -> list[tuple[str, str]]:
    """Return the headers that still hold once the body came whole."""
    return [(name, value) for name, value in response.headers.multi_items() if name not in _TRANSFER]
