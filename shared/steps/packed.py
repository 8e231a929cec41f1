"""Files that were packed to be smaller, opened as what is in them: gzip, bzip2, xz, Zstandard, or a zip of one file.

    file ── its first bytes ──► how it was packed ──► what is in it, from any place as often as asked

Nothing is unpacked to a disk, and no more of it at once than is read; to go back is to unpack from the beginning.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, cast

import pyarrow as pa

from shared.errors import SourceError
from shared.steps.files import LISTED, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _typeshed import WriteableBuffer

SUFFIXES = (".gz", ".bz2", ".xz", ".zst")  # beside the name of what is in it
ZIP = ".zip"
PIECE = 2**20  # bytes unpacked at once on the way to a place
BROKEN = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, pa.ArrowException)
"""What reading on may raise where a file is damaged, or cut off; besides OSError."""


def unpacked(raw: IO[bytes], place: str, named: Sequence[str]) -> IO[bytes]:
    """Return what is packed in a file, the file itself where it is not packed; closing it leaves ``raw`` open.

    Args:
        raw: the file, at its beginning.
        place: where it lies, for messages.
        named: how names end in a zip of those files that may be meant.

    Raises:
        SourceError: a zip holds none of those, or several, or asks for a password.
    """
    head = raw.read(8)
    raw.seek(0)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):  # the second of an empty one
        return _only_file(zipfile.ZipFile(raw), place, named)
    opener = next((opener for mark, opener in _OPENERS.items() if head.startswith(mark)), None)
    return opener(raw) if opener else raw


class _Lent(io.RawIOBase):
    """A file that whoever borrows it cannot close: pyarrow closes what it read."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        read = self._raw.read(memoryview(buffer).nbytes)
        memoryview(buffer)[: len(read)] = read
        return len(read)


class _Zstandard(io.RawIOBase):
    """A file packed by Zstandard, which is unpacked up to the place that is asked for, back from its beginning."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._stream: pa.CompressedInputStream | None = None
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, at: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            while self.read(PIECE):  # how long it is shows at its end alone
                pass
        at += self._at if whence else 0
        if at < self._at:
            self._stream, self._at = None, 0
        while self._at < at and self.read(min(PIECE, at - self._at)):
            pass
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        if self._stream is None:
            self._raw.seek(0)
            self._stream = pa.CompressedInputStream(pa.PythonFile(_Lent(self._raw), mode="r"), "zstd")
        read = self._stream.read(memoryview(buffer).nbytes)
        memoryview(buffer)[: len(read)] = read
        self._at += len(read)
        return len(read)


def _only_file(archive: zipfile.ZipFile, place: str, named: Sequence[str]) -> IO[bytes]:
    """Return the one file of a zip that may be meant; hidden ones, as a Mac puts them beside it, are not."""
    names = [one.filename for one in archive.infolist() if not PurePath(one.filename).name.startswith(".")]
    meant = [name for name in names if name.lower().endswith(tuple(named))]
    if not meant:
        what = f"holds no file with {', '.join(named)}"
        raise SourceError(f"{name_of(place)} {what}: unpack it first, if what it holds is packed too, or give another")
    if len(meant) > 1:
        listed = ", ".join(name[:80] for name in meant[:LISTED])
        raise SourceError(f"{name_of(place)} holds {listed}: unpack it, and name those that you mean")
    try:
        return archive.open(meant[0])
    except (RuntimeError, NotImplementedError) as cause:  # a password, a way of packing that Python does not know
        raise SourceError(
            f"{name_of(place)} cannot be unpacked here ({cause}): unpack it, and give what it held"
        ) from cause


_OPENERS: dict[bytes, Callable[[IO[bytes]], IO[bytes]]] = {
    b"\x1f\x8b": lambda raw: cast("IO[bytes]", gzip.GzipFile(fileobj=raw)),
    b"BZh": lambda raw: cast("IO[bytes]", bz2.BZ2File(raw)),
    b"\xfd7zXZ\x00": lambda raw: cast("IO[bytes]", lzma.LZMAFile(raw)),  # noqa: SIM115 - whoever reads closes it
    b"\x28\xb5\x2f\xfd": lambda raw: cast("IO[bytes]", io.BufferedReader(_Zstandard(raw))),
}
