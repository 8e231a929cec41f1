"""Ranks, learning rates and bases compared: many trials get few steps, few get all, and the cheapest that will do wins.

    conversations ──► a folder that workers see ──► trials, halved as they go ──► losses a validation conversation
    best trial ──► against the best of each cheaper setting, paired ──► "no difference": the cheaper one is recommended

Every rank is tried with every learning rate. LoRA's alpha is one for all ranks and divided by the root of the rank
(rsLoRA), so that a rank is not judged by an adapter that counts less. Cheaper is what trains fewer weights, then what
is the smaller model.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from shared.errors import NotYetError
from shared.runs import Report
from shared.steps import likelihood
from shared.steps.asha import FAILED, Halving
from shared.steps.promotion import champion, paired_bootstrap
from shared.steps.run_folder import read
from shared.systems.assistant.features import fingerprint
from shared.systems.assistant.searches import home_of, prepared, sweep, told_of
from shared.systems.assistant.tables import MODEL, TRIALS
from shared.systems.assistant.training import learned_from
from shared.systems.assistant.trials import Tried

if TYPE_CHECKING:
    from pathlib import Path

    from shared.ports import Platform
    from shared.runs import Run
    from shared.steps.asha import Job
    from shared.steps.promotion import Interval
    from shared.systems.assistant.searches import Search
    from shared.systems.assistant.training import Folders

    Part = dict[str, Any]
    Each = Callable[[Iterable[Part | None]], Iterator[Part]]  # jobs ──► what came of them, in any order

BEST = "best"  # the verdict on one trial: with it, the search has decided
FAILED_AS = "failed: "  # begins the verdict on one that broke

log = logging.getLogger("almanac")


def search(platform: Platform, run: Run, plan: Search, folders: Folders, each: Each) -> Report:
    """Try each setting; report which is best, and the cheapest that is not surely worse.

    ``each`` maps ``trials.attempt`` over parts; one of None says that none is known yet. Called again with the same
    conversations it goes on: rungs from TRIALS, trials from their checkpoints. One that has decided answers from what
    it found then; with more seeds, it trains those alone.

    Raises:
        NotYetError: there are no conversations, or every trial failed.
    """
    trying = _Trying(platform, run, plan, folders.runs)
    halving = Halving([*plan.plans()], plan.ladder, at_once=plan.at_once)
    halving.know(trying.known())
    if not trying.decided:
        log.info("assistant search: %d settings", len(plan.plans()), extra={"due": len(plan.plans())})
        for tried in trying.done(each, halving.jobs()):
            halving.take(tried.trial, tried.step, FAILED if tried.error else tried.loss)
    top = halving.losses[plan.ladder.steps[-1]]
    best = min(top, key=lambda trial: top[trial], default="")
    if not best or top[best] == FAILED:
        why = "; ".join(sorted(set(trying.rows()["verdict"])))[:500]
        raise NotYetError(f"no trial reached the top of the ladder: {why}")
    gaps = trying.against_cheaper(each, best, halving.losses)
    trying.decide(best, gaps)
    return trying.report(best, gaps)


def bases(platform: Platform, told: str) -> tuple[str, ...]:
    """Return the bases that are named, joined by commas; the version that serves if none is.

    Raises:
        NotYetError: none is named, and none serves.
    """
    if named := tuple(dict.fromkeys(base.strip() for base in told.split(",") if base.strip())):
        return named
    try:
        return (f"{MODEL}:{champion(platform, MODEL).version}",)
    except NotYetError as cause:
        how = "prepare, finetune, evaluate and export one, or name others with --bases"
        raise NotYetError(f"no version serves that a search could begin with: {how}") from cause


def swept(platform: Platform, runs: Path) -> None:
    """Remove what searches that have decided no longer need: weights and checkpoints of trials, copies of bases."""
    rows = platform.features.read(TRIALS)
    for name in set(rows.loc[rows["verdict"] == BEST, "search"]):
        if (runs / name).is_dir():
            sweep(runs / name)


class _Trying:
    """The search's folder and rows, and what came of its trials."""

    def __init__(self, platform: Platform, run: Run, plan: Search, runs: Path) -> None:
        """Find the search's folder, and take up what earlier attempts found."""
        self._rows = pd.concat(learned_from(platform, run).values())[["conversation_id", "split", "messages"]]
        self._platform, self._run, self._plan, self._data = platform, run, plan, fingerprint(self._rows)
        self._home, commits = home_of(runs, plan, self._data)
        self.name = self._home.name
        self._plans = {name: one for seed in range(plan.seeds) for name, one in plan.plans(seed, commits).items()}
        self._found: dict[Job, Tried] = {}
        self.decided = bool((self.rows()["verdict"] == BEST).any())  # by an earlier attempt
        self._take_up()

    @cached_property
    def _places(self) -> dict[str, str]:
        return prepared(self._platform, self._home, self._plan.bases, self._rows)

    def rows(self) -> pd.DataFrame:
        """Return this search's rows of TRIALS."""
        rows = self._platform.features.read(TRIALS)
        return rows[rows["search"] == self.name]

    def known(self) -> dict[Job, float]:
        """Return the losses that an earlier attempt found, by trial and step; of the seed that all are tried with."""
        rows = self.rows().dropna(subset=["loss"])
        rows = rows[rows["trial"].isin([*self._plan.plans()])]
        return {(row["trial"], int(row["step"])): float(row["loss"]) for row in rows.to_dict("records")}

    def done(self, each: Each, jobs: Iterable[Job | None]) -> Iterator[Tried]:
        """Yield what came of each job, its row written."""
        places = self._places  # written before workers look
        for told in each(None if job is None else self._part(*job, places) for job in jobs):
            tried = Tried.of(told)
            self._found[tried.trial, tried.step] = tried
            self._keep(tried)
            log.info("assistant search: %s at %d: %s", tried.trial, tried.step, tried.error or f"{tried.loss:.4f}")
            yield tried

    def against_cheaper(self, each: Each, best: str, losses: dict[int, dict[str, float]]) -> dict[str, Interval]:
        """Return how much worse than ``best`` the best trial of each cheaper setting is, the dearest of them first.

        It ends with the first that is surely worse. All are trained to the top before, with every seed.
        """
        gaps: dict[str, Interval] = {}
        mine = self._at_the_top(each, best)
        for rival in self._cheaper(best, losses):
            theirs = self._at_the_top(each, rival)
            if theirs is None or mine is None:
                continue
            gaps[rival] = _gap(theirs, mine)
            if gaps[rival].low > 0:
                break
        return gaps

    def decide(self, best: str, gaps: dict[str, Interval]) -> None:
        """Write the verdict on each rung into TRIALS."""
        rows = self.rows()
        last = rows.groupby("trial")["step"].transform("max") == rows["step"]
        verdicts = rows["verdict"].where(rows["loss"].isna(), "went on").mask(last & rows["loss"].notna(), "stopped")
        for trial, verdict in {**{rival: _said(gap) for rival, gap in gaps.items()}, best: BEST}.items():
            verdicts = verdicts.mask(last & (rows["trial"] == trial), verdict)
        chosen = _recommended(best, gaps)
        if chosen != best:
            verdicts = verdicts.mask(last & (rows["trial"] == chosen), f"{_said(gaps[chosen])}: recommended")
        self._platform.features.write(TRIALS, rows.assign(verdict=verdicts))

    def report(self, best: str, gaps: dict[str, Interval]) -> Report:
        """Return how far each trial got, and what to take."""
        rows = self.rows().sort_values(["step", "loss"], ascending=[False, True])
        shown = rows.drop_duplicates("trial")[["trial", "step", "loss", "trained", "verdict"]]
        chosen = _recommended(best, gaps)
        top = {trial: tried.loss for (trial, step), tried in self._found.items() if step == self._plan.ladder.steps[-1]}
        metrics = {"loss": top[best], "recommended_loss": top[chosen], "trials": float(len(shown))}
        if chosen != best:
            metrics |= {"difference": gaps[chosen].middle, "difference_low": gaps[chosen].low}
            metrics["difference_high"] = gaps[chosen].high
        table: list[dict[str, Any]] = [
            {str(name): cell for name, cell in row.items()} for row in shown.to_dict("records")
        ]
        return Report(
            rows=len(rows), metrics=metrics, headline="loss", model=chosen, note=self._sentence(best, gaps), table=table
        )

    def _sentence(self, best: str, gaps: dict[str, Interval]) -> str:
        chosen = _recommended(best, gaps)
        plan = self._plans[chosen]
        worse = [f"{rival} is surely worse ({_told(gap)})" for rival, gap in gaps.items() if gap.low > 0]
        told = [f"{best} has the lowest loss"]
        if chosen != best:
            told.append(f"no difference to the cheaper {chosen} ({_told(gaps[chosen])}): {chosen} is recommended")
        told += worse or ([] if gaps else ["nothing cheaper was tried"])
        seeds = f"{self._plan.seeds} seeds" if self._plan.seeds > 1 else "one seed"
        told.append(f"{seeds} each: the intervals do not say how much a training varies, nor that the best was chosen")
        commit = f" --revision {plan.revision}" if plan.revision else ""
        next_step = f"next: almanac run assistant finetune --base {plan.base}{commit} --rank {plan.rank}"
        return "; ".join([*told, f"{next_step} --learning-rate {plan.learning_rate}"])

    def _cheaper(self, best: str, losses: dict[int, dict[str, float]]) -> list[str]:
        """Return the best trial of each setting that costs less than that of ``best``, the dearest first."""
        rows = self.rows().dropna(subset=["trained"]).drop_duplicates("trial").set_index("trial")
        cost = {trial: (int(rows.loc[trial, "trained"]), int(rows.loc[trial, "weights"])) for trial in rows.index}
        found: dict[tuple[str, int], str] = {}
        for step in sorted(losses, reverse=True):  # a higher rung tells more than a lower one
            for trial in sorted(losses[step], key=lambda trial: losses[step][trial]):
                if losses[step][trial] < FAILED:
                    found.setdefault((self._plans[trial].base, self._plans[trial].rank), trial)
        less = [trial for trial in found.values() if cost[trial] < cost[best]]
        return sorted(less, key=lambda trial: cost[trial], reverse=True)

    def _at_the_top(self, each: Each, trial: str) -> pd.DataFrame | None:
        """Return the losses of a trial trained to the top, its seeds averaged; None if one of them failed."""
        stem, top = trial.rpartition("-s")[0], self._plan.ladder.steps[-1]
        jobs = [(f"{stem}-s{seed}", top) for seed in range(self._plan.seeds)]
        if missing := [job for job in jobs if job not in self._found]:
            for _ in self.done(each, missing):
                pass
        found = [self._found[job] for job in jobs if job in self._found]
        if len(found) < len(jobs) or any(one.error for one in found):
            return None
        losses: pd.DataFrame = pd.concat([one.losses for one in found]).groupby(level=0).mean()
        return losses

    def _take_up(self) -> None:
        """Know what is kept of trials, and give it its rows; once it was decided, those that failed are known, too."""
        rows = self.rows().set_index(["trial", "step"])["verdict"]
        jobs = [(trial, step) for trial in self._plans for step in self._plan.ladder.steps]
        for trial, step in jobs:
            kept = told_of(self._home, self._plans[trial], self._data, step)
            if kept.exists():
                self._found[trial, step] = Tried.of(read(kept))
                if (trial, step) not in rows.index:
                    self._keep(self._found[trial, step])
            elif self.decided and str(rows.get((trial, step), "")).startswith(FAILED_AS):
                self._found[trial, step] = Tried.of(
                    {"trial": trial, "step": step, "losses": {}, "error": rows[trial, step].removeprefix(FAILED_AS)}
                )

    def _part(self, trial: str, step: int, places: dict[str, str]) -> Part:
        plan = self._plans[trial]
        told = {"search": self.name, "trial": trial, "step": step, "data": self._data}
        return told | {"plan": asdict(plan), "place": places[plan.base]}

    def _keep(self, tried: Tried) -> None:
        plan = self._plans[tried.trial]
        row = {"search": self.name, "trial": tried.trial, "step": tried.step, "tried_at": self._run.started_at}
        row |= {"base": plan.base, "rank": plan.rank, "learning_rate": plan.learning_rate, "alpha": plan.alpha}
        row |= {"trained": tried.trained or None, "weights": tried.weights or None}
        row |= {
            "loss": None if tried.error else tried.loss,
            "verdict": f"{FAILED_AS}{tried.error}" if tried.error else "trained",
        }
        self._platform.features.write(TRIALS, pd.DataFrame([row])[TRIALS.names])


def _gap(new: pd.DataFrame, old: pd.DataFrame) -> Interval:
    losses, _ = likelihood.comparable({"new": new, "old": old})
    return paired_bootstrap(losses["new"], losses["old"])


def _recommended(best: str, gaps: dict[str, Interval]) -> str:
    """Return the cheapest that is not surely worse than the best."""
    return next((rival for rival, gap in reversed(gaps.items()) if gap.low <= 0), best)


def _said(gap: Interval) -> str:
    return "surely worse than the best" if gap.low > 0 else "no difference to the best"


def _told(gap: Interval) -> str:
    return f"{gap.middle:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
