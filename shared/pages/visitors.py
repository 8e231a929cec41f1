"""Who asks a page, so far as it must know: enough that nobody takes what is meant for all, and no more.

A session is a page that somebody opened; an address may stand for many people, and behind a proxy for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.steps.limits import Limiter

if TYPE_CHECKING:
    import gradio as gr


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
        session = (request and request.session_hash) or ""
        client = request.client if request else None
        self.addresses.take(str(client.host) if client else "")
        if session:
            self.sessions.take(session)
        return session
