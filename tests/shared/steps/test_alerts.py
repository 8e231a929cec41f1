"""What somebody should know is told once, however often it is found, and never lost while the notifier is down."""

from datetime import UTC, date, datetime, timedelta
from threading import Thread
from types import SimpleNamespace

import pandas as pd
import pytest

from shared.adapters.notifier import AppriseNotifier
from shared.errors import BackendError, MissingExtraError, UsageError
from shared.runs import RUNS, Report, Run, midnight, run_stage
from shared.steps.alerts import Alert, exceedances, failures, raise_alerts, silences
from shared.tables import Column, Table

ALERTS = Table(
    "tide_alerts",
    (
        Column("alert", "text"),
        Column("raised_at", "time"),
        Column("kind", "text", allowed=("exceedance", "stale", "failed")),
        Column("port", "text"),
        Column("day", "time"),
        Column("message", "text"),
        Column("sent", "flag"),
    ),
    key=("alert",),
    event_time="raised_at",
)
HIGH = Alert("exceedance", "delft", "exceedance/delft/2026-11-22", "delft: high water is likely")
STALE = Alert("stale", "gouda", "stale/gouda/2026-11-17", "gouda: silent for 4 days")


class Inbox:
    """A notifier that keeps what it is sent, or fails as it is told."""

    configured = True

    def __init__(self):
        self.got, self.failure = [], None

    def send(self, title, body):
        if self.failure:
            raise self.failure
        self.got.append((title, body))


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def told(features, inbox):
    """Raise alerts as the run of a day of November does, 6:45 on that day unless told."""
    platform = SimpleNamespace(features=features, notifier=inbox, world="live")

    def tell(day, *alerts, started=None):
        return raise_alerts(platform, run(day, started), ALERTS, alerts)

    tell.platform = platform
    tell.rows = lambda: features.read(ALERTS).set_index("alert")
    return tell


def run(day, started=None):
    day = date(2026, 11, 1) + timedelta(days=day - 1)
    return Run("run", "tides", "daily", day, started or midnight(day) + timedelta(hours=6, minutes=45), "code")


def test_an_alert_is_sent_once_and_kept_as_a_row(told, inbox):
    found = told(21, HIGH)
    assert (found.rows, found.sent, found.note) == (1, 1, "")
    assert inbox.got == [("tides: 1 alert", "delft: high water is likely")]
    row = told.rows().loc[HIGH.key]
    assert (row["kind"], row["port"], row["message"], row["sent"]) == ("exceedance", "delft", HIGH.message, True)
    assert row["day"] == pd.Timestamp("2026-11-21", tz="UTC")
    assert row["raised_at"] == pd.Timestamp("2026-11-21T06:45Z")


def test_what_was_sent_is_not_sent_again_the_same_day_or_another(told, inbox):
    told(21, HIGH)
    told(21, HIGH)
    found = told(22, HIGH)
    assert (found.rows, found.sent) == (0, 0)
    assert len(inbox.got) == 1


def test_two_alerts_of_one_name_in_one_run_are_one(told, inbox):
    told(21, HIGH, HIGH)
    assert inbox.got[0][0] == "tides: 1 alert"


def test_new_alerts_are_sent_together_and_the_old_ones_stay_out(told, inbox):
    told(21, HIGH)
    told(22, HIGH, STALE, Alert("failed", "daily", "failed/daily/2026-11-20", "daily of 2026-11-20\nfailed"))
    assert inbox.got[1] == ("tides: 2 alerts", "daily of 2026-11-20 failed\ngouda: silent for 4 days")


def test_without_alerts_nothing_is_written_or_sent(told, inbox):
    found = told(21)
    assert (found.rows, found.sent, found.note, inbox.got) == (0, 0, "", [])


@pytest.mark.parametrize("failure", [BackendError("address 1 is down"), UsageError("no"), MissingExtraError("no")])
def test_a_notifier_that_fails_never_fails_the_run_and_the_note_says_so(told, inbox, failure):
    inbox.failure = failure
    found = told(21, HIGH, STALE)
    assert (found.rows, found.sent) == (2, 0)
    assert found.note == f"2 alerts could not be sent: {failure}"
    assert not told.rows()["sent"].any()


def test_what_could_not_be_sent_goes_out_with_the_next_run(told, inbox):
    inbox.failure = BackendError("down")
    told(21, HIGH)
    inbox.failure = None
    told(22, STALE)
    assert inbox.got == [("tides: 2 alerts", "delft: high water is likely\ngouda: silent for 4 days")]
    assert told.rows()["sent"].all()


@pytest.mark.parametrize(("day", "sent"), [(24, 1), (25, 0)])
def test_after_three_days_an_unsent_alert_is_no_news_any_more(told, inbox, day, sent):
    inbox.failure = BackendError("down")
    told(21, HIGH)
    inbox.failure = None
    assert told(day).sent == sent


def test_an_unsent_alert_that_is_raised_again_is_news_again_with_its_new_text(told, inbox):
    inbox.failure = BackendError("down")
    told(21, HIGH)
    inbox.failure = None
    told(26, Alert(HIGH.kind, HIGH.subject, HIGH.key, "delft: higher"))
    assert inbox.got == [("tides: 1 alert", "delft: higher")]
    assert told.rows().loc[HIGH.key, "raised_at"] == pd.Timestamp("2026-11-21T06:45Z")


def test_a_month_that_is_caught_up_tells_only_of_its_last_days(told, inbox):
    now = datetime(2026, 11, 28, 9, tzinfo=UTC)
    for day in range(1, 29):
        told(day, Alert("stale", "delft", f"stale/delft/{day}", f"day {day}"), started=now)
    assert [body for _, body in inbox.got] == ["day 25", "day 26", "day 27", "day 28"]
    assert len(told.rows()) == 28


def test_a_run_of_an_earlier_date_does_not_send_what_a_later_one_raised(told, inbox):
    inbox.failure = BackendError("down")
    told(22, HIGH)
    inbox.failure = None
    assert told(21, started=datetime(2026, 11, 22, 9, tzinfo=UTC)).sent == 0


def test_without_anybody_to_tell_alerts_are_rows_and_a_note(told, inbox):
    inbox.configured = False
    found = told(21, HIGH)
    assert (found.rows, found.sent) == (1, 0)
    assert found.note == "1 alert, and nobody is told: ALMANAC_NOTIFY is not set"
    assert inbox.got == []


def test_a_setting_that_is_wrong_is_noted_before_there_is_anything_to_send(told):
    pytest.importorskip("apprise")
    told.platform.notifier = AppriseNotifier("pigeon://loft")
    assert "address 1 (pigeon://) is refused" in told(21).note


def test_a_hundred_alerts_are_one_message_of_twenty_lines_and_a_last_one(told, inbox):
    found = told(21, *(Alert("stale", f"s{n:03}", f"stale/s{n:03}/x", f"s{n:03}: " + "x" * 999) for n in range(100)))
    [(title, body)] = inbox.got
    lines = body.splitlines()
    assert title == "tides: 100 alerts"
    assert len(lines) == 21
    assert lines[0].startswith("s000: xxx")
    assert max(map(len, lines)) == 300
    assert lines[-1] == "and 80 more: almanac table tide_alerts"
    assert found.sent == 100


@pytest.mark.parametrize(("world", "marked"), [("demo", " (simulated)"), ("replay", " (recorded)")])
def test_a_message_says_when_its_world_is_not_the_real_one(told, inbox, world, marked):
    told.platform.world = world
    told(21, HIGH)
    assert inbox.got[0][0] == f"tides: 1 alert{marked}"


def test_an_alert_that_does_not_fit_the_table_is_not_sent_and_the_note_says_so(told, inbox):
    found = told(21, HIGH, Alert("gossip", "delft", "gossip/delft", "psst"))
    assert found.note == "tide_alerts refused 1"
    assert [title for title, _ in inbox.got] == ["tides: 1 alert"]


def test_a_run_killed_between_sending_and_marking_tells_again(told, inbox, monkeypatch):
    write, killed = told.platform.features.write, []

    def dies_once(table, rows):
        if len(rows) and rows["sent"].any() and not killed:
            killed.append(True)
            raise KeyboardInterrupt
        return write(table, rows)

    monkeypatch.setattr(told.platform.features, "write", dies_once)
    with pytest.raises(KeyboardInterrupt):
        told(21, HIGH)
    told(22)
    assert len(inbox.got) == 2


def test_two_runs_at_once_tell_once(told, inbox):
    threads = [Thread(target=told, args=(21, HIGH)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(inbox.got) == 1


def forecast(run_day, chances, station="delft"):
    """The rows of one run: the chance of each day from its own on."""
    days = pd.date_range(run_day, periods=len(chances), tz="UTC")
    return pd.DataFrame({"station": station, "day": days, "lead": range(1, len(chances) + 1), "p25": chances})


def expected(day, *runs):
    return exceedances(pd.concat(runs), date.fromisoformat(day), chance="p25", what="a flood")


def test_neighbouring_days_are_one_episode_and_a_gap_begins_another():
    found = expected("2026-11-21", forecast("2026-11-21", [0.1, 0.5, 0.9, 0.49, 0.6, 0.1, 0.1]))
    assert [one.key for one in found] == ["exceedance/delft/2026-11-22", "exceedance/delft/2026-11-25"]
    assert [one.message for one in found] == [
        "delft: a flood is likely from 2026-11-22 to 2026-11-23 (90 % on 2026-11-23)",
        "delft: a flood is likely on 2026-11-25 (60 % on 2026-11-25)",
    ]


def test_an_episode_keeps_its_name_while_runs_see_it_begin_earlier_last_longer_and_pass():
    first = forecast("2026-11-20", [0, 0, 0.8, 0.8, 0, 0, 0])
    earlier = forecast("2026-11-21", [0.9, 0.8, 0.8, 0.9, 0, 0, 0])
    passing = forecast("2026-11-24", [0.9, 0.8, 0, 0, 0, 0, 0])
    for day, runs in (
        ("2026-11-20", [first]),
        ("2026-11-21", [first, earlier]),
        ("2026-11-24", [first, earlier, passing]),
    ):
        assert [one.key for one in expected(day, *runs)] == ["exceedance/delft/2026-11-22"]


def test_what_earlier_runs_expected_and_this_one_does_not_is_no_alert():
    first, calm = forecast("2026-11-20", [0, 0.8, 0.8]), forecast("2026-11-21", [0.1, 0.1, 0.1])
    assert expected("2026-11-21", first, calm) == []


def test_what_later_runs_said_is_not_known_to_an_earlier_date():
    now, later = forecast("2026-11-21", [0, 0, 0.9]), forecast("2026-11-22", [0.9, 0.9, 0.9])
    assert expected("2026-11-21", now, later) == expected("2026-11-21", now)


def test_stations_do_not_continue_each_others_episodes():
    found = expected("2026-11-21", forecast("2026-11-21", [0.9]), forecast("2026-11-21", [0, 0.9], "gouda"))
    assert [one.key for one in found] == ["exceedance/delft/2026-11-21", "exceedance/gouda/2026-11-22"]


def test_no_forecasts_and_blank_chances_are_no_alert():
    rows = forecast("2026-11-21", [0.9, 0.9])
    assert expected("2026-11-21", rows.head(0)) == []
    assert expected("2026-11-21", rows.assign(p25=float("nan"))) == []


def test_half_a_year_of_bad_air_is_told_about_once_a_month():
    days = pd.date_range("2026-01-01", periods=180)
    runs, keys = [forecast(f"{day:%Y-%m-%d}", [0.9] * 7) for day in days], []
    for number in range(180):
        keys += [one.key for one in expected(f"{days[number]:%Y-%m-%d}", *runs[max(0, number - 60) : number + 1])]
    months = [f"exceedance/delft/2026-{month:02}" for month in (2, 3, 4, 5, 6)]
    assert list(dict.fromkeys(keys)) == ["exceedance/delft/2026-01-01", *months]


def heard(**times):
    return pd.Series(pd.to_datetime(list(times.values()), utc=True), index=list(times))


def test_a_silence_counts_whole_days_and_each_new_one_is_a_new_alert():
    last = heard(delft="2026-11-18T23:00Z", gouda="2026-11-19T00:00Z")
    assert [one.key for one in silences(last, date(2026, 11, 21))] == ["stale/delft/2026-11-18"]
    assert [one.key for one in silences(last, date(2026, 11, 24))] == [
        "stale/delft/2026-11-18",
        "stale/gouda/2026-11-19",
    ]
    assert silences(heard(delft="2026-11-29"), date(2026, 12, 2))[0].key == "stale/delft/2026-11-29"


def test_a_station_that_never_spoke_is_told_about_once():
    [found] = silences(pd.Series([pd.NaT], index=["delft"]), date(2026, 11, 21))
    assert (found.key, found.message) == ("stale/delft/never", "delft: was never heard")


def lived(platform, day, *failing):
    """Run tides.daily of a date; before it succeeds it fails once for each of ``failing``."""

    def body(run):
        if tries:
            raise BackendError(tries.pop(0))
        return Report()

    tries = list(failing)
    for _ in failing:
        with pytest.raises(BackendError):
            run_stage(platform, "tides.daily", body, day=day)
    run_stage(platform, "tides.daily", body, day=day)


def test_tries_of_one_date_that_failed_are_one_alert_with_the_last_reason(features):
    platform = SimpleNamespace(features=features, world="demo")
    lived(platform, "2026-11-20", "the sea is closed", "the sea is down")
    lived(platform, "2026-11-21")
    [found] = failures(platform, run(21, datetime.now(UTC)))
    assert (found.kind, found.subject, found.key) == ("failed", "daily", "failed/daily/2026-11-20")
    assert found.message == "daily of 2026-11-20 failed 2 times: BackendError: the sea is down"


def test_failures_of_last_week_and_of_other_systems_are_not_told(features):
    platform = SimpleNamespace(features=features, world="demo")
    lived(platform, "2026-11-20", "down")
    later = datetime.now(UTC) + timedelta(days=8)
    assert failures(platform, run(21, later)) == []
    other = Run("run", "iris", "daily", date(2026, 11, 21), datetime.now(UTC), "code")
    assert failures(platform, other) == []


def test_a_killed_run_is_a_failure_too(features):
    platform = SimpleNamespace(features=features, world="demo")
    lived(platform, "2026-11-20")
    features.write(
        RUNS, features.read(RUNS).assign(status="lost", error="killed", started_at=midnight(date(2026, 11, 20)))
    )
    assert failures(platform, run(21))[0].message == "daily of 2026-11-20 failed once: killed"
