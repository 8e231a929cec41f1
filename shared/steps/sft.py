"""Supervised fine-tuning of a language model on answers: TRL and PEFT on a CPU or a GPU, Unsloth where CUDA has it.

examples ──► those that fit ──► packed ──► in the order of the whole run ──┐
base's weights ──► LoRA on all linear layers, or all weights ──────────────┴──► trainer, for ``finetune.finetune``
"""

from __future__ import annotations

import importlib.util
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import peft
import torch
import transformers
import trl

from shared.errors import MissingExtraError
from shared.steps import unsloth_sft
from shared.steps.bases import without_bars
from shared.steps.examples import by_length, collate, fitting, in_order, packed
from shared.steps.finetune import arguments
from shared.steps.loading import causal
from shared.steps.sft_loss import AnswersTrainer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import datasets
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from shared.steps.plans import Plan

_NAMES = ("activation_checkpointing", "gradient_checkpointing")  # the second up to transformers 5.17
_RECOMPUTES = next(name for name in _NAMES if name in trl.SFTConfig.__dataclass_fields__)

log = logging.getLogger("almanac")


@dataclass(frozen=True)
class Examples:
    """Token ids and labels, as ``rendering.example`` gives them: to learn, and to judge each evaluation on."""

    train: datasets.Dataset | Sequence[Mapping[str, list[int]]]
    validation: datasets.Dataset | Sequence[Mapping[str, list[int]]]


@without_bars()
def trainer(
    plan: Plan, place: str, tokenizer: PreTrainedTokenizerBase, examples: Examples, output: Path
) -> transformers.Trainer:
    """Return the trainer of ``plan``, from the base at ``place``, which writes to ``output``.

    Raises:
        NotYetError: there are no examples, or all are longer than the plan's ``max_length``.
        UsageError, MissingExtraError: this machine does not compute in the plan's precision.
    """
    rows = rows_of(plan, examples)
    if unsloth_sft.imported():
        return unsloth_sft.trainer(plan, place, tokenizer, rows, output)
    if torch.cuda.is_available():
        log.warning("Unsloth is not installed: TRL alone takes more time and memory on a GPU")
    return _plain(plan, place, tokenizer, rows, output)


def rows_of(plan: Plan, examples: Examples) -> tuple[datasets.Dataset, datasets.Dataset]:
    """Return the rows to learn, in the order of the whole run, and those to judge on, shortest first.

    Raises:
        NotYetError: there are none, or all are longer than the plan's ``max_length``.
    """
    train, validation = fitting(examples.train, plan.max_length), fitting(examples.validation, plan.max_length)
    if plan.packing:
        train = packed(train, plan.max_length)
    return in_order(train, plan.batch, plan.steps * plan.accumulation, plan.seed), by_length(validation)


def _plain(
    plan: Plan,
    place: str,
    tokenizer: PreTrainedTokenizerBase,
    rows: tuple[datasets.Dataset, datasets.Dataset],
    output: Path,
) -> AnswersTrainer:
    train, validation = rows
    made = AnswersTrainer(
        model=_base(plan, place),
        args=trl.SFTConfig(
            **arguments(plan, output),
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
            **{_RECOMPUTES: torch.cuda.is_available()},  # memory for time, of which a CPU has none to spare
        ),
        train_dataset=train,
        eval_dataset=validation,
        processing_class=tokenizer,
        data_collator=partial(collate, pad=tokenizer.pad_token_id),
        peft_config=_adapter(plan) if plan.rank else None,
    )
    if plan.rank:  # PEFT would ask the Hub at each checkpoint whether its main branch knows as many words as the model
        made.model.save_pretrained = partial(made.model.save_pretrained, save_embedding_layers=False)
    return made


def _adapter(plan: Plan) -> peft.LoraConfig:
    """Return LoRA on every linear layer but the head."""
    return peft.LoraConfig(
        r=plan.rank,
        lora_alpha=plan.alpha,
        lora_dropout=plan.dropout,
        use_rslora=True,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _base(plan: Plan, place: str) -> PreTrainedModel:
    """Return the base's weights; frozen ones in the precision that they are computed with."""
    half = {"bf16": torch.bfloat16, "4bit": torch.bfloat16, "fp16": torch.float16}.get(plan.precision, torch.float32)
    told: dict[str, Any] = {"dtype": half if plan.rank else torch.float32, "attn_implementation": "sdpa"}
    if plan.precision == "4bit":
        if not importlib.util.find_spec("bitsandbytes"):
            raise MissingExtraError("4bit needs bitsandbytes: pip install bitsandbytes, or give another precision")
        told["quantization_config"] = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    model: PreTrainedModel = causal(place, revision=plan.revision or "main", use_safetensors=True, **told)
    return model
