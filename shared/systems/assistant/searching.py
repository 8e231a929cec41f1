"""Ranks, learning rates and bases compared: many trials get few steps, few get all, and the cheapest that will do wins.

    conversations ──► a folder that workers see ──► trials, halved as they go ──► losses a validation conversation
    best trial ──► against the best of each cheaper setting, paired ──► "no difference": the cheaper one is recommended
               └──► these and their untrained bases, paired ──► "no difference from not training": none is

Every rank is tried with every learning rate. LoRA's alpha is one for all ranks and divided by the root of the rank
(rsLoRA), so that a rank is not judged by an adapter that counts less. Cheaper is what trains fewer weights, then what
is the smaller model. Nothing is recommended where none is surely better than its base without any training.
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
from shared.steps.asha import FAILED, Halving
from shared.steps.base_names import located, tiny_size
from shared.steps.promotion import FEWEST_ROWS, champion
from shared.steps.run_folder import read
from shared.systems.assistant.features import fingerprint
from shared.systems.assistant.searches import home_of, prepared, sweep, told_of
from shared.systems.assistant.tables import MODEL, TRIALS
from shared.systems.assistant.training import learned_from
from shared.systems.assistant.trials import UNTRAINED, Tried
from shared.systems.assistant.weighing import Weighed, bounds, gap, sentence, verdict

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
    """Try each setting; report which is best, and the cheapest that is not surely worse, beside the untrained base.

    ``each`` maps ``trials.attempt`` over parts; one of None says that none is known yet. Called again with the same
    conversations it goes on: rungs from TRIALS, trials from their checkpoints. One that has decided answers from what
    it found then; with more seeds, it trains those alone.

    Raises:
        NotYetError: there are no conversations, too few to compare by, no such base, or every trial failed.
    """
    trying = _Trying(platform, run, plan, folders.runs)
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
        _must_compare(platform, plan, self._rows)
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
            if tried.step != UNTRAINED:
                self._keep(tried)
            trials = {trial for trial, step in self._found if step != UNTRAINED}
            words = (tried.trial, tried.step, tried.error or f"{tried.loss:.4f}")
            log.info("assistant search: %s at %d: %s", *words, extra={"counts": "trials", "done": len(trials)})
            yield tried

    def weighed(self, each: Each, best: str, losses: dict[int, dict[str, float]]) -> Weighed:
        """Return the best trial beside cheaper ones, and all that are not surely worse beside their untrained bases."""
        found = Weighed(best, self._against_cheaper(each, best, losses), {})
        for trial in found.equal:
            mine, base = self._at_the_top(each, trial), self._untrained(each, self._plans[trial].base)
            if mine is not None and not base.error:
                found.base[trial] = gap(mine, base.losses)
        return found

    def _against_cheaper(self, each: Each, best: str, losses: dict[int, dict[str, float]]) -> dict[str, Interval]:
        """Return how much worse than ``best`` the best trial of each cheaper setting is, the dearest of them first.

        It ends with the first that is surely worse. All are trained to the top before, with every seed.
        """
        gaps: dict[str, Interval] = {}
        mine = self._at_the_top(each, best)
        for rival in self._cheaper(best, losses):
            theirs = self._at_the_top(each, rival)
            if theirs is None or mine is None:
                continue
            gaps[rival] = gap(theirs, mine)
            if gaps[rival].low > 0:
                break
        return gaps

    def decide(self, found: Weighed) -> None:
        """Write the verdict on each rung into TRIALS."""
        best, gaps, _ = found
        rows = self.rows()
        last = rows.groupby("trial")["step"].transform("max") == rows["step"]
        verdicts = rows["verdict"].where(rows["loss"].isna(), "went on").mask(last & rows["loss"].notna(), "stopped")
        for trial, said in {**{rival: verdict(one) for rival, one in gaps.items()}, best: BEST}.items():
            verdicts = verdicts.mask(last & (rows["trial"] == trial), said)
        if (chosen := found.chosen) not in ("", best):
            verdicts = verdicts.mask(last & (rows["trial"] == chosen), f"{verdict(gaps[chosen])}: recommended")
        self._platform.features.write(TRIALS, rows.assign(verdict=verdicts))

    def report(self, found: Weighed) -> Report:
        """Return how far each trial got, and what to take; without a headline: no trial's loss is the system's."""
        rows = self.rows().sort_values(["step", "loss"], ascending=[False, True])
        shown = rows.drop_duplicates("trial")[["trial", "step", "loss", "trained", "verdict"]]
        best, chosen, top = found.best, found.chosen, self._plan.ladder.steps[-1]
        named = {"loss": best, "recommended_loss": chosen} if chosen else {"loss": best}
        metrics = {name: self._found[trial, top].loss for name, trial in named.items()} | {"trials": float(len(shown))}
        metrics |= bounds("difference", found.cheaper.get(chosen)) | bounds("than_base", found.base.get(chosen or best))
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

    def _untrained(self, each: Each, base: str) -> Tried:
        """Return what a base does without any training."""
        if (job := self._base_of(base)) not in self._found:
            for _ in self.done(each, [job]):
                pass
        return self._found[job]

    def _base_of(self, base: str) -> Job:
        """Return the job that judges a base: step 0 of the first trial on it."""
        return next(trial for trial, plan in self._plans.items() if plan.base == base), UNTRAINED

    def _take_up(self) -> None:
        """Know what is kept of trials, and give it its rows; once it was decided, those that failed are known, too."""
        rows = self.rows().set_index(["trial", "step"])["verdict"]
        jobs = [(trial, step) for trial in self._plans for step in (UNTRAINED, *self._plan.ladder.steps)]
        for trial, step in jobs:
            kept = told_of(self._home, self._plans[trial], self._data, step)
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
