"""Schemas from outside: what is kept to, and what is refused in a sentence before anything computes for it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UsageError
from shared.steps.answering.schemas import KEYWORDS, check
from shared.systems.assistant.ingredients import Ingredient
from shared.systems.assistant.recipes import MealRequest, schema


def nested(levels):
    inner = {"type": "string"}
    for _ in range(levels - 1):
        inner = {"type": "array", "items": inner}
    return inner


def having(count, **more):
    return {"type": "object", "properties": {f"k{n}": {} for n in range(count)}, **more}


@pytest.mark.parametrize(
    "fine",
    [
        {},
        {"type": ["string", "null"], "title": "Żur", "description": ""},
        {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        {"enum": ["a", 1, 0.5, None, True, {"x": []}]},
        {"const": {"x": [[]]}},
        {"type": "number", "minimum": -(10**15), "maximum": 1e15},
        {"type": "string", "minLength": 0, "maxLength": 10_000},
        {"type": "string", "pattern": "^[A-Z][a-z ]{2,60}[.!]{0,1}$"},
        nested(16),
        having(200, additionalProperties=False),
        having(40, minProperties=1),
    ],
)
def test_a_schema_of_what_is_known_is_kept_to(fine):
    assert check(fine) is None


WRONG = [
    ({"$ref": "#"}, "'$ref' is not offered"),
    ({"multipleOf": 1_000_003}, "'multipleOf' is not offered"),
    ({"x" * 99: 1}, "is not offered"),
    ({"\ud800": 1}, "is not offered"),
    ({"properties": {"a": {"allOf": [{}]}}}, "'allOf' is not offered"),
    ({"items": {"anyOf": [{"not": {}}]}}, "'not' is not offered"),
    ({"type": "no such type"}, "type is one of object"),
    ({"type": []}, "type is one of object"),
    ({"type": [["string"]]}, "type is one of object"),
    ({"properties": []}, "properties is an object"),
    ({"properties": {"a": True}}, "a schema in it is not an object"),
    ({"properties": {"\udfff": {}}}, "properties is an object"),
    (having(201), "at most 200 schemas"),
    ({"properties": {f"k{n}": having(180) for n in range(6)}}, "more than 1000 properties"),
    (having(41, minProperties=1), "at most 40 properties"),
    (having(3, minProperties=2), "minProperties is 0 or 1"),
    ({"additionalProperties": {}}, "additionalProperties is false"),
    ({"required": "name"}, "required is a list of names"),
    ({"items": [{}]}, "items is a schema"),
    ({"enum": []}, "enum is a list"),
    ({"enum": ["a\ud800"]}, "enum is a list"),
    ({"const": float("inf")}, "const is a JSON value"),
    ({"const": {"a": [10**16]}}, "const is a JSON value"),
    ({"const": json.loads("[" * 17 + "]" * 17)}, "const is a JSON value"),
    ({"anyOf": [{}] * 9}, "1 to 8 schemas"),
    ({"anyOf": []}, "1 to 8 schemas"),
    ({"minimum": float("nan")}, "minimum is a number"),
    ({"maximum": 10**4000}, "maximum is a number"),
    ({"minimum": True}, "minimum is a number"),
    ({"maxLength": 10_001}, "maxLength is a whole number from 0 to 10000"),
    ({"minItems": -1}, "minItems is a whole number"),
    ({"maxItems": 1.5}, "maxItems is a whole number"),
    ({"pattern": "^(a+)+$"}, "pattern is classes of letters"),
    ({"pattern": "[a-z]"}, "pattern is classes of letters"),
    ({"pattern": "^[a-z]{1,99999}$"}, "pattern is classes of letters"),
    ({"pattern": "^" + "[a]" * 9 + "$"}, "pattern is classes of letters"),
    ({"description": 3}, "description is text"),
    ({"description": "x" * 40_000}, "more than 32 KB"),
    (nested(17), "more than 16 deep"),
    (nested(300), "more than 16 deep"),
    (nested(100_000), "nests too deep"),
    ({"const": b"bytes"}, "it is not JSON"),
]


@pytest.mark.parametrize(("wrong", "sentence"), WRONG, ids=[sentence for _, sentence in WRONG])
def test_any_other_schema_is_refused_in_one_sentence(wrong, sentence):
    with pytest.raises(UsageError, match="this schema cannot be kept to") as refused:
        check(wrong)
    said = str(refused.value)
    assert sentence in said
    assert "\n" not in said
    assert len(said.encode()) < 300  # of which whoever asks an endpoint reads that many


@pytest.mark.parametrize("names", [1, 30])
def test_a_meals_own_schema_is_kept_to(names):
    letters = "абвгдежзийклмнопрстуфхцчшщъыьэ"[:names]
    there = tuple(Ingredient(f"тофу {letter}", 10_000) for letter in letters)
    assert check(schema(MealRequest(there))) is None
    assert check(schema(MealRequest(there, pantry=()))) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*KEYWORDS]), JSON, max_size=4))
def test_whatever_stands_behind_a_keyword_is_kept_to_or_refused_in_a_sentence(told):
    try:
        check(told)
    except UsageError as refused:
        assert "this schema cannot be kept to" in str(refused)
