"""The page of fine dust in words, tables and charts: units everywhere, classes without gaps, nothing believed."""

import base64
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from html import unescape
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from shared.pages import air, air_charts, air_features, air_skill
from shared.ports import ModelVersion
from shared.systems.air_quality.features import FEATURES
from shared.systems.air_quality.showing import NAMES, Freshness, Outlook, coverages, skills
from shared.systems.air_quality.tables import BASELINES
from shared.systems.air_quality.units import CLASSES

TODAY = date(2026, 11, 10)
FRESH = Freshness(datetime(2026, 11, 10, 6, tzinfo=UTC), date(2026, 11, 9), date(2026, 11, 9), date(2026, 11, 7), "")


def look(pm25=(5.0, 12.0, 40.0, 60.0, 130.0, 230.0, 9.0), origins=("station",) * 14, feed="@5284", name="Delft"):
    days = pd.date_range("2026-11-10", periods=7, tz="UTC")
    ahead = pd.DataFrame(
        {"day": days, "lead": range(1, 8), "pm25": pm25, "low": 2.0, "high": [2 * one for one in pm25]}
    )
    ahead = ahead.assign(p15=0.5, p25=[0.1, 0.2, 0.9, 0.3, 0.3, 0.3, 0.0], p35=0.004, model_version=3)
    before = pd.DataFrame({"day": pd.date_range("2026-10-27", periods=len(origins), tz="UTC"), "origin": origins})
    place = {"station": "delft", "name": name, "country": "NL", "feed": feed}
    return Outlook(place, TODAY, ahead, before.assign(pm25=10.0))


def outcomes(days=100, live=10, leads=(1, 2)):
    spine = pd.MultiIndex.from_product(
        [pd.date_range("2026-06-01", periods=days, tz="UTC"), leads], names=["day", "lead"]
    )
    rows = spine.to_frame(index=False).assign(station="delft", observed=10.0, pm25=11.0, low=8.0, high=12.0)
    rows = rows.assign(**dict.fromkeys(BASELINES, 12.0))
    return rows.assign(live=rows["day"] >= rows["day"].max() - pd.Timedelta(days=live - 1))


MODEL = ModelVersion("air_quality", None, {}, version=3)


def words(html):
    return re.sub(r"[ \n]+", " ", unescape(re.sub(r"<[^>]+>", " ", str(html))))


def test_the_tiles_say_the_day_the_worst_day_and_the_likeliest_exceedance():
    said = words(air.tiles(look(), TODAY))
    assert "Tue 10 Nov 5.0 µg/m³ US index 28: Good" in said
    assert "Highest: Sun 15 Nov 230.0 µg/m³ US index 310: Hazardous" in said
    assert "More than 25 µg/m³ 90\u00a0% at its likeliest, on Thu 12 Nov" in said
    assert "2026-11-10 by version 3 of the model, today" in said


def test_the_table_gives_each_day_its_dust_index_class_interval_and_probabilities():
    said = words(air.week(look()))
    assert "Sun 15 Nov 230.0 310 Hazardous 2.0–460.0 50\u00a0% 30\u00a0% <1\u00a0%" in said
    assert all(one.name in said for one in CLASSES)
    assert "15 µg/m³: WHO's guideline" in said


def test_the_key_of_the_classes_has_no_holes():
    said = words(air.classes())
    assert "0 to 9.1 0 to 50" in said
    assert "9.1 to 35.5 51 to 100" in said
    assert "225.5 and more 301 and more" in said


def test_the_classes_of_the_chart_touch_each_other_and_end_at_its_top():
    figure = air_charts.forecast_chart(look())
    strips = [(shape.y0, shape.y1) for shape in figure.layout.shapes]
    assert len(strips) == 6
    assert strips[0][0] == 0
    assert all(above[0] == below[1] for below, above in pairwise(strips))
    assert strips[-1][1] == figure.layout.yaxis.range[1]
    assert figure.layout.yaxis.type != "log"


def test_clean_air_is_drawn_over_the_first_classes_alone():
    figure = air_charts.forecast_chart(look(pm25=(3.0,) * 7))
    assert [note.text for note in figure.layout.annotations] == ["Good", "Moderate"]


def test_days_that_cams_filled_are_marked_apart():
    mixed = ("station",) * 5 + ("station_cams",) * 4 + ("cams",) * 5
    names = {trace.name: len(trace.x) for trace in air_charts.forecast_chart(look(origins=mixed)).data if trace.name}
    assert names["measured"] == 5
    assert names["measured in part, filled up by CAMS"] == 4
    assert names["CAMS's estimate"] == 5
    assert air.missing(look(origins=mixed), FRESH) == [
        "On 9 of the last 14 days CAMS stood in for readings, wholly or in part"
    ]


def test_a_station_in_order_has_nothing_missing():
    assert air.missing(look(), FRESH) == []
    assert air.missing(look(origins=("history",) * 14), FRESH) == []


def test_a_place_without_a_station_is_not_said_to_miss_readings():
    bare = look(origins=("cams",) * 14, feed=None)
    assert air.missing(bare, replace(FRESH, read_at=None, own_day=None)) == []
    assert "CAMS says the past" in air.standing_of(bare, replace(FRESH, own_day=None), TODAY)


def test_what_is_silent_late_or_noted_is_said():
    late = Freshness(None, date(2026, 10, 30), date(2026, 11, 9), None, "CAMS is missing: <b>timed out</b>")
    said = air.missing(look(), late)
    assert said[0] == "The station had been silent for 11 days"
    assert said[1].startswith("The archive of weather is late")
    assert "&lt;b&gt;timed out&lt;/b&gt;" in air.standing_of(look(), late, TODAY)


def test_a_hindcast_tells_what_was_live_from_the_backtest():
    rows = outcomes(30, 10, (1,))
    said = words(air_skill.hindcast_words(rows, 1, MODEL))
    assert "30 days, forecast on the day itself. Off by 1.0 µg/m³ on average (root mean square 1.0)" in said
    assert "held the truth on 100\u00a0% of them" in said
    assert "10 were really said then; 20 come from the backtest of version 3" in said
    named = {trace.name for trace in air_charts.hindcast_chart(rows).data if trace.name}
    assert {"observed", "forecast, really said then", "forecast, from the backtest"} <= named


@pytest.mark.parametrize(("lead", "told"), [(1, "on the day itself"), (2, "1 day before"), (7, "6 days before")])
def test_a_lead_is_told_as_days_before(lead, told):
    assert told in air_skill.hindcast_words(outcomes(3, 1, (lead,)), lead, MODEL)


def test_a_missing_day_leaves_a_gap_in_the_hindcast():
    rows = outcomes(10, 10, (1,)).drop(index=4)
    line = next(trace for trace in air_charts.hindcast_chart(rows).data if trace.name == "forecast, really said then")
    assert len(line.x) == 10
    assert np.isnan(line.y[4])


def test_an_empty_period_is_said_and_drawn_as_nothing_yet():
    none = outcomes().head(0)
    assert "No day of this period" in air_skill.hindcast_words(none, 1, MODEL)
    charts = air_charts.hindcast_chart(none), air_charts.skill_chart(skills(none), NAMES)
    for figure in (*charts, air_charts.coverage_chart(coverages(none))):
        assert figure.layout.annotations[0].text == "nothing yet"
    assert "too few to tell" in air_skill.verdict(none, skills(none), "Delft")


def test_the_verdict_names_the_last_lead_at_which_the_forecast_is_surely_better():
    rows = outcomes()
    said = words(air_skill.verdict(rows, skills(rows), "Delft"))
    assert "For Delft, the forecast surely beats damped persistence up to 2 days ahead." in said
    assert "100 days, 200 forecasts: 20 really said then, 180 from the backtest" in said
    worse = rows.assign(damped=10.0, pm25=12.0)
    assert "it is not sure that the forecast beats" in air_skill.verdict(
        worse, skills(worse.assign(damped=10.5)), "Delft"
    )


def test_skill_has_a_line_for_each_baseline_and_none_for_what_is_known_of_too_few_days():
    rows = outcomes().assign(cams=np.where(np.arange(200) < 20, 12.0, np.nan))
    drawn = {trace.name for trace in air_charts.skill_chart(skills(rows), NAMES).data}
    assert drawn == {name for key, name in NAMES.items() if key != "cams"}


def test_errors_by_lead_stand_beside_all_baselines():
    said = words(air_skill.errors_by_lead(outcomes().assign(cams=np.nan)))
    assert "1 1.00 2.00 2.00 2.00 2.00 2.00 –" in said
    assert all(NAMES[name] in said and air_skill.MEANS[name] in said for name in BASELINES)


def test_every_feature_of_the_model_has_a_name_of_its_own_and_a_group():
    told = air_features.importance(dict.fromkeys(FEATURES, 1 / len(FEATURES)))
    assert len({name for _, name, _ in told}) == len(FEATURES)
    assert {group for group, _, _ in told} == {*air_features.GROUPS}
    assert not [name for _, name, _ in told if "_" in name]


def test_every_feature_is_a_bar_the_longest_on_top():
    shares = {name: 1.0 / (number + 1) for number, name in enumerate(FEATURES)}
    figure = air_charts.importance_chart(air_features.importance(shares), air_features.GROUPS)
    assert sum(len(trace.y) for trace in figure.data) == len(FEATURES)
    assert figure.layout.yaxis.categoryarray[0] == "Dust on the last day"
    assert figure.layout.height > 15 * len(FEATURES)


def test_a_feature_that_is_new_keeps_its_name():
    assert air_features.importance({"moon_phase": 1.0}) == [("Weather", "moon_phase", 1.0)]


def test_names_with_markup_are_escaped():
    assert "<img" not in air.standing_of(look(name="<img src=x>"), replace(FRESH, note="<img src=x>"), TODAY)
    alert = {"raised_at": pd.Timestamp("2026-11-10", tz="UTC"), "kind": "stale", "station": "<img>", "sent": False}
    assert "<img" not in air.alerts(pd.DataFrame([{**alert, "message": "<img>"}]))
    assert "<img" not in air_skill.verdict(outcomes(), skills(outcomes()), "<img>")


def test_the_link_carries_the_rows_as_csv():
    link = air.csv_link(look().forecast, "forecast-delft", "Save")
    text = base64.b64decode(re.search(r"base64,([^\"]+)", link).group(1)).decode()
    assert text.splitlines()[0].startswith("day,lead,pm25,low,high")
    assert text.splitlines()[1].startswith("2026-11-10,1,5,2,10")
    assert 'download="forecast-delft.csv"' in link
