"""Which bases can be fine-tuned: one whose weights are all there and its own, of a kind that is known."""

import json
import logging
import time

import pytest

pytest.importorskip("transformers")
pytest.importorskip("torch")

from shared.errors import SourceError, UnsafeFileError, UsageError
from shared.steps.base_checks import checked, pinned
from shared.steps.base_names import Size
from shared.steps.bases import build_tiny, open_tokenizer
from tests.loopback.hub_bases import NOBODY, asked_of, publish

SIZE = Size(1, 12, 3, 300, 64)
TEXTS = ["one flew over the cuckoo's nest", "two and two is four"]


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
    assert pinned(name) == ""
    with pytest.raises(
        UsageError, match=f"{name} has no revision 'main': only a base on the Hub, or a folder, has any"
    ):
        pinned(name, "main")


def test_a_folder_is_pinned_by_its_files_bytes_so_that_no_other_model_is_taken_for_it(base, tmp_path):
    before = pinned(str(base))
    assert len(before) == 16
    assert pinned(str(base), before) == before
    moved = base.rename(tmp_path / "moved")
    (moved / "README.md").write_text("what it says of itself is no part of the model")
    assert pinned(str(moved)) == before, "wherever it lies"
    with pytest.raises(UnsafeFileError, match="holds another model than 1f2e, by its files' bytes"):
        pinned(str(moved), "1f2e")


def test_one_byte_in_the_middle_of_the_weights_makes_it_another_model(base):
    before, weights = pinned(str(base)), base / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[len(changed) // 2] ^= 1
    weights.write_bytes(changed)
    assert pinned(str(base)) != before
    with pytest.raises(UnsafeFileError):
        pinned(str(base), before)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "chat_template.jinja"])
def test_another_config_tokenizer_or_template_makes_it_another_model(base, name):
    before = pinned(str(base))
    (base / name).write_text((base / name).read_text() + " ")
    assert pinned(str(base)) != before


@pytest.fixture
def cache(tmp_path, monkeypatch, hub):
    asked_of(monkeypatch, hub.url, tmp_path / "cache")
    return tmp_path / "cache"


def test_a_base_that_the_hub_does_not_know_is_one_sentence(cache):
    with pytest.raises(
        SourceError, match="nobody/nothing cannot be had from the Hub .*or a valid repository.*: name OWNER/NAME"
    ):
        pinned("nobody/nothing")


def test_a_revision_that_the_hub_does_not_know_is_one_sentence(cache, hub, base):
    publish(hub, "jane/own", base)
    with pytest.raises(SourceError, match="v2 is not a valid git identifier"):
        pinned("jane/own", "v2")


@pytest.mark.parametrize("why", ["offline", "nobody listens", "it answers 503"])
def test_what_cannot_be_asked_and_was_never_fetched_is_said_within_seconds(why, cache, hub, monkeypatch, caplog):
    cut_off(monkeypatch, hub, cache, why)
    begun = time.monotonic()
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(SourceError, match="nobody/nothing cannot be had from the Hub"),
    ):
        pinned("nobody/nothing")
    assert time.monotonic() - begun < 5
    assert "Retrying" not in caplog.text


def cut_off(monkeypatch, hub, cache, why):
    if why == "offline":
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    elif why == "nobody listens":
        asked_of(monkeypatch, NOBODY, cache)
    else:
        hub.fail(r"(HEAD|GET) ", 503, times=99)


def test_a_branch_is_what_the_hub_says_it_is_now_though_an_older_commit_was_fetched(cache, hub, base, caplog):
    first = publish(hub, "jane/own", base)
    assert pinned("jane/own") == first
    second = publish(hub, "jane/own", base)
    with caplog.at_level(logging.WARNING):
        assert pinned("jane/own") == pinned("jane/own", "main") == second
    assert caplog.text == ""
    assert pinned("jane/own", first) == first


@pytest.mark.parametrize("why", ["offline", "nobody listens", "it answers 503"])
def test_where_the_hub_cannot_be_asked_what_was_fetched_last_is_taken_and_that_is_said(
    why, cache, hub, base, monkeypatch, caplog
):
    commit = publish(hub, "jane/own", base)
    pinned("jane/own")
    publish(hub, "jane/own", base)
    cut_off(monkeypatch, hub, cache, why)
    with caplog.at_level(logging.WARNING):
        assert pinned("jane/own") == commit
    assert f"the Hub does not answer: jane/own is taken as it was fetched last, commit {commit[:12]}" in caplog.text


def test_the_hub_is_not_asked_about_a_commit_that_is_here(cache, hub, base):
    commit = publish(hub, "jane/own", base)
    pinned("jane/own")
    hub.requests.clear()
    assert pinned("jane/own", commit) == commit
    assert hub.requests == []


def test_a_base_that_is_gone_from_the_hub_is_refused_though_it_was_fetched(cache, hub, base):
    publish(hub, "jane/own", base)
    pinned("jane/own")
    del hub.repos["model", "jane/own"]
    with pytest.raises(SourceError, match="jane/own cannot be had from the Hub"):
        pinned("jane/own")
