"""Fair turns: a few workers at once, everybody else in the order in which they came, up to a limit.

submit ──► in line: place() says how many are before ──► a worker calls it, unless its asker is gone
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from shared.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Callable


class Turns:
    """Work done by ``at_once`` threads; more than ``most_waiting`` in line are refused."""

    def __init__(self, at_once: int, most_waiting: int) -> None:
        """Start nothing yet; threads come with the first work."""
        self._workers, self._most_waiting = ThreadPoolExecutor(at_once, thread_name_prefix="answer"), most_waiting
        self._line: list[object] = []
        self._busy, self._at_once, self._lock = 0, at_once, threading.Lock()

    @property
    def waiting(self) -> int:
        """Return how many are in line."""
        return len(self._line)

    def place(self, turn: object) -> int:
        """Return how many must be done before ``turn`` begins; 0 once it has, or was left."""
        with self._lock:
            return self._line.index(turn) + 1 if turn in self._line else 0

    def submit(self, turn: object, work: Callable[[], None]) -> None:
        """Let ``work`` be called when it is its turn; ``work`` never raises. ``turn`` names it, and is like no other.

        Raises:
            BusyError: too many are in line.
        """
        with self._lock:
            if len(self._line) >= self._most_waiting and self._busy >= self._at_once:
                raise BusyError(f"{len(self._line)} are waiting for an answer already; ask again in a minute")
            self._line.append(turn)
        self._workers.submit(self._do, turn, work)

    def leave(self, turn: object) -> None:
        """Give a place in line up, if still there; its work is called yet, and must see that nobody wants it."""
        with self._lock:
            if turn in self._line:
                self._line.remove(turn)

    def _do(self, turn: object, work: Callable[[], None]) -> None:
        with self._lock:
            if turn in self._line:
                self._line.remove(turn)
            self._busy += 1
        try:
            work()
        finally:
            with self._lock:
                self._busy -= 1
