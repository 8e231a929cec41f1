"""Models opened at the same moment, by all who open any."""

# ruff: noqa: E402 - imports that need the extra llm come after the skip

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")

from shared.steps.answering.engine import load_model
from shared.steps.base_checks import checked
from shared.steps.bases import Size, build_tiny, open_tokenizer, without_bars
from shared.steps.likelihood import opened

IDS = torch.arange(20)[None]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return build_tiny(tmp_path_factory.mktemp("made") / "base", ["rice and eggs"] * 9, size=Size(2, 24, 3, 400, 128))


@pytest.fixture(scope="module")
def adapter(base, tmp_path_factory):
    settings = peft.LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    with without_bars():
        peft.get_peft_model(opened(str(base)), settings).save_pretrained(folder := tmp_path_factory.mktemp("adapter"))
    return folder


def scores(weights):
    with torch.inference_mode():
        return weights(input_ids=IDS).logits


def test_all_who_open_or_build_a_model_at_the_same_moment_have_a_whole_one(base, adapter, tmp_path):
    tokenizer, usual = open_tokenizer(str(base)), sys.getswitchinterval()
    ways = {
        "to answer": lambda: scores(load_model(base, "any").weights),
        "to be judged": lambda: scores(opened(str(base))),
        "an adapter": lambda: scores(opened(str(adapter), str(base))),
        "a base to check": lambda: checked(str(base), tokenizer),
    }

    def built(number):
        folder = build_tiny(tmp_path / f"base{number}", ["rice and eggs"] * 9, size=Size(2, 24, 3, 400, 128))
        return (folder / "model.safetensors").read_bytes()

    alone = {name: way() for name, way in ways.items()}
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as threads:
            tiny = [threads.submit(built, number) for number in range(4)]
            found = [(name, threads.submit(way)) for name, way in [*ways.items()] * 4]
            assert {one.result() for one in tiny} == {(base / "model.safetensors").read_bytes()}
            for name, one in found:
                assert one.result() is None if alone[name] is None else torch.equal(one.result(), alone[name]), name
    finally:
        sys.setswitchinterval(usual)
