"""Tables that a person already has: a CSV file by path or by address, read without being told how it was written.

    source ── bytes ── encoding ── separator ── every line checked, plain column names ──► rows ── pick ──► wanted

A source may also be a folder or several places joined by commas: ``files_of`` says which files that means.
Nothing is guessed that could be wrong unseen: one line with a field too many or too few refuses the whole file.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import os
import re
import unicodedata
from itertools import chain
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING

import pandas as pd

from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shared.ports import Web

SEPARATORS = (",", ";", "\t", "|")
LISTED = 10  # names in a message, at most
SNIFFED_BYTES = 2**16  # below the longest field that the csv module reads
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
UNMARKED = ("utf-8", "cp1252", "latin-1")  # tried in this order; the last takes any bytes
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_UNIT = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_NO_TABLE = re.compile(r'\s*(<|\{|\[\s*[{\["])')  # how HTML, XML and JSON begin
_NUMBER = re.compile(r"[-+]?\d+([.,]\d*)?")


def read_table(source: str, web: Web, *, limit_mb: float = 256) -> pd.DataFrame:
    """Return the rows of a CSV file, by path or http(s) address, under the names that ``plain_name`` gives.

    Text is UTF-8, UTF-16 with a byte order mark, or else Western European; fields are separated by comma, semicolon,
    tab or bar, with decimal commas or points where semicolons separate. Numbers become numbers, blanks and "NA" become
    NaN, all else stays text; spaces around a value and lines with nothing in them are left out.

    Raises:
        SourceError: there is no such file, or it is no such table.
        WebError: the address gave no answer.
    """
    raw = _bytes(source, web, limit_mb)
    encoding = _encoding(raw, source)
    separator = _separator(raw, encoding)
    table = _rewritten(_lines(raw, encoding, separator, source), source)
    decimals = (",", ".") if separator == ";" else (".",)
    readings = [pd.read_csv(io.BytesIO(table), decimal=decimal, low_memory=False) for decimal in decimals]
    return max(readings, key=lambda rows: rows.select_dtypes("number").shape[1])


def pick(table: pd.DataFrame, wanted: Mapping[str, Sequence[str]], source: str) -> pd.DataFrame:
    """Return the wanted columns, found by name or else by synonym, under their wanted names and in that order.

    >>> petals = pd.DataFrame({"PetalLengthCm": [1.4], "petal.width": [0.2], "id": [1]})
    >>> pick(petals, {"petal_width": (), "petal_length": ("petal_length_cm",)}, "flowers.csv").to_dict("records")
    [{'petal_width': 0.2, 'petal_length': 1.4}]

    Raises:
        SourceError: columns are missing.
    """
    there = {_squeezed(str(column)): column for column in table.columns[::-1]}  # the first of two alike counts
    keys = {name: [_squeezed(one) for one in (name, *also)] for name, also in wanted.items()}
    chosen = {name: [there[key] for key in alike if key in there] for name, alike in keys.items()}
    missing = [name for name, columns in chosen.items() if not columns]
    if missing:
        has = ", ".join(str(column) for column in table.columns[:30])
        raise SourceError(f"{name_of(source)} has no column {', '.join(missing)}, but {has}: rename those that fit")
    return pd.DataFrame({name: table[columns[0]] for name, columns in chosen.items()})


def plain_name(name: str) -> str:
    """Return a column name in lower case, without its unit, words joined by underscores.

    >>> [plain_name(name) for name in ("sepal length (cm)", " Sepal.Width", "PM2.5 [µg/m³]", "Größe")]
    ['sepal_length', 'sepal_width', 'pm2_5', 'größe']
    """
    bare = _UNIT.sub(" ", unicodedata.normalize("NFC", name)).lower()
    return re.sub(r"\W+", "_", bare).strip("_")


def name_of(source: str) -> str:
    """Return how messages call a source: an address without user and query, which may be secret; a path quoted.

    >>> name_of("https://me:pw@example.org/a/@12.csv?token=s3cret"), name_of("my flowers.csv")
    ('https://example.org/a/@12.csv', "'my flowers.csv'")
    """
    scheme, found, rest = source.partition("://")
    if not found:
        return repr(source)
    public = re.sub(r"^[^/]*@", "", re.split(r"[?#]", rest)[0])
    return repr(f"{scheme}://{public}")[1:-1]


def files_of(source: str, word: re.Pattern[str]) -> list[str]:
    """Return the paths and addresses of the files that ``source`` means; ``word`` as in ``word_in``.

    Raises:
        SourceError: a folder leaves open which of its files are meant.
    """
    return [place for part in parts_of(source) for place in (_in_folder(part, word) if is_folder(part) else [part])]


def parts_of(source: str) -> list[str]:
    """Return the paths and addresses that commas join; a path that itself holds commas is one.

    Raises:
        SourceError: there is none.

    >>> parts_of("red.csv, https://example.org/white.csv")
    ['red.csv', 'https://example.org/white.csv']
    """
    parts = [source] if _exists(source) else [part.strip() for part in source.split(",")]
    named = [part for part in parts if part]
    if not named:
        raise SourceError(f"{source!r} names nothing: give a path or an http(s) address")
    return named


def word_in(place: str, word: re.Pattern[str]) -> str:
    """Return the one word that a file's name holds, '' for none and for several; ``word``'s first group catches it.

    >>> [word_in(place, re.compile("(ebb|flow)")) for place in ("a/Ebb-1.csv", "ebb-and-flow.csv", "https://flow.org/1")]
    ['ebb', '', '']
    """
    found = {*word.findall(PurePath(place.split("?")[0]).stem.lower())}
    return found.pop() if len(found) == 1 else ""


def prefix_of(*sources: str) -> str:
    """Return what the ids of a source's rows begin with: its name, and a hash of its place without any query.

    Files that belong together are one source; the same place, however it is written, gives the same prefix.

    >>> prefix_of("https://example.org/My Flowers.csv?token=s3cret")
    'my-flowers-dc5d'
    """
    places = [name_of(one) if "://" in one else os.path.realpath(one) for one in sources]
    stems = "-".join(PurePath(place).stem.lower() for place in places)
    name = "".join(c if c.isalnum() else "-" for c in stems)[:40]
    return f"{name}-{hashlib.sha256(','.join(places).encode()).hexdigest()[:4]}"


def opened(source: str) -> IO[bytes]:
    """Return the file at a path, to be read.

    Raises:
        SourceError: there is none, or it must not be read.
    """
    path = Path(source)
    try:
        if path.is_dir():
            raise SourceError(f"{name_of(source)} is a folder: name one file in it")
        if not path.is_file():
            raise SourceError(f"there is no file {name_of(source)}: check the path")
        return path.open("rb")
    except SourceError:
        raise
    except (OSError, ValueError) as cause:  # ValueError: no path holds a zero byte
        raise SourceError(f"{name_of(source)} cannot be opened: check its name and rights") from cause


def is_folder(place: str) -> bool:
    """Return whether a place is a folder on this machine.

    >>> is_folder("."), is_folder("https://example.org/")
    (True, False)
    """
    try:
        return Path(place).is_dir()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _squeezed(name: str) -> str:
    return plain_name(name).replace("_", "")


def _bytes(source: str, web: Web, limit_mb: float) -> bytes:
    scheme, remote, _ = source.partition("://")
    if not remote:
        try:
            with opened(source) as file:
                raw = file.read(int(limit_mb * 1e6) + 1)
        except OSError as cause:
            raise SourceError(f"{name_of(source)} cannot be read: check the disk it lies on") from cause
    elif scheme.lower() in ("http", "https"):
        raw = web.get(source).body
    else:
        raise SourceError(f"{name_of(source)} cannot be read: give a path or an http(s) address")
    if len(raw) > limit_mb * 1e6:
        raise SourceError(f"{name_of(source)} is larger than {limit_mb:g} MB: give a smaller part of it")
    return raw


def _encoding(raw: bytes, source: str) -> str:
    """Return the name of the encoding in which ``raw`` is a text."""
    marked = [encoding for mark, encoding in MARKS.items() if raw.startswith(mark)]
    for encoding in marked or UNMARKED:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _CONTROL.search(text):
            break
        if _NO_TABLE.match(text):
            raise SourceError(f"{name_of(source)} is a web page or JSON: give the place of the CSV file itself")
        return encoding
    raise SourceError(f"{name_of(source)} is not a text file: save it as CSV (UTF-8), also from Excel, and give that")


def _separator(raw: bytes, encoding: str) -> str:
    """Return the separator by which most of the first lines have as many fields as the header; then the widest."""
    head = raw[:SNIFFED_BYTES].decode(encoding, errors="ignore")

    def fit(separator: str) -> tuple[float, int]:
        lines = csv.reader(io.StringIO(head, newline=""), delimiter=separator, skipinitialspace=True)
        widths = [len(fields) for fields in lines if fields]
        return (widths.count(widths[0]) / len(widths), widths[0]) if widths and widths[0] > 1 else (0.0, 0)

    return max(SEPARATORS, key=fit)


def _lines(raw: bytes, encoding: str, separator: str, source: str) -> Iterator[list[str]]:
    """Yield the fields of header and rows, stripped, as many in each; empty lines are left out."""
    width = 0
    text = io.TextIOWrapper(io.BytesIO(raw), encoding=encoding, newline="")
    reader = csv.reader(text, delimiter=separator, skipinitialspace=True, strict=True)
    try:
        for line in reader:
            fields = [field.strip() for field in line]
            if len(fields) <= max(width, 1) and not any(fields):
                continue
            if width and len(fields) != width:
                what = f"has {len(fields)} fields in line {reader.line_num}, {width} in its header"
                raise SourceError(f"{name_of(source)} {what}: look there for a missing or stray {separator!r}")
            width = len(fields)
            yield fields
    except csv.Error as cause:
        what = f"is broken near line {reader.line_num} ({cause})"
        raise SourceError(f"{name_of(source)} {what}: look for a quote left open") from cause


def _rewritten(lines: Iterator[list[str]], source: str) -> bytes:
    """Return the lines in the one form that every CSV reader understands alike, under plain names."""
    header = next(lines, None)
    names = _names(header, source) if header else []
    first = next(lines, None)
    if first is None:
        what = "has a header but no rows" if header else "is empty"
        raise SourceError(f"{name_of(source)} {what}: give a file with a header and rows")
    written = io.BytesIO()
    text = io.TextIOWrapper(written, encoding="utf-8", newline="")
    csv.writer(text, lineterminator="\r\n").writerows(chain([names, first], lines))  # quotes fields that hold either
    text.flush()
    return written.getvalue()


def _names(header: list[str], source: str) -> list[str]:
    if not any(header) or sum(_NUMBER.fullmatch(field) is not None for field in header) * 2 > len(header):
        raise SourceError(f"{name_of(source)} has no names in its first line: put one there for each column")
    names = [plain_name(field) or f"column_{place}" for place, field in enumerate(header, 1)]
    if len(twice := pd.Index(names)[pd.Index(names).duplicated()]):
        raise SourceError(f"{name_of(source)} has two columns {twice[0]!r}: rename or remove one")
    return names


def _in_folder(folder: str, word: re.Pattern[str]) -> list[str]:
    """Return the CSV files whose names hold a word, no word twice; where no name does, the only CSV file."""
    files = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() == ".csv" and path.is_file())
    said = {path: word_in(path.name, word) for path in files}
    named = [str(path) for path in files if said[path]]
    if not files:
        raise SourceError(f"{name_of(folder)} holds no CSV file: give another folder, or a file")
    if len(named) > len({*said.values()} - {""}) or (not named and len(files) > 1):
        listed = ", ".join(path.name for path in files[:LISTED])
        raise SourceError(f"{name_of(folder)} holds {listed}: name the files that you mean, joined by commas")
    return named or [str(files[0])]


def _exists(place: str) -> bool:
    try:
        return Path(place).exists()
    except (OSError, ValueError):
        return False
