"""One trial of a search, by a worker that sees no store: only the search's folder, with conversations and bases in it.

a part: plan, step, base ──► trained up to the step, from wherever it was ──► losses a validation conversation ──► told/

At step 0 nothing is trained: those losses are the base's.
"""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from shared.steps import checkpoints, likelihood
from shared.steps.base_checks import checked
from shared.steps.base_names import held, kind_of, tiny_size
from shared.steps.bases import open_tokenizer
from shared.steps.finetune import finetune
from shared.steps.plans import Plan
from shared.steps.run_folder import read
from shared.steps.rungs import reopen, stopping
from shared.systems.assistant.features import tokenised
from shared.systems.assistant.searches import DATA, told_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from transformers import Trainer

    from shared.chat import Message
    from shared.systems.assistant.training import Folders

UNTRAINED = 0  # the step of a trial that is its base
ASIDE = {"counts": "trials"}  # words on what the search counts: see functions/_progress.py

log = logging.getLogger("almanac")


@dataclass(frozen=True)
class Tried:
    """What came of a trial at a rung; with an ``error``, nothing did."""

    trial: str
    step: int
    losses: pd.DataFrame  # as likelihood.losses gives them
    trained: int = 0  # weights
    weights: int = 0  # of the whole model
    error: str = ""

    @property
    def loss(self) -> float:
        """The mean over conversations, in nats a token; nan of none."""
        return float(self.losses["loss"].mean())

    @classmethod
    def of(cls, told: dict[str, Any]) -> Tried:
        """Return what ``attempt`` told."""
        losses = pd.DataFrame(told["losses"], columns=["conversation_id", "loss", "tokens", "bytes"])
        error = told["error"] or ("" if math.isfinite(losses["loss"].sum()) else "its loss is no number: it ran away")
        return cls(**{**told, "losses": losses.set_index("conversation_id"), "error": error})


def attempt(part: dict[str, Any], folders: Folders, on_checkpoint: Callable[[], None]) -> dict[str, Any]:
    """Return what came of one part of a search, as plain values; a trial that breaks says so, and others go on.

    It is kept in the search's folder: by the time that somebody asks again, the trial may have gone on.
    """
    told = {"trial": part["trial"], "step": part["step"], "error": ""}
    upto = f"begins, up to step {part['step']}" if part["step"] != UNTRAINED else "is judged before it is trained"
    log.info("assistant search: %s %s", part["trial"], upto, extra=ASIDE)
    try:
        kept = told_of(folders.runs / part["search"], Plan(**part["plan"]), part["data"], part["step"])
        if not kept.exists():
            fresh = told | _attempted(part, folders, on_checkpoint)
            kept.parent.mkdir(exist_ok=True)
            checkpoints.replaced(kept, json.dumps(fresh))
            on_checkpoint()
        found = read(kept)
        ended = Tried.of(found)
        log.info("assistant search: %s ends at step %d, loss %.4f", ended.trial, ended.step, ended.loss, extra=ASIDE)
        return found
    except Exception as failure:  # noqa: BLE001 - of any kind: memory, a base that is none, numbers that ran away
        log.warning("assistant search: %s failed at %d: %s", part["trial"], part["step"], failure)
        return told | {"losses": {}, "error": f"{type(failure).__name__}: {failure}"[:300]}


def _attempted(part: dict[str, Any], folders: Folders, on_checkpoint: Callable[[], None]) -> dict[str, Any]:
    home, plan = folders.runs / part["search"], Plan(**part["plan"])
    if kind_of(plan.base) == "folder":
        held(part["place"], plan.revision)  # somebody may have put another model there meanwhile
    rows = pd.read_parquet(home / DATA)
    rows["messages"] = rows["messages"].map(json.loads)
    split = {name: rows[rows["split"] == name] for name in ("train", "validation")}
    asked = dict(zip(split["validation"]["conversation_id"], split["validation"]["messages"], strict=True))
    if part["step"] == UNTRAINED:
        return {"losses": _untrained(part["place"], plan, asked).reset_index().to_dict("list")}
    folder = home / plan.name(part["data"])

    def build(output: Path) -> Trainer:
        from shared.steps import sft  # as in training.py

        tokenizer = open_tokenizer(part["place"], plan.revision)
        if not tiny_size(plan.base):
            checked(part["place"], tokenizer, plan.revision)
        tokens = {name: tokenised(part, tokenizer, folders.cache, plan.max_length) for name, part in split.items()}
        examples = sft.Examples(tokens["train"].examples, tokens["validation"].examples)
        return sft.trainer(plan, part["place"], tokenizer, examples, output)

    reopen(folder, part["step"])
    finetune(plan, part["data"], folder, stopping(build, part["step"]), on_checkpoint)
    model = likelihood.opened(str(folder / "best"), part["place"], plan.revision)
    losses = likelihood.losses(model, open_tokenizer(str(folder / "best")), asked, plan.max_length)
    sizes = {name: weights.numel() for name, weights in model.named_parameters()}
    adapter = sum(size for name, size in sizes.items() if "lora_" in name)
    trained = adapter if plan.rank else sum(sizes.values())
    return {"losses": losses.reset_index().to_dict("list"), "trained": trained, "weights": sum(sizes.values())}


def _untrained(place: str, plan: Plan, asked: Mapping[str, Sequence[Message]]) -> pd.DataFrame:
    """Return a base's own losses; its tokenizer is opened first, as it may refuse the base, and weights take long."""
    tokenizer = open_tokenizer(place, plan.revision)
    return likelihood.losses(likelihood.opened(place, revision=plan.revision), tokenizer, asked, plan.max_length)
