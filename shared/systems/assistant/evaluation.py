"""How a fine-tuned model does beside its base and the champion, on what none of them learned from.

    test conversations ──► losses ─────────────┐
    instructions ──► answers, judged by rule ──┼──► figures of candidate, base, champion ──► EVALUATIONS, losses
    meals' requests ──► recipes, checked ──────┘        └──► a row a figure: better, worse, no sure difference

Meals are composed as they are served, under the grammar; and by the candidate also without it, to show what that does.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from shared.errors import NotYetError, UnsafeFileError
from shared.runs import Report
from shared.steps import likelihood
from shared.steps.answering.engine import Engine
from shared.steps.answering.job import Model
from shared.steps.bases import open_tokenizer
from shared.steps.promotion import FEWEST_ROWS, PROMOTIONS, SERVING, champion
from shared.steps.side_by_side import Figure, share_of, table
from shared.steps.tuned import ended
from shared.systems.assistant.features import conversations
from shared.systems.assistant.instructions import SMOKE, chosen, followed
from shared.systems.assistant.judgements import CALLED, SHOWN, Found, Subject, keep, worse_checks
from shared.systems.assistant.tables import MODEL
from shared.systems.assistant.tastings import requested, tried
from shared.systems.assistant.training import AGAIN, base_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shared.chat import Message
    from shared.ports import ModelVersion, Platform
    from shared.runs import Run
    from shared.steps.plans import Plan
    from shared.steps.tuned import Tuned
    from shared.systems.assistant.instructions import Instruction
    from shared.systems.assistant.recipes import MealRequest
    from shared.systems.assistant.training import Folders

MORE = "prepare more with `almanac run assistant prepare`, from a larger --source or with a higher --limit"

log = logging.getLogger("almanac")


@dataclass(frozen=True)
class Effort:
    """How much is asked of each model; the first by hash, so that the same ones are asked next time."""

    conversations: int = 400
    instructions: int = 69
    meals: int = 40
    tokens: int = 256  # of an answer to an instruction, at most

    def __str__(self) -> str:
        """Return it as a note says it."""
        return f"{self.conversations} conversations, {self.instructions} instructions, {self.meals} meals at most"


QUICK = Effort(conversations=200, instructions=27, meals=6, tokens=64)  # a tiny model, in a minute on a CPU


@dataclass(frozen=True)
class Asked:
    """What every subject is asked."""

    conversations: Mapping[str, Sequence[Message]]
    instructions: Sequence[Instruction]
    requests: Mapping[str, MealRequest]
    longest: int
    tokens: int


def evaluate(platform: Platform, run: Run, name: str, folders: Folders, effort: Effort) -> Report:
    """Judge the best weights of a fine-tuning beside its base and the champion; the newest that ended unless named.

    Raises:
        NotYetError: no such fine-tuning has ended, or there is too little to judge it on.
        UnsafeFileError: its files are damaged.
        BackendError: what was found cannot be written.
    """
    tuned = ended(folders.runs, name, AGAIN)
    asked = questions(platform, run, tuned.plan, effort)
    served, flaw = serving(platform, run)
    there = subjects(platform, tuned, served)
    steps = len(there) * (1 + len(asked.instructions) + len(SMOKE) + len(asked.requests)) + len(asked.requests)
    log.info("assistant evaluate: %s beside %s", tuned.name, ", ".join([*there][1:]), extra={"due": steps})
    found = {who: judged(who, subject, asked) for who, subject in there.items()}
    found, unit = _in_one_unit(found)
    keep(platform, run, tuned, found)
    figures = {who: one.figures for who, one in found.items()}
    rows = table({CALLED[who]: one for who, one in figures.items()})
    against = {who: worse_checks(figures, who) for who in [*found][1:]}
    mine, base = found["candidate"], found["base"]
    return Report(
        rows=sum(len(one.figures) for one in found.values()),
        metrics=_headline(mine),
        baselines=_headline(base),
        headline="loss",
        model=tuned.name,
        note=_note(
            tuned,
            rows,
            unit,
            f"{len(mine.losses)} of {len(asked.conversations)} conversations; {effort}",
            flaw,
            [f"surely worse than {CALLED[who]}: {clause}" for who, clause in against.items() if clause],
        ),
        table=rows,
    )


def questions(platform: Platform, run: Run, plan: Plan, effort: Effort) -> Asked:
    """Return what is asked: of the test conversations the first by id, which are hashes.

    Raises:
        NotYetError: there are fewer than an interval needs.
    """
    rows = conversations(platform, ("test",), until=run.until)
    if len(rows) < FEWEST_ROWS:
        raise NotYetError(f"{len(rows)} test conversations are too few to judge on, {FEWEST_ROWS} the fewest: {MORE}")
    held = dict(zip(rows["conversation_id"], rows["messages"], strict=True))
    meals = rows.loc[rows["kind"] == "meals", "conversation_id"].head(effort.meals)
    return Asked(
        conversations={one: held[one] for one in [*held][: effort.conversations]},
        instructions=chosen(effort.instructions),
        requests={one: requested(held[one]) for one in meals},
        longest=plan.max_length,
        tokens=effort.tokens,
    )


def serving(platform: Platform, run: Run) -> tuple[ModelVersion | None, str]:
    """Return the champion, None if none serves; and, where its files are damaged or gone, what is wrong with them."""
    try:
        return champion(platform, MODEL, until=run.until), ""
    except UnsafeFileError as cause:
        return None, str(cause)
    except NotYetError as cause:
        decided = platform.features.read(PROMOTIONS, until=run.until)
        gone = (decided["model"] == MODEL) & decided["verdict"].isin(SERVING)
        return None, str(cause) if gone.any() else ""


def subjects(platform: Platform, tuned: Tuned, served: ModelVersion | None) -> dict[str, Subject]:
    """Return who is judged: candidate, base and, if one serves whose files are whole, the champion."""
    plan = tuned.plan
    base = base_of(platform, plan, tuned.folder)
    there = {
        "candidate": Subject(tuned.name, str(tuned.folder / "best"), base, plan.revision),
        "base": Subject(plan.base, base, "", plan.revision),
    }
    if served is None:
        return there
    return there | {"champion": Subject(f"{MODEL} v{served.version}", str(served.folder))}


def judged(who: str, subject: Subject, asked: Asked) -> Found:
    """Return a subject's losses and figures.

    Raises:
        NotYetError: too few conversations fit into what it reads.
    """

    def told(what: str) -> Callable[[int], None]:
        return lambda done: log.info("assistant evaluate: %s, %s %d", who, what, done)

    weights = likelihood.opened(subject.place, subject.base, subject.revision)
    tokenizer = open_tokenizer(subject.place, "" if who == "candidate" else subject.revision)
    losses = likelihood.losses(weights, tokenizer, asked.conversations, asked.longest)
    if len(losses) < FEWEST_ROWS:  # of the candidate, the first: before the minutes that answers take
        fit = f"{len(losses)} of {len(asked.conversations)} test conversations fit into {asked.longest} tokens"
        raise NotYetError(
            f"{fit}, {FEWEST_ROWS} the fewest to judge on: finetune with a larger --max-length, or {MORE}"
        )
    log.info("assistant evaluate: %s, losses of %d conversations", who, len(losses))
    chat = Engine(Model(weights, tokenizer, subject.model), at_once=1)
    figures = {
        "loss": Figure(likelihood.mean_loss(losses), losses["loss"]),
        "perplexity": Figure(likelihood.perplexity(losses)),
        **_form(
            subject.model,
            followed(chat, asked.instructions, asked.tokens, told("instruction")),
            followed(chat, SMOKE, asked.tokens, told("hostile prompt")),
        ),
    }
    if asked.requests:
        figures |= {f"meals:{name}": one for name, one in tried(chat, asked.requests, told("meal")).items()}
        if who == "candidate":
            free = tried(chat, asked.requests, told("meal without grammar"), grammar=False)
            figures |= {f"meals_without_grammar:{name}": one for name, one in free.items()}
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return Found(subject, losses, figures)


def _form(model: str, answers: pd.DataFrame, hostile: pd.DataFrame) -> dict[str, Figure]:
    """Return figures of answers to instructions and hostile prompts that fit, and how many do.

    That is told also where all do: two models are compared only by figures that both have.
    """
    both = pd.concat([answers, hostile])["fits"]
    kept, safe = (rows[rows["fits"]] for rows in (answers, hostile))
    found = {
        "instructions": share_of(kept["kept"]),
        **{f"instructions:{kind}": share_of(part) for kind, part in kept.groupby("kind", sort=False)["kept"]},
        SHOWN: share_of(safe["kept"]),
    }
    if not both.all():
        log.warning("%s has no room for %d of %d prompts; they are not asked", model, (~both).sum(), len(both))
    return {**found, "prompt_fits": share_of(both)}


def _in_one_unit(found: Mapping[str, Found]) -> tuple[dict[str, Found], str]:
    """Return the same with losses that can be compared: a token's, or a byte's where tokenizers differ; and which.

    Of the conversations that all were asked, value and interval as the cases: what is told is what is compared.
    """
    losses, unit = likelihood.comparable({who: one.losses for who, one in found.items()})
    figures = {who: Figure(likelihood.mean_loss(one.to_frame("loss")), one) for who, one in losses.items()}
    return {who: replace(one, figures={**one.figures, "loss": figures[who]}) for who, one in found.items()}, unit


def _headline(found: Found) -> dict[str, float]:
    """Return the loss and its interval, which the table has no room for; nothing of one that ran away."""
    loss = found.figures["loss"].share
    told = {"loss": loss.value, "loss_low": loss.low, "loss_high": loss.high}
    return {name: value for name, value in told.items() if not math.isnan(value)}


def _note(  # noqa: PLR0913 - a sentence of so many parts
    tuned: Tuned,
    rows: Sequence[Mapping[str, Any]],
    unit: str,
    effort: str,
    flaw: str,
    worse: Sequence[str],
) -> str:
    loss = next(row for row in rows if row["figure"] == "loss")
    told = "; ".join([f"loss in {unit}: {loss['verdict']}", *worse, f"judged on {effort}"])
    told += f"; what serves was not judged, as its files are damaged: {flaw}" if flaw else ""
    return f"{told}; next: almanac run assistant export --name {tuned.name}"
