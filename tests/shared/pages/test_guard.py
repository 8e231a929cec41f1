"""An error is a sentence on the page; what went wrong inside is for the log alone."""

import json
import math
from datetime import date

import gradio as gr
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import NotYetError, UsageError
from shared.pages.guard import SORRY, answered, jsonable, shown, shown_if


def failing(error):
    def fill(*_):
        raise error

    return fill


def test_when_all_is_well_the_notice_is_hidden():
    notice, value = shown(lambda one: [one * 2], [None])(21)
    assert (notice["visible"], value) == (False, 42)


def test_an_error_of_ours_is_told_as_a_sentence_and_the_rest_takes_its_place():
    notice, value = shown(failing(UsageError("2026-13-01 is not a date; write it as 2026-11-20")), ["otherwise"])()
    assert notice["visible"]
    assert "2026-13-01 is not a date; write it as 2026-11-20." in notice["value"]
    assert value == "otherwise"


def test_what_is_missing_names_the_command_that_makes_it():
    notice, _ = shown(failing(NotYetError("no version serves yet; run `almanac run iris train`")), [None])()
    assert "<code>almanac day</code>" in notice["value"]
    assert "<code>almanac run iris train</code>" in notice["value"]


def test_an_unexpected_error_is_logged_and_its_text_stays_inside(caplog):
    notice, _ = shown(failing(RuntimeError("the password is 1234")), [None])()
    assert SORRY in notice["value"]
    assert "1234" not in notice["value"]
    assert "the password is 1234" in caplog.text


def test_html_in_an_error_is_inert():
    notice, _ = shown(failing(UsageError("<img src=x onerror=alert(1)> is no date")), [None])()
    assert "<img" not in notice["value"]
    assert "&lt;img" in notice["value"]


def test_an_error_of_ours_reaches_a_caller_of_the_api_in_words():
    with pytest.raises(gr.Error, match="no date"):
        answered(failing(UsageError("that is no date")))()


def test_an_unexpected_error_does_not_reach_a_caller_of_the_api(caplog):
    with pytest.raises(gr.Error, match="noted in the log"):
        answered(failing(RuntimeError("the password is 1234")))()
    assert "the password is 1234" in caplog.text


def test_numbers_of_numpy_and_dates_become_plain_values():
    found = jsonable(
        {"count": np.int64(3), "share": np.float64("nan"), "right": np.bool_(True), "at": date(2026, 1, 2)}
    )
    assert found == {"count": 3, "share": None, "right": True, "at": "2026-01-02"}
    assert [type(one) for one in found.values()] == [int, type(None), bool, str]


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates()


@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner)))
def test_whatever_goes_in_strict_json_comes_out(value):
    json.dumps(jsonable(value), allow_nan=False)


def test_an_empty_piece_of_html_is_hidden_so_that_it_leaves_no_gap():
    assert shown_if("")["visible"] is False
    assert shown_if("<p>text</p>") == gr.update(value="<p>text</p>", visible=True)


def test_infinity_is_no_json_number():
    assert jsonable([math.inf, -math.inf, 1.5]) == [None, None, 1.5]
