"""The simulated wines: UCI's format, the law they were drawn from, and what a model can find of it."""

import io
import re

import httpx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.demo import DemoTransport, Fault
from shared.adapters.simulators import SIMULATORS
from shared.adapters.simulators.wine import DECIMALS, DRAWN, FOLDER, LAWS, simulated_wine
from shared.adapters.web import HttpWeb
from shared.errors import WebError

HEADER = (
    '"fixed acidity";"volatile acidity";"citric acid";"residual sugar";"chlorides";"free sulfur dioxide";'
    '"total sulfur dioxide";"density";"pH";"sulphates";"alcohol";"quality"'
)
COLOURS = ("red", "white")


def address(colour):
    return f"https://archive.ics.uci.edu{FOLDER}/winequality-{colour}.csv"


def text(colour, seed=0):
    return simulated_wine(seed)(httpx.Request("GET", address(colour))).text


def wines(colour, seed=0):
    return pd.read_csv(io.StringIO(text(colour, seed)), sep=";")


@pytest.fixture(scope="module")
def many():
    """Thirty seeds of each colour: some 4,800 red and 14,700 white wines, without the copies."""
    return {colour: pd.concat([wines(colour, seed).drop_duplicates() for seed in range(30)]) for colour in COLOURS}


@pytest.mark.parametrize(("colour", "rows"), [("red", 320), ("white", 980)])
def test_ucis_files_are_served_at_ucis_address(colour, rows):
    body = HttpWeb(DemoTransport(SIMULATORS)).get(address(colour)).body.decode()
    assert body == text(colour)
    assert body.splitlines()[0] == HEADER
    assert len(body.splitlines()) == rows + 1


def test_an_address_beside_them_is_not_part_of_the_demo_world():
    with pytest.raises(WebError, match="not part of the demo world"):
        HttpWeb(DemoTransport(SIMULATORS)).get(f"https://archive.ics.uci.edu{FOLDER}/winequality-rose.csv")


def test_the_archive_can_be_told_to_be_down():
    web = HttpWeb(DemoTransport(SIMULATORS, [Fault("archive.ics.uci.edu", "503", 1)]), attempts=1)
    with pytest.raises(WebError, match="answered 503"):
        web.get(address("red"))
    assert web.get(address("red")).body.startswith(b'"fixed acidity"')


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.sampled_from(COLOURS))
def test_every_seed_gives_wines_that_can_be_in_the_real_format(seed, colour):
    written = text(colour, seed)
    assert written.endswith("\n")
    assert all(re.fullmatch(r"(\d+(\.\d+)?;){11}[3-9]", line) for line in written.splitlines()[1:])
    rows = wines(colour, seed)
    assert (rows["free sulfur dioxide"] <= rows["total sulfur dioxide"]).all()
    assert rows["alcohol"].between(7, 15).all()
    assert rows["density"].between(0.98, 1.03).all()
    assert rows["pH"].between(2.7, 4).all()
    for name, decimals in DECIMALS.items():
        assert rows[name].round(decimals).equals(rows[name])


def test_the_same_seed_draws_the_same_wines_and_another_seed_others():
    assert text("red", 3) == text("red", 3)
    assert text("red", 3) != text("red", 4)
    assert not {*text("red", 3).splitlines()[1:]} & {*text("white", 3).splitlines()[1:]}


@pytest.mark.parametrize("colour", COLOURS)
def test_about_fifteen_in_a_hundred_rows_repeat_the_one_before_them(colour):
    rows = wines(colour)
    assert rows.duplicated().mean() == pytest.approx(0.15, abs=0.01)
    assert (rows[rows.duplicated()].to_numpy() == rows.shift()[rows.duplicated()].to_numpy()).all()


@pytest.mark.parametrize("colour", COLOURS)
def test_a_law_is_one_that_can_be(colour):
    law = LAWS[colour]
    assert len(law.centres) == len(law.spreads) == len(law.effects) == len(DRAWN)
    assert np.linalg.eigvalsh(law.correlation).min() > 0.05


@pytest.mark.parametrize("colour", COLOURS)
def test_measures_have_the_centres_and_spreads_of_the_law(many, colour):
    law, rows = LAWS[colour], many[colour]
    rows = rows.assign(**{"free share": rows["free sulfur dioxide"] / rows["total sulfur dioxide"]})
    for name, centre, spread in zip(DRAWN, law.centres, law.spreads, strict=True):
        assert rows[name].median() == pytest.approx(centre, rel=0.06), name
        if name not in ("citric acid", "pH", "free share"):
            assert np.log(rows[name]).std() == pytest.approx(spread, rel=0.1), name


@pytest.mark.parametrize("colour", COLOURS)
def test_measures_go_together_as_in_wine(many, colour):
    found = many[colour].corr()
    assert found.loc["density", "alcohol"] < -0.4
    assert found.loc["density", "residual sugar"] > 0.2
    assert found.loc["free sulfur dioxide", "total sulfur dioxide"] > 0.4
    assert found.loc["fixed acidity", "pH"] < -0.3
    assert found.loc["alcohol", "quality"] > 0.3
    assert found.loc["volatile acidity", "quality"] < -0.1


@pytest.mark.parametrize("colour", COLOURS)
def test_most_grades_are_five_and_six_and_three_to_nine_are_all(many, colour):
    shares = many[colour]["quality"].value_counts(normalize=True)
    assert shares[[5, 6]].sum() > 0.65
    assert shares.get(3, 0) + shares.get(9, 0) < 0.02
    assert {*shares.index} <= {*range(3, 10)}


@pytest.mark.parametrize("colour", COLOURS)
def test_a_linear_model_explains_a_third_to_a_half_of_the_grades(many, colour):
    """The law's own share is one half, before merit is cut to whole grades."""
    rows = many[colour]
    causes = np.column_stack([np.ones(len(rows)), np.log(rows.drop(columns="quality") + 0.1)])
    slopes, *_ = np.linalg.lstsq(causes, rows["quality"], rcond=None)
    left = rows["quality"] - causes @ slopes
    assert 0.33 < 1 - left.var() / rows["quality"].var() < 0.5
