"""What a container logs: into Modal's log, a line a message; on one's own machine the command decides."""

from __future__ import annotations

import logging
from functools import wraps
from typing import TYPE_CHECKING, Any

import modal

if TYPE_CHECKING:
    from collections.abc import Callable


def into_modals_log() -> None:
    """Let all that is logged from now on come into Modal's log."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")


def heard(work: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the same worker; what it logs in a container is in Modal's log."""

    @wraps(work)
    def logged(part: Any) -> Any:  # noqa: ANN401 - a part is whatever its stage makes
        if not modal.is_local():
            into_modals_log()
        return work(part)

    return logged
