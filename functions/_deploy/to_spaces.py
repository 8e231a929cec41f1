"""Deploying pages to Hugging Face: the repositories they read, a Space each, and that each runs and answers.

    wanted (space_files.py) ──┐
                              ├─► plan: names, git's ids of the files, settings, stage ──► apply ──► start
    account (shared.connect) ─┘

Only what says that it was made for this deployment is written to or removed: a Space by its mark, data by its card.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from functions._deploy.bundle import MARK, ROOF
from functions._deploy.space_files import (
    TODAY,
    Wanted,
    card,
    data_set,
    differing,
    has_our_card,
    mark_of,
    model_repositories,
    system_of,
    takes,
    wanted,
)
from functions._deploy.target import Change, Need
from shared.connect import open_spaces, read_token
from shared.errors import AlmanacError, BackendError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from functions._timetable import Deployment

TOKENS = "https://huggingface.co/settings/tokens"
KINDS: Mapping[str, Literal["dataset", "model"]] = {"data set": "dataset", "model": "model"}
PAID = (
    "Gradio Spaces need a paid plan (https://huggingface.co/pricing). A free account in good standing may have two, on"
    " ZeroGPU: `almanac deploy spaces --one` puts all pages into one. The static page {today} is free for everybody"
)


class SpacesTarget:
    """The Spaces of a deployment, the data set and the models they read, as a ``Target``.

    Args:
        deployment: whose.
        one: all pages in one Space, as free accounts need it.

    Raises:
        UsageError: the deployment names no place on the Hub.
    """

    name = "spaces"

    def __init__(self, deployment: Deployment, one: bool = False) -> None:
        if not deployment.hub:
            raise UsageError(
                f'Spaces need a place: write hub = "OWNER/PREFIX" in modal.toml [deploy.{deployment.name}]'
            )
        self._deployment, self._one, self._spaces = deployment, one, open_spaces()

    def needs(self, only: frozenset[str]) -> list[Need]:
        return [
            Need("HF_TOKEN", "makes and fills Spaces, data set and models: a token with write access", TOKENS),
            Need("HF_READ_TOKEN", "Spaces read a private data set with it: read access only", TOKENS, required=False),
        ]

    def wanted(self, only: frozenset[str]) -> list[Change]:
        things = [*self._data(only), *((_kind(one), one.name) for one in self._wanted if self._takes(one, only))]
        return [Change(self.name, kind, name, "create", "wanted") for kind, name in things]

    def plan(self, only: frozenset[str]) -> list[Change]:
        chosen = [one for one in self._wanted if self._takes(one, only)]
        changes = [self._planned_data(kind, name) for kind, name in self._data(only)]
        changes += [self._planned(one) for one in chosen]
        begun = [change.name for change in changes if change.kind not in KINDS and change.action != "leave"]
        if begun:
            changes.append(Change(self.name, "start", ", ".join(begun), "change", "until each runs and answers"))
        return changes + self._strays({one.name for one in self._wanted}, only)

    def apply(self, change: Change) -> str:
        if change.action in ("leave", "keep"):
            return f"{change.name}: left as it is"
        if change.action == "remove":
            return self._removed(change)
        if change.kind == "start":
            return self._started(change.name.split(", "))
        if change.kind in KINDS:
            made = self._spaces.make(KINDS[change.kind], change.name, card(change.kind, change.name))
            return f"{change.name}: {'made' if made else 'was there already'}"
        return self._deployed(next(one for one in self._wanted if one.name == change.name))

    def removal(self, only: frozenset[str], data: bool) -> list[Change]:
        spaces = [
            Change(self.name, "Space", name, "remove") for name, space in self._ours() if takes(system_of(space), only)
        ]
        action: Literal["remove", "keep"] = "remove" if data else "keep"
        models = {("model", name) for name in model_repositories(self._deployment, only)}  # the tables are of all
        kept = [one for one in self._data_there() if not only or one in models]
        return spaces + [Change(self.name, kind, name, action, "data" if data else "--data") for kind, name in kept]

    @cached_property
    def _wanted(self) -> list[Wanted]:
        return wanted(self._deployment, self._one)

    @cached_property
    def _private(self) -> bool:
        return self._spaces.is_private("dataset", data_set(self._deployment))

    def _takes(self, one: Wanted, only: frozenset[str]) -> bool:
        return takes(system_of(one.space), only) or (self._one and one.space == ROOF)

    def _data(self, only: frozenset[str]) -> list[tuple[str, str]]:
        models = [("model", name) for name in model_repositories(self._deployment, only)]
        return [("data set", data_set(self._deployment)), *models]

    def _planned_data(self, kind: str, name: str) -> Change:
        there = name in self._spaces.names(KINDS[kind], name)
        return Change(self.name, kind, name, "leave" if there else "create", "there" if there else "daily runs fill it")

    def _planned(self, one: Wanted) -> Change:
        kind, found = _kind(one), self._spaces.find(one.name)
        if found is None:
            size = sum(map(len, one.files.values())) / 1000
            return Change(self.name, kind, one.name, "create", f"{len(one.files)} files, {size:.0f} kB")
        self._must_be_ours(one, found.files)
        adds, deletes = differing(one, found.files)
        reasons = _named("differ" if found.files else "missing", [*adds, *deletes])
        reasons += _named("to set", [*_unset(one.variables, found.variables), *self._secrets(found.secrets)])
        reasons += [] if found.stage in ("RUNNING", "SLEEPING") else [f"it is {found.stage}"]
        return Change(self.name, kind, one.name, "change" if reasons else "leave", "; ".join(reasons) or "as here")

    def _deployed(self, one: Wanted) -> str:
        """Make a Space what it shall be, in one commit; what is so already stays."""
        found = self._spaces.find(one.name)
        if found is None:
            self._create(one)
            found = self._spaces.find(one.name)
        if found is None:
            raise BackendError(f"the Space {one.name} was made and is not there; run the same again")
        self._must_be_ours(one, found.files)
        variables, secrets = _unset(one.variables, found.variables), self._secrets(found.secrets)
        self._spaces.set(one.name, variables, secrets)
        adds, deletes = differing(one, found.files)
        if adds or deletes:
            self._spaces.upload(one.name, found.head, adds, deletes, "Almanac deployed")
        elif one.sdk == "gradio":
            self._spaces.restart(one.name)
        return f"{one.name}: {len(adds)} files brought, {len(deletes)} deleted"

    def _create(self, one: Wanted) -> None:
        """Make an empty Space, on ZeroGPU where a free account's one Space may be nowhere else."""
        try:
            self._spaces.create(one.name, one.sdk, private=self._private)
        except BackendError as failure:
            if one.sdk == "static" or not self._spaces.is_refusal(failure):
                raise
            self._create_free(one, failure)

    def _create_free(self, one: Wanted, refused: BackendError) -> None:
        told = PAID.format(today=f"{self._deployment.hub}-{TODAY}")
        if not self._one:
            raise BackendError(f"{refused}. {told}") from refused
        try:
            self._spaces.create(one.name, one.sdk, private=self._private, free_gpu=True)
        except BackendError as failure:
            raise BackendError(f"{failure}. {told}") from failure

    def _started(self, names: list[str]) -> str:
        """Wait until each Space runs and answers; all are asked before what failed is told."""
        with ThreadPoolExecutor(max_workers=len(names)) as waiting:  # in common: one may take a quarter of an hour
            ends = [*waiting.map(self._end_of, names)]
        if failed := [said for is_up, said in ends if not is_up]:
            raise BackendError("\n".join(failed))
        return "\n".join(said for _, said in ends)

    def _end_of(self, name: str) -> tuple[bool, str]:
        """Wait for one Space; return whether it runs and answers, and what it answers or what is wrong."""
        try:
            self._spaces.runs(name)
            return True, f"{name} {self._spaces.answers(name)}"
        except AlmanacError as failure:
            return False, str(failure)

    def _secrets(self, there: frozenset[str]) -> Mapping[str, str]:
        """Return the secrets that a Space still needs: one, where what it reads is private."""
        if not self._private or "HF_TOKEN" in there:
            return {}
        if not (token := read_token()):
            name = data_set(self._deployment)
            raise UsageError(f"the data set {name} is private: give HF_READ_TOKEN, a token with read access ({TOKENS})")
        return {"HF_TOKEN": token}

    def _must_be_ours(self, one: Wanted, files: Mapping[str, str]) -> None:
        fresh = set(files) <= {".gitattributes", "README.md"}  # as the Hub makes them
        if not fresh and mark_of(self._spaces.text("space", one.name, MARK))[0] != self._deployment.hub:
            raise UsageError(
                f"the Space {one.name} is not from this deployment; rename it, or choose another hub = in modal.toml"
            )

    def _ours(self) -> Iterator[tuple[str, str]]:
        """Yield the Spaces that were made for this deployment: name, and which page it shows."""
        for name in self._spaces.names("space", self._deployment.hub):
            hub, space = mark_of(self._spaces.text("space", name, MARK))
            if hub == self._deployment.hub:
                yield name, space

    def _strays(self, wanted: set[str], only: frozenset[str]) -> list[Change]:
        there = [name for name, space in self._ours() if name not in wanted and takes(system_of(space), only)]
        why = "no longer wanted: `almanac destroy spaces` removes it"
        return [Change(self.name, "Space", name, "leave", why) for name in there]

    def _data_there(self) -> Iterator[tuple[str, str]]:
        prefix = data_set(self._deployment)
        for kind, repo_kind in KINDS.items():
            for name in self._spaces.names(repo_kind, prefix):
                mine = name == prefix if kind == "data set" else name.startswith(f"{prefix}-")
                if mine and has_our_card(self._spaces.text(repo_kind, name, "README.md")):
                    yield kind, name

    def _removed(self, change: Change) -> str:
        kind: Literal["dataset", "model", "space"] = KINDS.get(change.kind, "space")
        self._spaces.remove(kind, change.name)
        return f"{change.name}: removed"


def _kind(one: Wanted) -> str:
    return "Space" if one.sdk == "gradio" else "static Space"


def _unset(wanted: Mapping[str, str], there: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in wanted.items() if there.get(name) != value}


def _named(what: str, names: list[str]) -> list[str]:
    """Return a phrase on these, three of them by name; none for none."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return [f"{', '.join(names[:3])}{more} {what}"] if names else []
