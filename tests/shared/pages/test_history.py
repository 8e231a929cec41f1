"""What happened to a system, newest first."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from shared.errors import SourceError
from shared.pages.history import MOST_ROWS, latest_runs, versions
from shared.ports import ModelVersion
from shared.runs import Report, run_stage
from shared.steps.promotion import Verdict, record


def decide(platform, version, verdict, reason, model="tides"):
    judged = ModelVersion(name=model, version=version, folder=Path(), metrics={})
    at = datetime(2026, 11, 10, 6, version, tzinfo=UTC)
    record(platform, judged, Verdict(verdict, reason, {}), day=date(2026, 11, 10), decided_at=at, run_id="")


def cells(table):
    return re.findall("<td>(.*?)</td>", table)


def test_decisions_come_newest_first_with_their_reason(platform):
    decide(platform, 1, "promoted", "It beats the lunar table.")
    decide(platform, 2, "waits", "It is no better <yet>.")
    decide(platform, 1, "promoted", "Of another model.", model="winds")
    assert cells(versions(platform, "tides")) == [
        *("2026-11-10", "2", "waits", "It is no better &lt;yet&gt;."),
        *("2026-11-10", "1", "promoted", "It beats the lunar table."),
    ]


def test_runs_come_newest_first_with_what_went_wrong(platform):
    def fail(run):
        raise SourceError("no column height")

    run_stage(platform, "tides.daily", lambda run: Report(rows=3), day="2026-11-09")
    with pytest.raises(SourceError):
        run_stage(platform, "tides.daily", fail, day="2026-11-10")
    shown = cells(latest_runs(platform, "tides"))
    assert shown[:3] == ["2026-11-10", "daily", "failed"]
    assert "no column height" in shown[6]
    assert shown[7:10] == ["2026-11-09", "daily", "done"]
    assert shown[12:] == ["3", ""]


def test_only_the_latest_runs_are_shown(platform):
    for day in range(1, MOST_ROWS + 3):
        run_stage(platform, "tides.daily", lambda run: Report(), day=f"2026-11-{day:02}")
    assert cells(latest_runs(platform, "tides"))[::7][-1] == "2026-11-03"


def test_a_system_without_a_history_says_so(platform):
    assert "Nothing yet." in versions(platform, "tides")
    assert "Nothing yet." in latest_runs(platform, "tides")
