"""Checks of an answer's form, each a program: whether it is JSON, has three bullets, keeps to twenty words.

    a check = what an answer must be, as a function of its text ──► kept to, or not

In the manner of IFEval (Zhou et al. 2023, arXiv:2311.07911). What is right is not asked, only what was asked for.
Answers are anything: every check takes time linear in the text, and an endless or empty one keeps to nothing.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[[str], bool]

MOST_CHARACTERS = 100_000  # of an answer; JSON nested that deep is refused by Python itself
WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def keeps(check: Check, answer: str) -> bool:
    """Return whether the answer, without blanks around it, keeps to the check.

    >>> keeps(words(most=3), " Two words. "), keeps(lower_case(), "")
    (True, False)
    """
    text = answer.strip()
    return 0 < len(text) <= MOST_CHARACTERS and check(text)


def every(*checks: Check) -> Check:
    """All of them."""
    return lambda text: all(check(text) for check in checks)


def json_object(*keys: str) -> Check:
    """A JSON object with exactly these keys, in any order, and nothing around it."""

    def check(text: str) -> bool:
        found = _json(text)
        return isinstance(found, dict) and {*found} == {*keys}

    return check


def json_list(count: int) -> Check:
    """A JSON list of so many texts, and nothing around it."""

    def check(text: str) -> bool:
        found = _json(text)
        return isinstance(found, list) and len(found) == count and all(isinstance(one, str) for one in found)

    return check


def json_number(key: str, value: float) -> Check:
    """A JSON object that gives ``value`` for ``key``."""

    def check(text: str) -> bool:
        found = _json(text)
        return isinstance(found, dict) and not isinstance(found.get(key), bool) and found.get(key) == value

    return check


def bullets(count: int) -> Check:
    """So many lines that begin with "- " or "* ", and no line of another kind."""
    return lambda text: len(_lines(text)) == count and all(line.startswith(("- ", "* ")) for line in _lines(text))


def numbered(count: int) -> Check:
    """So many lines, numbered "1. ", "2. " and on, and no line of another kind."""

    def check(text: str) -> bool:
        lines = _lines(text)
        return len(lines) == count and all(line.startswith(f"{place}. ") for place, line in enumerate(lines, 1))

    return check


def lines(count: int) -> Check:
    """So many lines that are not blank."""
    return lambda text: len(_lines(text)) == count


def words(least: int = 1, most: int = MOST_CHARACTERS) -> Check:
    """From ``least`` to ``most`` words; those with a hyphen or an apostrophe are one."""
    return lambda text: least <= len(WORD.findall(text)) <= most


def sentences(count: int) -> Check:
    """So many runs of text that end with one of . ! ?, and none that does not."""

    def check(text: str) -> bool:
        parts = [part for part in re.split(r"(?<=[.!?])\s+", text) if WORD.search(part)]
        return len(parts) == count and text.endswith((".", "!", "?"))

    return check


def paragraphs(count: int) -> Check:
    """So many blocks with a blank line between them."""
    return lambda text: len([block for block in "\n".join(_stripped(text)).split("\n\n") if block.strip()]) == count


def parts(separator: str, count: int) -> Check:
    """So many parts that are not blank, with ``separator`` on a line of its own between them."""

    def check(text: str) -> bool:
        blocks = "\n".join(_stripped(text)).split(f"\n{separator}\n")
        return len(blocks) == count and all(block.strip() not in ("", separator) for block in blocks)

    return check


def one_of(*answers: str) -> Check:
    """One of these words or phrases and nothing else; a full stop and capitals do not matter."""
    return lambda text: text.removesuffix(".").casefold() in {answer.casefold() for answer in answers}


def has(*phrases: str) -> Check:
    """Each of these, as whole words, in any case."""
    return lambda text: all(_times(phrase, text) > 0 for phrase in phrases)


def times(phrase: str, least: int) -> Check:
    """This, as a whole word, at least so often."""
    return lambda text: _times(phrase, text) >= least


def lacks(*phrases: str) -> Check:
    """None of these, as whole words, in any case."""
    return lambda text: not any(_times(phrase, text) for phrase in phrases)


def without(characters: str) -> Check:
    """None of these characters, in any case."""
    return lambda text: not {*characters.casefold()} & {*text.casefold()}


def lower_case() -> Check:
    """Letters, and none of them a capital."""
    return lambda text: text == text.lower() and text != text.upper()


def upper_case() -> Check:
    """Letters, and all of them capitals."""
    return lambda text: text == text.upper() and text != text.lower()


def digits(count: int = 0) -> Check:
    """A whole number in digits and nothing else; of ``count`` digits, where that is told."""
    return lambda text: text.isascii() and text.isdigit() and len(text) == (count or len(text))


def begins(phrase: str) -> Check:
    """This at the very beginning, letter by letter."""
    return lambda text: text.startswith(phrase)


def ends(phrase: str) -> Check:
    """This at the very end, letter by letter."""
    return lambda text: text.endswith(phrase)


def around(left: str, right: str) -> Check:
    """The whole answer stands between these, which come nowhere inside."""

    def check(text: str) -> bool:
        inside = text[len(left) : len(text) - len(right)]
        return text.startswith(left) and text.endswith(right) and bool(inside.strip()) and left not in inside

    return check


def titled() -> Check:
    """A first line in double angle brackets, <<as here>>, and more below it."""

    def check(text: str) -> bool:
        found = _lines(text)
        return len(found) > 1 and len(found[0]) > 4 and found[0].startswith("<<") and found[0].endswith(">>")

    return check


def _json(text: str) -> Any:  # noqa: ANN401 - JSON is anything
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _times(phrase: str, text: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.IGNORECASE))


def _stripped(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n")]


def _lines(text: str) -> list[str]:
    return [line for line in _stripped(text) if line]
