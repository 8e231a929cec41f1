"""Words at which an answer ends: they are cut off, and so is whatever comes after them.

piece ──► Stops.add ──► text that is none of them, and no beginning of one ──► at the end: what was held back
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Stops:
    r"""Hands on the text before the first word that is whole, whichever pieces it comes in.

    >>> stops = Stops(["END", "\n\n"])
    >>> [stops.add(piece) for piece in ("One E", "N", "V, two EN", "D three")], stops.met
    (['One ', '', 'ENV, two ', ''], True)
    """

    def __init__(self, words: Sequence[str] = ()) -> None:
        """Take the words, none of them empty."""
        self._words, self._held, self.met = words, "", False

    def add(self, piece: str) -> str:
        """Return the text that is sure not to be cut off."""
        text = self._held + piece
        ends = [(at + len(word), at) for word in self._words if (at := text.find(word)) >= 0]
        if ends:
            self.met, self._held = True, ""
            return text[: min(ends)[1]]
        open_from = len(text) - max((_begun(text, word) for word in self._words), default=0)
        self._held = text[open_from:]
        return text[:open_from]

    def rest(self) -> str:
        """Return what was held back, once no more comes."""
        rest, self._held = self._held, ""
        return rest


def _begun(text: str, word: str) -> int:
    """Return how many letters at the end of the text are the most that ``word`` can begin with.

    >>> _begun("One E", "END"), _begun("One", "END")
    (1, 0)
    """
    return next((size for size in range(len(word) - 1, 0, -1) if text.endswith(word[:size])), 0)
