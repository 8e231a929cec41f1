"""The forecasters: what they learn, on what they stand when little is known, and that nothing leaks."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import NotYetError
from shared.runs import midnight
from shared.systems.air_quality.baselines import say as say_baselines
from shared.systems.air_quality.blend import MEMBERS, fit_blend
from shared.systems.air_quality.features import FEATURES, features
from shared.systems.air_quality.model import Plan, _origins, by_trees, fit, say, with_lead
from shared.systems.air_quality.panel import panel_of
from shared.systems.air_quality.tables import CAMS, OBSERVATIONS, STATIONS, WEATHER

FEW = Plan(trees=8)
PLACE = {name: number for number, name in enumerate(MEMBERS)}


class Leads:
    """Trees that say the lead they are told."""

    def predict(self, rows):
        return rows[:, -1]


def spoken(panel, until, origin, plan=FEW):
    """Return what each member says ``[members, stations, 7]`` at an origin, fitted on the days before ``until``."""
    fitted, at = fit(panel, until, plan), np.array([origin])
    return say(fitted, panel, at, say_baselines(fitted.baselines, panel, at))[:, :, 0]


def silenced(panel, station, *days):
    """Return the panel with a station's dust blank on some days."""
    pm25 = panel.pm25.copy()
    pm25[station, slice(*days)] = np.nan
    return replace(panel, pm25=pm25)


@pytest.fixture(scope="module")
def panel(made_panel):
    return made_panel(days=200)


def test_every_member_speaks_of_every_station_and_lead(panel):
    said = spoken(panel, 190, 189)
    assert said.shape == (len(MEMBERS), 2, 7)
    assert np.isfinite(said).all()
    assert (said >= 0).all()


@given(origin=st.integers(60, 120), how=st.sampled_from(["nan", "huge", "shuffled"]))
@settings(max_examples=4)
def test_nothing_after_the_origin_changes_a_forecast(made_panel, corrupted, origin, how):
    whole = made_panel(days=130)
    then, now = (spoken(one, origin + 1, origin) for one in (whole, corrupted(whole, origin, how)))
    assert np.array_equal(then, now, equal_nan=True)


def test_rows_of_later_days_in_the_store_change_no_forecast(platform):
    """A catch-up: the store already holds what came after the origin, and weather as it then was."""
    origin, late = date(2026, 6, 1), date(2026, 6, 8)
    place = {"name": "A", "latitude": 51.9, "longitude": 4.5, "country": "NL", "timezone": "Europe/Amsterdam"}
    added = {"station": "a", "added_at": midnight(date(2026, 1, 1)), "feed": None}
    platform.features.write(STATIONS, pd.DataFrame([{**added, **place}]))
    rows = _drawn(date(2026, 1, 1), late)
    over = rows["day"] - pd.to_timedelta(rows["lead"], unit="D") > pd.Timestamp(origin, tz="UTC")
    _write(platform, rows[~over])
    before = panel_of(platform, origin, 140)
    _write(platform, rows[over].assign(pm25=300.0, temperature_mean=-50.0))
    then, now = (spoken(panel, 140, 139) for panel in (before, panel_of(platform, origin, 140)))
    assert np.array_equal(then, now, equal_nan=True)
    assert np.isfinite(then).all()
    assert not np.array_equal(then, spoken(panel_of(platform, late, 147), 147, 146))


def _drawn(first, last):
    """Return dust and weather by day and lead, every fifth day's dust CAMS's."""
    keys = [(day, lead) for day in pd.date_range(first, last, tz="UTC") for lead in range(8)]
    rng = np.random.default_rng(7)
    ends = {"temperature_mean": 20, "precipitation_sum": 5, "wind_speed_max": 40, "wind_direction": 360, "pm25": 30}
    drawn = {name: rng.uniform(0, end, len(keys)) for name, end in ends.items()}
    return pd.DataFrame(keys, columns=["day", "lead"]).assign(station="a", origin="archive", **drawn)


def _write(platform, rows):
    air = [column.name for column in WEATHER.columns]
    platform.features.write(WEATHER, rows[air])
    platform.features.write(CAMS, rows[["station", "day", "lead", "pm25"]])
    was = rows[rows["lead"] == 0]
    stands_in = was["day"].dt.day_of_year % 5 == 0
    dust = was.assign(origin=np.where(stands_in, "cams", "station"), hours=0, pm25=was["pm25"] * 1.5)
    platform.features.write(OBSERVATIONS, dust[["station", "day", "pm25", "origin", "hours"]])


def test_the_same_seed_gives_the_same_forecast_and_another_seed_another(panel):
    one, again, other = (spoken(panel, 150, 149, Plan(trees=8, seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one[PLACE["trees"]], other[PLACE["trees"]])
    assert np.array_equal(one[PLACE["linear"]], other[PLACE["linear"]])


@pytest.mark.slow
def test_learned_members_beat_damped_persistence_where_the_wind_decides(made_panel):
    panel = made_panel(days=900, stations=2)
    fitted, origins = fit(panel, 700, Plan(trees=150)), np.arange(699, 890)
    beside = say_baselines(fitted.baselines, panel, origins)
    said = say(fitted, panel, origins, beside)
    for lead in (1, 3):
        truth = panel.pm25[:, origins + lead]
        wrong = {name: np.sqrt(np.mean((said[n, :, :, lead - 1] - truth) ** 2)) for name, n in PLACE.items()}
        assert wrong["linear"] < 0.95 * wrong["damped"]
        assert wrong["trees"] < 0.97 * wrong["damped"]


def test_of_a_constant_series_every_member_says_that_constant(made_panel):
    panel = made_panel(days=300, stations=1)
    said = spoken(replace(panel, pm25=np.full_like(panel.pm25, 12.0)), 290, 289)
    assert said == pytest.approx(np.full(said.shape, 12.0), abs=0.5)


def test_of_zeros_every_member_says_zero(made_panel):
    panel = made_panel(days=300, stations=1)
    assert spoken(replace(panel, pm25=np.zeros_like(panel.pm25)), 290, 289) == pytest.approx(0, abs=1e-4)


def test_a_station_silent_for_a_month_still_has_finite_forecasts(panel):
    said = spoken(silenced(panel, 0, 150, 181), 181, 180)
    for name in ("linear", "trees", "damped", "climatology", "ridge"):
        assert np.isfinite(said[PLACE[name]]).all(), name


def test_a_station_that_spoke_again_after_a_month_has_lags_again(panel):
    quiet = silenced(panel, 0, 150, 181)
    rows = features(quiet, fit(quiet, 183, FEW).climate, np.array([180, 182]))[0, :, 0]
    assert np.isnan(rows[0, FEATURES.index("lag0")])
    assert np.isfinite(rows[1, FEATURES.index("lag1")])


@pytest.mark.parametrize("known", [0, 5], ids=["no observation", "five days"])
def test_a_new_station_has_finite_forecasts_from_what_the_others_teach(panel, known):
    said = spoken(silenced(panel, 0, 0, 181 - known), 181, 180)
    for name in ("linear", "trees", "damped", "climatology"):
        assert np.isfinite(said[PLACE[name], 0]).all(), name
    assert said[PLACE["linear"], 0].max() < 3 * panel.pm25[:, :181].max()


def test_a_new_station_gets_a_blended_forecast_and_not_zero(panel):
    new = silenced(panel, 0, 0, 181)
    fitted, origins = fit(new, 150, FEW), np.arange(149, 173)
    said = say(fitted, new, origins, say_baselines(fitted.baselines, new, origins))
    truth = np.stack([new.pm25[:, origins + lead] for lead in range(1, 8)], axis=-1)
    pm25 = fit_blend(said, truth).of(said)
    assert np.isfinite(pm25).all()
    assert pm25[0].min() > 1


def test_without_weather_and_cams_members_speak_all_the_same(panel):
    bare = replace(panel, weather=np.full_like(panel.weather, np.nan), cams=np.full_like(panel.cams, np.nan))
    assert np.isfinite(spoken(bare, 190, 189)).all()


@pytest.mark.parametrize("days", [0, 2])
def test_too_few_days_to_learn_from_are_refused_with_the_next_step(made_panel, days):
    panel = silenced(made_panel(days=30, stations=1), 0, days, 30)
    with pytest.raises(NotYetError, match="air_quality backfill"):
        fit(panel, 20, FEW)


def test_five_days_of_one_station_are_enough_for_a_first_forecast(made_panel):
    said = spoken(made_panel(days=20, stations=1), 5, 4)
    assert np.isfinite(said[[PLACE["trees"], PLACE["damped"], PLACE["climatology"]]]).all()


def test_a_forecast_stays_within_what_dust_can_be_however_odd_the_weather(panel):
    odd = replace(panel, weather=panel.weather.copy())
    odd.weather[:, 190:, :, 0] = 1e6
    said = spoken(odd, 190, 189)[:, :, 1:]
    assert np.isfinite(said).all()
    assert said.max() < np.exp(7)


def test_trees_are_told_the_lead_as_their_last_input():
    rows = with_lead(np.zeros((2, 3, 7, 4), dtype=np.float32))
    assert rows.shape == (2, 3, 7, 5)
    assert rows[1, 2, :, -1].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert by_trees(Leads(), np.zeros((2, 3, 7, 4), dtype=np.float32))[0, 0].tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_one_learns_from_the_newest_origins_whose_next_day_is_known(made_panel):
    panel = made_panel(days=60, stations=1)
    assert _origins(panel, 50, Plan()).tolist() == list(range(1, 49))
    assert _origins(panel, 50, Plan(rows=150)).tolist() == list(range(3, 49, 3))
    assert _origins(panel, 50, Plan(years=10 / 365.25)).tolist() == list(range(41, 49))


def test_importance_is_a_share_of_every_feature(panel):
    found = fit(panel, 190, FEW).importance
    assert [*found] == [*FEATURES]
    assert min(found.values()) >= 0
    assert sum(found.values()) == pytest.approx(1, abs=0.05)  # the trees' gain of the lead is left out
    assert found["cams_target"] == max(found.values())  # in a panel made by hand CAMS knows best
