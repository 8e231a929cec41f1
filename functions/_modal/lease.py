"""One writer at a time for what containers share: a lease, kept alive by a heartbeat, taken over when that stops.

    free ──► take: put generation n+1, if nobody has ──► held: a beat every few seconds ──► released
                          └── n has been silent for long: its holder is gone ──┘

The holder of the highest generation holds. A generation is put only where there is none, so of two who want the same
one exactly one gets it. No clock is compared with another machine's: silence is what the watcher itself has seen.
"""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from shared.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Callable


class Shared(Protocol):
    """What a lease needs of the place that all who want it can reach; ``modal.Dict`` has these."""

    def get(self, key: str, default: object = None) -> Any:  # noqa: ANN401 - whatever was put
        """Return what was put last."""
        ...

    def put(self, key: str, value: object, *, skip_if_exists: bool = False) -> bool:
        """Put a value; with ``skip_if_exists`` only where there is none, and return whether it was put."""
        ...


@dataclass(frozen=True)
class Patience:
    """Seconds: between two beats, of silence after which a holder counts as gone, and until waiting is given up.

    A holder whose process stands still for longer than ``silence`` loses the lease, and learns of it when it confirms.
    """

    beat: float = 5
    silence: float = 30
    wait: float = 600


@dataclass(frozen=True)
class Entry:
    """One generation: whose it is, how often that holder has given a sign, and whether it is done."""

    owner: str
    beats: int = 0
    released: bool = False

    def plain(self) -> tuple[str, int, bool]:
        """Return it as builtin values, which any version of this code can read."""
        return (self.owner, self.beats, self.released)


class Lease:
    """The right to write what ``name`` stands for. May be taken again after it was released."""

    def __init__(self, shared: Shared, name: str, patience: Patience | None = None) -> None:
        """Prepare; nothing is asked yet."""
        self._shared, self._name = shared, name
        self._patience = patience or Patience()
        self._generation = 0
        self._mine = Entry("")
        self._beating = threading.Lock()  # the heartbeat and ``confirm`` count the same beats
        self._stopped = threading.Event()
        self._heart: threading.Thread | None = None

    def take(self) -> int:
        """Wait until the lease is ours, however its last holder ended; return the generation.

        Raises:
            BusyError: somebody has held it for as long as we wait.
        """
        until = time.monotonic() + self._patience.wait
        newest = self._newest()
        while True:
            seen = self._outwaited(newest, until)
            self._mine = Entry(uuid.uuid4().hex)
            if self._put_new(newest + 1) and self._entry(newest + 2) is None:  # else: between two of a forgotten past
                break
            newest += 1
        self._generation = newest + 1
        self._shared.put(f"lease/{self._name}", self._generation)  # where the next one begins to look
        self._start_heart()
        try:
            self._see_off(newest, seen, until)
        except BusyError:
            self.release()
            raise
        return self._generation

    def confirm(self) -> None:
        """Give a sign now; return if the lease is still ours.

        Raises:
            BusyError: it was taken over, as we were silent for too long; nothing may be written any more.
        """
        if self._stopped.is_set() or not self._beat():
            self._stopped.set()
            raise BusyError(
                f"this run was silent for more than {self._patience.silence:g} s, and another one has taken over what "
                f"{self._name} stores; nothing of it was kept since the last commit. Run the stage again"
            )

    def release(self) -> None:
        """Let the next one have it; safe to call twice, and after it was lost."""
        self._stopped.set()
        if self._heart is not None:
            self._heart.join()
            self._heart = None
        self._mine = replace(self._mine, released=True)
        self._shared.put(self._key(self._generation), self._mine.plain())

    def _newest(self) -> int:
        """Return the highest generation there is, 0 when there is none."""
        newest = int(self._shared.get(f"lease/{self._name}", 0))
        while self._entry(newest + 1) is not None:
            newest += 1
        return newest

    def _outwaited(self, generation: int, until: float) -> Entry | None:
        """Wait until that generation is released or silent; return it as it was last seen."""
        seen, since = self._entry(generation), time.monotonic()
        while seen is not None and not seen.released and time.monotonic() - since < self._patience.silence:
            if time.monotonic() > until:
                raise BusyError(
                    f"another run writes what {self._name} stores; it was not done within {self._patience.wait:g} s. "
                    "Try again later"
                )
            time.sleep(min(1.0, self._patience.beat / 2))
            now = self._entry(generation)
            if now != seen:
                seen, since = now, time.monotonic()
        return seen

    def _see_off(self, generation: int, seen: Entry | None, until: float) -> None:
        """Where the one before came back to life while we took over, wait until it has seen that it lost."""
        if seen is not None and not seen.released and self._entry(generation) != seen:
            self._outwaited(generation, until)

    def _put_new(self, generation: int) -> bool:
        """Put our entry where there is none; a repeat after a lost answer finds its own."""
        if self._shared.put(self._key(generation), self._mine.plain(), skip_if_exists=True):
            return True
        there = self._entry(generation)
        return there is not None and there.owner == self._mine.owner

    def _beat(self) -> bool:
        """Give a sign, then look whether the lease is ours: in that order, as a thief looks after taking it."""
        with self._beating:
            self._mine = replace(self._mine, beats=self._mine.beats + 1)
            self._shared.put(self._key(self._generation), self._mine.plain())
            return self._entry(self._generation + 1) is None

    def _start_heart(self) -> None:
        self._stopped = stopped = threading.Event()
        self._heart = threading.Thread(target=_beat_until, args=(stopped, self._beat, self._patience.beat), daemon=True)
        self._heart.start()

    def _entry(self, generation: int) -> Entry | None:
        found = self._shared.get(self._key(generation)) if generation else None
        return None if found is None else Entry(*found)

    def _key(self, generation: int) -> str:
        return f"lease/{self._name}/{generation}"


def _beat_until(stopped: threading.Event, beat: Callable[[], bool], every_s: float) -> None:
    """Beat until told to stop, or the lease is lost; a beat that fails is one missed, not the last."""
    while not stopped.wait(every_s):
        try:
            if not beat():
                stopped.set()
        except Exception:  # noqa: BLE001, S112 - of any kind the network has; ``confirm`` decides in the end
            continue
