"""When a new model is called for: growth, age, an alarm; and when it must rest."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from shared.runs import RUNS, Run, midnight
from shared.steps.retraining import Policy, reason

POLICY = Policy(oldest_days=90)
DAY = date(2026, 10, 20)
RUN = Run("r1", "wine", "daily", DAY, datetime(2026, 10, 20, 6, tzinfo=UTC), "c0de")


def trained(platform, days_ago, status="done", system="wine", stage="train"):
    row = {"run_id": f"{system}-{stage}-{days_ago}", "system": system, "stage": stage, "status": status, "rows": 0}
    row |= {"day": midnight(DAY - timedelta(days=days_ago)), "started_at": RUN.started_at, "seconds": 1.0}
    row |= {"asked": True, "report": "{}", "error": None, "code_version": "c0de", "machine": "here", "cost_usd": 0.0}
    platform.features.write(RUNS, pd.DataFrame([row]))


def why(platform, known=100, learned=100, alarms=()):
    return reason(platform, RUN, POLICY, (known, learned), alarms)


@pytest.mark.parametrize(("known", "called"), [(109, False), (110, True), (90, False)])
def test_a_tenth_more_labelled_rows_calls_for_a_new_model(platform, known, called):
    trained(platform, 7)
    assert why(platform, known) == (f"{known} labelled rows, and the serving model learned from 100" if called else "")


@pytest.mark.parametrize(("days", "called"), [(89, False), (90, True), (91, True)])
def test_age_calls_for_a_new_model(platform, days, called):
    trained(platform, days)
    assert why(platform) == (f"the last training was {days} days ago" if called else "")


def test_an_alarm_calls_for_a_new_model_and_is_named(platform):
    trained(platform, 7)
    assert why(platform, alarms=["mse", "shift:ph"]) == "alarm: mse, shift:ph"


@pytest.mark.parametrize("days", [0, 1, 6])
def test_nothing_calls_for_one_within_a_week_of_the_last(platform, days):
    trained(platform, 200)
    trained(platform, days)
    assert why(platform, known=1000, alarms=["mse"]) == ""


def test_only_trainings_of_this_system_that_ended_well_and_not_later_ones_count(platform):
    trained(platform, 95)
    trained(platform, 3, status="failed")
    trained(platform, 4, system="iris")
    trained(platform, 5, stage="synthesize")
    trained(platform, -2)
    assert why(platform) == "the last training was 95 days ago"


def test_a_store_without_any_training_on_record_calls_for_one(platform):
    assert why(platform) == "no training is on record"
