"""Which versions of the assistant may answer, and one of them opened in this process.

    PROMOTIONS ──► models_that_answer: champion, challenger, earlier ones ─┬─► opened ──► an engine, kept loaded
    the champion's signature ──► origin: its base, where that is here ─────┘

Nothing here imports torch before a model is opened: a page that asks an endpoint needs none.
"""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import pandas as pd

from shared.errors import NotYetError, UsageError
from shared.steps.extras import needed
from shared.steps.promotion import PROMOTIONS, SERVING
from shared.systems.assistant.origin import origin_of
from shared.systems.assistant.tables import MODEL

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from shared.ports import Platform
    from shared.steps.answering.engine import Engine
    from shared.steps.answering.job import Model
    from shared.systems.assistant.origin import Origin

    Key = tuple[str, str, datetime]  # world, name, when it or what was made of it was first decided on

MOST_LOADED = 2  # champion and challenger: each takes gigabytes
MAKES_ONE = "`almanac run assistant prepare`, then finetune, evaluate and export"


@dataclass(frozen=True)
class Answerer:
    """A version that may answer: the champion, the challenger that waits, one that served before; or a base."""

    version: int  # 0: of a base that is none of ours
    role: str  # champion, challenger, earlier or base
    reason: str  # of the last decision on it
    decided_at: datetime  # of the first one: with the name it tells one store's model from another's
    folder: Path | None = None  # of weights that the registry has not
    called: str = ""

    @property
    def name(self) -> str:
        """What it is called, on pages and beside what visitors prefer."""
        return self.called or f"{MODEL} v{self.version}"


def models_that_answer(platform: Platform, *, until: datetime | None = None) -> list[Answerer]:
    """Return the champion, the newest newer version that waits, if any, then those that served before, newest first.

    Raises:
        NotYetError: none serves.
    """
    rows = platform.features.read(PROMOTIONS, until=until)
    rows = rows[rows["model"] == MODEL].sort_values(["day", "decided_at"])
    serving = rows[rows["verdict"].isin(SERVING)]
    if serving.empty:
        refused = "".join(f": version {row.version} was rejected. {row.reason}" for row in rows.tail(1).itertuples())
        raise NotYetError(f"no version of the assistant answers yet{refused or ';'} run {MAKES_ONE}")
    champion = int(serving["version"].iloc[-1])
    last = rows.groupby("version")["verdict"].last()
    waiting = [int(version) for version in last.index[last == "waits"] if version > champion]
    roles = {champion: "champion"} | {version: "challenger" for version in waiting[-1:]}
    roles |= {one: "earlier" for one in sorted({*serving["version"]} - {*roles}, reverse=True)}
    return [_answerer(rows[rows["version"] == version], role) for version, role in roles.items()]


def with_base(platform: Platform, there: list[Answerer], runs: Path) -> tuple[list[Answerer], Origin | None]:
    """Return those that may answer, with the champion's base last where it is here; and what is known of that base."""
    champion = there[0]
    origin = origin_of(platform, champion.version, runs)
    if origin is None or origin.lacking or origin.name in [one.name for one in there]:
        return there, origin
    reason = f"{champion.name} was fine-tuned from it, and is judged against it."
    of = (origin.version, "base", reason, champion.decided_at, origin.folder)
    return [*there, Answerer(*of, called=origin.name)], origin


def chosen(platform: Platform, which: str = "champion") -> Answerer:
    """Return the version of a role, of a number such as ``3``, or of a name such as ``assistant v3``.

    Raises:
        NotYetError: none serves.
        UsageError: there is no such one among those that may answer.
    """
    there = models_that_answer(platform)
    for one in there:
        if which in (one.role, one.name, str(one.version)):
            return one
    raise UsageError(f"{which!r} does not answer; there are: {', '.join(one.name for one in there)}")


def opened(platform: Platform, one: Answerer) -> Engine:
    """Return an engine in this process; the last two stay loaded, and are shared by all who ask for them.

    Raises:
        NotYetError: its files are gone.
        MissingExtraError: the packages that compute are not installed.
    """
    needed("answering on this machine", "llm", "torch", "transformers")
    from shared.steps.answering.engine import Engine

    return _LOADED.get((platform.world, one.name, one.decided_at), lambda: Engine(load_model(platform, one)))


def load_model(platform: Platform, one: Answerer) -> Model:
    """Return the weights and tokenizer of a version, every file's hash checked; nothing is fetched of a base."""
    needed("answering on this machine", "llm", "torch", "transformers")
    from shared.steps.answering.engine import load_model

    return load_model(one.folder or platform.models.load(MODEL, one.version).folder, one.name)


class Loaded:
    """At most ``most`` engines; two who ask for one at once wait for the same loading."""

    def __init__(self, most: int) -> None:
        """Begin with none."""
        self._most, self._lock = most, Lock()
        self._engines: OrderedDict[Key, Future[Engine]] = OrderedDict()

    def get(self, key: Key, load: Callable[[], Engine]) -> Engine:
        """Return the engine of ``key``, loaded once; the one not asked for longest gives way."""
        with self._lock:
            found = self._engines.get(key)
            engine = self._engines.setdefault(key, found or Future())
            self._engines.move_to_end(key)
            while len(self._engines) > self._most:
                self._engines.popitem(last=False)
        if found is None:
            self._load(key, engine, load)
        return engine.result()

    def _load(self, key: Key, engine: Future[Engine], load: Callable[[], Engine]) -> None:
        try:
            engine.set_result(load())
        except BaseException as failure:  # noqa: BLE001 - it goes to all who wait
            with self._lock:
                self._engines.pop(key, None)  # the next one tries again
            engine.set_exception(failure)


_LOADED = Loaded(MOST_LOADED)


def _answerer(rows: pd.DataFrame, role: str) -> Answerer:
    """Return the version that all these decisions are about."""
    first, last = rows.iloc[0], rows.iloc[-1]
    return Answerer(int(last["version"]), role, str(last["reason"]), pd.Timestamp(first["decided_at"]).to_pydatetime())
