"""Packed files: every way of packing, read twice, cut off, and zips with one file or several."""

import bz2
import gzip
import io
import lzma
import zipfile

import pandas as pd
import pyarrow as pa
import pytest

from shared.errors import SourceError
from shared.ports import Answer
from shared.steps.packed import unpacked
from shared.steps.records import read_records, record_files

LINES = b'{"id": 1}\n{"id": 2}\n'
SPREAD = b'{\n  "id": 1\n}\n{\n  "id": 2\n}\n'  # which is looked at, then read from its beginning
MANY = b"".join(b'{"id": %d}\n' % number for number in range(50_000))


def zipped(files):
    """Return a zip of files by name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def zstandard(content):
    return pa.Codec("zstd").compress(content, asbytes=True)


LOCKED = b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"  # a flag in a zip's list of files
PACKINGS = [gzip.compress, bz2.compress, lzma.compress, zstandard, lambda content: zipped({"a.jsonl": content})]


class Served:
    """A web that gives one body at every address."""

    def __init__(self, body):
        self.body = body

    def get(self, url, params=None, headers=None):
        return Answer(url, 200, self.body)


@pytest.fixture
def read(tmp_path):
    """Write a file and read it."""

    def reading(content):
        (tmp_path / "records").write_bytes(content)
        return [record.fields["id"] for record in read_records(str(tmp_path / "records"), Served(b""))]

    return reading


@pytest.mark.parametrize("packing", PACKINGS)
def test_records_are_read_however_they_were_packed(read, packing):
    assert read(packing(LINES)) == read(packing(SPREAD)) == [1, 2]
    assert read(packing(MANY)) == [*range(50_000)]
    assert [one.place for one in read_records("https://example.org/a", Served(packing(LINES)))] == [1, 2]


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_parquet_file_is_read_however_it_was_packed(read, tmp_path, packing):
    table = pd.DataFrame({"id": range(5_000), "said": [f"{number:_>300}" for number in range(5_000)]})
    table.to_parquet(tmp_path / "table", row_group_size=1_000, compression=None)
    packed = packing((tmp_path / "table").read_bytes())
    assert read(packed) == [*range(5_000)]
    with pytest.raises(SourceError, match="cannot be read to its end .* get it again"):
        read(packed[: len(packed) * 9 // 10])


def test_a_file_packed_by_zstandard_can_be_read_from_any_place():
    file = unpacked(io.BytesIO(zstandard(MANY)), "a", ())
    assert file.seek(-9, io.SEEK_END) == len(MANY) - 9
    assert (file.read(), file.tell()) == (MANY[-9:], len(MANY))
    for place in (300_000, 20, 0, 70_000):
        assert file.seek(place) == place
        assert file.read(30) == MANY[place : place + 30]
    assert file.seek(-40, io.SEEK_CUR) == 69_990
    assert file.read(5) == MANY[69_990:69_995]
    assert file.seek(0, io.SEEK_END) == len(MANY)


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_packed_file_that_was_cut_off_is_refused(read, packing):
    whole = packing(MANY)
    with pytest.raises(SourceError, match="cannot be read to its end .* get it again"):
        read(whole[: len(whole) * 9 // 10])


@pytest.mark.parametrize("packing", PACKINGS[:-1])
def test_what_was_packed_in_two_pieces_is_read_to_its_end(read, packing):
    assert read(packing(LINES) + packing(b'{"id": 3}\n')) == [1, 2, 3]


def test_a_file_that_is_not_packed_is_itself():
    raw = io.BytesIO(LINES)
    assert unpacked(raw, "a", (".jsonl",)) is raw
    assert raw.read() == LINES


def test_of_a_zip_the_one_file_of_records_is_read(read):
    beside = {"README.md": b"Read me.", "__MACOSX/._a.jsonl": b"x"}
    assert read(zipped({**beside, "deep/a.jsonl": LINES})) == [1, 2]


@pytest.mark.parametrize(
    ("packed", "said"),
    [
        (zipped({"a.jsonl": LINES, "b.json": b"[]"}), "holds a.jsonl, b.json: unpack it, and name those"),
        (zipped({"README.md": b"Read me."}), "holds no file with .jsonl.*: unpack it first, if .* or give another"),
        (zipped({"a.jsonl.gz": gzip.compress(LINES)}), "holds no file with .jsonl.*: unpack it first"),
        (zipped({}), "holds no file with .jsonl"),
        (zipped({"a.jsonl": LINES}).replace(*LOCKED), "cannot be unpacked here .*encrypted"),
    ],
)
def test_a_zip_that_leaves_open_what_is_meant_is_refused(read, packed, said):
    with pytest.raises(SourceError, match=said):
        read(packed)


def test_packed_files_of_a_folder_are_files_of_records(tmp_path):
    for name in ("a.jsonl.zst", "b.csv.BZ2", "c.zip", "d.json.xz", "e.tar.gz", "f.ndjson"):
        (tmp_path / name).write_text("")
    names = [place.rpartition("/")[2] for place in record_files(str(tmp_path))]
    assert names == ["a.jsonl.zst", "b.csv.BZ2", "c.zip", "d.json.xz", "f.ndjson"]
