"""How good the model is, as the chat's page tells it: figures beside the base's and the champion's, data, versions.

EVALUATIONS of the newest judgement ──► a row a figure        CLEANING of each source ──► what its filters took away
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from shared.pages import pieces
from shared.pages.history import latest_runs, versions
from shared.pages.words import sentence_case
from shared.systems.assistant.tables import CLEANING, EVALUATIONS, MODEL, SUBJECTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from shared.ports import Platform

WHO = dict(zip(SUBJECTS, ("Fine-tuned", "Its base", "Served then"), strict=True))
ABOUT = (
    "bounds are 95\u00a0% intervals over conversations; lower losses are better. The loss is the mean over "
    "conversations of nats a token, or a byte of the answers where tokenizers differ; perplexity is over all tokens. "
    "All of it is about form: "
    "nothing here measures whether what a model says is true."
)


def judged(platform: Platform) -> Markup:
    """Return how the newest fine-tuning was judged, what it learned from, which versions serve, and the latest runs."""
    figures = platform.features.read(EVALUATIONS)
    newest = figures[figures["evaluated_at"] == figures["evaluated_at"].max()]
    data = kept(platform.features.read(CLEANING))
    return pieces.parts([beside(newest), data, versions(platform, MODEL), latest_runs(platform, "assistant")])


def beside(figures: pd.DataFrame) -> Markup:
    """Return a row a figure of one judgement: the fine-tuned model, its base, and what served then, where there was."""
    nothing = "Nothing was judged yet."
    if figures.empty:
        return pieces.table("How it was judged", [], nothing)
    cells: dict[str, dict[str, str]] = {}
    for row in figures.to_dict("records"):
        cells.setdefault(row["figure"], {})[WHO[row["subject"]]] = _figure(row)
    there = [name for name in WHO.values() if any(name in one for one in cells.values())]
    counts = figures.groupby("figure")["count"].max()
    rows = [
        {"Figure": _named(name), **{who: one.get(who, "") for who in there}, "Judged on": counts[name]}
        for name, one in cells.items()
    ]
    first = figures.iloc[0]
    said = Markup('<p class="al-muted">{}, on {:%Y-%m-%d}: {}</p>').format(first["run"], first["evaluated_at"], ABOUT)
    return pieces.table("How the newest was judged", rows, nothing) + said


def kept(cleaning: pd.DataFrame) -> Markup:
    """Return what each filter took away from each source when it was last prepared."""
    newest = cleaning.groupby("source")["prepared_at"].transform("max")
    last = cleaning[cleaning["prepared_at"] == newest].sort_values(["source", "place"])
    rows = [
        {
            "Source": row["source"],
            "Filter": sentence_case(row["filter"].replace("_", " ")),
            "Left": f"{row['conversations']:,}",
            "Taken away": f"{row['removed']:,}",
        }
        for row in last.to_dict("records")
    ]
    return pieces.table("What it may learn from", rows, "No conversation was prepared yet.")


def _figure(row: Mapping[Any, Any]) -> str:
    if math.isnan(row["value"]):
        return ""
    sure = not (math.isnan(row["low"]) or math.isnan(row["high"]))
    return f"{row['value']:.3g}" + (f" ({row['low']:.3g}–{row['high']:.3g})" if sure else "")


def _named(figure: str) -> str:
    """Return a figure's name as words.

    >>> _named("meals:gram_overrun")
    'Meals: gram overrun'
    """
    return sentence_case(figure.replace("_", " ").replace(":", ": "))
