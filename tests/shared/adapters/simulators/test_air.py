"""The simulated air: the same whenever it is asked, near the real one where that was measured, worth forecasting."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.simulators.air import (
    cams_pm25,
    forecast_weather,
    level,
    truth_pm25,
    truth_weather,
    zone_at,
)
from shared.adapters.simulators.noise import noise

CITIES = [(51.9, 4.51), (59.33, 18.07), (50.06, 19.94), (40.42, -3.70), (-33.87, 151.21)]  # the last one in the south
SINCE = int(pd.Timestamp("2021-01-01").timestamp()) // 3600
YEARS = np.arange(SINCE, SINCE + 3 * 365 * 24)
FIRST, LAST = (int(pd.Timestamp(day).timestamp()) // 3600 for day in ("2013-01-01", "2061-01-01"))


def daily(hourly, how="mean"):
    """Return [days, places]."""
    return pd.DataFrame(getattr(hourly.reshape(len(hourly), -1, 24), how)(axis=2).T)


@pytest.fixture(scope="module")
def dust():
    return daily(truth_pm25(CITIES, YEARS))


@pytest.fixture(scope="module")
def weather():
    return truth_weather(CITIES, YEARS)


def rmse(forecast, truth):
    return float(np.sqrt(np.mean((np.asarray(forecast) - np.asarray(truth)) ** 2)))


@settings(max_examples=30)
@given(st.floats(-90, 90), st.floats(-180, 180), st.integers(FIRST, LAST - 100))
def test_any_hour_anywhere_is_the_same_alone_as_in_a_row_and_can_be(latitude, longitude, hour):
    place, hours = [(latitude, longitude)], np.arange(hour, hour + 100)
    dust, weather = truth_pm25(place, hours), truth_weather(place, hours)
    assert truth_pm25(place, hours[70:71])[0, 0] == pytest.approx(dust[0, 70])
    assert (dust > 0.2).all() and (dust < 900).all()
    assert (abs(weather.temperature) < 60).all()
    assert (weather.precipitation >= 0).all() and (weather.precipitation < 60).all()
    assert (weather.wind_speed < 150).all()
    assert ((weather.wind_direction >= 0) & (weather.wind_direction < 360)).all()


def test_many_places_at_once_are_those_places_one_by_one():
    hours = YEARS[:48]
    for truth in (truth_pm25, cams_pm25):
        together = truth(CITIES, hours)
        assert together.shape == (5, 48)
        assert all(together[row] == pytest.approx(truth([place], hours)[0]) for row, place in enumerate(CITIES))


def test_noise_has_mean_0_and_variance_1_at_every_place_between_knots():
    places = [(51 + row / 3, 4 + row / 2) for row in range(12)]
    drawn = noise("any", places, np.arange(0, 400_000, 37), 24, 300)
    assert drawn.mean() == pytest.approx(0, abs=0.02)
    assert drawn.std(axis=1) == pytest.approx(1, abs=0.05)


def test_noise_of_two_names_is_independent():
    hours = np.arange(0, 200_000, 50)
    one, two = (noise(name, [(0, 0)], hours, 24, 300)[0] for name in ("one", "two"))
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.06


@pytest.mark.parametrize(
    ("there", "here"), [((10, 179.999), (10, -179.999)), ((90, 0), (90, 120)), ((-90, 0), (-90, 9))]
)
def test_the_earth_has_no_seam_at_the_date_line_or_the_poles(there, here):
    one, two = noise("any", [there, here], np.arange(100), 24, 500)
    assert one == pytest.approx(two, abs=0.01)


def test_dust_varies_and_persists_like_that_of_real_cities(dust):
    logs = np.log(dust)
    assert logs.std().between(0.35, 0.65).all()
    assert logs.apply(lambda city: city.autocorr(1)).between(0.6, 0.8).all()
    assert level(CITIES).min() >= 5 and level(CITIES).max() <= 40


def test_dust_follows_wind_rain_winter_and_the_working_week(dust, weather):
    logs = np.log(dust)
    calm = daily(weather.wind_speed) < daily(weather.wind_speed).quantile(0.25)
    dry = daily(weather.precipitation, "sum") < 0.1
    assert (logs[calm].mean() > logs[~calm].mean() + 0.25).all()
    assert (logs[dry].mean() > logs[~dry].mean() + 0.1).all()
    months, weekdays = (getattr(pd.to_datetime(YEARS[::24], unit="h"), name) for name in ("month", "day_of_week"))
    winter = logs[np.isin(months, (12, 1, 2))].mean() - logs[np.isin(months, (6, 7, 8))].mean()
    assert (winter[:4] > 0.2).all() and winter[4] < -0.1
    assert (logs[weekdays < 5].mean() > logs[weekdays >= 5].mean()).all()


def test_weather_is_about_that_of_rotterdam(weather):
    """The real one, 2014 to 2024: 11.3 ± 5.9 °C, 2.4 mm and 61 % wet days, wind at most 22 km/h."""
    temperature, rain = daily(weather.temperature)[0], daily(weather.precipitation, "sum")[0]
    assert temperature.mean() == pytest.approx(11, abs=1.5)
    assert temperature.std() == pytest.approx(5.9, abs=1)
    assert rain.mean() == pytest.approx(2.4, abs=0.7)
    assert (rain > 0.1).mean() == pytest.approx(0.6, abs=0.1)
    assert daily(weather.wind_speed, "max")[0].mean() == pytest.approx(20, abs=4)


def test_places_near_each_other_have_air_in_common():
    here_200_and_510_km_and_far = [(51.9, 4.51), (51.9, 7.4), (51.9, 12), (0, 90)]
    logs = np.log(daily(truth_pm25(here_200_and_510_km_and_far, YEARS)))
    _, near, farther, far = logs.corr()[0]
    assert near > 0.5
    assert near > farther > far


def test_a_forecast_errs_by_half_a_degree_a_day_ahead_and_by_three_seven_days_ahead(weather):
    errors = [
        rmse(forecast_weather(CITIES, YEARS, lead).temperature, weather.temperature) for lead in (0, 1, 2, 3, 5, 7, 10)
    ]
    assert errors == sorted(errors)
    assert errors[1] == pytest.approx(0.5, abs=0.1)
    assert errors[5] == pytest.approx(3, abs=0.5)
    assert rmse(forecast_weather(CITIES, YEARS, 14).temperature, weather.temperature) == pytest.approx(errors[-1])


@pytest.mark.parametrize("lead", [1, 7])
def test_far_ahead_it_neither_rains_nor_blows_much_more_than_it_does(lead, weather):
    forecast = forecast_weather(CITIES, YEARS, lead)
    assert forecast.precipitation.mean() == pytest.approx(weather.precipitation.mean(), rel=0.1)
    assert forecast.wind_speed.mean() == pytest.approx(weather.wind_speed.mean(), rel=0.15)


def test_forecasts_of_an_hour_change_little_from_one_day_to_the_next(weather):
    errors = [forecast_weather(CITIES, YEARS, lead).temperature - weather.temperature for lead in (3, 4)]
    assert np.corrcoef(errors[0].ravel(), errors[1].ravel())[0, 1] > 0.6


def test_leads_by_the_hour_are_those_of_one_lead_each():
    hours, leads = YEARS[:72], YEARS[:72] // 24 - YEARS[0] // 24 + 1
    mixed = forecast_weather(CITIES, hours, leads).wind_speed
    for lead in (1, 2, 3):
        day = leads == lead
        assert mixed[:, day] == pytest.approx(forecast_weather(CITIES, hours, lead).wind_speed[:, day])


def test_cams_is_biased_and_smoothed_and_tells_three_quarters_of_the_truth(dust):
    cams = daily(cams_pm25(CITIES, YEARS))
    assert dust.corrwith(cams).between(0.6, 0.85).all()
    assert (np.log(cams).std() < np.log(dust).std()).all()
    assert (cams.mean() / dust.mean()).std() > 0.05


def test_cams_forecasts_five_days_and_gets_worse_and_revises_its_last_days():
    settled = cams_pm25(CITIES, YEARS[:2400])
    errors = [rmse(np.log(cams_pm25(CITIES, YEARS[:2400], lead)), np.log(settled)) for lead in (-3, -2, 0, 1, 4)]
    assert errors[0] == 0
    assert 0 < errors[1] == errors[2] < errors[3] < errors[4]
    assert np.isnan(cams_pm25(CITIES, YEARS[:24], 5)).all()


@pytest.mark.parametrize("city", range(4))
def test_a_model_with_weather_beats_persistence_climatology_and_one_without(city, dust):
    truth, lead = dust[city], 2
    forecast = forecast_weather(CITIES[city : city + 1], YEARS, lead)
    angle = 2 * np.pi * np.arange(len(truth)) / 365.25
    season = [np.ones(len(truth)), np.cos(angle), np.sin(angle)]
    past = [np.log(truth.shift(lead)), np.log(truth.shift(lead)).rolling(7).mean()]
    ahead = [
        np.log(daily(forecast.wind_speed)[0] + 5),
        np.log1p(daily(forecast.precipitation, "sum")[0]),
        np.minimum(daily(forecast.temperature)[0], 8),
    ]
    train, test = slice(20, 700), slice(700, None)

    def error(columns):
        inputs = np.column_stack(columns)
        fit = np.linalg.lstsq(inputs[train], np.log(truth)[train], rcond=None)[0]
        return rmse(np.exp(inputs[test] @ fit), truth[test])

    with_weather = error(season + past + ahead)
    assert with_weather < 0.95 * error(season + past)
    assert with_weather < 0.9 * error(season)
    assert with_weather < 0.75 * rmse(truth.shift(lead)[test], truth[test])


def test_a_place_at_sea_has_the_clock_of_its_longitude():
    assert zone_at(51.9, 4.51).key == "Europe/Amsterdam"
    assert zone_at(30, -45).key == "Etc/GMT+3"
