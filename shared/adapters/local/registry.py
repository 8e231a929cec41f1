"""The embedded model registry: ``<folder>/<name>/<version>/`` with the files and ``model.json``.

A version is copied beside, flushed and renamed into the next free number: it is whole or not there, and two trainers
at once get two numbers. Loading checks every hash and refuses types that could run code (pickle, joblib, TorchScript).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import uuid
from dataclasses import asdict
from pathlib import Path

from shared.adapters.local.parquet import flush
from shared.errors import NotYetError, SchemaError, UnsafeFileError
from shared.ports import ModelVersion, NewModel

SAFE = frozenset(
    {".onnx", ".json", ".ubj", ".skops", ".safetensors", ".gguf", ".parquet", ".csv", ".txt", ".md", ".model", ".jinja"}
)


class LocalRegistry:
    """A ModelRegistry in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, model: NewModel) -> ModelVersion:
        hashes = _hashes(model.folder)
        home = self._home(model.name)
        home.mkdir(parents=True, exist_ok=True)
        beside = home / f".new-{uuid.uuid4().hex}"
        shutil.copytree(model.folder, beside / "files")
        _sweep(home, beside)
        facts = {**asdict(model), "folder": None, "files": hashes}
        (beside / "model.json").write_text(json.dumps(facts, indent=1, sort_keys=True))
        for path in (path for path in beside.rglob("*") if path.is_file()):
            flush(path)
        return self.load(model.name, self._number(home, beside))

    def load(self, name: str, version: int) -> ModelVersion:
        home = self._home(name) / str(version)
        if not home.is_dir():
            there = f"versions {self.versions(name)}" if self.versions(name) else "no version yet"
            raise NotYetError(f"model {name!r} has {there}, not {version}; run its train stage")
        try:
            facts = json.loads((home / "model.json").read_text())
        except (OSError, ValueError) as cause:
            raise UnsafeFileError(f"model {name!r} v{version}: its model.json cannot be read; train again") from cause
        found = _hashes(home / "files")
        changed = sorted(name for name in {*found, *facts["files"]} if found.get(name) != facts["files"].get(name))
        if changed:
            raise UnsafeFileError(
                f"model {name!r} v{version}: {changed} are not the files that were saved; train again"
            )
        return ModelVersion(**{**facts, "folder": home / "files", "version": version})

    def versions(self, name: str) -> list[int]:
        home = self._home(name)
        return sorted(int(path.name) for path in home.iterdir() if path.name.isdigit()) if home.is_dir() else []

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
        if not name.isidentifier():
            raise SchemaError(f"a model's name is an identifier, not {name!r}")
        return self._folder / name


def _sweep(home: Path, beside: Path) -> None:
    """Remove what savers killed more than an hour ago left behind."""
    for left in home.glob(".new-*"):
        with contextlib.suppress(FileNotFoundError):  # another saver has just renamed it
            if left.stat().st_mtime < beside.stat().st_mtime - 3600:
                shutil.rmtree(left)


def _hashes(folder: Path) -> dict[str, str]:
    """Return sha256 by relative path.

    Raises:
        UnsafeFileError: a file's type is not known to be safe, or it is a link.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or (path.is_file() and path.suffix not in SAFE):
            raise UnsafeFileError(
                f"{path.name}: only {', '.join(sorted(SAFE))} are kept as model files; a pickle runs code"
            )
        if path.is_file():
            found[path.relative_to(folder).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
