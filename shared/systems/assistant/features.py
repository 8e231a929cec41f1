"""What models learn from: conversations cleaned and stored, and their tokens, kept until what makes them changes.

    source ──► gathered ──► clean ──► assistant_conversations, assistant_cleaning
                                           └──► conversations of a split ──► tokenised ──► input_ids, labels

What a source held before and holds no longer, or what a stricter filter takes now, is marked as withdrawn: models learn
from what the last preparation of each source kept.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from shared.errors import NotYetError
from shared.runs import Report, midnight
from shared.steps.promotion import FEWEST_ROWS
from shared.systems.assistant.cleaning import OWN, WORDS, Cleaning, clean
from shared.systems.assistant.sources import DATA_SETS, LIMIT, Gathered, gathered, passed_over, questions
from shared.systems.assistant.tables import CLEANING, CONVERSATIONS, KINDS, SPLITS, WITHDRAWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from shared.ports import Platform
    from shared.runs import Run
    from shared.steps.tokens import Tokens

ENOUGH = 200  # conversations: fewer than 10 of as many are drawn for a split of one in ten 1 of 200 times


@dataclass(frozen=True)
class Preparation:
    """Which sources are read, how much of them, and what is kept."""

    source: str = ""  # a file, folder or address, or several joined by commas; FineTome when empty
    evaluation: str = ""  # files of questions that models will be judged on
    limit: int = LIMIT  # records of each source, drawn by hash
    cleaning: Cleaning = field(default_factory=Cleaning)


def prepare(platform: Platform, run: Run, plan: Preparation, prompts: Iterable[str] = ()) -> Report:
    """Store the conversations of each source that pass every filter, and what each filter took away.

    The report counts what was kept of these sources, then what all in the store hold together.

    Args:
        platform: where they are stored.
        run: whose date they are stored under.
        plan: sources and filters.
        prompts: more questions that models will be judged on.

    Raises:
        SourceError: a source cannot be used; of those before it the conversations are stored.
    """
    over = passed_over(platform, plan.source)
    asked = [*prompts, *questions(platform, plan.evaluation, plan.source)]
    with platform.features.lock("assistant.sources", wait_s=600):
        done = [
            _prepare(platform, run, one, asked, plan.cleaning)
            for one in gathered(platform, plan.source, plan.limit, plan.cleaning.seed)
        ]
    stored = platform.features.read(CONVERSATIONS, columns=["source", "kind", "split"])
    stored = stored[stored["split"] != WITHDRAWN]
    counts = {split: int((stored["split"] == split).sum()) for split in SPLITS}
    usual = platform.world != "demo" and not plan.source
    advice = (
        "FineTome alone: for meals give recipes with --source, such as RecipeNLG's full_dataset.csv" if usual else ""
    )
    told = [*(report.note for report in done), *over, _in_store(platform, stored), too_few(counts), advice]
    return Report(
        rows=sum(report.rows for report in done),
        metrics={"kept": sum(report.metrics["kept"] for report in done), "conversations": len(stored), **counts},
        headline="conversations",
        note="; ".join(filter(None, told)),
        table=[row for report in done for row in report.table],
    )


def too_few(counts: Mapping[str, int]) -> str:
    """Return which later stages will refuse as few conversations of each split, "" if none will.

    >>> too_few({"validation": 12, "test": 3})  # splits that are not named are not looked at
    '`evaluate` needs 10 test conversations, and there are 3: prepare about 200 conversations in all'
    """
    stages = {"validation": "search", "test": "evaluate"}
    few = [
        f"`{stage}` needs {FEWEST_ROWS} {split} conversations, and there are {counts[split]}"
        for split, stage in stages.items()
        if split in counts and counts[split] < FEWEST_ROWS
    ]
    return f"{'; '.join(few)}: prepare about {ENOUGH} conversations in all" if few else ""


def conversations(
    platform: Platform,
    splits: Sequence[str] = ("train",),
    kinds: Sequence[str] = KINDS,
    until: datetime | None = None,
) -> pd.DataFrame:
    """Return what was stored before ``until``: columns of CONVERSATIONS, ``messages`` as lists, by ``conversation_id``.

    Ids are hashes, so their first rows are a sample that stays the same.

    Raises:
        NotYetError: there is none.
    """
    rows = platform.features.read(CONVERSATIONS, until=until)
    wanted = rows[rows["split"].isin(splits) & rows["kind"].isin(kinds)].sort_values("conversation_id")
    if wanted.empty:
        which = f"{' or '.join(kinds)} in {' or '.join(splits)}"
        raise NotYetError(f"there are no conversations of {which}; run `almanac run assistant prepare`")
    return wanted.assign(messages=wanted["messages"].map(json.loads)).reset_index(drop=True)


def fingerprint(rows: pd.DataFrame) -> str:
    """Return a hash of which conversations these are, and what they say; their order does not count.

    >>> fingerprint(pd.DataFrame({"conversation_id": ["a"], "messages": [[{"role": "user", "content": "Hi"}]]}))
    'f2990d574fdb'
    """
    digest = hashlib.sha256()
    for one, messages in sorted(zip(rows["conversation_id"], rows["messages"], strict=True), key=lambda row: row[0]):
        digest.update(f"{one} {json.dumps(messages)}\n".encode())
    return digest.hexdigest()[:12]


def tokenised(rows: pd.DataFrame, tokenizer: Any, folder: Path, max_length: int) -> Tokens:  # noqa: ANN401 - transformers'
    """Return conversations as tokens, in their order; ``folder`` keeps them until something they follow from changes.

    Raises:
        NotYetError: none fits into ``max_length`` tokens.
    """
    from shared.steps import tokens  # needs the extra `llm`; cleaning and reading do not

    return tokens.tokenised([*rows["messages"]], tokenizer, folder, max_length)


def _prepare(platform: Platform, run: Run, one: Gathered, asked: Iterable[str], bounds: Cleaning) -> Report:
    """Store one source's conversations and mark those that it no longer has; return what was done."""
    stored = platform.features.read(CONVERSATIONS)
    mine, current = stored["source"] == one.source, stored["split"] != WITHDRAWN
    others = stored[~mine & current]
    cleaned = clean(
        one.rows, others.assign(messages=others["messages"].map(json.loads), place=0, reason=""), asked, bounds
    )
    kept = _as_rows(cleaned.rows, one.source, stored[mine], run)
    gone = stored[mine & current & ~stored["conversation_id"].isin(kept["conversation_id"])].assign(split=WITHDRAWN)
    written = platform.features.write(CONVERSATIONS, pd.concat([kept, gone], ignore_index=True)).rows
    name = _called(platform, one.source)
    effects = [{"source": one.source, **effect} for effect in cleaned.effects]
    platform.features.write(CLEANING, pd.DataFrame(effects).assign(prepared_at=midnight(run.day))[CLEANING.names])
    withdrawn = f", {len(gone)} of before withdrawn" if len(gone) else ""
    sampled = f" sampled of {one.records}" if one.records > len(one.rows) else ""
    note = f"{name}: {len(kept)} of {len(one.rows)}{sampled} kept{withdrawn}{_twins_told(platform, effects)}"
    table = [_for_people(platform, effect) for effect in effects if effect["removed"]]
    return Report(rows=written, metrics={"kept": len(kept)}, note=note, table=table)


def _in_store(platform: Platform, stored: pd.DataFrame) -> str:
    """Return how many conversations of each kind each source in the store holds."""
    if stored.empty:
        return "nothing is in the store"
    counts = Counter(zip(stored["source"], stored["kind"], strict=True))
    sources = sorted({source for source, _ in counts})
    told = [
        f"{_called(platform, one)} {', '.join(f'{counts[one, kind]} {kind}' for kind in KINDS if counts[one, kind])}"
        for one in sources
    ]
    together = "; a fine-tuning learns from all of them together, or from --sources alone" if len(told) > 1 else ""
    return f"in the store: {' + '.join(told)}{together}"


def _called(platform: Platform, source: str) -> str:
    return f"{source} (simulated)" if platform.world == "demo" and source in DATA_SETS else source


def _twins(platform: Platform, effect: Mapping[str, Any]) -> str:
    return ", ".join(f"{count} of {_called(platform, whose)}" for whose, count in sorted(effect["twins"].items()))


def _twins_told(platform: Platform, effects: Sequence[Mapping[str, Any]]) -> str:
    """Return how many of a source's conversations another had brought, and which."""
    told = [
        f"{WORDS[effect['filter']]}: {_twins(platform, effect)}"
        for effect in effects
        if {*effect.get("twins", ())} - {OWN}
    ]
    return f" ({'; '.join(told)})" if told else ""


def _as_rows(rows: pd.DataFrame, source: str, before: pd.DataFrame, run: Run) -> pd.DataFrame:
    """Return rows of CONVERSATIONS; what was stored before keeps its date, so that doing it again changes nothing."""
    since = dict(zip(before["conversation_id"], before["stored_at"], strict=True))
    at = [since.get(one, midnight(run.day)) for one in rows["conversation_id"]]
    texts = [json.dumps(messages, ensure_ascii=False) for messages in rows["messages"]]
    return rows.assign(source=source, messages=texts, stored_at=at)[CONVERSATIONS.names]


def _for_people(platform: Platform, effect: Mapping[str, Any]) -> dict[str, Any]:
    shown = {"source": _called(platform, effect["source"]), "left_out": effect["removed"], "share": effect["share"]}
    return shown | {"why": WORDS[effect["filter"]], "twins": _twins(platform, effect), "example": effect["example"]}
