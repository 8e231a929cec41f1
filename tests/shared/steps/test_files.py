"""Files that people have, byte for byte: what is read, and what is refused with which sentence."""

import codecs
import csv
import io
import os
import re
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.demo import DemoTransport
from shared.adapters.simulators import SIMULATORS
from shared.adapters.web import HttpWeb
from shared.errors import SourceError, WebError
from shared.ports import Answer
from shared.steps.files import files_of, name_of, parts_of, pick, plain_name, prefix_of, read_table, word_in


class OneFile:
    """A web that holds one file, whatever the address."""

    def __init__(self, body=b""):
        self.body, self.asked = body, []

    def get(self, url, params=None, headers=None):
        self.asked.append(url)
        return Answer(url, 200, self.body)


def read(body):
    return read_table("https://example.org/tides.csv", OneFile(body))


def refusal(body, **limits):
    with pytest.raises(SourceError) as failure:
        read_table("https://example.org/tides.csv", OneFile(body), **limits)
    message = str(failure.value)
    assert message.startswith("https://example.org/tides.csv ")
    assert "\n" not in message
    return message.removeprefix("https://example.org/tides.csv ")


TIDES = pd.DataFrame({"port": ["Höfn", "Hull"], "height": [1.5, -0.25], "ships": [3, 12]})


@pytest.mark.parametrize(
    "body",
    [
        "port,height,ships\nHöfn,1.5,3\nHull,-0.25,12\n".encode(),
        "port,height,ships\r\nHöfn,1.5,3\r\nHull,-0.25,12".encode(),
        "port,height,ships\rHöfn,1.5,3\rHull,-0.25,12\r".encode(),
        "\n\nport,height,ships\n\nHöfn,1.5,3\n  \nHull,-0.25,12\n\n".encode(),
        codecs.BOM_UTF8 + "port,height,ships\nHöfn,1.5,3\nHull,-0.25,12\n".encode(),
        "port,height,ships\nHöfn,1.5,3\nHull,-0.25,12\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + "port;height;ships\r\nHöfn;1,5;3\r\nHull;-0,25;12\r\n".encode("utf-16-be"),
        "port,height,ships\nHöfn,1.5,3\nHull,-0.25,12\n".encode("cp1252"),
        "port;height;ships\nHöfn;1,5;3\nHull;-0,25;12\n".encode(),
        "port;height;ships\nHöfn;1.5;3\nHull;-0.25;12\n".encode(),
        "port\theight\tships\nHöfn\t1.5\t3\nHull\t-0.25\t12\n".encode(),
        "port|height|ships\nHöfn|1.5|3\nHull|-0.25|12\n".encode(),
        ' Port , Height (m) , SHIPS [1] \nHöfn , 1.5 ,3 \n"Hull ", -0.25,\t12\n'.encode(),
        '"port","height","ships"\n"Höfn","1.5","3"\n"Hull","-0.25","12"\n'.encode(),
        "port,height,ships\nHöfn,1.5,3\nHull,-0.25,12\n,,\n,,\n".encode(),
    ],
)
def test_the_same_table_is_read_however_it_was_written(body):
    pd.testing.assert_frame_equal(read(body), TIDES, check_dtype=False)


def test_bytes_that_are_neither_utf8_nor_cp1252_are_read_as_latin1():
    assert read(b"port,note\nHull,\xe9\x81\n")["note"].tolist() == ["é\x81"]


def test_fields_may_hold_separators_quotes_and_line_ends():
    rows = read(b'port,note\nHull,"a, b; c"\nLeith,"he said ""no""\nand left"\n')
    assert rows["note"].tolist() == ["a, b; c", 'he said "no"\nand left']


def test_the_separator_is_the_one_that_fits_the_lines_not_the_one_seen_most():
    rows = read(b"port;height, m;note\nHull;1,5;a,b,c,d\nLeith;2,5;e,f\n")
    assert rows.iloc[0].tolist() == ["Hull", 1.5, "a,b,c,d"]


def test_one_column_needs_no_separator():
    assert read(b"height\n1.5\n2\n")["height"].tolist() == [1.5, 2.0]


def test_blanks_and_na_are_nan():
    assert read(b"port,height\nHull,\nLeith,NA\nDover,1.5\n")["height"].isna().tolist() == [True, True, False]


def test_thousands_points_stay_text_rather_than_becoming_a_wrong_number():
    assert read(b"a;b\n1.234,5;x\n")["a"].tolist() == ["1.234,5"]


def test_a_column_without_a_name_is_called_by_its_place():
    assert list(read(b",height,\n0,1.5,\n")) == ["column_1", "height", "column_3"]


HEIGHTS = st.floats(-1e9, 1e9).filter(lambda height: height == 0 or abs(height) > 1e-9)


@given(st.lists(st.tuples(HEIGHTS, st.integers(-(2**53), 2**53)), min_size=1))
def test_what_pandas_wrote_comes_back_in_any_of_the_forms(values):
    rows = pd.DataFrame(values, columns=["height", "ships"])
    for form in ({"sep": ","}, {"sep": ";", "decimal": ","}, {"sep": "\t"}):
        back = read(rows.to_csv(index=False, **form).encode())
        np.testing.assert_allclose(back, rows, rtol=1e-12)  # before 3.1, pandas may miss the last digit


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_a_refusal_in_one_sentence(body):
    try:
        rows = read(body)
    except SourceError as refused:
        assert str(refused).startswith("https://example.org/tides.csv ")
    else:
        assert len(rows.columns) >= 1


FORMS = st.sampled_from(
    [{}, {"lineterminator": "\n", "quoting": csv.QUOTE_ALL}, {"lineterminator": "\r", "quoting": 1}]
)
CELLS = st.text("xé0.,;\t|\"' \n\r", max_size=8).map(lambda text: f"x{text}".strip())


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1), st.sampled_from(",;\t|"), FORMS)
def test_any_text_that_a_csv_writer_wrote_comes_back_whole(cells, separator, form):
    written = io.StringIO()
    csv.writer(written, delimiter=separator, **form).writerows([("port", "note"), *cells])
    back = read(written.getvalue().encode())
    assert list(back.itertuples(index=False, name=None)) == cells


NO_TEXT = "is not a text file: save it as CSV (UTF-8), also from Excel, and give that"
NO_CSV = "is a web page or JSON: give the place of the CSV file itself"
NO_NAMES = "has no names in its first line: put one there for each column"
ROWS = ": give a file with a header and rows"
STRAY = ": look there for a missing or stray '{}'"
QUOTE = ": look for a quote left open"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is empty" + ROWS),
        (b"\xef\xbb\xbf \n\n", "is empty" + ROWS),
        (b"port,height\n", "has a header but no rows" + ROWS),
        (b"port,height\n,\n\n", "has a header but no rows" + ROWS),
        (b"port,height\nHull,1\nLeith,2,3\n", "has 3 fields in line 3, 2 in its header" + STRAY.format(",")),
        (b"port,height\nHull,1\n\nLeith\n", "has 1 fields in line 4, 2 in its header" + STRAY.format(",")),
        (b"port;height\nHull;1;\n", "has 3 fields in line 2, 2 in its header" + STRAY.format(";")),
        (b'port,height\n"Hull,1\nLeith,2\n', "is broken near line 3 (unexpected end of data)" + QUOTE),
        (b'port,height\n"Hu"ll,1\n', "is broken near line 2 (',' expected after '\"')" + QUOTE),
        (b"1.5,2.5,setosa\n1.5,2.5,setosa\n", NO_NAMES),
        (b",,\n1,2,x\n", NO_NAMES),
        (b"a,A (m)\n1,2\n", "has two columns 'a': rename or remove one"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", NO_TEXT),
        (b"PK\x03\x04\x14\x00", NO_TEXT),
        (b"\x1f\x8b\x08\x00tides", NO_TEXT),
        (b"a,b\n1,2\n\x00", NO_TEXT),
        (b"\xff\xfea\x00,", NO_TEXT),
        (b" <!DOCTYPE html>\n<p>", NO_CSV),
        (b'{"status": "error", "data": "x"}', NO_CSV),
        (b'[\n {"a": 1}]', NO_CSV),
    ],
)
def test_what_is_no_table_is_refused_with_one_sentence(body, said):
    assert refusal(body) == said


def test_a_quote_left_open_in_a_long_file_is_found():
    body = b'port,height\n"Hull,1\n' + b"Leith,2\n" * 20_000
    assert "look for a quote left open" in refusal(body)


def test_a_file_of_exactly_the_limit_is_read_and_one_byte_more_is_not(tmp_path):
    body = b"a,b\n1,2\n"
    (tmp_path / "t.csv").write_bytes(body)
    assert len(read_table(str(tmp_path / "t.csv"), OneFile(), limit_mb=8e-6)) == 1
    with pytest.raises(SourceError, match=r"t.csv' is larger than 7e-06 MB: give a smaller part of it"):
        read_table(str(tmp_path / "t.csv"), OneFile(), limit_mb=7e-6)
    assert refusal(body, limit_mb=7e-6).startswith("is larger than")


# --- where a file may be -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tides.csv", "my tides (2).csv", "höhe?.csv", "a\nb.csv", "-x", "100%.csv", "http:"])
def test_a_file_of_any_name_is_read(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(b"a,b\n1,2\n")
    web = OneFile()
    assert read_table(name, web).to_dict("records") == [{"a": 1, "b": 2}]
    assert web.asked == []


@pytest.mark.parametrize(
    "name", ["no.csv", "a\nb\x1b[31m.csv", "\x00", "x" * 5000, "no/such/folder/t.csv", "\udc80.csv"]
)
def test_a_file_that_is_not_there_is_named_on_one_line(name):
    with pytest.raises(SourceError) as failure:
        read_table(name, OneFile())
    assert repr(name) in str(failure.value)
    assert "check" in str(failure.value)
    assert str(failure.value).isprintable()


@pytest.mark.parametrize("name", ["", ".", "folder"])
def test_a_folder_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(SourceError, match=f"^'{name}' is a folder: name one file in it$"):
        read_table(name, OneFile())


def test_a_pipe_is_refused_rather_than_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="check the path"):
        read_table(str(tmp_path / "pipe"), OneFile())


@pytest.mark.parametrize("scheme", ["http", "https", "HTTPS"])
def test_an_address_is_asked_as_it_is(scheme):
    web = OneFile(b"a,b\n1,2\n")
    assert len(read_table(f"{scheme}://example.org/t.csv?token=s3cret", web)) == 1
    assert web.asked == [f"{scheme}://example.org/t.csv?token=s3cret"]


@pytest.mark.parametrize("source", ["ftp://me:s3cret@example.org/t.csv", "s3://example.org/t.csv?key=s3cret"])
def test_other_kinds_of_address_are_refused_without_their_secrets(source):
    with pytest.raises(SourceError, match=r"://example.org/t.csv cannot be read: give a path or an http") as failure:
        read_table(source, OneFile())
    assert "s3cret" not in str(failure.value)


def test_a_refused_address_is_named_without_its_query():
    with pytest.raises(SourceError, match=r"^https://example.org/t.csv is empty") as failure:
        read_table("https://example.org/t.csv?token=s3cret#x", OneFile(b""))
    assert "s3cret" not in str(failure.value)


def test_the_demo_worlds_iris_file_is_read_by_its_address():
    with closing(HttpWeb(DemoTransport(SIMULATORS))) as web:
        rows = read_table("https://raw.githubusercontent.com/mwaskom/seaborn-data/master/iris.csv", web)
        with pytest.raises(WebError, match="ALMANAC_WORLD=live"):
            read_table("https://raw.githubusercontent.com/mwaskom/seaborn-data/master/tips.csv", web)
    assert rows.shape == (150, 5)
    assert rows.dtypes.iloc[:4].tolist() == [np.dtype("float64")] * 4


# --- picking columns -----------------------------------------------------------------------------------------------

WANTED = {"port": ("harbour",), "height": ("level", "tide_m")}


@pytest.mark.parametrize(
    "header",
    ["port,height", "Harbour,LEVEL", "x,height (m),port", "Tide M,harbour", "TideM,Har_bour", "tide.m,har bour"],
)
def test_columns_are_found_by_name_or_synonym_and_come_as_wanted(header):
    width = header.count(",") + 1
    picked = pick(read(f"{header}\n{','.join('123'[:width])}\n".encode()), WANTED, "tides.csv")
    assert list(picked.columns) == ["port", "height"]


def test_a_name_goes_before_its_synonyms_and_those_in_order():
    table = pd.DataFrame({"tide_m": [3], "level": [2], "height": [1], "port": ["Hull"]})
    assert pick(table, WANTED, "tides.csv")["height"].tolist() == [1]
    assert pick(table.drop(columns="height"), WANTED, "tides.csv")["height"].tolist() == [2]


def test_of_two_columns_alike_the_first_is_taken():
    table = pd.DataFrame({"port": ["Hull"], "tidem": [1], "tide_m": [2]})
    assert pick(table, WANTED, "tides.csv")["height"].tolist() == [1]


def test_missing_columns_are_named_with_those_there_and_without_secrets():
    table = pd.DataFrame({"harbor": ["Hull"], "depth": [1.5]})
    with pytest.raises(SourceError) as failure:
        pick(table, WANTED, "https://me:s3cret@example.org/t.csv?token=s3cret")
    message = "https://example.org/t.csv has no column port, height, but harbor, depth: rename those that fit"
    assert str(failure.value) == message


def test_picking_leaves_the_table_as_it_was():
    table = pd.DataFrame({"harbour": ["Hull"], "level": [1.5]})
    picked = pick(table, WANTED, "tides.csv")
    picked.loc[0, "height"] = 9.0
    assert table.to_dict("records") == [{"harbour": "Hull", "level": 1.5}]


@given(st.text(max_size=30))
def test_a_plain_name_is_plain_already(name):
    assert plain_name(plain_name(name)) == plain_name(name)


@given(st.text(max_size=40))
def test_a_source_is_named_on_one_printable_line(source):
    assert name_of(source).isprintable()


# --- sources of several files --------------------------------------------------------------------------------------

TIDE = re.compile(r"(?<![a-z])(ebb|flow)(?![a-z])")


@pytest.fixture
def folder(tmp_path):
    def with_files(*names):
        for name in names:
            (tmp_path / name).write_text("a,b\n1,2\n")
        return tmp_path

    return with_files


def test_of_a_folder_the_files_are_taken_whose_names_hold_a_word(folder):
    there = folder("Ebb-2026.CSV", "tides_flow.csv", "all.csv", "flow.txt", "overflow.csv")
    assert files_of(str(there), TIDE) == [str(there / "Ebb-2026.CSV"), str(there / "tides_flow.csv")]


def test_of_a_folder_without_such_names_the_only_csv_is_taken(folder):
    there = folder("tides.csv", "readme.txt")
    (there / "ebb.csv").mkdir()
    assert files_of(str(there), TIDE) == [str(there / "tides.csv")]


@pytest.mark.parametrize(
    "names", [("a.csv", "b.csv"), ("ebb.csv", "old-ebb.csv", "flow.csv"), ("ebb-flow.csv", "tides.csv")]
)
def test_a_folder_that_leaves_open_which_files_are_meant_is_refused_with_a_list(folder, names):
    with pytest.raises(SourceError, match=f"holds {', '.join(sorted(names))}: name the files that you mean"):
        files_of(str(folder(*names)), TIDE)


def test_a_folder_without_a_csv_is_refused(folder):
    with pytest.raises(SourceError, match="holds no CSV file: give another folder, or a file"):
        files_of(str(folder("ebb.txt")), TIDE)


def test_paths_addresses_and_folders_may_be_joined_by_commas(folder):
    there = folder("tides.csv")
    places = files_of(f"https://example.org/ebb.csv?key=1, {there} ,no.csv,", TIDE)
    assert places == ["https://example.org/ebb.csv?key=1", str(there / "tides.csv"), "no.csv"]


def test_a_path_that_holds_a_comma_is_one(folder):
    there = folder("ebb, flow.csv")
    assert parts_of(str(there / "ebb, flow.csv")) == [str(there / "ebb, flow.csv")]


@pytest.mark.parametrize("name", ["x" * 5000, "\x00", "\udc80"])
def test_a_name_that_no_file_can_have_is_left_for_the_reader_to_refuse(name):
    assert files_of(name, TIDE) == [name]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("a/EBB.csv", "ebb"),
        ("flow/x.csv", ""),
        ("ebb_and_flow.csv", ""),
        ("https://x.org/ebb.csv?flow", "ebb"),
        ("", ""),
    ],
)
def test_a_word_counts_where_the_files_name_holds_it_and_no_other(place, said):
    assert word_in(place, TIDE) == said


def test_a_prefix_tells_places_apart_and_is_the_same_however_the_place_is_written(folder, monkeypatch):
    there = folder("tides.csv")
    monkeypatch.chdir(there)
    one = prefix_of("tides.csv")
    assert re.fullmatch(r"tides-[0-9a-f]{4}", one)
    assert prefix_of(str(there / "tides.csv")) == prefix_of(f"../{there.name}/tides.csv") == one
    assert prefix_of("other/tides.csv") != one
    assert re.fullmatch(r"tides-flow-[0-9a-f]{4}", prefix_of("tides.csv", "flow.csv"))


def test_a_prefix_of_an_address_depends_on_no_secret():
    prefix = prefix_of("https://example.org/t.csv")
    assert prefix_of("https://me:s3cret@example.org/t.csv?token=s3cret") == prefix
