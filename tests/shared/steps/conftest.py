"""A store and a registry in memory, for steps that read and write through the ports."""

from __future__ import annotations

from dataclasses import asdict
from types import SimpleNamespace

import pandas as pd
import pytest

from shared.errors import NotYetError
from shared.ports import ModelVersion, Written


class MemoryStore:
    """Tables as frames: upsert by key, read by event time."""

    def __init__(self):
        self.kept = {}

    def write(self, table, rows):
        fit, refused = table.check(rows)
        merged = pd.concat([self.kept.get(table.name, table.empty()), fit]).drop_duplicates([*table.key], keep="last")
        self.kept[table.name] = merged.sort_values(table.event_time)
        return Written(len(fit), len(refused), 1)

    def read(self, table, columns=None, *, since=None, until=None, as_of=None):
        rows = self.kept.get(table.name, table.empty())
        if until is not None:
            rows = rows[rows[table.event_time] < until]
        return rows.reset_index(drop=True)


class MemoryRegistry:
    """Versions as a list a name, without files."""

    def __init__(self):
        self.kept = {}

    def save(self, model):
        versions = self.kept.setdefault(model.name, [])
        versions.append(ModelVersion(version=len(versions) + 1, **asdict(model)))
        return versions[-1]

    def load(self, name, version):
        if version not in self.versions(name):
            raise NotYetError(f"there is no version {version} of {name}")
        return self.kept[name][version - 1]

    def versions(self, name):
        return list(range(1, len(self.kept.get(name, [])) + 1))


@pytest.fixture
def platform():
    return SimpleNamespace(features=MemoryStore(), models=MemoryRegistry())
