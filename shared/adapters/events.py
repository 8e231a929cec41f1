"""OpenAI's chat API as it goes over the wire, seen from whoever asks: a question's JSON, and an answer line by line.

data: {… "delta": {"content": "Two"} …}      : before 3 (a comment of ours: 3 answers are made first)
data: {… "finish_reason": "stop", "usage": …}      data: [DONE]
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shared.chat import Replying
from shared.errors import BackendError, UsageError, WebError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import httpx

    from shared.chat import Message, Sampling

MOST_LINE = 1 << 20  # characters of one event
MOST_SENTENCE = 300  # characters of what an endpoint says is wrong


def question(messages: Sequence[Message], sampling: Sampling, schema: Mapping[str, Any] | None) -> bytes:
    """Return the JSON that OpenAI's API takes, and min_p, which is ours and vLLM's.

    Raises:
        UsageError: the schema is not JSON, or holds a number that JSON has no word for.
    """
    told = {"temperature": sampling.temperature, "min_p": sampling.min_p, "max_tokens": sampling.max_tokens}
    body = {"model": "assistant", "messages": [_sendable(one) for one in messages], "stream": True, **told}
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if schema is not None:
        form = {"name": "answer", "strict": True, "schema": dict(schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as cause:
        raise UsageError("this schema cannot be sent: it is not JSON, or a number in it is infinite") from cause


def lines(answer: httpx.Response) -> Iterator[str]:
    """Yield the lines that are not blank.

    Raises:
        WebError: one is longer than any that is meant for us.
    """
    rest = ""
    for text in answer.iter_text():
        *whole, rest = (rest + text).split("\n")
        yield from (line.strip() for line in whole if line.strip())
        if len(rest) > MOST_LINE:
            raise WebError("the endpoint answered with an event of more than a megabyte")


def read(line: str, told: Replying) -> str:
    """Return the text that a line of the stream brings, and keep what else it says.

    >>> told = Replying()
    >>> read('data: {"choices": [{"delta": {"content": "Two"}}]}', told), read(": before 3", told), told.before
    ('Two', '', 3)
    """
    if line.startswith(":"):
        before = line.removeprefix(": before ")
        told.before = int(before) if before.isdecimal() and len(before) < 10 else told.before
        return ""
    event = parsed(line.removeprefix("data:"))
    if "error" in event:
        raise BackendError(_message(event))
    choices = event.get("choices")
    choice = _object(choices[0]) if isinstance(choices, list) and choices else {}
    piece = _object(choice.get("delta")).get("content") or ""
    _keep(told, event, choice.get("finish_reason"), bool(piece))
    return _whole(str(piece))


def sentence(answer: httpx.Response) -> str:
    """Return what the endpoint says is wrong, "" where it says nothing in our words."""
    try:
        return _message(parsed(answer.text))
    except WebError:
        return ""


def _keep(told: Replying, event: dict[str, Any], ended: object, is_text: bool) -> None:
    told.before, told.tokens = 0, told.tokens + is_text
    if usage := _object(event.get("usage")):
        told.prompt_tokens, told.tokens = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
        told.left_out = _count(event, "left_out")
    if isinstance(ended, str):
        told.ended = ended


def wait(answer: httpx.Response) -> str:
    """Return how long an endpoint that is asked too much wants to be left alone, in words."""
    told = answer.headers.get("retry-after", "")
    return f"in {told} s" if told.isdecimal() and len(told) < 6 else "in a minute"


def _sendable(message: Message) -> Message:
    return {name: _whole(text) for name, text in message.items()}


def _whole(text: str) -> str:
    """Return text without halves of a pair of surrogates, which have no UTF-8."""
    return text.encode("utf-8", "replace").decode()


def _message(told: dict[str, Any]) -> str:
    return str(_object(told.get("error")).get("message", ""))[:MOST_SENTENCE]


def _count(told: dict[str, Any], name: str) -> int:
    value = told.get(name)
    return value if isinstance(value, int) else 0


def _object(told: object) -> dict[str, Any]:
    return told if isinstance(told, dict) else {}


def parsed(text: str) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        WebError: it is none.
    """
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise WebError("the endpoint answered something that is not JSON") from cause
    if not isinstance(told, dict):
        raise WebError("the endpoint answered something that is no JSON object")
    return told
