"""A fine-tuning up to a rung: it ends early, and goes on from there when a later rung asks for more.

    reopen ──► finetune(build = stopping(build, step)) ──► best weights so far, checkpoint of that step

The learning rate falls as the whole plan says, so that a trial that goes on is the one it was: bit for bit what an
uninterrupted run of the plan is at that step. ``finetune`` keeps the checkpoints of a run whose plan is not done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers import TrainerCallback

from shared.steps.run_folder import already

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from transformers import Trainer, TrainerControl, TrainerState, TrainingArguments


def reopen(folder: Path, step: int) -> None:
    """Let a run that ended before ``step`` go on."""
    ended = already(folder)
    if ended is not None and ended.steps < step:
        (folder / "finished.json").unlink()


def stopping(build: Callable[[Path], Trainer], step: int) -> Callable[[Path], Trainer]:
    """Return what makes the same trainer, which stops after ``step``; the plan evaluates and saves there."""

    def built(output: Path) -> Trainer:
        trainer = build(output)
        trainer.add_callback(_Stop(step))
        return trainer

    return built


class _Stop(TrainerCallback):  # type: ignore[misc]
    def __init__(self, step: int) -> None:
        self.last_step = step  # ``finetune`` counts up to it

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        if state.global_step >= self.last_step:
            control.should_training_stop = True
