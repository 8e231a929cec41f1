"""A model's card: the README.md beside its weights, with the head that Hugging Face reads.

    facts ──► head: YAML ──┐
    sections: text, tables ┴──► README.md

Names of files and models come from people: in the head they are quoted as JSON, which is YAML, too; in the text they
stand in backticks, or in a table, where no sign of theirs means anything.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Head = Mapping[str, str | Sequence[str]]


def card(head: Head, title: str, sections: Mapping[str, str]) -> str:
    """Return a card: the head's fields that hold something, the title, a chapter a section.

    >>> print(card({"library_name": "transformers", "tags": ["llama"], "license": ""}, "Ours", {"Limits": "Many."}))
    ---
    library_name: "transformers"
    tags: ["llama"]
    ---
    <BLANKLINE>
    # Ours
    <BLANKLINE>
    ## Limits
    <BLANKLINE>
    Many.
    <BLANKLINE>
    """
    fields = [f"{name}: {_quoted(value)}" for name, value in head.items() if value]
    chapters = [f"## {name}\n\n{text}\n" for name, text in sections.items() if text]
    return "\n".join(["---", *fields, "---", "", f"# {title}", "", *chapters])


def rows(table: Sequence[Mapping[str, object]]) -> str:
    """Return a table in Markdown, its columns those of the first row; "" of none.

    >>> print(rows([{"figure": "loss", "value": 0.5}]))
    | figure | value |
    |---|---|
    | loss | 0.5 |
    """
    if not table:
        return ""
    names = [*table[0]]
    lines: list[list[object]] = [[*names], *([row.get(name, "") for name in names] for row in table)]
    told = ["| " + " | ".join(plain(str(cell)) for cell in line) + " |" for line in lines]
    return "\n".join([told[0], "|" + "---|" * len(names), *told[1:]])


def code(text: str) -> str:
    """Return text as code on one line, whatever stands in it.

    >>> code("a`b c")
    '`ab c`'
    """
    return f"`{' '.join(text.replace('`', '').split())[:300] or ' '}`"


def plain(text: str) -> str:
    r"""Return text on one line in which no sign means anything to Markdown or HTML.

    >>> plain("a|b <c> [d](e)")
    'a\\|b &lt;c&gt; \\[d\\](e)'
    """
    told = " ".join(text.split())[:300].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", told)


def _quoted(value: str | Sequence[str]) -> str:
    """Return the value as JSON in ASCII, of which YAML reads every escape but those of letters beyond 16 bits."""
    known = value if isinstance(value, str) else [*value]
    return re.sub(r"(\\ud[89ab][0-9a-f]{2})(\\ud[c-f][0-9a-f]{2})?|\\ud[c-f][0-9a-f]{2}", "?", json.dumps(known))
