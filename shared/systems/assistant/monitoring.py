"""What visitors thought of answers: kept as rows for preference training, and counted with how sure the counts are.

a vote between two answers, or a thumb ──► Opinion ──► row ──► FEEDBACK
FEEDBACK ──► duels: each visitor once a pair of models ──► share of those who preferred one, ties beside it
         └─► thumbs: each answer once a visitor ──► share of thumbs up, by model
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from shared.errors import UsageError
from shared.steps.scoring import Share, wilson
from shared.systems.assistant.tables import FEEDBACK, VERDICTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from shared.chat import Message
    from shared.ports import Platform

FEWEST = 10  # visitors who preferred one of two models: with fewer, an interval is too wide to say anything
MOST_CHARACTERS = 40_000  # of an opinion's texts together: more than a page shows


@dataclass(frozen=True)
class Opinion:
    """What a visitor thought of an answer, or of two to the same question; a tie names them in either order."""

    visitor: str  # of a session, such as Gradio's
    asked: Sequence[Message]
    verdict: str  # of VERDICTS
    chosen: str = ""
    rejected: str = ""
    chosen_model: str = ""
    rejected_model: str = ""
    blind: bool = False

    def __post_init__(self) -> None:
        """Refuse what no page would give.

        Raises:
            UsageError: an unknown verdict, or texts too long to be an answer of ours.
        """
        if self.verdict not in VERDICTS:
            raise UsageError(f"a verdict is one of {', '.join(VERDICTS)}; got {self.verdict!r}"[:120])
        if len(self.chosen) + len(self.rejected) + len(_json(self.asked)) > MOST_CHARACTERS:
            raise UsageError(f"feedback holds at most {MOST_CHARACTERS} characters; this conversation has more")


@dataclass(frozen=True)
class Duel:
    """How often visitors preferred ``one`` to ``other``; ``share`` is of those who preferred either."""

    one: str
    other: str
    wins: int
    losses: int
    ties: int
    share: Share

    @property
    def told(self) -> str:
        """Return the standing as a sentence, with no winner where the interval holds a half."""
        decided, tied = self.wins + self.losses, f"{self.ties} saw no difference"
        counted = f"{self.wins} preferred {self.one}, {self.losses} {self.other}, {tied}"
        if decided < FEWEST:
            return f"{counted}: not enough votes yet to say more, {FEWEST} visitors with a preference are needed"
        bounds = f"{self.share.low * 100:.0f}–{self.share.high * 100:.0f}\u00a0%"
        sure = f"{self.share.value * 100:.0f}\u00a0% of those with a preference (95\u00a0% interval {bounds})"
        if self.share.low <= 0.5 <= self.share.high:
            return f"{counted}: {self.one} had {sure}, so neither is surely better"
        return f"{counted}: {self.one} had {sure}, so {self.one if self.wins > self.losses else self.other} is better"


def keep(platform: Platform, opinion: Opinion, given_at: datetime) -> str:
    """Write an opinion and return its id; the same visitor's on the same answers replaces the one before.

    Raises:
        BackendError: the store cannot be written.
    """
    row = feedback_row(opinion, given_at)
    platform.features.write(FEEDBACK, pd.DataFrame([row]))
    return str(row["feedback_id"])


def feedback_row(opinion: Opinion, given_at: datetime) -> dict[str, object]:
    """Return the row of an opinion; the visitor's session is in it as a hash."""
    visitor = hashlib.sha256(opinion.visitor.encode()).hexdigest()[:16]
    asked = _json(opinion.asked)
    sides = sorted([[opinion.chosen, opinion.chosen_model], [opinion.rejected, opinion.rejected_model]])
    of = json.dumps([visitor, asked, sides])
    named = {"chosen": opinion.chosen, "rejected": opinion.rejected, "verdict": opinion.verdict}
    models = {"chosen_model": opinion.chosen_model or None, "rejected_model": opinion.rejected_model or None}
    identity = {"feedback_id": hashlib.sha256(of.encode()).hexdigest()[:24], "given_at": given_at, "visitor": visitor}
    return {**identity, "asked": asked, **named, **models, "blind": opinion.blind}


def duels(feedback: pd.DataFrame) -> list[Duel]:
    """Return the standing of each pair of models that stood side by side, blind; the pair most voted on first.

    A visitor counts once a pair, with what he preferred more often: many votes of one are not independent evidence.
    """
    votes = feedback[feedback["blind"] & feedback["verdict"].isin(VERDICTS[:2])]
    votes = votes[votes["chosen_model"].notna() & (votes["chosen_model"] != votes["rejected_model"])]
    pairs = pd.DataFrame(np.sort(votes[["chosen_model", "rejected_model"]].astype(str), axis=1), votes.index)
    lead = (votes["chosen_model"] == pairs[0]) * 2 - 1
    lead = lead.where(votes["verdict"] == "better", 0).astype("int64")
    by_visitor: pd.Series = lead.groupby([pairs[0], pairs[1], votes["visitor"]]).sum().clip(-1, 1)
    met = by_visitor.index.droplevel(2).unique()
    found = [_duel(str(one), str(other), by_visitor.loc[(one, other)]) for one, other in met]
    return sorted(found, key=lambda duel: -(duel.wins + duel.losses + duel.ties))


def thumbs(feedback: pd.DataFrame) -> dict[str, Share]:
    """Return by model the share of visitors who gave more thumbs up than down; as many of both is neither."""
    given = feedback[feedback["verdict"].isin(VERDICTS[2:])]
    up = given["verdict"] == "up"
    model = given["chosen_model"].where(up, given["rejected_model"])
    sides = (up * 2 - 1).groupby([model, given["visitor"]]).sum()
    liked = sides[sides != 0] > 0
    return {str(name): wilson(int(each.sum()), len(each)) for name, each in liked.groupby(level=0)}


def _duel(one: str, other: str, sides: pd.Series) -> Duel:
    """Return the standing from each visitor's side: 1 for ``one``, -1 for ``other``, 0 for neither."""
    wins, losses, ties = (int((sides == side).sum()) for side in (1, -1, 0))
    return Duel(one, other, wins, losses, ties, wilson(wins, wins + losses))


def _json(messages: Sequence[Message]) -> str:
    return json.dumps([dict(one) for one in messages], ensure_ascii=False)
