"""A tiny adapter merged, and the converter of a checkout of llama.cpp where ALMANAC_TEST_LLAMA_CPP names one."""

# ruff: noqa: E402 - imports that need the extra llm come after the skip

import os
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")

from shared.errors import BackendError, SourceError, UnsafeFileError
from shared.steps.bases import Size, build_tiny, open_tokenizer, without_bars
from shared.steps.likelihood import opened
from shared.steps.merging import CONVERTER, Parity, gguf_parity, logits, merge, parity, to_gguf

TEXTS = ["Rice is boiled in water.", "Beans are soaked overnight.", "Bread is baked at dawn."]
PROMPTS = [[0, 7, 300, 12], [0, 5, 9], [0, 280, 281, 282, 283, 100]]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return build_tiny(tmp_path_factory.mktemp("merging") / "base", TEXTS, size=Size(2, 48, 3, 400, 512))


def adapted(base, **told):
    torch.manual_seed(1)
    plan = peft.LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, use_rslora=True, **told)
    with without_bars():
        return peft.get_peft_model(opened(str(base)), plan).eval()


def test_a_merged_adapter_says_what_the_adapter_said(base, tmp_path):
    apart = parity(logits(adapted(base), PROMPTS), logits(opened(str(base)), PROMPTS))
    found = merge(adapted(base), tmp_path / "merged", PROMPTS)
    assert apart.logits > 0.1
    assert found.logits < 1e-5 < apart.logits
    assert (found.agreeing, found.positions) == (1.0, 13)


def test_a_merged_folder_needs_neither_adapter_nor_base(base, tmp_path):
    merge(adapted(base), tmp_path / "merged", PROMPTS)
    assert {path.name for path in (tmp_path / "merged").iterdir()} == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
    }
    again = logits(opened(str(tmp_path / "merged")), PROMPTS)
    assert parity(logits(adapted(base), PROMPTS), again).logits < 1e-5


def test_whole_weights_are_written_as_they_are(base, tmp_path):
    assert merge(opened(str(base)), tmp_path / "whole", PROMPTS) == Parity(0.0, 0.0, 1.0, 13)


def test_weights_of_16_bits_stay_so_and_are_close_to_what_was_judged(base, tmp_path):
    judged = opened(str(base)).to(torch.bfloat16)
    plan = peft.LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    with without_bars():
        found = merge(peft.get_peft_model(judged, plan).eval(), tmp_path / "half", PROMPTS)
    assert opened(str(tmp_path / "half")).dtype == torch.bfloat16
    assert 0 < found.kl < 1e-2
    assert found.logits > 1e-4


def test_a_merge_that_went_wrong_is_refused(base, tmp_path, monkeypatch):
    judged = adapted(base)
    monkeypatch.setattr(type(judged), "merge_and_unload", lambda self: opened(str(base)), raising=False)
    with pytest.raises(UnsafeFileError, match="not the model that was judged: logits differ by up to .*nothing is reg"):
        merge(judged, tmp_path / "merged", PROMPTS)


@pytest.mark.parametrize(
    ("found", "exact", "holds"),
    [
        (Parity(1e-5, 0.0, 1.0, 9), True, True),
        (Parity(2e-4, 0.0, 1.0, 9), True, False),
        (Parity(0.2, 1e-3, 0.99, 9), False, True),
        (Parity(0.2, 0.1, 0.7, 9), False, False),
    ],
)
def test_rounding_is_allowed_for_16_bits_only_and_another_model_never(found, exact, holds):
    if holds:
        assert found.must_hold(exact=exact) is found
    else:
        with pytest.raises(UnsafeFileError):
            found.must_hold(exact=exact)


def test_weights_that_say_no_number_are_not_the_model_that_was_judged():
    found = parity([torch.tensor([[0.0, 1.0]])], [torch.tensor([[float("nan"), 1.0]])])
    with pytest.raises(UnsafeFileError, match="not the model that was judged"):
        found.must_hold(exact=False)


def test_parity_tells_how_often_the_likeliest_token_is_the_same():
    first, second = [torch.tensor([[1.0, 0.0], [1.0, 0.0]])], [torch.tensor([[1.0, 0.0], [0.0, 1.0]])]
    found = parity(first, second)
    assert (found.agreeing, found.logits, found.positions) == (0.5, 1.0, 2)
    assert found.kl == pytest.approx(0.2311, abs=1e-4)  # half of tanh(1/2)


def test_a_folder_without_a_converter_is_refused(base, tmp_path):
    with pytest.raises(SourceError, match=f"holds no {CONVERTER}; name a checkout"):
        to_gguf(base, tmp_path, tmp_path / "model.gguf")


def test_a_converter_that_fails_says_why(base, tmp_path):
    (tmp_path / CONVERTER).write_text("raise SystemExit('Model FooForCausalLM is not supported')")
    with pytest.raises(BackendError, match="converter failed: Model FooForCausalLM is not supported"):
        to_gguf(base, tmp_path, tmp_path / "model.gguf")


@pytest.fixture
def llama_cpp():
    if not (told := os.environ.get("ALMANAC_TEST_LLAMA_CPP")):
        pytest.skip("ALMANAC_TEST_LLAMA_CPP names no checkout of llama.cpp")
    return Path(told)


@pytest.mark.slow
def test_a_gguf_of_a_vocabulary_of_our_own_says_what_the_model_said(base, tmp_path, llama_cpp):
    pytest.importorskip("gguf")
    merge(adapted(base), tmp_path / "merged", PROMPTS)
    open_tokenizer(str(base)).save_pretrained(tmp_path / "merged")
    to_gguf(tmp_path / "merged", llama_cpp, tmp_path / "model.gguf")
    found = gguf_parity(tmp_path / "merged", tmp_path / "model.gguf", PROMPTS)
    assert found.kl < 1e-6


@pytest.mark.slow
def test_a_gguf_splits_text_as_our_tokenizer_does(base, tmp_path, llama_cpp):
    cpp = pytest.importorskip("llama_cpp")
    to_gguf(base, llama_cpp, tmp_path / "model.gguf")
    there, ours = cpp.Llama(str(tmp_path / "model.gguf"), vocab_only=True, verbose=False), open_tokenizer(str(base))
    for text in [*TEXTS, "It's 3.5 km,  isn't it?\n\n¡Olé! 你好 \U0001f600", "  two\tblanks  "]:
        told = there.tokenize(text.encode(), add_bos=False, special=False)
        assert told == ours.encode(text, add_special_tokens=False)
