"""Several places at once: which of them a deployment takes, what they lack, their plans, and the deed.

    deployment ──► targets ──► lacking secrets? ──► compare ──► carry_out ──► an outcome a change

Nothing here prints. A target whose change fails stops there; the others go on, and a repeat does the rest.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from functions._secrets import hidden
from shared.errors import AlmanacError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from functions._deploy.target import Change, Need, Target
    from functions._timetable import Deployment

DONE_BY_US = ("create", "change", "remove")


@dataclass(frozen=True)
class Outcome:
    """What became of one change."""

    change: Change
    status: Literal["done", "failed", "not tried"]
    said: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Compared:
    """What a target wants beside what is there; ``blind`` says why the account could not be asked."""

    target: Target
    changes: list[Change] = field(default_factory=list)
    blind: str = ""


def _modal(deployment: Deployment, one: bool) -> Target:
    from functions._deploy.to_modal import ModalTarget

    return ModalTarget(deployment)


def _hopsworks(deployment: Deployment, one: bool) -> Target:
    from functions._deploy.to_hopsworks import HopsworksTarget

    return HopsworksTarget(deployment)


def _spaces(deployment: Deployment, one: bool) -> Target:
    from functions._deploy.to_spaces import SpacesTarget

    return SpacesTarget(deployment, one)


# In the order of the deed: stages must be able to store before pages show what they stored.
TARGETS: dict[str, Callable[[Deployment, bool], Target]] = {
    "hopsworks": _hopsworks,
    "modal": _modal,
    "spaces": _spaces,
}
_SETTINGS = {"hopsworks": 'hopsworks = "HOST/PROJECT"', "spaces": 'hub = "OWNER/PREFIX"'}


def targets(deployment: Deployment, where: str, *, one: bool = False) -> list[Target]:
    """Return the target called ``where``, or for ``all`` those that the deployment is set up for.

    Raises:
        UsageError: there is no such target, or modal.toml does not say where it is.
    """
    set_up = {"modal": True, "hopsworks": bool(deployment.hopsworks), "spaces": bool(deployment.hub)}
    if where not in ("all", *TARGETS):
        raise UsageError(f"there is nothing called {where!r} to deploy to; there are: all, {', '.join(TARGETS)}")
    if where != "all" and not set_up[where]:
        raise UsageError(
            f"{where} is not set up: write {_SETTINGS[where]} under [deploy.{deployment.name}] in modal.toml"
        )
    chosen = [name for name in TARGETS if where == name or (where == "all" and set_up[name])]
    if one and "spaces" not in chosen:
        raise UsageError("--one puts all pages under one roof, on Hugging Face Spaces; this deploys none")
    return [TARGETS[name](deployment, one) for name in chosen]


@contextmanager
def acting_for(deployment: Deployment) -> Iterator[None]:
    """Make this process part of the deployment, as its containers are: it opens the same accounts and stores."""
    ours = {**deployment.settings(), "ALMANAC_ENV": deployment.name}
    before = {name: os.environ.get(name) for name in ours}  # noqa: TID251 - put back below
    os.environ.update(ours)  # noqa: TID251
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)  # noqa: TID251
            if value is not None:
                os.environ[name] = value  # noqa: TID251


def lacking(chosen: Sequence[Target], only: frozenset[str]) -> list[Need]:
    """Return the secrets that are not in the environment, once each, required ones first."""
    needs: dict[str, Need] = {}
    for need in (need for target in chosen for need in target.needs(only)):
        there = os.environ.get(need.name, "").strip()  # noqa: TID251 - whether it is there
        if not there and (need.name not in needs or need.required):
            needs[need.name] = need
    return sorted(needs.values(), key=lambda need: not need.required)


def compare(target: Target, only: frozenset[str]) -> Compared:
    """Return the target's plan; where its account cannot be asked, what it wants, and why it is blind."""
    try:
        if missing := [need.name for need in lacking([target], only) if need.required and need.asks]:
            return Compared(target, target.wanted(only), f"not set: {', '.join(missing)}")
        return Compared(target, target.plan(only))
    except AlmanacError as failure:
        return Compared(target, target.wanted(only), hidden(str(failure)))


def carry_out(target: Target, changes: Sequence[Change]) -> Iterator[Outcome]:
    """Do the changes in order and yield what became of each; after a failure nothing more is tried."""
    failed = False
    for change in (change for change in changes if change.action in DONE_BY_US):
        if failed:
            yield Outcome(change, "not tried")
            continue
        clock = time.monotonic()
        try:
            said = target.apply(change)
        except Exception as failure:  # noqa: BLE001 - of any kind: what was done before must be told
            known = isinstance(failure, AlmanacError)
            said, failed = str(failure) if known else f"{type(failure).__name__}: {failure}", True
        yield Outcome(change, "failed" if failed else "done", hidden(said), time.monotonic() - clock)
