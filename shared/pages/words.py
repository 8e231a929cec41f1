"""Numbers and dates as people read them: rounded, with their unit, and a dash for what is not known."""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.steps.scoring import Share

UNKNOWN = "–"
SHARES = ("accuracy", "coverage")  # figures that are shares of 1
SPELT = {
    "ph": "pH",
    "mae": "Mean absolute error",
    "mse": "Mean squared error",
    "qwk": "Quadratic kappa",
    "rmse": "Root mean square error",
}


def percent(share: float) -> str:
    r"""Return a share as a whole percentage; only none is "0 %" and only all is "100 %".

    >>> percent(0.967), percent(0.9999), percent(0.0001), percent(math.nan)
    ('97\xa0%', '>99\xa0%', '<1\xa0%', '–')
    """
    if math.isnan(share):
        return UNKNOWN
    bound = ">99" if 0.99 < share < 1 else "<1" if 0 < share < 0.01 else f"{share * 100:.0f}"
    return f"{bound}\u00a0%"


def between(low: float, high: float) -> str:
    r"""Return an interval of a share.

    >>> between(0.883, 1.0)
    '88–100\xa0%'
    """
    return UNKNOWN if math.isnan(low) or math.isnan(high) else f"{low * 100:.0f}–{high * 100:.0f}\u00a0%"


def sure_of(share: Share) -> str:
    """Return how sure a share is."""
    return f"95\u00a0% interval {between(share.low, share.high)}" if share.count else "no outcome is known yet"


def figure(name: str, value: float | None) -> str:
    r"""Return a figure of a stage's report: a share as a percentage, anything else with three digits.

    >>> figure("accuracy", 0.97), figure("mae", 3.14159), figure("mae", None)
    ('97\xa0%', '3.14', '–')
    """
    if value is None or math.isnan(value):
        return UNKNOWN
    return percent(value) if name in SHARES else f"{value:.3g}"


def ago(day: date, today: date) -> str:
    """Return how old a date is; only the demo world has dates to come.

    >>> ago(date(2026, 11, 10), date(2026, 11, 20)), ago(date(2026, 11, 20), date(2026, 11, 20))
    ('10 days ago', 'today')
    """
    days = (today - day).days
    near = {0: "today", 1: "yesterday", -1: "tomorrow"}
    return near.get(days, f"{days} days ago" if days > 0 else f"in {-days} days")


def plain(name: str) -> str:
    """Return a column's name as words.

    >>> plain("sepal_length"), plain("ph")
    ('Sepal length', 'pH')
    """
    return SPELT.get(name) or sentence_case(name.replace("_", " "))


def inside(words: str) -> str:
    """Return words that began a sentence as they stand inside one.

    >>> inside("Sepal length"), inside("pH")
    ('sepal length', 'pH')
    """
    return words[:1].lower() + words[1:]


def sentence_case(text: str) -> str:
    """Return the text with its first letter as a capital.

    >>> sentence_case("no model serves yet")
    'No model serves yet'
    """
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """Return an error's message as a sentence.

    >>> sentence("there is no such date")
    'There is no such date.'
    """
    said = sentence_case(text.strip())
    return said if said.endswith((".", "!", "?")) else f"{said}."
