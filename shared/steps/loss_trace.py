"""What a training run's log says: the trace of its losses, which evaluation was best, and whether to go on.

log history of a trainer ──► evaluations ──► best step, patience
                        └──► lines of trace.jsonl: the same after any number of interruptions
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from shared.steps.plans import Plan

KEPT = ("step", "loss", "learning_rate", "grad_norm", "eval_loss")  # no times: they differ from attempt to attempt


def lines(history: Iterable[Mapping[str, Any]]) -> str:
    r"""Return the trace as JSON lines, a step or an evaluation each.

    >>> lines([{"loss": 2.5, "learning_rate": 0.1, "epoch": 0.5, "step": 1}, {"eval_loss": 2.0, "step": 1}])
    '{"step": 1, "loss": 2.5, "learning_rate": 0.1}\n{"step": 1, "eval_loss": 2.0}\n'
    """
    kept = ({name: row[name] for name in KEPT if name in row} for row in history if "loss" in row or "eval_loss" in row)
    return "".join(json.dumps(row) + "\n" for row in kept)


def evaluations(history: Iterable[Mapping[str, Any]]) -> list[tuple[int, float]]:
    """Return step and loss of each evaluation, in order.

    >>> evaluations([{"loss": 2.5, "step": 1}, {"eval_loss": 2.0, "step": 1}])
    [(1, 2.0)]
    """
    return [(int(row["step"]), float(row["eval_loss"])) for row in history if "eval_loss" in row]


def best_of(known: Sequence[tuple[int, float]]) -> int | None:
    """Return the step of the lowest loss, the first of equals; None where no evaluation gave a number.

    >>> best_of([(10, 2.0), (20, 1.5), (30, float("nan")), (40, 1.5)])
    20
    """
    finite = [(loss, step) for step, loss in known if math.isfinite(loss)]
    return min(finite)[1] if finite else None


def exhausted(known: Sequence[tuple[int, float]], patience: int) -> bool:
    """Return whether the last ``patience`` evaluations brought nothing better; never with a patience of 0.

    >>> exhausted([(10, 2.0), (20, 1.5), (30, 1.6), (40, 1.5)], 2), exhausted([(10, 2.0), (20, 1.5)], 2)
    (True, False)
    """
    best = best_of(known)
    since = [step for step, _ in known if best is None or step > best]
    return 0 < patience <= len(since)


def over(plan: Plan, step: int, known: Iterable[tuple[int, float]]) -> bool:
    """Return whether nothing is left to train after ``step``: all steps are done, or patience has ended."""
    return step >= plan.steps or exhausted([*known], plan.patience)


def history(checkpoint: Path) -> list[dict[str, Any]]:
    """Return the log history that a trainer saved with a checkpoint."""
    return list(json.loads((checkpoint / "trainer_state.json").read_text())["log_history"])
