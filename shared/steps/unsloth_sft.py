"""The same fine-tuning through Unsloth: its kernels take less time and memory on a GPU with CUDA.

It rewrites transformers, PEFT and TRL as it is imported, so whoever trains calls ``imported`` before they are. It needs
older ones of them than the rest: constraints-unsloth.txt.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from pathlib import Path

    import datasets
    from transformers import PreTrainedTokenizerBase, Trainer

    from shared.steps.plans import Plan

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def imported() -> bool:
    """Return whether Unsloth trains on this machine; it is imported then."""
    if not torch.cuda.is_available() or not importlib.util.find_spec("unsloth"):
        return False
    importlib.import_module("unsloth")
    return True


def trainer(
    plan: Plan,
    place: str,
    tokenizer: PreTrainedTokenizerBase,
    rows: tuple[datasets.Dataset, datasets.Dataset],
    output: Path,
) -> Trainer:
    """Return Unsloth's trainer of ``plan``; ``rows`` to learn, in their order, and to judge on."""
    import trl

    from shared.steps.finetune import arguments
    from shared.steps.sft_loss import Judging

    train, validation = rows
    made = type("UnslothTrainer", (Judging, trl.SFTTrainer), {})  # trl's as Unsloth rewrote it
    config = trl.SFTConfig(
        **arguments(plan, output),
        max_length=plan.max_length,
        packing=plan.packing,  # the rows are packed; this makes Unsloth keep their sequences apart
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    return made(
        model=_model(plan, place), args=config, train_dataset=train, eval_dataset=validation, processing_class=tokenizer
    )


def _model(plan: Plan, place: str) -> Any:  # noqa: ANN401 - Unsloth has no types
    """Return the base with LoRA on all linear layers, or with all weights to train."""
    from unsloth import FastLanguageModel

    halves = {"fp32": torch.float32, "fp16": torch.float16}
    model, _ = FastLanguageModel.from_pretrained(
        place,
        revision=plan.revision or None,
        max_seq_length=plan.max_length,
        dtype=halves.get(plan.precision, torch.bfloat16),
        load_in_4bit=plan.precision == "4bit",
        full_finetuning=plan.rank == 0,
    )
    if plan.rank == 0:
        return model
    return FastLanguageModel.get_peft_model(
        model,
        r=plan.rank,
        lora_alpha=plan.alpha,
        lora_dropout=plan.dropout,  # anything but 0 takes its slower path
        use_rslora=True,
        bias="none",
        target_modules=LINEAR,
        use_gradient_checkpointing="unsloth",
        random_state=plan.seed,
    )
