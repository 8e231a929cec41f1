"""Checkpoints that can be trusted: written beside, sealed with the hashes of their files, renamed; checked when found.

    .writing/checkpoint-120 ──► files on the disk ──► manifest.json, last ──► renamed checkpoint-120 ──► older ones go

A kill at any moment leaves whole checkpoints and, at most, leftovers that ``sweep`` removes. Trainers themselves take
the newest folder as it is: half a file crashes them, and a missing one silently changes what they learn. The hashes
find accidents and changes by hand; who can write the folder could write a manifest, too, so it must be ours alone.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KEPT = 2  # newest ones, beside the best
MANIFEST = "manifest.json"
UNREAD = ("training_args.bin", "README.md")  # what trainers add and never read again; the first is a pickle
WRITING = ".writing"
_NAME = re.compile(r"checkpoint-(\d+)")
_STATE = re.compile(r"(optimizer|scheduler|scaler|rng_state.*|trainer_state|manifest)\.(pt|pth|json)")
_FULL = "|".join(str(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS))
# As Python says it, as Rust's safetensors and tokenizers do, and as torch does, which tells no cause.
_UNWRITTEN = re.compile(rf"(Errno|os error) ({_FULL})\b|PytorchStreamWriter failed|\bunexpected pos \d")

log = logging.getLogger("almanac")


@contextmanager
def on_disk(place: Path | str) -> Iterator[None]:
    """Say in a sentence that ``place`` cannot be written, whichever library finds it so.

    Raises:
        BackendError: its disk is full, or takes nothing from us.
    """
    try:
        yield
    except Exception as cause:
        if not _UNWRITTEN.search(str(cause)):
            raise
        raise BackendError(f"{place} cannot be written: is the disk full? The same command goes on") from cause


def writing(folder: Path) -> Path:
    """Return the folder in which a trainer writes ``checkpoint-N``, for ``seal`` to bring to ``folder``."""
    return folder / WRITING


def seal(folder: Path, step: int, facts: Mapping[str, Any]) -> Path:
    """Bring the checkpoint of ``step`` that was just written to ``folder``, whole and on the disk, with ``facts``.

    ``facts["best"]`` is the step of the best checkpoint so far, or None; that one must stay for this one to be used.
    """
    fresh, place = writing(folder) / f"checkpoint-{step}", folder / f"checkpoint-{step}"
    for name in UNREAD:
        (fresh / name).unlink(missing_ok=True)
    sign(fresh, {"step": step, **facts})
    _remove(place)  # an untrusted one of the same step
    fresh.rename(place)
    to_disk(folder)
    return place


def sign(place: Path, facts: Mapping[str, Any]) -> None:
    """Bring a folder's files to the disk, then its manifest: ``facts``, of which ``flaw`` reads plan and step."""
    files = {name: _sealed(place / name) for name in sorted(_files(place))}
    (place / MANIFEST).write_text(json.dumps({**facts, "files": files}, indent=1))
    for part in (place / MANIFEST, *{file.parent for file in place.rglob("*")}):
        to_disk(part)


def newest_complete(folder: Path, plan: str) -> Path | None:
    """Return the newest checkpoint of ``plan`` whose files, and those of its best one, are as sealed; None without one.

    Any newer one is named in a warning with what is wrong with it.
    """
    for step in sorted(steps(folder), reverse=True):
        place = folder / f"checkpoint-{step}"
        if not (wrong := _flaw_with_best(place, plan)):
            return place
        log.warning("checkpoint %s is skipped: %s", place.name, wrong)
    return None


def facts(checkpoint: Path) -> dict[str, Any]:
    """Return what a checkpoint was sealed with: step, best, ..., files."""
    return dict(json.loads((checkpoint / MANIFEST).read_text()))


def step_of(checkpoint: Path | None) -> int:
    """Return the step of a checkpoint by its name, 0 without one."""
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0


def of_model(checkpoint: Path) -> list[Path]:
    """Return the files that make a model; the others are the state of its trainer."""
    return [file for file in sorted(checkpoint.iterdir()) if file.is_file() and not _STATE.fullmatch(file.name)]


def steps(folder: Path) -> list[int]:
    """Return the steps of the checkpoints there are, whole or not, unordered."""
    names = (_NAME.fullmatch(place.name) for place in folder.glob("checkpoint-*"))
    return [int(name[1]) for name in names if name]


def prune(folder: Path, step: int, best: int | None) -> None:
    """Remove all but the newest ``KEPT`` checkpoints up to ``step``, and the best; later ones were not trusted."""
    kept = {*sorted(one for one in steps(folder) if one <= step)[-KEPT:], best}
    for one in steps(folder):
        if one not in kept:
            _remove(folder / f"checkpoint-{one}")


def sweep(folder: Path) -> None:
    """Remove what a kill left half written or half removed, and make the folder."""
    shutil.rmtree(writing(folder), ignore_errors=True)
    writing(folder).mkdir(parents=True)


def replaced(place: Path, text: str) -> None:
    """Write a small file so that a reader sees the old text or the new one, and what was written before is safe."""
    beside = place.with_name(f".{place.name}.new")
    beside.write_text(text)
    to_disk(beside)
    beside.rename(place)
    to_disk(place.parent)


def vanish(place: Path, aside: Path) -> bool:
    """Remove a folder so that no half of it is ever seen; return whether there was something to remove.

    ``aside`` is where it goes first: a kill leaves it whole in its place, or leftovers there for the next call.
    """
    there = place.exists() or aside.exists()
    shutil.rmtree(aside, ignore_errors=True)
    if place.exists():
        place.rename(aside)
        shutil.rmtree(aside)
    return there


def _flaw_with_best(place: Path, plan: str) -> str:
    wrong = flaw(place, plan, step_of(place))
    best = None if wrong else facts(place)["best"]
    if best is None or f"checkpoint-{best}" == place.name:
        return wrong
    behind = flaw(place.with_name(f"checkpoint-{best}"), plan, best)
    return f"the best one, of step {best}, is damaged: {behind}" if behind else ""


def flaw(place: Path, plan: str, step: int) -> str:
    """Return what is wrong with a folder that was signed for ``step`` of ``plan``, '' when nothing is."""
    try:
        manifest = facts(place)
        listed, owner = manifest["files"], (manifest["plan"], manifest["step"])
        missing, added = {*listed} - _files(place), _files(place) - {*listed}
        sealed = {name: (one["bytes"], one["sha256"]) for name, one in listed.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as cause:
        return f"it has no readable {MANIFEST} ({type(cause).__name__})"
    if owner != (plan, step):
        return f"it was sealed as checkpoint-{owner[1]} of {owner[0]}"
    if missing or added:
        return f"{', '.join(sorted(missing | added))} {'is missing' if missing else 'was added'}"
    changed = [name for name, told in sealed.items() if told != (*_hashed(place / name).values(),)]
    return f"{', '.join(changed)} changed since it was sealed" if changed else ""


def _files(place: Path) -> set[str]:
    return {str(one.relative_to(place)) for one in place.rglob("*") if one.is_file()} - {MANIFEST}


def _sealed(file: Path) -> dict[str, Any]:
    to_disk(file)
    return _hashed(file)


def _hashed(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        return {"bytes": file.stat().st_size, "sha256": hashlib.file_digest(opened, "sha256").hexdigest()}


def to_disk(place: Path) -> None:
    """Wait until a file or a folder's entries are on the disk."""
    opened = os.open(place, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _remove(place: Path) -> None:
    vanish(place, writing(place.parent) / f"removed-{place.name}")
