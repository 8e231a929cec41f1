from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UsageError
from shared.systems.assistant.checking import check, check_recipe, figures
from shared.systems.assistant.ingredients import parse
from shared.systems.assistant.recipes import MealRequest, Recipe, answer

REQUEST = MealRequest(parse("300 g rice, 2 eggs, 1 red onion, 200 g coconut milk").ingredients)
RICE = Recipe(
    "Egg fried rice",
    2,
    25,
    {"rice": 150, "egg": 100, "red onion": 110, "coconut milk": 100},
    ("salt", "oil"),
    ("Boil the rice in salted water.", "Fry the onion and the eggs in oil.", "Stir in the coconut milk and the rice."),
)


def check_with(*steps, request=REQUEST, **changes):
    return check_recipe(replace(RICE, **changes, **({"steps": steps} if steps else {})), request)


def test_a_recipe_that_keeps_to_its_request_has_no_findings():
    findings = check(answer(RICE), REQUEST)
    assert findings.ok
    assert findings.fits
    assert findings.problems == findings.warnings == ()
    assert findings.coverage == 1


def test_text_that_is_no_recipe_is_a_finding():
    findings = check("Here is a tasty meal for you!", REQUEST)
    assert not findings.json_valid
    assert not findings.fits
    assert findings.problems == ("No recipe came: the answer is no JSON: 'Here is a tasty meal for you!'.",)
    assert findings.scores() == {"json_valid": 0, "ok": 0}


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ("Serve it with bread and butter.", "bread holds gluten: to be avoided."),
        ("Finish it with aioli.", "aioli holds eggs: to be avoided."),
        ("Melt the butter, then fry the rice.", "butter holds milk: to be avoided."),
    ],
)
def test_a_step_that_names_what_an_allergy_rules_out_is_warned_of(step, why):
    house = parse("300 g rice, 100 g peanut butter").ingredients
    request = MealRequest(house, avoid=("gluten", "eggs", "milk"))
    found = check_with("Boil the rice in water.", step, request=request, ingredients={"rice": 150})
    assert why in " ".join([*found.problems, *found.warnings])


@pytest.mark.parametrize("sign", ["\u00ad", "\u200b", "\u202e"])
def test_a_step_hides_no_food_behind_signs_that_nobody_sees(sign):
    assert check_with("Boil the rice in water.", f"Stir in the shr{sign}imp.").unlisted_main == ("shrimp",)


def test_a_step_written_with_letters_that_look_alike_is_a_problem():
    found = check_with("Boil the rice in water.", "Stir in the shr\u0456mp.")
    assert found.problems == ("It writes 'shr\u0456mp' with letters of several alphabets that look alike.",)


def test_a_food_with_an_allergen_is_not_listed_because_something_of_its_last_word_is():
    assert check_with("Boil the rice in water.", "Stir in the condensed milk.").unlisted_main == ("condensed milk",)


def test_what_a_step_calls_by_half_its_name_is_not_warned_of():
    request = MealRequest(parse("300 g rice, 200 g coconut milk, 50 g vegan butter").ingredients, avoid=("milk",))
    steps = ("Boil the rice in the milk.", "Fry it in the butter, and wrap it in foil.")
    found = check_with(*steps, request=request, ingredients={"rice": 150})
    assert not [one for one in found.warnings if one.startswith("A step names it")]


def test_a_seasoning_of_a_step_that_an_allergy_rules_out_is_a_conflict():
    request = replace(REQUEST, avoid=("celery",))
    found = check_with("Boil the rice in water.", "Season it with celery salt.", request=request)
    assert [*found.conflicts] == ["celery salt"]


TOMATOES = MealRequest(parse("300 g tomatoes, 2 onions").ingredients, avoid=("milk",))
SALAD = Recipe("Tomato salad", 2, 10, {"tomato": 200}, (), ("Slice the tomatoes.", "Serve them on a plate."))


def test_a_title_that_names_what_an_allergy_rules_out_breaks_what_was_promised():
    found = check_recipe(replace(SALAD, title="Tomatoes with mozzarella"), TOMATOES)
    assert found.unlisted_main == ("mozzarella",)
    assert [*found.conflicts] == ["mozzarella"]
    assert found.problems == (
        "The title names mozzarella, which is not listed.",
        "mozzarella holds milk: to be avoided.",
    )
    assert found.scores()["conflict"] == found.scores()["unlisted_main"] == 1.0


def test_a_title_that_names_a_dish_of_what_a_diet_rules_out_is_warned_of():
    found = check_recipe(replace(SALAD, title="Tomato quiche"), replace(TOMATOES, avoid=(), diet="vegan"))
    assert found.ok
    assert "The title names it: quiche holds eggs, milk: not vegan." in found.warnings


@pytest.mark.parametrize(
    "title", ["Tomato salad", "Marinara", "Onion and tomato salsa", "Milk-free tomato stew", "Dairy-free tomatoes"]
)
def test_a_title_that_names_what_is_listed_or_made_has_no_findings(title):
    found = check_recipe(replace(SALAD, title=title), TOMATOES)
    assert found.ok
    assert not [one for one in found.warnings if one.startswith("The title")]


def test_more_grams_than_there_are_are_a_problem():
    findings = check_with(ingredients={"rice": 301, "egg": 100})
    assert findings.overrun_g == {"rice": 1}
    assert findings.problems == ("It takes 1 g of rice more than there are.",)
    assert not findings.fits


def test_an_ingredient_or_a_pantry_that_is_not_listed_is_a_problem():
    findings = check_with(ingredients={"rice": 100, "beef": 100}, pantry=("salt", "cream"))
    assert findings.unlisted == ("beef", "cream")
    assert findings.problems == ("It needs beef, which is not listed.", "It needs cream, which is not listed.")
    assert not findings.fits


@pytest.mark.parametrize(
    ("step", "missing"),
    [
        ("Add the chicken and fry it.", ("chicken",)),
        ("Sprinkle with parmesan cheese and butter.", ("parmesan", "cheese", "butter")),
        ("Serve with noodles.", ("noodle",)),
        ("Stir in the meat.", ("meat",)),
        ("Add the eggplant.", ("eggplant",)),
    ],
)
def test_a_main_ingredient_that_steps_name_and_nobody_listed_is_a_problem(step, missing):
    findings = check_with(*RICE.steps, step)
    assert findings.unlisted_main == missing
    assert not findings.ok
    assert findings.fits  # no grammar could have kept it out


@pytest.mark.parametrize(
    "step",
    [
        "Pour the milk over the onion.",  # of coconut milk, of red onion
        "Add the egg yolks and the rice.",
        "Toast it, roll it up and squash it flat.",
        "Make a sauce of the stock and serve.",
        "Season with salt and black pepper in olive oil.",
        "Sprinkle it with water and sugar.",
    ],
)
def test_what_is_listed_by_a_longer_name_or_made_on_the_way_is_no_problem(step):
    assert check_with(*RICE.steps, step).unlisted_main == ()


def test_a_kind_may_stand_for_the_food_that_is_listed():
    request = MealRequest(parse("500 g beef, 300 g spaghetti, 50 g cheddar").ingredients)
    recipe = Recipe(
        "Beef pasta",
        2,
        30,
        {"beef": 400, "spaghetti": 300},
        ("water",),
        ("Fry the meat.", "Boil the pasta, add cheese."),
    )
    findings = check_recipe(recipe, request)
    assert findings.ok
    assert findings.unused == ("cheddar",)
    assert findings.coverage == pytest.approx(2 / 3)


def test_a_seasoning_that_is_not_listed_is_a_warning():
    findings = check_with(*RICE.steps, "Season with paprika and basil.")
    assert findings.ok
    assert findings.warnings == (
        "A step seasons with paprika, which is not listed.",
        "A step seasons with basil, which is not listed.",
    )


def test_other_servings_are_a_problem():
    findings = check_with(servings=4)
    assert findings.problems == ("It is for 4 servings, not 2.",)
    assert not findings.fits


def test_an_ingredient_that_no_step_uses_and_a_step_that_comes_twice_are_warnings():
    findings = check_with("Boil the rice in water.", "boil the rice in water.")
    assert findings.warnings == (
        "No step says what happens to egg.",
        "No step says what happens to red onion.",
        "No step says what happens to coconut milk.",
        "A step comes twice.",
    )


def test_a_diet_and_an_allergy_are_checked_in_the_list_and_in_the_steps():
    request = replace(REQUEST, diet="vegan", avoid=("peanuts",))
    findings = check_with(*RICE.steps, "Top it with peanut butter.", request=request)
    assert findings.conflicts == {
        "egg": "egg holds eggs: not vegan.",
        "peanut butter": "peanut butter holds peanuts: to be avoided.",
    }
    assert "egg holds eggs: not vegan." in findings.problems


def test_what_the_rules_do_not_know_is_said_where_somebody_must_avoid_something():
    strange = MealRequest(parse("300 g rice, 100 g curry paste").ingredients)
    recipe = Recipe(
        "Curry", 2, 20, {"rice": 300, "curry paste": 10}, (), ("Boil the rice.", "Stir in the curry paste.")
    )
    assert check_recipe(recipe, strange).warnings == ()
    warned = check_recipe(recipe, replace(strange, avoid=("nuts",)))
    assert warned.warnings == ("What curry paste is made of is not known here: read its label.",)


@pytest.mark.parametrize(
    ("food", "warning"),
    [
        ("chicken breast", "No step heats the chicken breast; it needs 74 °C inside."),
        ("ground beef", "No step heats the ground beef; it needs 71 °C inside when minced, 63 °C in one piece."),
        (
            "kidney bean",
            "No step heats the kidney bean; it needs boiling for at least 10 minutes where they are dried.",
        ),
    ],
)
def test_food_that_makes_ill_when_raw_is_warned_of_where_nothing_is_heated(food, warning):
    request = MealRequest(parse(f"300 g {food}").ingredients)
    raw = Recipe("Raw", 2, 20, {food: 300}, (), (f"Slice the {food}.", f"Serve the {food} cold."))
    assert check_recipe(raw, request).warnings == (warning,)
    heated = replace(raw, steps=(f"Fry the {food} until it is done.", "Serve it with a smile."))
    assert check_recipe(heated, request).warnings == ()


def test_figures_are_means_over_the_answers_that_have_them():
    good, bad = check(answer(RICE), REQUEST), check("no", REQUEST)
    over = check_with(ingredients={"rice": 400})
    assert figures([good, bad, over]) == {
        "json_valid": pytest.approx(2 / 3),
        "ok": pytest.approx(1 / 3),
        "gram_overrun": 0.5,
        "unlisted": 0,
        "unlisted_main": 0,
        "conflict": 0,
        "coverage": pytest.approx((1 + 0.25) / 2),
    }
    with pytest.raises(UsageError, match="no answer"):
        figures([])


@given(st.text(max_size=300))
def test_no_text_breaks_the_checker(text):
    assert not check(text, REQUEST).ok


@given(st.dictionaries(st.sampled_from(["rice", "egg", "red onion", "beef"]), st.integers(1, 1000), min_size=1))
def test_what_fits_never_takes_more_than_there_is(grams):
    findings = check_recipe(replace(RICE, ingredients=grams), REQUEST)
    fits = all(taken <= REQUEST.available.get(name, 0) for name, taken in grams.items())
    assert findings.fits == fits
