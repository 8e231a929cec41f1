"""Records in the forms that chat data come in, as conversations: a system's message perhaps, then question and answer.

    conversations   ShareGPT's: from, value        messages             OpenAI's: role, content
    instruction     Alpaca's: input, output        turns                MT-bench's: questions without answers

A record that is none is refused with the reason, so that whoever cleans can count and show what was wrong.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from shared.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.chat import Message

SHAPES = {  # the columns that a record must have
    "conversation": (("messages",), ("conversations",)),
    "instruction": (("instruction", "output"),),
    "questions": (("turns",),),
}
ROLES = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant", "model", "bot", "chatgpt"), "assistant"),
    "system": "system",
}
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
    if "instruction" in fields:
        asked = [text for name in ("instruction", "input") if (text := plain_text(fields.get(name) or ""))]
        answer = {"role": "assistant", "content": plain_text(fields.get("output"))}
        return [{"role": "user", "content": "\n\n".join(asked)}, answer]
    turns = fields.get("messages", fields.get("conversations"))
    if not isinstance(turns, list):
        raise SchemaError("its messages are no list")
    return _in_turns([_message(turn) for turn in turns])


def as_questions(fields: Mapping[str, Any]) -> list[str]:
    """Return what is asked in a record, answered or not; nothing where it is broken.

    >>> as_questions({"turns": ["Draft a letter.", "Make it shorter."]})
    ['Draft a letter.', 'Make it shorter.']
    """
    try:
        if isinstance(turns := fields.get("turns"), list):
            return [plain_text(turn) for turn in turns]
        return [said["content"] for said in as_messages(fields) if said["role"] == "user"]
    except SchemaError:
        return []


def shape_of(fields: Mapping[str, Any], shapes: Mapping[str, tuple[tuple[str, ...], ...]] = SHAPES) -> str:
    """Return which of ``shapes`` a record's columns make it, "" for none.

    >>> shape_of({"id": 1, "messages": []}), shape_of({"prompt": "Hello"})
    ('conversation', '')
    """
    return next((shape for shape, ways in shapes.items() for way in ways if fields.keys() >= {*way}), "")


def plain_text(value: object) -> str:
    r"""Return a text without control characters and blanks around it; ends of lines are one sign.

    Raises:
        SchemaError: it is no text, or holds half a sign.

    >>> plain_text(" two\x00 eggs\r\n")
    'two eggs'
    """
    if not isinstance(value, str):
        raise SchemaError(f"a {type(value).__name__} stands where a text should")
    if _SURROGATE.search(value):
        raise SchemaError("a text holds half a sign: it was cut off, or not written as UTF-8")
    return _CONTROL.sub("", value.replace("\r\n", "\n").replace("\r", "\n")).strip()


def _message(turn: object) -> Message:
    if not isinstance(turn, dict):
        raise SchemaError(f"a {type(turn).__name__} stands where a message with role and content should")
    told = turn.get("role", turn.get("from"))
    role = ROLES.get(str(told).strip().lower(), "")
    if not role:
        raise SchemaError(f"nobody knows the role {str(told)[:40]!r}")
    return {"role": role, "content": plain_text(turn.get("content", turn.get("value")))}


def _in_turns(messages: list[Message]) -> list[Message]:
    system = [one for one in messages[:1] if one["role"] == "system"]
    turns = messages[len(system) :]
    turns = turns[:-1] if len(turns) % 2 else turns
    if not turns:
        raise SchemaError("there is no answer in it")
    if [one["role"] for one in turns] != ["user", "assistant"] * (len(turns) // 2):
        raise SchemaError(f"roles are out of order: {', '.join(one['role'] for one in messages[:6])}")
    return [one for one in system if one["content"]] + turns
