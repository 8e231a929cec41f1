"""What is taken away before anything is learned, filter by filter, and what each took.

    rows ─► malformed ─► empty_turns ─► length ─► exact ─► near ─► contaminated ─► leaked ─► kept, each with a split

A conversation's split is drawn from a hash of its first question, so a question stands in one split only, whichever
answers it has, and stays there when data are added. Nothing depends on the order of rows: of twins the one with the
smallest id is kept, and one that another source brought before stays.
"""

from __future__ import annotations

import hashlib
import json
import logging
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from shared.errors import UsageError
from shared.steps.near_duplicates import NearIndex, shingles, words
from shared.systems.assistant.tables import SPLITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from shared.chat import Message

    Filter = Callable[[pd.DataFrame], pd.Series]  # of each row, whether it goes; of twins, whose: "" of none

FEWEST_WORDS = 6  # of a question that is looked for within a message
FIRST_WORDS = 3  # of one, by which it is found
EXAMPLE = 160  # characters of one that was removed
REASONS = 8  # told beside that of the first, at most
WORDS = {  # what filters take, for people
    "malformed": "no conversation",
    "empty_turns": "with an empty message",
    "length": "too long",
    "exact": "there already, word for word",
    "near": "there already, nearly the same",
    "contaminated": "with a question that models are judged on",
    "leaked": "with a question asked in another split",
}
OWN = "the source itself"  # whose twins those are that it brings twice

log = logging.getLogger("almanac")


@dataclass(frozen=True)
class Cleaning:
    """Bounds of the filters, and how splits are drawn."""

    most_characters: int = 32_000  # of a conversation: four times what 2,048 tokens hold
    most_turns: int = 40
    near: float = 0.8  # Jaccard similarity of two conversations' shingles of 3 words
    near_question: float = 0.9  # of two first questions in different splits
    overlap_words: int = 13  # in a row, shared with a question of the evaluation: Brown et al. 2020, appendix C
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)  # of train, validation, test
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no filter could do.

        Raises:
            UsageError: a share or a bound is out of its bounds.
        """
        if min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-9:
            raise UsageError(f"the shares of {', '.join(SPLITS)} are at least 0 and sum to 1; got {self.shares}")
        if not (0 < self.near <= 1 and 0 < self.near_question <= 1 and self.overlap_words > 0):
            raise UsageError("similarities lie above 0 and up to 1, and at least one word overlaps")


class Cleaned(NamedTuple):
    """What is left, with ids and splits; what each filter did, as rows of CLEANING without source and time.

    Besides, ``twins`` of those it removed: how many of which source.
    """

    rows: pd.DataFrame
    effects: list[dict[str, Any]]


def clean(rows: pd.DataFrame, known: pd.DataFrame, evaluation: Iterable[str], bounds: Cleaning) -> Cleaned:
    """Return the rows that pass every filter.

    Args:
        rows: ``place``, ``kind``, ``messages`` (None for what is no conversation) and ``reason``.
        known: conversations of others, with ``messages``, ``split``, ``source``: none of them shall come again.
        evaluation: questions that models are judged on.
        bounds: of the filters.
    """
    left, others = described(rows, bounds), described(known, bounds).assign(split=known["split"])
    filters: dict[str, Filter] = {
        "malformed": lambda rows: rows["messages"].isna(),
        "empty_turns": lambda rows: rows["messages"].map(_has_empty_turn),
        "length": lambda rows: rows["characters"].gt(bounds.most_characters) | rows["turns"].gt(bounds.most_turns),
        "exact": partial(_exact, known=others),
        "near": partial(_near, known=others, bounds=bounds),
        "contaminated": partial(_contaminated, evaluation=evaluation, size=bounds.overlap_words),
        "leaked": partial(_leaked, known=others, bounds=bounds),
    }
    came, effects = len(left), [_effect("read", left, left.iloc[:0], len(left))]
    for name, removes in filters.items():
        why = removes(left)
        removed = why.astype(bool)
        twins = why[removed].value_counts().to_dict() if name in ("exact", "near") else {}
        effects.append(_effect(name, left[~removed], left[removed], came) | {"twins": twins})
        left = left[~removed]
        if removed.any():
            log.info("%d left out: %s", removed.sum(), WORDS[name])
    effects.append(_effect("kept", left, left.iloc[:0], came))
    return Cleaned(left, [effect | {"place": place} for place, effect in enumerate(effects)])


def described(rows: pd.DataFrame, bounds: Cleaning) -> pd.DataFrame:
    """Return the rows by id, with ``conversation_id``, ``turns``, ``characters``, ``question`` and ``split``.

    The id is a hash of what is said, upper and lower case and blanks aside: the same for twins.
    """
    told = [messages or [] for messages in rows["messages"]]
    asked = [next((one["content"] for one in messages if one["role"] == "user"), "") for messages in told]
    facts: dict[str, Any] = {
        "conversation_id": [_id(messages) for messages in told],
        "turns": [sum(one["role"] != "system" for one in messages) for messages in told],
        "characters": [sum(len(one["content"]) for one in messages) for messages in told],
        "question": pd.Series(asked, rows.index, dtype=object),
        "split": [split_of(question, bounds) for question in asked],
        "_written": [_digest(json.dumps(messages)).hex() for messages in told],  # which of twins comes first
    }
    return rows.assign(**facts).sort_values(["conversation_id", "_written"], kind="stable").drop(columns="_written")


def split_of(question: str, bounds: Cleaning) -> str:
    """Return the split of every conversation that begins with this question, its signs, blanks and case aside.

    >>> [split_of(question, Cleaning()) for question in ("What is 2 + 2?", "what is  2 2", "Why is the sky blue?")]
    ['train', 'train', 'test']
    """
    key = "".join(words(question)) or question
    drawn = int.from_bytes(_digest(f"{bounds.seed} {key}")[:6], "big") / 2**48
    train, validation, _ = bounds.shares
    return SPLITS[(drawn >= train) + (drawn >= train + validation)]


# --- filters -------------------------------------------------------------------------------------------------------


def _has_empty_turn(messages: Sequence[Message]) -> bool:
    return not all(one["content"].strip() for one in messages)


def _exact(rows: pd.DataFrame, known: pd.DataFrame) -> pd.Series:
    """Return whose twin each row is."""
    whose = dict(zip(known["conversation_id"], known["source"], strict=True))
    twice = rows.duplicated("conversation_id")
    said = [whose.get(one, OWN if own else "") for one, own in zip(rows["conversation_id"], twice, strict=True)]
    return pd.Series(said, rows.index, dtype=object)


def _near(rows: pd.DataFrame, known: pd.DataFrame, bounds: Cleaning) -> pd.Series:
    """Return whose row each nearly repeats: another source's, or one of its own before it by id."""
    index, found = NearIndex(bounds.near, bounds.seed), list[str]()
    whose = dict(zip(known["conversation_id"], known["source"], strict=True))
    for one, text in zip(known["conversation_id"], known["messages"].map(_said), strict=True):
        index.add(one, index.sketch(text))
    for one, text in zip(rows["conversation_id"], rows["messages"].map(_said), strict=True):
        twin = index.find(sketch := index.sketch(text))
        found.append(whose.get(twin, OWN) if twin else "")
        if not twin:
            index.add(one, sketch)
    return pd.Series(found, rows.index, dtype=object)


def _contaminated(rows: pd.DataFrame, evaluation: Iterable[str], size: int) -> pd.Series:
    """Return which rows hold ``size`` words in a row of a question of the evaluation, or a shorter one whole.

    A question of fewer than ``FEWEST_WORDS`` only counts where it is all that a message says: anybody says those words.
    """
    asked = frozenset[str]().union(*(shingles(question, size) for question in evaluation))
    first, begins = min(FIRST_WORDS, size), dict[tuple[str, ...], list[list[str]]]()
    for one in map(str.split, asked):
        if len(one) >= min(FEWEST_WORDS, size):
            begins.setdefault(tuple(one[:first]), []).append(one)

    def holds(text: str) -> bool:
        said = words(text)
        starts = zip(*(said[at:] for at in range(first)), strict=False)
        return " ".join(said) in asked or any(
            said[at : at + len(one)] == one for at, start in enumerate(starts) for one in begins.get(start, ())
        )

    return rows["messages"].map(lambda messages: any(holds(one["content"]) for one in messages))


def _leaked(rows: pd.DataFrame, known: pd.DataFrame, bounds: Cleaning) -> pd.Series:
    """Return which rows ask nearly what is asked in another split: those of training yield, then of validation."""
    indices = {split: NearIndex(bounds.near_question, bounds.seed) for split in SPLITS}
    for split, question in zip(known["split"], known["question"], strict=True):
        indices[split].add(question, indices[split].sketch(question))
    leaks = set[str]()
    for split in reversed(SPLITS):
        for question in sorted({*rows.loc[rows["split"] == split, "question"]}):
            sketch = indices[split].sketch(question)
            if any(index.find(sketch) for other, index in indices.items() if other != split):
                leaks.add(question)
            elif split != "train":  # nobody asks after those of training
                indices[split].add(question, sketch)
    return rows["question"].isin(leaks)


# --- reporting -----------------------------------------------------------------------------------------------------


def _effect(name: str, left: pd.DataFrame, removed: pd.DataFrame, came: int) -> dict[str, Any]:
    return {
        "filter": name,
        "conversations": len(left),
        "removed": len(removed),
        "share": len(removed) / came if came else 0.0,
        "characters": int(left["characters"].sum()),
        "example": _example(removed.sort_values("place")) if len(removed) else None,
    }


def _example(removed: pd.DataFrame) -> str:
    """Return the place of the first that was removed, and why or how it begins; then the other reasons, with counts."""
    row = removed.iloc[0]
    text = row["reason"] or _said(row["messages"])
    whys = Counter(reason.partition(":")[0] for reason in removed["reason"])
    whys.pop(row["reason"].partition(":")[0])
    more = ", ".join(f"{count} {why}" for why, count in whys.most_common(REASONS))
    return f"{row['place']}: {' '.join(text[: 2 * EXAMPLE].split())}"[:EXAMPLE] + (
        f"; and others: {more}" if more else ""
    )


def _said(messages: Sequence[Message]) -> str:
    """Return what user and assistant say; a system's message, often the same in all, would make everything alike."""
    return "\n".join(one["content"] for one in messages if one["role"] != "system")


def _id(messages: Sequence[Message]) -> str:
    said = [
        [one["role"], " ".join(unicodedata.normalize("NFKC", one["content"]).casefold().split())] for one in messages
    ]
    return _digest(json.dumps(said)).hex()[:16]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
