"""Where a fine-tuning starts: tiny models are made the same every time, and other names lead to a place."""

import hashlib
import warnings
from types import SimpleNamespace

import pytest

pytest.importorskip("transformers")
pytest.importorskip("torch")

import datasets
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from shared.errors import SourceError
from shared.steps.bases import Size, build_tiny, located, open_tokenizer, pinned, tiny_size, without_bars
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


@pytest.mark.parametrize(
    "base", ["tiny:1x2", "tiny:1x10x3x300x64", "tiny:axbxcxdxe", "tiny:0x12x3x300x64", "tiny:1x12x3x9x64"]
)
def test_a_size_that_no_model_has_is_refused(base):
    with pytest.raises(SourceError, match=base):
        tiny_size(base)


def test_names_lead_to_a_version_a_folder_or_the_hub(tmp_path):
    (tmp_path / "config.json").touch()
    registry = SimpleNamespace(load=lambda name, version: SimpleNamespace(folder=f"/models/{name}/{version}"))
    assert located("assistant:3", registry) == "/models/assistant/3"
    assert located(str(tmp_path), registry) == str(tmp_path)
    assert located("meta-llama/Llama-3.2-1B-Instruct", registry) == "meta-llama/Llama-3.2-1B-Instruct"


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(SourceError, match="holds no config.json"):
        located(str(tmp_path), SimpleNamespace())


def test_bars_and_the_one_warning_are_kept_away_only_inside():
    with without_bars():
        assert not logging.is_progress_bar_enabled()
        assert not datasets.is_progress_bar_enabled()
        warnings.warn("`is_gradient_checkpointing` is deprecated and so on", FutureWarning, stacklevel=1)
    assert logging.is_progress_bar_enabled()
    assert datasets.is_progress_bar_enabled()
    with pytest.raises(FutureWarning), without_bars():
        warnings.warn("something else is deprecated", FutureWarning, stacklevel=1)


@pytest.mark.parametrize("base", ["tiny", "tiny:2x48x3x400x512", "assistant:3", "/nowhere/at/all"])
def test_only_a_base_on_the_hub_has_a_commit_to_hold_on_to(base):
    assert pinned(base, "main") == ""


def test_a_base_that_the_hub_does_not_give_is_one_sentence(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SourceError, match="nobody/nothing cannot be had from the Hub: name OWNER/NAME"):
        pinned("nobody/nothing")
