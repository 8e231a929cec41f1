"""What a search found, weighed: the best trial, cheaper ones beside it, all beside their untrained bases; what to take.

losses a conversation ──► paired differences ──► the cheapest that is surely better than not training, or nothing
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shared.steps import likelihood
from shared.steps.promotion import Interval, paired_bootstrap

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from shared.steps.plans import Plan


class Weighed(NamedTuple):
    """The best trial; how much worse the best of each cheaper setting is; how they differ from their untrained bases.

    A trial whose base could not be judged is not held against it.
    """

    best: str
    cheaper: dict[str, Interval]  # the dearest first
    base: dict[str, Interval]  # of the best and of those that are not surely worse

    @property
    def equal(self) -> list[str]:
        """The best trial, and those not surely worse, the dearest first."""
        return [self.best, *(rival for rival, gap in self.cheaper.items() if gap.low <= 0)]

    @property
    def chosen(self) -> str:
        """The cheapest that is not surely worse than the best, and surely better than its base; "" if none is.

        >>> better, same = Interval(-0.3, -0.2, -0.1), Interval(-0.1, 0.0, 0.1)
        >>> Weighed("r16", {"r8": same}, {"r16": better, "r8": better}).chosen
        'r8'
        >>> Weighed("r16", {"r8": same}, {"r16": better, "r8": same}).chosen
        'r16'
        """
        better = [trial for trial in self.equal if trial not in self.base or self.base[trial].high < 0]
        return better[-1] if better else ""


def gap(new: pd.DataFrame, old: pd.DataFrame) -> Interval:
    """Return new - old loss, paired by conversation, as ``likelihood.losses`` gives both."""
    losses, _ = likelihood.comparable({"new": new, "old": old})
    return paired_bootstrap(losses["new"], losses["old"])


def bounds(name: str, found: Interval | None) -> dict[str, float]:
    """Return a difference and its bounds as figures of that name, nothing of none.

    >>> bounds("difference", Interval(-0.1, 0.0, 0.1))
    {'difference': 0.0, 'difference_low': -0.1, 'difference_high': 0.1}
    """
    return {name: found.middle, f"{name}_low": found.low, f"{name}_high": found.high} if found else {}


def verdict(found: Interval) -> str:
    """Return how a cheaper trial stands to the best, as TRIALS says it."""
    return "surely worse than the best" if found.low > 0 else "no difference to the best"


def sentence(found: Weighed, plans: Mapping[str, Plan], seeds: int) -> str:
    """Return what was found, what it does not say, and what to do next."""
    best, gaps, _ = found
    told = [f"{best} has the lowest loss"]
    if found.chosen not in ("", best):
        cheaper = f"no difference to the cheaper {found.chosen} ({_told(gaps[found.chosen])})"
        told.append(f"{cheaper}: {found.chosen} is recommended")
    told += [f"{rival} is surely worse ({_told(gap)})" for rival, gap in gaps.items() if gap.low > 0]
    told += [] if gaps else ["nothing cheaper was tried"]
    told.append(_beside_base(found, plans))
    trained = f"{seeds} seeds" if seeds > 1 else "one seed"
    told.append(f"{trained} each: the intervals do not say how much a training varies, nor that the best was chosen")
    return "; ".join([*told, _next(found, plans)])


def _beside_base(found: Weighed, plans: Mapping[str, Plan]) -> str:
    trial = found.chosen or found.best
    base = plans[trial].base
    if trial not in found.base:
        return f"{base} itself could not be judged, so whether training helps is not known"
    said = f"{base} as it is ({_told(found.base[trial])})"
    if found.chosen:
        return f"{trial} is surely better than not training, {said}"
    worse = f"{trial} is surely worse than" if found.base[trial].low > 0 else "no difference from"
    return f"{worse} not training, {said}: nothing is recommended"


def _next(found: Weighed, plans: Mapping[str, Plan]) -> str:
    if not found.chosen:
        return "next: search with a higher --lowest or other --learning-rates, or prepare more conversations"
    plan = plans[found.chosen]
    commit = f" --revision {plan.revision}" if plan.revision else ""
    command = f"almanac run assistant finetune --base {plan.base}{commit} --rank {plan.rank}"
    return f"next: {command} --learning-rate {plan.learning_rate}"


def _told(found: Interval) -> str:
    return f"{found.middle:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
