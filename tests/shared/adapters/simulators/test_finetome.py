"""The simulated FineTome: the real file's format, what it talks about, and dirt that cleaning finds."""

import io
import json

import httpx
import pandas as pd
import pyarrow.parquet as pq
import pytest

from shared.adapters.corpora import FINETOME
from shared.adapters.demo import DemoTransport
from shared.adapters.simulators import SIMULATORS
from shared.adapters.simulators.finetome import DIRT, LEAKED, conversations, simulated_finetome
from shared.adapters.web import HttpWeb
from shared.steps.conversations import as_messages
from shared.systems.assistant.cleaning import Cleaning, clean, described
from shared.systems.assistant.instructions import prompts


@pytest.fixture(scope="module")
def body():
    return HttpWeb(DemoTransport(SIMULATORS)).get(FINETOME).body


def test_the_file_is_served_at_its_address_in_the_real_format(body):
    schema = pq.read_schema(io.BytesIO(body))
    assert schema.names == ["conversations", "source", "score"]
    assert str(schema.field("conversations").type) == "list<element: struct<from: string, value: string>>"
    assert str(schema.field("score").type) == "double"


def test_it_is_some_four_thousand_conversations_in_a_hundred_kilobytes_and_the_same_each_time(body):
    assert 4000 <= pq.read_metadata(io.BytesIO(body)).num_rows <= 5000
    assert len(body) < 200_000
    assert simulated_finetome(0)(httpx.Request("GET", FINETOME)).content == body
    assert conversations(1) != conversations(0)


def test_other_addresses_of_that_host_are_not_its_own():
    assert simulated_finetome()(httpx.Request("GET", "https://huggingface.co/api/models")) is None


def test_it_knows_how_many_of_each_kind_it_spoilt():
    counted = pd.Series([one.dirt for one in conversations(0)]).value_counts().to_dict()
    assert {dirt: counted[dirt] for dirt in DIRT} == DIRT


def test_what_it_leaked_is_what_the_assistant_is_judged_on():
    assert {*LEAKED} <= {*prompts()}


def test_most_questions_differ_and_no_clean_conversation_is_broken():
    asked = [as_messages({"messages": _roles(one)}) for one in conversations(0) if not one.dirt]
    assert all(message["content"] for messages in asked for message in messages)
    questions = {next(one["content"] for one in messages if one["role"] == "user") for messages in asked}
    assert len(questions) > 1000


def test_facts_are_right_wherever_they_come(body):
    told = "\n".join(value for one in conversations(0) if not one.dirt for _, value in one.turns)
    for right, wrong in (
        ("Seven plus five is twelve.", "Seven plus five is thirteen."),
        ("The capital of Peru is Lima.", "The capital of Peru is Oslo."),
        ("Monday comes after Sunday.", "Monday comes after Monday."),
        ("Oak is a kind of tree.", "Oak is a kind of bird."),
    ):
        assert right in told
        assert wrong not in told
    assert '{"name": "Ana", "age": 7}' in told


def test_cleaning_finds_what_was_spoilt_and_takes_little_else():
    pytest.importorskip("datasketch")
    told = [one for one in conversations(0) if one.dirt != "malformed"]
    rows = pd.DataFrame({"place": range(len(told)), "kind": "chat", "reason": ""})
    rows["messages"] = [[{"role": role, "content": text.strip()} for role, text in _pairs(one)] for one in told]
    none = pd.DataFrame({"messages": [], "split": [], "place": [], "reason": [], "source": []})
    result = clean(rows, none, LEAKED, Cleaning())
    removed = {one["filter"]: one["removed"] for one in result.effects}
    assert (removed["empty_turns"], removed["length"]) == (DIRT["empty_turns"], DIRT["length"])
    assert {told[place].dirt for place in result.rows["place"]} <= {"", "exact", "near"}
    assert 0 <= removed["exact"] - DIRT["exact"] <= 5  # two drawn pairs may be the same
    assert 0 <= removed["near"] - DIRT["near"] <= 0.01 * len(told)
    # Of a conversation and its spoilt twin one is left, whichever.
    ids = described(rows, Cleaning()).set_index("place")["conversation_id"]
    kept = {*result.rows["conversation_id"]}
    texts = {json.dumps(one.turns): place for place, one in enumerate(told)}
    for twin, one in enumerate(told):
        if one.dirt == "near":
            original = json.dumps([*one.turns[:-1], (one.turns[-1][0], one.turns[-1][1].removesuffix(" Indeed."))])
            assert not {ids[texts[original]], ids[twin]} <= kept


def _pairs(one):
    return [({"human": "user", "gpt": "assistant"}.get(who, who), value) for who, value in one.turns]


def _roles(one):
    return [{"from": who, "value": value} for who, value in one.turns]
