"""What a stage may ask of the outside world: seven ports, each one small protocol.

    FeatureStore   tables of rows: upsert by key, read by time and version, point-in-time join, locks
    ModelRegistry  numbered folders of model files with metrics and hashes
    Tracker        parameters, metrics and files of training runs
    Web            answers to HTTP requests, whichever world gives them
    Corpora        public data sets by name
    Notifier       messages to people
    Publisher      what pages show, brought to where pages can read

``Platform`` is the seven together. Every adapter of a port passes the same tests, in ``tests/shared/adapters``. Beside
them stands ``Chat``, a language model that answers: a page opens one by itself, here or at an endpoint.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from shared.errors import UsageError, WebError
from shared.tables import Table

if TYPE_CHECKING:
    import pandas as pd

MOST_TOKENS = 4096  # of one answer
Version = int  # of a store: grows by at least one with each commit, over all tables


@dataclass(frozen=True)
class Written:
    """What a write did: rows new or changed, rows refused, and the store version that holds them."""

    rows: int
    quarantined: int
    version: Version


class FeatureStore(Protocol):
    """Tables of features, labels and predictions."""

    def write(self, table: Table, rows: pd.DataFrame) -> Written:
        """Insert or replace ``rows`` by key, all of them or none; rows out of bounds go to quarantine.

        Raises:
            SchemaError: the rows do not fit the table; nothing was written.
        """
        ...

    def read(
        self,
        table: Table,
        columns: Sequence[str] | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        as_of: Version | datetime | None = None,
    ) -> pd.DataFrame:
        """Return rows with ``since <= event time < until``, oldest first, as they stood at ``as_of``.

        No rows, with the right columns, when nothing was written yet.

        Raises:
            NotYetError: ``as_of`` is older than what the store still keeps.
        """
        ...

    def join(
        self, spine: pd.DataFrame, tables: Sequence[Table], *, time: str, within: timedelta | None = None
    ) -> pd.DataFrame:
        """Return ``spine`` with each table's newest row not after ``time``, matched on the table's entity.

        Rows, order and index of the spine stay as they are; blanks where a table holds nothing (``within`` that long).
        """
        ...

    def tables(self) -> list[Table]:
        """Return every table written so far, quarantines too, by name."""
        ...

    def version(self) -> Version:
        """Return the newest version, 0 for an empty store."""
        ...

    def lock(self, name: str, wait_s: float = 60) -> AbstractContextManager[None]:
        """Hold ``name`` against other processes; it is freed when its holder ends, however it ends.

        Raises:
            BusyError: it was not free within ``wait_s`` seconds.
        """
        ...


@dataclass(frozen=True)
class NewModel:
    """What ``ModelRegistry.save`` takes: files, what the model takes and gives, how good it is, and who made it."""

    name: str
    folder: Path
    metrics: Mapping[str, float]
    signature: Mapping[str, Any] = field(default_factory=dict)
    code_version: str = ""
    run_id: str = ""
    trained_on: str = ""  # business date, ISO


@dataclass(frozen=True)
class ModelVersion(NewModel):
    """A registered model; ``folder`` is where its files lie now."""

    version: int = 0
    files: Mapping[str, str] = field(default_factory=dict)  # relative path -> sha256


class ModelRegistry(Protocol):
    """Numbered versions of model folders. Which one serves is a row in ``promotions``, not kept here."""

    def save(self, model: NewModel) -> ModelVersion:
        """Copy the folder in as the next version, counted from 1; it is whole or not there.

        Raises:
            UnsafeFileError: a file is of a type that could run code when loaded.
        """
        ...

    def load(self, name: str, version: int) -> ModelVersion:
        """Return the version with every file's hash checked.

        Raises:
            NotYetError: there is no such model or version.
            UnsafeFileError: a file is of an unknown type, missing, added, or its hash differs.
        """
        ...

    def versions(self, name: str) -> list[int]:
        """Return the version numbers there are, oldest first."""
        ...


class Tracker(Protocol):
    """Parameters, metrics and files of training runs."""

    def log(
        self,
        run_id: str,
        params: Mapping[str, str | float | int],
        metrics: Mapping[str, float],
        files: Path | None = None,
    ) -> None:
        """Keep what a run was told and what it reached; the same name again replaces the value."""
        ...

    def metrics(self, run_id: str) -> dict[str, float]:
        """Return the run's metrics by name, empty when it logged none."""
        ...


@dataclass(frozen=True)
class Answer:
    """An HTTP answer with a status below 400."""

    url: str
    status: int
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - JSON is anything
        """Return the body as JSON.

        Raises:
            WebError: it is not JSON, or was cut off.
        """
        try:
            return json.loads(self.body)
        except ValueError as cause:
            raise WebError(f"{self.url} answered something that is not JSON: {self.body[:60]!r}") from cause


class Web(Protocol):
    """One method: ask an address."""

    def get(
        self, url: str, params: Mapping[str, str | int | float] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return the answer, after retries.

        Raises:
            WebError: no usable answer came; the message holds neither query nor headers, which may be secret.
        """
        ...


class Corpora(Protocol):
    """Public data sets by name."""

    def read(self, name: str) -> pd.DataFrame:
        """Return the data set's rows under its own column names.

        Raises:
            SourceError: there is no data set of that name.
        """
        ...


class Notifier(Protocol):
    """Messages to people."""

    @property
    def configured(self) -> bool:
        """Whether there is somebody to tell.

        Raises:
            UsageError: an address is refused; the message says which, and shows no part that may be secret.
            MissingExtraError: the package that sends is not installed.
        """
        ...

    def send(self, title: str, body: str) -> None:
        """Tell everybody; ``body`` is plain text of several lines.

        Raises:
            BackendError: nobody could be told; the message shows no part of an address that may be secret.
            UsageError, MissingExtraError: as ``configured``, or there is nobody to tell.
        """
        ...


class Publisher(Protocol):
    """Brings what pages show to where pages can read; a Space reaches neither a Modal volume nor Hopsworks."""

    @property
    def configured(self) -> bool:
        """Whether pages read elsewhere than where stages write."""
        ...

    def publish(
        self,
        tables: Sequence[Table],
        models: Sequence[str],
        pages: Mapping[str, str] | None = None,
        *,
        every_version: bool = False,
    ) -> str:
        """Bring these tables' rows, the versions of these models that serve or served, and static pages by path.

        With ``every_version`` also those that never served, so that stages can go on there.

        Rows go in one commit; what is there already is not sent again. Returns a sentence, "" when nothing is
        configured.

        Raises:
            BackendError: it could not be brought, and pages show what they showed before; or all but the rows that
                break a bound their table has by now was brought.
        """
        ...


Message = Mapping[str, str]  # "role": system, user or assistant; "content": text


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn: 0 is always the likeliest; min-p as Nguyen et al. 2024, arXiv:2407.01082."""

    temperature: float = 0.7  # 0..2
    min_p: float = 0.05  # 0..1, of the likeliest token's probability
    max_tokens: int = 512
    seed: int | None = None  # None: another answer each time

    def __post_init__(self) -> None:
        """Refuse what no sampler could do.

        Raises:
            UsageError: a value out of its bounds.
        """
        if not (0 <= self.temperature <= 2 and 0 <= self.min_p <= 1 and 1 <= self.max_tokens <= MOST_TOKENS):
            bounds = f"temperature lies in 0..2, min-p in 0..1, max tokens in 1..{MOST_TOKENS}"
            raise UsageError(f"{bounds}; got {self.temperature}, {self.min_p}, {self.max_tokens}")


@dataclass
class Replying:
    """How it stands with an answer, for whoever shows it while it comes."""

    before: int = 0  # answers that are made first
    waking_s: float = 0.0  # seconds waited for a machine that sleeps
    left_out: int = 0  # oldest messages that the model had no room for
    prompt_tokens: int = 0
    tokens: int = 0  # of the answer, so far
    ended: str = ""  # stop: by itself; length: at the most tokens there may be; stopped: by its reader


class Reply:
    """An answer's text, piece by piece; an empty piece is a sign of life, while nothing came that could be shown."""

    def __init__(self, pieces: Generator[str], told: Replying) -> None:
        """Take what makes the pieces and keeps ``told`` true meanwhile."""
        self._pieces, self.told = pieces, told

    def __iter__(self) -> Reply:
        """Return itself: there is one reader."""
        return self

    def __next__(self) -> str:
        """Return the next piece."""
        return next(self._pieces)

    def close(self) -> None:
        """End the answer; whatever made it stops. Dropping the answer does the same."""
        self._pieces.close()


class Chat(Protocol):
    """A language model that answers a conversation, piece by piece."""

    @property
    def name(self) -> str:
        """Which model answers, such as ``assistant v3``."""
        ...

    @property
    def where(self) -> str:
        """Where it computes, in words, such as ``this machine, CPU``."""
        ...

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        schema: Mapping[str, Any] | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Reply:
        """Yield the answer's text as it comes; with a JSON ``schema``, text that fits it once it is whole.

        Ends early once ``stopped``, and whenever its reader stops reading.

        Raises:
            UsageError: the conversation is empty, too long, or no visitor's turn comes last.
            BackendError, WebError: the model failed, or could not be reached.
        """
        ...


@dataclass(frozen=True)
class Platform:
    """The ports one run of a service works with, and which world stands behind them."""

    features: FeatureStore
    models: ModelRegistry
    tracker: Tracker
    web: Web
    corpora: Corpora
    notifier: Notifier
    publisher: Publisher
    world: str = "demo"
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)  # by name; never shown
