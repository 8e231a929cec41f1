"""A request becomes a meal: what cannot be eaten is left out, a model answers in the schema of the rest, it is checked.

    MealRequest ── cookable ──► request, what was left out ── prompt and schema ──► a Chat ──► text, piece by piece
                                             Meal: recipe, findings, JSON-LD ◄── checked ◄── closed where it was cut

A model here answers through a grammar, so its answer fits the first time. An endpoint may have none: an answer of its
that does not fit is asked for once more, and then refused. Texts of an endpoint may hold markup: pages escape them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from shared.chat import MOST_TOKENS, Chat, Message, Sampling
from shared.errors import BackendError, UsageError
from shared.systems.assistant.allergens import conflicts
from shared.systems.assistant.checking import Findings, check
from shared.systems.assistant.portions import json_ld
from shared.systems.assistant.recipes import (
    STEP_CHARACTERS,
    STEPS,
    MealRequest,
    Recipe,
    as_messages,
    most_bytes,
    read,
    schema,
)

SAMPLING = Sampling(max_tokens=1024)
TRIES = 2
CUT = "The answer was cut short: its last steps are missing."
_STEPS = '"steps":['


@dataclass(frozen=True)
class Meal:
    """A composed meal and how it came about."""

    request: MealRequest  # what it was composed from: without what was left out
    recipe: Recipe
    findings: Findings
    left_out: Mapping[str, str]  # reason by name
    json_ld: str
    text: str
    seconds: float
    model: str


def compose(chat: Chat, request: MealRequest, sampling: Sampling = SAMPLING) -> Meal:
    """Return a meal for a request.

    Raises:
        UsageError: nothing can be cooked; the message is a sentence for the visitor.
        BackendError, WebError: the model failed, or answered twice with what is no recipe for the request.
    """
    return next(part for part in stream(chat, request, sampling) if isinstance(part, Meal))


def stream(
    chat: Chat, request: MealRequest, sampling: Sampling = SAMPLING, stopped: Callable[[], bool] = lambda: False
) -> Iterator[str | Meal]:
    """Yield the answer's text so far as it grows, anew at a second try, and then the meal; no meal once ``stopped``.

    Raises:
        UsageError, BackendError, WebError: as ``compose``.
    """
    since = monotonic()
    left, left_out = cookable(request)
    messages, findings = as_messages(left), Findings(json_valid=False)
    for attempt in range(TRIES):
        text = ""
        for piece in chat.stream(messages, _enough(sampling, left, attempt), schema=schema(left), stopped=stopped):
            text += piece
            yield text
        if stopped():
            return
        answer, cut = closed(_object(text))
        findings = check(answer, left)
        if findings.fits:
            findings = replace(findings, warnings=(*findings.warnings, *([CUT] if cut else [])))
            recipe = read(answer)
            yield Meal(left, recipe, findings, left_out, json_ld(recipe), answer, monotonic() - since, chat.name)
            return
        messages = _again(as_messages(left), text, findings)
    raise BackendError(f"{chat.name} answered {TRIES} times with no recipe for this: {findings.problems[0]} Try again.")


def cookable(request: MealRequest) -> tuple[MealRequest, dict[str, str]]:
    """Return the request without what its diet and allergies rule out, and the reasons by name.

    Raises:
        UsageError: nothing is listed, or nothing is left.
    """
    if not request.ingredients:
        raise UsageError("List what is in the house first, such as: 2 eggs, 300 g rice.")
    left_out = conflicts(request.names, request.diet, request.avoid)
    left = tuple(one for one in request.ingredients if one.name not in left_out)
    if not left:
        raise UsageError(f"Nothing can be cooked from this: {' '.join(left_out.values())}")
    return replace(request, ingredients=left), left_out


def closed(text: str) -> tuple[str, bool]:
    """Return an answer that was cut within its steps as one that ends after its last whole step, and whether it was.

    Steps come last, so all the rest is there. What cannot be closed comes back as it is.

    >>> closed('{"title":"Rice","steps":["Boil it well.","Serve it warm.","Then wa')
    ('{"title":"Rice","steps":["Boil it well.","Serve it warm."]}', True)
    """
    head, found, tail = text.rpartition(_STEPS)
    if not found or text.rstrip().endswith("}"):
        return text, False
    steps, rest = _whole(tail)
    if len(steps) == STEPS[0] - 1 and len(rest) >= STEP_CHARACTERS[0]:
        steps = [*steps, rest]
    if len(steps) < STEPS[0]:
        return text, False
    told = json.dumps(steps[: STEPS[1]], ensure_ascii=False, separators=(",", ":"))
    return f"{head}{_STEPS}{told[1:-1]}]}}", True


def _whole(tail: str) -> tuple[list[str], str]:
    """Return the whole strings that a cut list begins with, and the text of the one that was cut."""
    steps: list[str] = []
    decoder = json.JSONDecoder()
    while tail.startswith('"'):
        try:
            step, end = decoder.raw_decode(tail)
        except ValueError:
            return steps, tail[1:].rstrip("\\ ")
        steps.append(step)
        tail = tail[end:].lstrip(", ")
    return steps, ""


def _object(text: str) -> str:
    """Return the JSON object of an answer that wraps it in words or a code block."""
    inside = text[max(text.find("{"), 0) :].strip()
    try:
        return inside[: json.JSONDecoder().raw_decode(inside)[1]]
    except (ValueError, RecursionError):
        return inside  # cut, or no JSON at all


def _enough(sampling: Sampling, request: MealRequest, attempt: int) -> Sampling:
    """Return settings under which the longest answer has its second step begun, so that it can be closed."""
    needed = min(MOST_TOKENS, most_bytes(request, STEPS[0] - 1) + 4 * STEP_CHARACTERS[0])
    seed = None if sampling.seed is None else sampling.seed + attempt
    return replace(sampling, max_tokens=max(sampling.max_tokens, needed), seed=seed)


def _again(messages: Sequence[Message], text: str, findings: Findings) -> list[Message]:
    """Return the prompt of a second try: what came, and what is wrong with it."""
    wrong = f"{findings.problems[0]} Answer again, with one JSON object of the keys named and nothing else."
    return [*messages, {"role": "assistant", "content": text[:2000] or "-"}, {"role": "user", "content": wrong}]
