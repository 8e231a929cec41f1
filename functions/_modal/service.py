"""What every service file shares: its Modal App, machines, secrets and schedules from modal.toml, its store.

modal.toml is read where the command runs. A container does not have it: what was made of it there comes along in its
environment, as does the deployment it belongs to.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import modal

from functions._modal.images import COPY
from functions._modal.logs import heard, into_modals_log
from functions._modal.machines import machine_options
from functions._timetable import NAME, deployment, record_key, secret_names, timetable, volume_name

if TYPE_CHECKING:
    from functions._modal.volume import Store
    from shared.ports import Platform
    from shared.runs import Report
    from shared.tables import Table

    Published = tuple[Sequence[Table], Sequence[str], Callable[[], dict[str, str]]]  # tables, models, static pages

HOME = "/almanac"  # where the volume with the embedded store is mounted
MOST_WORKERS = 10  # at once, unless modal.toml says otherwise
ASKED_AGAIN_S = 1.0  # which part comes next, when that was not known
Stage = Callable[..., dict[str, Any]]
Work = Callable[[Any], Any]


class Service:
    """One Modal App, its stages, and the volume its embedded store lives on.

    ``stages`` holds the plain functions, which the ``almanac`` command calls.
    """

    def __init__(self, name: str, machines: dict[str, dict[str, Any]] | None = None) -> None:
        """Take the service's tables of modal.toml, unless told other ones."""
        self.app = modal.App(name)
        self.stages: dict[str, Stage] = {}
        self._name, self._deployment = name, deployment()
        self._machines = timetable().get(name, {}) if machines is None else machines
        self._workers: dict[str, Work] = {}
        self._on_modal: dict[str, Any] = {}
        self._volumes: dict[str, modal.Volume] = {}
        self._store: Store | None = None

    def stage(self, image: modal.Image, *, stores: bool = True) -> Callable[[Stage], Any]:
        """Make a function a stage that runs on ``image``, when and where modal.toml says.

        One that ``stores`` opens the platform, and has the volume where the platform is embedded.
        """

        def decorate(function: Stage) -> Any:  # noqa: ANN401 - modal.Function is generic over the signature
            name = function.__name__
            settings = self._machines.get(name, {})
            embedded = stores and self._deployment.platform == "local"
            stored = {HOME: volume_name(self._name)} if embedded else {}
            self.stages[name] = function
            self._on_modal[name] = self._function(image, settings, stored, max_containers=1)(function)
            return self._on_modal[name]

        return decorate

    def worker(self, image: modal.Image) -> Callable[[Work], Any]:
        """Make a function one that a stage maps over parts, each in a container of its own, without the store's volume.

        It has a table of its own in modal.toml, or takes what it needs of ``daily``'s; ``workers`` is how many there
        may be at once.
        """

        def decorate(function: Work) -> Any:  # noqa: ANN401 - modal.Function is generic over the signature
            name, settings = function.__name__, self._machines.get("daily", {})
            shared = ("memory_gib", "secrets", "retries", "workers")
            kept = self._machines.get(name) or {key: settings[key] for key in shared if key in settings}
            self._workers[name] = function
            most = int(kept.get("workers", MOST_WORKERS))
            self._on_modal[name] = self._function(image, kept, {}, max_containers=most)(heard(function))
            return self._on_modal[name]

        return decorate

    def endpoint(self, image: modal.Image) -> Callable[[Callable[[], Any]], Any]:
        """Make a function that returns an ASGI app answer requests at an address of its own, from nobody unknown.

        ``auth`` in modal.toml is "proxy" (default: Modal refuses whoever lacks the headers Modal-Key and Modal-Secret
        before a container starts) or "token": whoever lacks ``Authorization: Bearer ALMANAC_ENDPOINT_TOKEN``, which is
        all that a client made for other services can send.
        """
        from functions._modal.bearer import guarded

        def decorate(function: Callable[[], Any]) -> Any:  # noqa: ANN401 - modal.Function is generic over the signature
            settings = self._machines.get(function.__name__, {})
            by_proxy = settings.get("auth", "proxy") == "proxy"
            answering = modal.asgi_app(requires_proxy_auth=by_proxy)(function if by_proxy else guarded(function))
            self._on_modal[function.__name__] = self._function(image, settings, {})(answering)
            return self._on_modal[function.__name__]

        return decorate

    def served(self, image: modal.Image) -> Callable[[Callable[[], Iterator[Any]]], Any]:
        """Make a generator that opens a model and yields an ASGI app a class on Modal; see functions/_modal/serving.py.

        ``auth`` as of an endpoint; ``idle_s``, ``containers`` and ``at_once`` say when it sleeps and how much it takes.
        """
        from functions._modal import serving

        def decorate(serve: Callable[[], Iterator[Any]]) -> Any:  # noqa: ANN401 - modal.Cls is generic over the class
            settings = self._machines.get(serve.__name__, {})
            stored = {HOME: volume_name(self._name)} if self._deployment.platform == "local" else {}
            options = self._options(image, settings, stored)
            self.stages[serve.__name__] = serving.here(serve)
            made = self.app.cls(**options, **serving.limits(settings))(serving.on_modal(serve, settings))
            self._on_modal[serve.__name__] = made().answer
            return made

        return decorate

    def each(self, worker: str, parts: Iterable[Any]) -> Iterator[Any]:
        """Yield what the worker makes of each part, as it comes: on Modal with ``.map``, else here, one by one.

        Parts may depend on what came of others: one that is None says that none is known yet, so it is asked again.
        """
        if modal.is_local():
            return map(self._workers[worker], (part for part in parts if part is not None))
        answers: Iterator[Any] = self._on_modal[worker].map(_fed(parts), order_outputs=False)
        return answers

    @property
    def tables(self) -> tuple[str, ...]:
        """Whom modal.toml may hold a table of: the stages, and workers."""
        return (*self.stages, *self._workers)

    @contextmanager
    def opened(self, prepared_for: str | None = None) -> Iterator[Platform]:
        """Open the platform for one stage; on Modal its volume is this stage's alone until it ends.

        ``prepared_for`` a date, "" being today: on Modal, where nobody else sees to it, a system that never was is
        first filled and trained.

        Raises:
            BusyError: on Modal, another stage did not let go of it in time, or it was lost in the middle.
        """
        from shared.connect import open_platform

        if modal.is_local():
            yield open_platform()
            return
        into_modals_log()
        self._store = self._stored()
        if self._store is not None:
            self._store.open()
        try:
            platform = open_platform()
            if prepared_for is not None:
                self.prepare(platform, prepared_for)
            yield platform
        finally:
            if self._store is not None:
                self._store.close()

    @contextmanager
    def reading(self) -> Iterator[Platform]:
        """Open the platform to read what was committed last, without keeping anybody from writing.

        On Modal models are read from the volume itself: a copy of all of them would take longer than to load one.
        """
        from functions._modal.volume import fetch_to_read
        from shared.connect import open_platform

        if not modal.is_local() and HOME in self._volumes:
            fetch_to_read(self._volumes[HOME], Path(HOME), Path(COPY))
        yield open_platform()

    def prepare(self, platform: Platform, until: str) -> None:
        """Fill and train a system that never was, as of the first date that is due."""
        from shared.runs import due, ledger, parse_day

        first = due(platform, self._name, "daily", parse_day(until, platform.world))
        for stage in ("backfill", "train"):
            if first and stage in self.stages and "done" not in set(ledger(platform, self._name, stage)["status"]):
                self.call(stage, day=first[0].isoformat())

    def keep(self) -> None:
        """Commit what is done so far, so that a container killed later does not take it along."""
        if self._store is not None:
            self._store.keep()

    def call(self, stage: str, **options: object) -> dict[str, Any]:
        """Run another stage and wait for it: on Modal in its own container, else in this process."""
        if modal.is_local():
            return self.stages[stage](**options)
        if self._store is None:
            found: dict[str, Any] = self._on_modal[stage].remote(**options)
            return found
        self._store.close()  # the other stage writes meanwhile
        try:
            result: dict[str, Any] = self._on_modal[stage].remote(**options)
        finally:
            self._store.open()
        return result

    def attempt(self, stage: str, **options: object) -> str:
        """Run another stage and return its note; whatever goes wrong there must not fail the caller, done by now."""
        try:
            return str(self.call(stage, **options)["note"])
        except Exception as failure:  # noqa: BLE001 - of any kind, also from another container
            return f"failed: {failure}"

    def published(self, platform: Platform, report: Report, what: Published) -> dict[str, Any]:
        """Bring what pages show to where they read; return the report with a word on it. The caller never fails."""
        if not platform.publisher.configured:
            return report.to_dict()
        tables, models, pages = what
        try:
            said = platform.publisher.publish(tables, models, pages())
        except Exception as failure:  # noqa: BLE001 - of any kind: the rows are stored, and the next run sends them all
            said = f"not published: {failure}"
        return {**report.to_dict(), "note": "; ".join(note for note in (report.note, said) if note)}

    def lasting(self, volume: str) -> tuple[Path, Callable[[], None]]:
        """Return the folder of a volume that a stage's table names, and what makes its files outlive the container.

        What other containers committed is there: ask before a file in it is opened. Here it lies beside the store of
        the world, of which it is a part; on Modal each deployment, which has one world, has volumes of its own.
        """
        from shared.connect import world_folder

        if modal.is_local():
            return world_folder() / volume, lambda: None
        kept = self._volumes[f"/{volume}"]
        kept.reload()
        return Path(f"/{volume}"), kept.commit

    def _function(
        self, image: modal.Image, settings: dict[str, Any], stored: dict[str, str], **limits: Any
    ) -> Callable[[Any], Any]:
        """Return ``app.function`` with a stage's settings."""
        return self.app.function(**self._options(image, settings, stored), **limits)

    def _options(self, image: modal.Image, settings: dict[str, Any], stored: dict[str, str]) -> dict[str, Any]:
        """Return a stage's settings as Modal takes them; in a container, what it was deployed with."""
        attached = {
            "secrets": list(secret_names(self._deployment, settings)),
            "volumes": stored | {f"/{path}": name for path, name in settings.get("volumes", {}).items()},
        }
        attached = json.loads(os.environ.get("ALMANAC_ATTACHED") or json.dumps(attached))  # noqa: TID251 - set by us
        needed = {NAME: list(self._deployment.secrets())}
        named: dict[str, str] = attached["volumes"]
        mounted: dict[Any, Any] = {path: self._volumes.setdefault(path, _volume(name)) for path, name in named.items()}
        options = machine_options(settings)
        options["env"] |= {**self._deployment.settings(), "ALMANAC_ATTACHED": json.dumps(attached)}
        secrets = [modal.Secret.from_name(name, required_keys=needed.get(name, [])) for name in attached["secrets"]]
        return {"image": image, "secrets": secrets, "volumes": mounted, **options}

    def _stored(self) -> Store | None:
        """Return the store on this container's volume, None where the platform keeps it elsewhere."""
        from functions._modal.lease import Lease
        from functions._modal.volume import Store

        shared = modal.Dict.from_name(NAME, create_if_missing=True)
        for kind, name in (("app", self._name), ("secret", NAME)):
            shared.get(record_key(kind, name))  # what nobody reads for seven days, Modal forgets
        if HOME not in self._volumes:
            return None
        return Store(self._volumes[HOME], Lease(shared, self._name), Path(HOME), Path(COPY))


async def _fed(parts: Iterable[Any]) -> AsyncIterator[Any]:
    """Yield the parts that are known: Modal reads them in the very loop that brings the answers they may wait for."""
    for part in parts:
        if part is None:
            await asyncio.sleep(ASKED_AGAIN_S)
        else:
            yield part


def here() -> bool:
    """Return whether this process is on one's own machine, not in one of Modal's containers."""
    return modal.is_local()


def _volume(name: str) -> modal.Volume:
    return modal.Volume.from_name(name, create_if_missing=True)
