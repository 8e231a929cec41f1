"""Locks between machines: Hopsworks has none, so each is a lease, on files of which a name can be had only once.

    000000000007              claimed by one holder; its content says until when
    000000000007.until-1763…  the holder still lives: the lease was renewed
    000000000007.free         it is done

Whoever has the highest number holds the lock. It is free when that number says so, or its lease ran out because its
holder died; then the next number is there to be claimed, by one only.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.adapters.hopsworks import files
from shared.errors import AlmanacError, BusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from shared.adapters.hopsworks.project import HopsworksProject, Live

log = logging.getLogger("almanac.hopsworks")
Taken = tuple[int, list[str]]  # a number, and the names of what was there before it


@dataclass(frozen=True)
class Terms:
    """How long a lease lasts, how often its holder renews it, how often others look; in seconds.

    Stages wait for 600 s, so a lock outlives the death of its holder by less than that.
    """

    lease_s: float = 540
    renew_s: float = 180
    poll_s: float = 1


@contextmanager
def held(
    project: HopsworksProject, folder: str, now: Callable[[], datetime], wait_s: float, terms: Terms
) -> Iterator[None]:
    """Hold the lock that ``folder`` stands for.

    Raises:
        BusyError: it was not free within ``wait_s`` seconds.
    """
    name, deadline = folder.rpartition("/")[2], time.monotonic() + wait_s
    while (taken := _taken(project, folder, now, terms)) is None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise BusyError(f"another run holds {name!r}; it was not done within {wait_s:g} s. Try again later")
        time.sleep(min(terms.poll_s, left))
    done = threading.Event()
    renewing = threading.Thread(target=_renew, args=(project, folder, taken[0], (now, terms, done)), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        done.set()
        renewing.join()
        _free(project, folder, *taken)


def _taken(project: HopsworksProject, folder: str, now: Callable[[], datetime], terms: Terms) -> Taken | None:
    """Return the number under which the lock is ours and what others left, None while somebody else has it."""
    with project.asking(f"take the lock {folder.rpartition('/')[2]}") as live:
        names = files.listed(live, folder)
        top = max(_numbers(names), default=0)
        if top and not _is_free(live, folder, names, (top, _milliseconds(now()))):
            return None
        until = _milliseconds(now()) + int(terms.lease_s * 1000)
        ours = json.dumps({"holder": uuid.uuid4().hex, "until": until}).encode()
        if not files.claimed(live, folder, f"{top + 1:012d}", ours):
            return None
        if max(_numbers(files.listed(live, folder))) > top + 1:  # we were slow: that number was had and done long ago
            files.remove(live, f"{folder}/{top + 1:012d}")
            return None
    return top + 1, names


def _is_free(live: Live, folder: str, names: list[str], top: tuple[int, int]) -> bool:
    number, now_ms = top
    if f"{number:012d}.free" in names:
        return True
    renewed = [int(name.rpartition("-")[2]) for name in names if name.startswith(f"{number:012d}.until-")]
    if not renewed:
        said = files.read(live, f"{folder}/{number:012d}")
        renewed = [int(json.loads(said)["until"])] if said else [now_ms]
    return max(renewed) < now_ms


def _renew(
    project: HopsworksProject,
    folder: str,
    number: int,
    how: tuple[Callable[[], datetime], Terms, threading.Event],
) -> None:
    """Say again and again that the holder lives, until it is done."""
    now, terms, done = how
    while not done.wait(terms.renew_s):
        until = _milliseconds(now()) + int(terms.lease_s * 1000)
        try:
            with project.meanwhile("renew a lock") as live:
                files.write(live, folder, f"{number:012d}.until-{until}", b"-")
        except AlmanacError as failed:  # the lease lasts for two more tries
            log.warning("the lock %s was not renewed: %s", folder, failed)


def _free(project: HopsworksProject, folder: str, number: int, left: list[str]) -> None:
    """Give the lock up, and clear away what earlier holders left; if that fails, its lease runs out."""
    try:
        with project.asking("give a lock up") as live:
            files.write(live, folder, f"{number:012d}.free", b"-")
            for name in left:
                files.remove(live, f"{folder}/{name}")
    except AlmanacError as failed:
        log.warning("the lock %s was not given up, it runs out by itself: %s", folder, failed)


def _numbers(names: list[str]) -> list[int]:
    return [int(name) for name in names if name.isdecimal()]


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
