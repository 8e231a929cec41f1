"""A fine-tuning that has ended, found by its name among the run folders, for whoever judges and exports it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import NotYetError, UsageError
from shared.steps.finetuned import Finetuned, already
from shared.steps.plans import Plan

if TYPE_CHECKING:
    from pathlib import Path


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


def ended(runs: Path, name: str = "") -> Tuned:
    """Return the fine-tuning called ``name``, or the one that ended last.

    Raises:
        NotYetError: there is none, or it has not ended.
        UsageError: that is no name of a run.
    """
    if name in (".", "..") or "/" in name:
        raise UsageError(f"{name!r} is no name of a fine-tuning; they stand in {runs.name}/")
    marks = [runs / name / "finished.json"] if name else runs.glob("*/finished.json")
    there = sorted((mark for mark in marks if mark.exists()), key=lambda mark: (mark.stat().st_mtime, mark))
    if not there:
        which = f"the fine-tuning {name} has not" if name else "no fine-tuning has"
        raise NotYetError(f"{which} ended; run `almanac run assistant finetune`")
    folder = there[-1].parent
    told, finished = json.loads((folder / "plan.json").read_text(encoding="utf-8")), already(folder)
    assert finished is not None  # its mark is what was found
    return Tuned(folder, Plan(**told["plan"]), told["data"], finished)
