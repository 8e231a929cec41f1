"""A request's JSON as what is asked of a model. What would change the answer and is not known here is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from shared.chat import Message, Sampling
from shared.errors import TooLongError, UsageError
from shared.steps.answering import schemas

MOST_BYTES = 256 * 1024  # of a request
MOST_MESSAGES = 200
MOST_CHARACTERS = 32_000  # of all messages: about 8000 tokens, the most that is read
MOST_STOPS, MOST_STOP = 4, 200  # words that end an answer, as many as OpenAI takes; characters of one
IGNORED = {"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"}  # of no consequence
NEUTRAL: dict[str, Any] = {
    **{"n": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0, "logprobs": False, "top_logprobs": 0},
    **{"logit_bias": {}, "tools": [], "tool_choice": "none", "parallel_tool_calls": True},
}
READ = {"messages", "temperature", "min_p", "max_tokens", "max_completion_tokens", "seed"}
READ |= {"stream", "stream_options", "response_format", "stop", "model"}
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}  # OpenAI's, and ours


@dataclass(frozen=True)
class Asked:
    """A conversation, how to draw its answer, the JSON schema the answer must fit, and how it is to be sent."""

    messages: list[Message]
    sampling: Sampling
    schema: dict[str, Any] | None
    streams: bool
    counts: bool = False  # whether the last event of a stream holds nothing but how many tokens there were
    stops: tuple[str, ...] = ()
    model: str = ""  # "": whichever there is


def parsed(body: bytes) -> Asked:
    """Return what a request's body asks.

    Raises:
        UsageError: it is not as it should be; the message says what.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as cause:
        raise UsageError("the request is not JSON") from cause
    if not isinstance(told, dict):
        raise UsageError("the request is not a JSON object")
    _refuse_unknown(told)
    usual = Sampling()
    sampling = Sampling(
        temperature=_number(told, "temperature", usual.temperature),
        min_p=_number(told, "min_p", usual.min_p),
        max_tokens=_most_tokens(told, usual.max_tokens),
        seed=_whole(told, "seed"),
    )
    return Asked(
        _messages(told.get("messages")),
        sampling,
        _schema(told),
        streams=_flag(told, "stream"),
        counts=_flag(_object(told, "stream_options"), "include_usage"),
        stops=_stops(told.get("stop")),
        model=_name(told.get("model")),
    )


def _refuse_unknown(told: dict[str, Any]) -> None:
    for name, value in told.items():
        if name in READ | IGNORED or value is None:
            continue
        if name not in NEUTRAL or value != NEUTRAL[name]:
            raise UsageError(f"{name[:40]!r} with this value is not offered here; leave it out")


def _messages(told: Any) -> list[Message]:  # noqa: ANN401 - JSON is anything
    if not isinstance(told, list) or not 1 <= len(told) <= MOST_MESSAGES:
        raise UsageError(f"messages is a list of 1 to {MOST_MESSAGES} messages")
    found: list[Message] = [_message(one) for one in told]
    if sum(len(one["content"]) for one in found) > MOST_CHARACTERS:
        raise TooLongError(f"the messages have more than {MOST_CHARACTERS} characters together; leave older ones out")
    return found


def _message(told: Any) -> Message:  # noqa: ANN401 - as above
    role, content = (told.get("role"), told.get("content")) if isinstance(told, dict) else (None, None)
    if isinstance(content, list):  # OpenAI's other form, a list of parts
        parts = [one.get("text") if isinstance(one, dict) and one.get("type") == "text" else None for one in content]
        texts = [one for one in parts if isinstance(one, str)]
        content = "".join(texts) if len(texts) == len(parts) else None
    if not isinstance(role, str) or role not in ROLES or not isinstance(content, str):
        raise UsageError(f"a message has a role ({', '.join(ROLES)}) and a content that is text")
    return {"role": ROLES[role], "content": content.encode("utf-8", "replace").decode()}  # no half of a pair


def _schema(told: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema of ``response_format: {type: json_schema, json_schema: {schema: …}}``, None for text."""
    form = _object(told, "response_format") or {"type": "text"}
    if form.get("type") not in ("text", "json_object", "json_schema"):
        wanted = '"text"}, {"type": "json_object"} or {"type": "json_schema", "json_schema": {"schema": …}}'
        raise UsageError(f'response_format is {{"type": {wanted}')
    if form["type"] != "json_schema":
        return None if form["type"] == "text" else {"type": "object"}
    around = form.get("json_schema")
    schema = around.get("schema") if isinstance(around, dict) else None
    if not isinstance(schema, dict):
        raise UsageError("response_format of type json_schema holds no json_schema.schema")
    if "$defs" in schema:
        schema = schemas.inlined(schema)
    schemas.check(schema)
    return schema


def _stops(told: Any) -> tuple[str, ...]:  # noqa: ANN401 - as above
    words = [told] if isinstance(told, str) else [] if told is None else told
    if not isinstance(words, list) or len(words) > MOST_STOPS:
        raise UsageError(f"stop is a text, or a list of at most {MOST_STOPS}")
    if not all(isinstance(word, str) and 0 < len(word) <= MOST_STOP for word in words):
        raise UsageError(f"a stop is a text of 1 to {MOST_STOP} characters")
    return tuple(words)


def _name(told: Any) -> str:  # noqa: ANN401 - as above
    if told is not None and not isinstance(told, str):
        raise UsageError("model is a name, of those that GET /v1/models tells")
    return told or ""


def _object(told: dict[str, Any], name: str) -> dict[str, Any]:
    value = told.get(name)
    if value is not None and not isinstance(value, dict):
        raise UsageError(f"{name} is a JSON object")
    return value or {}


def _flag(told: dict[str, Any], name: str) -> bool:
    value = told.get(name)
    if value is not None and not isinstance(value, bool):
        raise UsageError(f"{name} is true or false")
    return value is True


def _most_tokens(told: dict[str, Any], usual: int) -> int:
    named = [_whole(told, name) for name in ("max_completion_tokens", "max_tokens")]  # OpenAI's new name goes first
    return next((one for one in named if one is not None), usual)


def _number(told: dict[str, Any], name: str, usual: float) -> float:
    value = told.get(name)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1000:
        raise UsageError(f"{name} is a small number")
    return float(value)


def _whole(told: dict[str, Any], name: str) -> int | None:
    value = told.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageError(f"{name} is a whole number")
    return value
