"""How a system stands, from the ledger: the newest date that is done, the last run, the headline figure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from markupsafe import Markup

from shared.pages import pieces
from shared.pages.words import ago, figure, sentence
from shared.runs import ledger, parse_day

if TYPE_CHECKING:
    from shared.ports import Platform

STALE_DAYS = 2  # a daily system that is older has missed a run


@dataclass(frozen=True)
class Standing:
    """The newest date done (None: no daily run yet), the last run of any stage, and the newest daily figures."""

    newest: date | None
    ran_at: datetime
    stage: str
    status: str
    error: str = ""
    headline: str = ""
    value: float | None = None
    baseline: float | None = None

    def skill(self) -> str:
        """Return the headline figure beside its baseline, as words."""
        if not self.headline:
            return ""
        beside = f" (baseline {figure(self.headline, self.baseline)})" if self.baseline is not None else ""
        return f"{self.headline} {figure(self.headline, self.value)}{beside}"


def standing(platform: Platform, system: str) -> Standing | None:
    """Return how ``system`` stands; None when it has never run."""
    runs = ledger(platform, system)
    if runs.empty:
        return None
    last = runs.iloc[-1]
    facts = {"ran_at": last["started_at"].to_pydatetime(), "stage": str(last["stage"]), "status": str(last["status"])}
    error = str(last["error"]) if last["status"] in ("failed", "lost") else ""
    done = runs[(runs["status"] == "done") & (runs["stage"] == "daily")].sort_values("day")
    if done.empty:
        return Standing(None, error=error, **facts)
    report = json.loads(done["report"].iloc[-1])
    headline = report["headline"]
    figures = (report[kind].get(headline) for kind in ("metrics", "baselines"))
    return Standing(done["day"].iloc[-1].date(), error=error, headline=headline, **facts, **_named(*figures))


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
    return line + Markup("").join(pieces.notice(why, "warning") for why in _worries(stands, today))


def _worries(stands: Standing, today: date) -> list[str]:
    old = stands.newest is not None and (today - stands.newest).days > STALE_DAYS
    stale = f"These figures are {(today - stands.newest).days} days old: run `almanac day`" if old else ""
    failed = f"The last run ({stands.stage}) did not end well: {sentence(stands.error)}" if stands.error else ""
    return [why for why in (stale, failed) if why]


def _named(value: float | None, baseline: float | None) -> dict[str, float | None]:
    return {"value": value, "baseline": baseline}
