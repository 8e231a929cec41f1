"""Iris monitor: every flower is predicted on the day it is picked; a day later we know whether that was right.

two dates ──► period ──► monitoring.watch ──► figures beside their baselines, charts, predictions beside outcomes
call      ──► iris_monitor (REST and MCP) ──► the figures as plain values
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import gradio as gr

from shared.connect import open_platform
from shared.pages import look, pieces
from shared.pages.guard import answered
from shared.pages.history import MOST_ROWS, latest_runs, versions
from shared.pages.pieces import Tile
from shared.pages.plots import chart, framed
from shared.pages.watching import Frame, Watched
from shared.pages.words import UNKNOWN, percent, plain, sure_of
from shared.steps import charts
from shared.systems.iris.inference import MODEL
from shared.systems.iris.monitoring import WINDOW_DAYS, Monitor, watch
from shared.systems.iris.tables import PREDICTIONS, VARIETIES

if TYPE_CHECKING:
    from datetime import date

    from markupsafe import Markup

    from shared.ports import Platform

SYSTEM = "iris"
PROMISED = 0.9  # how often a label set shall hold the truth


def iris_monitor(since: str = "", until: str = "") -> dict[str, Any]:
    """Tell how good the iris model was on the flowers picked in a period, beside its baseline.

    Args:
        since: First date, such as 2026-10-12; blank for 30 days before the last.
        until: Last date, such as 2026-11-10; blank for the newest there is.

    Returns:
        Accuracy and coverage (shares of 1, each with a 95 % interval), the accuracy of always naming the commonest
        variety, the counts of truth by guess, and the shift of each measure.
    """
    platform = open_platform()
    first, last = WATCHED.period(platform, since, until)
    seen = watch(platform, first, last)
    return {
        "since": first,
        "until": last,
        "outcomes": seen.accuracy.count,
        "predictions": len(seen.outcomes),
        "accuracy": asdict(seen.accuracy),
        "majority_accuracy": seen.majority,
        "coverage": {**asdict(seen.coverage), "promised": PROMISED},
        "set_size": seen.set_size,
        "confusion": {"truth_by_guess": seen.confusion.to_numpy().tolist(), "varieties": list(VARIETIES)},
        "drift": seen.drift[["column", "shift", "p_value", "drifted", "note"]].to_dict("records"),
    }


def _page(platform: Platform, first: date, last: date) -> list[Any]:
    seen = watch(platform, first, last)
    shift = seen.drift.assign(column=[plain(name) for name in seen.drift["column"]])
    figures = (
        charts.share_over_time(seen.rolling, seen.majority, ""),
        charts.confusion_heatmap(seen.confusion),
        charts.calibration_curve(seen.calibration),
        charts.drift_bars(shift).update_yaxes(title=None),
    )
    tables = (_outcomes(seen), versions(platform, MODEL), latest_runs(platform, SYSTEM))
    return [_headline(seen), *map(framed, figures), *tables]


def _headline(seen: Monitor) -> Markup:
    accuracy, coverage = seen.accuracy, seen.coverage
    baseline = f"always naming the commonest variety: {percent(seen.majority)}"
    return pieces.tiles(
        [
            Tile("Named rightly", percent(accuracy.value), f"{sure_of(accuracy)}; {baseline}"),
            Tile(
                "Truth among the varieties named",
                percent(coverage.value),
                f"{sure_of(coverage)}; promised: {percent(PROMISED)}",
            ),
            Tile(
                "Varieties named for a flower",
                f"{seen.set_size:.2f}" if accuracy.count else UNKNOWN,
                "on average; 1 is best, 3 says nothing",
            ),
            Tile(
                "Outcomes known", f"{accuracy.count} of {len(seen.outcomes)}", "known a day after a flower was picked"
            ),
        ]
    )


def _outcomes(seen: Monitor) -> Markup:
    rows = []
    for row in seen.outcomes.head(MOST_ROWS).to_dict("records"):
        known = isinstance(row["variety"], str)
        rows.append(
            {
                "Picked": f"{row['picked_at']:%Y-%m-%d}",
                "Flower": row["flower_id"],
                "Model says": row["predicted"],
                "Probability": percent(max(row[variety] for variety in VARIETIES)),
                "90\u00a0% set": row["label_set"].replace("|", " or ") or "none",
                "It was": row["variety"] if known else "not known yet",
                "Right?": ("right" if row["variety"] == row["predicted"] else "wrong") if known else "",
            }
        )
    return pieces.table(f"Latest predictions ({len(rows)} of {len(seen.outcomes)})", rows)


WATCHED = Watched(SYSTEM, PREDICTIONS, "no flower was predicted yet; run `almanac day`", _page)

with gr.Blocks(title="Iris monitor", analytics_enabled=False) as demo:
    gr.HTML(pieces.title("Iris monitor", "Each flower is predicted when it is picked. A day later: was that right?"))
    frame = Frame(SYSTEM)
    with frame.page:
        headline = gr.HTML()
        with gr.Row():
            rolling = chart("How often it is right", f"Share of the last {WINDOW_DAYS} days, beside the baseline.")
            confusion = chart("What it mixes up", "Rows: what the flower was. Columns: what the model said.")
        with gr.Row():
            calibration = chart("Does it know how sure it is?", "Points on the dashed line: as sure as it is right.")
            drift = chart("Do the flowers change?", "How far recent flowers are from those it learned from.")
        with gr.Tab("Predictions"):
            predictions = gr.HTML()
        with gr.Tab("Versions"):
            promotions = gr.HTML()
        with gr.Tab("Runs"):
            runs = gr.HTML()

    frame.connected(demo, WATCHED, [headline, rolling, confusion, calibration, drift, predictions, promotions, runs])
    gr.api(answered(iris_monitor))

if __name__ == "__main__":
    look.serve(demo)
