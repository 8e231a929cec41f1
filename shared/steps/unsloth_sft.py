"""The same fine-tuning through Unsloth: its kernels take less time and memory on a GPU with CUDA.

It rewrites transformers, PEFT and TRL as it is imported, so whoever trains calls ``imported`` before they are. It needs
older ones of them than the rest: constraints-unsloth.txt. What it does unasked is undone here: it would ask the Hub for
a file that counts its users, write code into the working directory, print, and take other weights for a base's name.
"""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    import datasets
    from transformers import PreTrainedTokenizerBase, Trainer

    from shared.steps.plans import Plan

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
COUNTING, GENERATED = "UNSLOTH_DISABLE_STATISTICS", "UNSLOTH_COMPILE_LOCATION"

log = logging.getLogger("almanac")


def imported() -> bool:
    """Return whether Unsloth trains on this machine; it is imported then."""
    if not torch.cuda.is_available() or not importlib.util.find_spec("unsloth"):
        return False
    if "unsloth" not in sys.modules:
        settled(os.environ)  # noqa: TID251 - Unsloth takes these from nowhere else
        with redirect_stdout(sys.stderr):
            importlib.import_module("unsloth")
    return True


def settled(environment: MutableMapping[str, str]) -> None:
    """Tell Unsloth to count nobody, which waits for the Hub, and to write its code where nobody else can.

    >>> environment = {"UNSLOTH_COMPILE_LOCATION": "/home/jane/generated"}
    >>> settled(environment)
    >>> environment
    {'UNSLOTH_COMPILE_LOCATION': '/home/jane/generated', 'UNSLOTH_DISABLE_STATISTICS': '1'}
    """
    environment.setdefault(COUNTING, "1")
    if GENERATED not in environment:  # it imports what it finds there
        environment[GENERATED] = tempfile.mkdtemp(prefix="unsloth-")
        atexit.register(shutil.rmtree, environment[GENERATED], ignore_errors=True)


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

    if plan.precision == "fp32":
        log.warning("Unsloth keeps weights in fp32 and computes in half precision, whatever the plan says")
    train, validation = rows
    made = type("UnslothTrainer", (_Unprinted, Judging, trl.SFTTrainer), {})  # trl's as Unsloth rewrote it
    with redirect_stdout(sys.stderr):
        config = trl.SFTConfig(
            **arguments(plan, output),
            max_length=plan.max_length,
            packing=plan.packing,  # the rows are packed; this makes Unsloth keep their sequences apart
            dataset_kwargs={"skip_prepare_dataset": True},
        )
        told = {"args": config, "train_dataset": train, "eval_dataset": validation, "processing_class": tokenizer}
        return made(model=_model(plan, place), **told)


class _Unprinted:
    """Leaves what a command prints to the command: Unsloth's sentences go where the log goes."""

    def train(self, *told: object, **named: object) -> object:
        """Train as Unsloth does."""
        with redirect_stdout(sys.stderr):
            return super().train(*told, **named)  # type: ignore[misc]


def _model(plan: Plan, place: str) -> Any:  # noqa: ANN401 - Unsloth has no types
    """Return the base with LoRA on all linear layers, or with all weights to train."""
    from unsloth import FastLanguageModel

    halves = {"fp32": torch.float32, "fp16": torch.float16}
    model, _ = FastLanguageModel.from_pretrained(
        place,
        revision=None if Path(place).is_dir() else plan.revision or None,  # of a folder it is no commit
        max_seq_length=plan.max_length,
        dtype=halves.get(plan.precision, torch.bfloat16),
        load_in_4bit=plan.precision == "4bit",
        full_finetuning=plan.rank == 0,
        float32_mixed_precision=True if plan.rank == 0 else None,  # it would keep the weights in half precision
        use_exact_model_name=True,  # it would take its own copy of a known base, and drop the revision
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
