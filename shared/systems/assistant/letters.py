"""What a text shows to who reads it: signs that nobody sees taken out, words of look-alike letters found.

    "shrimp" with a soft hyphen in it ──► seen ──► "shrimp"        "milk" with a Cyrillic i ──► mixed ──► that word

A rule over names compares characters, a person shapes: what looks like milk has to be milk to both.
"""

from __future__ import annotations

import re
import unicodedata

# Drawn as nothing, though of no category that says so: Default_Ignorable_Code_Point in Unicode's DerivedCoreProperties.
_UNDRAWN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
_WORD = re.compile(r"[^\W\d_]+")
# One word may have these beside letters of an alphabet: nothing in them looks like one (UTS #39, highly restrictive).
_BESIDE = {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "MODIFIER"}


def seen(text: str) -> str:
    r"""Return text in Unicode's form NFKC, without what is not drawn: soft hyphens, blanks of no width, directions.

    >>> seen("shr\u00adimp, mi\u200blk, \uff45gg")
    'shrimp, milk, egg'
    """
    if text.isascii() and text.isprintable():
        return text
    drawn = "".join(one for one in unicodedata.normalize("NFKC", text) if not _is_undrawn(one))
    return unicodedata.normalize("NFKC", drawn)  # an accent may stand beside its letter only now


def mixed(text: str) -> str:
    r"""Return the first word that has letters of more than one alphabet, "" where none has.

    >>> mixed("200 g m\u0456lk") == "m\u0456lk", mixed("milk, молоко, 維生素C, β-carotene")
    (True, '')
    """
    if text.isascii():
        return ""
    return next((word for word in _WORD.findall(seen(text)) if len(_scripts(word)) > 1), "")


def _is_undrawn(one: str) -> bool:
    """Return whether a character has no shape: a format's (Cf), a control's that is no blank (Cc), or ignorable."""
    kind = unicodedata.category(one)
    return kind == "Cf" or (kind == "Cc" and one not in "\t\n\v\f\r\x85") or _UNDRAWN.match(one) is not None


def _scripts(word: str) -> set[str]:
    """Return the alphabets of a word, as the names of its letters begin."""
    return {unicodedata.name(one, "").partition(" ")[0] for one in word} - _BESIDE
