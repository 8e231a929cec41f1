"""What is recommended of a search's trials, from losses a conversation that are written down here."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

from shared.steps.plans import Plan
from shared.steps.promotion import Interval
from shared.systems.assistant.weighing import Rival, Weighed, beside, cheaper, costs, gap, sentence

WAYS = (0.6, 0.3, 0.2, 0.1, 0.0, -0.1, -0.2, 0.45, 0.5, -0.35)  # around 0.15, as ten conversations might differ
PLANS = {name: Plan(rank=rank) for name, rank in (("r64", 64), ("r16", 16), ("r8", 8))}


def losses(*found, tokens=4):
    index = pd.Index([f"c{place}" for place in range(len(found))], name="conversation_id")
    return pd.DataFrame({"loss": [float(one) for one in found], "tokens": tokens, "bytes": 9}, index)


BEST, UNTRAINED = losses(*[1.0] * 10), losses(*[2.0] * 10)


def weighed(**rivals):
    """Trials beside r64, each with these losses; all are better than their base."""
    found = Weighed("r64", {name: beside(one, BEST, UNTRAINED) for name, one in rivals.items()}, {})
    for name in found.equal:
        found.base[name] = gap(BEST if name == "r64" else rivals[name], UNTRAINED)
    return found


def test_what_ten_conversations_do_not_tell_apart_is_neither_no_difference_nor_recommended():
    found = weighed(r8=losses(*(1 + way for way in WAYS)))
    assert found.cheaper["r8"].gap.low < 0 < found.cheaper["r8"].gap.high
    assert (found.cheaper["r8"].verdict, found.chosen) == ("not told apart from the best", "r64")
    said = sentence(found, PLANS, 1)
    high = f"{found.cheaper['r8'].gap.high:+.4f}"
    assert f"r8 is not told apart from it by 10 conversations (at most {high}; up to 0.0500 counts as none)" in said
    assert "no difference" not in said
    assert said.endswith("--rank 64 --learning-rate 0.0002")


def test_a_cheaper_one_within_five_percent_of_what_training_gained_is_recommended():
    found = weighed(r16=losses(*(1 + way / 10 for way in WAYS)), r8=losses(*(1 + way / 20 for way in WAYS)))
    assert [one.as_good for one in found.cheaper.values()] == [True, True]
    assert found.chosen == "r8"
    assert "no difference to the cheaper r8 (+0.0" in sentence(found, PLANS, 1)
    assert "up to 0.0500 counts as none): r8 is recommended" in sentence(found, PLANS, 1)


def test_a_cheaper_one_that_is_surely_worse_by_less_than_counts_is_recommended_and_not_called_equal():
    found = weighed(r8=losses(*[1.02, 1.03] * 5))
    assert found.cheaper["r8"].gap.low > 0
    assert (found.cheaper["r8"].verdict, found.chosen) == ("hardly worse than the best", "r8")
    said = sentence(found, PLANS, 1)
    assert "hardly better than the cheaper r8 (+0.0250 [" in said
    assert "no difference" not in said


def test_only_those_cheaper_than_what_is_recommended_are_said_to_be_not_told_apart():
    apart, equal = losses(*(1 + way for way in WAYS)), losses(*[1.0] * 10)
    assert [*weighed(r16=apart, r8=equal).undecided] == []
    assert [*weighed(r16=equal, r8=apart).undecided] == ["r8"]
    assert weighed(r16=equal, r8=apart).chosen == "r16"


def test_where_training_gained_nothing_no_loss_counts_as_none():
    worse_than_before = losses(*[0.5] * 10)
    assert beside(BEST, BEST, worse_than_before) == Rival(Interval(0.0, 0.0, 0.0), 0.0, 10)
    assert beside(BEST, BEST, None).as_good
    assert not beside(losses(*[1.001] * 10), BEST, None).as_good


def test_margin_and_difference_are_in_one_unit_where_tokenizers_differ():
    rival = beside(losses(*[1.0] * 10, tokens=8), BEST, UNTRAINED)
    assert rival.gap.middle == pytest.approx((8 - 4) / 9)
    assert rival.margin == pytest.approx(0.05 * 4 / 9)


def test_the_margin_is_of_conversations_that_all_could_be_asked():
    rival = beside(losses(*[1.0] * 11), losses(*[1.0] * 12), losses(*[2.0] * 10))
    assert (rival.judged, rival.margin) == (10, 0.05)


def test_a_base_costs_first_then_what_is_trained_and_trials_that_failed_cost_nothing_known():
    columns = ["trial", "rank", "trained", "weights"]
    rows = [
        ("big-r8", 8, 30, 3030),
        ("big-r8", 8, 30, 3030),
        ("small-r64", 64, 80, 1080),
        ("small-full", 0, 1000, 1000),
    ]
    cost = costs(pd.DataFrame([*rows, ("failed", 8, np.nan, np.nan)], columns=columns))
    assert sorted(cost, key=cost.get) == ["small-r64", "small-full", "big-r8"]


def test_of_each_cheaper_setting_the_best_trial_of_its_highest_rung_is_compared():
    plans = {f"r{rank}-{rate}": Plan(rank=rank, learning_rate=rate) for rank in (8, 64) for rate in (0.1, 0.2, 0.3)}
    reached = {20: {"r64-0.1": 1.0, "r8-0.2": 3.0}, 10: dict.fromkeys(plans, 2.0) | {"r8-0.1": 0.5}}
    cost = {name: (1000, plan.rank) for name, plan in plans.items()}
    assert cheaper("r64-0.1", reached, plans, cost) == ["r8-0.2"]
    assert cheaper("r8-0.2", reached, plans, cost) == []
    assert cheaper("r64-0.1", reached | {20: {}}, plans, cost) == ["r8-0.1"]


@settings(max_examples=20)
@given(
    st.lists(st.lists(st.floats(0, 3), min_size=10, max_size=10), min_size=1, max_size=2),
    st.floats(0.5, 4),
)
def test_nothing_is_recommended_that_may_lose_more_than_counts_as_none(found, untrained):
    base = losses(*[untrained] * 10)
    rivals = {f"r{place}": beside(losses(*one), BEST, base) for place, one in enumerate(found)}
    chosen = Weighed("best", rivals, {}).chosen
    assert chosen == "best" or rivals[chosen].gap.high <= max(0.0, 0.05 * (untrained - 1.0)) + 1e-9
