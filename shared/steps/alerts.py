"""What somebody should know, told once: exceedances ahead, silent sources, failed runs.

    forecasts ──► exceedances ┐
    last words ─► silences ───┼─► alerts ── raise_alerts ──► rows, unsent ──► one message ──► rows, sent
    the ledger ─► failures ───┘

A row is written before its message goes out and marked as sent after: a run killed in between tells again, as an alert
told twice costs less than one lost. What could not be sent is tried again by the runs of the next days.

A system's table of alerts has the columns of ``COLUMNS`` and one more for the subject, such as ``station``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from shared.errors import BackendError, MissingExtraError, UsageError
from shared.runs import ledger, midnight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.ports import Platform
    from shared.runs import Run
    from shared.tables import Table

MOST_LINES = 20  # of one message
LONGEST_LINE = 300  # characters
MEMORY_DAYS, LONGEST_EPISODE_DAYS = 60, 45  # the memory must hold the beginning of every episode that keeps its name
TRIED_FOR_DAYS = 3  # after the business date; then an alert is no news any more
COLUMNS = ("alert", "raised_at", "kind", "day", "message", "sent")  # beside the one for the subject


@dataclass(frozen=True)
class Alert:
    """One thing to know: its kind, what it is about, the name under which it is told once, and a sentence."""

    kind: str
    subject: str
    key: str
    message: str


@dataclass(frozen=True)
class Raised:
    """What came of alerts: rows new or changed, how many were sent, and what a run should say of it."""

    rows: int
    sent: int
    note: str


def exceedances(forecasts: pd.DataFrame, day: date, *, chance: str, what: str, at_least: float = 0.5) -> list[Alert]:
    """Return an alert for each episode that the run of ``day`` expects: neighbouring days on which ``what`` is likely.

    An episode grows as runs see more of it, at either end, and keeps the name that its first run gave it:
    exceedance/station/first day as seen then. After a day that no run expected to be one, another begins. One that is
    older than LONGEST_EPISODE_DAYS takes the name of the month, so it is told again once a month.

    Args:
        forecasts: ``station, day, lead`` and ``chance``, for the last MEMORY_DAYS and from now on. Lead 1 is the day of
            the run itself; what later runs said is left out.
        day: business date of the run.
        chance: the column with the probability.
        what: what is exceeded, for the message: "PM2.5 above 25 µg/m³".
        at_least: the probability from which a day counts.

    >>> rows = pd.DataFrame({"station": "delft", "day": pd.to_datetime(["2026-11-21", "2026-11-22"], utc=True)})
    >>> rows = rows.assign(lead=[1, 2], p25=[0.6, 0.8])
    >>> exceedances(rows, date(2026, 11, 21), chance="p25", what="PM2.5 above 25 µg/m³")[0].message
    'delft: PM2.5 above 25 µg/m³ is likely from 2026-11-21 to 2026-11-22 (80 % on 2026-11-22)'
    """
    likely = forecasts.loc[forecasts[chance] >= at_least, ["station", "day", "lead", chance]]
    rows = likely.sort_values(["station", "day"])
    rows = rows.assign(run=rows["day"] - pd.to_timedelta(rows["lead"] - 1, unit="D")).reset_index(drop=True)
    rows = rows[rows["run"] <= midnight(day)]
    neighbours = rows["day"].diff().isin([pd.Timedelta(0), pd.Timedelta(days=1)])
    episode = (~neighbours | rows["station"].ne(rows["station"].shift())).cumsum()
    expected = rows[rows.groupby(episode)["run"].transform("max") == midnight(day)]
    return [_exceedance(one.rename(columns={chance: "chance"}), day, what) for _, one in expected.groupby(episode)]


def silences(last_heard: pd.Series, day: date, *, after_days: int = 3) -> list[Alert]:
    """Return an alert for each subject of the index that said nothing for ``after_days`` days or more before ``day``.

    ``last_heard`` holds times, blank where it never spoke. The name is stale/subject/date of the last word, so a new
    silence is a new alert.

    >>> silences(pd.Series(pd.to_datetime(["2026-11-17T22:00Z"]), index=["delft"]), date(2026, 11, 21))[0].message
    'delft: silent for 4 days, since 2026-11-17'
    """
    found = []
    for subject, heard in last_heard.items():
        if pd.isna(heard):
            found.append(Alert("stale", str(subject), f"stale/{subject}/never", f"{subject}: was never heard"))
        elif (days := (midnight(day) - heard.floor("D")).days) >= after_days:
            since = f"{heard:%Y-%m-%d}"
            told = f"{subject}: silent for {days} days, since {since}"
            found.append(Alert("stale", str(subject), f"stale/{subject}/{since}", told))
    return found


def failures(platform: Platform, run: Run, days: int = 7) -> list[Alert]:
    """Return an alert for each stage and business date of the run's system that failed within ``days`` days before it.

    The subject is the stage; the name failed/stage/date, so that tries of one date are told once.
    """
    runs = ledger(platform, run.system)
    since = run.started_at - timedelta(days=days)
    bad = runs[runs["status"].isin(("failed", "lost")) & runs["started_at"].between(since, run.started_at)]
    return [_failure(str(stage), tries) for (stage, _), tries in bad.groupby(["stage", "day"])]


def raise_alerts(platform: Platform, run: Run, table: Table, alerts: Sequence[Alert]) -> Raised:
    """Write alerts that are new, and send in one message what was not sent yet and is no older than three days.

    A notifier that is down, or not set up right, never fails the run: the note says so, and the rows stay unsent.

    Raises:
        BusyError: another run was telling for five minutes.
    """
    with platform.features.lock(f"{run.system}.alerts", wait_s=300):
        written = platform.features.write(table, _unsent(platform.features.read(table), run, table, alerts))
        waiting = _waiting(platform.features.read(table), run)  # read again: what the table refused is not sent
        problem = _tell(platform, run.system, table, waiting)
        told = waiting.head(0) if problem else waiting
        platform.features.write(table, told.assign(sent=True))
    refused = f"{table.name} refused {written.quarantined}" if written.quarantined else ""
    return Raised(written.rows, len(told), "; ".join(filter(None, (problem, refused))))


def _exceedance(episode: pd.DataFrame, day: date, what: str) -> Alert:
    station, begun = str(episode["station"].iloc[0]), episode["run"].min()
    now = episode[episode["run"] == midnight(day)]
    peak = now.loc[now["chance"].idxmax()]
    first, last = f"{now['day'].min():%Y-%m-%d}", f"{now['day'].max():%Y-%m-%d}"
    when = f"on {first}" if first == last else f"from {first} to {last}"
    told = f"{station}: {what} is likely {when} ({100 * peak['chance']:.0f} % on {peak['day']:%Y-%m-%d})"
    endless = begun < midnight(day - timedelta(days=LONGEST_EPISODE_DAYS))
    name = f"{day:%Y-%m}" if endless else f"{episode.loc[episode['run'] == begun, 'day'].min():%Y-%m-%d}"
    return Alert("exceedance", station, f"exceedance/{station}/{name}", told)


def _failure(stage: str, tries: pd.DataFrame) -> Alert:
    newest = tries.sort_values("started_at").iloc[-1]
    day, often = f"{newest['day']:%Y-%m-%d}", "once" if len(tries) == 1 else f"{len(tries)} times"
    return Alert("failed", stage, f"failed/{stage}/{day}", f"{stage} of {day} failed {often}: {newest['error']}")


def _unsent(kept: pd.DataFrame, run: Run, table: Table, alerts: Sequence[Alert]) -> pd.DataFrame:
    """Return rows of the alerts not sent before; one that is raised again is news again, under its first time."""
    (subject,), known = {*table.names} - {*COLUMNS}, kept.set_index("alert")
    rows = [
        {
            **{"alert": key, "kind": alert.kind, subject: alert.subject, "message": alert.message, "sent": False},
            **{"raised_at": known["raised_at"].get(key, run.started_at), "day": midnight(run.day)},
        }
        for key, alert in {alert.key: alert for alert in alerts}.items()
        if not known["sent"].get(key, False)
    ]
    return pd.DataFrame(rows, columns=table.names)


def _waiting(kept: pd.DataFrame, run: Run) -> pd.DataFrame:
    """Return the rows to send: not sent yet, of the run's date or before, and still news."""
    oldest = midnight(run.started_at.date() - timedelta(days=TRIED_FOR_DAYS))
    return kept[~kept["sent"] & (kept["day"] <= midnight(run.day)) & (kept["day"] >= oldest)]


def _tell(platform: Platform, system: str, table: Table, waiting: pd.DataFrame) -> str:
    """Send what waits; return why it could not be sent, '' when it was or nothing waits.

    A setting that is wrong is told every day, not only once there is something to send.
    """
    try:
        if platform.notifier.configured and len(waiting):
            platform.notifier.send(*_digest(platform.world, system, table, waiting))
        elif len(waiting):
            return f"{_count(waiting)}, and nobody is told: ALMANAC_NOTIFY is not set"
    except (BackendError, UsageError, MissingExtraError) as failure:
        return f"{_count(waiting)} could not be sent: {failure}"
    return ""


def _digest(world: str, system: str, table: Table, waiting: pd.DataFrame) -> tuple[str, str]:
    """Return a title and a body of at most MOST_LINES lines and a last one."""
    marked = {"demo": " (simulated)", "replay": " (recorded)"}.get(world, "")
    ordered = waiting.sort_values(["kind", "alert"])["message"]
    lines = [" ".join(message.split())[:LONGEST_LINE] for message in ordered.head(MOST_LINES)]
    if len(ordered) > MOST_LINES:
        lines.append(f"and {len(ordered) - MOST_LINES} more: almanac table {table.name}")
    return f"{system}: {_count(waiting)}{marked}", "\n".join(lines)


def _count(waiting: pd.DataFrame) -> str:
    return "1 alert" if len(waiting) == 1 else f"{len(waiting)} alerts"
