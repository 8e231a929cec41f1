"""Which allergens a recipe names, in its list, its steps and its title."""

from dataclasses import replace

import pytest

from shared.systems.assistant.allergen_terms import TERMS, spelled
from shared.systems.assistant.checking import allergens_said, allergens_told, check_recipe
from shared.systems.assistant.checking_terms import DONE
from shared.systems.assistant.ingredients import parse
from shared.systems.assistant.recipes import MealRequest, Recipe

SALAD = Recipe("Tomato salad", 2, 10, {"tomato": 200}, (), ("Slice the tomatoes.", "Serve them on a plate."))


def test_every_allergen_of_steps_and_title_is_told_with_its_place():
    steps = ("Whisk the milk, butter, cream and eggs.", "Pour it over the tomatoes.")
    assert allergens_told(replace(SALAD, title="Celery and tomatoes", steps=steps)) == {
        "eggs": ["egg (named in a step, not listed)"],
        "milk": [f"{one} (named in a step, not listed)" for one in ("milk", "butter", "cream")],
        "celery": ["celery (in the title, not listed)"],
    }


@pytest.mark.parametrize("allergen", [*TERMS])
def test_no_term_of_an_allergen_is_missed_in_a_step_or_in_a_title(allergen):
    rice = Recipe("Rice", 2, 20, {"rice": 150}, (), ("Boil the rice.", "Serve it warm."))
    avoiding = MealRequest(parse("300 g rice").ingredients, avoid=(allergen,))
    for term in (" ".join(one) for one in spelled(TERMS[allergen])):
        titled = replace(rice, title=f"Rice with {term}")
        stepped = replace(rice, steps=("Boil the rice.", f"Stir in the {term}."))
        for recipe in [titled] if term in DONE else [titled, stepped]:
            assert allergen in allergens_told(recipe), recipe
            findings = check_recipe(recipe, avoiding)
            assert any("to be avoided" in why for why in [*findings.problems, *findings.warnings]), recipe


def test_what_is_listed_by_a_longer_name_is_told_once():
    recipe = replace(
        SALAD, ingredients={"tomato": 200, "feta cheese": 50}, steps=("Add the cheese.", "Serve the feta.")
    )
    assert allergens_told(recipe) == {"milk": ["feta cheese"]}


def test_what_a_step_has_without_an_allergen_hides_none_of_the_title():
    recipe = replace(SALAD, title="Tomatoes in butter", steps=("Fry it in vegan butter.", "Serve it."))
    assert allergens_told(recipe) == {"milk": ["butter (in the title, not listed)"]}


def test_a_name_without_an_allergen_takes_none_from_the_rest_of_its_sentence():
    recipe = replace(SALAD, title="Vegan tomatoes with mozzarella", steps=("Fry it in vegan butter.", "Add butter."))
    assert [one.name for one in allergens_said(recipe)] == ["tomato", "butter", "mozzarella"]
    assert [one.name for one in allergens_said(replace(recipe, title="Vegan pizza", steps=recipe.steps[:1]))] == [
        "tomato",
        "pizza",
    ]
