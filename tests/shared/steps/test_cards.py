"""Cards as Hugging Face and a Markdown reader take them, also with names that want to be something else."""

import pytest
import yaml
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st

from shared.steps.cards import card, code, plain, rows

HOSTILE = [
    'a"\n---\nlicense: mit\n',
    "x: [y",
    "'; DROP\t",
    "\x85\u2028---\u2029",
    "*alias &anchor !!python/object",
    "<script>alert(1)</script>",
    "| a | b |\n|---|---|",
    "[x](javascript:1)",
]


def head_of(text):
    return yaml.safe_load(text.split("\n---\n")[0].removeprefix("---\n"))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_one_value_of_the_head_and_one_cell_of_a_table(name):
    text = card({"base_model": name, "tags": [name, "llama"]}, "Ours", {"Data": rows([{"source": name}]) + code(name)})
    assert head_of(text) == {"base_model": name, "tags": [name, "llama"]}
    body = text.split("\n---\n", 1)[1]
    assert "<script" not in body.replace(code(name), "")
    assert len(body.split("\n| ")) == 3
    assert "\n## Data\n" in body


@given(st.text(max_size=80))
def test_whatever_the_name_the_head_is_yaml_that_says_it(name):
    told = head_of(card({"library_name": "transformers", "base_model": f"a{name}"}, "Ours", {}))
    assert told["library_name"] == "transformers"
    assert told["base_model"].encode("ascii", "replace") == f"a{name}".encode("ascii", "replace") or any(
        ord(letter) > 0xFFFF or 0xD800 <= ord(letter) < 0xE000 for letter in name
    )


@given(st.text(max_size=80))
def test_whatever_the_text_it_stays_on_one_line_without_tags(name):
    for told in (plain(name), code(name)):
        assert len(told.splitlines()) <= 1
    assert "<" not in plain(name)
    assert code(name).count("`") == 2


def test_hugging_face_reads_the_head():
    text = card({"library_name": "transformers", "base_model": "a/b", "tags": ["x"]}, "Ours", {"Limits": "Many."})
    told = ModelCard(text).data.to_dict()
    assert told == {"library_name": "transformers", "base_model": "a/b", "tags": ["x"]}


def test_what_is_not_known_is_left_out():
    assert card({"license": ""}, "Ours", {"Limits": ""}) == "---\n---\n\n# Ours\n"
    assert rows([]) == ""
