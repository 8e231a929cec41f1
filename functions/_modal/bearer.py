"""A guard before an ASGI app: it answers nobody who does not bear the token."""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from functools import wraps
from typing import Any

from shared.errors import UsageError

HELD_BY = "ALMANAC_ENDPOINT_TOKEN"  # the variable that holds the token
UNKNOWN = {  # in the form of OpenAI's errors
    "message": f"this endpoint answers only who bears its token: send Authorization: Bearer ${HELD_BY}",
    "type": "invalid_request_error",
    "param": None,
    "code": "invalid_api_key",
}
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def guarded(make: Callable[[], App]) -> Callable[[], App]:
    """Return what makes the same app behind the guard; the token is read in the container, where the secret is."""

    @wraps(make)
    def made() -> App:
        return bearing(os.environ.get(HELD_BY, ""), make())  # noqa: TID251 - a secret of the container

    return made


def bearing(token: str, app: App) -> App:
    """Return the app behind a guard that answers 401 to every request without ``Authorization: Bearer TOKEN``.

    Raises:
        UsageError: there is no token, and everybody would be let in.
    """
    if not token:
        raise UsageError(f"{HELD_BY} is not set; without it the endpoint would answer everybody")
    wanted = b"Bearer " + token.encode()

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        told = dict(scope.get("headers", ())).get(b"authorization", b"")
        if scope["type"] == "lifespan" or hmac.compare_digest(
            told, wanted
        ):  # in constant time: nothing is to be guessed
            await app(scope, receive, send)
        elif scope["type"] == "http":
            headers = [(b"www-authenticate", b"Bearer"), (b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 401, "headers": headers})
            await send({"type": "http.response.body", "body": json.dumps({"error": UNKNOWN}).encode()})
        else:
            await send({"type": "websocket.close", "code": 1008})

    return guard
