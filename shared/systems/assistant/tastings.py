"""Meals that a model composes for requests it did not learn from, and what the checker finds in them.

a test conversation ──► its request ──► composed, under the grammar or free of it ──► Findings ──► figures
"""

from __future__ import annotations

import logging
import math
import re
from typing import TYPE_CHECKING

import pandas as pd

from shared.chat import Sampling
from shared.errors import AlmanacError, SchemaError, TooLongError
from shared.steps.scoring import Share, mean_of
from shared.steps.side_by_side import Figure, share_of
from shared.systems.assistant.checking import Findings, check
from shared.systems.assistant.ingredients import Ingredient
from shared.systems.assistant.meals import CUT, compose
from shared.systems.assistant.recipes import MealRequest, as_messages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shared.chat import Chat, Message

LIKELIEST = Sampling(temperature=0, min_p=0, max_tokens=1024, seed=0)
GOOD = ("json_valid", "ok", "coverage")  # of the rest there should be none
_LINE = re.compile(r"- (.+): (\d+) g")

log = logging.getLogger("almanac")


def requested(messages: Sequence[Message]) -> MealRequest:
    """Return the request that a conversation about a meal begins with: what ``as_messages`` made a prompt of.

    Raises:
        SchemaError: it is none of ours.

    >>> requested(as_messages(MealRequest((Ingredient("rice", 300),), servings=3, avoid=("milk",)))).avoid
    ('milk',)
    """
    asked = next((one["content"] for one in messages if one["role"] == "user"), "")
    lines = asked.splitlines()
    told = dict(line.split(": ", 1) for line in lines[1:] if ": " in line and not line.startswith("- "))
    listed = tuple(Ingredient(found[1], int(found[2])) for line in lines if (found := _LINE.fullmatch(line)))
    servings = re.fullmatch(r"Compose a meal for (\d+)\.", lines[0] if lines else "")
    if not servings or not listed:
        raise SchemaError(f"this is no request for a meal: {asked[:60]!r}; prepare the recipes again")
    several = {name: tuple(told[name].split(", ")) if name in told else () for name in ("Pantry", "Avoid")}
    return MealRequest(listed, int(servings[1]), told.get("Diet", ""), several["Avoid"], several["Pantry"])


def tried(
    chat: Chat, requests: Mapping[str, MealRequest], told: Callable[[int], None] = lambda done: None, *,
    grammar: bool = True,
) -> dict[str, Figure]:  # fmt: skip
    """Return figures of the likeliest answer to each request: of every score of ``Findings`` its mean.

    An answer that cannot be read counts in ``json_valid`` and ``ok`` alone; of those that can, ``cut`` were closed
    after they had reached the most tokens there may be. Where the model's context has no room for a request, it is left
    out; under the grammar ``prompt_fits`` is the share of those it has room for, also where that is all.
    """
    scores: dict[str, dict[str, float]] = {}
    left_out: dict[str, str] = {}
    for name, request in requests.items():
        try:
            scores[name] = _scores(_composed(chat, request) if grammar else _free(chat, request))
        except TooLongError as cause:
            left_out[name] = str(cause)
        told(len(scores) + len(left_out))
    table = pd.DataFrame.from_dict(scores, orient="index")
    found = {str(name): _figure(str(name), table[name].dropna()) for name in table}
    if not (requests and grammar):  # without one as many fit
        return found
    if left_out:
        why = next(iter(left_out.values()))
        log.warning("%s cannot be asked for %d of %d meals: %s", chat.name, len(left_out), len(requests), why)
    return {"prompt_fits": share_of(pd.Series({name: name in scores for name in requests})), **found}


def _composed(chat: Chat, request: MealRequest) -> Findings:
    try:
        return compose(chat, request, LIKELIEST).findings
    except TooLongError:
        raise
    except AlmanacError as failure:  # two answers that are no recipe
        return Findings(json_valid=False, problems=(str(failure),))


def _free(chat: Chat, request: MealRequest) -> Findings:
    return check("".join(chat.stream(as_messages(request), LIKELIEST)).strip(), request)


def _scores(found: Findings) -> dict[str, float]:
    return found.scores() | ({"cut": float(CUT in found.warnings)} if found.json_valid else {})


def _figure(name: str, scores: pd.Series) -> Figure:
    if scores.isin([0.0, 1.0]).all():
        shares = share_of(scores.astype(bool))
        return Figure(shares.share, shares.cases, higher_is_better=name in GOOD)
    mean = mean_of(scores)
    low, high = (bound if math.isnan(bound) else min(1.0, max(0.0, bound)) for bound in (mean.low, mean.high))
    return Figure(Share(mean.value, low, high, mean.count), scores, higher_is_better=name in GOOD)
