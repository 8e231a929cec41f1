"""Which versions of the assistant may answer, and one of them opened in this process.

    PROMOTIONS ──► models_that_answer: champion, challenger, earlier ones ──► open_local ──► an engine, kept loaded

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
from shared.systems.assistant.tables import MODEL

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from shared.ports import ModelVersion, Platform
    from shared.steps.answering.engine import Engine
    from shared.steps.answering.job import Model

    Key = tuple[str, int, datetime]  # world, version, when it was first decided on

MOST_LOADED = 2  # champion and challenger: each takes gigabytes
MAKES_ONE = "`almanac run assistant prepare`, then finetune, evaluate and export"


@dataclass(frozen=True)
class Answerer:
    """A version that may answer: the champion, the challenger that waits, or one that served before."""

    version: int
    role: str  # champion, challenger or earlier
    reason: str  # of the last decision on it
    decided_at: datetime  # of the first one: with the version it tells one store's model from another's

    @property
    def name(self) -> str:
        """What it is called, on pages and beside what visitors prefer."""
        return f"{MODEL} v{self.version}"


def models_that_answer(platform: Platform, *, until: datetime | None = None) -> list[Answerer]:
    """Return the champion, the newest version that waits (if it is newer), then those that served before, newest first.

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
    newest = int(rows["version"].max())
    last = rows.groupby("version")["verdict"].last()
    roles = {champion: "champion"}
    if newest > champion and last[newest] == "waits":
        roles[newest] = "challenger"
    roles |= {one: "earlier" for one in sorted({*serving["version"]} - {*roles}, reverse=True)}
    return [_answerer(rows[rows["version"] == version], role) for version, role in roles.items()]


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


def open_local(platform: Platform, which: str = "champion") -> Engine:
    """Return an engine in this process; the last two stay loaded, and are shared by all who ask for them.

    Raises:
        NotYetError, UsageError: as ``chosen``.
        MissingExtraError: the packages that compute are not installed.
    """
    needed("answering on this machine", "llm", "torch", "transformers")
    from shared.steps.answering.engine import Engine

    one = chosen(platform, which)
    return _LOADED.get((platform.world, one.version, one.decided_at), lambda: Engine(load_model(platform, one)))


def load_model(platform: Platform, one: Answerer) -> Model:
    """Return the weights and tokenizer of a version, every file's hash checked."""
    needed("answering on this machine", "llm", "torch", "transformers")
    from shared.steps.answering.engine import load_model

    registered: ModelVersion = platform.models.load(MODEL, one.version)
    return load_model(registered.folder, one.name)


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
