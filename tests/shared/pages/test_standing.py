"""How a system stands is read from its ledger."""

from datetime import date

import pytest

from shared.errors import SourceError
from shared.pages.standing import freshness, head, standing
from shared.runs import Report, run_stage

TIDES = Report(rows=3, metrics={"accuracy": 0.9}, baselines={"accuracy": 0.4}, headline="accuracy")


def fail(run):
    raise SourceError("<b>tides.csv</b> has no column height")


def test_a_system_that_never_ran_has_no_standing_and_says_nothing(platform):
    assert standing(platform, "tides") is None
    assert freshness(None, date(2026, 11, 20)) == ""


def test_the_newest_date_and_the_headline_figure_are_those_of_the_newest_daily_run(platform):
    run_stage(platform, "tides.daily", lambda run: TIDES, day="2026-11-10")
    run_stage(platform, "tides.daily", lambda run: Report(), day="2026-11-02")
    stands = standing(platform, "tides")
    assert (stands.newest, stands.headline, stands.value, stands.baseline) == (date(2026, 11, 10), "accuracy", 0.9, 0.4)


def test_a_training_run_is_no_newer_date(platform):
    run_stage(platform, "tides.train", lambda run: TIDES, day="2026-11-10")
    stands = standing(platform, "tides")
    assert (stands.newest, stands.stage, stands.status) == (None, "train", "done")
    assert "none yet" in freshness(stands, date(2026, 11, 10))


def test_a_system_that_never_runs_daily_has_the_figure_of_its_last_stage_that_has_one(platform):
    run_stage(platform, "tides.train", lambda run: TIDES, day="2026-11-10")
    run_stage(platform, "tides.export", lambda run: Report(), day="2026-11-11")
    stands = standing(platform, "tides")
    assert (stands.newest, stands.headline, stands.value, stands.baseline) == (None, "accuracy", 0.9, 0.4)


def test_two_days_are_fresh_and_three_are_not(platform):
    run_stage(platform, "tides.daily", lambda run: TIDES, day="2026-11-10")
    stands = standing(platform, "tides")
    assert "al-warning" not in freshness(stands, date(2026, 11, 12))
    warned = freshness(stands, date(2026, 11, 13))
    assert "These figures are 3 days old: run <code>almanac day</code>." in warned


def test_a_failed_last_run_is_told_with_its_reason_as_text(platform):
    run_stage(platform, "tides.daily", lambda run: TIDES, day="2026-11-10")
    with pytest.raises(SourceError):
        run_stage(platform, "tides.daily", fail, day="2026-11-11")
    told = freshness(standing(platform, "tides"), date(2026, 11, 11))
    assert "The last run (daily) did not end well" in told
    assert "&lt;b&gt;tides.csv&lt;/b&gt; has no column height" in told


def test_a_failure_that_was_made_good_is_no_worry(platform):
    with pytest.raises(SourceError):
        run_stage(platform, "tides.daily", fail, day="2026-11-10")
    run_stage(platform, "tides.daily", lambda run: TIDES, day="2026-11-10")
    assert standing(platform, "tides").worries(date(2026, 11, 10)) == []


def test_the_head_of_a_page_in_the_demo_world_says_that_it_is_simulated(platform):
    assert "Simulated data" in head(platform, "tides")
