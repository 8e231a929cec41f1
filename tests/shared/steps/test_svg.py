"""Pictures of values by day are well-formed, to scale, honest about gaps, and escape what they are given."""

from datetime import date, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.steps.svg import Axes, band, dots, level, line, picture, runs, steps

FIRST = date(2026, 1, 1)
AXES = Axes(FIRST, date(2026, 1, 10), 50.0, "µg/m³")


def day(number):
    return FIRST + timedelta(days=number)


def rects(*layers):
    return [rect.attrib for rect in ElementTree.fromstring(f"<g>{''.join(layers)}</g>").iter("rect")]


def test_a_later_day_lies_further_right_and_a_higher_value_further_up():
    assert AXES.x(day(0)) < AXES.x(day(1)) < AXES.x(day(9)) < AXES.width
    assert 0 < AXES.y(50) < AXES.y(20) < AXES.y(0) < AXES.height


def test_what_lies_beyond_the_top_is_drawn_at_the_top():
    assert AXES.y(1e9) == AXES.y(50)


def test_levels_that_meet_leave_no_gap():
    one, other = rects(level(AXES, 0, 9.1, "#0f0", "Good"), level(AXES, 9.1, 35.5, "#ff0", "Moderate"))
    assert float(other["y"]) + float(other["height"]) == pytest.approx(float(one["y"]), abs=0.1)


def test_a_level_above_the_top_is_not_drawn():
    assert level(AXES, 50.0, 90.0, "#f00", "Unhealthy") == ""


def test_a_missing_day_parts_the_line_and_the_band():
    values = [(day(0), 1.0), (day(1), 2.0), (day(4), 3.0), (day(5), 4.0)]
    assert line(AXES, values, "said").count("M") == 2
    assert band(AXES, [(when, value, value + 1) for when, value in values], "range").count("Z") == 2


def test_no_rows_make_an_empty_layer():
    assert 'd=""' in line(AXES, [], "said")
    assert 'd=""' in band(AXES, [], "range")
    assert dots(AXES, [], "own") == ""


def test_a_picture_has_a_title_and_a_description_and_escapes_them():
    drawn = ElementTree.fromstring(picture(AXES, "one", "<script>", "a & b", [dots(AXES, [(day(2), 7.0)], "own")]))
    assert drawn.attrib["role"] == "img"
    assert drawn.attrib["aria-labelledby"] == "one-title one-about"
    assert [drawn.find("title").text, drawn.find("desc").text] == ["<script>", "a & b"]
    assert drawn.find("circle/title").text == "2026-01-03: 7.0 µg/m³"


def test_a_picture_of_one_day_and_one_of_years_have_a_few_labels():
    for last in (FIRST, date(2029, 1, 1)):
        drawn = ElementTree.fromstring(picture(Axes(FIRST, last, 12, "m"), "one", "", "", []))
        assert 4 <= len(drawn.findall("text")) <= 14


@given(st.floats(0.1, 1e6), st.integers(3, 12))
def test_steps_are_round_even_and_few(top, most):
    found = steps(top, most)
    assert found[0] == 0
    assert 2 <= len(found) <= most + 1
    assert found[-1] <= top * (1 + 1e-9)


@given(st.sets(st.integers(0, 60)))
def test_runs_keep_every_row_once_in_order(numbers):
    rows = [(day(number), float(number)) for number in sorted(numbers)]
    parts = [*runs(rows)]
    assert [row for part in parts for row in part] == rows
    assert all(parts)
