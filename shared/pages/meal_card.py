"""A meal as a card: what it takes of what there is, how it is made, what a rule found, what is missing, how to take it.

Everything is escaped: an endpoint may answer with markup, and names come from visitors.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import TYPE_CHECKING

from markupsafe import Markup

from shared.pages import pieces
from shared.pages.words import sentence
from shared.systems.assistant.allergens import unknown
from shared.systems.assistant.checking import allergens_told
from shared.systems.assistant.portions import json_ld, scaled, shopping_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shared.systems.assistant.meals import Meal
    from shared.systems.assistant.recipes import Recipe

LIMITS = (
    "By a rule over names: it knows no traces, no maker's recipes, and no names that it has not learned. "
    "Who is allergic reads labels, and does not rely on this."
)
TAKES, DOES = "recipeIngredient", "recipeInstructions"
TITLE = re.compile(r'"title":"((?:[^"\\]|\\.)*)')
GRAMS = re.compile(r'"((?:[^"\\]|\\.)+)":(\d+)(?=[,}])')
STEP = re.compile(r'"((?:[^"\\]|\\.)*)"?')
CARD = Markup(  # with schema.org's names as attributes, so that programs that read the page find the recipe
    '<section class="al-card" aria-label="Recipe" itemscope itemtype="https://schema.org/Recipe">'
    '<h2 itemprop="name">{}</h2><p class="al-muted">{}</p>'
    "<h3>Ingredients</h3><ul>{}</ul><h3>Steps</h3><ol>{}</ol></section>"
)


def draft(text: str) -> Markup:
    """Return as much of a recipe as an answer holds so far; an answer is JSON, in the order of its schema.

    >>> "Egg rice" in draft('{"title":"Egg rice","servings":2,"ingredients":{"rice":15')
    True
    """
    head, _, tail = text.partition('"steps":[')
    listed = head.partition('"ingredients":{')[2].partition("}")[0] + "}"
    title = next(iter(TITLE.findall(head)), "")
    takes = [f"{grams} g {_read(name)}" for name, grams in GRAMS.findall(listed)]
    return CARD.format(
        _read(title) or "…", "Being composed", _items(takes, TAKES), _items(map(_read, STEP.findall(tail)), DOES)
    )


def card(meal: Meal, servings: int) -> Markup:
    """Return the meal for so many servings, with what was found about it."""
    recipe = scaled(meal.recipe, servings)
    about = f"{recipe.minutes} minutes · {servings} serving{'s' * (servings > 1)}"
    there = meal.request.available
    takes = [_taken(name, grams, there) for name, grams in recipe.ingredients.items()]
    takes += [f"{name}, from the pantry" for name in recipe.pantry]
    shown = CARD.format(recipe.title, about, _items(takes, TAKES), _items(recipe.steps, DOES))
    return shown + _findings(meal, servings) + _shopping(meal, servings) + allergens(recipe)


def code(meal: Meal, servings: int) -> tuple[str, Markup]:
    """Return the meal as schema.org's JSON-LD, and a link that saves it; the link carries it."""
    told = json_ld(scaled(meal.recipe, servings))
    link = Markup(
        '<p class="al-links"><a download="recipe.jsonld" href="data:application/ld+json;charset=utf-8;base64,{}">'
        "Save as JSON-LD</a></p>"
    )
    return told, link.format(b64encode(told.encode()).decode())


def allergens(recipe: Recipe) -> Markup:
    """Return which of the fourteen allergens a rule found in ingredients, steps and title, with the rule's limits."""
    rows = [{"Allergen": one, "In": ", ".join(names)} for one, names in allergens_told(recipe).items()]
    none = "The rule found none of the fourteen that the EU names: not in the ingredients, the steps or the title."
    known = pieces.table("Allergens", rows, none)
    strange = unknown(recipe.ingredients)
    told = f"Not known to it: {', '.join(strange)}. " if strange else ""
    return known + Markup('<p class="al-muted">{}{}</p>').format(told, LIMITS)


def _taken(name: str, grams: int, there: Mapping[str, int]) -> str:
    return f"{grams} g {name}, of {there.get(name, 0)} g"


def _findings(meal: Meal, servings: int) -> Markup:
    """Return what the checker found in what was composed: broken promises, doubts, what is left over or left out."""
    found = meal.findings
    told = [pieces.notice(one) for one in found.problems]
    told += [pieces.notice(one, "warning") for one in found.warnings]
    told += [pieces.notice(f"Left out: {why}", "warning") for why in meal.left_out.values()]
    if found.unused:
        told.append(pieces.notice(f"Not used: {', '.join(found.unused)}", "empty"))
    if not found.problems:
        asked = meal.recipe.servings
        scaled_to = "" if servings == asked else f", for the {asked} servings it was composed for"
        said = f"Checked{scaled_to}: only what is listed and the pantry, never more than there is"
        told.append(pieces.notice(said, "empty"))
    return Markup("").join(told)


def _shopping(meal: Meal, servings: int) -> Markup:
    """Return what is missing for so many servings."""
    missing = shopping_list(meal.recipe, servings, meal.request.ingredients)
    if not missing:
        return Markup("")
    items = _items(f"{one.grams} g {one.name}" for one in missing)
    return Markup('<section class="al-card" aria-label="Shopping list"><h2>To buy</h2><ul>{}</ul></section>').format(
        items
    )


def _items(lines: Iterable[str], is_what: str = "") -> Markup:
    named = Markup(' itemprop="{}"').format(is_what) if is_what else ""
    return Markup("").join(Markup("<li{}>{}</li>").format(named, line) for line in lines)


def _read(inside: str) -> str:
    """Return what stands in a JSON string that may have been cut within an escape."""
    try:
        return str(json.loads(f'"{inside}"'))
    except ValueError:
        return sentence(inside.rpartition("\\")[0]) if "\\" in inside else inside
