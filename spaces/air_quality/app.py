"""Air quality: fine dust (PM2.5) of any station seven days ahead, beside what was said before and how good that was.

station ──► outlooks ──► figures, chart over the six classes, table, freshness, CSV
station, lead, period ──► seen ──► hindcast, live and backtest apart, CSV
station or all ──► seen ──► skill against each baseline, coverage, by lead
calls ──► air_quality_stations, _forecast, _hindcast, _skill (REST and MCP) ──► the same as plain values
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import gradio as gr
from markupsafe import Markup

from shared.connect import open_platform
from shared.pages import air, air_charts, air_features, air_skill, look, pieces
from shared.pages.air_calls import (
    air_quality_forecast,
    air_quality_hindcast,
    air_quality_skill,
    air_quality_stations,
    judged_rows,
    lead_of,
    past,
)
from shared.pages.closed import STAYS
from shared.pages.guard import answered, shown
from shared.pages.history import MOST_ROWS, latest_runs, versions
from shared.pages.period_row import LONGEST, NEWEST, PRIVATE, WRITTEN, PeriodRow, told
from shared.pages.plots import chart
from shared.pages.provenance import provenance
from shared.pages.standing import head
from shared.runs import parse_day
from shared.steps.promotion import champion
from shared.systems.air_quality import showing
from shared.systems.air_quality.tables import ALERTS, LEADS, MODEL

SYSTEM = "air_quality"
ONE, ALL = "This station", "All stations"
BETTER = (
    "Share of their squared error that is gone, with 95\u00a0% intervals: above 0 is better. "
    "What is known of too few days is left out."
)
YEAR = 365  # days
HIDDEN = gr.update(visible=False)


def fill() -> list[Any]:
    """Return what stands at the top, the stations to choose from, and all of the first one's parts.

    And that what is set in the tabs that are closed stays.
    """
    platform = open_platform()
    known = showing.places(platform)
    choices = [(f"{row['name']} ({row['country']})", row["station"]) for row in known.to_dict("records")]
    first = choices[0][1]
    model = champion(platform, MODEL)
    shares = air_features.importance(model.signature["importance"])
    told = platform.features.read(ALERTS).sort_values("raised_at", ascending=False).head(MOST_ROWS)
    return [
        head(platform, SYSTEM),
        gr.update(visible=True),
        gr.update(choices=choices, value=first),
        *forecast(first),
        *hindcast(first, LEADS[0], NEWEST, "", ""),
        *skill(first, ONE),
        air_features.grouped(shares),
        air_charts.importance_chart(shares, air_features.GROUPS),
        air.alerts(told),
        versions(platform, MODEL),
        latest_runs(platform, SYSTEM),
        *[STAYS] * len(closed),
    ]


def forecast(station: object) -> list[Any]:
    """Return the forecast's figures, chart, table, freshness and provenance."""
    platform = open_platform()
    name, today = showing.place(platform, station)["station"], parse_day("today", platform.world)
    said = showing.outlooks(platform, name)[name]
    origin = provenance(platform.models.load(MODEL, int(said.forecast["model_version"].iloc[0])))
    link = air.csv_link(said.forecast, f"forecast-{name}-{said.made_on}", "Save this forecast (CSV)")
    fresh = air.standing_of(said, showing.freshness(platform, name, said.made_on), today)
    return [air.tiles(said, today), air_charts.forecast_chart(said), fresh, air.week(said) + link, origin]


def hindcast(station: object, lead: object, mark: object, since: object, until: object) -> list[Any]:
    """Return what the row of the period is told, and what was said of that period beside what was observed."""
    platform = open_platform()
    name, model = showing.place(platform, station)["station"], champion(platform, MODEL)
    begin, end = (since, until) if mark == WRITTEN else ("", "")
    if mark == LONGEST:
        begin = f"{showing.newest_outcome(platform, name) - timedelta(days=YEAR - 1)}"
    (first, last), rows = past(platform, model, name, lead, begin, end)
    link = air.csv_link(rows, f"hindcast-{name}-lead-{lead_of(lead)}", "Save this hindcast (CSV)")
    words = air_skill.hindcast_words(rows, lead_of(lead), model)
    return [told([mark, since, until], first, last), words, air_charts.hindcast_chart(rows), link]


def skill(station: object, whose: object) -> list[Any]:
    """Return how good forecasts were, of one station or of all."""
    platform = open_platform()
    place = showing.place(platform, station)
    rows = judged_rows(platform, champion(platform, MODEL), "" if whose == ALL else place["station"])
    found = showing.skills(rows)
    charts = air_charts.skill_chart(found, showing.NAMES), air_charts.coverage_chart(showing.coverages(rows))
    said = air_skill.verdict(rows, found, "all stations" if whose == ALL else str(place["name"]))
    return [said, *charts, air_skill.errors_by_lead(rows)]


with gr.Blocks(title="Air quality", analytics_enabled=False) as demo:
    gr.HTML(
        pieces.title("Air quality", "Fine dust (PM2.5) for the next seven days, and how good earlier forecasts were.")
    )
    notice, top = gr.HTML(visible=False), gr.HTML()
    with gr.Column(visible=False) as page:
        station = gr.Dropdown([], label="City", info="Type to search.", interactive=True)
        with gr.Tab("Forecast"):
            unforeseen = gr.HTML(visible=False)
            tiles, fresh = gr.HTML(), gr.HTML()
            ahead = chart("The days before, and the next seven", "Over the six classes of the US EPA's index.")
            week, origin = gr.HTML(), gr.HTML()
            with gr.Accordion("What the classes mean", open=False):
                gr.HTML(air.classes())
        with gr.Tab("Hindcast"):
            lead = gr.Radio(
                [(f"{one}", one) for one in LEADS], value=LEADS[0], label="Days ahead (1: said on the day itself)"
            )
            period = PeriodRow("Last year")
            unseen, past_words = gr.HTML(visible=False), gr.HTML()
            compared = chart("What was said, and what came", "The band held the truth 9 times in 10, if it is right.")
            past_link = gr.HTML()
        with gr.Tab("How good?"):
            whose = gr.Radio(
                [ONE, ALL], value=ONE, label="Of which forecasts", info="The last year of one, the last 90 days of all."
            )
            unjudged, verdict = gr.HTML(visible=False), gr.HTML()
            with gr.Row():
                skills = chart(
                    "Better than its baselines?",
                    BETTER,
                )
                coverage = chart("Do the intervals hold?", "Share that held the truth, with 95\u00a0% intervals.")
            by_lead = gr.HTML()
        with gr.Tab("What matters"):
            groups = gr.HTML()
            weights = chart("All features", "Half from the trees' gain, half from the weights of the linear part.")
        with gr.Tab("Alerts and runs"):
            alerts, promotions, runs = gr.HTML(), gr.HTML(), gr.HTML()
        gr.HTML(Markup("<p>{}</p>").format(showing.thanks()))

    forecasts, hindcasts = [tiles, ahead, fresh, week, origin], [period.told, past_words, compared, past_link]
    judgements = [verdict, skills, coverage, by_lead]
    closed = [lead, whose, period.since, period.until]
    filled = [top, page, station, *forecasts, *hindcasts, *judgements, groups, weights, alerts, promotions, runs]
    filled += closed
    opened = shown(fill, [gr.skip(), HIDDEN, *[gr.skip()] * (len(filled) - 2)])
    period.settled(demo.load(opened, None, [notice, *filled], **PRIVATE))
    # Each part is written by one event alone, one at a time: a choice that was made while the one before was still
    # being answered is answered after it, and no late answer to an earlier one comes over it.
    safe = {"preprocess": False, "trigger_mode": "always_last", "concurrency_limit": 1, **PRIVATE}
    same = [gr.skip()] * len(filled)
    show_past, asked = shown(hindcast, same[: len(hindcasts)]), [station, lead, *period.asked]
    period.connected(show_past, asked, [unseen, *hindcasts], [station.input, lead.input])
    station.input(shown(forecast, same[: len(forecasts)]), [station], [unforeseen, *forecasts], **safe)
    show_skill = shown(skill, same[: len(judgements)])
    gr.on([station.input, whose.input], show_skill, [station, whose], [unjudged, *judgements], **safe)
    for answer in (air_quality_stations, air_quality_forecast, air_quality_hindcast, air_quality_skill):
        gr.api(answered(answer))

if __name__ == "__main__":
    look.serve(demo)
