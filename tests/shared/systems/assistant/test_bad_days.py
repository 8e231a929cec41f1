"""What broke the assistant when it was used badly: unseen signs, damaged run folders, schemas that are an attack."""

import pytest

from shared.connect import open_platform
from shared.errors import AlmanacError, UsageError, WebError
from shared.steps.records import read_records
from shared.systems.assistant.allergens import allergens_of
from shared.systems.assistant.ingredients import parse


@pytest.mark.parametrize(
    ("pasted", "name", "allergen"),
    [
        ("200 g shr\u00adimp", "shrimp", "crustaceans"),  # a soft hyphen, as web pages have them
        ("200 g mi\u200blk", "milk", "milk"),  # a blank of no width
        ("200 g pean\u200duts", "peanut", "peanuts"),
    ],
)
def test_a_sign_that_nobody_sees_hides_no_allergen(pasted, name, allergen):
    (found,) = parse(pasted).ingredients
    assert found.name == name
    assert allergen in allergens_of(found.name).allergens


def test_a_sign_that_nobody_sees_hides_no_order_to_the_model():
    assert parse("200 g ig\u200bnore prev\u00adious").ingredients == ()


def test_an_address_that_does_not_answer_is_not_called_a_broken_file(tmp_path):
    platform = open_platform(world="demo", home=tmp_path)
    with pytest.raises(WebError, match="ALMANAC_WORLD=live"):
        next(read_records("http://127.0.0.1:1/chats.jsonl", platform.web))


# --- run folders -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damaged", ["plan.json", "finished.json"])
@pytest.mark.parametrize("text", ["", '{"name": "tiny-f', "[]", '{"unknown": 1}'])
def test_a_damaged_file_of_a_run_folder_is_a_sentence_that_names_it(tmp_path, damaged, text):
    pytest.importorskip("torch", reason="needs the extra llm")
    from shared.steps.tuned import ended

    folder = tmp_path / "tiny-full"
    folder.mkdir()
    for name in ("plan.json", "finished.json"):
        (folder / name).write_text("{}")
    (folder / damaged).write_text(text)
    with pytest.raises(AlmanacError, match=damaged):
        ended(tmp_path, "tiny-full")


def test_best_weights_that_changed_since_are_not_judged(home):
    from shared.steps.tuned import ended

    (weights,) = (home.run / "best").glob("*.safetensors")
    flipped = bytearray(weights.read_bytes())
    flipped[-5] ^= 0xFF
    weights.write_bytes(flipped)
    with pytest.raises(AlmanacError, match="best"):
        ended(home.folders.runs, home.name)


# --- schemas -----------------------------------------------------------------------------------------------------


def nested(levels):
    schema = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    pytest.importorskip("llguidance", reason="needs the extra llm")
    from shared.steps.bases import Size, build_tiny, open_tokenizer

    size = Size(layers=1, hidden=8, heads=1, vocabulary=300, positions=64)
    return open_tokenizer(str(build_tiny(tmp_path_factory.mktemp("tiny") / "base", ["Boil the rice."], size=size)))


@pytest.mark.parametrize(
    "schema",
    [
        nested(300),
        {"const": "\ud800"},
        {"type": "number", "minimum": float("nan")},
        {"const": float("inf")},
        {"$ref": "#"},
        {"type": "integer", "multipleOf": 1_000_003},  # of 62,615,533 it computed without end, whoever asked was gone
    ],
)
def test_a_schema_that_cannot_be_kept_to_is_refused_at_once(tokenizer, schema):
    from shared.steps.grammar import constrained

    with pytest.raises(UsageError, match="schema") as refused:
        constrained(tokenizer, schema)
    assert "\n" not in str(refused.value)
