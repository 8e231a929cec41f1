"""How often one session, and one address, may ask: nobody takes what is meant for all."""

from types import SimpleNamespace

import pytest

from shared.errors import UsageError
from shared.pages.visitors import Visitors
from shared.steps.limits import Limiter


def asking(session="", host="192.0.2.1"):
    return SimpleNamespace(session_hash=session, client=SimpleNamespace(host=host))


def visitors(sessions=2, addresses=5):
    still = {"per_minute": 1, "clock": lambda: 0.0}
    return Visitors(Limiter(burst=sessions, **still), Limiter(burst=addresses, **still))


def test_who_is_let_in_is_known_by_the_session_and_a_program_by_nothing():
    assert Visitors().admit(asking("s1")) == "s1"
    assert Visitors().admit(asking("")) == ""
    assert Visitors().admit(None) == ""


def test_one_session_that_asks_too_often_waits_and_another_at_the_same_address_does_not():
    few = visitors()
    for _ in range(2):
        few.admit(asking("hasty"))
    with pytest.raises(UsageError, match="ask again in 60 s"):
        few.admit(asking("hasty"))
    assert few.admit(asking("calm")) == "calm"


def test_an_address_that_opens_a_session_for_each_question_waits_too_and_other_addresses_do_not():
    few = visitors()
    for number in range(5):
        few.admit(asking(f"s{number}"))
    with pytest.raises(UsageError, match="ask again in"):
        few.admit(asking("s5"))
    assert few.admit(asking("s6", "192.0.2.2")) == "s6"


def test_programs_without_a_session_share_their_addresss_allowance_alone():
    few = visitors(sessions=1)
    for _ in range(5):
        few.admit(asking(""))
    with pytest.raises(UsageError):
        few.admit(asking(""))


def test_a_request_without_an_address_is_counted_as_one():
    few = visitors()
    for number in range(5):
        few.admit(SimpleNamespace(session_hash=f"s{number}", client=None))
    with pytest.raises(UsageError):
        few.admit(None)
