"""Whether an answer keeps to its request: what a grammar enforces, checked again, and what no grammar can.

    answer, request ──► read ──► ingredients and grams against what there is ─┐
                            └──► foods that the steps name ───────────────────┼──► Findings ── figures ──► of many
                            └──► diet, allergens, servings, safety ───────────┘

Problems break what was promised; warnings are for the cook to judge. Foods in steps are found by ``foods``, which does
not know them all: its figures say how much is wrong at least.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.errors import SchemaError, UsageError
from shared.systems.assistant.allergens import allergens_of, conflicts, is_plant_butter, terms_in, unknown
from shared.systems.assistant.foods import SEASONING, Food, foods_in, word_set, words
from shared.systems.assistant.letters import mixed
from shared.systems.assistant.recipes import MealRequest, Recipe, read

_GENERIC = {  # what a step may call foods of these kinds
    "meat": {"meat", "poultry"},
    "fish": {"fish", "seafood"},
    "seafood": {"fish", "seafood"},
    "vegetable": {"vegetable", "potato", "legume"},
    "fruit": {"fruit"},
    "berry": {"fruit"},
    "pasta": {"pasta"},
    "noodle": {"pasta"},
    "cheese": {"cheese"},
    "bean": {"legume"},
    "nut": {"nut"},
    "herb": {"herb"},
    "spice": {"seasoning"},
    "seasoning": {"seasoning", "herb"},
    "cereal": {"grain"},
    "chili": {"vegetable"},
}
_MADE = word_set(  # what a step makes, does, or means by a word that is also a food's
    "batter broth bun clove custard date dough dressing extract gravy hamburger ice juice meatball pastry"
    " pickle pie_crust port puree rib roll salad sauce savory season sprinkle squash starch steak stock"
    " swede sweet syrup tea toast yam gluten biscuit cookie bread cracker risotto sage mint_sauce"
    " salad_dressing toast liquid candy rocket mustard_seed"
)
_DONE = word_set("toast roll wrap perch skate port tart sponge dough batter crumb")  # rather done or made than brought
_HEATS = word_set(
    "cook fry boil bake roast grill simmer saute sauté steam heat stew braise poach broil sear brown"
    " microwave barbecue oven cooked fried boiled baked roasted grilled simmered steamed heated frying"
    " boiling baking roasting cooking simmering"
)
_RAW = {  # foods that make ill when raw, by kind, and the heat they need: USDA FSIS, safe minimum internal temperatures
    "poultry": "74 °C inside",
    "meat": "71 °C inside when minced, 63 °C in one piece",
    "egg": "71 °C, or a firm white and yolk",
    "seafood": "63 °C inside",
    "legume": "boiling for at least 10 minutes where they are dried",
}
_READY = word_set("ham prosciutto salami pepperoni chorizo tofu tempeh hummus pea")


@dataclass(frozen=True)
class Findings:
    """What one answer breaks, as sentences and as what they rest on."""

    json_valid: bool
    overrun_g: Mapping[str, int] = field(default_factory=dict)  # grams beyond what there is
    unlisted: tuple[str, ...] = ()  # in the list or pantry of the recipe, not in the request's
    unlisted_main: tuple[str, ...] = ()  # main ingredients that steps name and the request does not list
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
    main = [food.name for food in named if food.kind not in SEASONING]
    said = [*recipe.ingredients, *(food.name for food in named)]  # seasonings, too: celery salt, za'atar
    against = conflicts(said, request.diet, request.avoid)
    unused = [name for name in there if name not in recipe.ingredients]
    return Findings(
        json_valid=True,
        overrun_g=overrun,
        unlisted=tuple(unlisted),
        unlisted_main=tuple(main),
        unused=tuple(unused),
        other_servings=recipe.servings != request.servings,
        conflicts=against,
        problems=tuple(_problems(recipe, request, overrun, [*unlisted, *main])) + tuple(against.values()),
        warnings=tuple(_warnings(recipe, request, named)),
        coverage=1 - len(unused) / len(there) if there else 0.0,
    )


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


def _warnings(recipe: Recipe, request: MealRequest, named: Sequence[Food]) -> Iterable[str]:
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
    yield from _brought_in(recipe, request, [food.name for food in named])
    if (request.diet or request.avoid) and (strange := unknown(recipe.ingredients)):
        yield f"What {', '.join(strange)} is made of is not known here: read its label."
    if not {*said} & _HEATS:
        yield from _raw(recipe)


def _brought_in(recipe: Recipe, request: MealRequest, told: Sequence[str]) -> Iterable[str]:
    """Yield a sentence for each word of a step that may mean what is to be left out, though nothing listed says so."""
    listed = [{*words(name)} for name in [*request.names, *told] if not is_plant_butter(name)]
    terms = [term for term in terms_in(". ".join(recipe.steps)) if term not in _DONE]
    new = [term for term in terms if not any({*words(term)} <= name for name in listed)]
    yield from (f"A step names it: {why}" for why in conflicts(new, request.diet, request.avoid).values())


def _raw(recipe: Recipe) -> Iterable[str]:
    """Yield a sentence for each food that has to be heated, for a recipe that heats nothing."""
    for name in recipe.ingredients:
        heat = next((_RAW[food.kind] for food in foods_in(name) if food.kind in _RAW and food.name not in _READY), "")
        if heat:
            yield f"No step heats the {name}; it needs {heat}."


def _not_listed(steps: Sequence[str], listed: Sequence[str]) -> list[Food]:
    """Return the foods that steps name and nothing listed covers, each once."""
    foods = {food.name: food for step in steps for food in foods_in(step) if food.name not in _MADE}
    known = [{*words(name)} for name in listed]
    heads = {words(name)[-1] for name in listed if words(name)}
    kinds = {food.kind for name in listed for food in foods_in(name)}
    held = {allergen for name in listed for allergen in allergens_of(name).allergens}
    return [
        food
        for food in foods.values()
        if not any({*words(food.name)} <= name for name in known)  # milk, of coconut milk
        and not (heads & {*words(food.name)} and {*allergens_of(food.name).allergens} <= held)  # onion, for red onion
        and not _GENERIC.get(food.name, set()) & kinds  # meat, for beef
    ]


def _generic(name: str) -> set[str]:
    """Return the words that a step may use for an ingredient besides its name's."""
    kinds = {food.kind for food in foods_in(name)}
    return {word for word, covered in _GENERIC.items() if covered & kinds} | {"ingredient", "everything", "all"}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
