"""Fair turns: a few workers at once, everybody else in the order in which they came, up to a limit.

submit ──► in line: place() says how many are before ──► a worker calls it, unless its asker left
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from shared.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Callable


class Turns:
    """Work done by ``at_once`` threads; more than ``most_waiting`` in line are refused.

    Its threads keep no process from ending, so whoever makes one closes it then: a thread pool of Python's would first
    do all that is in line.
    """

    def __init__(self, at_once: int, most_waiting: int) -> None:
        """Start nothing yet; threads come with the first work."""
        self._at_once, self._most_waiting = at_once, most_waiting
        self._line: list[tuple[object, Callable[[], None]]] = []
        self._workers: list[threading.Thread] = []
        self._busy, self.closed, self._changed = 0, False, threading.Condition()

    @property
    def waiting(self) -> int:
        """Return how many are in line."""
        return len(self._line)

    def place(self, turn: object) -> int:
        """Return how many must be done before ``turn`` begins; 0 once it has, or was left."""
        with self._changed:
            return next((place for place, (one, _) in enumerate(self._line, 1) if one is turn), 0)

    def submit(self, turn: object, work: Callable[[], None]) -> None:
        """Let ``work`` be called when it is its turn; ``work`` never raises. ``turn`` names it, and is like no other.

        Raises:
            BusyError: too many are in line.
        """
        with self._changed:
            if len(self._line) >= self._most_waiting and self._busy >= self._at_once:
                raise BusyError(f"{len(self._line)} are waiting for an answer already; ask again in a minute")
            self._line.append((turn, work))
            if len(self._workers) < self._at_once:
                name = f"answer-{len(self._workers)}"
                self._workers.append(threading.Thread(target=self._do, name=name, daemon=True))
                self._workers[-1].start()
            self._changed.notify()

    def leave(self, turn: object) -> None:
        """Give a place in line up, if still there: its work is not called."""
        with self._changed:
            self._line = [one for one in self._line if one[0] is not turn]

    def close(self) -> None:
        """Begin no more work, and wait for what is being done, which looks at ``closed``."""
        with self._changed:
            self.closed = True
            self._line.clear()
            self._changed.notify_all()
        for one in self._workers:
            if one is not threading.current_thread():
                one.join()

    def _do(self) -> None:
        while work := self._next():
            try:
                work()
            finally:
                with self._changed:
                    self._busy -= 1
                del work  # what it holds, such as a model, goes when nobody else needs it, and not with the next work

    def _next(self) -> Callable[[], None] | None:
        """Return the work of who comes next, once there is any; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._line or self.closed)
            if self.closed:
                return None
            self._busy += 1
            return self._line.pop(0)[1]
