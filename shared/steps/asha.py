"""Asynchronous successive halving: many trials get a few steps, the best third of them three times as many, and so on.

    trials ──► jobs: (trial, steps) ──► workers, in any order ──► losses ──► who goes on ──► jobs …

Li et al. 2020, arXiv:1810.05934, algorithm 2: a free worker promotes a trial of the highest rung that has one among its
best 1/eta, else begins a new one; nobody waits for a rung to fill. Two things differ as trials are a given list here:
they begin in an order drawn once, and when all have, the best goes on even if its rung is too small to promote one.
"""

from __future__ import annotations

import math
import random
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import SchemaError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Job = tuple[str, int]  # a trial's name, and the step up to which it is to be trained

FAILED = math.inf  # the loss of a trial that broke: it never goes on


@dataclass(frozen=True)
class Ladder:
    """The rungs: ``lowest`` steps, then ``eta`` times as many, and again.

    >>> Ladder(lowest=100, eta=3, rungs=3).steps
    (100, 300, 900)
    """

    lowest: int = 100
    eta: int = 3
    rungs: int = 3

    def __str__(self) -> str:
        """Return it in words.

        >>> print(Ladder(lowest=100, eta=3, rungs=3))
        3 rungs, the lowest of 100 steps, each 3 times the one below
        """
        return f"{self.rungs} rungs, the lowest of {self.lowest} steps, each {self.eta} times the one below"

    def __post_init__(self) -> None:
        """Refuse what is no ladder.

        Raises:
            UsageError: no step, no rung, or rungs that do not grow.
        """
        if self.lowest < 1 or self.eta < 2 or self.rungs < 1:
            raise UsageError(f"a ladder has a lowest rung and rungs from 1 on, and an eta from 2 on; got {self}")

    @property
    def steps(self) -> tuple[int, ...]:
        """Training steps of each rung, the lowest first."""
        return tuple(self.lowest * self.eta**rung for rung in range(self.rungs))


class Halving:
    """Which trial to train next. ``jobs`` may be read ahead and in another thread than ``take`` is called in."""

    def __init__(self, trials: Sequence[str], ladder: Ladder, *, at_once: int = 1, seed: int = 0) -> None:
        """Begin with ``trials`` in an order drawn by ``seed``; ``at_once`` is how many workers there are."""
        self._steps, self._eta, self._at_once = ladder.steps, ladder.eta, at_once
        self._waiting = random.Random(seed).sample([*trials], len(trials))  # noqa: S311 - no secret
        self._losses: dict[int, dict[str, float]] = {step: {} for step in ladder.steps}
        self._begun: set[Job] = set()
        self._guard = threading.Lock()

    @property
    def losses(self) -> dict[int, dict[str, float]]:
        """What each trial reached at each rung's steps, by step and trial."""
        return {step: dict(found) for step, found in self._losses.items()}

    def know(self, losses: Mapping[Job, float]) -> None:
        """Take over what an earlier attempt at the same search found; what failed then is tried again."""
        for job, loss in losses.items():
            if math.isfinite(loss) and job[1] in self._losses:
                self._begun.add(job)
                self._losses[job[1]][job[0]] = loss
        self._waiting = [trial for trial in self._waiting if (trial, self._steps[0]) not in self._begun]

    def jobs(self) -> Iterator[Job | None]:
        """Yield what to train next; None while that depends on a job that runs: whoever reads asks again.

        It never blocks, so it cannot stop a loop that also has to bring the losses it would wait for.
        """
        while True:
            with self._guard:
                running = len(self._begun) - sum(map(len, self._losses.values()))
                job = self._next(alone=running == 0) if running < self._at_once else None
                if job:
                    self._begun.add(job)
            if job is None and running == 0:
                return
            yield job

    def take(self, trial: str, step: int, loss: float) -> None:
        """Hear that a job is done, with the loss it reached; ``FAILED``, or no number, if it broke.

        Raises:
            SchemaError: nobody was told to do that job.
        """
        with self._guard:
            if (trial, step) not in self._begun:
                raise SchemaError(f"no job trained {trial} up to step {step}: results of another search came in")
            self._losses[step][trial] = loss if math.isfinite(loss) else FAILED

    def _next(self, *, alone: bool) -> Job | None:
        promoted = self._promotable(lambda trials: trials // self._eta)
        if promoted is None and self._waiting:
            return self._waiting.pop(0), self._steps[0]
        if promoted is None and alone and not self._reached_the_top():
            return self._promotable(lambda trials: trials)
        return promoted

    def _promotable(self, share: Callable[[int], int]) -> Job | None:
        """Return the best trial of the highest rung that may go on and did not yet."""
        for here, above in reversed([*zip(self._steps, self._steps[1:], strict=False)]):
            found = self._losses[here]
            best = sorted(found, key=lambda trial: (found[trial], trial))[: share(len(found))]
            for trial in best:
                if (trial, above) not in self._begun and found[trial] < FAILED:
                    return trial, above
        return None

    def _reached_the_top(self) -> bool:
        return any(loss < FAILED for loss in self._losses[self._steps[-1]].values())
