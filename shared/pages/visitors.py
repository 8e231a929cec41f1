"""Who asks a page, so far as it must know: enough that nobody takes what is meant for all, and no more.

A session is a page that somebody opened, by a name that anybody may make up; an address may stand for many people.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from shared.connect import in_space
from shared.steps.limits import Limiter

if TYPE_CHECKING:
    import gradio as gr
    from starlette.types import ASGIApp, Receive, Scope, Send

LONGEST = 64  # characters of a session's name, which is kept for as long as its bucket; Gradio's have a dozen
ONE_HOUSE = 64  # bits: within so many, whoever has an IPv6 address has them all
CALLER = f"x-caller-{secrets.token_hex(16)}"  # a header that nobody can send, as its name ends with this process


@dataclass(frozen=True)
class Visitors:
    """How often a session, and an address, may ask for what takes the machine seconds."""

    sessions: Limiter = field(default_factory=lambda: Limiter(burst=12, per_minute=12))
    addresses: Limiter = field(default_factory=lambda: Limiter(burst=120, per_minute=120))

    def admit(self, request: gr.Request | None) -> str:
        """Return the session of whoever asks, "" of a program that has none.

        Raises:
            UsageError: that is asked too often; the message says for how long to wait.
        """
        self.addresses.take(address_of(request, behind_proxy=in_space()) if request else "")
        session = (request and request.session_hash) or ""
        if not request or len(session) > LONGEST or _is_through_mcp(request):
            return ""  # all who ask through MCP have one session, that of Gradio with itself
        if session:
            self.sessions.take(session)
        return session


class Callers:
    """ASGI middleware that notes in a header who connected.

    What an MCP client asks Gradio, Gradio asks itself, with the asker's headers: there alone it still stands then.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Take the app that it stands before."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on; what Gradio asks itself keeps the note of who asked first."""
        if scope["type"] == "http" and scope.get("client"):
            noted = any(name == CALLER.encode() for name, _ in scope["headers"])
            told = [] if noted else [(CALLER.encode(), str(scope["client"][0]).encode())]
            scope = {**scope, "headers": [*scope["headers"], *told]}
        await self._app(scope, receive, send)


def address_of(request: gr.Request, *, behind_proxy: bool) -> str:
    """Return where a request comes from, "" where that is not known.

    It is Hugging Face's proxy that connects to a Space. It appends the address it was asked from to X-Forwarded-For and
    leaves before it whatever the asker wrote there (measured: ADR-0262 of github.com/sarthakjain004/headstart), so the
    last entry is its word, and any other is nobody's. Elsewhere all of them are nobody's, and it is who connected, as
    ``Callers`` noted.
    """
    if behind_proxy:
        entries = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
        if told := _network(entries[-1].strip()):
            return told
    if told := request.headers.get(CALLER, ""):
        return _network(told) or str(told)
    if not request.client or _is_through_mcp(request):
        return ""  # from here to here, with headers of the asker's own: all who ask so are counted as one
    return _network(str(request.client.host)) or str(request.client.host)


def _is_through_mcp(request: gr.Request) -> bool:
    """Return whether Gradio asks itself what an MCP client asked it; whoever only says so has less for it."""
    return bool(request.headers.get("x-gradio-user") == "mcp")


def _network(told: str) -> str:
    """Return an address as one visitor's, "" where it is none.

    >>> _network("203.0.113.7"), _network("2001:db8:1:2:3::4"), _network("::ffff:203.0.113.7"), _network("me")
    ('203.0.113.7', '2001:db8:1:2::/64', '203.0.113.7', '')
    """
    try:
        address = ip_address(told)
    except ValueError:
        return ""
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((address.packed, ONE_HOUSE), strict=False))
