"""Ranks, learning rates and bases compared: many trials get few steps, few get all, and the cheapest that will do wins.

    conversations ──► a folder that workers see ──► trials, halved as they go ──► losses a validation conversation
    best trial ──► against the best of each cheaper setting, paired ──► "no difference": the cheapest is recommended
               └──► these and their untrained bases, paired ──► "not surely better than not training": none is

Every rank is tried with every learning rate. LoRA's alpha is one for all ranks and divided by the root of the rank
(rsLoRA), so that a rank is not judged by an adapter that counts less. Cheaper is the smaller model, then what trains
fewer weights. Nothing is recommended where none is surely better than its base without any training.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from shared.errors import NotYetError
from shared.runs import Report
from shared.steps.asha import FAILED, Halving
from shared.steps.base_names import located, tiny_size
from shared.steps.promotion import FEWEST_ROWS, champion
from shared.steps.run_folder import alone, read
from shared.systems.assistant.features import fingerprint
from shared.systems.assistant.searches import given_up, home_of, prepared, sweep, told_of
from shared.systems.assistant.tables import MODEL, TRIALS
from shared.systems.assistant.training import learned_from, stored_sources
from shared.systems.assistant.trials import UNTRAINED, Tried
from shared.systems.assistant.weighing import Rival, Weighed, beside, bounds, cheaper, costs, gap, sentence

if TYPE_CHECKING:
    from pathlib import Path

    from shared.ports import Platform
    from shared.runs import Run
    from shared.steps.asha import Job
    from shared.systems.assistant.searches import Search
    from shared.systems.assistant.training import Folders

    Part = dict[str, Any]
    Each = Callable[[Iterable[Part | None]], Iterator[Part]]  # jobs ──► what came of them, in any order

BEST = "best"  # the verdict on one trial: with it, the search has decided
FAILED_AS = "failed: "  # begins the verdict on one that broke

log = logging.getLogger("almanac")


def search(platform: Platform, run: Run, plan: Search, folders: Folders, each: Each) -> Report:
    """Try each setting; report which is best, and the cheapest that is as good, beside the untrained base.

    ``each`` maps ``trials.attempt`` over parts; one of None says that none is known yet. Called again with the same
    conversations it goes on: rungs from TRIALS, trials from their checkpoints. One that has decided answers from what
    it found then; with more seeds, it trains those alone.

    Raises:
        NotYetError: there are no conversations, too few to compare by, no such base, or every trial failed.
        UsageError: a source that is named is not stored, or the base has no such revision.
        BusyError: another process does the same search.
    """
    trying = _Trying(platform, run, plan, folders.runs)
    with alone(trying.home):
        return _searched(trying, plan, each)


def _searched(trying: _Trying, plan: Search, each: Each) -> Report:
    halving = Halving([*plan.plans()], plan.ladder, at_once=plan.at_once)
    halving.know(trying.known())
    if not trying.decided:
        counted = {"counts": "trials", "due": len(plan.plans()), "done": len({one for one, _ in trying.known()})}
        log.info("assistant search: %d settings", counted["due"], extra=counted)
        for tried in trying.done(each, halving.jobs()):
            halving.take(tried.trial, tried.step, FAILED if tried.error else tried.loss)
    top = halving.losses[plan.ladder.steps[-1]]
    best = min(top, key=lambda trial: top[trial], default="")
    if not best or top[best] == FAILED:
        why = "; ".join(sorted(set(trying.rows()["verdict"])))[:500]
        raise NotYetError(f"no trial reached the top of the ladder: {why}")
    found = trying.weighed(each, best, halving.losses)
    trying.decide(found)
    return trying.report(found)


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
    """Remove weights and checkpoints of trials, and copies of bases, of searches that have decided or were given up."""
    rows = platform.features.read(TRIALS)
    decided = {*rows.loc[rows["verdict"] == BEST, "search"]}
    for home in [*(runs / name for name in decided if (runs / name).is_dir()), *given_up(runs, decided)]:
        sweep(home)


class _Trying:
    """The search's folder and rows, and what came of its trials."""

    def __init__(self, platform: Platform, run: Run, plan: Search, runs: Path) -> None:
        """Find the search's folder, and take up what earlier attempts found."""
        plan = replace(plan, sources=stored_sources(platform, run, plan.sources))
        known = learned_from(platform, run, plan.sources)
        self._rows = pd.concat(known.values())[["conversation_id", "split", "messages"]]
        _must_compare(platform, plan, self._rows)
        self._platform, self._run, self._plan, self._data = platform, run, plan, fingerprint(self._rows)
        self.home, commits = home_of(runs, plan, self._data)
        self.name = self.home.name
        self._plans = {name: one for seed in range(plan.seeds) for name, one in plan.plans(seed, commits).items()}
        self._found: dict[Job, Tried] = {}
        rows = self.rows()
        self.decided = bool(
            rows.loc[rows["trial"].isin(self._plans), "verdict"].eq(BEST).any()
        )  # by an earlier attempt
        self._take_up()

    @cached_property
    def _places(self) -> dict[str, str]:
        return prepared(self._platform, self.home, self._plan.bases, self._rows)

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
            if tried.step != UNTRAINED:
                self._keep(tried)
            trials = {trial for trial, step in self._found if step != UNTRAINED}
            words = (tried.trial, tried.step, tried.error or f"{tried.loss:.4f}")
            log.info("assistant search: %s at %d: %s", *words, extra={"counts": "trials", "done": len(trials)})
            yield tried

    def weighed(self, each: Each, best: str, losses: dict[int, dict[str, float]]) -> Weighed:
        """Return the best trial beside cheaper ones, and it and all that are as good beside their untrained bases."""
        found = Weighed(best, self._against_cheaper(each, best, losses), {})
        for trial in found.equal:
            mine, base = self._at_the_top(each, trial), self._untrained(each, self._plans[trial].base)
            if mine is not None and base is not None:
                found.base[trial] = gap(mine, base)
        return found

    def _against_cheaper(self, each: Each, best: str, losses: dict[int, dict[str, float]]) -> dict[str, Rival]:
        """Return how the best trial of each cheaper setting stands to ``best``, the dearest of them first.

        All are trained to the top before, with every seed. Below one that is surely worse, lower ranks on the same base
        are not tried; other bases are, and LoRA below all weights: these may be worse for reasons of their own.
        """
        rivals: dict[str, Rival] = {}
        worse: set[tuple[str, bool]] = set()
        mine, base = self._at_the_top(each, best), self._untrained(each, self._plans[best].base)
        for rival in cheaper(best, losses, self._plans, costs(self.rows())):
            kind = self._plans[rival].base, self._plans[rival].rank > 0
            theirs = None if mine is None or kind in worse else self._at_the_top(each, rival)
            if mine is None or theirs is None:
                continue
            rivals[rival] = beside(theirs, mine, base)
            if rivals[rival].worse:
                worse.add(kind)
        return rivals

    def decide(self, found: Weighed) -> None:
        """Write the verdict on each rung into TRIALS."""
        rows = self.rows()
        last = rows.groupby("trial")["step"].transform("max") == rows["step"]
        verdicts = rows["verdict"].where(rows["loss"].isna(), "went on").mask(last & rows["loss"].notna(), "stopped")
        said = {rival: one.verdict for rival, one in found.cheaper.items()}
        if found.chosen in said:
            said[found.chosen] += ": recommended"
        for trial, verdict in (said | {found.best: BEST}).items():
            verdicts = verdicts.mask(last & (rows["trial"] == trial), verdict)
        self._platform.features.write(TRIALS, rows.assign(verdict=verdicts))

    def report(self, found: Weighed) -> Report:
        """Return how far each trial got, and what to take; without a headline: no trial's loss is the system's."""
        rows = self.rows().sort_values(["step", "loss"], ascending=[False, True])
        shown = rows.drop_duplicates("trial")[["trial", "step", "loss", "trained", "verdict"]]
        best, chosen, top = found.best, found.chosen, self._plan.ladder.steps[-1]
        named = {"loss": best, "recommended_loss": chosen} if chosen else {"loss": best}
        metrics = {name: self._found[trial, top].loss for name, trial in named.items()} | {"trials": float(len(shown))}
        if rival := found.cheaper.get(chosen):
            metrics |= bounds("difference", rival.gap) | {"difference_allowed": rival.margin}
        metrics |= bounds("than_base", found.base.get(chosen or best))
        bases = {
            name: self._found[self._base_of(self._plans[trial].base)].loss
            for name, trial in named.items()
            if trial in found.base
        }
        table: list[dict[str, Any]] = [
            {str(name): cell for name, cell in row.items()} for row in shown.to_dict("records")
        ]
        return Report(
            rows=len(rows),
            metrics=metrics,
            baselines=bases,
            model=chosen,
            note=sentence(found, self._plans, self._plan.seeds),
            table=table,
        )

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

    def _untrained(self, each: Each, base: str) -> pd.DataFrame | None:
        """Return the losses of a base without any training; None if it could not be judged."""
        if (job := self._base_of(base)) not in self._found:
            for _ in self.done(each, [job]):
                pass
        return None if self._found[job].error else self._found[job].losses

    def _base_of(self, base: str) -> Job:
        """Return the job that judges a base: step 0 of the first trial on it."""
        return next(trial for trial, plan in self._plans.items() if plan.base == base), UNTRAINED

    def _take_up(self) -> None:
        """Know what is kept of trials, and give it its rows; once it was decided, those that failed are known, too."""
        rows = self.rows().set_index(["trial", "step"])["verdict"]
        jobs = [(trial, step) for trial in self._plans for step in (UNTRAINED, *self._plan.ladder.steps)]
        for trial, step in jobs:
            kept = told_of(self.home, self._plans[trial], self._data, step)
            if kept.exists():
                self._found[trial, step] = Tried.of(read(kept))
                if step != UNTRAINED and (trial, step) not in rows.index:
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


def _must_compare(platform: Platform, plan: Search, rows: pd.DataFrame) -> None:
    """Refuse, before the search has a folder, what could not be compared in the end.

    Raises:
        NotYetError: too few conversations to compare by, or no such version to begin with.
        SourceError: a base is none.
    """
    if (judged := int((rows["split"] == "validation").sum())) < FEWEST_ROWS:
        few = f"{judged} validation conversations are too few to compare trials by, {FEWEST_ROWS} the fewest"
        raise NotYetError(f"{few}: prepare more with `almanac run assistant prepare`")
    for base in plan.bases:
        if tiny_size(base) is None:
            located(base, platform.models)
