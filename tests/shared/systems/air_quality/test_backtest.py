"""Rolling origins: who says what of which day, with what was known then, and nothing else."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from shared.systems.air_quality.backtest import Rolled, blended, day_shift, distributed, month_starts, roll
from shared.systems.air_quality.blend import FEWEST, MEMBERS
from shared.systems.air_quality.model import Plan
from shared.systems.air_quality.tables import BASELINES, LEADS

FEW = Plan(trees=4)
CUTS = [100, 121, 152]
LAST = 180


def by_origin(said, origin):
    """Return what was said at one origin ``[..., 7]`` of ``[..., days, 7]`` by target day."""
    return np.stack([said[..., origin + lead, lead - 1] for lead in LEADS], axis=-1)


@pytest.fixture(scope="module")
def panel(made_panel):
    return made_panel(days=190, stations=2)


@pytest.fixture(scope="module")
def rolled(panel):
    return roll(panel, CUTS, LAST, FEW)


def test_cuts_are_the_first_day_and_then_the_first_of_each_month_or_of_each_third():
    days = pd.date_range("2024-01-10", "2024-07-05")
    assert [str(days[n].date()) for n in month_starts(days, 5)] == [
        "2024-01-15", "2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01", "2024-06-01", "2024-07-01",
    ]  # fmt: skip
    assert [str(days[n].date()) for n in month_starts(days, 5, 3)] == ["2024-01-15", "2024-04-01", "2024-07-01"]


def test_a_first_day_that_begins_a_month_is_a_cut_once():
    days = pd.date_range("2024-01-01", "2024-02-15")
    assert month_starts(days, 0) == [0, 31]


def test_each_lead_is_said_of_its_target_days_from_its_first_origin_to_the_last_day(rolled):
    spoke = np.isfinite(rolled.members).all(axis=(0, 1))
    for lead in LEADS:
        assert np.flatnonzero(spoke[:, lead - 1]).tolist() == list(range(CUTS[0] - 1 + lead, min(LAST + lead, 190)))


def test_baselines_are_said_of_the_same_days_as_members(rolled):
    assert {*rolled.baselines} == {*BASELINES}
    for name in BASELINES:
        assert np.array_equal(np.isfinite(rolled.baselines[name]), np.isfinite(rolled.members[0])), name


def test_persistence_of_a_lead_is_the_dust_of_that_many_days_before(panel, rolled):
    for lead in LEADS:
        assert np.array_equal(
            rolled.baselines["persistence"][:, 110:170, lead - 1], panel.pm25[:, 110 - lead : 170 - lead]
        )


def test_the_truth_is_the_same_at_every_lead(panel, rolled):
    assert np.array_equal(rolled.truth[..., 0], panel.pm25)
    assert np.array_equal(rolled.truth[..., 6], panel.pm25)


@pytest.mark.parametrize("how", ["nan", "huge", "shuffled"])
@pytest.mark.parametrize("origin", [99, 130, 151])
def test_what_is_said_up_to_a_day_does_not_change_when_all_after_it_does(panel, rolled, corrupted, origin, how):
    spoilt = corrupted(panel, origin, how)
    cuts = [cut for cut in CUTS if cut <= origin + 1]  # of dust that is nan, later fits learn nothing else
    again = roll(spoilt, cuts, origin + 1, FEW)
    for before in range(CUTS[0] - 1, origin + 1, 5):
        assert np.array_equal(by_origin(again.members, before), by_origin(rolled.members, before), equal_nan=True)
        for name in BASELINES:
            one, other = (by_origin(which.baselines[name], before) for which in (again, rolled))
            assert np.array_equal(one, other, equal_nan=True), name


def test_what_is_said_up_to_a_day_does_not_change_when_later_fits_learn_nonsense(panel, rolled, corrupted):
    again = roll(corrupted(panel, 140, "shuffled"), CUTS, LAST, FEW)
    assert np.array_equal(again.members[:, :, :141], rolled.members[:, :, :141], equal_nan=True)
    assert not np.array_equal(again.members[:, :, 141:], rolled.members[:, :, 141:], equal_nan=True)


@pytest.mark.parametrize("origin", [120, 123, 150, 154])
def test_weights_and_intervals_know_nothing_of_days_after_the_origin(panel, rolled, origin):
    late = panel.pm25.copy()
    late[:, origin + 1 :] *= 50
    first, again = blended(rolled), blended(replace(rolled, panel=replace(panel, pm25=late)))
    for name in ("pm25", "low", "high", "over"):
        one, other = (by_origin(getattr(which, name), origin) for which in (first, again))
        assert np.array_equal(one, other, equal_nan=True), name
        assert np.isfinite(one).all() or name != "pm25"


def test_from_the_first_day_on_something_sensible_is_said(panel, rolled):
    said = blended(rolled).pm25
    for lead in LEADS:
        first = said[:, CUTS[0] - 1 + lead : CUTS[0] + 20, lead - 1]
        assert np.isfinite(first).all()
        assert first.min() > 0.2 * panel.pm25.min()
        assert first.max() < 2 * panel.pm25.max()


def test_a_forecast_lies_in_its_interval_and_higher_limits_are_less_likely(rolled):
    said = blended(rolled)
    known = np.isfinite(said.low) & np.isfinite(said.pm25)
    known[:, : CUTS[0] + FEWEST] = False
    assert known.any()
    assert (said.low[known] <= said.high[known]).all()
    assert (said.low[known] >= 0).all()
    chances = said.over[:, known]
    assert (chances[0] >= chances[1]).all()
    assert (chances[1] >= chances[2]).all()


def test_what_was_not_said_has_no_interval_and_no_chance(rolled):
    said = blended(rolled)
    silent = np.isnan(said.pm25)
    assert np.isnan(said.low[silent]).all()
    assert np.isnan(said.over[:, silent]).all()


def test_a_station_that_goes_silent_leaves_the_others_as_they_are(panel):
    quiet = panel.pm25.copy()
    quiet[1, 100:] = np.nan
    truth = np.broadcast_to(panel.pm25[..., None], (2, 190, 7))
    hole = np.broadcast_to(quiet[..., None], (2, 190, 7))
    rng = np.random.default_rng(0)
    said = truth * np.exp(rng.normal(0, 0.2, truth.shape))
    one, other = distributed(said, truth), distributed(said, hole)
    assert np.array_equal(one.low[0], other.low[0], equal_nan=True)
    assert np.isfinite(other.high[1, 100:250]).all()  # its residuals of before still count


def test_residuals_older_than_the_window_do_not_widen_an_interval():
    truth = np.full((1, 500, 7), 10.0)
    said = truth.copy()
    said[:, :100] *= np.exp(np.random.default_rng(0).normal(0, 1, (1, 100, 7)))
    found = distributed(said, truth)
    assert (found.high - found.low)[0, 110].min() > 5
    assert (found.high - found.low)[0, 400:] == pytest.approx(np.zeros((100, 7)), abs=1e-9)


def test_a_member_that_is_right_is_followed_at_the_next_cut(panel):
    shape = (2, 190, 7)
    truth = np.broadcast_to(panel.pm25[..., None], shape)
    members = truth * np.exp(np.random.default_rng(1).normal(0, 0.6, (len(MEMBERS), *shape)))
    members[3] = truth
    members[:, :, :20] = np.nan
    said = blended(Rolled(panel, [20, 120], members, {})).pm25
    error = np.abs(said / truth - 1)
    assert error[:, 127:].mean() < 0.5 * error[:, 27:120].mean()


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_a_station_whose_day_goes_with_the_weather_of_another_day_is_found(made_panel, shift):
    panel = made_panel(days=400, stations=1)
    wind = panel.weather[:, :, 0, 2]
    assert day_shift(replace(panel, pm25=np.exp(3 - 0.05 * np.roll(wind, -shift, axis=1)))) == shift


def test_without_weather_a_station_keeps_its_day(made_panel):
    panel = made_panel(days=400, stations=1)
    assert day_shift(replace(panel, weather=np.full_like(panel.weather, np.nan))) == 0
