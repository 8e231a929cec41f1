"""How often one may ask, with a clock that the test moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UsageError
from shared.steps.limits import Limiter


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def limiter(**changed):
    clock = Clock()
    return Limiter(**{"burst": 3, "per_minute": 6, "clock": clock, **changed}), clock


def test_a_burst_is_answered_and_what_comes_after_it_is_told_how_long_to_wait():
    limits, clock = limiter()
    for _ in range(3):
        limits.take("jane")
    with pytest.raises(UsageError, match="ask again in 10 s"):
        limits.take("jane")
    clock.now = 9.5
    with pytest.raises(UsageError, match="ask again in 1 s"):
        limits.take("jane")
    clock.now = 10
    limits.take("jane")


def test_one_visitor_does_not_use_up_what_another_may_ask():
    limits, _ = limiter(burst=1)
    limits.take("jane")
    limits.take("kim")
    with pytest.raises(UsageError):
        limits.take("jane")


def test_being_refused_costs_nothing():
    limits, clock = limiter(burst=1)
    limits.take("jane")
    for _ in range(100):
        assert limits.wait_s("jane") > 0
    clock.now = 10
    limits.take("jane")


def test_who_has_not_asked_for_longest_is_forgotten_so_that_memory_stays_bounded():
    limits, _ = limiter(burst=1, most=2)
    for who in ("jane", "kim", "ada"):
        limits.take(who)
    assert len(limits._buckets) == 2
    limits.take("jane")  # forgotten, so new
    with pytest.raises(UsageError):
        limits.take("ada")


def test_a_clock_that_goes_back_gives_no_tokens():
    limits, clock = limiter(burst=1)
    limits.take("jane")
    clock.now = -100
    assert limits.wait_s("jane") == 10


@given(st.lists(st.floats(0, 30), max_size=60))
def test_never_more_than_the_burst_and_what_the_time_allows(pauses):
    limits, clock = limiter()
    taken = 0
    for pause in pauses:
        clock.now += pause
        taken += limits.wait_s("jane") == 0
        assert taken <= 3 + clock.now * 6 / 60 + 1e-6
