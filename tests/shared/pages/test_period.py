"""Two dates as a visitor writes them."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UsageError
from shared.pages.period import FIRST, LAST, parse_period

NEWEST = date(2026, 11, 10)


def test_blank_dates_are_the_newest_thirty_days():
    assert parse_period("", " ", NEWEST, "demo") == (date(2026, 10, 12), NEWEST)


def test_a_blank_beginning_is_thirty_days_before_the_end():
    assert parse_period("", "2026-10-30", NEWEST, "demo") == (date(2026, 10, 1), date(2026, 10, 30))


def test_a_blank_end_is_the_newest_date():
    assert parse_period("2026-11-09", "", NEWEST, "demo") == (date(2026, 11, 9), NEWEST)


def test_one_day_is_a_period():
    assert parse_period("2026-11-09", "2026-11-09", NEWEST, "demo") == (date(2026, 11, 9), date(2026, 11, 9))


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-13-01", "2026-02-30", "10/11/2026", "<script>", "0", "2026-11-10T00:00"]
)
def test_what_is_no_date_is_refused_by_its_name(text):
    with pytest.raises(UsageError, match="is not a date"):
        parse_period(text, "", NEWEST, "demo")


def test_a_period_that_ends_before_it_begins_is_refused():
    with pytest.raises(UsageError, match="begin on 2026-11-10 and end before that, on 2026-11-01"):
        parse_period("2026-11-10", "2026-11-01", NEWEST, "demo")


@pytest.mark.parametrize(("since", "until"), [("0001-01-01", ""), ("", "9999-12-31"), ("1999-12-31", "2026-01-01")])
def test_a_date_far_away_is_refused_before_it_overflows(since, until):
    with pytest.raises(UsageError, match="out of range|too long ago or too far ahead"):
        parse_period(since, until, NEWEST, "demo")


def test_the_live_world_has_no_future():
    with pytest.raises(UsageError, match="future"):
        parse_period("", "2099-01-01", NEWEST, "live")


@given(st.text(max_size=12), st.text(max_size=12))
def test_any_text_gives_a_period_in_order_or_a_sentence(since, until):
    try:
        first, last = parse_period(since, until, NEWEST, "demo")
    except UsageError as failure:
        assert str(failure)
    else:
        assert FIRST <= first <= last <= LAST


@given(st.dates(FIRST, LAST), st.integers(0, 400))
def test_a_period_written_as_iso_dates_is_read_back(first, days):
    last = min(LAST, first + timedelta(days=days))
    assert parse_period(first.isoformat(), last.isoformat(), NEWEST, "demo") == (first, last)
