"""Fine-tuning that survives anything: one loop for every transformers trainer, whatever it teaches.

    plan + data's fingerprint ──► run folder, held by one process ──► newest whole checkpoint, if any
      ──► trainer: steps, evaluations, checkpoints ──► best/ ──► finished.json ──► checkpoints go

A run that was killed, however often and wherever, ends with the weights of one that was not: bit for bit where it goes
on on a CPU like the one before, with as many threads; elsewhere a warning says that it is not (``machines``). To that
end a run is one long epoch whose order is drawn beforehand (``examples.order``), every step is logged, and when to stop
and what was best are read off the log alone. This module knows no library above transformers' ``Trainer``.
"""

from __future__ import annotations

import json
import logging
import math
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from transformers import PrinterCallback, TrainerCallback, set_seed

from shared.errors import UsageError
from shared.steps import checkpoints, machines
from shared.steps.bases import without_bars
from shared.steps.loss_trace import best_of, evaluations, exhausted, history, lines, over
from shared.steps.run_folder import Finetuned, alone, already, base_loss_of, belonging, finish, mended, ran_away, swept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from transformers import Trainer, TrainerControl, TrainerState, TrainingArguments

    from shared.steps.plans import Plan

MESSAGES = 100  # of progress in the log, about
STEPS = {"counts": "steps"}  # marks them: see functions/_progress.py

log = logging.getLogger("almanac")


def finetune(
    plan: Plan,
    fingerprint: str,
    folder: Path,
    build: Callable[[Path], Trainer],
    on_checkpoint: Callable[[], None] = lambda: None,
) -> Finetuned:
    """Train in ``folder`` what ``build`` makes, from wherever an earlier attempt was cut off; return what came of it.

    ``build`` gets the folder that its trainer writes to, and is not called for a run that has ended. ``on_checkpoint``
    is called when something came to lie in the folder that should outlive the machine.

    Raises:
        UsageError: the folder belongs to another plan or other data; or the loss became no number.
        BusyError: another process trains in it.
        UnsafeFileError: what lies in it is damaged, and cannot be made anew.
        BackendError: it cannot be written.
    """
    with checkpoints.on_disk(folder), alone(folder):
        name, ended = belonging(plan, fingerprint, folder), already(folder)
        if ended is None:
            ended = _trained(plan, name, folder, build, on_checkpoint)
            on_checkpoint()  # before what led there goes
        elif mended(folder, ended):
            on_checkpoint()
        if swept(folder, ended):
            on_checkpoint()
        return ended


def arguments(plan: Plan, output: Path) -> dict[str, Any]:
    """Return what every trainer's ``TrainingArguments`` are given: the plan, and what exact resumption takes.

    Raises:
        UsageError: this machine does not compute in the plan's precision.
    """
    cuda = torch.cuda.is_available()
    if plan.precision == "fp16" and not cuda:
        raise UsageError("fp16 needs a GPU: give precision fp32 or bf16")
    return {
        "output_dir": str(output),
        "max_steps": plan.steps,
        "per_device_train_batch_size": plan.batch,
        "per_device_eval_batch_size": plan.batch,
        "gradient_accumulation_steps": plan.accumulation,
        "learning_rate": plan.learning_rate,
        "lr_scheduler_type": "linear",
        "warmup_steps": plan.warmup,
        "weight_decay": plan.weight_decay,
        "optim": "adamw_torch_fused",  # transformers' own; Unsloth's is one of 8 bits
        "bf16": plan.precision in ("bf16", "4bit"),
        "fp16": plan.precision == "fp16",
        "seed": plan.seed,
        "train_sampling_strategy": "sequential",  # the order is drawn beforehand
        "logging_steps": 1,  # a mean over several steps would depend on where it was resumed
        "logging_nan_inf_filter": False,  # it would log a mean instead of a loss that is no number
        "eval_strategy": "steps",
        "eval_steps": plan.evaluate_every,
        "save_strategy": "steps",
        "save_steps": plan.checkpoint_every,
        "save_total_limit": None,  # ours prunes
        "include_num_input_tokens_seen": "non_padding",
        "dataloader_pin_memory": cuda,
        "use_cpu": not cuda,
        "disable_tqdm": True,
        "report_to": "none",
    }


def _trained(
    plan: Plan, name: str, folder: Path, build: Callable[[Path], Trainer], on_checkpoint: Callable[[], None]
) -> Finetuned:
    kept = folder / "checkpoints"
    checkpoints.sweep(kept)
    begun = checkpoints.newest_complete(kept, name)
    if begun is None or not over(plan, checkpoints.step_of(begun), evaluations(history(begun))):
        keeper = _Keeper(plan, name, folder, on_checkpoint, checkpoints.step_of(begun))
        set_seed(plan.seed)  # an adapter begins at random; TRL seeds it from 1.16 on
        try:
            with without_bars():
                _train(plan, keeper, build(checkpoints.writing(kept)), begun)
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt(keeper.interrupted()) from stop
    return finish(plan, name, folder, begun)


def _train(plan: Plan, keeper: _Keeper, trainer: Trainer, begun: Path | None) -> None:
    trainer.remove_callback(PrinterCallback)
    ends = [getattr(one, "last_step", plan.steps) for one in trainer.callback_handler.callbacks]  # a rung's, if any
    keeper.begin(begun, lambda: float(trainer.evaluate()["eval_loss"]), min([plan.steps, *ends]))
    trainer.add_callback(keeper)
    set_seed(plan.seed)  # whatever came before: making a model and judging it draw numbers, too
    with _without_false_alarm(trainer.model):
        trainer.train(resume_from_checkpoint=str(begun) if begun else None)


@contextmanager
def _without_false_alarm(model: Any) -> Iterator[None]:  # noqa: ANN401 - a model of torch, of transformers or PEFT
    """Keep transformers from saying that a checkpoint lacks weights that are tied to others, which it holds."""
    config = getattr(model, "config", None)
    tied = (
        set(getattr(model, "_tied_weights_keys", None) or ()) if getattr(config, "tie_word_embeddings", False) else ()
    )

    def worth_saying(record: logging.LogRecord) -> bool:
        said = record.getMessage()
        return not said.startswith("There were missing keys") or not {*re.findall(r"'([^']+)'", said)} <= {*tied}

    speaks = logging.getLogger("transformers.trainer")
    speaks.addFilter(worth_saying)
    try:
        yield
    finally:
        speaks.removeFilter(worth_saying)


class _Keeper(TrainerCallback):  # type: ignore[misc]
    """Seals what the trainer saves, keeps the log, asks for the best to be saved, and stops when patience ends."""

    def __init__(self, plan: Plan, name: str, folder: Path, on_checkpoint: Callable[[], None], begun: int) -> None:
        self._plan, self._name, self._folder, self._on_checkpoint = plan, name, folder, on_checkpoint
        self._seconds, self._since, self._machine = 0.0, 0.0, machines.computing()
        self._step, self._saved, self._last = begun, begun, plan.steps
        self._judged: float | None = None  # the newest loss on the validation examples

    def begin(self, begun: Path | None, judge: Callable[[], float], last: int) -> None:
        """Take up the time of earlier attempts, and keep the base's loss if none of them did; ``last``: step."""
        step, self._last = checkpoints.step_of(begun), last
        if begun:
            told = checkpoints.facts(begun)
            self._seconds = float(told["seconds"])
            self._machine = machines.joined(told.get("machine", {}), self._machine)
        if (before := self._machine.get(machines.BEFORE)) and not torch.cuda.is_available():
            log.warning("%s goes on where sums differ in their last digits; before: %s", self._name, before)
        if base_loss_of(self._folder) is None:
            log.info("%s: the loss of its base is found", self._name, extra=STEPS)
            if not math.isfinite(loss := judge()):
                raise UsageError("the loss of the base itself is no number: give another --base, or --precision fp32")
            checkpoints.replaced(self._folder / "baseline.json", json.dumps({"loss": loss}))
        if begun and (known := evaluations(history(begun))):
            self._judged = known[-1][1]
        how = f"goes on after step {step}" if begun else "begins"
        log.info("%s: %s", self._name, how, extra={**STEPS, "due": last, "done": step})

    def interrupted(self) -> str:
        """Return a sentence on where it was interrupted, and where it goes on."""
        again = f"goes on after step {self._saved}" if self._saved else "begins anew"
        every = f"checkpoints are {self._plan.checkpoint_every} steps apart"
        return f"interrupted at step {self._step} of {self._last}; the same command {again} ({every})"

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self._since = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        self._seconds += time.monotonic() - self._since
        self._since, self._step = time.monotonic(), state.global_step

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        newest = state.log_history[-1]
        # In fp16 a loss may overflow: the scaler of gradients passes over such a step, and evaluations judge.
        losses = [newest.get("eval_loss", 0.0), 0.0 if self._plan.precision == "fp16" else newest.get("loss", 0.0)]
        if not all(map(math.isfinite, losses)):
            raise ran_away(self._plan, state.global_step)
        if "loss" in newest and state.global_step % max(1, self._last // MESSAGES) == 0:
            judged = f", validation loss {self._judged:.4f}" if self._judged is not None else ""
            told = (self._name, newest["step"], self._last, newest["loss"], judged)
            log.info("%s: step %d of %d, loss %.4f%s", *told, extra={**STEPS, "done": newest["step"]})

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        known = evaluations(state.log_history)
        self._judged, base = known[-1][1], base_loss_of(self._folder) or math.nan
        told = (self._name, self._judged, state.global_step, self._last, base)
        log.info("%s: validation loss %.4f after %d of %d, the base's %.4f", *told, extra=STEPS)
        control.should_save |= best_of(known) == state.global_step
        if exhausted(known, self._plan.patience):
            control.should_training_stop = control.should_save = True
        self._since = time.monotonic()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        best, kept = best_of(evaluations(state.log_history)), self._folder / "checkpoints"
        facts = {"plan": self._name, "best": best, "seconds": self._seconds, "tokens": state.num_input_tokens_seen}
        facts["machine"] = self._machine
        checkpoints.seal(kept, state.global_step, facts)
        checkpoints.prune(kept, state.global_step, best)
        checkpoints.replaced(self._folder / "trace.jsonl", lines(state.log_history))
        self._on_checkpoint()
        self._since, self._saved = time.monotonic(), state.global_step
