"""Locks between machines: leases on a branch of the data set repository, which expire when nobody renews them.

    free, or expired ──► commit {holder, until} if the head of ``locks`` is still that ──► held, renewed ──► freed

Of two who want it at once one commits first; the other is told that the head has moved. A holder that was killed keeps
others out until its lease ends. Times are compared between machines: their clocks must agree to about a minute.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.adapters.hub.account import MovedError
from shared.errors import BackendError, BusyError, NotYetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.adapters.hub.account import HubAccount, Repo

BRANCH = "locks"
log = logging.getLogger("almanac")


@dataclass(frozen=True)
class Patience:
    """Seconds: how long a lease lasts, how often its holder renews it, how often a waiting one asks."""

    lease_s: float = 540
    renew_s: float = 180
    ask_s: float = 5


class Leases:
    """The locks of a repository, which is made where there is none."""

    def __init__(
        self, account: HubAccount, repo: Repo, now: Callable[[], datetime], patience: Patience | None = None
    ) -> None:
        self._account, self._repo, self._now = account, repo, now
        self._patience = patience or Patience()

    @contextmanager
    def held(self, name: str, wait_s: float) -> Iterator[None]:
        """Hold ``name`` against every other process that uses this repository.

        Raises:
            BusyError: it was not free within ``wait_s`` seconds.
        """
        holder, give_up = uuid.uuid4().hex, time.monotonic() + wait_s
        while not self._taken(name, holder):
            left = give_up - time.monotonic()
            if left <= 0:
                raise BusyError(f"another run holds {name!r}; it was not done within {wait_s:g} s. Try again later")
            time.sleep(min(self._patience.ask_s, left))
        done = threading.Event()
        heart = threading.Thread(target=self._renew, args=(name, holder, done), daemon=True)
        heart.start()
        try:
            yield
        finally:
            done.set()
            heart.join()
            self._free(name, holder)

    def _taken(self, name: str, holder: str) -> bool:
        """Take the lease if it is free, expired or ours; return whether we have it."""
        head = self._account.head(self._repo, BRANCH) or self._begun()
        lease = self._lease(name, head)
        if lease and lease["holder"] != holder and datetime.fromisoformat(lease["until"]) > self._now():
            return False
        until = self._now() + timedelta(seconds=self._patience.lease_s)
        said = json.dumps({"holder": holder, "until": until.isoformat()}).encode()
        try:
            self._account.commit(self._repo, f"{name}: held", {_path(name): said}, parent=head, branch=BRANCH)
        except MovedError:  # by another name's lock, or by ours, and the answer was lost: the next look tells
            return False
        return True

    def _renew(self, name: str, holder: str, done: threading.Event) -> None:
        """Prolong the lease until ``done``; when it was lost, say so: writes are whole either way."""
        wait_s = self._patience.renew_s
        while not done.wait(wait_s):
            try:
                kept = self._taken(name, holder)
            except BackendError as failure:
                log.warning("the lock %s was not renewed: %s", name, failure)
                kept = False
            wait_s = self._patience.renew_s if kept else self._patience.ask_s

    def _free(self, name: str, holder: str) -> None:
        for _ in range(8):
            try:
                head = self._account.head(self._repo, BRANCH)
                lease = self._lease(name, head)
                if lease and lease["holder"] == holder:
                    self._account.commit(self._repo, f"{name}: free", {}, [_path(name)], head, BRANCH)
            except MovedError:
                continue
            except (BackendError, NotYetError) as failure:
                log.warning("the lock %s stays for %g s more: %s", name, self._patience.lease_s, failure)
            return

    def _lease(self, name: str, head: str) -> dict[str, str] | None:
        try:
            found: dict[str, str] = json.loads(self._account.text(self._repo, _path(name), head))
        except NotYetError:
            return None
        return found

    def _begun(self) -> str:
        """Make the branch, and before it the repository; return its head."""
        self._account.create(self._repo)
        with suppress(MovedError):  # somebody else just did
            doing = f"make the branch {BRANCH} of {self._repo.name}"
            make = self._account.api.create_branch
            self._account.call(doing, make, self._repo.name, branch=BRANCH, repo_type=self._repo.kind)
        return self._account.head(self._repo, BRANCH)


def _path(name: str) -> str:
    return f"locks/{name}.json"
