"""The loss on answers alone, and the trainer that learns from it.

    batch ──► hidden states where an answer stands ──► logits of those alone ──► loss, summed over the step's tokens

TRL's own head does so where it has Triton, which is on GPUs; on a CPU it makes logits everywhere, and figures of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import peft
import torch
import trl
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from shared.steps.rendering import IGNORED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import PretrainedConfig, PreTrainedModel, TrainerControl

    Base: TypeAlias = trl.SFTTrainer
else:
    Base = object

MOST_LOGITS = 2**26  # made at once, 256 MiB; more are made in turns, and again for the gradient


class Judging(Base):  # type: ignore[misc]
    """What our trainers do otherwise than TRL's: the loss of an evaluation is the mean over its tokens, not batches."""

    control: TrainerControl

    def evaluate(self, *_: object, **__: object) -> dict[str, float]:
        """Return ``eval_loss`` over all answer tokens of the validation examples, and log it."""
        self.model.eval()
        total, count = 0.0, 0
        with torch.no_grad():
            for batch in self.get_eval_dataloader():
                # With a cache packed conversations see each other, and Unsloth's models keep one until they train.
                inputs = {**self._prepare_inputs(batch), "use_cache": False}
                tokens = int((inputs["labels"][:, 1:] != IGNORED).sum())
                with self.accelerator.autocast():  # the model does so itself, but only once it has begun to train
                    total += float(self.compute_loss(self.model, inputs)) * tokens
                count += tokens
        metrics = {"eval_loss": total / count}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def create_model_card(self, *_: object, **__: object) -> None:
        """Write none: ours is written when a model is exported."""


class AnswersTrainer(Judging, trl.SFTTrainer):  # type: ignore[misc]
    """TRL's trainer, which on a CPU takes neither time nor memory for logits that no loss is taken on."""

    def compute_loss(
        self,
        model: PreTrainedModel,
        inputs: Mapping[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the loss per answer token of this batch, or per one of those that ``num_items_in_batch`` counts."""
        base = model.get_base_model() if isinstance(model, peft.PeftModel) else model
        if inputs["input_ids"].is_cuda or not _plain(base.config):
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        with self.accelerator.autocast():
            total, count = answered(base, inputs)
        return total / (count if num_items_in_batch is None else num_items_in_batch)


def answered(model: PreTrainedModel, inputs: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, int]:
    """Return the loss summed over answer tokens, and their count; ``inputs`` as ``examples.collate`` gives them."""
    labels = inputs["labels"][:, 1:]
    known = {name: inputs[name] for name in ("input_ids", "position_ids") if name in inputs}
    hidden = model.base_model(**known, use_cache=False).last_hidden_state[:, :-1]
    wanted = labels != IGNORED
    return _summed(model.get_output_embeddings(), hidden[wanted], labels[wanted]), int(wanted.sum())


def _summed(head: torch.nn.Module, hidden: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the summed loss of ``hidden`` [answer tokens, width]; logits [answer tokens, vocabulary] in turns."""

    def scored(states: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        return cross_entropy(head(states).float(), wanted, reduction="sum")

    at_once = max(1, MOST_LOGITS // head.weight.shape[0])
    if len(labels) <= at_once:
        return scored(hidden, labels)
    turns = zip(hidden.split(at_once), labels.split(at_once), strict=True)
    return torch.stack([checkpoint(scored, *turn, use_reentrant=False) for turn in turns]).sum()


def _plain(config: PretrainedConfig) -> bool:
    """Return whether logits are the head's outputs as they are: Gemma caps them, Granite and Cohere scale them."""
    scaled = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier", "output_multiplier")
    return all(getattr(config, name, None) is None for name in scaled)
