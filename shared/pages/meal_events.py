"""What the page of meals does when a meal is asked for: the form in, the recipe as it is being composed, the meal.

form ──► MealRequest ──► a Chat, watched: whose turn it is, whether it must wake first ──► draft, draft, …, Meal
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from shared.chat import Replying
from shared.pages.chat_progress import EVERY_S, Heard
from shared.systems.assistant import meals
from shared.systems.assistant.meals import Meal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.chat import Chat, Message, Reply, Sampling
    from shared.systems.assistant.recipes import MealRequest


@dataclass
class Watched:
    """A ``Chat`` of which is known how its last answer stands."""

    chat: Chat
    told: Replying = field(default_factory=Replying)

    @property
    def name(self) -> str:
        """Which model answers."""
        return self.chat.name

    @property
    def where(self) -> str:
        """Where it computes."""
        return self.chat.where

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        schema: Mapping[str, Any] | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Reply:
        """Return the answer, and remember how it stands."""
        reply = self.chat.stream(messages, sampling, schema=schema, stopped=stopped)
        self.told = reply.told
        return reply


def composed(
    chat: Chat, request: MealRequest, clock: Callable[[], float] = monotonic
) -> Iterator[tuple[Heard, Meal | None]]:
    """Yield the answer so far, a few times a second, and with the last one the meal.

    Raises:
        UsageError, BackendError, WebError: as ``meals.compose``.
    """
    watched, begun = Watched(chat), clock()
    drawn, first_s, text = begun - EVERY_S, None, ""
    for part in meals.stream(watched, request):
        now = clock()
        if isinstance(part, Meal):
            yield Heard(part.text, watched.told, now - begun, first_s, over=True), part
            return
        if first_s is None and part:
            first_s = now - begun
        if now - drawn >= EVERY_S:
            drawn, text = now, part
            yield Heard(text, watched.told, now - begun, first_s), None
