"""What is due, what a run leaves behind, and what happens on bad days."""

import json
import logging
import threading
import time
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from shared.connect import Machine, open_platform
from shared.errors import SourceError, UsageError
from shared.runs import RUNS, Report, Run, cost_usd, due, ledger, midnight, parse_day, run_stage

TODAY = datetime.now(UTC).date()


@pytest.fixture
def live(tmp_path):
    """A platform whose world has no past and no future of its own."""
    return open_platform(world="live", home=tmp_path / "live")


def noted(seen, failing=()):
    def body(run: Run) -> Report:
        if run.day.isoformat() in failing:
            raise SourceError(f"the feed of {run.day} is empty; try again tomorrow")
        seen.append(run.day.isoformat())
        return Report(rows=2, metrics={"mae": 0.5}, baselines={"mae": 0.9}, headline="mae")

    return body


def test_a_first_run_does_its_date_and_writes_one_row_into_the_ledger(live):
    report = run_stage(live, "tide.daily", noted([]), day="2026-11-02")
    (row,) = live.features.read(RUNS).to_dict("records")
    assert (row["system"], row["stage"], row["status"], row["rows"]) == ("tide", "daily", "done", 2)
    assert row["day"] == midnight(date(2026, 11, 2))
    assert json.loads(row["report"])["metrics"] == {"mae": 0.5} == report.metrics
    assert row["seconds"] >= 0
    assert len(row["code_version"]) == 12


def test_six_skipped_days_are_done_oldest_first_each_as_of_its_date(live):
    seen = []
    run_stage(live, "tide.daily", noted(seen), day="2026-11-01")
    report = run_stage(live, "tide.daily", noted(seen), until="2026-11-08")
    assert seen == [f"2026-11-0{day}" for day in range(1, 9)]
    assert report.rows == 14


def test_a_date_done_is_not_done_again_unless_it_is_named(live):
    seen = []
    run_stage(live, "tide.daily", noted(seen), until="2026-11-01")
    again = run_stage(live, "tide.daily", noted(seen), until="2026-11-01")
    assert (again.rows, again.note, again.metrics) == (0, "nothing is due", {"mae": 0.5})
    run_stage(live, "tide.daily", noted(seen), day="2026-11-01")
    assert seen == ["2026-11-01", "2026-11-01"]


def test_a_hole_before_the_newest_success_is_due_too(live):
    for day in ("2026-11-01", "2026-11-04"):
        run_stage(live, "tide.daily", noted([]), day=day)
    waiting = due(live, "tide", "daily", date(2026, 11, 5))
    assert [day.day for day in waiting] == [2, 3, 5]


def test_a_date_of_long_ago_asked_for_by_name_makes_nothing_else_due(live):
    run_stage(live, "tide.daily", noted([]), day="2015-01-01")
    assert due(live, "tide", "daily", TODAY) == [TODAY]


def test_a_date_far_ahead_does_not_hide_today(platform):
    run_stage(platform, "tide.daily", noted([]), until="2199-01-01")
    assert due(platform, "tide", "daily", TODAY) == [TODAY]


def test_a_store_ahead_of_the_date_asked_for_reports_that_date(live):
    for day in ("2026-11-01", "2026-11-02"):
        run_stage(live, "tide.daily", lambda run: Report(metrics={"day": run.day.day}), until=day)
    assert run_stage(live, "tide.daily", noted([]), until="2026-11-01").metrics == {"day": 1}


def test_one_run_catches_up_31_dates_and_says_how_many_are_left(live):
    seen = []
    run_stage(live, "tide.daily", noted(seen), until="2026-09-01")
    report = run_stage(live, "tide.daily", noted(seen), until="2026-10-10")
    assert len(seen) == 32
    assert seen[-1] == "2026-10-02"
    assert report.note == "8 more dates are due: run it again"


def test_a_failed_date_leaves_a_row_stops_there_and_is_retried(live):
    seen = []
    run_stage(live, "tide.daily", noted(seen), day="2026-11-01")
    with pytest.raises(SourceError, match="2026-11-03 is empty"):
        run_stage(live, "tide.daily", noted(seen, failing=["2026-11-03"]), until="2026-11-04")
    last = ledger(live, "tide", "daily").iloc[-1]
    assert (last["status"], last["error"][:11]) == ("failed", "SourceError")
    run_stage(live, "tide.daily", noted(seen), until="2026-11-04")
    assert seen == [f"2026-11-0{day}" for day in range(1, 5)]


def test_a_run_that_died_is_marked_lost_and_its_date_done_again(live):
    run_stage(live, "tide.daily", noted([]), day="2026-11-01")
    dead = live.features.read(RUNS).assign(status="running", day=midnight(date(2026, 11, 2)), run_id="dead")
    live.features.write(RUNS, dead)
    run_stage(live, "tide.daily", noted([]), until="2026-11-02")
    runs = ledger(live, "tide", "daily")
    assert runs.set_index("run_id").loc["dead", "status"] == "lost"
    assert runs["status"].tolist().count("done") == 2


def test_two_runs_at_once_do_every_date_once(live):
    seen = []

    def slow(run: Run) -> Report:
        time.sleep(0.05)
        seen.append(run.day)
        return Report(rows=1)

    run_stage(live, "tide.daily", slow, day="2026-11-01")
    both = [
        threading.Thread(target=run_stage, args=(live, "tide.daily", slow), kwargs={"until": "2026-11-04"})
        for _ in "ab"
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(seen) == [date(2026, 11, day) for day in (1, 2, 3, 4)]


def test_the_demo_world_starts_a_month_ago_other_worlds_today(platform, live):
    assert due(live, "tide", "daily", TODAY) == [TODAY]
    month = due(platform, "tide", "daily", TODAY)
    assert (month[0], month[-1], len(month)) == (TODAY - timedelta(days=30), TODAY, 31)


def test_nothing_is_due_from_before_the_system_was_trained(platform):
    run_stage(platform, "tide.backfill", noted([]), day="2026-11-10")
    run_stage(platform, "tide.train", noted([]), day="2026-11-18")
    assert [day.day for day in due(platform, "tide", "daily", date(2026, 11, 20))] == [18, 19, 20]


def test_a_run_may_read_up_to_the_end_of_its_date(live):
    told = []
    run_stage(live, "tide.daily", lambda run: told.append(run.until) or Report(), day="2026-11-02")
    assert told == [datetime(2026, 11, 3, tzinfo=UTC)]


@pytest.mark.parametrize("text", ["2026-13-01", "yesterday", "20/11/2026", "2026-11-20; rm"])
def test_a_text_that_is_no_date_says_how_to_write_one(text):
    with pytest.raises(UsageError, match="write it as 20"):
        parse_day(text, "demo")


def test_only_the_demo_world_has_a_future():
    assert parse_day("2199-01-01", "demo") == date(2199, 1, 1)
    with pytest.raises(UsageError, match="in the future"):
        parse_day("2199-01-01", "live")


def test_an_hour_on_an_a10_costs_what_the_price_table_says_and_ones_own_machine_nothing():
    assert cost_usd(3600, Machine("modal", cpu_cores=1, memory_gib=2, gpu="A10")) == pytest.approx(
        3600 * (0.0000131 + 2 * 0.00000222 + 0.000306)
    )
    assert cost_usd(3600, Machine()) == 0
    assert cost_usd(1, Machine("modal", gpu="A10:2")) == pytest.approx(2 * 0.000306)


def test_a_run_on_modal_is_priced_in_the_ledger(live, monkeypatch):
    monkeypatch.setenv("ALMANAC_MACHINE", '{"where": "modal", "cpu_cores": 1, "memory_gib": 1, "gpu": "T4"}')
    run_stage(live, "tide.daily", lambda run: time.sleep(0.02) or Report(), day="2026-11-02")
    (row,) = live.features.read(RUNS).to_dict("records")
    assert row["machine"] == "modal"
    assert row["cost_usd"] == pytest.approx(row["seconds"] * (0.0000131 + 0.00000222 + 0.000164))


def test_the_ledger_is_a_table_like_any_other(live):
    run_stage(live, "tide.daily", noted([]), day="2026-11-02")
    assert isinstance(ledger(live), pd.DataFrame)
    assert "runs" in [table.name for table in live.features.tables()]


def test_an_interrupted_run_says_what_the_same_command_does_and_the_ledger_keeps_it(live):
    def pressed(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="interrupted; the same command does 2026-11-02 again"):
        run_stage(live, "tide.daily", pressed, day="2026-11-02")
    (row,) = live.features.read(RUNS).to_dict("records")
    assert (row["status"], row["error"]) == ("failed", "interrupted; the same command does 2026-11-02 again")


def test_a_body_that_knows_better_where_it_goes_on_says_so_itself(live):
    def pressed(_):
        raise KeyboardInterrupt("interrupted at step 7; the same command goes on after step 5")

    with pytest.raises(KeyboardInterrupt, match="goes on after step 5"):
        run_stage(live, "tide.daily", pressed, day="2026-11-02")
    assert live.features.read(RUNS)["error"].tolist() == [
        "interrupted at step 7; the same command goes on after step 5"
    ]


def test_who_waits_for_another_run_is_told_since_when_that_one_runs(live, caplog):
    begun, end = threading.Event(), threading.Event()

    def long(_):
        begun.set()
        end.wait(20)
        return Report()

    first = threading.Thread(target=run_stage, args=(live, "tide.daily", long), kwargs={"day": "2026-11-02"})
    first.start()
    begun.wait(20)
    heard = Ending(end)
    logging.getLogger("almanac").addHandler(heard)
    try:
        with caplog.at_level(logging.INFO, "almanac"):
            run_stage(live, "tide.daily", noted([]), day="2026-11-03")
    finally:
        logging.getLogger("almanac").removeHandler(heard)
        end.set()
        first.join()
    since = live.features.read(RUNS)["started_at"].min()
    (said,) = [one for one in caplog.messages if "another run" in one]
    assert said == f"tide daily: another run, begun {since:%Y-%m-%d %H:%M} UTC, holds it; waiting at most 10 min"


class Ending(logging.Handler):
    """Ends the first run as soon as the second one says that it waits."""

    def __init__(self, end):
        super().__init__()
        self.end = end

    def emit(self, record):
        if "another run" in record.getMessage():
            self.end.set()


def test_progress_counts_the_dates_that_this_run_does(live, caplog):
    with caplog.at_level(logging.INFO, "almanac"):
        run_stage(live, "tide.daily", noted([]), day="2026-11-02")
        run_stage(live, "tide.daily", noted([]), until="2026-11-04")
    told = [(one.getMessage(), one.__dict__.get("due"), one.__dict__.get("done")) for one in caplog.records]
    assert {one.counts for one in caplog.records} == {"dates of tide daily"}
    assert told == [
        ("tide daily: 1 due", 1, None),
        ("tide daily 2026-11-02: 2 rows", None, 1),
        ("tide daily: 2 due", 2, None),
        ("tide daily 2026-11-03: 2 rows", None, 1),
        ("tide daily 2026-11-04: 2 rows", None, 2),
    ]
