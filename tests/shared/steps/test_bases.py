"""Where a fine-tuning starts: tiny models are the same every time, tokenizers write conversations or are refused."""

import hashlib
import warnings

import pytest

pytest.importorskip("transformers")
pytest.importorskip("torch")

import datasets
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from shared.errors import SourceError
from shared.steps.base_names import Size
from shared.steps.bases import build_tiny, open_tokenizer, without_bars
from shared.steps.rendering import TEMPLATE

SIZE = Size(1, 12, 3, 300, 64)
TEXTS = ["one flew over the cuckoo's nest", "two and two is four"]


def hashes(folder):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def test_the_same_texts_and_seed_make_the_same_files_and_another_seed_other_weights(tmp_path):
    first, again, other = (build_tiny(tmp_path / str(n), TEXTS, seed, SIZE) for n, seed in enumerate((0, 0, 1)))
    assert hashes(first) == hashes(again)
    assert {name for name, one in hashes(first).items() if one != hashes(other)[name]} == {"model.safetensors"}


def test_what_is_made_is_a_llama_of_that_size_that_pads_ends_and_writes_with_our_template(tmp_path):
    folder = build_tiny(tmp_path / "base", TEXTS, 0, SIZE)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), open_tokenizer(str(folder))
    assert model.config.model_type == "llama"
    assert (model.config.num_hidden_layers, model.config.hidden_size) == (1, 12)
    assert len(tokenizer) == model.config.vocab_size <= 300
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|eot_id|>", "<|pad|>")
    assert tokenizer.chat_template == TEMPLATE
    assert (folder / "chat_template.jinja").read_text() == TEMPLATE


def test_a_base_that_was_made_before_is_kept(tmp_path):
    folder = build_tiny(tmp_path / "base", TEXTS, 0, SIZE)
    before = hashes(folder)
    build_tiny(folder, ["other texts"], 7, SIZE)
    assert hashes(folder) == before


def test_what_a_kill_left_half_made_is_made_anew(tmp_path):
    (tmp_path / ".base.new").mkdir()
    (tmp_path / ".base.new" / "model.safetensors").write_bytes(b"half")
    folder = build_tiny(tmp_path / "base", TEXTS, 0, SIZE)
    assert hashes(folder) == hashes(build_tiny(tmp_path / "again", TEXTS, 0, SIZE))
    assert not (tmp_path / ".base.new").exists()


def test_making_one_leaves_the_random_numbers_of_others_alone(tmp_path):
    import torch

    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    build_tiny(tmp_path / "base", TEXTS, 0, SIZE)
    assert torch.equal(torch.rand(2), wanted)


def test_bars_and_the_one_warning_are_kept_away_only_inside():
    with without_bars():
        assert not logging.is_progress_bar_enabled()
        assert not datasets.is_progress_bar_enabled()
        warnings.warn("`is_gradient_checkpointing` is deprecated and so on", FutureWarning, stacklevel=1)
    assert logging.is_progress_bar_enabled()
    assert datasets.is_progress_bar_enabled()
    with pytest.raises(FutureWarning), without_bars():
        warnings.warn("something else is deprecated", FutureWarning, stacklevel=1)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ({"tokenizer.json": None}, "no tokenizer that can be read"),
        ({"tokenizer.json": "{}"}, "no tokenizer that can be read"),
        ({"tokenizer.json": '{"a'}, "no tokenizer that can be read"),
        ({"chat_template.jinja": None}, "no chat template: take the base's -Instruct"),
    ],
)
def test_a_tokenizer_that_writes_no_conversations_is_one_sentence(tmp_path, damage, sentence):
    folder = build_tiny(tmp_path / "base", TEXTS, 0, SIZE)
    for name, text in damage.items():
        (folder / name).unlink() if text is None else (folder / name).write_text(text)
    if "chat_template.jinja" in damage:  # of another family than ours, whose template we know
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).write_text((folder / name).read_text().replace("<|start_header_id|>", "<|im_start|>"))
    with pytest.raises(SourceError, match=sentence) as refused:
        open_tokenizer(str(folder))
    assert "\n" not in str(refused.value)
