"""What every service file shares: images of pinned packages, machines and schedules from modal.toml, the volume.

Read where the command runs. Inside a container neither file is there, and neither is needed.
"""

from __future__ import annotations

import json
import logging
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import modal

if TYPE_CHECKING:
    from shared.ports import Platform

ROOT = Path(__file__).resolve().parent.parent
HOME = "/almanac"  # where the embedded store's volume is mounted
LOCKS = "/tmp/almanac-locks"  # noqa: S108 - not on the volume: a file held open there would stop its reload
STORE = ("numpy", "pandas", "pyarrow", "filelock", "httpx", "tenacity")
Stage = Callable[..., dict[str, Any]]
Work = Callable[[Any], Any]


class Service:
    """One Modal App, its stages, and the volume its embedded store lives on.

    ``stages`` holds the plain functions, which the ``almanac`` command calls.
    """

    def __init__(self, name: str) -> None:
        """Read the service's tables of modal.toml."""
        self.app = modal.App(name)
        self.stages: dict[str, Stage] = {}
        self._workers: dict[str, Work] = {}
        self._on_modal: dict[str, Any] = {}
        self._volume = modal.Volume.from_name(f"almanac-{name.replace('_', '-')}", create_if_missing=True)
        self._machines = timetable().get(name, {})

    def stage(self, image: modal.Image) -> Callable[[Stage], Any]:
        """Make a function a stage that runs on ``image``, when and where modal.toml says."""

        def decorate(function: Stage) -> Any:  # noqa: ANN401 - modal.Function is generic over the signature
            name = function.__name__
            options = _options(self._machines.get(name, {}))
            self.stages[name] = function
            self._on_modal[name] = self.app.function(
                image=image, volumes={HOME: self._volume}, max_containers=1, **options
            )(function)
            return self._on_modal[name]

        return decorate

    def worker(self, image: modal.Image) -> Callable[[Work], Any]:
        """Make a function one that a stage maps over parts, each in a container of its own, without the volume.

        Its table in modal.toml is that of the stage that calls it, ``workers`` how many there may be at once.
        """

        def decorate(function: Work) -> Any:  # noqa: ANN401 - modal.Function is generic over the signature
            settings = dict(self._machines.get("daily", {}))
            kept: dict[str, Any] = {
                name: settings[name] for name in ("memory_gib", "secrets", "retries", "world") if name in settings
            }
            most = int(settings.get("workers", 10))
            self._workers[function.__name__] = function
            self._on_modal[function.__name__] = self.app.function(image=image, max_containers=most, **_options(kept))(
                function
            )
            return self._on_modal[function.__name__]

        return decorate

    def each(self, worker: str, parts: Sequence[Any]) -> Iterator[Any]:
        """Yield what the worker makes of each part, as it comes: on Modal with ``.map``, else here, one by one."""
        if modal.is_local():
            return map(self._workers[worker], parts)
        answers: Iterator[Any] = self._on_modal[worker].map(parts, order_outputs=False)
        return answers

    @contextmanager
    def opened(self) -> Iterator[Platform]:
        """Open the platform for one stage; on Modal its volume is read afresh before and committed after, always."""
        from shared.connect import open_platform

        if modal.is_local():
            yield open_platform()
            return
        logging.basicConfig(level=logging.INFO, format="%(message)s")  # into Modal's log
        self._volume.reload()
        try:
            yield open_platform()
        finally:
            self._volume.commit()

    def keep(self) -> None:
        """Commit what is done so far, so that a container killed later does not take it along."""
        if not modal.is_local():
            self._volume.commit()

    def call(self, stage: str, **options: object) -> dict[str, Any]:
        """Run another stage and wait for it: on Modal in its own container, else in this process."""
        if modal.is_local():
            return self.stages[stage](**options)
        self._volume.commit()
        try:
            result: dict[str, Any] = self._on_modal[stage].remote(**options)
        finally:
            self._volume.reload()
        return result

    def attempt(self, stage: str, **options: object) -> str:
        """Run another stage and return its note; whatever goes wrong there must not fail the caller, done by now."""
        try:
            return str(self.call(stage, **options)["note"])
        except Exception as failure:  # noqa: BLE001 - of any kind, also from another container
            return f"failed: {failure}"


def here() -> bool:
    """Return whether this process is on one's own machine, not in one of Modal's containers."""
    return modal.is_local()


def image(*packages: str) -> modal.Image:
    """Return a slim image with what ``shared`` needs and ``packages``, at the versions of constraints.txt."""
    pins = _pins()
    wanted = [pins[package] if pins else package for package in (*STORE, *packages)]
    return (
        modal.Image.debian_slim(python_version="3.11")
        .uv_pip_install(*wanted)
        .env({"ALMANAC_HOME": HOME, "ALMANAC_LOCKS": LOCKS})
        .add_local_python_source("shared")
    )


def timetable() -> dict[str, dict[str, dict[str, Any]]]:
    """Return modal.toml: system, stage, setting; empty inside a container."""
    path = ROOT / "modal.toml"
    return tomllib.loads(path.read_text()) if path.exists() else {}


def _options(settings: dict[str, Any]) -> dict[str, Any]:
    """Return a stage's settings as ``app.function`` takes them."""
    cpu, memory_gib, gpu = settings.get("cpu", 0.125), settings.get("memory_gib", 0.5), settings.get("gpu", "")
    machine = {"where": "modal", "cpu_cores": cpu, "memory_gib": memory_gib, "gpu": gpu}
    options: dict[str, Any] = {
        "cpu": cpu,
        "memory": int(memory_gib * 1024),
        "env": {"ALMANAC_MACHINE": json.dumps(machine), "ALMANAC_WORLD": str(settings.get("world", "demo"))},
    }
    options["timeout"] = int(settings.get("hours", 0.25) * 3600)
    if gpu:
        options["gpu"] = gpu
    if "retries" in settings:
        options["retries"] = modal.Retries(max_retries=settings["retries"], initial_delay=1.0)
    if "cron" in settings:
        options["schedule"] = modal.Cron(settings["cron"], timezone=settings.get("timezone", "UTC"))
    if "secrets" in settings:
        options["secrets"] = [modal.Secret.from_name(name) for name in settings["secrets"]]
    return options


def _pins() -> dict[str, str]:
    """Return ``name==version`` by lower-case name; empty inside a container."""
    path = ROOT / "constraints.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return {line.split("==")[0].lower(): line for line in lines if "==" in line}
