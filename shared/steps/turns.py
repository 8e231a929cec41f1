"""The turns of a chat record, in the forms that people have them in, one after the other.

    messages, conversations, conversation   lists of turns: OpenAI's (role, content), ShareGPT's (from, value)
    data                                    UltraChat's: a list of texts, question and answer by turns
    prompt and completion, instruction …    Alpaca's, Dolly's and their like: a question and an answer
    chosen, rejected                        pairs of preference: what was chosen, and "Human:", "Assistant:" in it
    message_tree_id, prompt                 a tree of OASST: down the replies that were ranked best
    mapping, current_node                   a chat as ChatGPT exports it: back from its last message

Columns go by their names in lower case. What a turn says, and whether roles are in order, is for ``conversations``.
"""

from __future__ import annotations

import ast
import io
import json
import math
import re
import tokenize
import warnings
from itertools import cycle, product
from typing import TYPE_CHECKING, Any

from shared.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping

LISTS = ("messages", "conversations", "conversation")
ASKED = ("instruction", "prompt", "question", "query", "input")
ANSWERED = ("output", "response", "completion", "answer", "chosen")
BESIDE = ("input", "context")  # what a question is about
TOLD = ("system", "system_prompt")
MOST_WRITTEN = 2**20  # characters of a list as Python writes it: to read them takes some 250 times as many bytes
SHAPES: dict[str, tuple[tuple[str, ...], ...]] = {  # the columns that a record must have
    "conversation": (*((name,) for name in LISTS), ("message_tree_id", "prompt"), ("mapping", "current_node")),
    "instruction": (*product(ASKED, ANSWERED), ("chosen", "rejected")),
    "questions": (("turns",),),
    "texts": (("data",),),
}
KNOWN = (
    "messages or conversations; instruction, prompt or question, with output, response, completion or answer; "
    "chosen and rejected; OASST's trees; UltraChat's data; ChatGPT's export; turns"
)
_NO_COMMA = re.compile(r"""['"]\s+['"]""")
_SPOKEN = re.compile(r"(?:^|\n\n)(Human|Assistant):")  # Anthropic's hh-rlhf


def named(fields: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a record by the names of its columns in lower case; of two alike the first counts.

    >>> named({"Prompt ": "Hello", "prompt": "Bye"})
    {'prompt': 'Hello'}
    """
    return {str(name).strip().lower(): value for name, value in [*fields.items()][::-1]}


def shape_of(fields: Mapping[str, Any], shapes: Mapping[str, tuple[tuple[str, ...], ...]] = SHAPES) -> str:
    """Return which of ``shapes`` a record's columns make it, "" for none.

    >>> shape_of({"id": 1, "messages": []}), shape_of({"prompt": "Hello"})
    ('conversation', '')
    """
    columns = named(fields).keys()
    return next((shape for shape, ways in shapes.items() for way in ways if columns >= {*way}), "")


def turns_of(fields: Mapping[str, Any]) -> list[Any]:
    r"""Return what is said in a record, in order, each a turn as its form has it; of an answer the best or last.

    >>> turns_of({"instruction": "Add.", "context": "2 and 3", "response": "5"})
    [{'role': 'user', 'content': 'Add.\n\n2 and 3'}, {'role': 'assistant', 'content': '5'}]

    Raises:
        SchemaError: it is of none of the forms, or its turns are no list.
    """
    told = named(fields)
    if name := next((name for name in LISTS if name in told), ""):
        if (turns := as_list(told[name])) is None:
            raise SchemaError("its messages are no list")
        return turns
    if "message_tree_id" in told:
        return _best_replies(told.get("prompt"))
    if "mapping" in told:
        return _exported(told)
    if shape_of(told) == "instruction":
        return _asked_and_answered(told)
    if (texts := as_list(told.get("data"))) is None:
        raise SchemaError("its messages are no list")
    roles = cycle(("user", "assistant"))
    return [{"role": next(roles), "content": one} if isinstance(one, str) else one for one in texts]


def as_list(value: object) -> list[Any] | None:
    r"""Return a list, also where CSV holds it as JSON, Python or NumPy write it; None for what is none.

    >>> as_list('["2 eggs"]'), as_list("['2 eggs', \"a cook's rice\"]"), as_list("2 eggs")
    (['2 eggs'], ['2 eggs', "a cook's rice"], None)
    """
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return as_list(json.loads(value))
        except (ValueError, RecursionError):
            return as_list(_literal(value))
    return value if isinstance(value, list) else None


# --- forms ---------------------------------------------------------------------------------------------------------


def _asked_and_answered(told: Mapping[str, Any]) -> list[Any]:
    """Return a question and its answer, each a text or a list of turns; an answer may bring its question along."""
    answer = told[next(name for name in ANSWERED if name in told)]
    asks = next((name for name in ASKED if name in told), "")
    if isinstance(answer, list):
        alone = any(_role(turn) in ("user", "human") for turn in answer)
        return answer if alone or not asks else [*_question(told, asks), *answer]
    if asks:
        return [*_question(told, asks), {"role": "assistant", "content": answer}]
    if not (spoken := _SPOKEN.split(answer)[1:] if isinstance(answer, str) else []):
        raise SchemaError("what was chosen is an answer without its question")
    return [{"role": role.lower(), "content": text} for role, text in zip(spoken[::2], spoken[1::2], strict=True)]


def _question(told: Mapping[str, Any], asks: str) -> list[Any]:
    """Return what was asked, with what it is about and what the model was told first."""
    first = [{"role": "system", "content": told[name]} for name in TOLD if told.get(name)]
    asked = told[asks]
    if isinstance(asked, list):
        return first + asked
    about = [told[name] for name in BESIDE if name != asks and told.get(name)]
    texts = ["" if asked is None else asked, *about]  # who left out the instruction asks by what stands beside it
    if about and not all(isinstance(one, str) for one in texts):
        raise SchemaError("what its question is about is no text")
    asked = "\n\n".join(one.strip() for one in texts if one.strip()) if about else asked
    return [*first, {"role": "user", "content": asked}]


def _best_replies(node: object) -> list[Any]:
    """Return the turns from a tree's root down, of replies the one ranked best; what was deleted is not gone into."""
    turns = list[Any]()
    while isinstance(node, dict):
        turns.append({"role": node.get("role"), "content": node.get("text")})
        replies = [one for one in node.get("replies") or () if isinstance(one, dict) and not one.get("deleted")]
        node = min(replies, key=_rank, default=None)
    return turns


def _rank(reply: Mapping[str, Any]) -> float:
    rank = reply.get("rank")
    return rank if isinstance(rank, int | float) else math.inf


def _exported(told: Mapping[str, Any]) -> list[Any]:
    """Return the turns that lead to the last message; those of the application and of its thoughts are not shown."""
    nodes, at, turns = told["mapping"], told.get("current_node"), list[Any]()
    left = {**nodes} if isinstance(nodes, dict) else {}
    while isinstance(node := left.pop(str(at), None), dict):  # each once, so that no loop holds it up
        turns += [turn] if (turn := _shown(node.get("message"))) else []
        at = node.get("parent")
    return turns[::-1]


def _shown(message: object) -> dict[str, Any]:
    if not isinstance(message, dict) or not isinstance(said := message.get("content"), dict):
        return {}
    author = message.get("author")
    role = author.get("role") if isinstance(author, dict) else None
    parts = said.get("parts")
    if said.get("content_type") not in ("text", "multimodal_text", "code") or parts == [""]:
        return {}
    return {"role": role, "content": parts if parts is not None else said.get("text")}


def _role(turn: object) -> str:
    return str(turn.get("role", turn.get("from"))).strip().lower() if isinstance(turn, dict) else ""


def _literal(text: str) -> object:
    if len(text) > MOST_WRITTEN:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a backslash that means nothing, which stays as it stands
            return _apart(text) or ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError):
        return None


def _apart(text: str) -> list[str]:
    """Return texts with no comma between them, as NumPy writes a list, which Python would read as one; else none."""
    if not _NO_COMMA.search(text):
        return []
    tokens = [one for one in tokenize.generate_tokens(io.StringIO(text).readline) if one.string.strip()]
    texts = [ast.literal_eval(one.string) for one in tokens if one.type == tokenize.STRING]
    return texts if {one.string for one in tokens if one.type != tokenize.STRING} == {"[", "]"} else []
