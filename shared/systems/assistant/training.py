"""How the assistant is fine-tuned: a plan, the stored conversations, a run folder that any attempt goes on in.

    conversations of train and validation ──► tokens ──┐
    base: tiny, a version, a folder, the Hub ──────────┴──► finetune ──► best weights in <runs>/<name>/best

The run's name follows from the plan and the conversations: called again, the same stage goes on or has nothing to do.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from shared.errors import NotYetError, UsageError
from shared.runs import Report
from shared.steps.base_checks import checked, pinned
from shared.steps.base_names import kind_of, located, tiny_size
from shared.steps.bases import build_tiny, open_tokenizer
from shared.steps.finetune import finetune as trained
from shared.steps.plans import Plan
from shared.steps.run_folder import already
from shared.steps.tuned import begun_with
from shared.systems.assistant.features import conversations, fingerprint, tokenised, too_few
from shared.systems.assistant.tables import SPLITS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from transformers import Trainer

    from shared.ports import Platform
    from shared.runs import Run
    from shared.steps.base_names import Size
    from shared.steps.run_folder import Finetuned

JUDGED = 400  # validation conversations that decide which checkpoint is best
AGAIN = "`almanac run assistant finetune`"  # what to run where there is no model to judge or to export
FEWEST = 50  # conversations: of as many, 0.9^50 = 1 of 200 times none is drawn for validation


log = logging.getLogger("almanac")


@dataclass(frozen=True)
class Folders:
    """Where runs outlive the machine, and where what can be computed again is kept."""

    runs: Path
    cache: Path


def usual_plan(base: str, **told: str | float | bool) -> Plan:
    """Return what is usual for a base, but for what is ``told``.

    A tiny model learns with all its weights in minutes on a CPU; any other with LoRA, as its predecessors did.

    >>> usual_plan("tiny").rank, usual_plan("meta-llama/Llama-3.2-1B-Instruct", rank=8).rank
    (0, 8)
    """
    usual: dict[str, object]
    if tiny_size(base):
        usual = {"rank": 0, "learning_rate": 3e-3, "steps": 500, "batch": 4, "accumulation": 1, "max_length": 512}
        usual |= {"packing": True, "warmup": 20, "evaluate_every": 100, "checkpoint_every": 100}
    else:
        usual = {"precision": "bf16" if "/" in base else "fp32", "patience": 5}
    return Plan(**{"base": base} | usual | told)  # type: ignore[arg-type]


def finetune(
    platform: Platform, run: Run, plan: Plan, folders: Folders, on_checkpoint: Callable[[], None] = lambda: None
) -> Report:
    """Fine-tune on the conversations known by the run's date, or go on with it; return losses beside the base's.

    A base on the Hub is that of the plan's revision; without one, that of an earlier attempt, else the newest. With
    another model in its folder it is another run.

    Raises:
        NotYetError: there are no conversations, or no such version to begin with.
        SourceError: the base is none.
        UsageError: a source that the plan names is not stored.
        UnsafeFileError: the base's folder holds another model than the plan's revision says.
        BusyError: another process trains the same.
    """
    plan = replace(plan, sources=stored_sources(platform, run, plan.sources))
    known = learned_from(platform, run, plan.sources)
    data = fingerprint(pd.concat(known.values()))
    plan = replace(plan, revision=_pinned(plan, begun_with(folders.runs, plan, data)))
    folder = folders.runs / plan.name(data)
    # A base that cannot be had is said before there is a folder; one whose run has ended may be gone.
    there = "" if tiny_size(plan.base) is not None or already(folder) else located(plan.base, platform.models)
    if lacking := _lacking(platform, run):
        log.warning("%s", lacking)
    began, upon = "had ended before" if already(folder) else "begun anew", _beginnings(plan)

    def build(output: Path) -> Trainer:
        from shared.steps import sft  # TRL takes 5 s to import, and what is needed of this module by others needs none

        place = there or base_of(platform, plan, folder, known["train"])
        tokenizer = open_tokenizer(place, plan.revision)
        if not tiny_size(plan.base):
            checked(place, tokenizer, plan.revision)
        tokens = {split: tokenised(rows, tokenizer, folders.cache, plan.max_length) for split, rows in known.items()}
        examples = sft.Examples(tokens["train"].examples, tokens["validation"].examples)
        return sft.trainer(plan, place, tokenizer, examples, output)

    ended = trained(plan, data, folder, build, on_checkpoint)
    if ended.resumed_from and began == "begun anew":
        began = f"gone on after step {ended.resumed_from}"
    metrics = _metrics(ended)
    told = asdict(plan) | {"alpha": plan.alpha, "data": data, "run": ended.name, "device": ended.device}
    platform.tracker.log(run.run_id, told, metrics)
    return Report(
        rows=len(known["train"]),
        metrics=metrics,
        baselines={"eval_loss": ended.base_loss},
        headline="eval_loss",
        model=ended.name,
        note=f"{began}{upon}; best after step {ended.best_step} of {ended.steps}, on {ended.device}; "
        + (f"next: {lacking}, then " if lacking else "next: ")
        + f"almanac run assistant evaluate --name {ended.name}",
    )


def _beginnings(plan: Plan) -> str:
    """Return as a clause what a run learned from, as far as the plan pins it."""
    words = "at commit" if kind_of(plan.base) == "hub" else "with the bytes of"
    base = f", on {plan.base} {words} {plan.revision[:12]}" if plan.revision else ""
    return f"{base}, from {plan.sources.replace(',', ' and ')} alone" if plan.sources else base


def stored_sources(platform: Platform, run: Run, told: str) -> str:
    """Return the sources that ``told`` names, joined by commas, each once and in one order; "" stays: all of them.

    Raises:
        NotYetError: there are no conversations by the run's date.
        UsageError: by then none of that name is stored.
    """
    if not told:
        return ""
    named, known = {one.strip() for one in told.split(",")}, conversations(platform, SPLITS, until=run.until)["source"]
    if strange := sorted(named - {*known}):
        there = ", ".join(sorted({*known}))
        raise UsageError(f"no source {', '.join(map(repr, strange))} is stored: --sources takes of {there}")
    return ",".join(sorted(named))


def learned_from(platform: Platform, run: Run, sources: str = "") -> dict[str, pd.DataFrame]:
    """Return the conversations known by the run's date: of "train", and of "validation" those that are judged on.

    Of the stored sources that are named, joined by commas, or of all.

    Raises:
        NotYetError: there are none of either split; the sentence says how many more it takes.
    """
    kept = conversations(platform, ("train", "validation"), until=run.until)
    kept, whose = (kept[kept["source"].isin(sources.split(","))], f" of {sources}") if sources else (kept, "")
    train, judged = (kept[kept["split"] == split].reset_index(drop=True) for split in ("train", "validation"))
    if train.empty:
        raise NotYetError(f"there are no conversations{whose} to learn from; run `almanac run assistant prepare`")
    if judged.empty:
        more = f"{len(train)} conversations{whose} to learn from leave none to judge by: about one in ten is set aside"
        raise NotYetError(f"{more} for that, so prepare at least {FEWEST} (`almanac run assistant prepare`)")
    return {"train": train, "validation": judged.head(JUDGED)}  # ids are hashes: these are a sample


def _pinned(plan: Plan, before: str) -> str:
    """Return the revision of a plan's base; ``before`` is that of an earlier attempt at the plan."""
    if kind_of(plan.base) != "folder":
        return pinned(plan.base, plan.revision or before)
    now = pinned(plan.base, plan.revision)
    if before not in ("", now):
        log.warning("%s holds another model than before: this is another run, begun anew", plan.base)
    return now


def _lacking(platform: Platform, run: Run) -> str:
    """Return that `evaluate` will refuse as few conversations as are known by the run's date, "" if it will not."""
    try:
        count = len(conversations(platform, ("test",), until=run.until))
    except NotYetError:
        count = 0
    return too_few({"test": count})


def base_of(platform: Platform, plan: Plan, folder: Path, rows: pd.DataFrame | None = None) -> str:
    """Return where a run's base lies, as ``from_pretrained`` takes it; a tiny one is made of ``rows`` in its folder.

    Raises:
        NotYetError: there is no such version, or no tiny base yet.
        SourceError: it is none.
        UnsafeFileError: its folder holds another model by now.
    """
    if (size := tiny_size(plan.base)) is None:
        return located(plan.base, platform.models, plan.revision)
    if rows is None:
        if not (folder / "base").exists():
            raise NotYetError(f"{folder.name} has no base yet; run {AGAIN} first")
        return str(folder / "base")
    return tiny_base(folder / "base", rows, size, plan.seed)


def tiny_base(place: Path, rows: pd.DataFrame, size: Size, seed: int = 0) -> str:
    """Make a tiny base, unless it was made there before, of the conversations that are learned from; return ``place``.

    Its tokenizer sees nothing of those that it is judged by.
    """
    learned = rows.loc[rows["split"] == "train", "messages"]
    return str(build_tiny(place, (message["content"] for messages in learned for message in messages), seed, size))


def _metrics(ended: Finetuned) -> dict[str, float]:
    return {
        "eval_loss": ended.best_loss,
        "steps": ended.steps,
        "best_step": ended.best_step,
        "tokens": ended.tokens,
        "tokens_per_second": round(ended.tokens_per_second, 1),
        "peak_memory_mb": ended.peak_memory_mb,
    }
