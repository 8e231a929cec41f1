"""The forms that chats come in: pairs, preferences, trees, exports; each read by its own rule."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SchemaError
from shared.steps.conversations import as_messages
from shared.steps.turns import MOST_WRITTEN, as_list, shape_of

ASKED, ANSWERED = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}
MORE = [{"role": "user", "content": "And?"}, {"role": "assistant", "content": "Bye"}]
TOLD = {"role": "system", "content": "Be short."}


def said(role, text, *replies, **also):
    """Return a message of an OASST tree."""
    return {"text": text, "role": role, "rank": None, "deleted": False, "replies": [*replies]} | also


def exported(*turns, **first):
    """Return a chat as ChatGPT exports it, every message the parent of the next."""
    nodes = {"root": {"message": None, "parent": None}}
    for place, (role, parts) in enumerate(turns):
        content = {"content_type": "text", "parts": parts}
        message = {"author": {"role": role}, "content": content | (first if not place else {})}
        nodes[f"n{place}"] = {"message": message, "parent": f"n{place - 1}" if place else "root"}
    return {"title": "Hi", "mapping": nodes, "current_node": f"n{len(turns) - 1}"}


@pytest.mark.parametrize(
    "fields",
    [
        {"conversation": [ASKED, ANSWERED], "language": "English"},
        {"Messages": json.dumps([ASKED, ANSWERED])},
        {"conversations": repr([{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}])},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}, ANSWERED]},
        {"messages": [ASKED, {"role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}]},
        {"instruction": "Hi", "context": "", "response": "Hello", "category": "open_qa"},
        {"instruction": None, "input": "Hi", "output": "Hello"},
        {"prompt": "Hi\n", "completion": " Hello"},
        {"prompt": [ASKED], "completion": [ANSWERED]},
        {"question": "Hi", "answer": "Hello"},
        {"query": "Hi", "response": "Hello"},
        {"Input": "Hi", "Output": "Hello"},
        {"system_prompt": "", "question": "Hi", "response": "Hello"},
        {"prompt": "Hi", "chosen": "Hello", "rejected": "No."},
        {"prompt": [ASKED], "chosen": [ANSWERED], "rejected": [TOLD]},
        {"prompt": "Hi", "chosen": [ASKED, ANSWERED], "rejected": [ASKED, TOLD]},
        {"chosen": [ASKED, ANSWERED], "rejected": [ASKED, TOLD]},
        {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello", "rejected": "\n\nHuman: Hi\n\nAssistant: No."},
        {"data": ["Hi", "Hello"], "id": "0"},
        {"message_tree_id": "a", "prompt": said("prompter", "Hi", said("assistant", "Hello"))},
        exported(("system", [""]), ("user", ["Hi"]), ("assistant", ["Hello"])),
        exported(("system", ["x"]), ("user", ["Hi"]), ("assistant", ["Hello"]), content_type="user_editable_context"),
    ],
)
def test_the_same_conversation_is_the_same_in_every_form(fields):
    assert shape_of(fields)
    assert as_messages(fields) == [ASKED, ANSWERED]


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "developer", "content": "Be short."}, ASKED, ANSWERED]},
        {"system_prompt": "Be short.", "question": "Hi", "response": "Hello"},
        {"system": "Be short.", "prompt": [ASKED], "chosen": [ANSWERED], "rejected": []},
    ],
)
def test_what_a_model_was_told_first_stays_in_front(fields):
    assert as_messages(fields) == [TOLD, ASKED, ANSWERED]


def test_what_a_question_is_about_stands_below_it():
    told = as_messages({"instruction": "Sum it up. ", "context": "Two eggs and rice.", "response": "Egg rice."})
    assert told[0]["content"] == "Sum it up.\n\nTwo eggs and rice."


def test_the_parts_of_a_message_are_one_text():
    parts = [{"type": "text", "text": "Hi"}, "there"]
    assert as_messages({"messages": [{"role": "user", "content": parts}, ANSWERED]})[0]["content"] == "Hi\n\nthere"


def test_a_tree_is_gone_down_by_rank_and_never_into_what_was_deleted():
    replies = [
        said("assistant", "Worse", rank=1),
        said("assistant", "Best", deleted=True, rank=0),
        said("assistant", "Good", said("prompter", "And?", said("assistant", "Bye")), rank=0),
    ]
    told = as_messages({"message_tree_id": "a", "prompt": said("prompter", "Hi", *replies)})
    assert [one["content"] for one in told] == ["Hi", "Good", "And?", "Bye"]


def test_an_exported_chat_is_the_branch_that_was_seen_last():
    chat = exported(("user", ["Hi"]), ("assistant", ["Hello"]))
    chat["mapping"]["other"] = {"message": {"author": {"role": "assistant"}, "content": {}}, "parent": "n0"}
    assert as_messages(chat) == [ASKED, ANSWERED]
    chat["mapping"]["n0"]["parent"] = "n1"  # a loop
    assert as_messages(chat) == [ASKED, ANSWERED]
    assert len(chat["mapping"]) == 4


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"messages": [ASKED, {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]}, "it uses tools"),
        ({"conversations": [{"from": "human", "value": "Hi"}, {"from": "function_call", "value": "{}"}]}, "uses tools"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, ANSWERED]},
            "'image_url'",
        ),
        ({"conversations": [{"from": "human", "value": None}, {"from": "gpt", "value": "Hello"}]}, "nothing stands"),
        ({"chosen": "Hello", "rejected": "No."}, "an answer without its question"),
        ({"chosen": None, "rejected": None}, "an answer without its question"),
        ({"instruction": "Hi", "context": ["a", "b"], "response": "Hello"}, "what its question is about is no text"),
        ({"instruction": 5, "input": "Hi", "output": "Hello"}, "what its question is about is no text"),
        ({"instruction": None, "input": "", "output": "Hello"}, "nothing stands"),
        ({"prompt": {"a": 1}, "completion": "Hello"}, "an object stands"),
        ({"data": ["Hi"]}, "no answer"),
        ({"data": "Hi"}, "no list"),
        ({"data": [["Hi", "Hello"]]}, "a list stands"),
        ({"message_tree_id": "a", "prompt": None}, "no answer"),
        ({"message_tree_id": "a", "prompt": said("prompter", "Hi", deleted=True)}, "no answer"),
        ({"mapping": None, "current_node": "a"}, "no answer"),
        (exported(("user", ["Hi"]), ("tool", ["x"]), ("assistant", ["Hello"])), "it uses tools.*'tool'"),
        (
            exported(("user", [{"content_type": "image_asset_pointer"}]), ("assistant", ["Hello"])),
            "no text: 'image_asset",
        ),
    ],
)
def test_what_is_no_conversation_is_refused_with_the_reason(fields, why):
    with pytest.raises(SchemaError, match=why):
        as_messages(fields)


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ({"prompt": "a", "messages": []}, "conversation"),
        ({"Instruction": "a", "Response": "b"}, "instruction"),
        ({"question": "a", "answers": {}}, ""),
        ({"message_tree_id": "a", "text": "b"}, ""),
        ({"prompt": "a", "rejected": "b"}, ""),
    ],
)
def test_columns_tell_the_shape_whatever_their_case(fields, shape):
    assert shape_of(fields) == shape


@pytest.mark.parametrize(
    "text", ["[" * 5000, "['a', __import__('os')]", "[1", "['a'", "(1, 2)", "{'a'}", "[" + "-" * 9000]
)
def test_what_only_looks_like_a_list_is_none(text):
    assert as_list(text) is None


@given(st.lists(st.text() | st.integers() | st.none()))
def test_a_list_of_texts_is_the_same_written_by_python_or_as_json(values):
    assert as_list(repr(values)) == as_list(json.dumps(values)) == values


@pytest.mark.parametrize("between", [" ", "\n "])
def test_texts_that_numpy_writes_without_commas_are_not_run_together(between):
    assert as_list(f"""['200 g rice'{between}"a cook's egg"{between}'salt']""") == [
        "200 g rice",
        "a cook's egg",
        "salt",
    ]
    assert as_list("""['a 7" "large" pan', 'salt']""") == ['a 7" "large" pan', "salt"]


@pytest.mark.parametrize("between", [", ", " "])
def test_a_stray_backslash_loses_no_list(between):
    assert as_list(rf"['300 g \d flour'{between}'salt']") == [r"300 g \d flour", "salt"]


def test_a_list_of_a_million_signs_is_read_as_json_alone_as_python_would_take_gigabytes():
    texts = ["a" * 100] * (MOST_WRITTEN // 100)
    assert as_list(json.dumps(texts)) == texts
    assert as_list(repr(texts)) is None
    assert as_list(repr(texts[: len(texts) // 2])) == texts[: len(texts) // 2]


_names = ["prompt", "chosen", "data", "message_tree_id", "mapping", "current_node", "question", "answer", "context"]
_anything = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["user", "assistant", "\n\nHuman:"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "text", "type", "replies", "parent", "message"]), inner)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(_names), _anything))
def test_whatever_comes_it_is_a_conversation_or_refused(fields):
    try:
        roles = [one["role"] for one in as_messages(fields) if one["role"] != "system"]
    except SchemaError:
        return
    assert roles == ["user", "assistant"] * (len(roles) // 2)
    assert roles
