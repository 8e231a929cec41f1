"""A recipe for other servings, what to buy for it, and the card of it that other programs read.

Recipe ──► scaled to servings ──► less what is in the house ──► shopping list
   └─────► schema.org/Recipe as JSON-LD, safe inside a page's <script>
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from shared.errors import UsageError
from shared.systems.assistant.allergens import unknown
from shared.systems.assistant.checking import allergens_told
from shared.systems.assistant.ingredients import Ingredient
from shared.systems.assistant.recipes import SERVINGS, Recipe

_STEPS_G = ((20, 1), (100, 5), (500, 10), (math.inf, 50))  # below so many grams, rounded to
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def scaled(recipe: Recipe, servings: int) -> Recipe:
    """Return the recipe for other servings, grams rounded as a kitchen weighs; minutes stay, as pots get larger too.

    >>> scaled(Recipe("Egg rice", 2, 20, {"rice": 150, "egg": 100}, (), ()), 3).ingredients
    {'rice': 230, 'egg': 150}

    Raises:
        UsageError: there are not so many servings.
    """
    if not SERVINGS[0] <= servings <= SERVINGS[1]:
        raise UsageError(f"A meal serves {SERVINGS[0]} to {SERVINGS[1]}; {servings} were asked for.")
    if servings == recipe.servings:
        return recipe
    grams = {name: rounded(needed * servings / recipe.servings) for name, needed in recipe.ingredients.items()}
    return replace(recipe, servings=servings, ingredients=grams)


def shopping_list(recipe: Recipe, servings: int, house: Iterable[Ingredient]) -> tuple[Ingredient, ...]:
    """Return what is missing in the house, rounded up; the pantry is taken to be there.

    >>> shopping_list(Recipe("Rice", 2, 20, {"rice": 150, "egg": 100}, (), ()), 4, [Ingredient("rice", 289)])
    (Ingredient(name='rice', grams=11), Ingredient(name='egg', grams=200))
    """
    there: dict[str, int] = {}
    for one in house:
        there[one.name] = there.get(one.name, 0) + one.grams
    missing = {name: grams - there.get(name, 0) for name, grams in scaled(recipe, servings).ingredients.items()}
    return tuple(Ingredient(name, rounded(grams, up=True)) for name, grams in missing.items() if grams > 0)


def rounded(grams: float, *, up: bool = False) -> int:
    """Return grams as a kitchen weighs them, at least 1: to 1 g below 20, to 5 below 100, to 10 below 500, else to 50.

    >>> rounded(7.4), rounded(57), rounded(222), rounded(1234), rounded(222, up=True)
    (7, 55, 220, 1250, 230)
    """
    step = next(step for below, step in _STEPS_G if grams < below)
    return max(1, math.ceil(grams / step) * step if up else math.floor(grams / step + 0.5) * step)


def json_ld(recipe: Recipe) -> str:
    """Return the recipe as schema.org's, which recipe managers import; no character of it ends a script or opens a tag.

    Fields: https://schema.org/Recipe; the duration as ISO 8601.
    """
    told = {
        "@context": "https://schema.org",
        "@type": "Recipe",
        "name": recipe.title,
        "description": _allergens(recipe),
        "recipeYield": f"{recipe.servings} serving{'s' * (recipe.servings > 1)}",
        "totalTime": duration(recipe.minutes),
        "recipeIngredient": [*(f"{grams} g {name}" for name, grams in recipe.ingredients.items()), *recipe.pantry],
        "recipeInstructions": [{"@type": "HowToStep", "text": step} for step in recipe.steps],
    }
    return _escaped(json.dumps(told, ensure_ascii=False, indent=1), _ESCAPED)


def duration(minutes: int) -> str:
    """Return minutes as a duration of ISO 8601.

    >>> duration(25), duration(60), duration(95)
    ('PT25M', 'PT1H', 'PT1H35M')
    """
    hours, rest = divmod(minutes, 60)
    return f"PT{f'{hours}H' * (hours > 0)}{f'{rest}M' * (rest > 0 or hours == 0)}"


def _allergens(recipe: Recipe) -> str:
    """Return which allergens a rule found in ingredients, steps and title: schema.org has no field for them."""
    told = "; ".join(f"{one}: {', '.join(names)}" for one, names in allergens_told(recipe).items())
    strange = unknown(recipe.ingredients)
    not_known = f" Not known to it: {', '.join(strange)}." if strange else ""
    return f"Allergens, by a rule over names in ingredients, steps and title: {told or 'none found'}.{not_known}"


def _escaped(text: str, signs: Mapping[str, str]) -> str:
    for sign, escaped in signs.items():
        text = text.replace(sign, escaped)
    return text
