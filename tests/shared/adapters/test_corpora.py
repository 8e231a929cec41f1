"""What every Corpora must do, and what fetched files go through."""

import hashlib
import io
import os
import sys
from pathlib import Path

import pandas as pd
import pytest

from shared.adapters.corpora import FINETOME, WINE_COLUMNS, WINE_FOLDER, BundledCorpora, PublicCorpora
from shared.adapters.demo import DemoTransport, parse_faults
from shared.adapters.simulators import SIMULATORS
from shared.adapters.web import HttpWeb
from shared.connect import open_platform
from shared.errors import BackendError, MissingExtraError, SourceError, WebError
from shared.ports import Answer

HEADER = ";".join(f'"{name}"' for name in WINE_COLUMNS)
RED = f"{HEADER}\n7.4;0.7;0;1.9;0.076;11;34;0.9978;3.51;0.56;9.53333333333333;5\n".encode()
SWEET, DRY = "7;0.27;0.36;20.7;0.045;45;170;1.001;3;0.45;8.8;6", "8.1;.28;.4;6.9;.05;30;97;.9951;3.26;.44;10;6"
WHITE = f"{HEADER}\n{SWEET}\n{DRY}\n".encode()
SHA256 = {"red": hashlib.sha256(RED).hexdigest(), "white": hashlib.sha256(WHITE).hexdigest()}


class Archive:
    """A web that holds the two files, counts how often it is asked, and may be down."""

    def __init__(self, red=RED, white=WHITE):
        self.files = {f"{WINE_FOLDER}/winequality-red.csv": red, f"{WINE_FOLDER}/winequality-white.csv": white}
        self.asked, self.down = 0, False

    def get(self, url, params=None, headers=None):
        self.asked += 1
        if self.down:
            raise WebError("archive.ics.uci.edu could not be reached")
        return Answer(url, 200, self.files[url])


@pytest.fixture(params=["bundled", "public", "demo"])
def corpora(request):
    return {
        "bundled": BundledCorpora,
        "public": lambda: PublicCorpora(Archive()),
        "demo": lambda: PublicCorpora(HttpWeb(DemoTransport(SIMULATORS))),
    }[request.param]()


@pytest.fixture
def archive():
    return Archive()


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "corpora"


@pytest.fixture
def live(archive, cache):
    return PublicCorpora(archive, cache, SHA256)


def test_iris_is_fishers_150_flowers_50_of_each_variety(corpora):
    flowers = corpora.read("iris")
    assert list(flowers.columns) == ["sepal_length", "sepal_width", "petal_length", "petal_width", "variety"]
    assert flowers["variety"].value_counts().to_dict() == {"setosa": 50, "versicolor": 50, "virginica": 50}


def test_iris_measures_are_in_cm_under_the_right_names(corpora):
    means = (
        corpora.read("iris").groupby("variety")[["sepal_length", "sepal_width", "petal_length", "petal_width"]].mean()
    )
    assert means.loc["setosa"].tolist() == pytest.approx([5.006, 3.428, 1.462, 0.246])
    assert means.loc["virginica"].tolist() == pytest.approx([6.588, 2.974, 5.552, 2.026])


def test_iris_measures_are_floats_and_its_variety_is_text(corpora):
    flowers = corpora.read("iris")
    assert (flowers.dtypes.iloc[:4] == "float64").all()
    assert all(type(variety) is str for variety in flowers["variety"])
    assert not flowers.isna().to_numpy().any()


def test_a_caller_may_change_what_was_read_without_changing_the_next_reading(corpora):
    first = corpora.read("iris")
    first.loc[:, "sepal_length"] = 0.0
    assert corpora.read("iris")["sepal_length"].min() == 4.3


def test_two_readings_are_equal(corpora):
    pd.testing.assert_frame_equal(corpora.read("iris"), corpora.read("iris"))


@pytest.mark.parametrize("name", ["cheese", "", "IRIS", "../iris"])
def test_an_unknown_name_is_an_error_that_lists_what_there_is(corpora, name):
    with pytest.raises(SourceError, match="there is iris"):
        corpora.read(name)


def test_without_scikit_learn_the_error_names_the_extra(corpora, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'almanac\[train\]'"):
        corpora.read("iris")


# --- wine ----------------------------------------------------------------------------------------------------------


def test_wine_is_read_under_our_names_red_first(live):
    wines = live.read("wine")
    assert list(wines.columns) == ["colour", *WINE_COLUMNS.values()]
    assert wines["colour"].tolist() == ["red", "white", "white"]
    assert wines["grade"].tolist() == [5, 6, 6]
    assert wines["alcohol"].tolist() == [9.53333333333333, 8.8, 10.0]
    assert wines["total_sulfur_dioxide"].tolist() == [34.0, 170.0, 97.0]
    assert wines.dtypes.iloc[1:].astype(str).tolist() == ["float64"] * 11 + ["int64"]


def test_what_is_whole_in_the_cache_is_not_fetched_again(live, archive, cache):
    first = live.read("wine")
    archive.down = True
    pd.testing.assert_frame_equal(live.read("wine"), first)
    assert archive.asked == 2
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == {
        "winequality-red.csv": RED,
        "winequality-white.csv": WHITE,
    }


@pytest.mark.parametrize("damaged", [RED[: len(RED) // 2], b"", RED + b"\n", b"<html>"])
def test_a_damaged_file_in_the_cache_is_fetched_again_and_the_other_is_not(live, archive, cache, damaged):
    first = live.read("wine")
    (cache / "winequality-red.csv").write_bytes(damaged)
    pd.testing.assert_frame_equal(live.read("wine"), first)
    assert archive.asked == 3
    assert (cache / "winequality-red.csv").read_bytes() == RED


def test_an_archive_that_is_down_leaves_nothing_and_is_asked_again_the_next_time(live, archive, cache):
    archive.down = True
    with pytest.raises(WebError, match="could not be reached"):
        live.read("wine")
    assert not cache.exists()
    archive.down = False
    assert len(live.read("wine")) == 3


@pytest.mark.parametrize(
    "body", [RED.replace(b"7.4", b"7.5"), RED[:-20], b"<html>Moved</html>", b"", b'{"error": true}']
)
def test_a_file_whose_hash_differs_is_refused_with_what_to_do_and_not_kept(cache, body):
    with pytest.raises(SourceError, match=r"winequality-red.csv .*sha256 differs.*again later.*--source"):
        PublicCorpora(Archive(red=body), cache, SHA256).read("wine")
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_says_so(archive, tmp_path):
    (tmp_path / "a file").write_text("")
    with pytest.raises(BackendError, match="check its rights and the free space"):
        PublicCorpora(archive, tmp_path / "a file", SHA256).read("wine")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Moved</html>",
        b"",
        b'{"status": "error"}',
        b"\xff\xfe\x00",
        b'"pH";"quality"\n3;5\n',
        RED[:-2],
        RED + b"a;b",
    ],
)
def test_a_simulated_answer_that_is_no_table_of_wines_is_refused(body):
    with pytest.raises(WebError, match="winequality-red.csv answered something that is not its table of wines"):
        PublicCorpora(Archive(red=body)).read("wine")


def test_the_demo_worlds_wines_are_simulated_and_not_kept(platform, tmp_path):
    wines = platform.corpora.read("wine")
    assert wines["colour"].value_counts().to_dict() == {"white": 980, "red": 320}
    assert not list(tmp_path.rglob("winequality*"))


def test_the_demo_worlds_archive_can_be_down_and_come_back(monkeypatch):
    monkeypatch.setenv("ALMANAC_FAULTS", "archive.ics.uci.edu=error_in_200:1")
    corpora = open_platform().corpora
    with pytest.raises(WebError, match="not its table of wines"):
        corpora.read("wine")
    assert len(corpora.read("wine")) == 1300


def test_ucis_own_files_are_the_ones_that_are_checked(cache):
    folder = os.environ.get("ALMANAC_TEST_DATA")
    if not folder:
        pytest.skip("ALMANAC_TEST_DATA names no folder with UCI's wine files")
    bodies = [(Path(folder) / "wine" / f"winequality-{colour}.csv").read_bytes() for colour in ("red", "white")]
    wines = PublicCorpora(Archive(*bodies), cache).read("wine")
    assert wines["colour"].value_counts().to_dict() == {"white": 4898, "red": 1599}
    assert wines.duplicated().sum() == 1177
    assert wines.iloc[0].tolist() == ["red", 7.4, 0.7, 0.0, 1.9, 0.076, 11.0, 34.0, 0.9978, 3.51, 0.56, 9.4, 5]


# --- FineTome and RecipeNLG ----------------------------------------------------------------------------------------


TURNS = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]


def parquet(**columns):
    written = io.BytesIO()
    pd.DataFrame(columns).to_parquet(written)
    return written.getvalue()


FILE = parquet(score=[5.2], conversations=[TURNS], source=["a"], more=[1])


class Hub:
    """A web that holds one file, and counts how often it is asked."""

    def __init__(self, body):
        self.body, self.asked = body, 0

    def get(self, url, params=None, headers=None):
        assert url == FINETOME
        self.asked += 1
        return Answer(url, 200, self.body)


def test_finetome_is_fetched_once_and_its_turns_are_lists(cache):
    hub = Hub(FILE)
    first = PublicCorpora(hub, cache).read("finetome")
    assert first.to_dict("records") == [{"conversations": TURNS, "source": "a", "score": 5.2}]
    pd.testing.assert_frame_equal(PublicCorpora(hub, cache).read("finetome"), first)
    assert hub.asked == 1


@pytest.mark.parametrize("damaged", [FILE[: len(FILE) // 2], b"", b"<html>", parquet(conversations=[TURNS])])
def test_a_damaged_finetome_in_the_cache_is_fetched_again_and_one_from_the_web_refused(cache, damaged):
    PublicCorpora(Hub(FILE), cache).read("finetome")
    (cache / "finetome.parquet").write_bytes(damaged)
    assert len(PublicCorpora(Hub(FILE), cache).read("finetome")) == 1
    assert (cache / "finetome.parquet").read_bytes() == FILE
    (cache / "finetome.parquet").unlink()
    with pytest.raises(WebError, match=r"no Parquet file with conversations, source, score.*--source"):
        PublicCorpora(Hub(damaged), cache).read("finetome")
    assert not [*cache.iterdir()]


def test_the_demo_worlds_finetome_is_not_kept(platform, tmp_path):
    assert len(platform.corpora.read("finetome")) > 4000
    assert not [*tmp_path.rglob("finetome*")]


def test_a_finetome_that_broke_off_leaves_a_sentence():
    web = HttpWeb(DemoTransport(SIMULATORS, parse_faults("huggingface.co=truncated")), sleep=lambda _: None)
    with pytest.raises(WebError, match="huggingface.co"):
        PublicCorpora(web).read("finetome")


def test_recipes_are_simulated_in_the_demo_world_and_elsewhere_a_person_is_told_where_to_ask(platform, cache):
    assert [*platform.corpora.read("recipes").columns] == ["title", "ingredients", "directions"]
    with pytest.raises(SourceError, match=r"https://recipenlg.cs.put.poznan.pl, and give .* with --source"):
        PublicCorpora(Hub(FILE), cache).read("recipes")


@pytest.mark.parametrize("kind", ["empty", "error_in_200"])
def test_simulated_recipes_that_are_no_table_are_refused(kind):
    faults = parse_faults(f"recipenlg.cs.put.poznan.pl={kind}")
    with pytest.raises(WebError, match="no table of recipes"):
        PublicCorpora(HttpWeb(DemoTransport(SIMULATORS, faults), sleep=lambda _: None)).read("recipes")
