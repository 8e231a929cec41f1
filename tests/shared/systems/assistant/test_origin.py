"""What a version was fine-tuned from: offered where its weights are on this machine, said where not, never fetched."""

import json
import socket
from datetime import UTC, datetime

import pandas as pd
import pytest

from shared.ports import NewModel
from shared.steps.base_names import content_of
from shared.steps.promotion import PROMOTIONS
from shared.systems.assistant.inference import models_that_answer, with_base
from shared.systems.assistant.origin import Origin, origin_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Whatever would connect anywhere fails the test."""

    def refuse(*_):
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def weights(folder, *parts, config="{}", tokenizer="tokenizer.json"):
    """Write what a model's folder holds, as far as a look at it goes."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config)
    (folder / tokenizer).write_text("{}")
    for part in parts or ("model.safetensors",):
        (folder / part).write_bytes(b"")
    if parts:
        index = {"weight_map": {f"layer{number}": part for number, part in enumerate(parts)}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture
def made_from(platform, tmp_path):
    """Register a version with this signature; give what it was made from."""

    def registered(**signature):
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / "config.json").write_text("{}")
        version = platform.models.save(NewModel("assistant", tmp_path / "model", {}, signature)).version
        return origin_of(platform, version, tmp_path / "runs")

    return registered


def test_a_tiny_base_answers_where_it_was_fine_tuned(made_from, tmp_path):
    folder = weights(tmp_path / "runs" / "tiny-r0" / "base")
    assert made_from(base="tiny", run="tiny-r0") == Origin("tiny", folder)
    assert made_from(base="tiny", run="elsewhere").lacking == "its weights are not on this machine"
    assert made_from(base="tiny").lacking == "its weights are not on this machine"


def test_a_version_of_ours_answers_where_the_registry_has_it(made_from):
    assert made_from(base="assistant:1") == Origin("assistant v1", version=1)  # this one is itself the first
    assert made_from(base="assistant:9").lacking == "that version was not brought here"
    assert made_from(base="other:1").lacking == "that version was not brought here"


def test_a_folder_is_called_by_its_last_name_as_the_rest_is_for_no_visitor(made_from, tmp_path):
    folder = weights(tmp_path / "jane" / "my-model")
    assert made_from(base=str(folder)) == Origin("my-model", folder)


def test_a_folder_in_which_another_model_lies_by_now_does_not_answer_as_the_base(made_from, tmp_path):
    folder = weights(tmp_path / "my-model")
    told = {"base": str(folder), "plan": {"revision": content_of(folder)}}
    assert made_from(**told) == Origin("my-model", folder)
    (folder / "model.safetensors").write_bytes(b"others")
    assert made_from(**told) == Origin("my-model", lacking="another model lies where its weights did")
    gone = made_from(base=str(tmp_path / "jane" / "gone"))
    assert (gone.name, gone.lacking) == ("gone", "its weights are not on this machine")
    assert "jane" not in f"{gone.name}{gone.lacking}"


@pytest.mark.parametrize("signature", [{}, {"base": ""}, {"base": "no base at all!"}, {"base": None}])
def test_where_nothing_tells_there_is_none(signature, made_from):
    assert made_from(**signature) is None


def test_weights_in_parts_are_there_when_all_parts_are(made_from, tmp_path):
    folder = weights(tmp_path / "big", "model-1.safetensors", "model-2.safetensors")
    assert made_from(base=str(folder)).folder == folder
    (folder / "model-2.safetensors").unlink()
    assert made_from(base=str(folder)).lacking == "not all of its weights are on this machine"


def test_weights_that_only_a_gpu_unpacks_and_those_without_a_tokenizer_do_not_answer(made_from, tmp_path):
    packed = weights(tmp_path / "packed", config='{"quantization_config": {"load_in_4bit": true}}')
    assert made_from(base=str(packed)).lacking == "its weights are packed for fine-tuning on a GPU"
    mute = weights(tmp_path / "mute", tokenizer="notes.json")
    assert made_from(base=str(mute)).lacking == "not all of its weights are on this machine"
    broken = weights(tmp_path / "broken", config="{")
    assert made_from(base=str(broken)).lacking == "its weights are not on this machine"


def test_a_base_of_the_hub_answers_where_it_was_fetched_before_at_the_commit_that_was_taken(
    made_from, tmp_path, monkeypatch
):
    pytest.importorskip("transformers")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = weights(tmp_path / "hub" / "models--jane--llama" / "snapshots" / COMMIT)
    assert made_from(base="jane/llama", plan={"revision": COMMIT}) == Origin("jane/llama", folder)
    for told in ({"revision": "f" * 40}, {}):
        found = made_from(base="jane/llama", plan=told)
        assert (found.name, found.lacking) == ("jane/llama", "its weights are not on this machine")
    assert made_from(base="jane/never", plan={}).lacking == "its weights are not on this machine"


def decided(platform, *verdicts):
    at = [datetime(2026, 10, 1 + number, tzinfo=UTC) for number in range(len(verdicts))]
    rows = [
        {"model": "assistant", "version": version, "verdict": verdict, "reason": "", "figures": "{}", "run_id": ""}
        | {"decided_at": at[number], "day": at[number]}
        for number, (version, verdict) in enumerate(verdicts)
    ]
    platform.features.write(PROMOTIONS, pd.DataFrame(rows))


def test_the_base_answers_beside_its_champion_and_stands_last(platform, made_from, tmp_path):
    folder = weights(tmp_path / "runs" / "r" / "base")
    made_from(base="tiny", run="r")
    decided(platform, (1, "promoted"))
    there, origin = with_base(platform, models_that_answer(platform), tmp_path / "runs")
    assert [(one.name, one.role) for one in there] == [("assistant v1", "champion"), ("tiny", "base")]
    assert (there[1].folder, origin) == (folder, Origin("tiny", folder))
    assert there[1].reason == "assistant v1 was fine-tuned from it, and is judged against it."


def test_a_base_that_answers_as_an_earlier_version_stands_there_once(platform, made_from, tmp_path):
    made_from(base="tiny")
    made_from(base="assistant:1")
    decided(platform, (1, "promoted"), (2, "promoted"))
    there, origin = with_base(platform, models_that_answer(platform), tmp_path)
    assert [(one.name, one.role) for one in there] == [("assistant v2", "champion"), ("assistant v1", "earlier")]
    assert origin.name == "assistant v1"


def test_a_version_that_never_served_answers_as_the_base_of_one_that_does(platform, made_from, tmp_path):
    made_from(base="tiny")
    made_from(base="assistant:1")
    decided(platform, (1, "rejected"), (2, "promoted"))
    there, _ = with_base(platform, models_that_answer(platform), tmp_path)
    assert [(one.name, one.role, one.version) for one in there][1:] == [("assistant v1", "base", 1)]


def test_a_base_that_is_not_here_is_not_offered_and_is_known(platform, made_from, tmp_path):
    made_from(base="tiny", run="elsewhere")
    decided(platform, (1, "promoted"))
    there, origin = with_base(platform, models_that_answer(platform), tmp_path)
    assert len(there) == 1
    assert origin.lacking == "its weights are not on this machine"
