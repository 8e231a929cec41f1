"""Records that a person already has, one after the other: JSON lines, other JSON, CSV or Parquet, by path or address.

    source ──► files ──► unpacked ──► what its first bytes say: Parquet │ JSON lines, other JSON │ CSV ──► Record …

A file passes in pieces: one of millions of records needs no more memory than one of a thousand. A line that is no JSON
object is told as broken, as whoever wrote it may have been killed; other broken JSON, CSV and Parquet is refused.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import pyarrow.parquet as pq

from shared.errors import AlmanacError, SourceError
from shared.steps import packed
from shared.steps.files import MARKS, SEPARATORS, is_folder, name_of, opened, parts_of
from shared.steps.packed import unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.ports import Web

SUFFIXES = (".jsonl", ".json", ".jsonld", ".ndjson", ".parquet", ".csv", ".tsv")  # each also packed
MOST_CHARACTERS = 2**25  # of one record
PIECE = 2**20  # characters or bytes read at once
SHOWN = 80  # characters of what is broken
_BETWEEN = re.compile(r"[\s,]*")
MOST_NUL = 0.1  # of a text's first characters: a disk that failed leaves some of them, other files have more
FORMS = f"{', '.join(SUFFIXES)}, also with {', '.join(packed.SUFFIXES)} or in a {packed.ZIP}"
_PARQUET = b"PAR1"


class Record(NamedTuple):
    """One record: its place, a line or a number counted from 1; what it holds, or how it begins if it is broken."""

    place: int
    fields: dict[str, Any]
    broken: str = ""


def record_files(source: str) -> list[str]:
    """Return the paths and addresses that ``source`` means: several joined by commas, and the files of a folder.

    Raises:
        SourceError: it names nothing, or a folder without a file of records.
    """
    return [place for part in parts_of(source) for place in (_in_folder(part) if is_folder(part) else [part])]


def skipped_files(source: str) -> list[str]:
    """Return the paths of what lies in the folders of ``source`` and is none of ``record_files``; hidden files aside.

    Raises:
        SourceError: it names nothing.
    """
    folders = [part for part in parts_of(source) if is_folder(part)]
    return [str(path) for folder in folders for path in _seen(folder) if not (path.is_file() and _is_named(path))]


def read_records(place: str, web: Web) -> Iterator[Record]:
    """Yield the records of one file, whatever form it has.

    Raises:
        SourceError: there is no such file, or it holds no records that could be read.
        WebError: the address gave no answer.
    """
    try:
        with ExitStack() as stack:
            raw = stack.enter_context(_opened(place, web))
            raw = stack.enter_context(unpacked(raw, place, SUFFIXES))
            if (head := _head(raw)).startswith(_PARQUET):
                yield from _rows(raw)
            else:
                text, read = _as_text(raw, head, place)
                yield from read(stack.enter_context(text), place)
    except AlmanacError:  # a WebError is an OSError too, and says itself what to do
        raise
    except (OSError, csv.Error, UnicodeError, *packed.BROKEN) as cause:
        raise SourceError(f"{name_of(place)} cannot be read to its end ({_said(cause)}): get it again") from cause


def _as_text(raw: IO[bytes], head: bytes, place: str) -> tuple[IO[str], Callable[[IO[str], str], Iterator[Record]]]:
    """Return the file as text, and what reads it."""
    encoding = next((name for mark, name in MARKS.items() if head.startswith(mark)), "utf-8")
    opening = codecs.getincrementaldecoder(encoding)("ignore").decode(head).lstrip()
    if not opening or opening.count("\0") > MOST_NUL * len(opening):
        what = "is not a text file" if opening else "is empty"
        raise SourceError(f"{name_of(place)} {what}: give one of {FORMS} (UTF-8, or UTF-16 with its mark)")
    # A byte that is no UTF-8 becomes a lone surrogate, by which its record is known as broken further down.
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    read = _items if opening.startswith("[") else _objects if opening.startswith("{") else _table
    return io.TextIOWrapper(raw, encoding, errors, newline=""), read


def _objects(text: IO[str], place: str) -> Iterator[Record]:
    """Yield a record a line, or an object after the other where they are written over several lines."""
    lines = (line for line in iter(lambda: text.readline(MOST_CHARACTERS), "") if line.strip())
    first = next(lines, "")
    # An object that goes on ends its line so; and that its writer was killed shows by the next line, a whole record.
    goes_on = first.rstrip().endswith(("{", "[", ",")) and bool(_parsed(1, first).broken)
    indented = goes_on and (second := next(lines, "")) and _parsed(2, second).broken
    text.seek(0)
    yield from (_items if indented else _lines)(text, place)


def _lines(text: IO[str], place: str) -> Iterator[Record]:
    """Yield a record a line; lines with nothing in them are left out."""
    number = 0
    while line := text.readline(MOST_CHARACTERS):
        number += 1
        whole = line.endswith("\n") or len(line) < MOST_CHARACTERS
        while not whole and (rest := text.readline(MOST_CHARACTERS)):
            whole = rest.endswith("\n")
        if line.strip():
            yield _parsed(number, line)


def _parsed(number: int, line: str) -> Record:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return Record(number, {}, line[:SHOWN].strip())
    return Record(number, fields) if isinstance(fields, dict) else Record(number, {}, line[:SHOWN].strip())


def _items(text: IO[str], place: str) -> Iterator[Record]:
    """Yield the objects of a JSON list, or objects without a list, without holding more than a few of them."""
    decoder, number, passed = json.JSONDecoder(), 0, 0
    buffer = text.read(PIECE)
    is_list = buffer.lstrip().startswith("[")
    at = buffer.index("[") + 1 if is_list else 0
    while True:
        at = _BETWEEN.match(buffer, at).end()  # type: ignore[union-attr]
        if is_list and buffer.startswith("]", at):
            return
        try:
            fields, at = decoder.raw_decode(buffer, at)
        except (ValueError, RecursionError) as cause:
            # A longer piece each time, so that a long record is not read over and over in short ones.
            more = text.read(max(PIECE, len(buffer) - at)) if len(buffer) - at < MOST_CHARACTERS else ""
            if not more and not is_list and at == len(buffer):
                return
            if not more:
                what = f"is broken or cut off after record {number}{_where(cause, passed)}"
                raise SourceError(f"{name_of(place)} {what}: repair it there, or write one record a line") from cause
            passed += buffer.count("\n", 0, at)
            buffer, at = buffer[at:] + more, 0
            continue
        number += 1
        yield Record(number, fields) if isinstance(fields, dict) else Record(number, {}, repr(fields)[:SHOWN])


def _table(text: IO[str], place: str) -> Iterator[Record]:
    """Yield the rows of a CSV file; every one has as many fields as the header."""
    csv.field_size_limit(MOST_CHARACTERS)  # what is usual is less than a long conversation
    header = text.readline(MOST_CHARACTERS)
    separator = max(SEPARATORS, key=header.count)
    names = next(csv.reader([header], delimiter=separator))
    if len(names) < 2:
        raise SourceError(f"{name_of(place)} is neither JSON, nor CSV with a header: give {FORMS}")
    reader = csv.reader(text, delimiter=separator, strict=True)
    for values in reader:
        if values and len(values) != len(names):
            what = f"has {len(values)} fields in line {reader.line_num + 1}, {len(names)} in its header"
            raise SourceError(f"{name_of(place)} {what}: look there for a missing or stray {separator!r}")
        if values:
            yield Record(reader.line_num + 1, dict(zip(names, values, strict=True)))


def _rows(raw: IO[bytes]) -> Iterator[Record]:
    number = 0
    for batch in pq.ParquetFile(raw).iter_batches(batch_size=1000):
        for fields in batch.to_pylist():
            number += 1
            yield Record(number, fields)


def _opened(place: str, web: Web) -> IO[bytes]:
    scheme, remote, _ = place.partition("://")
    if remote and scheme.lower() not in ("http", "https"):
        raise SourceError(f"{name_of(place)} cannot be read: give a path or an http(s) address")
    return io.BytesIO(web.get(place).body) if remote else opened(place)


def _head(raw: IO[bytes]) -> bytes:
    head = raw.read(4096)
    raw.seek(0)
    return head


def _in_folder(folder: str) -> list[str]:
    named = [str(path) for path in _seen(folder) if path.is_file() and _is_named(path)]
    if not named:
        raise SourceError(f"{name_of(folder)} holds no file of records ({FORMS}): give another folder")
    return named


def _seen(folder: str) -> list[Path]:
    """Return what lies in a folder, hidden files aside."""
    try:
        return sorted(path for path in Path(folder).iterdir() if not path.name.startswith("."))
    except OSError as cause:
        raise SourceError(f"{name_of(folder)} cannot be listed: check the folder's rights") from cause


def _is_named(path: Path) -> bool:
    name = path.name.lower()
    bare = next((name.removesuffix(end) for end in packed.SUFFIXES if name.endswith(end)), name)
    return bare.endswith((*SUFFIXES, packed.ZIP))


def _where(cause: Exception, passed: int) -> str:
    """Return where a JSON text breaks and how, "" where its reader does not say; ``passed`` are lines before it."""
    return f", in line {passed + cause.lineno} ({cause.msg})" if isinstance(cause, json.JSONDecodeError) else ""


def _said(cause: Exception) -> str:
    return (str(cause).splitlines() or [type(cause).__name__])[0][:SHOWN]
