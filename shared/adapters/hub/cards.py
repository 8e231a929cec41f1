"""The README.md of what we put on the Hub: what is in it, for people and for the data-set viewer.

The front matter names each table's live files, so that ``load_dataset("jane/almanac-demo", "iris_predictions")`` gives
its newest rows, while older files stay beside for reading a table as it stood.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from huggingface_hub.utils import yaml_dump

from shared.adapters.local.manifest import tab

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.ports import ModelVersion
    from shared.tables import Table

SIMULATED = "**Simulated**: the world that this comes from is made up, for trying things out."


def data_set(name: str, tables: Sequence[tuple[Table, list[str], int]]) -> str:
    """Return the card of a data set: each table with its live files and number of rows."""
    filled = [(table, paths, count) for table, paths, count in tables if paths]
    configs = [
        {"config_name": tab(table), "data_files": [{"split": "train", "path": paths}]} for table, paths, _ in filled
    ]
    lines = [
        *_opening(name),
        "Features, predictions and what became of them. Times are UTC; a row is replaced by one of the same key.",
        "",
        "| table | rows | what it holds |",
        "|---|---|---|",
        *(f"| `{tab(table)}` | {count} | {table.about} |" for table, _, count in filled),
        "",
        *(line for table, _, _ in filled if not table.name.endswith("_quarantine") for line in _columns(table)),
        "`manifest.json` says which files are live since which version; almanac writes it, nobody else should.",
    ]
    return _front({"pretty_name": name.partition("/")[2], "tags": ["almanac"], "configs": configs}) + _text(lines)


def model(name: str, newest: ModelVersion, versions: Sequence[int]) -> str:
    """Return the card of a model: what its newest version takes, and reaches beside the baselines."""
    lines = [
        *_opening(name),
        f"Versions {', '.join(map(str, versions))}, a folder each. Which one serves is a row of the table",
        "`promotions`, with the reason; it need not be the newest.",
        "",
        f"## Version {newest.version}",
        "",
        f"Trained on {newest.trained_on or '?'} by run {newest.run_id or '?'}, code {newest.code_version or '?'}.",
        "",
        "| figure | value |",
        "|---|---|",
        *(f"| {name} | {value:.4g} |" for name, value in sorted(newest.metrics.items())),
        "",
        *(f"* {key}: {_plain(value)}" for key, value in sorted(newest.signature.items())),
        "",
        "Files are checked against the hashes in `model.json` before they are loaded; none of them can run code.",
    ]
    return _front({"tags": ["almanac"]}) + _text(lines)


def _columns(table: Table) -> list[str]:
    rows = [f"| `{c.name}` | {c.kind} | {c.unit} | {c.about} |" for c in table.columns]
    key = ", ".join(f"`{name}`" for name in table.key)
    head = [f"## {tab(table)}", "", f"Key {key}, time `{table.event_time}`.", "", "| column | kind | unit | |"]
    return [*head, "|---|---|---|---|", *rows, ""]


def _opening(name: str) -> list[str]:
    simulated = [SIMULATED, ""] if "-demo" in name else []
    return [f"# {name.partition('/')[2]}", "", *simulated]


def _plain(value: object) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, (list, tuple)) else str(value)


def _front(facts: dict[str, object]) -> str:
    return f"---\n{yaml_dump(facts)}---\n\n"


def _text(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"
