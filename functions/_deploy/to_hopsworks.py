"""Deploying to a project on Hopsworks: a feature group and a feature view a table, and the secrets stages may ask for.

    shared/systems/*/tables.py ──► wanted ┐
                                          ├──► plan ──► apply
    the project ──────────────► there ────┘

Groups, models and declarations are data, which only --data removes. Rows are written by stages, not here.
"""

from __future__ import annotations

import os
from functools import cache, cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from functions._deploy.target import Change, Need
from functions._timetable import ROOT
from shared.connect import open_house
from shared.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions._deploy.target import Action
    from functions._timetable import Deployment
    from shared.tables import Table

KEYS = "Hopsworks: Account settings, API keys"
SECRETS = {"AQICN_TOKEN": ("hear the stations themselves, not CAMS alone", "https://aqicn.org/data-platform/token")}
GROUP, VIEW, SECRET, MODEL, FILES = "feature group", "feature view", "secret", "model", "files"


class HopsworksTarget:
    """One deployment's part of a project: what its world's prefix names."""

    name = "hopsworks"

    def __init__(self, deployment: Deployment) -> None:
        """Prepare; nothing is asked yet."""
        self._deployment = deployment
        self._house = cache(lambda: open_house(deployment.world))

    @cached_property
    def _known(self) -> dict[str, Table]:
        """Every table there may be a group of: the repository's, and all that stages ever wrote."""
        ours = [one for table in _tables(frozenset()).values() for one in _with_quarantine(table).values()]
        return {f"{table.name} v{table.version}": table for table in (*self._house().declared(), *ours)}

    def needs(self, only: frozenset[str]) -> list[Need]:
        """Return the key, and the secrets that the project keeps for stages."""
        key = Need("HOPSWORKS_API_KEY", "write to Hopsworks", KEYS)
        return [key, *(Need(name, *told, required=False) for name, told in SECRETS.items())]

    def wanted(self, only: frozenset[str]) -> list[Change]:
        """Return a group and a view a table, groups first, and the secrets there are, each as ``create``."""
        things = [(kind, name) for kind in (GROUP, VIEW) for name in _tables(only)]
        things += [(SECRET, name) for name in self._secrets() if _told(name)]
        return [Change(self.name, kind, name, "create", "wanted") for kind, name in things]

    def plan(self, only: frozenset[str]) -> list[Change]:
        """Return every wanted thing beside what is there.

        Raises:
            BackendError: the project cannot be asked; the message says what to do.
        """
        look = {GROUP: self._group_now, VIEW: self._view_now, SECRET: self._secret_now}
        return [Change(self.name, one.kind, one.name, *look[one.kind](one.name)) for one in self.wanted(only)]

    def apply(self, change: Change) -> str:
        """Do one change of the plan or the removal; doing it twice is safe.

        Raises:
            BackendError: Hopsworks refused; the message says what to do.
        """
        there, gone = self._house(), change.action == "remove"
        deeds: dict[str, Callable[[str], None]] = {
            GROUP: lambda name: (there.remove_group if gone else there.make_group)(self._known[name]),
            VIEW: lambda name: (there.remove_view if gone else there.make_view)(self._known[name]),
            SECRET: lambda name: there.remove_secret(name) if gone else there.keep_secret(name, _told(name)),
            MODEL: there.remove_model,
            FILES: lambda _: there.remove_leftovers(),
        }
        deeds[change.kind](change.name)
        return f"{change.kind} {change.name}: {'removed' if gone else 'made'}"

    def removal(self, only: frozenset[str], data: bool) -> list[Change]:
        """Return what is there of what we make, views before the groups they stand on.

        Raises:
            BackendError: the project cannot be asked; the message says what to do.
        """
        kept: Action = "remove" if data else "keep"
        chosen = {name for table in _tables(only).values() for name in _with_quarantine(table)}
        tables = {name: table for name, table in self._known.items() if name in chosen or not only}
        views = [(VIEW, name) for name, table in tables.items() if self._house().has_view(table)]
        found: list[tuple[str, str, Action, str]] = [(*view, "remove", "shows rows") for view in views]
        found += [(GROUP, name, kept, "rows") for name in tables if self._group_now(name)[0] == "leave"]
        counts = {name: len(self._house().versions(name)) for name in _models(only)}
        found += [(MODEL, name, kept, f"{count} versions") for name, count in counts.items() if count]
        if not only:
            found += [(SECRET, name, "remove", "is there") for name in self._secrets() if self._house().secret(name)]
            found += [(FILES, "declarations, locks", kept, "of the rows")] if self._house().has_leftovers() else []
        return [Change(self.name, *one) for one in found]

    def _group_now(self, name: str) -> tuple[Action, str]:
        try:
            there = self._house().has_group(self._known[name])
        except SchemaError:
            return "leave", "there with other columns than the repository's: declare the table as its next version"
        return ("leave", "as in the repository") if there else ("create", "not there")

    def _view_now(self, name: str) -> tuple[Action, str]:
        there = self._house().has_view(self._known[name])
        return ("leave", "as in the repository") if there else ("create", "not there")

    def _secret_now(self, name: str) -> tuple[Action, str]:
        there = self._house().secret(name)
        if not there:
            return "create", "not there"
        return ("leave", "as in this environment") if there == _told(name) else ("change", "differs from this one's")

    def _secrets(self) -> list[str]:
        """Return the names of the secrets the project keeps; the simulated world needs none."""
        return [*SECRETS] if self._deployment.world == "live" else []


def _tables(only: frozenset[str]) -> dict[str, Table]:
    """Return the tables of the chosen systems, and those that all share, by name and version."""
    from shared.runs import RUNS
    from shared.steps.promotion import PROMOTIONS

    shared = () if only else (RUNS, PROMOTIONS)
    chosen = [table for system in _systems(only) for table in _declared(system, "TABLES")]
    return {f"{table.name} v{table.version}": table for table in (*shared, *chosen)}


def _with_quarantine(table: Table) -> dict[str, Table]:
    return {f"{one.name} v{one.version}": one for one in (table, table.quarantine)}


def _models(only: frozenset[str]) -> list[str]:
    return [model for system in _systems(only) for model in _declared(system, "MODELS")]


def _systems(only: frozenset[str]) -> list[str]:
    homes = sorted((ROOT / "shared" / "systems").glob("[a-z]*/tables.py"))
    return [home.parent.name for home in homes if not only or home.parent.name in only]


def _declared(system: str, name: str) -> tuple[Any, ...]:
    found: tuple[Any, ...] = getattr(import_module(f"shared.systems.{system}.tables"), name)
    return found


def _told(name: str) -> str:
    return os.environ.get(name, "").strip()  # noqa: TID251 - handed on, never shown
