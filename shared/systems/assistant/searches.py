"""A search: what it compares, and its folder: what its workers read, what they leave, and what stays of it.

plan.json               settings, conversations, and the commit of each base on the Hub: whoever goes on takes the same
conversations.parquet   conversation_id, split, messages as JSON
bases/                  those that are on no hub
NAME/                   a trial, as of run_folder; it goes on from its checkpoints when a higher rung asks for it
told/NAME-STEP.json     what came of a trial at a rung, with the loss of each conversation

When the search has decided, plan.json and told/ stay: asked again, it answers from them.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import shutil
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from shared.errors import UnsafeFileError, UsageError
from shared.steps import checkpoints
from shared.steps.asha import Ladder
from shared.steps.base_checks import pinned
from shared.steps.base_names import TINY, located, tiny_size
from shared.steps.bases import build_tiny
from shared.steps.run_folder import read
from shared.systems.assistant.tables import MODEL
from shared.systems.assistant.training import usual_plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from shared.ports import Platform
    from shared.steps.plans import Plan

PLAN, DATA, TOLD = "plan.json", "conversations.parquet", "told"

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

    def __post_init__(self) -> None:
        """Refuse a search of nothing.

        Raises:
            UsageError: nothing is to be compared.
        """
        if not (self.bases and self.ranks and self.learning_rates and self.seeds > 0 and self.at_once > 0):
            raise UsageError(f"a search compares at least one base, rank and learning rate, with one seed; got {self}")

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
        ['tiny-r8-lr1e-04-s1', 'tiny-r8-lr2e-04-s1']
        """
        lowest, steps = self.ladder.lowest, self.ladder.steps[-1]
        rungs = {"steps": steps, "evaluate_every": lowest, "checkpoint_every": lowest, "patience": 0, "seed": seed}
        several, known = itertools.product(self.bases, self.ranks, self.learning_rates), commits or {}
        plans = [
            usual_plan(base, revision=known.get(base, ""), rank=rank, learning_rate=rate, **rungs)
            for base, rank, rate in several
        ]
        return {f"{plan.base}-r{plan.rank}-lr{plan.learning_rate:.0e}-s{seed}": plan for plan in plans}


def home_of(runs: Path, plan: Search, data: str) -> tuple[Path, dict[str, str]]:
    """Return the folder of a search on the conversations of that fingerprint, and the commits of its bases on the Hub.

    One in which a trial came to something goes on with the commits it began with; a new one takes the newest.

    Raises:
        SourceError: a base is none, or cannot be had.
    """
    settings = {name: value for name, value in asdict(plan).items() if name not in ("seeds", "at_once")}
    told = json.loads(json.dumps({"settings": settings, "data": data}))
    begun = sorted(runs.glob(f"search-*/{TOLD}"), key=lambda place: (place.stat().st_mtime, place), reverse=True)
    for marked in (place.with_name(PLAN) for place in begun):
        known = _known(marked)
        if {name: known.get(name) for name in told} == told and isinstance(known.get("revisions"), dict):
            return marked.parent, known["revisions"]
    told["revisions"] = {base: commit for base in plan.bases if (commit := pinned(base))}
    short = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]
    home = runs / f"search-{short}"
    home.mkdir(parents=True, exist_ok=True)
    checkpoints.replaced(home / PLAN, json.dumps(told, indent=1))
    return home, told["revisions"]


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
    """Remove all but what an answer takes, of a search that has decided; what a kill leaves goes with the next call."""
    for place in [*home.iterdir()]:
        if place.is_dir() and place.name != TOLD:
            checkpoints.vanish(place, home / ".gone")
        elif place.is_file() and place.name != PLAN:
            place.unlink()


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
        return str(build_tiny(own, (one["content"] for messages in rows["messages"] for one in messages), size=size))
    found = located(base, platform.models)
    if not base.startswith(f"{MODEL}:"):
        return found
    if not own.exists():
        beside = own.with_name(f".{own.name}.new")
        shutil.rmtree(beside, ignore_errors=True)
        shutil.copytree(found, beside)
        beside.rename(own)
    return str(own)
