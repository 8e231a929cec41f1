import json
import math
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from shared.errors import NotYetError, SchemaError, UsageError
from shared.ports import NewModel
from shared.steps.promotion import (
    PROMOTIONS,
    Interval,
    Verdict,
    champion,
    holm,
    judge,
    paired_bootstrap,
    record,
    rollback,
    sign_test,
)

NOISE = pd.Series(np.random.default_rng(0).normal(0, 0.1, 100))


def test_the_difference_is_new_minus_old_so_below_0_is_better():
    gap = paired_bootstrap(NOISE + 1.0, NOISE + 1.5)
    assert gap == Interval(pytest.approx(-0.5), pytest.approx(-0.5), pytest.approx(-0.5))


def test_rows_are_paired_by_key_not_by_position():
    shuffled = NOISE.sample(frac=1, random_state=1)
    gap = paired_bootstrap(shuffled, NOISE)
    assert (gap.low, gap.middle, gap.high) == (0, 0, 0)


def test_only_rows_that_both_scored_are_compared():
    new = pd.Series(1.0, index=range(0, 30))
    old = pd.Series(2.0, index=range(15, 45)).where(lambda loss: loss.index < 30, 99.0)
    assert paired_bootstrap(new, old).middle == -1


def test_repeats_of_a_row_are_averaged_and_are_no_new_evidence():
    repeated = pd.concat([NOISE + 0.01, NOISE - 0.01])
    once = paired_bootstrap(NOISE, NOISE * 0)
    gap = paired_bootstrap(repeated, NOISE * 0)
    assert gap.low == pytest.approx(once.low)
    assert gap.high == pytest.approx(once.high)


@pytest.mark.parametrize("shared_rows", [0, 9])
def test_too_few_rows_in_common_are_refused(shared_rows):
    new, old = pd.Series(0.0, index=range(50)), pd.Series(0.0, index=range(50 - shared_rows, 100 - shared_rows))
    with pytest.raises(SchemaError, match=f"{shared_rows} rows in common"):
        paired_bootstrap(new, old)


def test_keys_of_another_kind_have_nothing_in_common():
    with pytest.raises(SchemaError, match="0 rows in common"):
        paired_bootstrap(NOISE, NOISE.rename(index=str))


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_blank_or_infinite_loss_is_refused(loss):
    with pytest.raises(SchemaError, match="blank or infinite"):
        paired_bootstrap(NOISE.where(NOISE.index != 3, loss), NOISE)


def test_the_same_seed_gives_the_same_bounds_and_another_seed_others():
    first, again, other = (paired_bootstrap(NOISE, NOISE[::-1].set_axis(NOISE.index), seed=seed) for seed in (0, 0, 1))
    assert first == again != other
    assert first.middle == other.middle


@given(st.lists(st.floats(-10, 10), min_size=10, max_size=40), st.integers(0, 99))
def test_turning_the_comparison_around_turns_the_interval_around(losses, seed):
    new, old = pd.Series(losses), pd.Series(0.0, index=range(len(losses)))
    gap, back = paired_bootstrap(new, old, draws=50, seed=seed), paired_bootstrap(old, new, draws=50, seed=seed)
    assert (back.low, back.high) == (pytest.approx(-gap.high), pytest.approx(-gap.low))
    assert gap.low <= gap.high


@pytest.mark.slow
def test_the_interval_holds_the_true_difference_as_often_as_it_says():
    rng, rounds, nothing = np.random.default_rng(3), 400, pd.Series(0.0, index=range(100))
    gaps = [paired_bootstrap(pd.Series(rng.normal(1, 1, 100)), nothing, draws=300) for _ in range(rounds)]
    held = sum(gap.low <= 1 <= gap.high for gap in gaps) / rounds
    assert held == pytest.approx(0.95, abs=3 * math.sqrt(0.05 * 0.95 / rounds))


MAJORITY = NOISE + 1.1
CHAMPION = NOISE.sample(frac=1, random_state=2).set_axis(NOISE.index) + 0.15


def test_a_first_version_that_beats_the_baseline_is_promoted():
    verdict = judge(CHAMPION, {"majority": MAJORITY}, None)
    assert verdict.verdict == "promoted"
    assert "nothing serves yet: against the closest, majority, its loss differs by -0.95" in verdict.reason
    assert verdict.figures["loss"] == pytest.approx(CHAMPION.mean())
    assert verdict.figures["majority_middle"] == pytest.approx(-0.95)


def test_a_version_that_loses_to_one_of_its_baselines_is_rejected_however_good_against_the_champion():
    verdict = judge(CHAMPION, {"majority": MAJORITY, "nearest": CHAMPION - 0.05}, MAJORITY)
    assert verdict.verdict == "rejected"
    assert "does not surely beat nearest" in verdict.reason
    assert verdict.figures["nearest_high"] == pytest.approx(0.05)


def test_a_version_equal_to_a_baseline_is_rejected():
    assert judge(MAJORITY, {"majority": MAJORITY}, None).verdict == "rejected"


def test_better_by_luck_is_not_enough():
    lucky = NOISE.sample(frac=1, random_state=3).set_axis(NOISE.index) + 1.099
    gap = paired_bootstrap(lucky, MAJORITY)
    assert gap.middle < 0 < gap.high
    assert judge(lucky, {"majority": MAJORITY}, None).verdict == "rejected"


@pytest.mark.parametrize("worse_by", [-0.1, 0.0, 0.04])
def test_a_version_within_a_twentieth_of_the_champions_gain_replaces_it(worse_by):
    verdict = judge(CHAMPION + worse_by, {"majority": MAJORITY}, CHAMPION)
    assert verdict.verdict == "promoted"
    assert verdict.figures["tolerance"] == pytest.approx(0.05 * 0.95)


def test_a_version_worse_than_that_waits():
    verdict = judge(CHAMPION + 0.05, {"majority": MAJORITY}, CHAMPION)
    assert verdict.verdict == "waits"
    assert "may be worse than the champion" in verdict.reason
    assert "0.0475 is allowed" in verdict.reason
    assert verdict.figures["champion_high"] == pytest.approx(0.05)


def test_a_version_that_is_as_good_on_average_but_may_well_be_worse_waits():
    erratic = CHAMPION + NOISE.sample(frac=1, random_state=5).set_axis(NOISE.index) * 5
    verdict = judge(erratic, {"majority": MAJORITY}, CHAMPION)
    assert verdict.figures["champion_middle"] < verdict.figures["tolerance"] < verdict.figures["champion_high"]
    assert verdict.verdict == "waits"


def test_the_margin_is_measured_from_the_best_baseline():
    verdict = judge(CHAMPION + 0.04, {"majority": MAJORITY, "nearest": CHAMPION + 0.2}, CHAMPION)
    assert verdict.figures["tolerance"] == pytest.approx(0.05 * 0.2)
    assert verdict.verdict == "waits"


def test_a_champion_that_gains_nothing_leaves_no_margin():
    verdict = judge(CHAMPION, {"majority": MAJORITY}, MAJORITY + 1)
    assert verdict.figures["tolerance"] == 0
    assert verdict.verdict == "promoted"


@pytest.mark.parametrize("unit", [0.01, 3.7, 1000])
def test_the_unit_of_the_loss_changes_no_verdict(unit):
    for worse_by, expected in ((0.04, "promoted"), (0.05, "waits"), (1.0, "rejected")):
        verdict = judge(unit * (CHAMPION + worse_by), {"majority": unit * MAJORITY}, unit * CHAMPION)
        assert verdict.verdict == expected


def test_a_judge_without_baselines_refuses():
    with pytest.raises(UsageError, match="at least one baseline"):
        judge(CHAMPION, {}, None)


GOOD = Verdict("promoted", "It beats majority.", {"loss": 0.5})
BETTER_WAIT = Verdict("waits", "It may be worse.", {"loss": 0.6})
BAD = Verdict("rejected", "It does not beat majority.", {"loss": 1.2})


def decide(platform, verdict, day, hour=7, name="iris"):
    model = platform.models.save(NewModel(name, Path("model"), {}))
    at = datetime(2026, 3, day, hour, tzinfo=UTC)
    record(platform, model, verdict, day=date(2026, 3, day), decided_at=at, run_id=f"run-{day}")
    return model


def test_a_verdict_is_a_row_with_its_reason_and_figures(platform):
    decide(platform, GOOD, day=2)
    row = platform.features.read(PROMOTIONS).iloc[0]
    assert row["day"] == pd.Timestamp("2026-03-02", tz="UTC")
    assert row["decided_at"] == pd.Timestamp("2026-03-02T07:00Z")
    assert (row["model"], row["version"], row["verdict"], row["run_id"]) == ("iris", 1, "promoted", "run-2")
    assert row["reason"] == "It beats majority."
    assert json.loads(row["figures"]) == {"loss": 0.5}


def test_a_judged_verdict_can_be_recorded_as_it_comes(platform):
    decide(platform, judge(CHAMPION + 0.05, {"majority": MAJORITY}, CHAMPION), day=2)
    assert json.loads(platform.features.read(PROMOTIONS)["figures"][0])["tolerance"] == pytest.approx(0.0475)


def test_the_newest_promoted_version_serves_whatever_waits_or_was_rejected_since(platform):
    for day, verdict in ((2, GOOD), (9, GOOD), (16, BETTER_WAIT), (23, BAD)):
        decide(platform, verdict, day)
    assert champion(platform, "iris").version == 2


def test_a_day_sees_only_what_was_decided_on_earlier_days(platform):
    decide(platform, GOOD, day=2)
    decide(platform, GOOD, day=9)
    assert champion(platform, "iris", until=datetime(2026, 3, 9, tzinfo=UTC)).version == 1
    assert champion(platform, "iris", until=datetime(2026, 3, 10, tzinfo=UTC)).version == 2


def test_catching_up_an_older_day_does_not_replace_what_a_newer_day_decided(platform):
    decide(platform, GOOD, day=9)
    late = platform.models.save(NewModel("iris", Path("model"), {}))
    record(platform, late, GOOD, day=date(2026, 3, 2), decided_at=datetime(2026, 3, 10, tzinfo=UTC), run_id="late")
    assert champion(platform, "iris").version == 1


def test_of_two_decisions_of_one_day_the_later_counts(platform):
    decide(platform, GOOD, day=2, hour=9)
    decide(platform, GOOD, day=2, hour=8)
    assert champion(platform, "iris").version == 1


def test_models_do_not_see_each_others_promotions(platform):
    decide(platform, GOOD, day=2)
    decide(platform, GOOD, day=9, name="wine")
    assert champion(platform, "iris").name == "iris"


@pytest.mark.parametrize("verdict", [None, BETTER_WAIT, BAD])
def test_while_nothing_serves_the_message_says_what_to_run(platform, verdict):
    if verdict:
        decide(platform, verdict, day=2)
    with pytest.raises(NotYetError, match="almanac run iris train"):
        champion(platform, "iris")


def go_back(platform, version, day=20, reason="Version 2 alarms."):
    at = datetime(2026, 3, day, 12, tzinfo=UTC)
    rollback(platform, "iris", version, day=date(2026, 3, day), decided_at=at, reason=reason)


def test_after_a_rollback_the_earlier_version_serves_until_the_next_promotion(platform):
    decide(platform, GOOD, day=2)
    decide(platform, GOOD, day=9)
    go_back(platform, 1, day=20)
    assert champion(platform, "iris").version == 1
    assert champion(platform, "iris", until=datetime(2026, 3, 20, tzinfo=UTC)).version == 2
    decide(platform, GOOD, day=23)
    assert champion(platform, "iris").version == 3
    assert platform.features.read(PROMOTIONS)["reason"].tolist()[2] == "Version 2 alarms."


def test_a_version_that_does_not_exist_cannot_be_gone_back_to(platform):
    decide(platform, GOOD, day=2)
    with pytest.raises(NotYetError):
        go_back(platform, 7)
    assert champion(platform, "iris").version == 1


def test_a_version_can_be_gone_back_to_whatever_became_of_the_others(platform):
    decide(platform, GOOD, day=2)
    decide(platform, BAD, day=9)
    go_back(platform, 1)
    assert platform.features.read(PROMOTIONS)["verdict"].tolist() == ["promoted", "rejected", "rolled_back"]


def test_a_rejected_version_cannot_be_gone_back_to_and_the_message_says_why(platform):
    decide(platform, GOOD, day=2)
    decide(platform, BAD, day=9)
    with pytest.raises(UsageError, match="It does not beat majority"):
        go_back(platform, 2)
    assert len(platform.features.read(PROMOTIONS)) == 2


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_sign_test_is_scipys_binomial_test_of_one_half(gained, lost):
    theirs = stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert sign_test(gained, lost) == pytest.approx(theirs)


def test_of_several_tests_the_smallest_chance_must_be_the_smaller_the_more_there_are():
    assert holm({"a": 0.04}) == {"a"}
    assert holm({"a": 0.04, "b": 0.5}) == set()
    assert holm({"a": 0.025, "b": 0.5}) == {"a"}
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == {"a"}, "0.03 > 0.05 / 2 ends it"
    assert holm({"a": 0.01, "b": 0.04, "c": 0.02}) == {"a", "b", "c"}
    assert holm({}) == set()


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=8))
def test_holm_calls_no_more_than_each_test_by_itself_and_no_less_than_bonferroni(chances):
    sure = holm(chances)
    assert {name for name, chance in chances.items() if chance <= 0.05 / len(chances)} <= sure
    assert sure <= {name for name, chance in chances.items() if chance <= 0.05}
