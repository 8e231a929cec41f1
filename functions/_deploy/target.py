"""What deploying means, for whatever place: needs, a plan of changes, the deed, and the way back.

modal.toml, repository ──► wanted ┐
                                  ├──► plan: create · change · leave ──► apply ──► the same plan says: leave
account ─────────────────► there ─┘                                  └──► removal: what destroy takes away
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Action = Literal["create", "change", "leave", "remove", "keep"]


@dataclass(frozen=True)
class Need:
    """A secret a place takes: the environment variable that holds it, what for, and where a person gets it."""

    name: str
    purpose: str
    where: str
    required: bool = True
    asks: bool = True  # without it the account cannot be asked; else only the deed needs it


@dataclass(frozen=True)
class Change:
    """One thing on somebody's account, and what is to be done with it. ``keep`` is data that only --data removes."""

    target: str  # modal, hopsworks, spaces
    kind: str  # app, secret, volume, Space, data set, feature group, …
    name: str
    action: Action
    why: str = ""


class Target(Protocol):
    """A place to deploy to. Nothing here prints; whoever calls shows the changes and their progress."""

    name: str

    def needs(self, only: frozenset[str]) -> list[Need]:
        """Return the secrets that these systems of the deployment take (all when empty), present or not.

        One that has another way in (a login kept by the vendor's own client) is not ``required`` while that holds.
        """
        ...

    def wanted(self, only: frozenset[str]) -> list[Change]:
        """Return what the repository wants, each as ``create``, without asking the account: works without one."""
        ...

    def plan(self, only: frozenset[str]) -> list[Change]:
        """Return every wanted thing beside what is there; ``only`` names systems (all when empty). Changes nothing.

        Raises:
            AlmanacError: the account cannot be asked; the message says what to do.
        """
        ...

    def apply(self, change: Change) -> str:
        """Do one change of the plan, or of the removal, and return a sentence on it; doing it twice is safe.

        Raises:
            AlmanacError: it could not be done; nothing of it is half done, and doing it again goes on.
        """
        ...

    def removal(self, only: frozenset[str], data: bool) -> list[Change]:
        """Return what is there of what we make: action ``remove``, and ``keep`` for data unless ``data``."""
        ...
