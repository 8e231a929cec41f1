"""A search: what it compares, and its folder: what its workers read, what they leave, and what stays of it.

plan.json               settings, conversations, and the commit of each base on the Hub: whoever goes on takes the same
conversations.parquet   conversation_id, split, messages as JSON
bases/                  those that are on no hub
NAME/                   a trial, as of run_folder; it goes on from its checkpoints when a higher rung asks for it
told/NAME-STEP.json     what came of a trial at a rung, with the loss of each conversation

When the search has decided, plan.json and told/ stay: asked again, it answers from them. So they do of one that was
given up: asked again, it goes on, and trains anew the trials that go higher.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from shared.errors import BusyError, UnsafeFileError, UsageError
from shared.steps import checkpoints
from shared.steps.asha import Ladder
from shared.steps.base_checks import pinned
from shared.steps.base_names import TINY, kind_of, located, tiny_size
from shared.steps.run_folder import LOCK, alone, read
from shared.systems.assistant.tables import MODEL
from shared.systems.assistant.training import tiny_base, usual_plan

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from shared.ports import Platform
    from shared.steps.plans import Plan

PLAN, DATA, TOLD = "plan.json", "conversations.parquet", "told"
KEPT = 3  # searches that did not decide keep their trials

log = logging.getLogger("almanac")


@dataclass(frozen=True)
class Search:
    """What is compared: each base with each rank and learning rate; those that get to the top with each seed."""

    bases: tuple[str, ...] = (TINY,)
    ranks: tuple[int, ...] = (8, 16, 32, 64)
    learning_rates: tuple[float, ...] = (1e-4, 2e-4, 5e-4)
    ladder: Ladder = field(default_factory=Ladder)
    seeds: int = 1
    at_once: int = 4  # jobs given out at a time
    revision: str = ""  # of the base, where there is one
    sources: str = ""  # as of a plan

    def __post_init__(self) -> None:
        """Refuse a search of nothing.

        Raises:
            UsageError: nothing is to be compared.
        """
        if not (self.bases and self.ranks and self.learning_rates and self.seeds > 0 and self.at_once > 0):
            raise UsageError(f"a search compares at least one base, rank and learning rate, with one seed; got {self}")
        if self.revision and len(self.bases) > 1:
            raise UsageError(f"--revision is of one base, and here are {len(self.bases)}: search each by itself")

    def __str__(self) -> str:
        """Return what is compared, in words.

        >>> print(Search(ranks=(8, 16), learning_rates=(1e-4,), seeds=2))
        bases tiny; ranks 8, 16; learning rates 0.0001; seeds 2; 3 rungs, the lowest of 100 steps, each 3 times ...
        """
        bases, ranks = ", ".join(self.bases) or "none", ", ".join(map(str, self.ranks)) or "none"
        rates = ", ".join(f"{rate:g}" for rate in self.learning_rates) or "none"
        return f"bases {bases}; ranks {ranks}; learning rates {rates}; seeds {self.seeds}; {self.ladder}"

    def plans(self, seed: int = 0, commits: Mapping[str, str] | None = None) -> dict[str, Plan]:
        """Return the plan of each trial, by a short name; each runs to the highest rung, if it gets there.

        ``commits`` are those of bases on the Hub.

        >>> [*Search(ranks=(8,), learning_rates=(1e-4, 2e-4)).plans(seed=1)]
        ['tiny-r8-lr0.0001-s1', 'tiny-r8-lr0.0002-s1']
        """
        lowest, steps = self.ladder.lowest, self.ladder.steps[-1]
        rungs = {"steps": steps, "evaluate_every": lowest, "checkpoint_every": lowest, "patience": 0, "seed": seed}
        several, known = itertools.product(self.bases, self.ranks, self.learning_rates), commits or {}
        plans = [
            usual_plan(base, revision=known.get(base, ""), rank=rank, learning_rate=rate, sources=self.sources, **rungs)
            for base, rank, rate in several
        ]
        # With all digits of the rate: by a rounded one, of two trials with rates close to each other one would be lost.
        return {f"{plan.base}-r{plan.rank}-lr{plan.learning_rate}-s{seed}": plan for plan in plans}


def home_of(runs: Path, plan: Search, data: str) -> tuple[Path, dict[str, str]]:
    """Return the folder of a search on the conversations of that fingerprint, and the commits of its bases on the Hub.

    One in which a trial came to something goes on with the commits it began with; a new one takes the newest. With a
    revision that is named, or another model in a base's folder, it is another search.

    Raises:
        SourceError: a base is none, or cannot be had.
        UsageError, UnsafeFileError: it has no such revision.
    """
    held = {base: pinned(base, plan.revision) for base in plan.bases if plan.revision or kind_of(base) == "folder"}
    told, usual = {"settings": _settings(plan), "data": data}, _settings(Search())
    begun = sorted(runs.glob(f"search-*/{TOLD}"), key=lambda place: (place.stat().st_mtime, place), reverse=True)
    for marked in (place.with_name(PLAN) for place in begun):
        known = _known(marked)
        commits, settings = known.get("revisions"), known.get("settings")
        # What was no setting yet when it was begun was as is usual.
        same = isinstance(settings, dict) and {"settings": usual | settings, "data": known.get("data")} == told
        if same and isinstance(commits, dict) and held.items() <= commits.items():
            return marked.parent, commits
    commits = held | {base: commit for base in plan.bases if base not in held and (commit := pinned(base))}
    told["revisions"] = commits
    short = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]
    home = runs / f"search-{short}"
    home.mkdir(parents=True, exist_ok=True)
    checkpoints.replaced(home / PLAN, json.dumps(told, indent=1))
    return home, commits


def prepared(platform: Platform, home: Path, bases: Sequence[str], rows: pd.DataFrame) -> dict[str, str]:
    """Write what workers read, and return where they find each base: on the Hub, or here, where it is copied or made.

    Raises:
        NotYetError, SourceError: there is no such base.
    """
    found = {base: _place(platform, base, home / "bases", rows) for base in bases}
    if not (home / DATA).exists():
        rows.assign(messages=rows["messages"].map(json.dumps)).to_parquet(home / f".{DATA}")
        (home / f".{DATA}").rename(home / DATA)
    return found


def told_of(home: Path, plan: Plan, data: str, step: int) -> Path:
    """Return the file that says what came of a trial at a rung."""
    return home / TOLD / f"{plan.name(data)}-{step}.json"


def sweep(home: Path) -> None:
    """Remove all but what an answer takes, unless somebody searches in there; what a kill leaves goes the next time."""
    with suppress(BusyError), alone(home):
        for place in [*home.iterdir()]:
            if place.is_dir() and place.name != TOLD:
                checkpoints.vanish(place, home / ".gone")
            elif place.is_file() and place.name not in (PLAN, LOCK):
                place.unlink()


def given_up(runs: Path, decided: Collection[str]) -> list[Path]:
    """Return the folders of searches that did not decide, but for the newest: those in which it was written last.

    One that runs is among these, as each of its trials writes there.
    """
    open_ones = [home for home in runs.glob("search-*") if home.is_dir() and home.name not in decided]
    return sorted(open_ones, key=lambda home: (_last_written(home), home.name), reverse=True)[KEPT:]


def _settings(plan: Search) -> dict[str, Any]:
    told = {name: value for name, value in asdict(plan).items() if name not in ("seeds", "at_once", "revision")}
    return dict(json.loads(json.dumps(told)))  # as a file tells it


def _last_written(home: Path) -> float:
    found = home.stat().st_mtime
    for place in (*home.glob("*"), *home.glob("*/*")):
        with suppress(FileNotFoundError):  # of one that runs: locks and halves come and go
            found = max(found, place.stat().st_mtime)
    return found


def _known(marked: Path) -> dict[str, Any]:
    try:
        return read(marked)
    except UnsafeFileError as cause:
        log.warning("the search %s is skipped: %s", marked.parent.name, cause)
        return {}


def _place(platform: Platform, base: str, folder: Path, rows: pd.DataFrame) -> str:
    size, own = tiny_size(base), folder / base.replace(":", "-")
    if size is not None:
        folder.mkdir(parents=True, exist_ok=True)
        return tiny_base(own, rows, size)
    found = located(base, platform.models)
    if not base.startswith(f"{MODEL}:"):
        return found
    if not own.exists():
        beside = own.with_name(f".{own.name}.new")
        shutil.rmtree(beside, ignore_errors=True)
        shutil.copytree(found, beside)
        beside.rename(own)
    return str(own)
