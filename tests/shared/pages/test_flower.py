"""The drawing of a flower is to scale."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.pages.flower import OTHER, REACH_CM, SIZE, draw_flower, leaf_outline

SETOSA = {"sepal_length": 5.0, "sepal_width": 3.4, "petal_length": 1.5, "petal_width": 0.2}
CM = st.floats(0.1, 30)


def extent(path):
    """Return the width and length of an outline, sampled along its two cubic curves."""
    points = [float(number) for number in re.findall(r"-?\d+\.?\d*", path)]
    pairs = list(zip(points[0::2], points[1::2], strict=True))
    curves = [pairs[0:4], pairs[3:7]]
    steps = [step / 500 for step in range(501)]
    weights = [((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3) for t in steps]
    drawn = [
        [sum(w * pair[axis] for w, pair in zip(weight, curve, strict=True)) for axis in (0, 1)]
        for curve in curves
        for weight in weights
    ]
    spans = [max(one[axis] for one in drawn) - min(one[axis] for one in drawn) for axis in (0, 1)]
    return spans[0], spans[1]


@given(st.floats(5, 150), st.floats(5, 150))
def test_a_leaf_is_as_long_and_as_wide_as_measured(length, width):
    drawn_width, drawn_length = extent(leaf_outline(length, width))
    assert drawn_width == pytest.approx(width, abs=0.25)
    assert drawn_length == pytest.approx(length, abs=0.25)


def drawing(measures, variety="setosa"):
    return ElementTree.fromstring(draw_flower(measures, variety))


def test_a_flower_has_three_sepals_and_three_petals():
    leaves = [path.get("class") for path in drawing(SETOSA).iter("path") if path.get("class")]
    assert (leaves.count("al-sepal"), leaves.count("al-petal")) == (3, 3)


def test_the_scale_bar_is_one_centimetre_long():
    bar = drawing(SETOSA).find(".//g/path").get("d")
    assert float(bar.split("h")[1]) == pytest.approx(SIZE / 2 / REACH_CM, abs=0.05)


def test_flowers_of_usual_size_share_one_scale_so_that_they_compare_by_eye():
    larger = {**SETOSA, "sepal_length": 7.0}
    assert drawing(SETOSA).find(".//g/path").get("d") == drawing(larger).find(".//g/path").get("d")


@given(st.fixed_dictionaries(dict.fromkeys(SETOSA, CM)))
def test_every_flower_that_may_be_measured_fits_into_the_picture(measures):
    for path in drawing(measures).iter("path"):
        if path.get("class"):
            assert extent(path.get("d"))[1] <= SIZE / 2


def test_each_variety_has_its_own_colour_and_an_unknown_one_is_grey():
    fills = [drawing(SETOSA, name).find("svg").get("fill") for name in ("setosa", "versicolor", "virginica", "?")]
    assert len({*fills}) == 4
    assert fills[3] == OTHER


def test_who_cannot_see_the_drawing_is_told_what_it_shows():
    assert drawing(SETOSA).find("svg").get("aria-label") == "Drawing of an iris setosa"
    assert "sepals 5.0 × 3.4 cm, petals 1.5 × 0.2 cm" in draw_flower(SETOSA, "setosa")
