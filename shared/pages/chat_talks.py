"""A visitor's conversations, as his browser keeps them: nothing of them stays on the server.

the browser ──► talks_of: checked, as anybody may have written it ──► saved, opened, forgotten ──► the browser
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shared.errors import UsageError
from shared.pages.talking import turns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.chat import Message

MOST_TALKS = 20
MOST_CHARACTERS = 1_000_000  # of all together: a browser gives a page about five million
TITLE = 48  # characters of one


@dataclass(frozen=True)
class Talks:
    """Conversations by id, the newest first, and which of them is being shown ("" for a new one)."""

    current: str = ""
    kept: Mapping[str, Sequence[Message]] = field(default_factory=dict)

    @property
    def shown(self) -> list[Message]:
        """Return the messages of the conversation that is being shown."""
        return [*self.kept.get(self.current, ())]

    @property
    def titles(self) -> list[tuple[str, str]]:
        """Return what each conversation begins with, and its id."""
        return [(_title(messages), name) for name, messages in self.kept.items()]

    def saved(self, history: Sequence[Message], fresh: str) -> Talks:
        """Return these with ``history`` as the one being shown, under the id ``fresh`` where it is new.

        >>> talks = Talks().saved([{"role": "user", "content": "Hello"}], "1")
        >>> talks.current, talks.titles
        ('1', [('Hello', '1')])
        """
        if not history:
            return self.forgotten()
        name = self.current or fresh
        others = {one: messages for one, messages in self.kept.items() if one != name}
        return replace(self, current=name, kept=_bounded({name: [*history], **others}))

    def opened(self, name: object) -> Talks:
        """Return these with another one being shown; a new one where there is none of that name."""
        return replace(self, current=name if isinstance(name, str) and name in self.kept else "")

    def forgotten(self) -> Talks:
        """Return these without the one that is being shown."""
        others = {name: messages for name, messages in self.kept.items() if name != self.current}
        return replace(self, current="", kept=others)

    def to_browser(self) -> dict[str, Any]:
        """Return what the browser keeps."""
        return {"current": self.current, "kept": [[name, [*messages]] for name, messages in self.kept.items()]}


def talks_of(held: object) -> Talks:
    """Return what a browser holds; what is not of our making is left out.

    >>> talks_of("nonsense"), talks_of({"current": 1, "kept": [["1", "broken"]]})
    (Talks(current='', kept={}), Talks(current='', kept={}))
    """
    pairs = held.get("kept") if isinstance(held, dict) else None
    kept = {}
    for pair in pairs[:MOST_TALKS] if isinstance(pairs, list) else ():
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str):
            try:
                kept[pair[0]] = turns(pair[1])
            except UsageError:
                continue  # of an older page, or of somebody's own making
    return Talks(kept=_bounded(kept)).opened(held.get("current") if isinstance(held, dict) else "")


def _bounded(kept: Mapping[str, Sequence[Message]]) -> dict[str, Sequence[Message]]:
    """Return the newest conversations, as many as a browser is asked to keep."""
    room, found = MOST_CHARACTERS, {}
    for name, messages in [*kept.items()][:MOST_TALKS]:
        room -= sum(len(one["content"]) for one in messages)
        if room < 0:
            break
        found[name] = messages
    return found


def _title(messages: Sequence[Message]) -> str:
    words = " ".join(messages[0]["content"].split()) if messages else ""
    return words if len(words) <= TITLE else f"{words[: TITLE - 1]}…"
