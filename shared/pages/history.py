"""What happened to a system, as tables for its monitor: which version of its model serves and why, and its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.pages.pieces import table
from shared.runs import ledger
from shared.steps.promotion import PROMOTIONS

if TYPE_CHECKING:
    from markupsafe import Markup

    from shared.ports import Platform

MOST_ROWS = 15


def versions(platform: Platform, model: str) -> Markup:
    """Return the latest decisions about the versions of a model, newest first, each with its reason."""
    decided = platform.features.read(PROMOTIONS)
    latest = decided[decided["model"] == model].sort_values("decided_at", ascending=False).head(MOST_ROWS)
    rows = [
        {
            "Date": f"{row['day']:%Y-%m-%d}",
            "Version": row["version"],
            "Verdict": row["verdict"].replace("_", " "),
            "Why": row["reason"],
        }
        for row in latest.to_dict("records")
    ]
    return table("Which version serves, and why", rows)


def latest_runs(platform: Platform, system: str) -> Markup:
    """Return the latest runs of a system's stages, newest first, each with what went wrong."""
    rows = [
        {
            "Date": f"{row['day']:%Y-%m-%d}",
            "Stage": row["stage"],
            "Status": row["status"],
            "Started (UTC)": f"{row['started_at']:%Y-%m-%d %H:%M}",
            "Took": f"{row['seconds']:.1f} s",
            "Rows": row["rows"],
            "Trouble": row["error"] if isinstance(row["error"], str) else "",
        }
        for row in ledger(platform, system).iloc[::-1].head(MOST_ROWS).to_dict("records")
    ]
    return table("Latest runs", rows)
