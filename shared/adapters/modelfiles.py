"""A model's files as every registry keeps them: ``model.json`` with hashes beside a folder ``files``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from shared.errors import SchemaError, UnsafeFileError
from shared.ports import ModelVersion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shared.ports import NewModel

SAFE = frozenset(
    {".onnx", ".json", ".ubj", ".skops", ".safetensors", ".gguf", ".parquet", ".csv", ".txt", ".md", ".model", ".jinja"}
)


def named(name: str) -> str:
    """Return a model's name.

    Raises:
        SchemaError: it is no identifier, so it could be a path.
    """
    if not name.isidentifier():
        raise SchemaError(f"a model's name is an identifier, not {name!r}")
    return name


def hashes(folder: Path) -> dict[str, str]:
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
            with path.open("rb") as opened_file:  # read piece by piece: weights have gigabytes
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(opened_file, "sha256").hexdigest()
    return found


def described(model: NewModel, files: Mapping[str, str]) -> str:
    """Return what ``model.json`` says of a model with these files."""
    return json.dumps({**asdict(model), "folder": None, "files": dict(files)}, indent=1, sort_keys=True)


def signature(told: str) -> dict[str, Any]:
    """Return the signature that a ``model.json`` tells.

    Raises:
        UnsafeFileError: it is none.
    """
    try:
        return dict(json.loads(told)["signature"])
    except (ValueError, KeyError, TypeError) as cause:
        raise UnsafeFileError("a model.json cannot be read; train again") from cause


def opened(home: Path, name: str, version: int) -> ModelVersion:
    """Return the version whose ``model.json`` and ``files`` lie in ``home``, with every hash checked.

    Raises:
        UnsafeFileError: a file is of an unknown type, missing, added, or its hash differs.
    """
    try:
        facts = json.loads((home / "model.json").read_text())
    except (OSError, ValueError) as cause:
        raise UnsafeFileError(f"model {name!r} v{version}: its model.json cannot be read; train again") from cause
    found = hashes(home / "files")
    changed = sorted(path for path in {*found, *facts["files"]} if found.get(path) != facts["files"].get(path))
    if changed:
        raise UnsafeFileError(f"model {name!r} v{version}: {changed} are not the files that were saved; train again")
    return ModelVersion(**{**facts, "name": name, "folder": home / "files", "version": version})
