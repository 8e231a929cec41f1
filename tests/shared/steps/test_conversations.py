"""Chat records in all their forms, good and bad, as conversations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SchemaError
from shared.steps.conversations import as_messages, as_questions
from shared.steps.turns import shape_of

ASKED, ANSWERED = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}


@pytest.mark.parametrize(
    "fields",
    [
        {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]},
        {"messages": [ASKED, ANSWERED]},
        {"messages": [{"role": "User", "content": " Hi\r\n"}, {"role": "model", "content": "Hel\x00lo"}]},
        {"conversations": [ASKED, ANSWERED], "id": 7},
        {"instruction": "Hi", "input": "", "output": "Hello"},
        {"instruction": "Hi", "output": "Hello"},
        {"instruction": "Hi", "input": None, "output": "Hello"},
        {"messages": [{"role": "system", "content": "  "}, ASKED, ANSWERED]},
        {"messages": [ASKED, ANSWERED, {"role": "user", "content": "And?"}]},
    ],
)
def test_the_same_conversation_is_the_same_in_every_form(fields):
    assert as_messages(fields) == [ASKED, ANSWERED]


def test_a_systems_message_stays_in_front():
    told = [{"from": "system", "value": "Be short."}, {"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yo"}]
    assert [one["role"] for one in as_messages({"conversations": told})] == ["system", "user", "assistant"]


def test_an_empty_turn_is_no_reason_to_refuse_it_here_as_cleaning_counts_those():
    assert as_messages({"instruction": "", "output": ""})[1]["content"] == ""


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"messages": None}, "no list"),
        ({"messages": "Hi"}, "no list"),
        ({"messages": {"role": "user"}}, "no list"),
        ({"conversations": []}, "no answer"),
        ({"messages": [ASKED]}, "no answer"),
        ({"messages": [{"role": "system", "content": "x"}, ASKED]}, "no answer"),
        ({"messages": [ANSWERED, ASKED]}, "out of order: assistant, user"),
        ({"messages": [ASKED, ASKED]}, "out of order"),
        ({"messages": [ASKED, ANSWERED, ANSWERED, ASKED]}, "out of order"),
        ({"messages": [ASKED, {"role": "system", "content": "x"}, ASKED, ANSWERED]}, "out of order"),
        ({"messages": [ASKED, [ANSWERED]]}, "a list stands"),
        ({"messages": [ASKED, None]}, "nothing stands"),
        ({"messages": [{"role": "tool", "content": "x"}, ANSWERED]}, "role 'tool'"),
        ({"messages": [{"content": "x"}, ANSWERED]}, "role 'None'"),
        ({"messages": [{"role": ["user"], "content": "x"}, ANSWERED]}, "nobody knows the role"),
        ({"messages": [ASKED, {"role": "assistant", "content": float("nan")}]}, "a number stands"),
        ({"messages": [ASKED, {"role": "assistant", "content": []}]}, "a list stands"),
        ({"messages": [ASKED, {"role": "assistant"}]}, "nothing stands"),
        ({"messages": [ASKED, {"role": "assistant", "content": "caf\udce9"}]}, "half a sign"),
        ({"instruction": "Hi", "output": None}, "nothing stands"),
        ({"instruction": "Hi", "output": {"text": "x"}}, "an object stands"),
        ({"instruction": 7, "output": "x"}, "a number stands"),
    ],
)
def test_what_is_no_conversation_is_refused_with_the_reason(fields, why):
    with pytest.raises(SchemaError, match=why):
        as_messages(fields)


def test_a_long_name_of_a_role_is_not_quoted_whole():
    with pytest.raises(SchemaError) as refused:
        as_messages({"messages": [{"role": "x" * 10_000, "content": "Hi"}, ANSWERED]})
    assert len(str(refused.value)) < 100


def test_questions_are_told_whether_answered_or_not():
    assert as_questions({"turns": ["One?", "Two?"]}) == ["One?", "Two?"]
    assert as_questions({"messages": [ASKED, ANSWERED]}) == ["Hi"]
    assert as_questions({"turns": [1, 2]}) == []
    assert as_questions({"messages": 5}) == []


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ({"messages": []}, "conversation"),
        ({"prompt": "a", "messages": []}, "conversation"),
        ({"instruction": "a", "output": "b", "text": "c"}, "instruction"),
        ({"instruction": "a"}, ""),
        ({"turns": []}, "questions"),
        ({}, ""),
    ],
)
def test_columns_tell_the_shape(fields, shape):
    assert shape_of(fields) == shape


_anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from(["user", "assistant", "system"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["role", "content", "from", "value"]), inner)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["messages", "conversations", "instruction", "input", "output"]), _anything))
def test_whatever_comes_it_is_a_conversation_or_refused(fields):
    try:
        messages = as_messages(fields)
    except SchemaError:
        return
    roles = [one["role"] for one in messages if one["role"] != "system"]
    assert roles == ["user", "assistant"] * (len(roles) // 2)
    assert roles
    assert all(one["content"] == one["content"].strip() for one in messages)
