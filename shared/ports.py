"""What a stage may ask of the outside world: seven ports, each one small protocol.

    FeatureStore   tables of rows: upsert by key, read by time and version, point-in-time join, locks
    ModelRegistry  numbered folders of model files with metrics and hashes
    Tracker        parameters, metrics and files of training runs
    Web            answers to HTTP requests, whichever world gives them
    Corpora        public data sets by name
    Notifier       messages to people
    Publisher      what pages show, brought to where pages can read

``Platform`` is the seven together. Every adapter of a port passes the same tests, in ``tests/shared/adapters``. Beside
them stands ``shared.chat``, a language model that answers: a page opens one by itself, here or at an endpoint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from shared.errors import WebError
from shared.tables import Table

if TYPE_CHECKING:
    import pandas as pd

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

    def signature(self, name: str, version: int) -> Mapping[str, Any]:
        """Return what a version takes, gives and was made of, without a look at its files, which may have gigabytes.

        Raises:
            NotYetError: there is no such model or version.
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
