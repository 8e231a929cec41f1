"""Conversations as tokens, computed once: kept as Parquet under a hash of everything that they follow from.

    tokenizer, template, code that renders and cuts, messages, longest ──► key ──► whole in the folder? ── yes ──► read
                                                                              └── no ──► rendered, written, renamed

A conversation that is too long ends after an earlier answer; one whose first answer does not fit is left out.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

from shared.errors import BackendError, NotYetError
from shared.steps import rendering
from shared.steps.rendering import IGNORED, example

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.chat import Message

BATCH = 1000  # conversations rendered and written at once
KEPT = 16  # files; one that is gone is made again
SCHEMA = pa.schema([("input_ids", pa.list_(pa.int32())), ("labels", pa.list_(pa.int32()))])

log = logging.getLogger("almanac")


@dataclass
class Counted:
    """What was rendered: conversations and tokens, and what had to be left out."""

    conversations: int = 0
    tokens: int = 0
    answers: int = 0  # tokens that a loss is taken on
    longest: int = 0  # tokens of one conversation
    cut: int = 0  # conversations that end after an earlier answer
    dropped: int = 0  # whose first answer did not fit


@dataclass(frozen=True)
class Tokens:
    """Examples ``input_ids`` and ``labels`` in the order of the conversations, and what they count."""

    examples: datasets.Dataset
    counted: Counted


def tokenised(
    conversations: Sequence[Sequence[Message]],
    tokenizer: Any,  # noqa: ANN401 - a fast tokenizer of transformers
    folder: Path,
    max_length: int,
) -> Tokens:
    """Return the conversations as tokens, none longer than ``max_length``; from ``folder`` when they are whole there.

    Raises:
        NotYetError: none fits.
        BackendError: the folder cannot be written.
    """
    path = folder / f"tokens-{key_of(conversations, tokenizer, max_length)}.parquet"
    if (known := _kept(path)) is None:
        _write(path, _rendered(conversations, tokenizer, max_length, counted := Counted()), counted)
        _prune(folder)
        known = _kept(path)
    if known is None or not known.counted.conversations:
        what = f"none of {len(conversations)} conversations fits into {max_length} tokens"
        raise NotYetError(f"{what}: allow more, or prepare shorter ones")
    return known


def key_of(conversations: Sequence[Sequence[Message]], tokenizer: Any, max_length: int) -> str:  # noqa: ANN401 - as above
    """Return a hash of all that the tokens follow from: another template, or one word changed, is another key."""
    digest, model = hashlib.sha256(), json.loads(tokenizer.backend_tokenizer.to_str())
    # Padding and truncation are left in it by whoever called it last, and rendering uses neither.
    model |= {"padding": None, "truncation": None}
    template, marks = tokenizer.chat_template, {name: str(mark) for name, mark in tokenizer.special_tokens_map.items()}
    digest.update(json.dumps([model, template, marks, max_length], sort_keys=True).encode())
    for code in (rendering.__file__, __file__):  # what renders, and what cuts
        digest.update(Path(code).read_bytes())
    for messages in conversations:
        digest.update(json.dumps([[one["role"], one["content"]] for one in messages]).encode())
    return digest.hexdigest()[:16]


def _rendered(
    conversations: Sequence[Sequence[Message]],
    tokenizer: Any,  # noqa: ANN401 - as above
    max_length: int,
    counted: Counted,
) -> Iterator[pa.Table]:
    """Yield tables of at most ``BATCH`` examples, and count them."""
    for start in range(0, len(conversations), BATCH):
        found = [_fitting(tokenizer, one, max_length, counted) for one in conversations[start : start + BATCH]]
        yield pa.Table.from_pylist([one for one in found if one], schema=SCHEMA)
        log.info("%d of %d conversations as tokens", min(start + BATCH, len(conversations)), len(conversations))


def _fitting(
    tokenizer: Any,  # noqa: ANN401 - as above
    messages: Sequence[Message],
    max_length: int,
    counted: Counted,
) -> dict[str, list[int]]:
    """Return the longest beginning that ends with an answer and fits, nothing when there is none."""
    for end in range(len(messages), 1, -2):
        tokens = example(tokenizer, messages[:end])
        if (length := len(tokens["input_ids"])) <= max_length:
            counted.conversations += 1
            counted.tokens += length
            counted.answers += length - tokens["labels"].count(IGNORED)
            counted.longest = max(counted.longest, length)
            counted.cut += end < len(messages)
            return tokens
    counted.dropped += 1
    return {}


def _kept(path: Path) -> Tokens | None:
    """Return what a file holds, None where there is none; a torn or changed one is made again."""
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        counted = Counted(**json.loads(pq.read_metadata(path).metadata[b"counted"]))
    except FileNotFoundError:
        return None
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as cause:
        log.warning("%s is damaged (%s): made again", path.name, type(cause).__name__)
        return None
    return Tokens(datasets.Dataset(table), counted)


def _prune(folder: Path) -> None:
    """Remove all but the newest ``KEPT`` files: each preparation and each tokenizer leaves new ones behind."""
    dated = []
    for file in folder.glob("tokens-*.parquet"):
        with suppress(FileNotFoundError):  # another process removes them, too
            dated.append((file.stat().st_mtime, file))
    for _, file in sorted(dated)[:-KEPT]:
        file.unlink(missing_ok=True)


def _write(path: Path, tables: Iterator[pa.Table], counted: Counted) -> None:
    """Write the tables beside the file's place and rename it, so that it is whole or not there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as beside:
            with pq.ParquetWriter(Path(beside) / path.name, SCHEMA, write_page_checksum=True) as file:
                for table in tables:
                    file.write_table(table)
                file.add_key_value_metadata({"counted": json.dumps(asdict(counted))})
            (Path(beside) / path.name).replace(path)
    except OSError as cause:
        raise BackendError(f"cannot keep {path}: check its rights and the free space") from cause
