"""Whether it is time to train again: enough new rows, an alarm, or age; never twice within a week."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.runs import ledger, midnight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.ports import Platform
    from shared.runs import Run


@dataclass(frozen=True)
class Policy:
    """When a new model is called for."""

    oldest_days: int  # between two trainings, when nothing else calls for one
    rest_days: int = 7  # between two trainings, whatever calls
    grown_by: float = 0.1  # share of new labelled rows that calls for one


def reason(platform: Platform, run: Run, policy: Policy, rows: tuple[int, int], alarms: Sequence[str]) -> str:
    """Return why a new model should be trained on the run's date, '' when it should not.

    Args:
        platform: its ledger says when the system was trained last.
        run: the daily run that asks.
        policy: what calls for a training.
        rows: how many labelled rows there are, and how many the serving model learned from.
        alarms: the figures that alarm on the run's date.
    """
    trained = ledger(platform, run.system, "train")
    days = trained.loc[(trained["status"] == "done") & (trained["day"] <= midnight(run.day)), "day"]
    if days.empty:
        return "no training is on record"
    rested, (known, learned) = (midnight(run.day) - days.max()).days, rows
    if rested < policy.rest_days:
        return ""
    if known - learned >= policy.grown_by * learned:  # not 1.1 x learned: of 100 that is 110.00000000000001
        return f"{known} labelled rows, and the serving model learned from {learned}"
    if rested >= policy.oldest_days:
        return f"the last training was {rested} days ago"
    return f"alarm: {', '.join(alarms)}" if alarms else ""
