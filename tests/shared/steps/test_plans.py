"""Plans, and the folders of their runs, where later versions of this code know more or usually do other things."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

pytest.importorskip("torch")

from shared.errors import UnsafeFileError, UsageError
from shared.steps.plans import Plan
from shared.steps.run_folder import belonging

DATA = "1f2e"


@dataclass(frozen=True)
class Later(Plan):
    """A plan of a version that knows one field more."""

    momentum: float = 0.0


@dataclass(frozen=True)
class Heavier(Plan):
    """A plan of a version in which another value is usual."""

    weight_decay: float = 0.1


def test_a_run_keeps_its_name_where_plans_have_a_further_field():
    assert Later(rank=8, seed=3).name(DATA) == Plan(rank=8, seed=3).name(DATA)


def test_a_value_that_is_not_usual_is_another_run():
    plans = (Plan(), Plan(seed=1), Plan(rank=8), Plan(learning_rate=2.0001e-4), Later(momentum=0.9))
    assert len({plan.name(DATA) for plan in plans} | {Plan().name("other")}) == 6


def test_a_name_stays_what_it_was():
    """Whoever changes how it is made lets every run that was cut off begin anew."""
    assert Plan(rank=8).name(DATA) == "tiny-r8-lr2e-04-1000-7baf52ac"


def test_a_run_goes_on_in_its_folder_where_plans_have_a_further_field(tmp_path):
    name = belonging(Plan(rank=8), DATA, tmp_path)
    assert belonging(Later(rank=8), DATA, tmp_path) == name
    with pytest.raises(UsageError, match=f"belongs to the run {name}, not to tiny-r8-.*: give another folder"):
        belonging(Later(rank=8, momentum=0.9), DATA, tmp_path)
    with pytest.raises(UsageError, match="give another folder"):
        belonging(Plan(rank=8), "other", tmp_path)


def test_a_run_that_was_begun_with_another_usual_value_does_not_go_on_unnoticed(tmp_path):
    belonging(Plan(rank=8), DATA, tmp_path)
    with pytest.raises(UsageError, match=r"was begun with weight_decay 0\.01, as was usual then: delete it, and the"):
        belonging(Heavier(rank=8), DATA, tmp_path)
    assert belonging(Plan(rank=8), DATA, tmp_path)


@pytest.mark.parametrize("plan", [None, {"rank": "eight"}, {"of_old": 1}])
def test_a_folder_whose_plan_cannot_be_read_is_damaged(tmp_path, plan):
    told = {"name": Plan().name(DATA), "data": DATA, "plan": plan}
    (tmp_path / "plan.json").write_text(json.dumps(told))
    with pytest.raises(UnsafeFileError, match=r"plan\.json is damaged, or of another version: delete it"):
        belonging(Plan(), DATA, tmp_path)
