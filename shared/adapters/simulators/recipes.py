"""A cookbook, simulated: RecipeNLG's file in format, a thousandth as long, dishes with their grams.

    dish: a template, and what may fill it ──► ingredients by weight ──► directions that name these and no others

RecipeNLG (Bień et al. 2020, https://recipenlg.cs.put.poznan.pl) is given to who fills in a form, so no address of the
real world answers with it; this one stands for the file once it was fetched. Columns: a number, title, ingredients,
directions, link, source, NER; lists are JSON in text.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import httpx
import numpy as np

if TYPE_CHECKING:
    from shared.adapters.demo import Simulator

PATH = "/full_dataset.csv"
RECIPES = 2000
HEADER = ("", "title", "ingredients", "directions", "link", "source", "NER")

VEGETABLES = (
    "carrots",
    "onions",
    "tomatoes",
    "potatoes",
    "spinach",
    "zucchini",
    "leeks",
    "mushrooms",
    "peas",
    "broccoli",
    "cabbage",
    "pumpkin",
)
PROTEINS = (
    "chicken breast",
    "salmon",
    "tofu",
    "minced beef",
    "chickpeas",
    "lentils",
    "shrimp",
    "turkey",
    "cod",
    "halloumi",
)
STARCHES = ("rice", "spaghetti", "couscous", "noodles", "bulgur", "quinoa", "macaroni")
FRUITS = ("apples", "pears", "bananas", "blueberries", "plums", "cherries")
CHEESES = ("parmesan", "feta", "mozzarella", "cheddar")
HERBS = ("parsley", "basil", "thyme", "mint", "dill", "coriander")
Slots = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Dish:
    """A title and directions with {0}, {1} … for what fills the slots; grams of each for four; what is always in."""

    title: str
    slots: Slots
    grams: tuple[int, ...]
    always: tuple[tuple[int, str], ...]  # grams, name
    directions: tuple[str, ...]


DISHES = (
    Dish(
        "{0} soup with {1}",
        (VEGETABLES, HERBS),
        (600, 20),
        ((150, "onions"), (30, "butter"), (200, "cream")),
        (
            "Chop the onions and the {0}.",
            "Melt the butter in a pot and soften the onions for 5 minutes.",
            "Add the {0} and 1 litre of water, and simmer for 20 minutes.",
            "Stir in the cream, season with salt and pepper, and serve with the {1}.",
        ),
    ),
    Dish(
        "{0} with {1} and {2}",
        (PROTEINS, VEGETABLES, STARCHES),
        (400, 350, 300),
        ((30, "olive oil"), (10, "garlic")),
        (
            "Cook the {2} in salted water until done.",
            "Heat the olive oil in a pan and fry the {0} for 8 minutes until cooked through.",
            "Add the {1} and the garlic, and cook for 6 minutes more.",
            "Season with salt and pepper and serve on the {2}.",
        ),
    ),
    Dish(
        "{2} salad with {0} and {1}",
        (VEGETABLES, CHEESES, STARCHES),
        (300, 150, 250),
        ((40, "olive oil"), (20, "lemon juice")),
        (
            "Cook the {2}, rinse it with cold water and let it drain.",
            "Cut the {0} and the {1} into small pieces.",
            "Mix the {2}, the {0} and the {1} with the olive oil and the lemon juice.",
            "Season with salt and pepper and let it rest for 10 minutes.",
        ),
    ),
    Dish(
        "{0} curry with {1}",
        (VEGETABLES, PROTEINS),
        (500, 350),
        ((400, "coconut milk"), (20, "curry paste"), (250, "rice")),
        (
            "Boil the rice in salted water for 12 minutes.",
            "Fry the curry paste for 1 minute, add the {1} and brown it well.",
            "Add the {0} and the coconut milk and simmer for 15 minutes until all is cooked through.",
            "Season with salt and serve with the rice.",
        ),
    ),
    Dish(
        "Omelette with {0} and {1}",
        (VEGETABLES, CHEESES),
        (200, 80),
        ((400, "eggs"), (20, "butter")),
        (
            "Cut the {0} into thin slices and fry it in the butter for 5 minutes.",
            "Beat the eggs with salt and pepper and pour them over the {0}.",
            "Sprinkle with the {1}, cover, and cook for 6 minutes until the eggs are set.",
        ),
    ),
    Dish(
        "{0} crumble with {1}",
        (FRUITS, ("almonds", "hazelnuts", "walnuts", "oats")),
        (700, 80),
        ((150, "flour"), (100, "sugar"), (100, "butter")),
        (
            "Heat the oven to 180 °C.",
            "Cut the {0} and put them into a dish with half of the sugar.",
            "Rub the flour, the butter, the {1} and the rest of the sugar into crumbs.",
            "Spread the crumbs over the {0} and bake for 35 minutes until golden.",
        ),
    ),
    Dish(
        "{1} pancakes with {0}",
        (FRUITS, ("flour", "oats", "buckwheat")),
        (250, 250),
        ((500, "milk"), (150, "eggs"), (30, "butter")),
        (
            "Whisk the {1}, the milk and the eggs to a smooth batter with a pinch of salt.",
            "Melt a little of the butter in a pan and bake thin pancakes, 2 minutes on each side.",
            "Serve them warm with the {0}.",
        ),
    ),
    Dish(
        "Baked {0} with {1}",
        (VEGETABLES, CHEESES),
        (800, 120),
        ((200, "cream"), (10, "garlic")),
        (
            "Heat the oven to 200 °C.",
            "Slice the {0} and lay them into a dish with the garlic.",
            "Pour the cream over them and season with salt and pepper.",
            "Cover with the {1} and bake for 40 minutes.",
        ),
    ),
)


def simulated_recipes(seed: int = 0) -> Simulator:
    """Return recipenlg.cs.put.poznan.pl with RecipeNLG's file, simulated.

    >>> answer = simulated_recipes()(httpx.Request("GET", f"https://recipenlg.cs.put.poznan.pl{PATH}"))
    >>> answer.text.splitlines()[0]
    ',title,ingredients,directions,link,source,NER'
    """
    return lambda request: httpx.Response(200, text=_file(seed)) if request.url.path == PATH else None


@cache
def _file(seed: int) -> str:
    rng = np.random.default_rng(seed)
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(HEADER)
    lines.writerows(_recipe(number, DISHES[rng.integers(len(DISHES))], rng) for number in range(RECIPES))
    return written.getvalue()


def _recipe(number: int, dish: Dish, rng: np.random.Generator) -> tuple[str, ...]:
    """Return one line: a dish with slots filled, for two, four or six, each weight a little off the template's."""
    filled = [slot[rng.integers(len(slot))] for slot in dish.slots]
    share = rng.choice([0.5, 1.0, 1.5])
    weights = [*zip(dish.grams, filled, strict=True), *dish.always]
    grams: dict[str, int] = {}
    for weight, name in weights:  # onions in an onion soup are one line
        grams[name] = grams.get(name, 0) + max(round(weight * share * rng.uniform(0.8, 1.2) / 5) * 5, 5)
    title = dish.title.format(*filled)
    lists = (
        [f"{weight} g {name}" for name, weight in grams.items()],
        [step.format(*filled) for step in dish.directions],
        [*grams],
    )
    ingredients, directions, names = (json.dumps(one, ensure_ascii=False) for one in lists)
    link = f"www.example.org/recipes/{number}"
    return str(number), title[0].upper() + title[1:], ingredients, directions, link, "Simulated", names
