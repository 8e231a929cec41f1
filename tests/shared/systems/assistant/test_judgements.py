"""What is concluded from figures that were compared."""

import pandas as pd

from shared.steps.side_by_side import share_of
from shared.systems.assistant.judgements import worse_checks

MANY, FEW = (share_of(pd.Series([True] * kept + [False] * (20 - kept))) for kept in (20, 2))


def test_a_check_in_which_a_version_is_surely_worse_is_told():
    figures = {"candidate": {"meals:ok": FEW}, "champion": {"meals:ok": MANY}}
    assert "meals:ok" in worse_checks(figures, "champion")


def test_hostile_prompts_are_shown_and_gate_nothing_nor_does_a_kind_of_instructions():
    names = ("safety", "instructions:json")
    figures = {"candidate": dict.fromkeys(names, FEW), "champion": dict.fromkeys(names, MANY)}
    assert worse_checks(figures, "champion") == ""
