"""What a version was fine-tuned from, as a model that answers beside it: where its weights are here, or why not.

signature: base, revision, run ──┬──► a version of ours           ──► Origin: name, folder or version, or what lacks
                                 ├──► a folder, the run's folder
                                 └──► the Hub's cache of this machine: nothing is ever fetched
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import AlmanacError
from shared.steps.base_names import content_of, kind_of
from shared.systems.assistant.tables import MODEL

if TYPE_CHECKING:
    from shared.ports import Platform

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json")


@dataclass(frozen=True)
class Origin:
    """A base by the name that pages give it; ``lacking`` says why it cannot answer here, "" where it can."""

    name: str
    folder: Path | None = None
    version: int = 0  # of ours, where it is one
    lacking: str = ""


def origin_of(platform: Platform, version: int, runs: Path) -> Origin | None:
    """Return what a version was fine-tuned from, None where nothing tells; ``runs`` is where fine-tunings lie here."""
    try:
        told = platform.models.signature(MODEL, version)
    except AlmanacError:
        return None  # whether the version itself can be had is said where it is opened
    base = str(told.get("base") or "")
    folder = Path(base)
    pinned_to = str((told.get("plan") or {}).get("revision") or "")
    if base.startswith((".", "/", "~")):
        return _same(_in(folder.expanduser(), folder.name), pinned_to)  # where it lies is not for visitors
    try:
        kind = kind_of(base)
    except AlmanacError:
        return None
    if kind == "folder":
        return _same(_in(folder, folder.name), pinned_to)
    if kind == "tiny":
        return _in(runs / str(told.get("run") or "-") / "base", base)
    if kind == "version":
        return _of_ours(platform, base)
    return _cached(base, pinned_to)


def _of_ours(platform: Platform, base: str) -> Origin:
    name, _, number = base.partition(":")
    called = f"{name} v{number}"
    there = name == MODEL and int(number) in platform.models.versions(MODEL)
    return Origin(called, version=int(number), lacking="" if there else "that version was not brought here")


def _cached(base: str, commit: str) -> Origin:
    """Return a base of the Hub at the revision that was taken, as far as this machine has it."""
    from transformers.utils import cached_file  # takes half a second; what asks an endpoint needs none of it

    lenient = {
        f"_raise_exceptions_for_{what}": False for what in ("gated_repo", "missing_entries", "connection_errors")
    }
    found = cached_file(base, "config.json", revision=commit or None, local_files_only=True, **lenient)
    return _in(Path(found).parent, base) if found else Origin(base, lacking="its weights are not on this machine")


def _same(found: Origin, pinned_to: str) -> Origin:
    """Return a base in a folder, if what lies there is what the version was made from."""
    if found.folder and pinned_to and content_of(found.folder) != pinned_to:
        return Origin(found.name, lacking="another model lies where its weights did")
    return found


def _in(folder: Path, name: str) -> Origin:
    """Return a base whose weights lie in a folder, if all of them do."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        packed = bool(config.get("quantization_config"))
        index = folder / "model.safetensors.index.json"
        parts = {*json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()} if index.exists() else set()
    except (OSError, ValueError, KeyError, AttributeError):
        return Origin(name, lacking="its weights are not on this machine")
    if packed:
        return Origin(name, lacking="its weights are packed for fine-tuning on a GPU")
    whole = all((folder / part).is_file() for part in parts or {"model.safetensors"})
    if not whole or not any((folder / one).is_file() for one in _TOKENIZERS):
        return Origin(name, lacking="not all of its weights are on this machine")
    return Origin(name, folder)
