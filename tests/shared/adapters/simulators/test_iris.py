"""The simulated flowers: seaborn's file in format, means and spreads."""

import io
import re

import httpx
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.demo import DemoTransport
from shared.adapters.simulators import SIMULATORS
from shared.adapters.simulators.iris import FLOWERS, simulated_iris
from shared.adapters.web import HttpWeb

IRIS = "https://raw.githubusercontent.com/mwaskom/seaborn-data/master/iris.csv"


def flowers(seed):
    text = simulated_iris(seed)(httpx.Request("GET", IRIS)).text
    return text, pd.read_csv(io.StringIO(text))


def test_the_simulated_iris_file_is_served_at_seaborns_address():
    body = HttpWeb(DemoTransport(SIMULATORS)).get(IRIS).body.decode()
    assert body.splitlines()[0] == "sepal_length,sepal_width,petal_length,petal_width,species"
    assert body == flowers(seed=0)[0]


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_every_seed_gives_150_flowers_in_the_real_format(seed):
    text, rows = flowers(seed)
    assert text.endswith("\n")
    pattern = re.compile(r"(\d\.\d,){4}(setosa|versicolor|virginica)")
    assert all(pattern.fullmatch(line) for line in text.splitlines()[1:])
    assert rows["species"].tolist() == ["setosa"] * 50 + ["versicolor"] * 50 + ["virginica"] * 50
    assert rows.iloc[:, :4].to_numpy().min() > 0


def test_the_same_seed_draws_the_same_flowers_and_another_seed_others():
    assert flowers(seed=3)[0] == flowers(seed=3)[0]
    assert flowers(seed=3)[0] != flowers(seed=4)[0]


def test_simulated_flowers_have_the_means_and_spreads_of_the_real_ones():
    rows = pd.concat([flowers(seed)[1] for seed in range(40)])  # 2000 a species: standard error about 0.01 cm
    for species, (mean, deviation) in FLOWERS.items():
        drawn = rows[rows["species"] == species].iloc[:, :4]
        assert drawn.mean().tolist() == pytest.approx(mean, abs=0.05)
        assert drawn.std().tolist() == pytest.approx(deviation, abs=0.05)
        assert drawn["sepal_length"].corr(drawn["petal_length"]) > 0.5
