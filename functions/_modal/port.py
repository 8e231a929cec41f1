"""A port of this machine, taken before anything is said of it."""

from __future__ import annotations

import errno
import socket

from shared.errors import UsageError

HOST = "127.0.0.1"
HIGHEST = 65535


def bound(port: int) -> socket.socket:
    """Return a socket of ``port`` on localhost, which nobody else can take while it is open; it does not listen yet.

    Raises:
        UsageError: another program has it, or there is no such port.
    """
    if not 1 <= port <= HIGHEST:
        raise UsageError(f"there is no port {port}; they go from 1 to {HIGHEST}: choose one with --port")
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was just closed is free
    try:
        taken.bind((HOST, port))
    except OSError as cause:
        taken.close()
        why = "is taken by another program" if cause.errno == errno.EADDRINUSE else f"cannot be had ({cause.strerror})"
        raise UsageError(f"port {port} {why}; choose one with --port") from cause
    return taken
