"""The embedded model registry: ``<folder>/<name>/<version>/`` with the files and ``model.json``.

A version is copied beside, flushed and renamed into the next free number: it is whole or not there, and two trainers
at once get two numbers. Loading checks every hash and refuses types that could run code (pickle, joblib, TorchScript).
"""

from __future__ import annotations

import contextlib
import shutil
import uuid
from typing import TYPE_CHECKING, Any

from shared.adapters import modelfiles
from shared.adapters.local.parquet import flush
from shared.errors import NotYetError

if TYPE_CHECKING:
    from pathlib import Path

    from shared.ports import ModelVersion, NewModel


class LocalRegistry:
    """A ModelRegistry in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, model: NewModel) -> ModelVersion:
        hashes = modelfiles.hashes(model.folder)
        home = self._home(model.name)
        home.mkdir(parents=True, exist_ok=True)
        beside = home / f".new-{uuid.uuid4().hex}"
        shutil.copytree(model.folder, beside / "files")
        _sweep(home, beside)
        (beside / "model.json").write_text(modelfiles.described(model, hashes))
        for path in (path for path in beside.rglob("*") if path.is_file()):
            flush(path)
        return self.load(model.name, self._number(home, beside))

    def load(self, name: str, version: int) -> ModelVersion:
        return modelfiles.opened(self._there(name, version), name, version)

    def signature(self, name: str, version: int) -> dict[str, Any]:
        return modelfiles.signature((self._there(name, version) / "model.json").read_text())

    def versions(self, name: str) -> list[int]:
        home = self._home(name)
        return sorted(int(path.name) for path in home.iterdir() if path.name.isdigit()) if home.is_dir() else []

    def _there(self, name: str, version: int) -> Path:
        home = self._home(name) / str(version)
        if not home.is_dir():
            there = f"versions {self.versions(name)}" if self.versions(name) else "no version yet"
            raise NotYetError(f"model {name!r} has {there}, not {version}; run its stage train, or export")
        return home

    def _number(self, home: Path, beside: Path) -> int:
        """Rename into the next free number; whoever comes second takes the one after."""
        number = max(self.versions(home.name), default=0) + 1
        while True:
            try:
                beside.rename(home / str(number))
            except OSError:
                if not (home / str(number)).exists():
                    raise
                number += 1
            else:
                flush(home)
                return number

    def _home(self, name: str) -> Path:
        return self._folder / modelfiles.named(name)


def _sweep(home: Path, beside: Path) -> None:
    """Remove what savers killed more than an hour ago left behind."""
    for left in home.glob(".new-*"):
        with contextlib.suppress(FileNotFoundError):  # another saver has just renamed it
            if left.stat().st_mtime < beside.stat().st_mtime - 3600:
                shutil.rmtree(left)
