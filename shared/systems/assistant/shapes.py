"""What a record is by its columns, and the records that one holds together: a page's recipes, a list under a name.

{"data": [record, …]}, {"@graph": [page, recipe]} ──► unfolded ──► record … ──► conversation, recipe or questions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.steps import turns
from shared.steps.records import Record
from shared.systems.assistant import recipe_forms
from shared.systems.assistant.recipe_forms import GRAPH, is_recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

SHAPES = {"recipe": recipe_forms.SHAPE, **turns.SHAPES}
KNOWN = f"{turns.KNOWN}; {recipe_forms.KNOWN}"


def shape_of(fields: Mapping[str, Any]) -> str:
    """Return what a record is, "" for nothing that is known.

    >>> shape_of({"Name": "Rice", "Ingredients": [], "Steps": []}), shape_of({"alcohol": 9.4})
    ('recipe', '')
    """
    return turns.shape_of(fields, SHAPES)


def unfolded(records: Iterable[Record]) -> Iterator[Record]:
    """Yield records, and in place of one that only holds others those, counted from 1; a single one keeps its place.

    >>> pair = {"prompt": "Hi", "completion": "Hello"}
    >>> [(one.place, one.fields) for one in unfolded([Record(1, {"version": 2, "train": [pair]})])]
    [(1, {'prompt': 'Hi', 'completion': 'Hello'})]
    >>> [one.place for one in unfolded([Record(7, {"train": [pair]}), Record(8, {"train": [pair, pair]})])]
    [7, 1, 2]
    """
    for record in records:
        inner = _inside(record.fields)
        for place, fields in enumerate(inner, 1):
            at = place if len(inner) > 1 else record.place
            yield Record(at, fields) if isinstance(fields, dict) else Record(at, {}, repr(fields)[:80])
        if not inner:
            yield record


def _inside(fields: Mapping[str, Any]) -> list[Any]:
    """Return the records that a record holds, none where it is one itself."""
    if isinstance(graph := fields.get(GRAPH), list):
        return [node for node in graph if is_recipe(node)]
    if shape_of(fields) not in ("", "texts"):
        return []
    lists = [value for value in fields.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    return lists[0] if len(lists) == 1 and shape_of(lists[0][0]) else []
