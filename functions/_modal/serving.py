"""A model that answers over HTTP: on Modal a class, whose containers load it once, answer many at once, and sleep.

    serve: opens what answers, yields an ASGI app ──┬──► Modal: enter ──► answer ──► exit
                                                    └──► here: localhost, until interrupted

No memory snapshot: it would keep the version that served when it was taken, beyond the next promotion.
"""

from __future__ import annotations

import logging
import os
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import modal

from functions._modal.bearer import HELD_BY, App, bearing
from functions._modal.port import bound

log = logging.getLogger("almanac")

Serve = Callable[[], Iterator[App]]
IDLE_S, CONTAINERS, AT_ONCE = 120, 1, 64  # until a container sleeps; at most; requests that one takes at once
GRACE_S = 3  # for answers that are being made when the server here is interrupted


def limits(settings: dict[str, Any]) -> dict[str, Any]:
    """Return what a class has on Modal beside a stage's machine: when it sleeps, and how many containers there are."""
    idle_s, containers = int(settings.get("idle_s", IDLE_S)), int(settings.get("containers", CONTAINERS))
    return {"scaledown_window": idle_s, "max_containers": containers}


def on_modal(serve: Serve, settings: dict[str, Any]) -> Any:  # noqa: ANN401 - a class, or modal's around one
    """Return the class called as ``serve`` is, ready for ``app.cls``.

    ``auth`` as in ``Service.endpoint``.
    """
    by_proxy = settings.get("auth", "proxy") == "proxy"

    class Serving:
        @modal.enter()
        def load(self) -> None:
            self._open = contextmanager(serve)()
            self._app = self._open.__enter__()

        @modal.asgi_app(requires_proxy_auth=by_proxy)
        def answer(self) -> App:
            return self._app if by_proxy else bearing(os.environ.get(HELD_BY, ""), self._app)  # noqa: TID251 - a secret

        @modal.exit()
        def close(self) -> None:
            self._open.__exit__(None, None, None)

    told = {"__module__": serve.__module__, "__qualname__": serve.__name__, "__doc__": serve.__doc__}
    named = type(serve.__name__, (Serving,), told)  # Modal finds it in its module by this name
    return modal.concurrent(max_inputs=int(settings.get("at_once", AT_ONCE)))(named)


def here(serve: Serve) -> Callable[..., dict[str, Any]]:
    """Return the stage that serves on this machine alone, until interrupted."""

    def stage(port: int = 8000) -> dict[str, Any]:
        import uvicorn

        from shared.runs import Report

        token = os.environ.get(HELD_BY, "")  # noqa: TID251 - as in the container
        with bound(port) as door, contextmanager(serve)() as app:
            log.info("answering", extra={"serving": port})
            print(how_to_ask(port, token != ""), flush=True)
            asked = _leaving(bearing(token, app) if token else app)
            server = uvicorn.Server(uvicorn.Config(asked, log_level="warning", timeout_graceful_shutdown=GRACE_S))
            with suppress(KeyboardInterrupt):  # how it ends
                server.run(sockets=[door])
        return Report(note=f"served on port {port} until it was interrupted").to_dict()

    stage.__name__, stage.__doc__ = serve.__name__, f"{serve.__doc__} Here: on localhost, --port."
    return stage


def _leaving(app: App) -> App:
    """Return the app, whose answers end without a traceback when the server does not wait for them any longer."""

    async def ended(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's
        with suppress(CancelledError):
            await app(scope, receive, send)

    return ended


def how_to_ask(port: int, guarded: bool) -> str:
    """Return a command that asks the model on this machine."""
    bearer = f' -H "Authorization: Bearer ${HELD_BY}"' if guarded else ""
    question = '{"messages": [{"role": "user", "content": "What goes with rice?"}], "stream": true}'
    return (
        f"Answering on http://127.0.0.1:{port} (stop with Ctrl-C). Ask it:\n"
        f"curl -N{bearer} -H 'Content-Type: application/json' -d '{question}' "
        f"http://127.0.0.1:{port}/v1/chat/completions\n"
        f"Pages ask it with ALMANAC_ASSISTANT_URL=http://127.0.0.1:{port} in their environment."
    )
