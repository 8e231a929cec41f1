"""The model registry on Hopsworks: numbered versions, each its files, ``model.json`` with their hashes, and metrics.

A version counts once its metadata is there, which come last; so half an upload is none. Savers of one model take turns:
two at once would choose one number, and the client of the second would remove the files of the first.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.adapters import modelfiles
from shared.adapters.hopsworks import client, files, locks
from shared.errors import BackendError, NotYetError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from shared.adapters.hopsworks.project import HopsworksProject, Live
    from shared.ports import ModelVersion, NewModel

SEEN_S = 60  # until when a saved version must show
UPLOAD = {"max_chunk_retries": 3}


class HopsworksRegistry:
    """A ModelRegistry in a project; what was fetched lies in ``cache``, ``now`` is the clock of locks."""

    def __init__(self, project: HopsworksProject, prefix: str, cache: Path, now: Callable[[], datetime]) -> None:
        self._project, self._prefix, self._now = project, prefix, now
        self._cache = cache / project.project

    def save(self, model: NewModel) -> ModelVersion:
        name, hashes = f"{self._prefix}{modelfiles.named(model.name)}", modelfiles.hashes(model.folder)
        folder = f"{files.home(self._prefix)}/locks/model.{model.name}"
        with (
            locks.held(self._project, folder, self._now, 600, locks.Terms()),
            tempfile.TemporaryDirectory(prefix="almanac-") as staged,
        ):
            shutil.copytree(model.folder, Path(staged) / "files")
            (Path(staged) / "model.json").write_text(modelfiles.described(model, hashes))
            number = max(self.versions(model.name), default=0) + 1
            with self._project.asking(f"save the model {name}") as live:
                files.remove(live, f"Models/{name}/{number}")  # what a saver killed before its end left
                self._upload(live, model, name, (number, staged))
        return self.load(model.name, number)

    def load(self, name: str, version: int) -> ModelVersion:
        return modelfiles.opened(self._fetched(name, version), name, version)

    def _fetched(self, name: str, version: int) -> Path:
        """Return where a version lies here; the vendor's client brings it whole or not at all."""
        with self._project.asking(f"load the model {name} v{version}") as live:
            found, home = self._found(live, name, version)
            if not home.is_dir():
                client.patient(lambda: _fetch(found, home))
        return home

    def _found(self, live: Live, name: str, version: int) -> tuple[Any, Path]:
        """Return a version as the vendor's client knows it, and where its files lie here once they are fetched."""
        found = registry_of(live).get_model(f"{self._prefix}{modelfiles.named(name)}", version)
        if found is None:
            known = self.versions(name)
            there = f"versions {known}" if known else "no version yet"
            raise NotYetError(f"model {name!r} has {there}, not {version}; run its stage train, or export")
        return found, self._cache / name / f"{version}-{found.created}"

    def signature(self, name: str, version: int) -> dict[str, Any]:
        with self._project.asking(f"read about the model {name} v{version}") as live:
            _, home = self._found(live, name, version)
            if (home / "model.json").is_file():
                return modelfiles.signature((home / "model.json").read_text())
            # Where the vendor's client puts a version's files; it can fetch all of them only, which may be gigabytes.
            told = files.read(live, f"Models/{self._prefix}{name}/{version}/Files/model.json")
        return modelfiles.signature(told.decode(errors="replace"))

    def versions(self, name: str) -> list[int]:
        with self._project.asking(f"list the versions of {name}") as live:
            found = registry_of(live).get_models(f"{self._prefix}{modelfiles.named(name)}")
        return sorted(int(model.version) for model in found)

    def _upload(self, live: Live, model: NewModel, name: str, what: tuple[int, str]) -> None:
        """Send the files, then the metadata, and see them there."""
        number, staged = what
        registry, metrics = (
            registry_of(live),
            {key: value for key, value in model.metrics.items() if math.isfinite(value)},
        )
        made = registry.python.create_model(
            name, number, metrics=metrics, description=f"run {model.run_id}, code {model.code_version}"
        )
        made._model_engine._poll_model_available = lambda saved, wait: saved  # it sleeps for 5 s before it looks
        made.save(staged, upload_configuration=UPLOAD)
        deadline = time.monotonic() + SEEN_S
        while registry.get_model(name, number) is None:
            if time.monotonic() > deadline:
                raise BackendError(f"model {name} v{number} was saved and does not show after {SEEN_S} s; train again")
            time.sleep(1)


def _fetch(found: Any, home: Path) -> None:  # noqa: ANN401 - vendor type
    """Bring a version's files beside their place and rename them, so that they are whole or not there."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".") as beside:
        found.download(str(Path(beside) / "whole"))
        try:
            (Path(beside) / "whole").rename(home)
        except OSError:
            if not home.is_dir():  # else another process was faster
                raise


def registry_of(live: Live) -> Any:  # noqa: ANN401
    """Return the project's model registry."""
    if live.registry is None:
        live.registry = live.connection._get_model_registry()
    return live.registry
