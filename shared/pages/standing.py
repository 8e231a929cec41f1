"""How a system stands, from the ledger: the newest date that is done, the last run, the headline figure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from shared.pages import pieces
from shared.pages.words import ago, sentence
from shared.runs import ledger, parse_day

if TYPE_CHECKING:
    from shared.ports import Platform

STALE_DAYS = 2  # a daily system that is older has missed a run


@dataclass(frozen=True)
class Standing:
    """The newest date done (None: no daily run yet), the last run of any stage, and the newest figures.

    Those are of the last daily run; of a system that has none, of the last run of any stage that has a figure.
    """

    newest: date | None
    ran_at: datetime
    stage: str
    status: str
    error: str = ""
    headline: str = ""
    value: float | None = None
    baseline: float | None = None

    def worries(self, today: date) -> list[str]:
        """Return what a reader must know before believing the figures: they are old, or the last run failed."""
        days = (today - self.newest).days if self.newest else 0
        stale = f"These figures are {days} days old: run `almanac day`" if days > STALE_DAYS else ""
        failed = f"The last run ({self.stage}) did not end well: {sentence(self.error)}" if self.error else ""
        return [why for why in (stale, failed) if why]


def standing(platform: Platform, system: str) -> Standing | None:
    """Return how ``system`` stands; None when it has never run."""
    runs = ledger(platform, system)
    if runs.empty:
        return None
    last = runs.iloc[-1]
    ended = runs[runs["status"] == "done"]
    done = ended[ended["stage"] == "daily"].sort_values("day")
    reports = map(json.loads, ended["report"].iloc[::-1] if done.empty else done["report"].iloc[-1:])
    report: dict[str, Any] = next((one for one in reports if one.get("headline")), {})
    headline = report.get("headline", "")
    return Standing(
        newest=None if done.empty else done["day"].iloc[-1].date(),
        ran_at=last["started_at"].to_pydatetime(),
        stage=str(last["stage"]),
        status=str(last["status"]),
        error=str(last["error"]) if last["status"] in ("failed", "lost") else "",
        headline=headline,
        value=report["metrics"].get(headline) if headline else None,
        baseline=report["baselines"].get(headline) if headline else None,
    )


def head(platform: Platform, system: str) -> Markup:
    """Return what stands at the top of a page: the banner of the world, and how fresh the system is."""
    return pieces.banner(platform.world) + freshness(standing(platform, system), parse_day("today", platform.world))


def freshness(stands: Standing | None, today: date) -> Markup:
    """Return how old the newest date is, with a warning when it is older than two days or the last run failed."""
    if stands is None:
        return Markup("")
    when = f"{stands.newest} ({ago(stands.newest, today)})" if stands.newest else "none yet"
    ran = f"{stands.stage} {stands.status}, {stands.ran_at:%Y-%m-%d %H:%M} UTC"
    line = Markup('<p class="al-freshness">Newest date: <strong>{}</strong> · Last run: {}</p>').format(when, ran)
    return line + Markup("").join(pieces.notice(why, "warning") for why in stands.worries(today))
