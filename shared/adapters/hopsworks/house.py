"""What a deployment has in a project beside rows: feature groups, feature views, secrets, models; made and removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared.adapters.hopsworks import columns, files
from shared.adapters.hopsworks.groups import Groups
from shared.adapters.hopsworks.registry import registry_of

if TYPE_CHECKING:
    from shared.adapters.hopsworks.project import HopsworksProject, Live
    from shared.tables import Table


@dataclass(frozen=True)
class HopsworksHouse:
    """The part of a project whose names begin with ``prefix``; views are named as the groups they show."""

    project: HopsworksProject
    prefix: str

    @cached_property
    def _groups(self) -> Groups:
        return Groups(self.prefix)

    def has_group(self, table: Table) -> bool:
        """Tell whether the table's feature group is there.

        Raises:
            SchemaError: it is, with other columns.
        """
        with self.project.asking(f"look for the feature group of {table.name}") as live:
            return self._groups.find(live, table) is not None

    def declared(self) -> list[Table]:
        """Return every table that rows were ever written to, in all its versions."""
        with self.project.asking("list its tables") as live:
            return self._groups.declared(live)

    def make_group(self, table: Table) -> None:
        """Make the table's feature group, with its columns and expectations."""
        with self.project.asking(f"make the feature group of {table.name}") as live:
            self._groups.make(live, table)

    def remove_group(self, table: Table) -> None:
        """Remove the group with all its rows, and what the table was declared as."""
        with self.project.asking(f"remove the feature group of {table.name}") as live:
            self._groups.remove(live, table)

    def has_view(self, table: Table) -> bool:
        """Tell whether the table's feature view is there."""
        with self.project.asking("look for a feature view") as live:
            return _view(live, self._name(table), table.version) is not None

    def make_view(self, table: Table) -> None:
        """Make the feature view of all columns of the table, which must have its group."""
        name = self._name(table)
        with self.project.asking(f"make the feature view {name}") as live:
            if _view(live, name, table.version) is None:
                query = live.store.get_feature_group(name, table.version).select_all()
                about = table.about[: columns.LONGEST_TEXT]
                live.store.create_feature_view(name, query, version=table.version, description=about)

    def remove_view(self, table: Table) -> None:
        """Remove the table's feature view; its rows stay."""
        with self.project.asking("remove a feature view") as live:
            view = _view(live, self._name(table), table.version)
            if view is not None:
                view.delete(force=True)

    def versions(self, model: str) -> list[int]:
        """Return which versions of a model are registered."""
        with self.project.asking(f"list the versions of {model}") as live:
            return sorted(int(one.version) for one in registry_of(live).get_models(f"{self.prefix}{model}"))

    def remove_model(self, model: str) -> None:
        """Remove a model with all its versions."""
        with self.project.asking(f"remove the model {model}") as live:
            for one in registry_of(live).get_models(f"{self.prefix}{model}"):
                one.delete()

    def secret(self, name: str) -> str:
        """Return the value of a secret of the key's owner, nothing where there is none."""
        with self.project.asking(f"read the secret {name}") as live:
            found = live.connection._get_secrets_api().get_secret(name)
        return found.value if found else ""

    def keep_secret(self, name: str, value: str) -> None:
        """Keep a secret for the members of the project, in place of an older value."""
        with self.project.asking(f"keep the secret {name}") as live:
            secrets = live.connection._get_secrets_api()
            secrets._delete(name)
            secrets.create_secret(name, value, project=self.project.project)

    def remove_secret(self, name: str) -> None:
        """Remove a secret; one that is not there is fine."""
        with self.project.asking(f"remove the secret {name}") as live:
            live.connection._get_secrets_api()._delete(name)

    def has_leftovers(self) -> bool:
        """Tell whether declarations or locks of ours lie in the project's files."""
        with self.project.asking("list its files") as live:
            return bool(files.listed(live, self._groups.home))

    def remove_leftovers(self) -> None:
        """Remove declarations and locks."""
        with self.project.asking("remove its files") as live:
            files.remove(live, self._groups.home)

    def _name(self, table: Table) -> str:
        return columns.group_name(self.prefix, table)


class ProjectSecrets(Mapping[str, str]):
    """Secrets by name: those told, and for the rest the project's own, each asked for once and only when it is used."""

    def __init__(self, told: Mapping[str, str], house: HopsworksHouse) -> None:
        self._told, self._house = dict(told), house

    def __getitem__(self, name: str) -> str:
        if name not in self._told:
            self._told[name] = self._house.secret(name)
        if not self._told[name]:
            raise KeyError(name)
        return self._told[name]

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, value in self._told.items() if value])

    def __len__(self) -> int:
        return len([*iter(self)])

    def __repr__(self) -> str:
        return f"ProjectSecrets({', '.join(self)})"


def _view(live: Live, name: str, version: int) -> Any:  # noqa: ANN401 - vendor type
    return live.store.get_feature_view(name, version)
