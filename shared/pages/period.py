"""A period as a visitor writes it: two ISO dates, both included; what is left blank is filled in."""

from __future__ import annotations

from datetime import date, timedelta

from shared.errors import UsageError
from shared.runs import parse_day

USUAL_DAYS = 30
FIRST, LAST = date(2000, 1, 1), date(2099, 12, 31)  # a slip of the finger, not a period


def parse_period(since: str, until: str, newest: date, world: str) -> tuple[date, date]:
    """Return the first and the last date; a blank end is ``newest``, a blank beginning 30 days before the end.

    Raises:
        UsageError: a text is no date, or the dates make no period.

    >>> parse_period("", "", date(2026, 11, 10), "demo")
    (datetime.date(2026, 10, 12), datetime.date(2026, 11, 10))
    """
    last = _day(until, world) or newest
    first = _day(since, world) or max(FIRST, last - timedelta(days=USUAL_DAYS - 1))
    if first > last:
        raise UsageError(f"the period would begin on {first} and end before that, on {last}; change one of the dates")
    if first < FIRST or last > LAST:
        raise UsageError(f"{first} to {last} is too long ago or too far ahead; write dates from {FIRST} to {LAST}")
    return first, last


def _day(text: str, world: str) -> date | None:
    written = str(text or "").strip()
    return parse_day(written, world) if written else None
