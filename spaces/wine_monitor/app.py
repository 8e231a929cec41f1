"""Wine monitor: every wine is predicted on the day it comes; a day later we know its grade, real or synthetic.

track, two dates ──► period ──► monitoring.watch ──► figures beside their baselines, charts, predictions beside grades
call             ──► wine_monitor (REST and MCP) ──► the figures as plain values
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import Markup

from shared.connect import open_platform
from shared.errors import AlmanacError, UsageError
from shared.pages import look, pieces
from shared.pages.guard import answered
from shared.pages.history import MOST_ROWS, latest_runs, versions
from shared.pages.pieces import Tile
from shared.pages.plots import chart, framed
from shared.pages.watching import Frame, Watched
from shared.pages.words import UNKNOWN, figure, percent, plain, sure_of
from shared.steps import charts
from shared.steps.promotion import champion
from shared.systems.wine.monitoring import WINDOW_DAYS, Monitor, watch
from shared.systems.wine.tables import GRADES, MODEL, PREDICTIONS, SYNTHESIZER, TRACKS

if TYPE_CHECKING:
    from datetime import date

    from shared.ports import ModelVersion, Platform

SYSTEM = "wine"
NAMES = dict(zip(TRACKS, ("Real wines of the reserve", "Synthetic wines"), strict=True))
MEANS = {
    "reserve": "Real wines that the model had not learned from when their day came, one a day. A panel tasted each, so "
    "these errors are the model's own.",
    "synthetic": "Wines that a synthesizer made. Nobody tasted them: the grade is the synthesizer's, so these errors "
    "say as much about the synthesizer as about the model.",
}


def wine_monitor(track: str = "", since: str = "", until: str = "") -> dict[str, Any]:
    """Tell how good the wine model was on the wines that came in a period, beside always saying the mean grade.

    Args:
        track: reserve for real wines that a panel graded, synthetic for those of the synthesizer; blank for reserve.
        since: First date, such as 2026-10-12; blank for 30 days before the last.
        until: Last date, such as 2026-11-10; blank for the newest there is.

    Returns:
        Errors (in grades), quadratic kappa (0 is chance, 1 perfect), accuracy and coverage (shares of 1), the same of
        always saying the mean grade, coverage by grade, the counts of truth by guess, and the shift of each measure.
    """
    platform, track = open_platform(), _track(track)
    first, last = WATCHED.period(platform, since, until)
    serving, seen = _seen(platform, track, first, last)
    return {
        "track": track,
        "meaning": MEANS[track],
        "since": first,
        "until": last,
        "outcomes": seen.mae.count,
        "predictions": len(seen.outcomes),
        "figures": seen.figures,
        "baselines": seen.baselines,
        "sure": {name: asdict(getattr(seen, name)) for name in ("mae", "mse", "accuracy", "coverage")},
        "coverage_promised": serving.signature["coverage"],
        "coverage_by_grade": {str(grade): asdict(share) for grade, share in seen.by_grade.items()},
        "confusion": {"truth_by_guess": seen.confusion.to_numpy().tolist(), "grades": list(GRADES)},
        "drift": seen.drift[["column", "shift", "p_value", "drifted", "note"]].to_dict("records"),
    }


def _track(given: object) -> str:
    """Return the track that is meant, the real wines when it is blank.

    Raises:
        UsageError: there is no such track.
    """
    if given not in ("", None, *TRACKS):
        raise UsageError(f"track must be {' or '.join(TRACKS)}; got {given!r}"[:80])
    return str(given or TRACKS[0])


def _seen(platform: Platform, track: str, first: date, last: date) -> tuple[ModelVersion, Monitor]:
    serving = champion(platform, MODEL)
    return serving, watch(platform, serving, track, (first, last))


def _page(platform: Platform, first: date, last: date, chosen: object) -> list[Any]:
    track = _track(chosen)
    serving, seen = _seen(platform, track, first, last)
    shift = seen.drift.assign(column=[plain(name) for name in seen.drift["column"]])
    figures = (
        charts.mean_over_time(seen.rolling, seen.baselines["mae"], "", "mean error (grades)"),
        charts.confusion_heatmap(seen.confusion),
        charts.coverage_bars(seen.by_grade, serving.signature["coverage"], "true grade (wines)"),
        charts.drift_bars(shift).update_yaxes(title=None),
    )
    said = Markup('<p class="al-muted">{}</p>').format(MEANS[track])
    tables = (
        _outcomes(seen),
        _synthesizer(platform, str(serving.signature["source"])),
        versions(platform, MODEL),
        latest_runs(platform, SYSTEM),
    )
    return [said, _headline(seen, serving.signature["coverage"]), *map(framed, figures), *tables]


def _headline(seen: Monitor, promised: float) -> Markup:
    said, beside, mean = seen.figures, seen.baselines, "always saying the mean grade"
    return pieces.tiles(
        [
            Tile("Mean error", figure("mae", said["mae"]), f"grades; {mean}: {figure('mae', beside['mae'])}"),
            Tile("Quadratic kappa", figure("qwk", said["qwk"]), f"agreement of grades, at most 1; {mean}: 0"),
            Tile(
                "Graded exactly",
                percent(seen.accuracy.value),
                f"{sure_of(seen.accuracy)}; always the commonest grade: {percent(beside['accuracy'])}",
            ),
            Tile(
                "Truth within the interval",
                percent(seen.coverage.value),
                f"{sure_of(seen.coverage)}; promised: {percent(promised)}",
            ),
            Tile("Grades known", f"{seen.mae.count} of {len(seen.outcomes)}", "known a day after a wine came"),
        ]
    )


def _outcomes(seen: Monitor) -> Markup:
    rows = []
    for row in seen.outcomes.head(MOST_ROWS).to_dict("records"):
        known = row["truth"] == row["truth"]
        rows.append(
            {
                "Came": f"{row['taken_at']:%Y-%m-%d}",
                "Wine": row["sample_id"],
                "Model says": row["grade"],
                "Expected": f"{row['quality']:.2f}",
                "90\u00a0% interval": f"{row['low']:.1f}–{row['high']:.1f}",
                "Probability": percent(row[f"p{row['grade']}"]),
                "Its grade": int(row["truth"]) if known else "not known yet",
                "Off by": f"{abs(row['quality'] - row['truth']):.2f}" if known else "",
            }
        )
    return pieces.table(f"Latest predictions ({len(rows)} of {len(seen.outcomes)})", rows)


FIGURES = {  # of a synthesizer, as compared on real wines that it had not learned from
    "tstr_mse": "Squared error of a model that learned from its wines (lower is better)",
    "real_mse": "The same of one that learned from real wines",
    "c2st_auc": "How well a classifier tells its wines from real ones (0.5: not at all)",
    "quality": "Fidelity of columns and of pairs, by SDMetrics (1 is best)",
    "dcr": "Median distance from its wines to the nearest learned one",
    "dcr_held_out": "The same of real wines that were held out",
    "exact_copies": "Exact copies of real wines",
    "membership_auc": "How well an attack tells which wines it learned from (0.5: not at all)",
}


def _synthesizer(platform: Platform, source: str) -> Markup:
    """Return which synthesizer of the source's wines is the newest, and what is known of how good it is."""
    made = None
    for number in platform.models.versions(SYNTHESIZER):
        try:
            found = platform.models.load(SYNTHESIZER, number)
        except AlmanacError as damaged:
            return pieces.notice(str(damaged), "warning")
        made = found if found.signature["source"] == source else made
    if made is None:
        return pieces.heading("No synthesizer yet", "The first daily run makes one from the real wines.")
    name = f"{plain(str(made.signature.get('candidate', made.name)))}, version {made.version}"
    learned = f"Made on {made.trained_on or UNKNOWN} from {made.signature.get('wines', UNKNOWN)} real wines."
    rows = [
        {"Figure": label, "Value": figure(one, made.metrics[one])}
        for one, label in FIGURES.items()
        if one in made.metrics
    ]
    nothing = "It was not compared with others yet: run `almanac run wine synthesize`."
    return pieces.heading(name, learned) + (pieces.table("", rows) if rows else pieces.notice(nothing, "empty"))


WATCHED = Watched(SYSTEM, PREDICTIONS, "no wine was predicted yet; run `almanac day`", _page)

with gr.Blocks(title="Wine monitor", analytics_enabled=False) as demo:
    gr.HTML(pieces.title("Wine monitor", "Each wine is predicted when it comes. A day later: was its grade right?"))
    frame = Frame(SYSTEM)
    with frame.page:
        track = gr.Radio([(name, one) for one, name in NAMES.items()], value=TRACKS[0], label="Which wines")
        meaning, headline = gr.HTML(), gr.HTML()
        with gr.Row():
            rolling = chart(
                "How far off is it?", f"Mean error of the last {WINDOW_DAYS} days, beside the mean grade's."
            )
            confusion = chart("What does it mix up?", "Rows: the true grade. Columns: what the model said.")
        with gr.Row():
            coverage = chart(
                "Do the intervals hold?", "Of the wines of each grade, how many had it within their interval."
            )
            drift = chart("Do the wines change?", "How far these wines are from those it learned from.")
        with gr.Tab("Predictions"):
            predictions = gr.HTML()
        with gr.Tab("Synthesizer"):
            synthesizer = gr.HTML()
        with gr.Tab("Versions"):
            promotions = gr.HTML()
        with gr.Tab("Runs"):
            runs = gr.HTML()
    tables = [predictions, synthesizer, promotions, runs]
    frame.connected(demo, WATCHED, [meaning, headline, rolling, confusion, coverage, drift, *tables], [track])
    gr.api(answered(wine_monitor))

if __name__ == "__main__":
    look.serve(demo)
