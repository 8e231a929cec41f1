"""Records in the forms that chat data come in, as conversations: a system's message perhaps, then question and answer.

    record ──► turns.turns_of ──► role and text of each ──► in turns ──► messages, or why it is no conversation

A record that is none is refused with the reason, so that whoever cleans can count and show what was wrong.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from shared.errors import SchemaError
from shared.steps.turns import named, turns_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.chat import Message

ROLES = {
    **dict.fromkeys(("human", "user", "prompter"), "user"),
    **dict.fromkeys(("gpt", "assistant", "model", "bot", "chatgpt"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
}
TOOLS = {
    "tool",
    "function",
    "function_call",
    "function_response",
    "tool_call",
    "tool_response",
    "observation",
    "ipython",
}
TEXTS = ("text", "input_text", "output_text")  # kinds of parts of a message that are text
_KINDS = {dict: "an object", list: "a list", bool: "true or false", int: "a number", float: "a number"}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")  # half a sign, or a byte that was no UTF-8: no text file takes it


def as_messages(fields: Mapping[str, Any]) -> list[Message]:
    r"""Return a record's messages: the system's if any, then user and assistant in turns, assistant last.

    A question at the end that was not answered is left out, and so is a system's message without a word.

    Raises:
        SchemaError: it is no conversation; the message says why.

    >>> as_messages({"instruction": "Add.", "input": "2 and 3", "output": "5"})
    [{'role': 'user', 'content': 'Add.\n\n2 and 3'}, {'role': 'assistant', 'content': '5'}]
    """
    return _in_turns([_message(turn) for turn in turns_of(fields)])


def as_questions(fields: Mapping[str, Any]) -> list[str]:
    """Return what is asked in a record, answered or not; nothing where it is broken.

    >>> as_questions({"turns": ["Draft a letter.", "Make it shorter."]})
    ['Draft a letter.', 'Make it shorter.']
    """
    try:
        if isinstance(turns := named(fields).get("turns"), list):
            return [plain_text(turn) for turn in turns]
        return [said["content"] for said in as_messages(fields) if said["role"] == "user"]
    except SchemaError:
        return []


def plain_text(value: object) -> str:
    r"""Return a text without control characters and blanks around it; ends of lines are one sign.

    Raises:
        SchemaError: it is no text, or holds half a sign.

    >>> plain_text(" two\x00 eggs\r\n")
    'two eggs'
    """
    if not isinstance(value, str):
        raise SchemaError(f"{_kind(value)} stands where a text should")
    if _SURROGATE.search(value):
        raise SchemaError("a text holds half a sign: it was cut off, or not written as UTF-8")
    return _CONTROL.sub("", value.replace("\r\n", "\n").replace("\r", "\n")).strip()


def _message(turn: object) -> Message:
    if not isinstance(turn, dict):
        raise SchemaError(f"{_kind(turn)} stands where a message with role and content should")
    told = str(turn.get("role", turn.get("from"))).strip()
    if told.lower() in TOOLS or turn.get("tool_calls") or turn.get("function_call"):
        raise SchemaError(f"it uses tools, which models here have not: the role {told[:40]!r}")
    if not (role := ROLES.get(told.lower(), "")):
        raise SchemaError(f"nobody knows the role {told[:40]!r}")
    return {"role": role, "content": _said(turn.get("content", turn.get("value")))}


def _said(content: object) -> str:
    """Return a message's text, also where it comes in parts."""
    return "\n\n".join(map(_part, content)) if isinstance(content, list) and content else plain_text(content)


def _part(part: object) -> str:
    if not isinstance(part, dict):
        return plain_text(part)
    kind = part.get("type", part.get("content_type"))
    if kind not in TEXTS:
        raise SchemaError(f"a message holds what is no text: {str(kind)[:40]!r}")
    return plain_text(part.get("text"))


def _kind(value: object) -> str:
    return "nothing" if value is None else _KINDS.get(type(value), f"a {type(value).__name__}")


def _in_turns(messages: list[Message]) -> list[Message]:
    system = [one for one in messages[:1] if one["role"] == "system"]
    turns = messages[len(system) :]
    turns = turns[:-1] if len(turns) % 2 else turns
    if not turns:
        raise SchemaError("there is no answer in it")
    if [one["role"] for one in turns] != ["user", "assistant"] * (len(turns) // 2):
        raise SchemaError(f"roles are out of order: {', '.join(one['role'] for one in messages[:6])}")
    return [one for one in system if one["content"]] + turns
