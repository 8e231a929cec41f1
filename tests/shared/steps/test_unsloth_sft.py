"""What Unsloth is told, and what its trainer and ours have in common; its kernels need a GPU (test_sft)."""

import os
import sys
import types
from functools import partial

import pytest

pytest.importorskip("trl")

import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

from shared.steps import unsloth_sft
from shared.steps.bases import Size, build_tiny, open_tokenizer
from shared.steps.examples import collate, fitting, packed
from shared.steps.finetune import arguments
from shared.steps.plans import Plan
from shared.steps.sft_loss import Judging
from tests.shared.steps.lives import SIZE, TEXTS, examples


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return build_tiny(tmp_path_factory.mktemp("base") / "base", TEXTS, 0, Size(*SIZE))


@pytest.fixture
def judge(tmp_path, base):
    """Return a trainer that leaves its model as it is until it trains, as Unsloth's does, on packed rows."""
    tokenizer = open_tokenizer(str(base))
    rows = packed(fitting(examples(tokenizer), 128), 128)
    told = {"use_cpu": True, "bf16": True, "remove_unused_columns": False, "per_device_eval_batch_size": 4}
    trainer = type("Judge", (Judging, Trainer), {})(
        model=AutoModelForCausalLM.from_pretrained(base),
        args=TrainingArguments(str(tmp_path), report_to="none", **told),
        eval_dataset=rows,
        data_collator=partial(collate, pad=tokenizer.pad_token_id),
    )
    trainer.model.config.use_cache = True
    return trainer


def test_the_loss_before_the_first_step_is_computed_in_the_precision_of_those_after_it(judge):
    before = judge.evaluate()["eval_loss"]
    judge.model = judge.accelerator.prepare(judge.model)
    assert judge.evaluate()["eval_loss"] == before


def test_an_evaluation_keeps_no_cache_although_the_model_would(judge):
    kept = []
    judge.model.register_forward_hook(lambda *passed: kept.append(passed[-1].past_key_values))
    judge.evaluate()
    assert kept
    assert {*kept} == {None}


def test_the_optimizer_is_told_as_unsloths_own_default_is_another(tmp_path):
    assert arguments(Plan(), tmp_path)["optim"] == "adamw_torch_fused"


def test_what_unsloth_generates_goes_to_a_folder_that_nobody_else_can_write():
    environment = {}
    unsloth_sft.settled(environment)
    place = environment[unsloth_sft.GENERATED]
    assert os.stat(place).st_mode & 0o777 == 0o700
    assert environment[unsloth_sft.COUNTING] == "1"


class Unsloth(types.ModuleType):
    """A stand-in that notes what it is told."""

    def __init__(self, told):
        super().__init__("unsloth")
        self.FastLanguageModel = types.SimpleNamespace(
            from_pretrained=lambda place, **named: (told.append({"place": place, **named}), None),
            get_peft_model=lambda model, **named: told.append(named),
        )


def test_what_pins_a_folder_is_no_commit_to_ask_for(monkeypatch, tmp_path):
    told = []
    monkeypatch.setitem(sys.modules, "unsloth", Unsloth(told))
    unsloth_sft._model(Plan(revision="1f2e"), str(tmp_path))
    assert told[0]["revision"] is None


@pytest.mark.parametrize("rank", [0, 16])
def test_a_base_is_taken_by_its_exact_name_and_revision_and_whole_ones_keep_their_precision(monkeypatch, rank):
    told = []
    monkeypatch.setitem(sys.modules, "unsloth", Unsloth(told))
    unsloth_sft._model(Plan(rank=rank, revision="1f2e", precision="bf16"), "meta-llama/Llama-3.2-1B-Instruct")
    loaded = told[0]
    assert (loaded["place"], loaded["revision"]) == ("meta-llama/Llama-3.2-1B-Instruct", "1f2e")
    assert loaded["use_exact_model_name"] is True  # else unsloth/Llama-3.2-1B-Instruct's newest
    assert loaded["dtype"] == torch.bfloat16
    assert (loaded["full_finetuning"], loaded["float32_mixed_precision"]) == (
        (True, True) if rank == 0 else (False, None)
    )
    assert len(told) == (1 if rank == 0 else 2)


def test_what_its_training_prints_does_not_mix_with_what_a_command_prints(capsys):
    class Printing:
        def train(self, resume_from_checkpoint=None):
            print("2x faster free finetuning")
            return resume_from_checkpoint

    trainer = type("UnslothTrainer", (unsloth_sft._Unprinted, Printing), {})()
    assert trainer.train(resume_from_checkpoint="checkpoint-2") == "checkpoint-2"
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "2x faster free finetuning\n")
