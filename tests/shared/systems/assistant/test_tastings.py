"""Requests read back from prompts, and a model whose every answer is known."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SchemaError, TooLongError
from shared.steps.side_by_side import worse
from shared.systems.assistant.allergens import ALLERGENS, DIETS
from shared.systems.assistant.foods import PANTRY
from shared.systems.assistant.ingredients import Ingredient, clean_name
from shared.systems.assistant.recipes import MealRequest, Recipe, answer, as_conversation, as_messages
from shared.systems.assistant.tastings import requested, tried

EGG_RICE = Recipe(
    "Egg rice", 2, 20, {"rice": 150, "egg": 100}, ("salt",), ("Boil the rice in water.", "Fry the egg and serve it.")
)
NAMES = [clean_name(name) for name in ("rice", "egg", "olive oil", "jalapeño", "Baker's yeast", "śmietana")]
REQUEST = MealRequest((Ingredient("rice", 300), Ingredient("egg", 100)))


class Says:
    """A model that gives the same text to everybody, with or without a schema."""

    name, where = "a table", "here"

    def __init__(self, *texts):
        self.texts, self.asked = [*texts], []

    def stream(self, messages, sampling, *, schema=None, stopped=lambda: False):
        self.asked.append((sampling, schema))
        return iter(self.texts[min(len(self.asked), len(self.texts)) - 1])


def found(chat, requests, **told):
    return {name: figure.share.value for name, figure in tried(chat, requests, **told).items()}


@given(
    st.lists(st.sampled_from(NAMES), min_size=1, unique=True),
    st.integers(1, 20),
    st.sampled_from(["", *DIETS]),
    st.lists(st.sampled_from([*ALLERGENS]), unique=True, max_size=3),
    st.lists(st.sampled_from([*PANTRY]), unique=True),
)
def test_a_request_is_read_back_from_its_prompt(names, servings, diet, avoid, pantry):
    listed = tuple(Ingredient(name, 10 + len(name)) for name in names)
    request = MealRequest(listed, servings, diet, tuple(avoid), tuple(pantry))
    assert requested(as_messages(request)) == request


def test_a_training_conversation_holds_the_request_of_its_recipe():
    request = requested(as_conversation(EGG_RICE))
    assert (request.names, request.servings) == (["rice", "egg"], 2)
    assert all(request.available[name] >= grams for name, grams in EGG_RICE.ingredients.items())


@pytest.mark.parametrize("text", ["", "Hello", "Compose a meal for 2.", "Compose a meal for two.\n- rice: 3 g"])
def test_what_is_no_request_is_refused(text):
    with pytest.raises(SchemaError, match="no request for a meal"):
        requested([{"role": "user", "content": text}])


def test_a_recipe_that_keeps_to_its_request_is_whole_in_every_figure():
    chat = Says(answer(EGG_RICE))
    shares = found(chat, {"a": REQUEST})
    assert shares["json_valid"] == shares["ok"] == shares["coverage"] == 1.0
    assert {shares[name] for name in ("gram_overrun", "unlisted", "unlisted_main", "conflict", "cut")} == {0.0}
    assert chat.asked[0][0].temperature == 0
    assert chat.asked[0][1] is not None


class Reads(Says):
    """The same with room for prompts of so many characters."""

    def __init__(self, room, *texts):
        super().__init__(*texts)
        self.room = room

    def stream(self, messages, sampling, *, schema=None, stopped=lambda: False):
        if (length := sum(len(one["content"]) for one in messages)) > self.room:
            raise TooLongError(f"the message has {length} tokens and this model reads {self.room}; shorten it")
        return super().stream(messages, sampling, schema=schema, stopped=stopped)


@pytest.mark.parametrize("grammar", [True, False])
def test_a_request_that_does_not_fit_the_context_is_no_answer_that_is_no_json(caplog, grammar):
    long = MealRequest(
        tuple(Ingredient(name, 100) for name in ("rice", "egg", "leek", "carrot", "pea", "kale", "tofu"))
    )
    room = sum(len(one["content"]) for one in as_messages(REQUEST))
    chat = Reads(room, answer(EGG_RICE))
    figures = tried(chat, {"short": REQUEST, "long": long}, grammar=grammar)
    counted = {name: (figure.share.value, figure.share.count) for name, figure in figures.items()}
    assert counted.get("prompt_fits") == ((0.5, 2) if grammar else None)
    assert {counted[name] for name in ("json_valid", "ok", "coverage")} == {(1.0, 1)}
    needed = sum(len(one["content"]) for one in as_messages(long))
    said = f"a table cannot be asked for 1 of 2 meals: the message has {needed} tokens and this model reads {room}"
    assert [said in one for one in caplog.messages] == ([True] if grammar else [])


def test_where_no_request_fits_only_that_is_told():
    figures = tried(Reads(9), {"a": REQUEST, "b": REQUEST})
    assert {name: (figure.share.value, figure.share.count) for name, figure in figures.items()} == {
        "prompt_fits": (0.0, 2)
    }


def test_a_context_too_small_for_most_requests_is_surely_worse_than_one_for_all():
    long = MealRequest(tuple(Ingredient(name, 100) for name in ("rice", "egg", "leek", "carrot", "pea", "kale")))
    asked = {str(n): long if n > 1 else REQUEST for n in range(12)}
    room = sum(len(one["content"]) for one in as_messages(REQUEST))
    small, large = (tried(Reads(room, answer(EGG_RICE)), asked) for room in (room, 9999))
    assert worse(small, large, "champion") == "prompt_fits 2 of 12, champion 12 of 12"
    assert worse(large, small, "champion") == ""


def test_without_requests_no_figure_is_told():
    assert tried(Says("none"), {}) == {}


def test_without_grammar_one_free_answer_is_checked():
    too_much = json.loads(answer(EGG_RICE)) | {"ingredients": {"rice": 400, "saffron": 2}}
    chat = Says(json.dumps(too_much))
    shares = found(chat, {"a": REQUEST}, grammar=False)
    assert (shares["json_valid"], shares["gram_overrun"], shares["unlisted"], shares["ok"]) == (1.0, 1.0, 1.0, 0.0)
    assert shares["coverage"] == 0.5
    assert [schema for _, schema in chat.asked] == [None]


def test_answers_that_are_no_recipe_count_as_such_and_not_as_faultless_ones():
    heard = []
    shares = tried(Says("I like rice."), {"a": REQUEST, "b": REQUEST}, heard.append)
    assert {name: (figure.share.value, figure.share.count) for name, figure in shares.items()} == {
        "prompt_fits": (1.0, 2),
        "json_valid": (0.0, 2),
        "ok": (0.0, 2),
    }
    assert heard == [1, 2]


def test_more_is_better_for_coverage_and_worse_for_grams_that_are_not_there():
    figures = tried(Says(answer(EGG_RICE)), {"a": REQUEST})
    good = {name for name, figure in figures.items() if figure.higher_is_better}
    assert good == {"prompt_fits", "json_valid", "ok", "coverage"}
