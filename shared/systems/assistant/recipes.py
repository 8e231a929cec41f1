"""A meal's request and its recipe: as a prompt, as the JSON a model answers with, as what trains it.

    MealRequest ── as_messages ──► system and user     ─┐
           └────── schema ──► JSON schema of the answer ├──► a model ──► text ── read ──► Recipe ── answer ──► same text
    Recipe of a cookbook ── as_conversation ──► the same messages, and the answer

The order of keys and ingredients is the request's, separators are compact: a training answer is, byte by byte, one that
the schema lets through. Texts of an answer are plain ASCII and the letters of the names listed, so no markup comes out.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.chat import Message
from shared.errors import SchemaError, SourceError, UsageError
from shared.systems.assistant.foods import PANTRY
from shared.systems.assistant.ingredients import MOST_INGREDIENTS, Ingredient, clean_name
from shared.systems.assistant.letters import seen
from shared.systems.assistant.units import MOST_GRAMS

TITLE_CHARACTERS = 60
STEP_CHARACTERS = (8, 200)
STEPS = (2, 8)
SERVINGS = (1, 20)
MINUTES = (5, 240)
MOST_ANSWER = 20_000  # characters of an answer that is read at all
ASCII = "A-Za-z0-9 .,;:()'/%!?+"  # of a title or a step, and the hyphen: a class of a regular expression
SPARE = 0.5  # of what is needed, at most, that an example's request has beyond it
_NUMBER = "0-9¼-¾⅐-⅞"
_GLUED = re.compile("(?<=[0-9])(?=[¼-¾⅐-⅞])")  # 1½, which is no 11/2
_HYPHEN = re.compile(
    rf"[\u2010\u2011]|(?<=[{_NUMBER}])\s?[\u2012-\u2015\u2212]\s?(?=[{_NUMBER}])"
)  # in a word, of a range
KEYS = ("title", "servings", "minutes", "ingredients", "pantry", "steps")
SYSTEM = (
    "You compose meals. Use only the ingredients listed and the pantry, never more grams than there are. "
    "Answer with one recipe as JSON: title, servings, minutes, ingredients in grams, pantry, steps."
)


@dataclass(frozen=True)
class MealRequest:
    """What is in the house and for whom; diet is one of ``allergens.DIETS``, avoid some of ``allergens.ALLERGENS``."""

    ingredients: tuple[Ingredient, ...]
    servings: int = 2
    diet: str = ""
    avoid: tuple[str, ...] = ()
    pantry: tuple[str, ...] = tuple(PANTRY)

    def __post_init__(self) -> None:
        """Refuse what is out of bounds, and names that did not come through ``ingredients``.

        Raises:
            UsageError: the message is a sentence for the visitor.
        """
        if not SERVINGS[0] <= self.servings <= SERVINGS[1]:
            raise UsageError(f"A meal serves {SERVINGS[0]} to {SERVINGS[1]}; {self.servings} were asked for.")
        if len(self.names) > MOST_INGREDIENTS or len(set(self.names)) < len(self.names):
            raise UsageError(f"List at most {MOST_INGREDIENTS} ingredients, each of them once.")
        for one in self.ingredients:
            if not 1 <= one.grams <= MOST_GRAMS or not _is_clean(one.name):
                raise UsageError(
                    f"'{one.name[:40]}', {one.grams} g: names are of letters, amounts 1 to {MOST_GRAMS} g."
                )
        if not set(self.pantry) <= set(PANTRY):
            raise UsageError(f"The pantry is {', '.join(PANTRY)}; some of them can be left out, none can be added.")

    @property
    def names(self) -> list[str]:
        """Return the names listed, in order."""
        return [one.name for one in self.ingredients]

    @property
    def available(self) -> dict[str, int]:
        """Return grams by name, in order."""
        return {one.name: one.grams for one in self.ingredients}


@dataclass(frozen=True)
class Recipe:
    """A composed meal: grams by ingredient, what it takes from the pantry, and what to do."""

    title: str
    servings: int
    minutes: int
    ingredients: Mapping[str, int]
    pantry: tuple[str, ...]
    steps: tuple[str, ...]


def as_messages(request: MealRequest) -> list[Message]:
    """Return the prompt: what to keep to, then what there is, a line an ingredient.

    >>> house = (Ingredient("rice", 300), Ingredient("egg", 100))
    >>> print(as_messages(MealRequest(house, diet="vegetarian"))[1]["content"])
    Compose a meal for 2.
    Ingredients:
    - rice: 300 g
    - egg: 100 g
    Pantry: salt, pepper, water, oil, sugar
    Diet: vegetarian
    """
    lines = [f"Compose a meal for {request.servings}.", "Ingredients:"]
    lines += [f"- {one.name}: {one.grams} g" for one in request.ingredients]
    lines += [f"Pantry: {', '.join(request.pantry)}"] if request.pantry else []
    lines += [f"Diet: {request.diet}"] if request.diet else []
    lines += [f"Avoid: {', '.join(request.avoid)}"] if request.avoid else []
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "\n".join(lines)}]


def answer(recipe: Recipe) -> str:
    """Return the recipe as compact JSON, in the order in which a model writes it.

    >>> answer(Recipe("Rice", 2, 20, {"rice": 150}, ("salt",), ("Boil the rice.", "Serve it.")))[:67]
    '{"title":"Rice","servings":2,"minutes":20,"ingredients":{"rice":150'
    """
    return json.dumps({key: getattr(recipe, key) for key in KEYS}, ensure_ascii=False, separators=(",", ":"))


def as_conversation(recipe: Recipe, diet: str = "", avoid: Sequence[str] = ()) -> list[Message]:
    """Return system, user and assistant messages: a request that this recipe answers, and the recipe as its JSON.

    What there is of each ingredient is up to half more than the recipe takes, the same at every call.
    """
    there = tuple(Ingredient(name, _spared(recipe.title, name, grams)) for name, grams in recipe.ingredients.items())
    request = MealRequest(there, recipe.servings, diet, tuple(avoid))
    return [*as_messages(request), {"role": "assistant", "content": answer(recipe)}]


def schema(request: MealRequest) -> dict[str, Any]:
    """Return the JSON schema of the answers to a request: no other ingredient, no more grams than there are."""
    text = f"[{ASCII}{_letters(request)}-]"
    grams = {name: {"type": "integer", "minimum": 1, "maximum": most} for name, most in request.available.items()}
    properties = {
        "title": {"type": "string", "pattern": f"^[A-Za-z]{text}{{2,{TITLE_CHARACTERS - 1}}}$"},
        "servings": {"const": request.servings},
        "minutes": {"type": "integer", "minimum": MINUTES[0], "maximum": MINUTES[1]},
        "ingredients": {"type": "object", "properties": grams, "additionalProperties": False, "minProperties": 1},
        "pantry": {"type": "array", "items": {"enum": [*request.pantry]}, "maxItems": len(request.pantry)},
        "steps": {
            "type": "array",
            "items": {
                "type": "string",
                "pattern": f"^[A-Z0-9]{text}{{{STEP_CHARACTERS[0] - 1},{STEP_CHARACTERS[1] - 1}}}$",
            },
            "minItems": STEPS[0],
            "maxItems": STEPS[1],
        },
    }
    if not request.pantry:
        properties["pantry"] = {"type": "array", "maxItems": 0}
    return {"type": "object", "properties": properties, "required": [*KEYS], "additionalProperties": False}


def read(text: str) -> Recipe:
    """Return the recipe that an answer holds; whether it keeps to its request is for ``checking`` to say.

    Raises:
        SchemaError: it is no JSON, or not of the shape that ``schema`` gives.
    """
    try:
        told = json.loads(text[:MOST_ANSWER], object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError) as cause:
        raise SchemaError(f"the answer is no JSON: {text[:60]!r}") from cause
    if not isinstance(told, dict) or set(told) != {*KEYS}:
        raise SchemaError(f"the answer is no object with the keys {', '.join(KEYS)}")
    _check(told)
    return Recipe(**{**told, "pantry": tuple(dict.fromkeys(told["pantry"])), "steps": tuple(told["steps"])})


def most_bytes(request: MealRequest, steps: int = STEPS[1]) -> int:
    """Return how long an answer of so many steps gets, in bytes of UTF-8: no tokenizer makes more tokens of it."""
    wide = max((len(letter.encode()) for letter in _letters(request)), default=1)
    longest = Recipe("", request.servings, MINUTES[1], request.available, (), ())
    pantry = len(request.pantry) * (max(map(len, request.pantry), default=0) + 3)  # the longest may come every time
    return len(answer(longest).encode()) + pantry + wide * TITLE_CHARACTERS + steps * (wide * STEP_CHARACTERS[1] + 3)


def plain(text: str) -> str:
    """Return text in the characters that an answer has: accents gone, other signs as blanks.

    >>> plain('Sauté   at 180 °C — “gently”'), plain("1½ cups, 10–12 minutes")
    ('Saute at 180 C gently', '1 1/2 cups, 10-12 minutes')
    """
    spelled = _GLUED.sub(" ", _HYPHEN.sub("-", text)).replace("&", " and ")
    told = unicodedata.normalize("NFKD", seen(spelled).replace("’", "'").replace("\u2044", "/"))  # of a fraction
    kept = "".join(one for one in told if not unicodedata.combining(one))
    return " ".join(
        "".join(one if one.isascii() and (one.isalnum() or one in f"{ASCII[9:]}-") else " " for one in kept).split()
    )


def _spared(title: str, name: str, grams: int) -> int:
    """Return what there is of an ingredient: up to half more than needed, a whole ten above 50 g."""
    share = hashlib.sha256(f"{title}/{name}".encode()).digest()[0] / 255 * SPARE
    more = grams * (1 + share)
    return min(MOST_GRAMS, math.ceil(more / 10) * 10 if more > 50 else math.ceil(more))


def _letters(request: MealRequest) -> str:
    """Return the letters of the names listed that are not ASCII's."""
    return "".join(sorted({letter for name in request.names for letter in name if not letter.isascii()}))


def _is_clean(name: str) -> bool:
    try:
        return clean_name(name) == name
    except SourceError:
        return False


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key comes twice")
    return dict(pairs)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")


def _check(told: Mapping[str, Any]) -> None:
    """Refuse values of another type or length than ``schema`` gives.

    Raises:
        SchemaError: the message says which.
    """
    fits = {
        "title": _is_text(told["title"], 3, TITLE_CHARACTERS),
        "servings": _is_whole(told["servings"], *SERVINGS),
        "minutes": _is_whole(told["minutes"], *MINUTES),
        "ingredients": isinstance(told["ingredients"], dict)
        and 0 < len(told["ingredients"]) <= MOST_INGREDIENTS
        and all(_is_whole(grams, 1, 10**9) for grams in told["ingredients"].values()),
        "pantry": isinstance(told["pantry"], list) and all(_is_text(one, 1, 40) for one in told["pantry"]),
        "steps": isinstance(told["steps"], list)
        and STEPS[0] <= len(told["steps"]) <= STEPS[1]
        and all(_is_text(step, *STEP_CHARACTERS) for step in told["steps"]),
    }
    if not all(fits.values()):
        raise SchemaError(f"the answer's {', '.join(key for key, fit in fits.items() if not fit)} cannot be used")


def _is_text(value: object, least: int, most: int) -> bool:
    return isinstance(value, str) and least <= len(value) <= most and bool(value.strip())


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
