"""Recipes in the forms that people have them in: cookbooks, Food.com, Recipe1M, web pages; whole and broken."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SchemaError
from shared.systems.assistant.recipe_forms import recipe_told

TOLD = ("Egg rice", ["200 g rice", "2 eggs"], ["Boil the rice.", "Fry the eggs."], 4)
LINES, STEPS = TOLD[1:3]


def step(text):
    return {"@type": "HowToStep", "text": text}


PAGE = {"@type": "Recipe", "name": "Egg rice", "recipeIngredient": LINES, "recipeInstructions": [*map(step, STEPS)]}
SECTIONS = [{"@type": "HowToSection", "name": "Rice", "itemListElement": [step(one)]} for one in STEPS]


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "Egg rice", "ingredients": json.dumps(LINES), "directions": json.dumps(STEPS), "NER": "[]"},
        {"title": "Egg rice", "ingredients": repr(LINES), "directions": repr(STEPS)},
        {"name": "Egg rice", "minutes": "55", "n_steps": "2", "steps": repr(STEPS), "ingredients": repr(LINES)},
        {"Title": "Egg  rice ", "Ingredients": repr(LINES), "Instructions": "Boil the rice.\nFry the eggs."},
        {"Name": "Egg rice", "Ingredients": LINES, "Instructions": "Boil the rice. Fry the eggs."},
        {
            "title": "Egg rice",
            "ingredients": "- 200 g rice\n- 2 eggs\n",
            "directions": "1. Boil the rice.\n2) Fry the eggs.",
        },
        {
            "title": "Egg rice",
            "ingredients": [{"text": one} for one in LINES],
            "instructions": [{"text": one} for one in STEPS],
        },
        {"title": None, "name": "Egg rice", "ingredients": LINES, "directions": None, "steps": STEPS},
        PAGE,
        PAGE | {"recipeInstructions": SECTIONS},
        PAGE | {"recipeInstructions": [{"@type": "ItemList", "itemListElement": step(one)} for one in STEPS]},
        PAGE | {"recipeInstructions": "<ol><li>Boil the rice.</li><li>Fry the eggs.</li></ol>"},
        PAGE | {"recipeInstructions": "<p>Boil&nbsp;the rice.</p>\r\n<p>Fry the <b>eggs</b>.</p>"},
        PAGE | {"recipeYield": ["24", "24 cookies"]},
    ],
)
def test_the_same_recipe_is_the_same_in_every_form(fields):
    assert recipe_told(fields) == TOLD


@pytest.mark.parametrize(
    ("told", "servings"),
    [("6", 6), (6, 6), (6.0, 6), ("6 servings", 6), ("Serves 6", 6), ("6-8 people", 6), (["6", "6 servings"], 6)],
)
def test_servings_are_taken_where_they_are_told(told, servings):
    assert recipe_told(PAGE | {"recipeYield": told}).servings == servings


@pytest.mark.parametrize(
    "told", ["24 cookies", "1 loaf", "", None, [], {"value": 6}, "six", 2.5, "1" * 500, 0, "0", 0.0, "0 servings"]
)
def test_a_yield_that_is_of_no_persons_says_nothing_of_servings(told):
    assert recipe_told(PAGE | {"recipeYield": told}).servings == 4


def test_entities_and_marks_of_a_page_are_the_signs_they_stand_for():
    page = PAGE | {"name": "Mac &amp; Cheese", "recipeIngredient": ["1&#189; cups milk", "1 tbsp <a href='x'>oil</a>"]}
    told = recipe_told(page | {"recipeInstructions": ["Bake at 180&deg;C.<br/>Serve.", "Rest for < 5 min, > 2 min."]})
    assert (told.title, told.lines) == ("Mac & Cheese", ["1½ cups milk", "1 tbsp oil"])
    assert told.directions == ["Bake at 180°C.\nServe.", "Rest for < 5 min, > 2 min."]


def test_a_sentence_that_goes_on_after_a_point_is_not_cut():
    told = recipe_told(PAGE | {"recipeInstructions": "Ca. 10 Min. ruhen lassen. Dann backen."})
    assert told.directions == ["Ca. 10 Min. ruhen lassen.", "Dann backen."]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": None}, "nothing stands where a text should"),
        ({"recipeIngredient": "200 g rice, 2 eggs"}, "its ingredients are no list"),
        ({"recipeIngredient": "['200 g rice'"}, "its ingredients are no list"),
        ({"recipeIngredient": {"text": "rice"}}, "its ingredients are no list"),
        ({"recipeIngredient": [None]}, "nothing stands"),
        ({"recipeInstructions": None}, "its directions are no list"),
        ({"recipeInstructions": 5}, "its directions are no list"),
        ({"recipeInstructions": [{"@type": "HowToStep"}]}, "nothing stands"),
        ({"@graph": [{"@type": "WebPage"}]}, "there is no recipe among what it holds"),
    ],
)
def test_what_is_no_recipe_is_refused_with_the_reason(change, why):
    with pytest.raises(SchemaError, match=why):
        recipe_told(PAGE | change)


def test_sections_of_sections_without_end_are_refused():
    deep = {"itemListElement": "Boil."}
    for _ in range(400):
        deep = {"itemListElement": [deep]}
    with pytest.raises(SchemaError):
        recipe_told(PAGE | {"recipeInstructions": [deep]})


_anything = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["<p>", "&amp;", "['a']", "4 servings"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "name", "itemListElement"]), inner)
    ),
    max_leaves=8,
)


@given(st.fixed_dictionaries({name: _anything for name in ("name", "recipeIngredient", "steps", "recipeYield")}))
def test_whatever_comes_it_is_texts_or_refused(fields):
    try:
        told = recipe_told(fields)
    except SchemaError:
        return
    assert all(isinstance(one, str) and one.strip() for one in (*told.lines, *told.directions))
    assert told.servings >= 1
