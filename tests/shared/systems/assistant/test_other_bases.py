"""Bases of other families, from their folder to an answer: another architecture, templates that do not suit."""

import json

import pytest

pytest.importorskip("trl")

from shared.chat import Sampling
from shared.errors import SourceError
from shared.steps.rendering import example
from shared.steps.tuned import ended
from shared.systems.assistant.evaluation import Effort, evaluate
from shared.systems.assistant.exporting import export
from shared.systems.assistant.inference import chosen, opened
from tests.shared.systems.assistant.conftest import opened as a_home
from tests.template_rig import CHATML, FAMILIES, Family, qwen2_base
from tests.tuned_rig import a_run, conversations, stored, tuned

TOLD = [
    {"role": "system", "content": "Answer in one word."},
    {"role": "user", "content": "What colour is the red door?"},
]


@pytest.fixture
def home(tmp_path):
    found = a_home(tmp_path / "home")
    stored(found.platform)
    return found


def base(folder, family):
    texts = [message["content"] for *_, messages in conversations() for message in messages]
    return qwen2_base(folder, family, texts)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "rank", "first"), [("qwen3", 8, "<|im_start|>system\n"), ("gemma", 0, "<bos>")])
def test_a_qwen2_is_fine_tuned_judged_exported_and_answers_with_the_prompts_it_learned(
    home, tmp_path, name, rank, first
):
    place = base(tmp_path / "base", FAMILIES[name])
    told = {
        "precision": "fp32",
        "max_length": 768,
        "learning_rate": 1e-2 if rank else 5e-3,
        "steps": 60 if rank else 150,
    }
    home.name = tuned(home.platform, home.folders, base=str(place), rank=rank, **told)
    plan = ended(home.folders.runs).plan
    judgement = evaluate(home.platform, a_run(), home.name, home.folders, Effort(24, 4, 1, 8))
    assert judgement.metrics["loss"] < judgement.baselines["loss"] - 0.1
    assert judgement.note.startswith("loss in nats a token: better than its base")
    assert (plan.base, plan.rank) == (str(place), rank)
    report = export(home.platform, a_run("export"), home.name, home.folders)
    assert report.note.startswith("promoted")
    version = home.platform.models.load("assistant", 1)
    assert json.loads((version.folder / "config.json").read_text())["model_type"] == "qwen2"
    chat = opened(home.platform, chosen(home.platform))
    reply = chat.stream(TOLD[1:], Sampling(temperature=0.0, max_tokens=48))
    said = "".join(reply)
    assert said
    if not rank:  # an adapter upon random weights learns no language
        assert (said[:4], said[-1:], reply.told.ended) == ("The ", ".", "stop"), "as the answers that it learned ended"
    tokenizer = chat._model.tokenizer
    asked = tokenizer.decode(example(tokenizer, [*TOLD, {"role": "assistant", "content": "Red."}])["input_ids"])
    assert asked.startswith(first)
    assert "Answer in one word." in asked


def test_a_base_whose_template_rewrites_what_was_said_is_refused_before_its_weights_are_read(home, tmp_path):
    rewritten = CHATML.replace("im_start", "begin").replace("im_end", "end").replace("in messages", "in messages[-2:]")
    place = base(tmp_path / "base", Family(rewritten, ("<|text|>", "<|end|>", "<|begin|>")))
    (place / "model.safetensors").rename(place / "model.safetensors.gone")
    (place / "other.safetensors").write_bytes(
        (place / "model.safetensors.gone").read_bytes()
    )  # no model of transformers'
    with pytest.raises(SourceError, match="cannot be fine-tuned: its chat template does not suit that"):
        tuned(home.platform, home.folders, base=str(place), rank=0, precision="fp32")
