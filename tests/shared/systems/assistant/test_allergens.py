import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UsageError
from shared.systems.assistant.allergen_terms import TERMS
from shared.systems.assistant.allergens import ALLERGENS, DIETS, allergens_of, conflicts, unknown
from shared.systems.assistant.ingredients import parse_line


@pytest.mark.parametrize(
    ("name", "allergens"),
    [
        ("wheat flour", "gluten"),
        ("rye bread", "gluten"),
        ("oat milk", "gluten"),
        ("beer", "gluten"),
        ("soba", "gluten"),
        ("prawn", "crustaceans"),
        ("egg white", "eggs"),
        ("egg noodle", "gluten eggs"),
        ("tuna", "fish"),
        ("worcestershire sauce", "gluten fish"),
        ("peanut butter", "peanuts"),
        ("peanut oil", "peanuts"),
        ("tofu", "soybeans"),
        ("tamari", "soybeans"),
        ("soy sauce", "gluten soybeans"),
        ("soy yogurt", "soybeans"),
        ("butter", "milk"),
        ("goat cheese", "milk"),
        ("lactose-free milk", "milk"),
        ("milk chocolate", "milk"),
        ("almond milk", "nuts"),
        ("brazil nut", "nuts"),
        ("nutella", "milk nuts"),
        ("almond croissant", "gluten milk nuts"),
        ("celery salt", "celery"),
        ("dijon mustard", "mustard"),
        ("mayonnaise", "eggs mustard"),
        ("tahini", "sesame"),
        ("red wine vinegar", "sulphites"),
        ("lupin flour", "lupin"),
        ("oyster sauce", "gluten soybeans molluscs"),
        ("squid", "molluscs"),
        ("cheeses", "milk"),
        ("Béchamel", "gluten milk"),
        ("breaded chicken", "gluten"),
        ("battered cod", "gluten fish"),
        ("wholemeal", "gluten"),
        ("crab stick", "gluten crustaceans eggs fish"),
        ("seafood mix", "crustaceans fish molluscs"),
        ("shellfish", "crustaceans molluscs"),
        ("mixed nuts", "peanuts nuts"),
        ("cashew nuts", "nuts"),
        ("monkey nuts", "peanuts"),
        ("arachis oil", "peanuts"),
        ("bean curd", "soybeans"),
        ("fermented black beans", "soybeans"),
        ("soya milk", "soybeans"),
        ("shoyu", "gluten soybeans"),
        ("ponzu", "gluten fish soybeans"),
        ("hake", "fish"),
        ("kippers", "fish"),
        ("nam pla", "fish"),
        ("worcestershire", "gluten fish"),
        ("hollandaise", "eggs milk"),
        ("lemon curd", "eggs milk"),
        ("caesar dressing", "eggs fish milk mustard"),
        ("stilton", "milk"),
        ("tzatziki", "milk"),
        ("hazelnut yogurt", "milk nuts"),
        ("hazelnut milk chocolate", "milk nuts"),
        ("coconut milk chocolate", "milk"),
        ("not gluten-free bread", "gluten"),
        ("houmous", "sesame"),
        ("gingelly oil", "sesame"),
        ("lupini beans", "lupin"),
        ("golden raisins", "sulphites"),
        ("escargot", "molluscs"),
        # what only sounds like one of them
        ("coconut milk", ""),
        ("coconut", ""),
        ("nutmeg", ""),
        ("buckwheat", ""),
        ("eggplant", ""),
        ("butternut squash", ""),
        ("butter bean", ""),
        ("butter lettuce", ""),
        ("cocoa butter", ""),
        ("cream of tartar", ""),
        ("oyster mushroom", ""),
        ("water chestnut", ""),
        ("pine nut", ""),
        ("rice noodle", ""),
        ("corn tortilla", ""),
        ("root beer", ""),
        ("gluten-free flour", ""),
        ("vegan butter", ""),
        ("soyuz", ""),
    ],
)
def test_a_name_says_its_allergens_and_no_others(name, allergens):
    assert " ".join(allergens_of(name).allergens) == allergens


def test_there_are_the_fourteen_of_annex_ii_in_its_order():
    first = "gluten crustaceans eggs fish peanuts soybeans milk nuts celery mustard sesame sulphites lupin molluscs"
    assert " ".join(ALLERGENS) == first


@pytest.mark.parametrize(
    ("name", "diets"),
    [
        ("beef", "vegetarian vegan pescetarian"),
        ("chicken broth", "vegetarian vegan pescetarian"),
        ("gelatin", "vegetarian vegan pescetarian"),
        ("salmon", "vegetarian vegan"),
        ("fish sauce", "vegetarian vegan"),
        ("mussel", "vegetarian vegan"),
        ("honey", "vegan"),
        ("egg", "vegan"),
        ("butter", "vegan lactose-free"),
        ("lactose-free milk", "vegan"),
        ("couscous", "gluten-free"),
        ("vegan sausage", ""),
        ("kidney bean", ""),
        ("beef tomato", ""),
        ("seafood", "vegetarian vegan"),
        ("foie gras", "vegetarian vegan pescetarian"),
        ("marshmallows", "vegetarian vegan pescetarian"),
        ("mince", "vegetarian vegan pescetarian"),
        ("sweetbread", "vegetarian vegan pescetarian"),
        ("tofu", ""),
        ("rice", ""),
    ],
)
def test_a_diet_leaves_out_what_its_name_says(name, diets):
    assert [diet for diet in DIETS if conflicts([name], diet)] == diets.split()


@pytest.mark.parametrize("name", ["dragonfruit", "curry paste", "тофу", "mystery sauce", "bread", "sausage", "chips"])
def test_what_the_rules_do_not_know_is_never_said_to_be_free_of_anything(name):
    assert unknown([name]) == [name]
    assert not allergens_of(name).known


@pytest.mark.parametrize(
    "name",
    ["vegan cheese", "gluten-free flour", "egg-free mayonnaise", "almond yogurt", "glazed salmon", "\u0441rab meat"],
)
def test_a_name_of_which_one_word_is_not_known_or_something_stands_for_another_is_not_known(name):
    assert unknown([name]) == [name]


def test_every_term_of_every_table_is_found_by_its_name():
    for allergen, line in TERMS.items():
        for term in line.split():
            assert allergen in allergens_of(term.replace("_", " ")).allergens, term


@pytest.mark.parametrize(
    "name", ["rice", "basil leaf", "chicken breast", "brown rice", "pork belly", "chili powder", "milk"]
)
def test_a_food_or_a_form_of_it_is_known(name):
    assert unknown([name]) == []


def test_what_brackets_say_to_be_contained_is_not_lost_from_a_name():
    (cookies,) = parse_line("200 g cookies (may contain nuts and milk)").ingredients
    assert {"nuts", "milk", "gluten"} <= {*allergens_of(cookies.name).allergens}


@pytest.mark.parametrize(
    ("name", "allergens"),
    [
        ("rice milk or milk", ("milk",)),
        ("milk or vegan cheese", ("milk",)),  # what frees one of them does not free the other
        ("cow or almond milk", ("milk", "nuts")),  # short for cow milk
        ("egg or prawn or rice", ("crustaceans", "eggs")),
        ("red or white wine", ("sulphites",)),
    ],
)
def test_of_two_foods_what_either_holds_counts(name, allergens):
    assert set(allergens) <= set(allergens_of(name).allergens)


def test_two_foods_are_known_where_both_are():
    assert unknown(["rice or egg", "rice or dragon sauce", "zork or rice", "or", ""]) == [
        "rice or dragon sauce",
        "zork or rice",
        "or",
        "",
    ]


@pytest.mark.parametrize("sign", ["\u00ad", "\u200b", "\u200d", "\ufeff", "\u2066", "\u034f", "\ufe0f", "\x00"])
def test_a_sign_that_nobody_sees_takes_no_allergen_away(sign):
    assert allergens_of(f"pean{sign}ut but{sign}ter").allergens == ("peanuts",)


def test_a_conflict_says_why():
    assert conflicts(["rice", "prawn"], "", ["crustaceans"]) == {"prawn": "prawn holds crustaceans: to be avoided."}
    assert conflicts(["bacon"], "vegetarian") == {"bacon": "bacon holds meat: not vegetarian."}
    assert conflicts(["bacon"]) == {}


@pytest.mark.parametrize(("diet", "avoid"), [("halal", []), ("", ["kryptonite"]), ("vegan", ["peanut"])])
def test_a_diet_or_allergen_that_no_rule_decides_is_refused(diet, avoid):
    with pytest.raises(UsageError, match="There is no"):
        conflicts(["rice"], diet, avoid)


@given(st.sampled_from(ALLERGENS), st.lists(st.text(max_size=20), max_size=5))
def test_to_avoid_more_never_rules_out_less(allergen, names):
    names = [*names, "milk", "egg", "prawn"]
    assert conflicts(names, "vegetarian").keys() <= conflicts(names, "vegetarian", [allergen]).keys()
    assert conflicts(names, "vegetarian").keys() <= conflicts(names, "vegan").keys()


@given(
    st.sampled_from(["prawn", "peanut butter", "soy sauce", "goat cheese"]),
    st.sampled_from(["spicy", "old", "10", "x-"]),
)
def test_a_word_before_a_name_takes_no_allergen_away(name, word):
    assert set(allergens_of(name).allergens) <= set(allergens_of(f"{word} {name}").allergens)


def test_most_names_of_a_cookbook_are_known():
    folder = os.environ.get("ALMANAC_TEST_DATA")
    if not folder:
        pytest.skip("ALMANAC_TEST_DATA names no folder with recipes/")
    rows = Path(folder, "recipes", "public_domain_recipes.jsonl").read_text().splitlines()
    parsed = [parse_line(line) for row in rows for line in json.loads(row)["ingredients"]]
    names = [name for one in parsed for name in (*(i.name for i in one.ingredients), *one.unweighed)]
    assert sum(allergens_of(name).known for name in names) / len(names) > 0.8
