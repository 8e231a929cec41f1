"""A recipe's record in the forms that people have them in, as title, lines of ingredients, directions and servings.

    title or name; ingredients; directions, steps or instructions     RecipeNLG, Food.com, Epicurious, Recipe1M
    @type Recipe: name, recipeIngredient, recipeInstructions          schema.org's, alone or in a page's @graph

Lists may be written as JSON or as Python has them, texts as HTML. Which amounts they say is for ``cookbook``.
"""

from __future__ import annotations

import html
import re
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.errors import SchemaError
from shared.steps.conversations import plain_text
from shared.steps.turns import as_list, named
from shared.systems.assistant.cookbook import SERVES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TITLES = ("title", "name")
INGREDIENTS = ("ingredients", "recipeingredient")
DIRECTIONS = ("directions", "steps", "instructions", "recipeinstructions")
SERVINGS = ("servings", "recipeservings", "recipeyield", "yield")
GRAPH = "@graph"
SHAPE = (*product(TITLES, INGREDIENTS, DIRECTIONS), (GRAPH,))  # the columns that a record must have
KNOWN = "title, ingredients and directions (or steps, or instructions); schema.org's Recipe"
_LINE_ENDS = re.compile(r"<(?:br|/p|/li|/div)\b[^<>]{0,80}>", re.I)
_TAG = re.compile(r"</?[a-z][^<>]{0,200}>", re.I)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_BULLET = re.compile(r"^[-*•]\s+")
_NUMBER = re.compile(r"^(?:step\s*)?\d{1,2}\s*[.):]\s+", re.I)  # of a step
_SERVES = re.compile(
    r"\W*(?:(?:serves|for)\s+)?(\d{1,3})(?:\s*(?:-|–|to)\s*\d{1,3})?\s*(?:servings?|portions?|people|persons?)?\W*",
    re.I,
)


class Told(NamedTuple):
    """What a record says, as it says it."""

    title: str
    lines: list[str]
    directions: list[str]
    servings: int


def recipe_told(fields: Mapping[str, Any]) -> Told:
    """Return what a record of a recipe says; servings are the usual where it does not say.

    >>> told = {"name": "Mac &amp; Cheese", "recipeIngredient": ["&frac12; cup milk", "200 g macaroni"]}
    >>> steps = [{"@type": "HowToStep", "text": "<p>Boil.</p>"}, {"@type": "HowToStep", "text": "Stir."}]
    >>> recipe_told({**told, "recipeInstructions": steps, "recipeYield": "2 servings"})
    Told(title='Mac & Cheese', lines=['½ cup milk', '200 g macaroni'], directions=['Boil.', 'Stir.'], servings=2)

    Raises:
        SchemaError: a part of it is missing, or no list where one should be.
    """
    there = named(fields)
    if GRAPH in there:
        raise SchemaError("there is no recipe among what it holds")
    title, lines, directions = (_found(there, names) for names in (TITLES, INGREDIENTS, DIRECTIONS))
    needed = _texts(_listed(lines, "ingredients", isinstance(lines, str) and "\n" in lines.strip()))
    steps = _texts(_listed(directions, "directions", isinstance(directions, str)))
    if isinstance(directions, str) and len(steps) == 1:
        steps = _SENTENCE.split(steps[0])
    steps = [_NUMBER.sub("", step) for step in steps]
    return Told(" ".join(_text(title).split()), needed, [one for one in steps if one], _servings(there))


def is_recipe(node: object) -> bool:
    """Return whether a node of a page's data is a recipe.

    >>> is_recipe({"@type": ["Recipe", "NewsArticle"]}), is_recipe({"@type": "WebPage"})
    (True, False)
    """
    kinds = node.get("@type") if isinstance(node, dict) else None
    return any(str(kind).endswith("Recipe") for kind in (kinds if isinstance(kinds, list) else [kinds]))


def _found(there: Mapping[str, Any], names: Sequence[str]) -> object:
    """Return the value of the first of several columns that holds one."""
    return next((there[name] for name in names if there.get(name) is not None), None)


def _listed(value: object, name: str, by_line: bool) -> list[Any]:
    """Return a list of parts; a text may be one, a part a line, but is not taken apart at commas."""
    items = as_list(value)
    if items is None and isinstance(value, str) and by_line and not value.lstrip().startswith("["):
        items = _text(value).splitlines()
    if items is None:
        raise SchemaError(f"its {name} are no list")
    return items


def _texts(items: Sequence[object], deeper: int = 2) -> list[str]:
    """Return the texts of parts, also of schema.org's steps, and of its sections of steps."""
    told = list[str]()
    for item in items:
        inner = item.get("itemListElement") if isinstance(item, dict) else None
        if inner and deeper:
            told += _texts(inner if isinstance(inner, list) else [inner], deeper - 1)
        else:
            told.append(_text(item.get("text", item.get("name")) if isinstance(item, dict) else item))
    return [bare for one in told if (bare := _BULLET.sub("", one))]


def _text(value: object) -> str:
    """Return a text without a page's marks: ends of lines and of paragraphs are one sign, entities what they mean."""
    text = plain_text(value)
    unmarked = _TAG.sub("", _LINE_ENDS.sub("\n", text)) if "<" in text else text
    return plain_text(html.unescape(unmarked)).replace("\xa0", " ") if "&" in unmarked else unmarked.strip()


def _servings(there: Mapping[str, Any]) -> int:
    """Return for how many it is; "24 cookies" says nothing on that, nor a 24 beside it, nor 0."""
    told = _found(there, SERVINGS)
    longest = max(map(str, told), key=len, default="") if isinstance(told, list) else told
    if isinstance(longest, float) and longest.is_integer():
        longest = int(longest)
    found = _SERVES.fullmatch(str(longest))
    return int(found[1]) or SERVES if found else SERVES
