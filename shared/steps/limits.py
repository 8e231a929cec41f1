"""How often one visitor may ask: a bucket of tokens each, for whoever came lately.

    who ──► Limiter.take ──► nothing, or UsageError with the seconds to wait

A bucket holds ``burst`` tokens and fills with ``per_minute``; a question takes one (a token bucket, as in RFC 2697).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from shared.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Limiter:
    """Buckets of at most ``most`` visitors; beyond that the one who has not asked for longest is forgotten.

    >>> now = iter([0.0, 0.0, 30.0]).__next__
    >>> limiter = Limiter(burst=1, per_minute=2, clock=now)
    >>> limiter.take("jane"), limiter.wait_s("jane"), limiter.wait_s("jane")
    (None, 30.0, 0.0)
    """

    burst: int
    per_minute: float
    most: int = 10_000
    clock: Callable[[], float] = monotonic  # seconds
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def take(self, who: str) -> None:
        """Take a token of ``who``.

        Raises:
            UsageError: there is none left; the message says for how long.
        """
        if wait := math.ceil(self.wait_s(who)):
            raise UsageError(f"that is more than may be asked at once; ask again in {wait} s")

    def wait_s(self, who: str) -> float:
        """Take a token of ``who`` and return 0, or take none and return for how many seconds there will be none."""
        with self._lock:
            now = self.clock()
            held, since = self._buckets.pop(who, (float(self.burst), now))
            held = min(self.burst, held + max(0.0, now - since) * self.per_minute / 60)
            given = held >= 1
            self._buckets[who] = (held - given, now)
            if len(self._buckets) > self.most:
                self._buckets.popitem(last=False)
        return 0.0 if given else (1 - held) * 60 / self.per_minute
