import json
import os
from pathlib import Path

import pytest

from shared.errors import SchemaError
from shared.systems.assistant.checking import check
from shared.systems.assistant.cookbook import from_cookbook
from shared.systems.assistant.ingredients import Ingredient
from shared.systems.assistant.recipes import MealRequest, Recipe, answer, read

LINES = [
    "1 pound (500g) spaghetti",
    "1/2 cup (110g) olive oil",
    "5-6 cloves of garlic",
    "A bunch of fresh parsley",
    "Salt",
]
DIRECTIONS = [
    "Cook the [pasta](/pasta) for 10-12 minutes.",
    "Heat the oil – gently – with the garlic for 1 hour at 90 °C…",
    "Sauté, add parsley, season with salt.",
]


def test_a_cookbooks_row_becomes_a_recipe_in_the_form_of_an_answer():
    recipe = from_cookbook("Spaghetti aglio e olio (Italy)", LINES, DIRECTIONS)
    assert recipe == Recipe(
        "Spaghetti aglio e olio",
        4,
        70,
        {"spaghetti": 500, "olive oil": 110, "garlic": 15, "parsley": 60},
        ("salt", "oil"),
        (
            "Cook the pasta for 10-12 minutes.",
            "Heat the oil gently with the garlic for 1 hour at 90 C...",
            "Saute, add parsley, season with salt.",
        ),
    )
    assert read(answer(recipe)) == recipe


def test_many_short_directions_are_packed_into_at_most_eight_steps():
    recipe = from_cookbook("Rice", ["200 g rice", "1 onion"], [f"Stir the rice {n} times." for n in range(1, 13)])
    assert 2 <= len(recipe.steps) <= 8
    assert " ".join(recipe.steps).count("Stir the rice") == 12


def test_an_optional_ingredient_without_an_amount_is_left_out():
    recipe = from_cookbook(
        "Rice", ["200 g rice", "1 onion", "butter (optional)"], ["Boil the rice.", "Fry the onion in oil."]
    )
    assert [*recipe.ingredients] == ["rice", "onion"]


@pytest.mark.parametrize(
    ("title", "lines", "directions", "sentence"),
    [
        ("Rice", ["200 g rice", "butter"], ["Boil the rice.", "Stir it well."], "how much butter"),
        ("Rice", ["200 g rice"], ["Boil the rice.", "Stir it well."], "2 to 30 ingredients"),
        ("Rice", ["200 g rice", "1 onion"], ["Boil it all."], "2 to 8 steps"),
        ("Rice", ["200 g rice", "1 onion"], ["Boil the rice " + "and " * 60 + "stop.", "Stir it."], "2 to 8 steps"),
        ("!!", ["200 g rice", "1 onion"], ["Boil the rice.", "Stir it well."], "2 to 8 steps"),
        ("Rice", ["200 g rice", "1 onion"], ["Boil the rice.", "Add the chicken."], "chicken, which is not listed"),
        ("", [], [], "2 to 30 ingredients"),
    ],
)
def test_a_row_that_no_answer_may_look_like_is_refused(title, lines, directions, sentence):
    with pytest.raises(SchemaError, match=sentence):
        from_cookbook(title, lines, directions)


def test_every_recipe_of_a_cookbook_that_is_taken_keeps_to_its_own_request():
    folder = os.environ.get("ALMANAC_TEST_DATA")
    if not folder:
        pytest.skip("ALMANAC_TEST_DATA names no folder with recipes/")
    rows = [json.loads(row) for row in Path(folder, "recipes", "public_domain_recipes.jsonl").read_text().splitlines()]
    taken = [recipe for row in rows if (recipe := _taken(row))]
    assert len(taken) / len(rows) > 0.25
    for recipe in taken:
        listed = tuple(Ingredient(name, grams) for name, grams in recipe.ingredients.items())
        findings = check(answer(recipe), MealRequest(listed, recipe.servings))
        assert findings.ok, (recipe.title, findings)


def _taken(row):
    try:
        return from_cookbook(row["title"], row["ingredients"], row["directions"])
    except SchemaError:
        return None
