"""Numbers as people read them."""

import math

from hypothesis import given
from hypothesis import strategies as st

from shared.pages.words import between, figure, percent, sentence


@given(st.floats(0, 1))
def test_only_all_is_a_hundred_percent_and_only_none_is_zero(share):
    assert (percent(share) == "100\u00a0%") == (share == 1)
    assert (percent(share) == "0\u00a0%") == (share == 0)


def test_what_is_not_known_is_a_dash():
    assert percent(math.nan) == between(math.nan, 1.0) == figure("mae", math.nan) == figure("mae", None) == "–"


def test_a_sentence_begins_large_and_ends_with_a_stop():
    assert sentence("there is no such date") == "There is no such date."
    assert sentence("Is it?") == "Is it?"
    assert sentence("") == "."
