"""What is said of a wine: doubts in whole sentences, and a change that a reader could make."""

from pathlib import Path

import pandas as pd
import pytest

from shared.pages.tasting import doubts, figures, rounded, rule, with_value
from shared.ports import ModelVersion
from shared.systems.wine.tables import MEASURES

WINE = dict(zip(MEASURES, (7.9, 0.52, 0.26, 2.2, 0.079, 14.0, 38.0, 0.9967, 3.31, 0.62, 10.2), strict=True))
RANGES = {"red": {name: [value / 2, value, value * 2] for name, value in WINE.items()}}
MODEL = ModelVersion("wine", Path(), {"mae": 0.523}, {"ranges": RANGES, "link": {"stretch": 1.45}}, version=3)


def wine(colour="red", **changes):
    return pd.DataFrame([{"colour": colour, **WINE, **changes}])


def test_a_wine_like_those_learned_from_raises_no_doubt():
    assert doubts(MODEL, wine()) == []


def test_each_doubt_is_a_sentence_and_the_worst_comes_first():
    said = doubts(MODEL, wine(free_sulfur_dioxide=90.0, alcohol=21.0))
    assert [one.split(" (")[0].split(" is ")[0] for one in said] == [
        "Free sulfur dioxide",
        "Free sulfur dioxide 90 mg/L",
        "Alcohol 21 % vol",
    ]
    assert "(90 mg/L) is a part of the total (38 mg/L) and cannot be more" in said[0]


def test_a_colour_that_the_model_never_saw_is_a_doubt():
    assert doubts(MODEL, wine("white")) == ["The model learned from no white wines: do not believe the answer."]


def test_the_figures_say_how_far_off_the_model_usually_is():
    said = figures(MODEL, pd.Series({"grade": 6, "quality": 5.834, "low": 4.61, "high": 7.04}))
    for shown in (">6<", ">5.83<", ">4.6–7.0<", "off by 0.52 on average", "tasters gave 3 to 9"):
        assert shown in said


def test_the_rule_that_rounds_is_stated_with_its_factor():
    assert "taken 1.45 times as far from the mean grade" in rule(MODEL)


@pytest.mark.parametrize(("value", "shown"), [(0.99455, "0.99455"), (1.00125, "1.00125"), (440.0, "440"), (9.5, "9.5")])
def test_a_measure_is_shown_in_the_digits_it_has(value, shown):
    assert rounded(value) == shown


def test_an_input_is_named_with_its_value_and_unit():
    assert with_value("colour", "red") == "Colour: red"
    assert with_value("ph", 3.31) == "pH: 3.31"
    assert with_value("alcohol", 10.2) == "Alcohol: 10.2 % vol"
