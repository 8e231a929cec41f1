"""Losses of a model too small to know anything: what is tested is that they are its own."""

# ruff: noqa: E402 - imports that need the extra llm come after the skip

import math
import shutil
import warnings
from itertools import cycle

import pandas as pd
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from shared.errors import NotYetError, SourceError
from shared.steps import likelihood
from shared.steps.bases import Size, build_tiny, open_tokenizer
from shared.steps.likelihood import comparable, losses, mean_loss, opened, perplexity
from shared.steps.rendering import example

SIZE = Size(2, 48, 3, 400, 512)


def chat(*texts):
    return [{"role": role, "content": text} for role, text in zip(cycle(["user", "assistant"]), texts, strict=False)]


CONVERSATIONS = {
    "short": chat("Hi", "Hello!"),
    "long": chat("Tell me of rice.", "Rice is a grass whose seed is eaten. " * 9),
    "turns": chat("One?", "1", "And two?", "2, of course."),
    "accents": chat("Où?", "À côté de l’église, près du café."),
    "system": [{"role": "system", "content": "Be brief."}, *chat("Why?", "Because.")],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    texts = [message["content"] for messages in CONVERSATIONS.values() for message in messages]
    return str(build_tiny(tmp_path_factory.mktemp("tiny") / "base", texts, size=SIZE))


@pytest.fixture(scope="module")
def model(folder):
    return opened(folder)


@pytest.fixture(scope="module")
def tokenizer(folder):
    return open_tokenizer(folder)


@pytest.fixture(scope="module")
def table(model, tokenizer):
    return losses(model, tokenizer, CONVERSATIONS)


def test_a_loss_is_what_transformers_itself_says_of_that_conversation(model, tokenizer, table):
    for name, messages in CONVERSATIONS.items():
        told = {key: torch.tensor([values]) for key, values in example(tokenizer, messages).items()}
        with torch.inference_mode():
            assert table.loc[name, "loss"] == pytest.approx(float(model(**told).loss), abs=1e-5)


def test_neighbours_in_a_batch_change_nothing(model, tokenizer, table):
    alone = pd.concat([losses(model, tokenizer, {name: CONVERSATIONS[name]}) for name in CONVERSATIONS])
    pd.testing.assert_frame_equal(alone, table, atol=1e-5, rtol=0)


def test_small_batches_give_the_same_as_one(model, tokenizer, table, monkeypatch):
    monkeypatch.setattr(likelihood, "MOST_LOGITS", 1)
    pd.testing.assert_frame_equal(losses(model, tokenizer, CONVERSATIONS), table, atol=1e-5, rtol=0)


def test_no_batch_is_larger_than_told(monkeypatch):
    monkeypatch.setattr(likelihood, "MOST_TOKENS", 100)
    examples = {str(length): {"input_ids": [0] * length} for length in (10, 99, 40, 50, 100, 30)}
    batches = [*likelihood._batches(examples, 400)]
    assert batches == [["100"], ["99"], ["50", "40"], ["30", "10"]]


def test_tokens_are_the_answers_and_the_ends_of_them(table, tokenizer):
    assert table.loc["short", "tokens"] == len(tokenizer.encode("Hello!", add_special_tokens=False)) + 1
    assert table.loc["accents", "bytes"] == len("À côté de l’église, près du café.".encode())


def test_a_conversation_that_does_not_fit_is_left_out_not_cut(model, tokenizer):
    longest = {name: len(example(tokenizer, messages)["input_ids"]) for name, messages in CONVERSATIONS.items()}
    kept = losses(model, tokenizer, CONVERSATIONS, longest=longest["turns"])
    assert {*kept.index} == {name for name in longest if longest[name] <= longest["turns"]} < {*longest}
    with pytest.raises(NotYetError, match="none of 5 conversations fits into 3 tokens"):
        losses(model, tokenizer, CONVERSATIONS, longest=3)


def test_what_is_done_is_told(model, tokenizer, monkeypatch):
    monkeypatch.setattr(likelihood, "MOST_LOGITS", 1)
    heard = []
    losses(model, tokenizer, CONVERSATIONS, told=heard.append)
    assert heard == [1, 2, 3, 4, 5]


def test_an_adapter_counts(folder, table, tokenizer, tmp_path):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    plan = LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
    with warnings.catch_warnings(action="ignore"):
        get_peft_model(opened(folder), plan).save_pretrained(tmp_path / "adapter")
    by_base = losses(opened(str(tmp_path / "adapter"), folder), tokenizer, CONVERSATIONS)
    assert (by_base["loss"] - table["loss"]).abs().min() > 1e-4
    assert by_base.equals(losses(opened(str(tmp_path / "adapter")), tokenizer, CONVERSATIONS))


def test_a_folder_without_a_model_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(SourceError, match="holds no model that can be loaded"):
        opened(str(tmp_path))


def test_weights_that_could_run_code_are_not_read(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "pickled")
    (tmp_path / "pickled" / "model.safetensors").unlink()
    torch.save(opened(folder).state_dict(), tmp_path / "pickled" / "pytorch_model.bin")
    with pytest.raises(SourceError, match="holds no model that can be loaded"):
        opened(str(tmp_path / "pickled"))


def test_perplexity_weighs_tokens_and_the_mean_loss_conversations():
    known = pd.DataFrame({"loss": [0.0, 2.0], "tokens": [3, 1], "bytes": [3, 1]})
    assert mean_loss(known).value == 1.0
    assert perplexity(known).value == pytest.approx(math.exp(0.5))


def test_intervals_hold_the_figure_and_the_same_seed_gives_the_same_ones(table):
    for figure in (mean_loss(table), perplexity(table)):
        assert figure.low < figure.value < figure.high
        assert figure.count == 5
    assert mean_loss(table) == mean_loss(table)
    assert mean_loss(table) != mean_loss(table, seed=1)


def test_models_of_one_tokenizer_are_compared_by_token_others_by_byte():
    one = pd.DataFrame({"loss": [1.0, 2.0], "tokens": [4, 4], "bytes": [8, 16]}, ["a", "b"])
    other = pd.DataFrame({"loss": [3.0, 2.0], "tokens": [2, 2], "bytes": [8, 8]}, ["b", "c"])
    assert comparable({"new": one, "old": one})[1] == "nats a token"
    found, unit = comparable({"new": one, "old": other, "older": one})
    assert {name: losses.to_dict() for name, losses in found.items()} == {
        "new": {"b": 0.5},
        "old": {"b": 0.75},
        "older": {"b": 0.5},
    }
    assert unit == "nats a byte"
