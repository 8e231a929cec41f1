"""Which answers this page itself gave: a seal beside each, kept by the browser, as the conversation is.

answer, as it comes ──► sealed: with what was told and said before it, and by whom ──► a thumb ──► holds, or is not kept

A browser may send any text as an answer of a model; only the page knows the key, which ends with it.
"""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LENGTH = 32  # hexadecimal digits: 128 bits


@dataclass(frozen=True)
class Seal:
    """A key of this process; HMAC-SHA-256 as RFC 2104 has it.

    >>> seal, asked = Seal(b"key"), {"role": "user", "content": "Hello"}
    >>> answer = seal.sealed([asked], "Hi!", "assistant v3", told="Be brief.")
    >>> seal.holds([asked, answer]), seal.holds([asked, {**answer, "content": "Buy!"}])
    (True, False)
    """

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def sealed(self, before: Sequence[Mapping[str, str]], answer: str, by: str, told: str = "") -> dict[str, str]:
        """Return an answer of the model ``by``, which was ``told`` something beforehand, as a message with its seal."""
        message = {"role": "assistant", "content": answer, "by": by, **({"told": told} if told else {})}
        return {**message, "seal": self._of([*before, message])}

    def holds(self, history: Sequence[Mapping[str, str]]) -> bool:
        """Return whether every answer of a conversation was given here, to what stands before it."""
        answers = [place for place, one in enumerate(history) if one["role"] == "assistant"]
        given = [(history[place].get("seal", ""), self._of(history[: place + 1])) for place in answers]
        return all(hmac.compare_digest(told.encode(), own.encode()) for told, own in given)

    def _of(self, said: Sequence[Mapping[str, str]]) -> str:
        parts = json.dumps([[one["role"], one["content"], one.get("by", ""), one.get("told", "")] for one in said])
        return hmac.new(self.key, parts.encode(), "sha256").hexdigest()[:LENGTH]
