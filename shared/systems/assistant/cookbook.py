"""A cookbook's row as a recipe, which ``recipes.as_conversation`` makes an example of.

    title, lines, directions ──► amounts in grams, what the pantry has, sentences packed into steps ──► Recipe

A row that no answer may look like gives no recipe: an ingredient without an amount, more than eight long steps, steps
that name what is not listed. A model must not learn what it may not write. ``in_words`` takes those, as plain talk.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.errors import SchemaError
from shared.systems.assistant.checking import check_recipe
from shared.systems.assistant.foods import PANTRY, SEASONING, food_of, in_pantry, words
from shared.systems.assistant.ingredients import MOST_INGREDIENTS, Ingredient, Parsed, merge, parse_line
from shared.systems.assistant.recipes import (
    MINUTES,
    STEP_CHARACTERS,
    STEPS,
    TITLE_CHARACTERS,
    MealRequest,
    Recipe,
    plain,
)

if TYPE_CHECKING:
    from shared.chat import Message

LEAST_INGREDIENTS = 2
SERVES = 4  # where a cookbook does not say
PANTRY_G = 30  # of salt, oil or sugar: more than that is listed as an ingredient
_MINUTES = re.compile(r"(\d{1,3})\s*(?:-\s*\d{1,3}\s*)?(min|hour|hr)", re.I)
_SPARED = re.compile(
    r"optional|to taste|garnish|serv(?:e|ing)|greas|topping|desired", re.I
)  # left out without an amount
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)|\(/[^)]*\)")


def from_cookbook(title: str, lines: Sequence[str], directions: Sequence[str], servings: int = SERVES) -> Recipe:
    """Return a cookbook's row as a recipe.

    Minutes are the sum of those that the directions name; an ingredient without an amount counts as one piece, or is a
    seasoning, which the directions then may name but no list holds.

    >>> from_cookbook("Rice", ["200 g rice", "2 eggs"], ["Boil the rice.", "Fry the eggs in oil."]).ingredients
    {'rice': 200, 'egg': 100}

    Raises:
        SchemaError: an amount is missing, or no answer's schema would let it through; the message says why.
    """
    told = [(parse_line(line), bool(_SPARED.search(line))) for line in lines]
    parsed = merge(*(one for one, spared in told if one.ingredients or not spared))
    grams = _grams(parsed)
    if not LEAST_INGREDIENTS <= len(grams) <= MOST_INGREDIENTS:
        raise SchemaError(
            f"a recipe has {LEAST_INGREDIENTS} to {MOST_INGREDIENTS} ingredients; this one has {len(grams)}"
        )
    if not parsed.ingredients:  # a list of names alone, as Food.com's
        raise SchemaError("how much of anything it takes is not known")
    name = plain(re.sub(r"\([^)]*\)", " ", title))[:TITLE_CHARACTERS].strip(" .,;:()'/%!?+-0123456789")
    steps = _steps(directions)
    if len(name) < 3 or not STEPS[0] <= len(steps) <= STEPS[1]:
        raise SchemaError(
            f"its directions make no {STEPS[0]} to {STEPS[1]} steps of at most {STEP_CHARACTERS[1]} characters"
        )
    said = {*words(" ".join(steps)), *map(in_pantry, [*(one.name for one in parsed.ingredients), *parsed.unweighed])}
    pantry = tuple(word for word in PANTRY if word in said and word not in grams)
    recipe = Recipe(name, servings, _minutes(steps), grams, pantry, tuple(steps))
    needed = MealRequest(tuple(Ingredient(*one) for one in grams.items()), servings)
    if problems := check_recipe(recipe, needed).problems:
        raise SchemaError(f"it would teach what is not allowed: {problems[0]}")
    return recipe


def in_words(title: str, lines: Sequence[str], directions: Sequence[str]) -> list[Message]:
    """Return a question about a dish and its recipe as a person would write it, amounts as the cookbook has them.

    >>> print(in_words("Rice", ["rice"], ["Boil it.", "Eat."])[1]["content"])
    Rice
    <BLANKLINE>
    You need:
    - rice
    <BLANKLINE>
    1. Boil it.
    2. Eat.

    Raises:
        SchemaError: it has no title, ingredient or direction.
    """
    told = [[_LINK.sub(r"\1", one).strip() for one in part] for part in ([title], lines, directions)]
    (name,), needed, steps = ([one for one in part if one] or [""] for part in told)
    if not (name and needed[0] and steps[0]):
        raise SchemaError("a recipe has a title, ingredients and directions")
    listed = "\n".join(f"- {one}" for one in needed)
    numbered = "\n".join(f"{place}. {one}" for place, one in enumerate(steps, 1))
    asked = {"role": "user", "content": f"How do I make {name}?"}
    return [asked, {"role": "assistant", "content": f"{name}\n\nYou need:\n{listed}\n\n{numbered}"}]


def _grams(parsed: Parsed) -> dict[str, int]:
    """Return grams by ingredient, without the pantry's.

    Raises:
        SchemaError: the amount of a main ingredient is not known.
    """
    grams = {one.name: one.grams for one in parsed.ingredients if not _is_pantry(one)}
    for name in parsed.unweighed:
        food = food_of(name)
        if in_pantry(name) or (food and food.kind in SEASONING):
            continue
        if not food or not food.piece_g:
            raise SchemaError(f"how much {name} it takes is not known")
        grams[name] = max(1, round(food.piece_g))
    return grams


def _is_pantry(one: Ingredient) -> bool:
    word = in_pantry(one.name)
    return word == "water" or (bool(word) and one.grams <= PANTRY_G)


def _steps(directions: Sequence[str]) -> list[str]:
    """Return directions as steps; where they are too many or too long, sentences packed into as few as can be."""
    told = [plain(_LINK.sub(r"\1", one)).lstrip(" .,;:()'/%!?+-") for one in directions]
    told = [one[:1].upper() + one[1:] for one in told if len(one) >= STEP_CHARACTERS[0]]
    if len(told) <= STEPS[1] and all(len(one) <= STEP_CHARACTERS[1] for one in told):
        return told
    packed = [""]
    for sentence in (part for one in told for part in re.split(r"(?<=[.!?])\s+", one)):
        longer = f"{packed[-1]} {sentence}".strip()
        packed = [*packed[:-1], longer] if len(longer) <= STEP_CHARACTERS[1] else [*packed, sentence]
    fits = all(STEP_CHARACTERS[0] <= len(one) <= STEP_CHARACTERS[1] for one in packed)
    return [one[:1].upper() + one[1:] for one in packed] if fits else []


def _minutes(steps: Sequence[str]) -> int:
    """Return the minutes that steps name, within bounds.

    >>> _minutes(["Boil 10-12 minutes.", "Bake 1 hour."]), _minutes(["Stir."])
    (70, 5)
    """
    told = sum(
        int(number) * (1 if unit.lower() == "min" else 60) for step in steps for number, unit in _MINUTES.findall(step)
    )
    return min(max(told, MINUTES[0]), MINUTES[1])
