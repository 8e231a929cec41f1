import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.chat import MOST_TOKENS, Sampling
from shared.errors import BackendError, UsageError
from shared.systems.assistant.ingredients import Ingredient, parse
from shared.systems.assistant.meals import CUT, Meal, closed, compose, cookable, stream
from shared.systems.assistant.recipes import MealRequest, Recipe, answer, as_messages, read, schema

REQUEST = MealRequest(parse("300 g rice, 2 eggs").ingredients, diet="vegetarian")
RICE = Recipe("Egg rice", 2, 25, {"rice": 150, "egg": 100}, ("salt",), ("Boil the rice.", "Fry the eggs, add salt."))


class Cook:
    """A chat that gives the answers it was told, one a call, in pieces; it keeps what it was asked."""

    name, where = "cook v1", "this test"

    def __init__(self, *answers, piece=7):
        self.answers, self.asked, self._piece = list(answers), [], piece

    def stream(self, messages, sampling, *, schema=None, stopped=lambda: False):
        self.asked.append((list(messages), sampling, schema))
        text = self.answers.pop(0)
        for start in range(0, len(text), self._piece):
            if stopped():
                return
            yield text[start : start + self._piece]


def test_a_meal_is_composed_checked_and_carries_its_card():
    cook = Cook(answer(RICE))
    meal = compose(cook, REQUEST)
    assert meal.recipe == RICE
    assert meal.findings.ok
    assert meal.left_out == {}
    assert json.loads(meal.json_ld)["name"] == "Egg rice"
    assert (meal.text, meal.model, meal.request) == (answer(RICE), "cook v1", REQUEST)
    assert 0 <= meal.seconds < 5
    assert [(asked, kept) for asked, _, kept in cook.asked] == [(as_messages(REQUEST), schema(REQUEST))]


def test_text_is_streamed_as_it_grows_and_the_meal_comes_last():
    *texts, meal = stream(Cook(answer(RICE), piece=20), REQUEST)
    assert texts[0] == answer(RICE)[:20]
    assert texts[-1] == answer(RICE)
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    assert isinstance(meal, Meal)


def test_what_the_diet_or_an_allergy_rules_out_is_left_out_of_prompt_and_schema_and_said():
    house = parse("300 g rice, 2 eggs, 100 g bacon, 50 g peanut butter").ingredients
    cook = Cook(answer(RICE))
    meal = compose(cook, MealRequest(house, diet="vegetarian", avoid=("peanuts",)))
    assert meal.left_out == {
        "bacon": "bacon holds meat: not vegetarian.",
        "peanut butter": "peanut butter holds peanuts: to be avoided.",
    }
    messages, _, shape = cook.asked[0]
    assert "bacon" not in messages[1]["content"]
    assert [*shape["properties"]["ingredients"]["properties"]] == ["rice", "egg"]
    assert meal.request.names == ["rice", "egg"]


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (MealRequest(()), "List what is in the house first"),
        (MealRequest((Ingredient("bacon", 100),), diet="vegan"), "Nothing can be cooked from this: bacon holds meat"),
        (MealRequest((Ingredient("rice", 100),), diet="halal"), "There is no diet 'halal'"),
        (MealRequest((Ingredient("rice", 100),), avoid=("everything",)), "There is no allergen 'everything'"),
    ],
)
def test_what_cannot_be_cooked_is_refused_before_the_model_is_asked(request_, sentence):
    cook = Cook()
    with pytest.raises(UsageError, match=sentence):
        compose(cook, request_)
    assert cook.asked == []


def test_an_endpoint_without_a_grammar_is_asked_once_more():
    cook = Cook("Sure! Rice with eggs it is.", f"Here you go:\n```json\n{answer(RICE)}\n```\nEnjoy {{it}}!")
    texts = list(stream(cook, REQUEST, Sampling(seed=3, max_tokens=2000)))
    assert texts[-1].recipe == RICE
    messages, sampling, _ = cook.asked[1]
    assert messages[:2] == as_messages(REQUEST)
    assert [one["role"] for one in messages] == ["system", "user", "assistant", "user"]
    assert messages[2]["content"] == "Sure! Rice with eggs it is."
    assert "No recipe came" in messages[3]["content"]
    assert (sampling.seed, sampling.max_tokens) == (4, 2000)


@pytest.mark.parametrize(
    "wrong",
    [
        "I would rather not.",
        answer(Recipe("Rice", 2, 25, {"rice": 301}, (), RICE.steps)),
        answer(Recipe("Rice", 2, 25, {"rice": 300, "beef": 50}, (), RICE.steps)),
        answer(Recipe("Rice", 3, 25, {"rice": 300}, (), RICE.steps)),
        answer(RICE)[:60],
        "",
    ],
)
def test_an_answer_that_does_not_fit_twice_is_an_honest_error(wrong):
    cook = Cook(wrong, wrong, answer(RICE))
    with pytest.raises(BackendError, match=r"cook v1 answered 2 times with no recipe for this: .*Try again\."):
        compose(cook, REQUEST)
    assert len(cook.asked) == 2


def test_a_step_that_names_what_is_not_there_is_shown_as_a_finding():
    meal = compose(Cook(answer(Recipe("Rice", 2, 25, {"rice": 300}, (), ("Boil the rice.", "Add the beef.")))), REQUEST)
    assert meal.findings.unlisted_main == ("beef",)
    assert meal.findings.problems == ("It needs beef, which is not listed.", "beef holds meat: not vegetarian.")


@given(st.integers(0, len(answer(RICE))))
def test_an_answer_cut_anywhere_is_closed_to_a_recipe_or_left_as_it_is(place):
    text = answer(RICE)[:place]
    told, cut = closed(text)
    if cut:
        assert read(told).ingredients == RICE.ingredients
        assert answer(RICE).startswith(text)
    else:
        assert told == text


def test_an_answer_that_was_cut_is_closed_after_its_last_whole_step_and_says_so():
    three = Recipe(
        "Egg rice", 2, 25, {"rice": 150}, (), ("Boil the rice.", "Fry it well.", "Serve it while it is hot.")
    )
    meal = compose(Cook(answer(three)[:-12]), REQUEST)
    assert meal.recipe.steps == ("Boil the rice.", "Fry it well.")
    assert CUT in meal.findings.warnings
    assert meal.text == answer(meal.recipe)


def test_there_are_tokens_enough_to_close_the_longest_answer():
    house = tuple(Ingredient(f"{'a' * n}豆腐", 10_000) for n in range(1, 31))
    cook = Cook(answer(Recipe("Rice", 2, 25, {"a豆腐": 1}, (), RICE.steps)))
    compose(cook, MealRequest(house), Sampling(max_tokens=10))
    assert 1500 < cook.asked[0][1].max_tokens <= MOST_TOKENS


def test_a_visitor_who_stops_gets_no_meal():
    parts = []
    for part in stream(Cook(answer(RICE)), REQUEST, stopped=lambda: len(parts) >= 3):
        parts.append(part)
    assert parts == [answer(RICE)[:7], answer(RICE)[:14], answer(RICE)[:21]]


def test_markup_of_an_endpoint_cannot_leave_the_card():
    nasty = Recipe("</script><b>", 2, 25, {"rice": 1}, (), ("Boil <img src=x>.", "Stir the rice."))
    assert not set(compose(Cook(answer(nasty)), REQUEST).json_ld) & set("<>&")


def test_nothing_is_left_out_without_a_diet():
    assert cookable(MealRequest(REQUEST.ingredients)) == (MealRequest(REQUEST.ingredients), {})
