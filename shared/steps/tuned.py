"""A fine-tuning that has ended, found by its name among the run folders, for whoever judges and exports it."""

from __future__ import annotations

import logging
import math
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.errors import BusyError, NotYetError, UnsafeFileError, UsageError
from shared.steps import checkpoints
from shared.steps.plans import Plan
from shared.steps.run_folder import Finetuned, alone, already, made, read, swept

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger("almanac")


@dataclass(frozen=True)
class Tuned:
    """A fine-tuning that has ended, as its folder tells it."""

    folder: Path
    plan: Plan
    data: str  # fingerprint of what it learned from
    ended: Finetuned

    @property
    def name(self) -> str:
        """Its name, from plan and data."""
        return self.ended.name

    @property
    def best(self) -> Path:
        """Where its best weights lie: an adapter, or whole ones, with their tokenizer."""
        return self.folder / "best"


def ended(runs: Path, name: str = "", again: str = "`finetune`") -> Tuned:
    """Return the fine-tuning called ``name``, or the one that ended last of those whose files can be read.

    ``again`` is what errors tell to run.

    Raises:
        NotYetError: there is none, or it has not ended.
        UsageError: that is no name of a run.
        UnsafeFileError: its files are damaged, or its losses are no numbers.
    """
    if name in (".", "..") or "/" in name:
        raise UsageError(f"{name!r} is no name of a fine-tuning; they stand in {runs.name}/")
    found = _told(runs / name, again) if name else _newest(runs, again)
    if found is None:
        which = f"the fine-tuning {name} has not" if name else "no fine-tuning has"
        raise NotYetError(f"{which} ended; run {again}")
    if wrong := checkpoints.flaw(found.best, found.name, found.ended.best_step):
        said = f"{found.best} is not what {found.name} ended with: {wrong}"
        raise UnsafeFileError(f"{said}; {again} with the same options makes it anew, or says what to delete first")
    with suppress(BusyError), alone(found.folder):  # what a kill at its end left
        swept(found.folder, found.ended)
    return found


def begun_with(runs: Path, plan: Plan, data: str) -> str:
    """Return the revision of the base that the newest attempt at this plan, which names none, began with; "" of none.

    A branch of the Hub moves: whoever calls the same plan again goes on with what it was; of a folder it tells whether
    that holds another model by now. An attempt whose base could not be judged does not count: a newer commit may be
    the mended one.
    """
    judged = sorted(runs.glob("*/baseline.json"), key=lambda mark: (mark.stat().st_mtime, mark))
    for mark in (one.with_name("plan.json") for one in reversed(judged)):
        with suppress(UnsafeFileError):
            told = read(mark)
            known = made(Plan, told.get("plan"), mark)
            if told.get("data") == data and replace(known, revision="") == plan:
                return known.revision
    return ""


def _newest(runs: Path, again: str) -> Tuned | None:
    marks = sorted(runs.glob("*/finished.json"), key=lambda mark: (mark.stat().st_mtime, mark))
    for mark in reversed(marks):
        try:
            return _told(mark.parent, again)
        except UnsafeFileError as cause:
            log.warning("the fine-tuning %s is skipped: %s", mark.parent.name, cause)
    return None


def _told(folder: Path, again: str) -> Tuned | None:
    """Return what a folder tells, None where its run has not ended."""
    finished = already(folder)
    if finished is None:
        return None
    told, file = read(folder / "plan.json"), folder / "plan.json"
    plan = made(Plan, told.get("plan"), file)
    if not math.isfinite(finished.best_loss):
        advice = f"lower --learning-rate (now {plan.learning_rate:g}), and run {again}"
        raise UnsafeFileError(f"the loss of {folder.name} is no number: {advice}")
    return Tuned(folder, plan, str(told.get("data", "")), finished)
