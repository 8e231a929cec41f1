"""What a visitor has in the house, as text and as a table that stay in step, and the request that comes of the form.

text, table, the text that the table is of ──► in_step: whichever was changed wins ──► both anew, and what was not taken
both anew ──► told ──► SETTLE: both are written, in the browser, unless one of them was changed meanwhile
what understood gives, diet, avoid, servings, pantry ──► request_of ──► MealRequest
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from markupsafe import Markup

from shared.errors import UsageError
from shared.pages import pieces
from shared.systems.assistant.foods import PANTRY
from shared.systems.assistant.ingredients import MOST_INGREDIENTS, MOST_TEXT, Ingredient, Parsed, from_rows, parse
from shared.systems.assistant.recipes import MealRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

HEADERS = ("Ingredient", "Grams")
MOST_ROWS = 200  # of a table that are read at all
SAID = 6  # problems that are told; a pasted table may have thousands
NO_DIET = "none"
SETTLE = """(text, table, told) => {
    const { asked, lines, rows } = JSON.parse(told || '{}');
    const same = JSON.stringify([text, table.data]) === JSON.stringify(asked);
    return same ? [lines, { ...table, data: rows }, lines] : [];
}"""


def in_step(text: object, table: object, read: object) -> tuple[str, list[list[Any]], Markup]:
    r"""Return text, table rows and problems, from the text where it is not the one that was ``read`` last.

    >>> in_step("2 eggs", {"data": [["rice", 5]]}, "")[:2]
    ('egg: 100 g', [['egg', 100]])
    >>> in_step("egg: 100 g", {"data": [["egg", 100], ["rice", 300]]}, "egg: 100 g")[0]
    'egg: 100 g\nrice: 300 g'
    """
    parsed = understood(text, table, read)
    rows = [[one.name, one.grams] for one in parsed.ingredients]
    unweighed = [[name, None] for name in parsed.unweighed]
    lines = [f"{name}: {grams} g" for name, grams in rows] + [*parsed.unweighed]
    return "\n".join(lines), [*rows, *unweighed], problems(parsed.problems) + chosen(parsed.chosen)


def told(text: object, table: object, lines: str, rows: list[list[Any]]) -> str:
    """Return what the browser is told of an answer: the text and the table that it is of, and both anew.

    >>> told("2 eggs", {"data": [["", None]]}, "egg: 100 g", [["egg", 100]])
    '{"asked": ["2 eggs", [["", null]]], "lines": "egg: 100 g", "rows": [["egg", 100]]}'
    """
    return json.dumps({"asked": [text, _data(table)], "lines": lines, "rows": rows})


def understood(text: object, table: object, read: object) -> Parsed:
    """Return the ingredients of the text, or of the table where the text is the one that was ``read`` last.

    Raises:
        UsageError: the text is none, or too long.
    """
    return listed(table) if text == read else written(text)


def written(text: object) -> Parsed:
    """Return the ingredients of a list as a visitor wrote it.

    Raises:
        UsageError: it is no text, or too long.
    """
    if text is not None and not isinstance(text, str):
        raise UsageError(f"the list is text; got {type(text).__name__}")
    if len(text or "") > MOST_TEXT:
        raise UsageError(f"the list has at most {MOST_TEXT:,} characters; this one has {len(text or ''):,}: shorten it")
    return parse(text or "")


def listed(table: object) -> Parsed:
    """Return the ingredients of a table as Gradio sends it; what is no table is an empty one."""
    rows = _data(table)
    taken = [row for row in rows if isinstance(row, list)] if isinstance(rows, list) else []
    found = from_rows([_plain(cell) for cell in row[:2]] for row in taken[:MOST_ROWS])
    more = (f"Only the first {MOST_ROWS} rows were read.",) if len(taken) > MOST_ROWS else ()
    return found._replace(problems=(*more, *found.problems))


def request_of(
    found: Iterable[Ingredient], diet: object, avoid: object, servings: object, pantry: object
) -> MealRequest:
    """Return the request of a form.

    Raises:
        UsageError: a value is none that the form has, or out of its bounds.
    """
    if isinstance(servings, bool) or not isinstance(servings, (int, float)) or servings % 1:
        raise UsageError(f"servings is a whole number; got {servings!r}"[:100])
    return MealRequest(
        tuple(found), int(servings), _diet(diet), _texts(avoid, "what to avoid"), _texts(pantry, "the pantry")
    )


def unweighed(found: Parsed) -> dict[str, str]:
    """Return the reason why it is left out by name of what is listed without a weight; the pantry needs none."""
    return {name: f"{name} has no weight in the list." for name in found.unweighed if name not in PANTRY}


def split(names: object) -> list[str]:
    """Return names that stand in one text with commas between them.

    >>> split("milk, nuts,")
    ['milk', 'nuts']
    """
    return [one.strip() for one in _texts(names, "a list of names")[0].split(",") if one.strip()] if names else []


def problems(told: Iterable[str]) -> Markup:
    """Return sentences on what was not taken as asked, a few of them."""
    return _some(told, "warning")


def chosen(told: Iterable[str]) -> Markup:
    """Return sentences on what was taken for several foods that the list leaves open, a few of them."""
    return _some(told, "empty")


def _some(told: Iterable[str], kind: Literal["warning", "empty"]) -> Markup:
    many = [*told]
    rest = [f"And {len(many) - SAID} more of the kind."] if len(many) > SAID else []
    return Markup("").join(pieces.notice(one, kind) for one in [*many[:SAID], *rest])


def _data(table: object) -> object:
    return table.get("data") if isinstance(table, dict) else table


def _plain(cell: object) -> object:
    return cell if isinstance(cell, (str, int, float)) and not isinstance(cell, bool) else None


def _diet(given: object) -> str:
    if given is not None and not isinstance(given, str):
        raise UsageError("a diet is text")
    return "" if given in (None, NO_DIET) else str(given)


def _texts(given: object, what: str) -> tuple[str, ...]:
    many = [given] if isinstance(given, str) else given or []
    if not isinstance(many, (list, tuple)) or not all(isinstance(one, str) for one in many):
        raise UsageError(f"{what} is a list of names")
    if len(many) > MOST_INGREDIENTS:
        raise UsageError(f"{what} has at most {MOST_INGREDIENTS} names")
    return tuple(dict.fromkeys(one for one in many if one))
