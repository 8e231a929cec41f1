"""What a search found, weighed: the best trial, cheaper ones beside it, all beside their untrained bases; what to take.

    losses a conversation ──► paired differences ──► the cheapest that keeps what training gained, or nothing

A cheaper trial has to show that it is as good: the upper bound of what it loses is within a margin, as of a challenger
in ``promotion``. The margin is 5 % of what the best gained over its untrained base. A bound above it, with the lower
one below 0, says that the conversations are too few to tell, not that there is no difference; then the best is taken:
what it costs more is known, and what the cheaper one might lose is not.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from shared.steps import likelihood
from shared.steps.asha import FAILED
from shared.steps.promotion import SLACK, Interval, paired_bootstrap

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from shared.steps.plans import Plan


class Rival(NamedTuple):
    """How much worse a cheaper trial is than the best, how much of that counts as none, by how many conversations.

    >>> margin = 0.1
    >>> Rival(Interval(-0.1, 0.0, 0.05), margin, 40).verdict
    'no difference to the best'
    >>> Rival(Interval(0.01, 0.03, 0.05), margin, 400).verdict
    'hardly worse than the best'
    >>> Rival(Interval(0.01, 0.1, 0.2), margin, 40).verdict
    'surely worse than the best'
    >>> Rival(Interval(-0.05, 0.15, 0.34), margin, 10).verdict
    'not told apart from the best'
    """

    gap: Interval
    margin: float  # in the unit of the gap
    judged: int

    @property
    def as_good(self) -> bool:
        """Whether it is surely not worse by more than counts as none."""
        return self.gap.high <= self.margin

    @property
    def worse(self) -> bool:
        """Whether it is surely worse, and maybe by more than counts as none."""
        return self.gap.low > 0 and not self.as_good

    @property
    def verdict(self) -> str:
        """How it stands to the best, as TRIALS says it."""
        if self.as_good:
            return "hardly worse than the best" if self.gap.low > 0 else "no difference to the best"
        return "surely worse than the best" if self.worse else "not told apart from the best"


class Weighed(NamedTuple):
    """The best trial, the best of each cheaper setting beside it, and how they differ from their untrained bases.

    A trial whose base could not be judged is not held against it.
    """

    best: str
    cheaper: dict[str, Rival]  # the dearest first
    base: dict[str, Interval]  # of the best and of those that are as good

    @property
    def equal(self) -> list[str]:
        """The best trial, and those that are as good, the dearest first."""
        return [self.best, *(name for name, rival in self.cheaper.items() if rival.as_good)]

    @property
    def chosen(self) -> str:
        """The cheapest that is as good as the best, and surely better than its base; "" if none is.

        >>> better, same = Interval(-0.3, -0.2, -0.1), Interval(-0.1, 0.0, 0.1)
        >>> Weighed("r16", {"r8": Rival(same, 0.1, 40)}, {"r16": better, "r8": better}).chosen
        'r8'
        >>> Weighed("r16", {"r8": Rival(same, 0.1, 40)}, {"r16": better, "r8": same}).chosen
        'r16'
        >>> Weighed("r16", {"r8": Rival(same, 0.09, 40)}, {"r16": better}).chosen
        'r16'
        """
        better = [trial for trial in self.equal if trial not in self.base or self.base[trial].high < 0]
        return better[-1] if better else ""

    @property
    def undecided(self) -> dict[str, Rival]:
        """Those cheaper than what is chosen that are not told apart from the best."""
        names = [*self.cheaper]
        below = names[names.index(self.chosen) + 1 :] if self.chosen in names else names
        return {name: one for name in below if not ((one := self.cheaper[name]).as_good or one.worse)}


def costs(rows: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Return by trial the weights of its base, then those that it trains, from rows of TRIALS; without unknown ones.

    In this order it is what trials cost: time and memory follow the base's size, of which an adapter is a hundredth.

    >>> import pandas as pd
    >>> columns = ["trial", "rank", "trained", "weights"]
    >>> costs(pd.DataFrame([("r8", 8, 50, 950), ("full", 0, 900, 900)], columns=columns))
    {'r8': (900, 50), 'full': (900, 900)}
    """
    known = rows.dropna(subset=["trained"]).drop_duplicates("trial")
    base = known["weights"] - known["trained"].where(known["rank"] > 0, 0)
    sizes = zip(base.astype(int), known["trained"].astype(int), strict=True)
    return {
        str(trial): (int(whole), int(trained)) for trial, (whole, trained) in zip(known["trial"], sizes, strict=True)
    }


def cheaper(
    best: str,
    losses: Mapping[int, Mapping[str, float]],
    plans: Mapping[str, Plan],
    cost: Mapping[str, tuple[int, int]],
) -> list[str]:
    """Return the best trial of each setting that costs less than that of ``best``, the dearest first.

    ``losses`` are those by rung and trial.
    """
    found: dict[tuple[str, int], str] = {}
    for step in sorted(losses, reverse=True):  # a higher rung tells more than a lower one
        for trial in sorted(losses[step], key=lambda trial: losses[step][trial]):
            if losses[step][trial] < FAILED:
                found.setdefault((plans[trial].base, plans[trial].rank), trial)
    less = [trial for trial in found.values() if cost[trial] < cost[best]]
    return sorted(less, key=lambda trial: cost[trial], reverse=True)


def beside(rival: pd.DataFrame, best: pd.DataFrame, untrained: pd.DataFrame | None) -> Rival:
    """Return how a cheaper trial stands to the best, from losses as ``likelihood.losses`` gives them.

    Where it is not known what the best one's base does ``untrained``, nothing worse counts as none.
    """
    tables = {"rival": rival, "best": best} | ({} if untrained is None else {"untrained": untrained})
    losses, _ = likelihood.comparable(tables)
    gained = 0.0 if untrained is None else float((losses["untrained"] - losses["best"]).mean())
    return Rival(paired_bootstrap(losses["rival"], losses["best"]), SLACK * max(0.0, gained), len(losses["best"]))


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


def sentence(found: Weighed, plans: Mapping[str, Plan], seeds: int) -> str:
    """Return what was found, what it does not say, and what to do next."""
    best, rivals, chosen = found.best, found.cheaper, found.chosen
    told = [f"{best} has the lowest loss"]
    if chosen not in ("", best):
        apart = rivals[chosen].gap
        said = "hardly better than" if apart.low > 0 else "no difference to"
        told.append(f"{said} the cheaper {chosen} ({_told(apart)}{_allowed(rivals[chosen])}): {chosen} is recommended")
    told += [f"{rival} is surely worse ({_told(one.gap)})" for rival, one in rivals.items() if one.worse]
    few = "is not told apart from it by {} conversations (at most {:+.4f}{}), but by more might be"
    told += [f"{rival} {few.format(one.judged, one.gap.high, _allowed(one))}" for rival, one in found.undecided.items()]
    told += [] if rivals else ["nothing cheaper was tried"]
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
    worse = "surely worse" if found.base[trial].low > 0 else "not surely better"
    return f"{trial} is {worse} than not training, {said}: nothing is recommended"


def _next(found: Weighed, plans: Mapping[str, Plan]) -> str:
    if not found.chosen:
        return "next: search with a higher --lowest or other --learning-rates, or prepare more conversations"
    plan = plans[found.chosen]
    told = {"base": plan.base, "revision": plan.revision, "sources": plan.sources, "rank": plan.rank}
    options = " ".join(f"--{name} {shlex.quote(str(value))}" for name, value in told.items() if value != "")
    return f"next: almanac run assistant finetune {options} --learning-rate {plan.learning_rate}"


def _allowed(one: Rival) -> str:
    return f"; up to {one.margin:.4f} counts as none" if one.margin else ""


def _told(found: Interval) -> str:
    return f"{found.middle:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
