"""What is known of each station and day: where rows go, what was known when, CAMS's level, holidays."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from shared.errors import NotYetError
from shared.runs import midnight
from shared.systems.air_quality.panel import LEVELLED_DAYS, holidays_of, own_days, panel_from_files, panel_of
from shared.systems.air_quality.tables import CAMS, OBSERVATIONS, STATIONS, WEATHER

ORIGIN = date(2026, 3, 10)
MAR_9, MAR_10, MAR_11, MAR_12 = (date(2026, 3, day) for day in (9, 10, 11, 12))


def stations(*names, country="NL"):
    place = {"latitude": 51.9, "longitude": 4.5, "country": country, "timezone": "Europe/Amsterdam", "feed": None}
    added = datetime(2026, 1, 1, tzinfo=UTC)
    return pd.DataFrame([{"station": name, "added_at": added, "name": name, **place} for name in names])


def observed(day, pm25, origin="station", station="a"):
    return {"station": station, "day": midnight(day), "pm25": pm25, "origin": origin, "hours": 0}


def weather(day, lead, temperature, station="a"):
    return {
        "station": station,
        "day": midnight(day),
        "lead": lead,
        "temperature_mean": temperature,
        "precipitation_sum": 1.0,
        "wind_speed_max": 20.0,
        "wind_direction": 270.0,
        "origin": "forecast",
    }


def cams(day, lead, pm25, station="a"):
    return {"station": station, "day": midnight(day), "lead": lead, "pm25": pm25}


def kept(platform, observations=(), air=(), modelled=(), names=("a",)):
    """Write what is given; return the platform."""
    platform.features.write(STATIONS, stations(*names))
    for table, rows in ((OBSERVATIONS, observations), (WEATHER, air), (CAMS, modelled)):
        if rows:
            platform.features.write(table, pd.DataFrame([*rows]))
    return platform


def test_rows_go_to_their_station_and_day_and_gaps_stay_blank(platform):
    rows = [observed(MAR_10, 7.0), observed(date(2026, 3, 8), 5.0), observed(MAR_9, 11.0, station="b")]
    panel = panel_of(kept(platform, rows, names=("b", "a")), ORIGIN, 3)
    assert panel.stations == ("a", "b")
    assert (panel.days[0], panel.days[-1]) == (pd.Timestamp("2026-03-08"), pd.Timestamp("2026-03-17"))
    assert panel.pm25[:, :3].tolist() == pytest.approx(
        np.array([[5.0, np.nan, 7.0], [np.nan, 11.0, np.nan]]), nan_ok=True
    )
    assert np.isnan(panel.pm25[:, 3:]).all()


def test_rows_of_a_station_that_is_no_longer_listed_are_left_out(platform):
    panel = panel_of(kept(platform, [observed(MAR_10, 7.0), observed(MAR_10, 9.0, station="gone")]), ORIGIN, 3)
    assert panel.pm25[:, 2].tolist() == [7.0]


def test_the_29th_of_february_has_its_place(platform):
    rows = [observed(date(2028, 2, 28), 1.0), observed(date(2028, 2, 29), 2.0), observed(date(2028, 3, 1), 3.0)]
    panel = panel_of(kept(platform, rows), date(2028, 3, 1), 3)
    assert panel.pm25[0, :3].tolist() == [1, 2, 3]
    assert panel.days[1] == pd.Timestamp("2028-02-29")


def test_a_lead_holds_what_was_forecast_that_many_days_before(platform):
    air = [weather(MAR_11, 1, 4.0), weather(MAR_12, 2, 6.0), weather(MAR_10, 0, 9.0)]
    panel = panel_of(kept(platform, [observed(MAR_10, 7.0)], air, [cams(MAR_12, 2, 13.0)]), ORIGIN, 3)
    assert [panel.weather[0, 3, 1, 0], panel.weather[0, 4, 2, 0], panel.weather[0, 2, 0, 0]] == [4, 6, 9]
    assert panel.cams[0, 4, 2] == 13
    assert np.isfinite(panel.weather[..., 0]).sum() == 3


def test_a_catch_up_sees_nothing_of_later_days(platform):
    known = [observed(MAR_9, 5.0), observed(MAR_10, 7.0), observed(date(2026, 3, 8), 4.0, "cams")]
    air = [weather(MAR_10, 0, 9.0), weather(MAR_11, 1, 4.0), weather(MAR_12, 2, 6.0)]
    modelled = [cams(MAR_9, 0, 4.0), cams(MAR_10, 0, 6.0), cams(MAR_12, 2, 8.0)]
    before = panel_of(kept(platform, known, air, modelled), ORIGIN, 5)
    later_air = [weather(MAR_11, 0, -40.0), weather(MAR_12, 0, -40.0), weather(MAR_12, 1, -40.0)]
    later_cams = [cams(MAR_11, 0, 500.0), cams(MAR_12, 1, 500.0), cams(MAR_12, 0, 500.0)]
    kept(platform, [observed(MAR_11, 900.0), observed(MAR_12, 900.0, "cams")], later_air, later_cams)
    after = panel_of(platform, ORIGIN, 5)
    for name in ("pm25", "weather", "cams", "holiday"):
        assert np.array_equal(getattr(before, name), getattr(after, name), equal_nan=True), name


def test_an_older_version_of_the_store_gives_the_rows_of_then(platform):
    kept(platform, [observed(MAR_10, 7.0)])
    then = platform.features.version()
    kept(platform, [observed(MAR_10, 8.0)])
    assert panel_of(platform, ORIGIN, 3, as_of=then).pm25[0, 2] == 7
    assert panel_of(platform, ORIGIN, 3).pm25[0, 2] == 8


def test_days_that_cams_stands_in_for_are_raised_to_the_stations_level(platform):
    days = [ORIGIN - timedelta(days=back) for back in range(LEVELLED_DAYS + 1)]
    rows = [observed(day, 20.0) for day in days[1:]] + [observed(days[0], 12.0, "cams")]
    panel = panel_of(kept(platform, rows, modelled=[cams(day, 0, 10.0) for day in days]), ORIGIN, 20)
    # 14 days of 20 where CAMS says 10, and as many in which it is believed: (280 + 140) / (140 + 140)
    assert panel.pm25[0, 19] == pytest.approx(12 * 1.5)
    assert panel.pm25[0, 18] == 20


def test_a_dirty_neighbour_does_not_change_a_stations_level(platform):
    days = [ORIGIN - timedelta(days=back) for back in range(8)]
    rows = [observed(day, 20.0) for day in days[1:]] + [observed(days[0], 12.0, "cams")]
    alone = panel_of(kept(platform, rows, modelled=[cams(day, 0, 10.0) for day in days]), ORIGIN, 20).pm25[0]
    smog = ([observed(day, 900.0, station="b") for day in days], [cams(day, 0, 400.0, "b") for day in days])
    both = panel_of(kept(platform, smog[0], modelled=smog[1], names=("a", "b")), ORIGIN, 20).pm25[0]
    assert np.array_equal(alone, both, equal_nan=True)


def test_a_station_that_only_cams_knows_keeps_cams_level(platform):
    panel = panel_of(kept(platform, [observed(MAR_10, 12.0, "cams")], modelled=[cams(MAR_10, 0, 12.0)]), ORIGIN, 3)
    assert panel.pm25[0, 2] == 12


def test_a_day_completed_with_cams_course_counts_as_the_stations_own(platform):
    panel = panel_of(kept(platform, [observed(MAR_10, 12.0, "station_cams")], modelled=[cams(MAR_10, 0, 6)]), ORIGIN, 3)
    assert panel.pm25[0, 2] == 12


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        ((), [observed(MAR_10, 7.0)]),
        (("a",), []),
        (("a",), [observed(MAR_10, 7.0, station="gone")]),
        (("a",), [observed(MAR_11, 7.0)]),
    ],
    ids=["no station", "nothing observed", "only of another station", "only after the origin"],
)
def test_without_dust_there_is_no_panel_and_the_next_step_is_said(platform, names, rows):
    if rows:
        platform.features.write(OBSERVATIONS, pd.DataFrame(rows))
    if names:
        platform.features.write(STATIONS, stations(*names))
    with pytest.raises(NotYetError, match="air_quality backfill"):
        panel_of(platform, ORIGIN, 3)


def test_what_was_known_at_an_origin_is_dust_up_to_it_and_forecasts_made_by_then(made_panel):
    panel = made_panel(days=30)
    known = panel.known_at(12)
    assert np.array_equal(known.pm25[:, :13], panel.pm25[:, :13])
    assert np.isnan(known.pm25[:, 13:]).all()
    for lead in range(8):
        for array, whole in ((known.weather, panel.weather), (known.cams, panel.cams)):
            assert np.array_equal(array[:, : 13 + lead, lead], whole[:, : 13 + lead, lead])
            assert np.isnan(array[:, 13 + lead :, lead]).all()


def test_looking_back_leaves_the_panel_itself_as_it_was(made_panel):
    panel = made_panel(days=30)
    panel.known_at(3)
    assert np.isfinite(panel.pm25).all()
    assert np.isfinite(panel.weather).all()


def test_a_shorter_panel_holds_the_same_days(made_panel):
    panel = made_panel(days=30)
    cut = panel.since(10)
    assert cut.days[0] == panel.days[10]
    assert [len(cut.days), cut.pm25.shape[1], cut.weather.shape[1], cut.cams.shape[1], cut.holiday.shape[1]] == [20] * 5
    assert np.array_equal(cut.cams, panel.cams[:, 10:])


def test_files_give_one_station_by_calendar_day_and_a_week_to_come():
    history = pd.DataFrame({"day": pd.to_datetime(["2024-03-01", "2024-02-27"], utc=True), "pm25": [8.0, 5.0]})
    panel = panel_from_files(history, None, "NL")
    assert panel.pm25[0, :4].tolist() == pytest.approx([5.0, np.nan, np.nan, 8.0], nan_ok=True)
    assert (panel.days[0], panel.days[-1]) == (pd.Timestamp("2024-02-27"), pd.Timestamp("2024-03-08"))
    assert panel.perfect
    assert np.isnan(panel.weather).all()


def test_weather_from_a_file_stands_in_for_every_lead_on_its_own_day():
    history = pd.DataFrame({"day": pd.to_datetime(["2024-03-01"]), "pm25": [8.0]})
    said = pd.DataFrame(
        {
            "day": pd.to_datetime(["2024-03-03", "2023-01-01"]),
            "temperature_mean": [9.0, 1.0],
            "precipitation_sum": [0.0, 1.0],
            "wind_speed_max": [12.0, 1.0],
            "wind_direction": [90.0, 1.0],
        }
    )
    panel = panel_from_files(history, said)
    assert panel.weather[0, 2].tolist() == [[9.0, 0.0, 12.0, 90.0]] * 8
    assert np.isnan(np.delete(panel.weather, 2, axis=1)).all()


def test_holidays_are_those_of_the_country_and_none_where_it_is_not_known():
    days = pd.date_range("2026-04-26", "2026-04-28")  # King's Day is the 27th
    assert holidays_of(("NL", "DE", "", "XX"), days).tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_holidays_go_on_over_new_year():
    assert holidays_of(("NL",), pd.date_range("2026-12-31", "2027-01-02")).tolist() == [[0, 1, 0]]


def test_a_forecast_is_judged_by_the_stations_own_days_and_by_cams_only_where_it_is_all_there_is():
    rows = [observed(MAR_9, 5.0), observed(MAR_10, 6.0, "cams"), observed(MAR_10, 7.0, "cams", station="b")]
    assert own_days(pd.DataFrame(rows))[["station", "pm25"]].to_numpy().tolist() == [["a", 5.0], ["b", 7.0]]
