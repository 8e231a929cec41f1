"""Base models by name: what a fine-tuning starts from, judged by its name and files before any library is loaded.

tiny, tiny:2x48x3x400x512   random weights and a tokenizer of its own, learned from the training texts: no download
assistant:3             a version of our registry
/home/jane/my-model     a folder
meta-llama/Llama-3.2-1B-Instruct    a repository on the Hub, at a revision
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import astuple, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from shared.errors import SourceError, UnsafeFileError

if TYPE_CHECKING:
    from shared.ports import ModelRegistry

Kind = Literal["tiny", "version", "folder", "hub"]

TINY = "tiny"
SMALLEST = 262  # tokens: every byte, and the marks
_VERSION = re.compile(r"\w+:\d+", re.ASCII)
_HUB = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", re.ASCII)
LONGEST = 96  # signs of a repository's name, as the Hub allows
_OF_MODEL = (".safetensors", ".json", ".jinja", ".model", ".txt")  # ends of weights, config, tokenizer, template


@dataclass(frozen=True)
class Size:
    """The shape of a Llama with random weights; the default has 1.9 million weights."""

    layers: int = 4
    hidden: int = 192
    heads: int = 6
    vocabulary: int = 2048
    positions: int = 2048


def tiny_size(base: str) -> Size | None:
    """Return the shape that ``base`` asks for, None where it is no tiny model.

    Raises:
        SourceError: it is none that a model could have.

    >>> tiny_size("tiny:2x48x3x400x512"), tiny_size("assistant:2")
    (Size(layers=2, hidden=48, heads=3, vocabulary=400, positions=512), None)
    """
    name, _, told = base.partition(":")
    if name != TINY:
        return None
    try:
        size = Size(*(int(number) for number in told.split("x"))) if told else Size()
    except (TypeError, ValueError) as cause:
        raise SourceError(f"{base}: give tiny, or tiny:LAYERSxHIDDENxHEADSxVOCABULARYxPOSITIONS") from cause
    if min(astuple(size)) < 1 or size.hidden % (2 * size.heads) or size.vocabulary < SMALLEST:
        raise SourceError(f"{base}: hidden is a multiple of twice the heads, the vocabulary {SMALLEST} at least")
    return size


def kind_of(base: str) -> Kind:
    """Return what sort of base a name is; a folder is one that holds a model, as far as its files' names and ends tell.

    Raises:
        SourceError: the name is none, or the folder cannot be a base.

    >>> kind_of("tiny"), kind_of("assistant:3"), kind_of("meta-llama/Llama-3.2-1B-Instruct")
    ('tiny', 'version', 'hub')
    """
    if tiny_size(base):
        return "tiny"
    if _VERSION.fullmatch(base):
        return "version"
    named = len(base) <= LONGEST and _HUB.fullmatch(base)
    if base.startswith((".", "/", "~")) or (named and Path(base).is_dir()):  # transformers would take that one, too
        _must_hold_a_model(base)
        return "folder"
    if named:
        return "hub"
    advice = "give tiny, a version (assistant:3), a folder (that begins with . or /), or OWNER/NAME of the Hub"
    raise SourceError(f"{base!r} is no base: {advice}")


def located(base: str, models: ModelRegistry, revision: str = "") -> str:
    """Return what ``from_pretrained`` takes for ``base``, which is no tiny one: a folder, or a repository's name.

    Raises:
        NotYetError: the registry has no such version.
        SourceError: it is no base, or the folder holds no model.
        UnsafeFileError: the folder holds another model than the one of ``revision``, where that is told.
    """
    kind = kind_of(base)
    if kind == "version":
        name, _, version = base.partition(":")
        return str(models.load(name, int(version)).folder)
    if kind == "folder" and revision:
        held(base, revision)
    return str(Path(base).expanduser()) if kind == "folder" else base


def content_of(folder: Path) -> str:
    """Return a hash of all bytes of the files in a folder that make a model: weights, config, tokenizer, template.

    Of whole files, about a second a GB: models tuned from one base may differ in the middle of their weights alone.
    """
    digest = hashlib.sha256()
    for file in sorted(one for one in folder.iterdir() if one.suffix in _OF_MODEL and one.is_file()):
        told = file.stat()  # whoever writes the bytes anew cannot keep st_ctime
        digest.update(f"{file.name} {_hash_of(file, told.st_size, told.st_ctime_ns)}\n".encode())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=256)
def _hash_of(file: Path, size: int, changed_ns: int) -> str:
    """Return the hash of a file's bytes; a page asks again for every visitor."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def held(base: str, revision: str = "") -> str:
    """Return what the model in the folder ``base`` is pinned by, which is ``revision`` where one is told.

    Raises:
        SourceError: a file of it cannot be read.
        UnsafeFileError: it is another model by now.
    """
    try:
        found = content_of(Path(base).expanduser())
    except OSError as cause:
        raise SourceError(f"{base} cannot be read ({cause.strerror}); copy the model there again") from cause
    if revision not in ("", found):
        advice = "put that one back, or fine-tune on this one without a --revision"
        raise UnsafeFileError(f"{base} holds another model than {revision}, by its files' bytes {found}: {advice}")
    return found


def _must_hold_a_model(base: str) -> None:
    """Refuse a folder without config, with weights that would run code, or with weights that were cut off."""
    try:
        folder = Path(base).expanduser()
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as cause:
        advice = "name a folder with a model, or OWNER/NAME of one on the Hub"
        raise SourceError(f"{base} holds no config.json; {advice}") from cause
    except (OSError, ValueError, RuntimeError) as cause:  # RuntimeError: ~NOBODY, or brackets without end
        raise SourceError(f"{base}: its config.json cannot be read; copy the model there again") from cause
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise SourceError(f"{base}: its config.json names no model_type; copy the model there again")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        others = any(one.suffix in (".bin", ".pt", ".pth", ".ckpt") for one in folder.iterdir())
        why = "only pickles, which can run code as they are read: convert them" if others else "none: put them there"
        raise SourceError(f"{base} should hold weights as .safetensors, and holds {why}")
    for file in weights:
        _must_be_whole(file)


def _must_be_whole(file: Path) -> None:
    from safetensors import SafetensorError, safe_open  # of the extra `llm`; a name needs none of it

    try:
        with safe_open(file, framework="numpy"):  # reads the header, and holds it against the file's length
            return
    except (OSError, SafetensorError) as cause:
        raise SourceError(f"{file} is cut off or damaged; copy it there again") from cause
