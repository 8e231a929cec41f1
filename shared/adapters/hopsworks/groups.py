"""The feature groups of tables: found, made, and what each table was declared as, in JSON files beside them.

A declaration lies in a file of its own, for descriptions hold 256 characters. A file never changes: its name carries
the hash of what it says.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from shared.adapters.hopsworks import columns, files
from shared.adapters.hopsworks.faults import code, refusal
from shared.adapters.local import manifest
from shared.errors import SchemaError
from shared.tables import Table

if TYPE_CHECKING:
    from shared.adapters.hopsworks.project import Live

EXISTS = 270089  # Hopsworks' code


class Groups:
    """The feature groups whose names begin with ``prefix``; their files lie under ``home``."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.home = files.home(prefix)
        self._known: dict[str, Table] = {}  # what declarations say, by file name

    def find(self, live: Live, table: Table) -> Any:  # noqa: ANN401 - vendor type
        """Return the table's feature group, None where there is none.

        Raises:
            SchemaError: it has other columns than the code.
        """
        name = (columns.group_name(self._prefix, table), table.version)
        group = live.groups.get(name) or live.store.get_feature_group(*name)
        if group is None:
            return None
        live.groups[name] = group
        found = {column.name for column in group.columns}
        if found != {*table.names}:
            raise SchemaError(
                f"the feature group {name[0]} v{name[1]} holds {sorted(found)}, and the code asks for {table.names}: "
                f"declare the table as version={table.version + 1} and backfill"
            )
        return group

    def make(self, live: Live, table: Table) -> Any:  # noqa: ANN401
        """Return the table's feature group, made with its columns and expectations where there is none."""
        group = self.find(live, table)
        if group is not None:
            return group
        definition = columns.definition(self._prefix, table)
        made = live.store.create_feature_group(**definition, expectation_suite=columns.suite(table))
        try:
            made.save()
        except refusal() as cause:
            if code(cause) != EXISTS:  # another process was faster
                raise
        return self.find(live, table)

    def remove(self, live: Live, table: Table) -> None:
        """Remove the group with all its rows, and what the table was declared as."""
        name = (columns.group_name(self._prefix, table), table.version)
        group = live.store.get_feature_group(*name)
        if group is not None:
            group.delete()
        live.groups.pop(name, None)
        for file in self._files(live, table):
            files.remove(live, f"{self.home}/tables/{file}")

    def declare(self, live: Live, table: Table) -> Any:  # noqa: ANN401
        """Return the table's group; bounds and texts may change, columns, units and keys need a new version.

        Raises:
            SchemaError: the table was written before with other columns.
        """
        folder, text = f"{self.home}/tables", table.to_json()
        ours = f"{manifest.tab(table)}.{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
        there = self._files(live, table)
        for name in there:
            manifest.refuse_other_shape(self._declaration(live, name), table)
        group = self.make(live, table)
        if there and ours not in there:
            columns.show_expectations(group, table)
        if ours not in there:
            files.write_once(live, folder, ours, text.encode())
        for name in there:
            if name != ours:
                files.remove(live, f"{folder}/{name}")
        return group

    def declared(self, live: Live) -> list[Table]:
        """Return every table written so far, in all its versions."""
        return [self._declaration(live, name) for name in files.listed(live, f"{self.home}/tables")]

    def _files(self, live: Live, table: Table) -> list[str]:
        there = files.listed(live, f"{self.home}/tables")
        return [name for name in there if name.partition(".")[0] == manifest.tab(table)]

    def _declaration(self, live: Live, name: str) -> Table:
        if name not in self._known:
            self._known[name] = Table.from_json(files.read(live, f"{self.home}/tables/{name}").decode())
        return self._known[name]
