"""Files of records in every form, whole and broken."""

import gzip
import json
from itertools import islice

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import SourceError
from shared.ports import Answer
from shared.steps.records import MOST_CHARACTERS, PIECE, Record, read_records, record_files, skipped_files

TWO = [{"id": 1, "said": "Grüße"}, {"id": 2, "said": "a\nb"}]
LINES = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in TWO)


class Served:
    """A web that gives one body at every address."""

    def __init__(self, body):
        self.body = body

    def get(self, url, params=None, headers=None):
        return Answer(url, 200, self.body)


@pytest.fixture
def read(tmp_path):
    """Write a file and read it."""

    def reading(content, name="records"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return [*read_records(str(path), Served(b""))]

    return reading


@pytest.mark.parametrize(
    "content",
    [
        LINES,
        LINES.rstrip("\n"),
        LINES.replace("\n", "\r\n"),
        "\n\n" + LINES + "  \n",
        b"\xef\xbb\xbf" + LINES.encode(),
        LINES.encode("utf-16"),
        gzip.compress(LINES.encode()),
        json.dumps(TWO),
        json.dumps(TWO, indent=2),
        "\ufeff" + json.dumps(TWO, ensure_ascii=False),
        gzip.compress(json.dumps(TWO).encode("utf-16")),
    ],
)
def test_json_is_read_however_it_was_written(read, content):
    assert [record.fields for record in read(content)] == TWO


@pytest.mark.parametrize("indent", [0, 2, "\t"])
def test_an_object_over_several_lines_is_one_record(read, indent):
    assert read(json.dumps(TWO[0], indent=indent)) == [Record(1, TWO[0])]
    several = "\n".join(json.dumps(one, indent=indent) for one in TWO)
    assert read(f"\n{several}\n") == [Record(1, TWO[0]), Record(2, TWO[1])]
    assert read(gzip.compress(several.encode("utf-16"))) == [Record(1, TWO[0]), Record(2, TWO[1])]


def test_an_object_over_several_lines_may_be_longer_than_a_piece(read):
    long = {"said": ["x" * PIECE, "y" * PIECE]}
    assert read(json.dumps(long, indent=1))[0].fields == long


def test_a_first_line_that_its_writer_did_not_end_breaks_no_other(read):
    assert [bool(record.broken) for record in read('{"id": 0,\n{"id": 1}\n{"id": 2}\n')] == [True, False, False]


def test_records_are_told_by_their_line_and_in_a_list_by_their_number(read):
    assert [record.place for record in read("\n" + LINES)] == [2, 3]
    assert [record.place for record in read(json.dumps(TWO))] == [1, 2]


def test_a_parquet_file_is_read_with_its_nested_columns(tmp_path):
    turns = [[{"from": "human", "value": "Hi"}], [], None]
    pd.DataFrame({"conversations": turns, "score": [1.5, 2.0, None]}).to_parquet(tmp_path / "a.parquet")
    records = [*read_records(str(tmp_path / "a.parquet"), Served(b""))]
    assert [record.fields["conversations"] for record in records] == turns
    assert [record.place for record in records] == [1, 2, 3]
    answered = [*read_records("https://example.org/a", Served((tmp_path / "a.parquet").read_bytes()))]
    assert answered == records


def test_a_csv_file_is_split_only_where_it_says_so(read):
    lists = json.dumps(["1 c. sugar, packed", 'a "large" egg|two'])
    quoted = lists.replace('"', '""')
    records = read(f',title,ingredients\r\n0,Cake,"{quoted}"\r\n\r\n1,"Two\nlines",[]\r\n')
    assert [record.fields["title"] for record in records] == ["Cake", "Two\nlines"]
    assert records[0].fields["ingredients"] == lists


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_a_csv_file_may_be_separated_otherwise(read, separator):
    assert read(f"a{separator}b\n1{separator}2,3\n")[0].fields == {"a": "1", "b": "2,3"}


def test_a_line_that_its_writer_did_not_end_is_told_as_broken(read):
    records = read(LINES + '{"id": 3, "said": "half')
    assert [record.broken for record in records] == ["", "", '{"id": 3, "said": "half']
    assert records[2].fields == {}


def test_what_a_killed_writer_and_the_next_one_left_in_one_line_is_broken_and_the_lines_after_it_are_not(read):
    records = read('{"id": 1}\n{"id": 2, "sa{"id": 3}\n{"id": 4}\n')
    assert [(record.place, bool(record.broken)) for record in records] == [(1, False), (2, True), (3, False)]


@pytest.mark.parametrize(
    "line", ["null", "[1]", "7", '"text"', "{" * 100_000, "[" * 100_000, '{"a": ' + "9" * 5000 + "}"]
)
def test_a_line_that_is_no_object_is_broken(read, line):
    records = read(f'{{"id": 1}}\n{line}\n')
    assert records[1].broken
    assert len(records[1].broken) <= 80


def test_half_a_character_at_the_end_breaks_its_line_alone(read):
    records = read(LINES.encode() + '{"said": "ü"}'.encode()[:-3])
    assert [bool(record.broken) for record in records] == [False, False, True]


def test_a_byte_that_is_no_utf_8_can_be_told_from_a_letter(read):
    said = read(b'{"said": "caf\xe9"}\n')[0].fields["said"]
    assert said == "caf\udce9"


def test_a_record_longer_than_a_piece_is_read_whole(read):
    long = "x" * (2 * PIECE + 17)
    assert read(json.dumps([{"said": long}, {"said": "y"}]))[0].fields["said"] == long
    assert read(json.dumps({"said": long}) + "\n")[0].fields["said"] == long


def test_a_line_without_an_end_is_not_held_whole(tmp_path):
    path = tmp_path / "endless.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b'{"said": "')
        for _ in range(4):
            file.write(b"x" * (MOST_CHARACTERS // 2))
        file.write(b'"}\n{"id": 2}\n')
    records = [*read_records(str(path), Served(b""))]
    assert [(record.place, bool(record.broken)) for record in records] == [(1, True), (2, False)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"  \n ", "is empty"),
        (b"\x00\x01\x02", "is not a text file"),
        ("hello\nworld\n", "neither JSON, nor CSV"),
        ("a,b\n1,2\n3\n", "has 1 fields in line 3, 2 in its header"),
        ('a,b\n1,"2\n3,4\n', "cannot be read to its end"),
        ('[{"id": 1}, {"id": 2}', "broken or cut off after record 2"),
        ('[{"id": 1}, oops]', "broken or cut off after record 1"),
        ('{\n  "id": 1,\n  "said":', r"broken or cut off after record 0, in line 3 \(Expecting value\): repair it"),
        ('{\n  "id": 1\n}\n{\n  oops\n}', "broken or cut off after record 1, in line 5"),
        (b"PAR1 and nothing else", "cannot be read to its end"),
        (gzip.compress(LINES.encode() * 1000)[:-20], "cannot be read to its end"),
        (gzip.compress(LINES.encode())[:10] + b"garbage garbage", "cannot be read to its end"),
    ],
)
def test_a_file_that_is_broken_as_a_whole_is_refused_with_what_to_do(read, content, said):
    with pytest.raises(SourceError, match=said):
        read(content)


def test_a_line_with_zero_bytes_is_broken_alone(read):
    records = read(b'{"id": 1}\n{"id": \0\0\0}\n' + b"\0" * 5 + b"\n" + LINES.encode() * 5)
    assert [bool(record.broken) for record in records] == [False, True, True, *[False] * 10]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_text_of_which_every_second_byte_is_zero_is_refused_and_told_which_are_read(read, encoding):
    with pytest.raises(SourceError, match=r"is not a text file: give one of \.jsonl.*UTF-16 with its mark"):
        read(LINES.encode(encoding))


def test_a_field_of_a_csv_file_may_be_as_long_as_a_line(read):
    long = "x" * 300_000
    assert [record.fields["b"] for record in read(f"a,b\n1,{long}\n2,y\n")] == [long, "y"]


def test_a_link_to_itself_is_no_file(tmp_path):
    (tmp_path / "loop.jsonl").symlink_to("loop.jsonl")
    (tmp_path / "a.jsonl").write_text(LINES)
    assert record_files(str(tmp_path)) == [str(tmp_path / "a.jsonl")]
    assert skipped_files(str(tmp_path)) == [str(tmp_path / "loop.jsonl")]
    with pytest.raises(SourceError, match="there is no file"):
        next(read_records(str(tmp_path / "loop.jsonl"), Served(b"")))


@pytest.mark.parametrize("ask", [record_files, skipped_files])
def test_a_folder_that_must_not_be_listed_is_refused_with_what_to_check(tmp_path, monkeypatch, ask):
    def refused(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", refused)  # whoever runs as root may list every folder
    with pytest.raises(SourceError, match="cannot be listed: check the folder's rights"):
        ask(str(tmp_path))


def test_a_place_that_does_not_exist_is_refused(tmp_path):
    for place in (str(tmp_path / "none.jsonl"), "bad\0name", "ftp://example.org/a.jsonl"):
        with pytest.raises(SourceError):
            next(read_records(place, Served(b"")))


def test_only_the_beginning_of_a_file_is_read_when_only_that_is_asked_for(tmp_path):
    path = tmp_path / "long.jsonl"
    path.write_text('{"id": 1}\n' * 50_000 + "broken")
    assert [record.fields for record in islice(read_records(str(path), Served(b"")), 2)] == [{"id": 1}, {"id": 1}]


def test_a_folder_stands_for_its_files_of_records_by_name(tmp_path):
    for name in ("b.jsonl", "a.json", "c.csv.gz", "README.md", ".hidden.jsonl", "d.PARQUET"):
        (tmp_path / name).write_text("")
    (tmp_path / "folder.jsonl").mkdir()
    names = [place.rpartition("/")[2] for place in record_files(f"{tmp_path}, https://example.org/x.jsonl")]
    assert names == ["a.json", "b.jsonl", "c.csv.gz", "d.PARQUET", "x.jsonl"]
    skipped = [place.rpartition("/")[2] for place in skipped_files(f"{tmp_path}, https://example.org/x.jsonl")]
    assert skipped == ["README.md", "folder.jsonl"]


def test_a_folder_without_records_is_refused(tmp_path):
    with pytest.raises(SourceError, match="holds no file of records"):
        record_files(str(tmp_path))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50)
@given(st.lists(st.dictionaries(st.text(max_size=8), _json, min_size=1), min_size=1, max_size=5), st.booleans())
def test_what_json_wrote_is_what_is_read(objects, indented):
    told = json.dumps(objects, indent=2 if indented else None)
    for content in (told, "\n".join(json.dumps(one) for one in objects)):
        read = read_records("https://example.org/a", Served(content.encode()))
        assert [record.fields for record in read] == objects
