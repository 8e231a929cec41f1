"""What every Corpora must do."""

import sys

import pandas as pd
import pytest

from shared.adapters.corpora import BundledCorpora
from shared.errors import MissingExtraError, SourceError


@pytest.fixture(params=[BundledCorpora])
def corpora(request):
    return request.param()


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


@pytest.mark.parametrize("name", ["wine", "", "IRIS", "../iris"])
def test_an_unknown_name_is_an_error_that_lists_what_there_is(corpora, name):
    with pytest.raises(SourceError, match="there is iris"):
        corpora.read(name)


def test_without_scikit_learn_the_error_names_the_extra(corpora, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'almanac\[train\]'"):
        corpora.read("iris")
