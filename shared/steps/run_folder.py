"""The folder of a fine-tuning, and what came of it.

plan.json        whose folder it is; nobody else's plan is taken up in it
base/            the tiny base model, where the run began with one
baseline.json    the base's loss
checkpoints/     checkpoint-N, as ``checkpoints`` seals them; gone with the end of a plan that is done
trace.jsonl      losses, a step a line
best/            the best weights, adapter or whole, with their tokenizer and a manifest of hashes
finished.json    with it the run has ended
"""

from __future__ import annotations

import json
import logging
import math
import resource
import shutil
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from filelock import FileLock, Timeout

from shared.errors import BusyError, UnsafeFileError, UsageError
from shared.steps import checkpoints, machines
from shared.steps.loss_trace import evaluations, history, lines, over

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.steps.plans import Plan

T = TypeVar("T")
LOCK = ".lock"  # as long as somebody works in the folder
_KINDS: dict[str, Any] = {"str": str, "int": int, "float": (int, float), "bool": bool, "dict[str, str]": dict}

log = logging.getLogger("almanac")


@dataclass(frozen=True)
class Finetuned:
    """What came of a run; its weights lie in ``best/`` of its folder."""

    name: str
    steps: int  # done: fewer than planned when it stopped early
    best_step: int
    best_loss: float  # on the validation examples
    base_loss: float  # on the same, before the first step
    seconds: float  # of training, over all attempts; neither evaluations nor checkpoints
    tokens: int  # without padding
    peak_memory_mb: float  # of the process, or of the GPU
    device: str
    machine: dict[str, str] = field(default_factory=dict)  # see machines
    resumed_from: int = 0  # the step after which the last attempt began
    complete: bool = False  # all steps are done, or patience ended: nobody will go on from its checkpoints

    @property
    def tokens_per_second(self) -> float:
        """Tokens learned from a second."""
        return self.tokens / self.seconds if self.seconds else 0.0


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder against other processes; it is freed when its holder ends, however it ends.

    Raises:
        BusyError: another one holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout as cause:
        raise BusyError(f"another process trains {folder.name}: wait until it has ended") from cause


def belonging(plan: Plan, fingerprint: str, folder: Path) -> str:
    """Return the run's name; a new folder is marked as its own.

    Raises:
        UsageError: it is the folder of another run, or of one that was begun when other values were usual.
        UnsafeFileError: whose it is cannot be read.
    """
    name, marked = plan.name(fingerprint), folder / "plan.json"
    told = {"name": name, "data": fingerprint, "plan": asdict(plan)}
    if not marked.exists():
        checkpoints.replaced(marked, json.dumps(told, indent=1))
    found = read(marked)
    if (found.get("name"), found.get("data")) != (name, fingerprint):
        raise UsageError(f"{folder} belongs to the run {found.get('name')}, not to {name}: give another folder")
    began = asdict(made(type(plan), found.get("plan"), marked))
    if other := [f"{one} {was}" for one, was in began.items() if was != getattr(plan, one)]:
        said = f"{folder} was begun with {', '.join(other)}, as was usual then"
        raise UsageError(f"{said}: delete it, and the same command trains anew")
    return name


def already(folder: Path) -> Finetuned | None:
    """Return what came of a run that has ended, None of one that has not.

    Raises:
        UnsafeFileError: what came of it cannot be read.
    """
    marked = folder / "finished.json"
    return made(Finetuned, read(marked), marked) if marked.exists() else None


def read(file: Path) -> dict[str, Any]:
    """Return what a small file of a run's folder says.

    Raises:
        UnsafeFileError: it is missing or damaged.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise _damaged(file) from cause
    if not isinstance(found, dict):
        raise _damaged(file)
    return found


def made(kind: type[T], told: Any, file: Path) -> T:  # noqa: ANN401 - whatever a damaged file holds
    """Return the dataclass that ``file`` told of.

    Raises:
        UnsafeFileError: its fields are others, or of other types.
    """
    try:
        found = kind(**told)
        fit = all(isinstance(getattr(found, one.name), _KINDS[str(one.type)]) for one in fields(found))  # type: ignore[arg-type]
    except (TypeError, ValueError, AttributeError) as cause:
        raise _damaged(file) from cause
    if not fit:
        raise _damaged(file)
    return found


def base_loss_of(folder: Path) -> float | None:
    """Return the loss that the base was found to have, None where that cannot be read."""
    try:
        return float(read(folder / "baseline.json")["loss"])
    except (UnsafeFileError, LookupError, TypeError, ValueError):
        return None


def ran_away(plan: Plan, step: int) -> UsageError:
    """Return the error of a run whose loss is no number."""
    return UsageError(f"its loss is no number after step {step}: lower --learning-rate (now {plan.learning_rate:g})")


def mended(folder: Path, ended: Finetuned) -> bool:
    """Return whether ``best/`` was not what the run ended with, and was therefore copied anew from its checkpoint.

    Raises:
        UnsafeFileError: that one is damaged or gone, too.
    """
    if not (wrong := checkpoints.flaw(folder / "best", ended.name, ended.best_step)):
        return False
    checkpoint = folder / "checkpoints" / f"checkpoint-{ended.best_step}"
    if behind := checkpoints.flaw(checkpoint, ended.name, ended.best_step):
        too = f", and so is {checkpoint.name} ({behind})" if checkpoint.exists() else ""
        said = f"{folder / 'best'} is damaged ({wrong}){too}"
        raise UnsafeFileError(f"{said}: delete {folder}, and the same command trains anew")
    log.warning("%s: best/ is made anew from %s: %s", ended.name, checkpoint.name, wrong)
    _copy(checkpoint, folder / "best", ended.name)
    return True


def swept(folder: Path, ended: Finetuned) -> bool:
    """Remove the checkpoints of a run that has ended, if nobody will go on from them; return whether there were any.

    Only when ``finished.json`` and ``best/`` are safe: what a kill left of them goes with the next call.
    """
    return ended.complete and checkpoints.vanish(folder / "checkpoints", folder / ".checkpoints.gone")


def finish(plan: Plan, name: str, folder: Path, begun: Path | None) -> Finetuned:
    """Copy the best weights to ``best/``, and mark the run as ended; ``begun``: what its last attempt began with.

    Raises:
        UsageError: a loss is no number.
        UnsafeFileError: the base's loss cannot be read.
    """
    last = checkpoints.newest_complete(folder / "checkpoints", name)
    assert last is not None  # the trainer saves its last step
    facts, losses = checkpoints.facts(last), dict(evaluations(history(last)))
    if (base_loss := base_loss_of(folder)) is None:
        raise _damaged(folder / "baseline.json")
    if away := [step for step, loss in losses.items() if not math.isfinite(loss)]:
        raise ran_away(plan, away[0])
    best = facts["step"] if facts["best"] is None else facts["best"]
    _copy(folder / "checkpoints" / f"checkpoint-{best}", folder / "best", name)
    checkpoints.replaced(folder / "trace.jsonl", lines(history(last)))
    ended = Finetuned(
        name=name,
        steps=facts["step"],
        best_step=best,
        best_loss=losses.get(best, math.nan),  # of a run stopped from outside before its first evaluation
        base_loss=base_loss,
        seconds=round(facts["seconds"], 3),
        tokens=facts["tokens"],
        peak_memory_mb=round(_peak_mb(), 1),
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
        machine=facts.get("machine", machines.computing()),
        resumed_from=checkpoints.step_of(begun),
        complete=over(plan, facts["step"], losses.items()),
    )
    checkpoints.replaced(folder / "finished.json", json.dumps(asdict(ended), indent=1))
    return ended


def _damaged(file: Path) -> UnsafeFileError:
    renewed = f"delete {file.parent if file.name == 'baseline.json' else 'it'}"
    return UnsafeFileError(
        f"{file} is damaged, or of another version: {renewed}, and `finetune` with the same options makes it anew"
    )


def _copy(checkpoint: Path, place: Path, name: str) -> None:
    """Copy what makes a model, with a manifest; it is whole or not there."""
    fresh = place.with_name(f".{place.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for file in checkpoints.of_model(checkpoint):
        shutil.copyfile(file, fresh / file.name)
    checkpoints.sign(fresh, {"plan": name, "step": checkpoints.step_of(checkpoint)})
    shutil.rmtree(place, ignore_errors=True)
    fresh.rename(place)


def _peak_mb() -> float:
    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated()) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # bytes there, KiB elsewhere
