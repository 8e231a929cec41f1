"""Whether an answer keeps to its request: what a grammar enforces, checked again, and what no grammar can.

    answer, request ──► read ──► ingredients and grams against what there is ─┐
                            ├──► foods that steps and title name ─────────────┼──► Findings ── figures ──► of many
                            └──► diet, allergens, servings, safety ───────────┘
    ingredients, steps, title ──► allergens_said: what says which allergen, and where it stands

Problems break what was promised; warnings are for the cook to judge. Foods in steps are found by ``foods``, which does
not know them all: its figures say how much is wrong at least.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.errors import SchemaError, UsageError
from shared.systems.assistant.allergens import (
    ALLERGENS,
    allergens_of,
    conflicts,
    held_in,
    is_plant_butter,
    terms_in,
    unknown,
)
from shared.systems.assistant.checking_terms import DISHES, DONE, GENERIC, HEATS, MADE, RAW, READY
from shared.systems.assistant.foods import PANTRY, SEASONING, Food, foods_in, words
from shared.systems.assistant.letters import mixed
from shared.systems.assistant.recipes import MealRequest, Recipe, read

_WITHOUT = re.compile(r"\w+[\s-]free\b", re.I)  # milk-free: a title does not name the milk


class Said(NamedTuple):
    """What a recipe names: its allergens by rule, and where it stands: "" where that is among the ingredients."""

    name: str
    allergens: tuple[str, ...]
    where: str = ""


@dataclass(frozen=True)
class Findings:
    """What one answer breaks, as sentences and as what they rest on."""

    json_valid: bool
    overrun_g: Mapping[str, int] = field(default_factory=dict)  # grams beyond what there is
    unlisted: tuple[str, ...] = ()  # in the list or pantry of the recipe, not in the request's
    unlisted_main: tuple[str, ...] = ()  # main ingredients that steps or title name and the request does not list
    unused: tuple[str, ...] = ()  # listed, and not in the recipe
    other_servings: bool = False
    conflicts: Mapping[str, str] = field(default_factory=dict)  # reason by name
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    coverage: float = 0.0  # share of listed ingredients that the recipe uses

    @property
    def fits(self) -> bool:
        """Return whether it is what the schema of the request allows."""
        return self.json_valid and not (self.overrun_g or self.unlisted or self.other_servings)

    @property
    def ok(self) -> bool:
        """Return whether nothing that was promised is broken."""
        return self.json_valid and not self.problems

    def scores(self) -> dict[str, float]:
        """Return what an evaluation averages, each 0 to 1; of an answer that cannot be read only that."""
        if not self.json_valid:
            return {"json_valid": 0.0, "ok": 0.0}
        found = {"gram_overrun": self.overrun_g, "unlisted": self.unlisted, "unlisted_main": self.unlisted_main}
        found["conflict"] = self.conflicts
        shares = {name: float(bool(what)) for name, what in found.items()}
        return {"json_valid": 1.0, "ok": float(self.ok), **shares, "coverage": self.coverage}


def check(text: str, request: MealRequest) -> Findings:
    """Return what an answer to a request breaks; text that is no recipe is a finding too."""
    try:
        recipe = read(text)
    except SchemaError as why:
        return Findings(json_valid=False, problems=(f"No recipe came: {why}.",))
    return check_recipe(recipe, request)


def check_recipe(recipe: Recipe, request: MealRequest) -> Findings:
    """Return what a recipe breaks of its request."""
    there = request.available
    overrun = {
        name: grams - there[name] for name, grams in recipe.ingredients.items() if grams > there.get(name, grams)
    }
    unlisted = [name for name in recipe.ingredients if name not in there]
    unlisted += [name for name in recipe.pantry if name not in request.pantry]
    named = _not_listed(recipe.steps, [*there, *request.pantry])
    titled = _titled(recipe, request, named)
    main = [food.name for food in named if food.kind not in SEASONING]
    said = [*recipe.ingredients, *(food.name for food in [*named, *titled])]  # seasonings, too: celery salt, za'atar
    against = conflicts(said, request.diet, request.avoid)
    unused = [name for name in there if name not in recipe.ingredients]
    return Findings(
        json_valid=True,
        overrun_g=overrun,
        unlisted=tuple(unlisted),
        unlisted_main=(*main, *(food.name for food in titled)),
        unused=tuple(unused),
        other_servings=recipe.servings != request.servings,
        conflicts=against,
        problems=(
            *_problems(recipe, request, overrun, [*unlisted, *main]),
            *(f"The title names {food.name}, which is not listed." for food in titled),
            *against.values(),
        ),
        warnings=tuple(_warnings(recipe, request, named, [*named, *titled])),
        coverage=1 - len(unused) / len(there) if there else 0.0,
    )


def allergens_said(recipe: Recipe) -> list[Said]:
    """Return the ingredients of a recipe, then what else its steps and its title name that means an allergen.

    >>> rice = Recipe("Rice with mozzarella", 2, 20, {"rice": 150}, (), ("Boil the rice.", "Stir in the cream."))
    >>> [one.name for one in allergens_said(rice)], allergens_said(rice)[1]
    (['rice', 'cream', 'mozzarella'], Said(name='cream', allergens=('milk',), where='named in a step, not listed'))
    """
    known = [*recipe.ingredients, *recipe.pantry]
    found = [Said(name, allergens_of(name).allergens) for name in known if name not in PANTRY]
    steps, title = ". ".join(recipe.steps), recipe.title
    for text, done, where in ((steps, DONE, "named in a step, not listed"), (title, (), "in the title, not listed")):
        new = [term for term in _new_terms(text, known, done) if not _stands_for(term, known)]
        told = [Said(term, held, where) for term in new if (held := held_in(text, term))]
        found, known = [*found, *told], [*known, *(one.name for one in told)]
    return found


def allergens_told(recipe: Recipe) -> dict[str, list[str]]:
    """Return by allergen what says it, in the order of Annex II, with its place where that is not the list.

    >>> allergens_told(Recipe("Rice with mozzarella", 2, 20, {"rice": 150}, (), ("Boil the rice.",)))
    {'milk': ['mozzarella (in the title, not listed)']}
    """
    said = allergens_said(recipe)
    found = {
        one: [f"{name} ({where})" if where else name for name, held, where in said if one in held] for one in ALLERGENS
    }
    return {one: names for one, names in found.items() if names}


def figures(many: Sequence[Findings]) -> dict[str, float]:
    """Return the mean of each score over the answers that have it, by name.

    Raises:
        UsageError: there are no answers.
    """
    if not many:
        raise UsageError("There is no answer to take figures of; compose some meals first.")
    scores = [one.scores() for one in many]
    names = dict.fromkeys(name for one in scores for name in one)
    return {name: _mean([one[name] for one in scores if name in one]) for name in names}


def _problems(
    recipe: Recipe, request: MealRequest, overrun: Mapping[str, int], strange: Sequence[str]
) -> Iterable[str]:
    """Yield a sentence for each promise that is broken."""
    for name, grams in overrun.items():
        yield f"It takes {grams} g of {name} more than there are."
    for name in dict.fromkeys(strange):
        yield f"It needs {name}, which is not listed."
    if word := mixed(" ".join([recipe.title, *recipe.steps])):
        yield f"It writes '{word[:40]}' with letters of several alphabets that look alike."
    if recipe.servings != request.servings:
        yield f"It is for {recipe.servings} servings, not {request.servings}."


def _warnings(recipe: Recipe, request: MealRequest, named: Sequence[Food], judged: Sequence[Food]) -> Iterable[str]:
    """Yield a sentence for each thing that the cook should look at."""
    said = words(" ".join(recipe.steps))
    for food in named:
        if food.kind in SEASONING:
            yield f"A step seasons with {food.name}, which is not listed."
    for name in recipe.ingredients:
        if not {*words(name)} - {"or"} & {*said} and not _generic(name) & {*said}:
            yield f"No step says what happens to {name}."
    if len({step.casefold() for step in recipe.steps}) < len(recipe.steps):
        yield "A step comes twice."
    listed = [*request.names, *(food.name for food in judged)]
    yield from _brought_in(
        "A step", ". ".join(recipe.steps), request, _new_terms(". ".join(recipe.steps), listed, DONE)
    )
    yield from _brought_in("The title", recipe.title, request, _new_terms(recipe.title, listed))
    if (request.diet or request.avoid) and (strange := unknown(recipe.ingredients)):
        yield f"What {', '.join(strange)} is made of is not known here: read its label."
    if not {*said} & HEATS:
        yield from _raw(recipe)


def _brought_in(who: str, text: str, request: MealRequest, terms: Sequence[str]) -> Iterable[str]:
    """Yield a sentence for each term that may mean what is to be left out, though nothing listed says so."""
    told = [term for term in terms if held_in(text, term)]
    yield from (f"{who} names it: {why}" for why in conflicts(told, request.diet, request.avoid).values())


def _new_terms(text: str, listed: Sequence[str], done: Collection[str] = ()) -> list[str]:
    """Return the terms of a text that mean an allergen and are no part of a name that is listed."""
    known = [{*words(name)} for name in listed if not is_plant_butter(name)]
    return [term for term in terms_in(text) if term not in done and not any({*words(term)} <= one for one in known)]


def _raw(recipe: Recipe) -> Iterable[str]:
    """Yield a sentence for each food that has to be heated, for a recipe that heats nothing."""
    for name in recipe.ingredients:
        heat = next((RAW[food.kind] for food in foods_in(name) if food.kind in RAW and food.name not in READY), "")
        if heat:
            yield f"No step heats the {name}; it needs {heat}."


def _not_listed(steps: Sequence[str], listed: Sequence[str]) -> list[Food]:
    """Return the foods that steps name and nothing listed covers, each once."""
    foods = {food.name: food for step in steps for food in foods_in(step) if food.name not in MADE}
    known = [{*words(name)} for name in listed]
    heads = {words(name)[-1] for name in listed if words(name)}
    kinds = {food.kind for name in listed for food in foods_in(name)}
    held = {allergen for name in listed for allergen in allergens_of(name).allergens}
    return [
        food
        for food in foods.values()
        if not any({*words(food.name)} <= name for name in known)  # milk, of coconut milk
        and not (heads & {*words(food.name)} and {*allergens_of(food.name).allergens} <= held)  # onion, for red onion
        and not GENERIC.get(food.name, set()) & kinds  # meat, for beef
    ]


def _titled(recipe: Recipe, request: MealRequest, named: Sequence[Food]) -> list[Food]:
    """Return the main ingredients that the title names and neither the request lists nor a step names."""
    found = _not_listed([_WITHOUT.sub(" ", recipe.title)], [*request.available, *request.pantry])
    return [
        food
        for food in found
        if food not in named and food.kind not in SEASONING and food.name.replace(" ", "_") not in DISHES
    ]


def _stands_for(term: str, listed: Sequence[str]) -> bool:
    """Return whether a term of a kind is one of what is listed: cheese is, of cheddar; cereal is not, of rice."""
    meant = [name for name in listed if GENERIC.get(term, set()) & {food.kind for food in foods_in(name)}]
    return any({*allergens_of(name).allergens} & {*allergens_of(term).allergens} for name in meant)


def _generic(name: str) -> set[str]:
    """Return the words that a step may use for an ingredient besides its name's."""
    kinds = {food.kind for food in foods_in(name)}
    return {word for word, covered in GENERIC.items() if covered & kinds} | {"ingredient", "everything", "all"}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
