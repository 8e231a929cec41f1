"""A conversation between a visitor and a model, as a page holds it: checked, bounded, and to take home.

Gradio's Chatbot ──► turns: plain messages ──► asked: bounded, with what the system says ──► a model
                                          └──► download links: Markdown, JSON
"""

from __future__ import annotations

import json
import unicodedata
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from shared.errors import UsageError
from shared.pages.inert import inert, original

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.chat import Message

MOST_CHARACTERS = 8_000  # of a message that a visitor writes
MOST_SYSTEM = 2_000
MOST_MESSAGES = 60
MOST_TOGETHER = 40_000  # characters of a conversation, about 10,000 tokens
MOST_CARRIED = {"by": 80, "told": MOST_SYSTEM, "seal": 80}  # characters of what a message says of how it was made
JOINERS = "\u200c\u200d"  # part of Persian words and of emoji
GO_ON = "Go on exactly where your last answer stopped; repeat nothing."
SPEAKERS = {"system": "Told beforehand", "user": "You", "assistant": "Model"}


def cleaned(text: object, most: int, what: str) -> str:
    r"""Return a visitor's text without control characters, and without marks that only hide what is written.

    Raises:
        UsageError: it is no text, or longer than ``most`` characters.

    >>> cleaned("  What is\u202e a\x00 roux?\n", 100, "a message")
    'What is a roux?'
    """
    if not isinstance(text, str):
        raise UsageError(f"{what} is text; got {type(text).__name__}")
    if len(text) > most:
        raise UsageError(f"{what} has at most {most:,} characters; this one has {len(text):,}: shorten it")
    return "".join(letter for letter in text if not _hidden(letter)).strip()


def _hidden(letter: str) -> bool:
    """Return whether a letter is a control or format character, such as those that turn the order of writing."""
    return letter not in f"\n\t{JOINERS}" and unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn")


def turns(shown: object) -> list[dict[str, str]]:
    """Return what Gradio's Chatbot holds as messages of user and assistant, as they were before ``inert``.

    Raises:
        UsageError: it is no conversation, or too long a one.

    >>> turns([{"role": "user", "content": [{"type": "text", "text": "Hello"}], "metadata": None}])
    [{'role': 'user', 'content': 'Hello'}]
    """
    if not isinstance(shown, list):
        raise UsageError("a conversation is a list of messages with role and content")
    if len(shown) > MOST_MESSAGES:
        raise UsageError(f"a conversation has at most {MOST_MESSAGES} messages: begin a new one")
    messages = [_turn(one) for one in shown]
    length = sum(len(one["content"]) for one in messages)
    if length > MOST_TOGETHER:
        raise UsageError(
            f"a conversation has at most {MOST_TOGETHER:,} characters; this one has {length:,}: begin anew"
        )
    return messages


def _turn(one: object) -> dict[str, str]:
    role, content = (one.get("role"), one.get("content")) if isinstance(one, dict) else (None, None)
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    written = [text for text in texts if isinstance(text, str)]
    if role not in ("user", "assistant") or len(written) < len(texts):
        raise UsageError("a message is text of user or assistant")
    return {"role": str(role), "content": original("\n".join(written)), **_by(one)}


def _by(one: object) -> dict[str, str]:
    """Return which model answered, told what, and the seal of that: as our messages say it, or as Gradio's carry it."""
    known = one if isinstance(one, dict) else {}
    metadata = known.get("metadata")
    carried = metadata.get("id") if isinstance(metadata, dict) else None
    seal, _, rest = carried.partition(" ") if isinstance(carried, str) else ("", "", "")
    by, _, told = rest.partition("\n")
    found = {"by": known.get("by", by), "told": known.get("told", told), "seal": known.get("seal", seal)}
    return {name: text[: MOST_CARRIED[name]] for name, text in found.items() if isinstance(text, str) and text}


def as_shown(history: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return messages for Gradio's Chatbot; which model answered, told what, goes along, unseen, with its seal."""
    return [
        {
            "role": one["role"],
            "content": [{"type": "text", "text": inert(one["content"])}],  # as plain text it would lose indentation
            **(
                {"metadata": {"id": f"{one.get('seal', '')} {one['by']}\n{one.get('told', '')}"}} if "by" in one else {}
            ),
        }
        for one in history
    ]


def asked(system: object, history: Sequence[Mapping[str, str]], question: object) -> list[Message]:
    """Return what a model is asked: what the system says where it says something, what was said, the question.

    Raises:
        UsageError: the question is empty or too long, or turns do not alternate.
    """
    told = cleaned("" if system is None else system, MOST_SYSTEM, "what the model is told")
    said = cleaned("" if question is None else question, MOST_CHARACTERS, "a message")
    if not said.strip(JOINERS):
        raise UsageError("write a question first")
    roles = [one["role"] for one in history]
    if roles != ["user", "assistant"] * (len(roles) // 2):
        raise UsageError("questions and answers take turns, and the last of the conversation is an answer")
    if len(roles) >= MOST_MESSAGES:
        raise UsageError(f"a conversation has at most {MOST_MESSAGES} messages: begin a new one")
    first = [{"role": "system", "content": told}] if told else []
    before = [{"role": one["role"], "content": one["content"]} for one in history]
    return [*first, *before, {"role": "user", "content": said}]


def as_asked(history: Sequence[Mapping[str, str]]) -> list[Message]:
    """Return a conversation as a model reads it, so that one can learn from it: first what its last answer was told.

    >>> as_asked([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo", "told": "Rhyme."}])[0]
    {'role': 'system', 'content': 'Rhyme.'}
    """
    told = next((one.get("told", "") for one in reversed(history) if one["role"] == "assistant"), "")
    first = [{"role": "system", "content": told}] if told else []
    return [*first, *({"role": one["role"], "content": one["content"]} for one in history)]


def downloads(history: Sequence[Mapping[str, str]]) -> Markup:
    """Return links that save the conversation; they carry it, so that nothing is kept on the server."""
    if not history:
        return Markup("")
    said = as_asked(history)
    kept = {"md": ("text/markdown", as_markdown(said)), "json": ("application/json", as_json(said))}
    link = Markup('<a download="conversation.{}" href="data:{};charset=utf-8;base64,{}">Save as {}</a>')
    named = {"md": "Markdown", "json": "JSON"}
    links = [
        link.format(end, kind, b64encode(text.encode()).decode(), named[end]) for end, (kind, text) in kept.items()
    ]
    return Markup('<p class="al-links">{}</p>').format(Markup("").join(links))


def as_markdown(history: Sequence[Message]) -> str:
    r"""Return the conversation for people.

    >>> as_markdown([{"role": "user", "content": "Hello"}])
    '## You\n\nHello\n'
    """
    return "\n".join(f"## {SPEAKERS[one['role']]}\n\n{one['content']}\n" for one in history)


def as_json(history: Sequence[Message]) -> str:
    """Return the conversation as fine-tuning takes it: one object with its ``messages``."""
    return json.dumps({"messages": [dict(one) for one in history]}, ensure_ascii=False)
