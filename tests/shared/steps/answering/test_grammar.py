"""Grammars over a tiny Llama with random weights: whatever it would rather write, JSON of the schema comes."""

import json
import re

import pytest

torch = pytest.importorskip("torch", reason="needs the extra llm")
pytest.importorskip("llguidance", reason="needs the extra llm")

from hypothesis import HealthCheck, given, settings  # noqa: E402 - after the extra is there
from hypothesis import strategies as st  # noqa: E402

from shared.chat import Sampling  # noqa: E402
from shared.errors import BackendError, UsageError  # noqa: E402
from shared.steps.answering.grammar import constrained  # noqa: E402
from shared.systems.assistant.ingredients import Ingredient  # noqa: E402
from shared.systems.assistant.meals import compose  # noqa: E402
from shared.systems.assistant.recipes import (  # noqa: E402
    MealRequest,
    Recipe,
    answer,
    as_conversation,
    as_messages,
    most_bytes,
    read,
    schema,
)

FLAT = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]{1,8}$"},
        "grams": {"type": "integer", "minimum": 1, "maximum": 50},
    },
    "required": ["name", "grams"],
    "additionalProperties": False,
}
TEXTS = [
    "Compose a meal for 2. Boil the rice in salted water, fry the eggs in oil.",
    '{"title":"Egg rice","servings":2}',
] * 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from shared.steps.bases import Size, build_tiny

    return build_tiny(tmp_path_factory.mktemp("grammar") / "tiny", TEXTS, size=Size(1, 24, 3, 400, 4096))


@pytest.fixture(scope="module")
def tokenizer(folder):
    from shared.steps.bases import open_tokenizer

    return open_tokenizer(str(folder))


def drawn(tokenizer, shape, seed, most=4000, sharpness=3.0):
    """Return the ids that random scores draw under a schema, and the processor."""
    rule, generator, ids = constrained(tokenizer, shape), torch.Generator().manual_seed(seed), [0]
    while ids[-1] != tokenizer.eos_token_id and len(ids) <= most:
        scores = rule(torch.tensor([ids]), sharpness * torch.randn(1, len(tokenizer), generator=generator))
        ids.append(int(torch.multinomial(scores.softmax(-1)[0], 1, generator=generator)))
    return ids[1:], rule


def text_of(tokenizer, ids):
    return tokenizer.decode(ids, skip_special_tokens=True)


@pytest.mark.parametrize("seed", range(5))
def test_random_scores_write_json_of_the_schema_and_then_end(tokenizer, seed):
    ids, rule = drawn(tokenizer, FLAT, seed)
    text = text_of(tokenizer, ids)
    told = json.loads(text)
    assert [*told] == ["name", "grams"]
    assert re.fullmatch("[a-z]{1,8}", told["name"])
    assert 1 <= told["grams"] <= 50
    assert " " not in text
    assert ids[-1] == tokenizer.eos_token_id
    assert rule.whole


def test_only_the_end_is_left_once_the_value_is_whole(tokenizer):
    rule = constrained(tokenizer, FLAT)
    ids = [0, *tokenizer.encode('{"name":"rice","grams":5}')]
    rule(torch.tensor([[0]]), torch.zeros(1, len(tokenizer)))
    scores = rule(torch.tensor([ids]), torch.zeros(1, len(tokenizer)))
    assert [*torch.isfinite(scores[0]).nonzero()[:, 0]] == [tokenizer.eos_token_id]
    after = rule(torch.tensor([[*ids, tokenizer.eos_token_id]]), torch.zeros(1, len(tokenizer)))
    assert [*torch.isfinite(after[0]).nonzero()[:, 0]] == [tokenizer.eos_token_id]


def test_scores_that_are_allowed_stay_as_they_are_and_no_special_token_is(tokenizer):
    before = torch.randn(1, len(tokenizer))
    scores = constrained(tokenizer, FLAT)(torch.tensor([[0]]), before)
    allowed = torch.isfinite(scores[0])
    assert torch.equal(scores[0][allowed], before[0][allowed])
    assert {text_of(tokenizer, one)[0] for one in allowed.nonzero()} == {"{"}
    assert not allowed[tokenizer.all_special_ids].any()


def test_a_model_with_more_scores_than_tokens_never_draws_the_rest(tokenizer):
    scores = constrained(tokenizer, FLAT)(torch.tensor([[0]]), torch.zeros(1, len(tokenizer) + 64))
    assert scores.shape == (1, len(tokenizer) + 64)
    assert not torch.isfinite(scores[0, len(tokenizer) :]).any()


def test_a_token_that_breaks_the_grammar_is_an_error_not_a_silent_end(tokenizer):
    rule = constrained(tokenizer, FLAT)
    rule(torch.tensor([[0]]), torch.zeros(1, len(tokenizer)))
    with pytest.raises(BackendError, match="left its grammar"):
        rule(torch.tensor([[0, *tokenizer.encode("no")]]), torch.zeros(1, len(tokenizer)))


def test_two_sequences_at_once_are_refused(tokenizer):
    with pytest.raises(UsageError, match="one sequence"):
        constrained(tokenizer, FLAT)(torch.tensor([[0], [0]]), torch.zeros(2, len(tokenizer)))


LONG = {"pattern": "^" + "[a-z]{0,9999}" * 8 + "$"}
CHOSEN = {
    "type": "object",
    "properties": {f"key {n}": {"type": "null"} for n in range(40)},
    "additionalProperties": False,
    "minProperties": 1,
}


@pytest.mark.parametrize(
    "shape",
    [
        {"type": "array", "uniqueItems": True},
        {"type": "no such type"},
        {"type": "string", "pattern": "^[z-a]$"},
        {"type": "string", "minLength": 3, "maxLength": 2},
        {"type": "string", "minLength": 9000, **LONG},  # too large a regular expression
        {"type": "object", "properties": {f"of {n}": CHOSEN for n in range(24)}},  # too large a grammar
    ],
)
def test_a_schema_that_the_grammar_does_not_know_is_refused(tokenizer, shape):
    with pytest.raises(UsageError, match="cannot be kept to") as refused:
        constrained(tokenizer, shape)
    assert not re.search("grammar|regex|lexer|llguidance|\n", str(refused.value).lower())


def test_a_grammar_that_becomes_too_large_on_its_way_says_so_without_its_parsers_state(tokenizer):
    shape = {
        "type": "string",
        "maxLength": 9999,
        "anyOf": [{"pattern": f"^{f'[a-z]{{0,{n}}}' * 8}$"} for n in range(9991, 9999)],
    }
    with pytest.raises(BackendError, match="too large") as failed:
        drawn(tokenizer, shape, 1)
    assert "lexer" not in str(failed.value)
    assert "lexer" in str(failed.value.__cause__)


def test_a_request_of_as_many_ingredients_as_there_may_be_is_kept_to(tokenizer):
    there = tuple(Ingredient(f"bean {letter}{letter}", 10_000) for letter in "abcdefghijklmnopqrstuvwxyzäöüé")
    request_ = MealRequest(there)
    ids, rule = drawn(tokenizer, schema(request_), 3, most_bytes(request_))
    assert rule.whole
    assert set(read(text_of(tokenizer, ids)).ingredients) <= set(request_.names)


NAMES = [
    "rice",
    "egg",
    "red onion",
    "crema de piña",
    "тофу",
    "豆腐",
    "za'atar",
    "free-range chicken",
    "milk",
    "peanut butter",
]


@st.composite
def requests(draw):
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=10, unique=True))
    grams = draw(st.lists(st.integers(1, 10_000), min_size=len(names), max_size=len(names)))
    pantry = draw(st.sets(st.sampled_from(["salt", "pepper", "water", "oil", "sugar"])))
    there = tuple(Ingredient(*one) for one in zip(names, grams, strict=True))
    return MealRequest(there, draw(st.integers(1, 20)), pantry=tuple(sorted(pantry)))


@given(requests(), st.integers(0, 10**6))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_answer_to_every_request_is_valid_keeps_to_it_and_fits_its_bound(tokenizer, request_, seed):
    ids, rule = drawn(tokenizer, schema(request_), seed, most_bytes(request_))
    text = text_of(tokenizer, ids)
    recipe = read(text)
    assert rule.whole
    assert len(text.encode()) <= most_bytes(request_)
    assert recipe.servings == request_.servings
    assert all(grams <= request_.available[name] for name, grams in recipe.ingredients.items())
    assert set(recipe.pantry) <= set(request_.pantry)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe("Egg rice", 2, 25, {"rice": 150, "egg": 100}, ("salt",), ("Boil the rice.", "Fry the eggs, add salt.")),
        Recipe("Chef's 3-cheese tofu", 20, 240, {"тофу": 9000}, (), ("A" * 200, "5-6 min. at 180 C/350 F (hot)!") * 4),
    ],
)
def test_what_trains_the_model_is_what_the_grammar_lets_through(tokenizer, recipe):
    *prompt, last = as_conversation(recipe)
    listed = [line[2:-2].split(": ") for line in prompt[1]["content"].splitlines() if line.startswith("- ")]
    shape = schema(MealRequest(tuple(Ingredient(name, int(grams)) for name, grams in listed), recipe.servings))
    rule, ids = constrained(tokenizer, shape), [0]
    for token in [*tokenizer.encode(last["content"]), tokenizer.eos_token_id]:
        scores = rule(torch.tensor([ids]), torch.zeros(1, len(tokenizer)))
        assert torch.isfinite(scores[0, token]), text_of(tokenizer, ids)
        ids.append(token)


def test_transformers_generates_through_it(folder, tokenizer):
    from transformers import AutoModelForCausalLM, LogitsProcessorList

    from shared.steps.rendering import prompt

    request_ = MealRequest((Ingredient("rice", 300), Ingredient("egg", 100)))
    ids = torch.tensor([prompt(tokenizer, as_messages(request_))])
    torch.manual_seed(0)
    told = AutoModelForCausalLM.from_pretrained(folder).generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=True,
        max_new_tokens=most_bytes(request_),
        logits_processor=LogitsProcessorList([constrained(tokenizer, schema(request_))]),
    )
    recipe = read(text_of(tokenizer, told[0, ids.shape[1] :]))
    assert answer(recipe).startswith('{"title":"')


class Random:
    """A chat that draws from random scores under the schema, and never more tokens than it may."""

    name, where = "random", "this test"

    def __init__(self, tokenizer):
        self._tokenizer = tokenizer

    def stream(self, messages, sampling, *, schema=None, stopped=lambda: False):
        yield text_of(self._tokenizer, drawn(self._tokenizer, schema, sampling.seed, sampling.max_tokens)[0])


@pytest.mark.parametrize("seed", range(4))
def test_a_meal_comes_even_where_the_tokens_run_out(tokenizer, seed):
    request_ = MealRequest((Ingredient("rice", 300), Ingredient("egg", 100)))
    meal = compose(Random(tokenizer), request_, Sampling(seed=seed, max_tokens=1))
    assert meal.findings.json_valid
    assert meal.findings.fits
