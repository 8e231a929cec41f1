"""A forecaster written and loaded: it says what it said, of stations in any order, and of ones it never saw."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from shared.errors import NotYetError
from shared.ports import ModelVersion
from shared.steps.regressors import to_file, xgboost_onnx
from shared.systems.air_quality.baselines import say as say_baselines
from shared.systems.air_quality.blend import MEMBERS, Blend
from shared.systems.air_quality.features import FEATURES
from shared.systems.air_quality.keeping import PAST, load, save
from shared.systems.air_quality.model import Plan, fit, say

ORIGIN = 189


@pytest.fixture(scope="module")
def panel(made_panel):
    """Two stations of which the first is known by CAMS alone, at 1.5 of its level."""
    return made_panel(days=200, level=np.array([1.5, 1.0]), own=np.array([0.1, 0.9]))


@pytest.fixture(scope="module")
def fitted(panel):
    return fit(panel, ORIGIN + 1, Plan(trees=6))


@pytest.fixture(scope="module")
def blend():
    rng = np.random.default_rng(0)
    weights = rng.random((2, 7, len(MEMBERS)))
    return Blend(rng.uniform(0.9, 1.1, (2, 7, len(MEMBERS))), weights / weights.sum(axis=-1, keepdims=True))


@pytest.fixture(scope="module")
def past():
    rows = pd.DataFrame({"station": "s0", "day": pd.to_datetime(["2024-06-02", "2024-06-01"], utc=True), "lead": 1})
    return rows.assign(**dict.fromkeys(PAST[3:], 1.0), spare=3)


@pytest.fixture(scope="module")
def model(panel, fitted, blend, past, tmp_path_factory):
    """What ``training`` registers, as a registry gives it back."""
    folder = tmp_path_factory.mktemp("model")
    save(folder, fitted, blend, panel, past)
    bases = {
        "trees": to_file(fitted.trees, xgboost_onnx, fitted.inputs, folder / "trees.onnx"),
        "recursive": to_file(
            fitted.baselines.recursive, xgboost_onnx, fitted.baselines.rows, folder / "recursive.onnx"
        ),
    }
    kept = {
        "metrics": {},
        "signature": {"bases": bases, "features": [*FEATURES], "members": [*MEMBERS]},
        "code_version": "c0de",
        "run_id": "r",
        "trained_on": "2024-07-08",
    }
    return ModelVersion(name="air_quality", folder=folder, version=1, **kept)


def of(panel, *stations):
    """The panel of some stations, by number, in that order."""
    cut = {name: getattr(panel, name)[[*stations]] for name in ("pm25", "weather", "cams", "holiday", "level", "own")}
    return replace(panel, stations=tuple(panel.stations[n] for n in stations), **cut)


def said(forecaster, panel):
    """What members say at the origin ``[members, stations, 7]``."""
    at = np.array([ORIGIN])
    return say(forecaster, panel, at, say_baselines(forecaster.baselines, panel, at))[:, :, 0]


def test_a_loaded_forecaster_says_what_it_said(model, panel, fitted, blend):
    kept = load(model, panel)
    np.testing.assert_allclose(said(kept.fitted, panel), said(fitted, panel), rtol=1e-4)
    at = np.array([ORIGIN])
    before, after = (say_baselines(one.baselines, panel, at) for one in (fitted, kept.fitted))
    for name in before:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-4, err_msg=name)
    assert np.array_equal(kept.blend.lifts, blend.lifts) and np.array_equal(kept.blend.weights, blend.weights)


def test_stations_are_met_by_name_not_by_place(model, panel):
    turned = said(load(model, of(panel, 1, 0)).fitted, of(panel, 1, 0))
    np.testing.assert_array_equal(turned[:, ::-1], said(load(model, panel).fitted, panel))


def test_a_station_that_is_gone_leaves_the_others_as_they_were(model, panel):
    alone = of(panel, 1)
    together = said(load(model, panel).fitted, panel)[:, 1]
    np.testing.assert_allclose(said(load(model, alone).fitted, alone)[:, 0], together, rtol=1e-12)


def test_a_new_station_takes_the_others_mean_at_its_own_level_and_has_no_ridge(model, panel):
    there = of(panel, 0, 1, 0)
    strange = replace(there, stations=("s0", "s1", "new"), pm25=there.pm25 * np.array([[1], [1], [8]]))
    kept = load(model, strange)
    assert kept.known.tolist() == [True, True, False]
    beside = say_baselines(kept.fitted.baselines, strange, np.array([ORIGIN]))
    assert np.isnan(beside["ridge"][2]).all() and np.isfinite(beside["ridge"][:2]).all()
    recent = strange.pm25[2, ORIGIN - 90 : ORIGIN].mean()
    assert beside["climatology"][2].mean() == pytest.approx(recent, rel=0.35)
    members = said(kept.fitted, strange)[:, 2]
    assert np.nanmean(members) == pytest.approx(recent, rel=0.6)


def test_a_new_station_of_which_nothing_was_seen_takes_the_others_level(model, panel):
    blank = replace(of(panel, 0, 0), stations=("s0", "new"))
    blank = replace(blank, pm25=np.stack([blank.pm25[0], np.full(200, np.nan)]))
    usual = load(model, blank).fitted.baselines.usual
    both = load(model, panel).fitted.baselines.usual
    np.testing.assert_allclose(usual[1], both.mean(axis=0))


def test_a_model_that_learned_from_cams_is_raised_to_a_level_found_since(model, panel):
    """The first station's model knows CAMS raised by 1.5; now it should be 1.8. The second learned its own days."""
    assert load(model, panel).level.tolist() == [1.0, 1.0]
    later = replace(panel, level=np.array([1.8, 1.3]))
    np.testing.assert_allclose(load(model, later).level, [1.2, 1.0])


def test_what_was_said_out_of_sample_is_kept_oldest_first_without_other_columns(model, panel):
    past = load(model, panel).past
    assert [*past.columns] == PAST
    assert past["day"].dt.day.tolist() == [1, 2]


@pytest.mark.parametrize("change", [{"features": FEATURES[1:]}, {"members": [*MEMBERS][1:]}, {"features": None}])
def test_a_model_of_other_features_or_members_says_to_train_again(model, panel, change):
    signature = {name: value for name, value in {**model.signature, **change}.items() if value is not None}
    with pytest.raises(
        NotYetError, match="air_quality v1 was made of other features .* run `almanac run air_quality t"
    ):
        load(replace(model, signature=signature), panel)
