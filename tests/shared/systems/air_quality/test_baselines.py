"""Baselines on series whose answer is known by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.systems.air_quality.baselines import RECURSIVE_LAGS, fit_baselines, say
from shared.systems.air_quality.tables import BASELINES

NOTHING = {"recursive": None}


class FakeModel:
    """Say the first lag and one; keep the rows it was asked."""

    def __init__(self):
        self.asked = []

    def predict(self, rows):
        self.asked.append(rows)
        return rows[:, 4] + 1


def with_dust(panel, pm25):
    """Return the panel with the given dust on its first days, and blanks after it."""
    filled = np.full(panel.pm25.shape, np.nan)
    filled[:, : np.shape(pm25)[-1]] = pm25
    return replace(panel, pm25=filled)


def spoken(panel, until, origin, **changed):
    """Return what each baseline of the first station says at an origin, fitted on the days before ``until``."""
    said = say(replace(fit_baselines(panel, until), **changed), panel, np.array([origin]))
    return {name: values[0, 0] for name, values in said.items()}


def test_every_named_baseline_speaks_of_every_station_origin_and_lead(made_panel):
    panel = made_panel(days=150)
    said = say(fit_baselines(panel, 120), panel, np.arange(119, 130))
    assert {*said} == {*BASELINES}
    assert {values.shape for values in said.values()} == {(2, 11, 7)}
    assert all(np.isfinite(values).all() for values in said.values())
    assert all((values >= 0).all() for values in said.values())


def test_persistence_says_the_origin_day_again_and_the_newest_of_a_week_where_it_is_blank(made_panel):
    panel = made_panel(days=60, stations=1)
    panel.pm25[0, 40], panel.pm25[0, 50] = 17.0, 23.0
    panel.pm25[0, 41:47] = np.nan
    panel.pm25[0, 51:58] = np.nan
    at = lambda origin: spoken(panel, 40, origin, **NOTHING)["persistence"].tolist()  # noqa: E731
    assert at(40) == at(44) == at(46) == [17.0] * 7
    assert at(56) == [23.0] * 7
    assert np.isnan(at(57)).all()


def test_of_a_constant_series_every_baseline_says_that_constant(made_panel):
    panel = made_panel(days=500, stations=1)
    panel = replace(panel, pm25=np.full_like(panel.pm25, 12.0), cams=np.full_like(panel.cams, 12.0))
    for name, values in spoken(panel, 400, 399).items():
        assert values == pytest.approx(np.full(7, 12.0), abs=0.2), name


def test_of_zeros_every_baseline_says_zero(made_panel):
    panel = made_panel(days=200, stations=1)
    panel = replace(panel, pm25=np.zeros_like(panel.pm25), cams=np.zeros_like(panel.cams))
    for name, values in spoken(panel, 150, 149).items():
        assert values == pytest.approx(np.zeros(7), abs=1e-6), name


def test_climatology_knows_the_season_and_the_weekday(made_panel):
    panel = made_panel(days=1461, stations=1, start="2021-01-01")
    winter = 4 * np.cos(2 * np.pi * panel.days.day_of_year.to_numpy() / 365.25)
    panel = replace(panel, pm25=(20 + winter + 5 * (panel.days.day_of_week.to_numpy() == 6))[None])
    said = spoken(panel, 1400, 1410, **NOTHING)["climatology"]
    assert said == pytest.approx(panel.pm25[0, 1411:1418], abs=0.7)


def test_damped_gives_up_an_anomaly_as_fast_as_the_past_did(made_panel):
    panel = made_panel(days=800, stations=1)
    rng, anomaly = np.random.default_rng(1), np.zeros(800)
    for day in range(1, 800):
        anomaly[day] = 0.8 * anomaly[day - 1] + rng.normal()
    panel = replace(panel, pm25=(50 + anomaly)[None])
    fitted = fit_baselines(panel, 790)
    assert fitted.lasting[0] == pytest.approx(0.8 ** np.arange(1, 8), abs=0.12)
    panel.pm25[0, 790] = 60.0
    said = {name: values[0, 0] for name, values in say(replace(fitted, **NOTHING), panel, np.array([790])).items()}
    usual = spoken(panel, 790, 789, **NOTHING)["climatology"]
    assert np.diff(said["damped"] - said["climatology"]).max() < 0
    assert said["damped"][0] == pytest.approx(usual[1] + fitted.lasting[0, 0] * (60 - usual[0]), abs=1e-9)


def test_damped_takes_the_newest_day_of_the_week_and_is_climatology_after_a_silent_one(made_panel):
    panel = made_panel(days=200, stations=1)
    panel.pm25[0, 155:161] = np.nan
    said = spoken(panel, 150, 160, **NOTHING)
    assert said["damped"].tolist() != said["climatology"].tolist()
    panel.pm25[0, 154] = np.nan
    said = spoken(panel, 150, 160, **NOTHING)
    assert said["damped"].tolist() == said["climatology"].tolist()


def test_a_series_that_turns_over_each_day_does_not_last_and_is_never_believed_to_turn(made_panel):
    panel = made_panel(days=200, stations=1)
    panel = replace(panel, pm25=(20 + 5 * (-1.0) ** np.arange(200))[None])
    assert fit_baselines(panel, 200).lasting[0, ::2].tolist() == [0, 0, 0, 0]


def test_ridge_finds_that_a_lag_of_six_days_decides(made_panel):
    panel, rng = made_panel(days=900, stations=1), np.random.default_rng(2)
    pm25 = rng.uniform(5, 30, 900)
    for day in range(7, 900):
        pm25[day] = 0.9 * pm25[day - 7] + 0.1 * pm25[day]
    panel = replace(panel, pm25=pm25[None])
    said = spoken(panel, 880, 885, **NOTHING)["ridge"]
    assert said[0] == pytest.approx(pm25[886], abs=1.5)  # lead 1 and lag 6: seven days apart


def test_ridge_is_of_each_station_its_own(made_panel):
    both = made_panel(days=200)
    alone = replace(both, stations=("s0",), **{n: getattr(both, n)[:1] for n in ("pm25", "weather", "cams", "holiday")})
    one, two = spoken(alone, 190, 190, **NOTHING)["ridge"], spoken(both, 190, 190, **NOTHING)["ridge"]
    assert one.tolist() == two.tolist()


def test_cams_says_what_it_forecast_at_the_origin_for_each_lead(made_panel):
    panel = made_panel(days=100, stations=1)
    assert spoken(panel, 80, 85, **NOTHING)["cams"].tolist() == [panel.cams[0, 85 + lead, lead] for lead in range(1, 8)]


def test_recursive_feeds_on_its_own_forecasts_and_takes_three_lags_and_the_days_weather(made_panel):
    panel, fake = made_panel(days=100, stations=1), FakeModel()
    panel.pm25[0, 83:86] = [4.0, 6.0, 10.0]
    said = spoken(panel, 80, 85, recursive=fake)["recursive"]
    assert said.tolist() == [11, 12, 13, 14, 15, 16, 17]
    lags = np.concatenate(fake.asked)[:, 4:]
    assert lags[:4].tolist() == [[10, 6, 4], [11, 10, 6], [12, 11, 10], [13, 12, 11]]
    assert lags.shape == (7, RECURSIVE_LAGS)
    weather = np.concatenate(fake.asked)[:, :4]
    assert np.array_equal(weather, [panel.weather[0, 85 + lead, lead] for lead in range(1, 8)])


def test_recursive_takes_the_weather_that_was_where_no_forecast_was_kept(made_panel):
    panel, fake = made_panel(days=100, stations=1), FakeModel()
    panel.weather[0, 87, 2] = np.nan
    spoken(panel, 80, 85, recursive=fake)
    assert np.array_equal(fake.asked[1][0, :4], panel.weather[0, 87, 0])


def test_a_station_silent_for_longer_than_a_week_has_climatology_and_ridge_and_no_others_of_its_dust(made_panel):
    panel = made_panel(days=200)
    panel.pm25[0, 150:181] = np.nan
    said = spoken(panel, 181, 180)
    assert np.isfinite([said["climatology"], said["damped"], said["ridge"], said["cams"]]).all()
    assert np.isnan([said["persistence"], said["recursive"]]).all()


def test_a_station_without_an_observation_takes_the_others_climate_and_has_no_ridge(made_panel):
    panel = made_panel(days=200)
    panel.pm25[0] = np.nan
    said = spoken(panel, 181, 180)
    assert np.isfinite([said["climatology"], said["damped"]]).all()
    assert np.isnan([said["persistence"], said["recursive"], said["ridge"]]).all()


def test_with_nothing_observed_at_all_only_cams_and_a_climate_of_zero_speak(made_panel):
    panel = with_dust(made_panel(days=60, stations=1), np.empty((1, 0)))
    said = spoken(panel, 50, 49)
    assert fit_baselines(panel, 50).recursive is None
    assert said["climatology"].tolist() == said["damped"].tolist() == [0.0] * 7
    assert np.isnan([said["persistence"], said["recursive"], said["ridge"]]).all()
    assert np.isfinite(said["cams"]).all()


def test_three_days_are_enough_to_say_something_and_too_few_for_the_predecessor(made_panel):
    panel = with_dust(made_panel(days=20, stations=1), [[8.0, 9.0, 10.0]])
    said = spoken(panel, 3, 2)
    assert fit_baselines(panel, 3).recursive is None
    assert said["persistence"].tolist() == [10.0] * 7
    assert np.isfinite(said["damped"]).all()


@given(origin=st.integers(40, 110), how=st.sampled_from(["nan", "huge", "shuffled"]))
@settings(max_examples=4)
def test_nothing_after_the_origin_changes_what_a_baseline_learns_or_says(made_panel, corrupted, origin, how):
    panel = made_panel(days=120)
    spoilt = corrupted(panel, origin, how)
    then, now = (say(fit_baselines(one, origin + 1), one, np.array([origin])) for one in (panel, spoilt))
    for name in BASELINES:
        assert np.array_equal(then[name], now[name], equal_nan=True), name
