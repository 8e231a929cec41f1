"""Which bases can be fine-tuned: one whose weights are all there and its own, of a kind that is known."""

import json
import logging
import time

import pytest

pytest.importorskip("transformers")
pytest.importorskip("torch")

from shared.errors import SourceError
from shared.steps.base_checks import checked, pinned
from shared.steps.base_names import Size
from shared.steps.bases import build_tiny, open_tokenizer

SIZE = Size(1, 12, 3, 300, 64)
TEXTS = ["one flew over the cuckoo's nest", "two and two is four"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def base(tmp_path):
    return build_tiny(tmp_path / "base", TEXTS, 0, SIZE)


def told(folder, **changes):
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | changes))


def test_a_base_whose_every_weight_is_there_passes_though_its_head_is_tied(base):
    checked(str(base), open_tokenizer(str(base)))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model_type": "gpt2"}, "17 weights that its config.json tells of"),
        ({"num_hidden_layers": 2}, "lacks 9 weights that its config.json tells of, such as model.layers.1"),
        ({"tie_word_embeddings": False}, r"lacks 1 weights .* lm_head\.weight"),
        ({"hidden_size": 24}, "cannot be fine-tuned"),
        ({"hidden_size": "x"}, "cannot be fine-tuned"),
        ({"num_attention_heads": 0}, "cannot be fine-tuned"),
        ({"model_type": "unheard-of"}, "model type `unheard-of`"),
        ({"model_type": "t5"}, "cannot be fine-tuned"),
    ],
)
def test_a_config_that_is_not_that_of_the_weights_is_one_sentence(base, caplog, changes, sentence):
    tokenizer = open_tokenizer(str(base))
    told(base, **changes)
    with caplog.at_level(logging.WARNING), pytest.raises(SourceError, match=sentence) as refused:
        checked(str(base), tokenizer)
    assert "\n" not in str(refused.value)
    assert caplog.text == ""  # transformers' own table of weights


def test_code_that_comes_with_a_model_is_not_executed(base, tmp_path):
    tokenizer = open_tokenizer(str(base))
    told(base, model_type="own", auto_map={"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"})
    (base / "own.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\nclass Own: ...")
    with pytest.raises(SourceError, match="cannot be fine-tuned"):
        checked(str(base), tokenizer)
    assert not (tmp_path / "executed").exists()


def test_a_tokenizer_of_another_model_is_refused(base, tmp_path):
    larger = build_tiny(tmp_path / "larger", TEXTS * 9 + ["cuckoos fly"], 0, Size(1, 12, 3, 320, 64))
    tokenizer = open_tokenizer(str(larger))
    tokenizer.add_tokens([f"<{n}>" for n in range(100)])
    with pytest.raises(SourceError, match="not its own"):
        checked(str(base), tokenizer)


@pytest.mark.parametrize("name", ["tiny", "tiny:2x48x3x400x512", "assistant:3"])
def test_only_a_base_on_the_hub_has_a_commit_to_hold_on_to(name):
    assert pinned(name, "main") == ""


def test_a_folder_has_no_commit(base):
    assert pinned(str(base)) == ""


def test_a_base_that_the_hub_does_not_give_is_one_sentence(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SourceError, match="nobody/nothing cannot be had from the Hub.*: name OWNER/NAME"):
        pinned("nobody/nothing")


def test_without_network_it_is_said_within_seconds_and_not_tried_again(monkeypatch, caplog):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")  # where nobody listens
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", _ADDRESS)
    begun = time.monotonic()
    with caplog.at_level(logging.WARNING), pytest.raises(SourceError, match="cannot be had from the Hub"):
        pinned("nobody/nothing")
    assert time.monotonic() - begun < 5
    assert "Retrying" not in caplog.text


_ADDRESS = "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"


def test_what_was_fetched_before_is_pinned_without_asking_the_hub(monkeypatch, tmp_path, base):
    kept = tmp_path / "hub" / "models--jane--own"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text(COMMIT)
    (kept / "snapshots").mkdir()
    base.rename(kept / "snapshots" / COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("transformers.utils.hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert pinned("jane/own") == COMMIT
