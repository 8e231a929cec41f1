"""How synthetic wines are made: what holds in each, what is kept, what a date gives."""

import time
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import NotYetError, UsageError
from shared.runs import Run
from shared.steps import realism
from shared.systems.wine import synthesis
from shared.systems.wine.plausible import Plausible
from shared.systems.wine.sources import fingerprint
from shared.systems.wine.synthesis import Plan, compare, current, data_hash, draw, ensure, must_be_a_day, synthesize
from shared.systems.wine.synthesizers import fit, from_folder, to_folder, whole
from shared.systems.wine.tables import GRADED, MEASURES, SAMPLES, SYNTHESIZER

RUN = Run("run-1", "wine", "synthesize", date(2026, 11, 20), datetime(2026, 11, 20, tzinfo=UTC), "c0de")
DAY = date(2026, 11, 20)


def wines(count=240, seed=0):
    """Return wines of both colours whose density follows sugar and alcohol, and whose grade follows alcohol."""
    rng = np.random.default_rng(seed)
    white = rng.random(count) < 0.7
    alcohol, sugar = rng.normal(10.5, 1.1, count).round(1), rng.gamma(2, 2, count).round(1)
    total = np.where(white, rng.normal(140, 30, count), rng.normal(60, 15, count)).clip(20).round()
    rows = pd.DataFrame({name: rng.normal(1, 0.1, count).round(2) for name in MEASURES})
    rows = rows.assign(
        colour=np.where(white, "white", "red"),
        fixed_acidity=rng.normal(7, 0.8, count).round(1),
        residual_sugar=sugar,
        free_sulfur_dioxide=(total * rng.uniform(0.1, 0.6, count)).round(),
        total_sulfur_dioxide=total,
        density=(1.004 - 0.00115 * alcohol + 0.0004 * sugar + rng.normal(0, 0.0003, count)).round(5),
        ph=rng.normal(3.2, 0.1, count).round(2),
        alcohol=alcohol,
        grade=(alcohol - 5 + rng.normal(0, 0.5, count)).round().clip(4, 7).astype(int),
    )
    return rows.assign(source="uci", sample_id=[f"uci-{number:04d}" for number in range(count)])


REAL = wines()
MADE = fit("cell_swap", whole(REAL), synthesis.sdv.Training(), "uci")


def test_a_date_gives_the_same_wine_on_any_machine_and_this_one():
    samples, grades = draw(MADE, DAY, 2)
    again, _ = draw(MADE, DAY, 3)
    pd.testing.assert_frame_equal(samples, again.head(2))
    assert samples["sample_id"].tolist() == ["2026-11-20-1", "2026-11-20-2"] == grades["sample_id"].tolist()
    assert samples.loc[0, ["colour", "density"]].tolist() == ["red", 0.99366]


def test_what_is_drawn_fits_the_tables_and_says_where_it_comes_from():
    samples, grades = draw(MADE, DAY, 20)
    assert SAMPLES.check(samples)[1].empty and GRADED.check(grades)[1].empty
    assert set(samples["origin"]) == {"synthetic"} and set(samples["source"]) == {"uci"}
    assert set(grades["grader"]) == {"synthesizer"}
    assert (grades["graded_at"] - samples["taken_at"]).dt.days.eq(1).all()


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)))
def test_every_wine_of_any_date_is_plausible_and_no_copy(day):
    samples, _ = draw(MADE, day, 3)
    assert all(MADE.plausible.holds(wine) for wine in samples.to_dict("records"))
    assert (samples["free_sulfur_dioxide"] <= samples["total_sulfur_dioxide"]).all()
    assert set(fingerprint(samples)).isdisjoint(fingerprint(REAL))


def test_colours_and_grades_come_as_often_as_in_the_real_wines():
    made = MADE.sample(len(REAL), 0)
    for column in ("colour", "grade"):
        shares = [rows[column].value_counts(normalize=True) for rows in (REAL, made)]
        assert (shares[0] - shares[1]).abs().max() < 0.03


def test_drift_adds_alcohol_and_the_density_follows_within_what_any_wine_has():
    calm, _ = draw(MADE, DAY, 20)
    drifted, _ = draw(MADE, DAY, 20, 2.0)
    assert (drifted["alcohol"] - calm["alcohol"]).to_numpy() == pytest.approx(2.0)
    assert (drifted["density"] < calm["density"]).all()
    assert SAMPLES.check(draw(MADE, DAY, 50, -5.0)[0])[1].empty
    off = [
        abs(w["density"] - MADE.plausible.colours[w["colour"]].density(w))
        - MADE.plausible.colours[w["colour"]].tolerance
        for w in drifted.to_dict("records")
    ]
    assert max(off) < 1e-5


@pytest.mark.parametrize(("count", "drift"), [(0, 0.0), (10_001, 0.0), (1, 5.1), (1, float("nan"))])
def test_a_day_that_cannot_be_is_refused(count, drift):
    with pytest.raises(UsageError, match="a day brings"):
        must_be_a_day(count, drift)


def test_an_implausible_wine_does_not_hold():
    wine = whole(REAL).iloc[0].to_dict()
    assert Plausible.learn(whole(REAL)).holds(wine)
    for wrong in ({"free_sulfur_dioxide": wine["total_sulfur_dioxide"] + 1}, {"density": 1.03}, {"ph": 4.9}):
        assert not MADE.plausible.holds({**wine, **wrong})


def test_a_day_on_a_fresh_store_is_fast_and_the_next_one_refits_nothing(platform):
    clock = time.process_time()  # of this process alone: others may keep it waiting
    made = ensure(platform, RUN, REAL)
    assert time.process_time() - clock < 5
    assert draw(ensure(platform, RUN, REAL), DAY)[0].equals(draw(made, DAY)[0])
    assert platform.models.versions(SYNTHESIZER) == [1]
    model = platform.models.load(SYNTHESIZER, 1)
    assert model.signature == {
        "candidate": "cell_swap", "data_hash": data_hash(REAL), "source": "uci", "wines": len(whole(REAL))
    }  # fmt: skip


def test_other_wines_or_another_source_are_learned_anew_and_an_older_synthesizer_serves_its_own(platform):
    ensure(platform, RUN, REAL)
    assert current(platform, wines(seed=1), DAY) is None
    ensure(platform, RUN, wines(seed=1))
    assert ensure(platform, RUN, REAL.assign(source="mine")).source == "mine"
    assert ensure(platform, RUN, REAL).source == "uci"
    assert platform.models.versions(SYNTHESIZER) == [1, 2, 3]


def test_the_hash_does_not_care_for_order_repeats_or_rows_with_blanks():
    shuffled = pd.concat([REAL, REAL.head(3)]).sample(frac=1, random_state=0)
    blank = REAL.head(1).assign(ph=np.nan)
    assert data_hash(pd.concat([shuffled, blank])) == data_hash(REAL)
    assert data_hash(REAL.assign(grade=REAL["grade"] + 1)) != data_hash(REAL)


def test_a_damaged_synthesizer_is_made_again_and_not_served(platform):
    before = draw(ensure(platform, RUN, REAL), DAY)[0]
    path = platform.models.load(SYNTHESIZER, 1).folder / "synthesizer.json"
    path.write_text(path.read_text().replace("white", "red"))
    assert current(platform, REAL, DAY) is None
    assert draw(ensure(platform, RUN, REAL), DAY)[0].equals(before)
    assert platform.models.versions(SYNTHESIZER) == [1, 2]


@pytest.mark.parametrize("name", ["cell_swap", "class_copula", "colour_copula"])
def test_what_is_kept_draws_the_same_wines_without_a_pickle(name, tmp_path):
    made = fit(name, whole(REAL.head(80)), synthesis.sdv.Training(), "uci")
    to_folder(made, tmp_path, seed=0)
    first, again = (from_folder(tmp_path, "uci") for _ in range(2))
    assert draw(first, DAY, 5)[0].equals(draw(again, DAY, 5)[0])
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".parquet"}
    assert all(first.holds(wine) for wine in first.sample(20, 0).to_dict("records"))


def test_no_wines_and_too_few_wines_are_said_to_be():
    with pytest.raises(NotYetError, match="backfill"):
        fit("cell_swap", whole(REAL.head(0)), synthesis.sdv.Training())
    with pytest.raises(NotYetError, match="a cell needs 4"):
        fit("cell_swap", whole(REAL.head(3)), synthesis.sdv.Training())


@pytest.mark.parametrize("wrong", [{"candidates": ("gan",)}, {"seeds": ()}, {"epochs": 0}])
def test_a_plan_that_compares_nothing_is_refused(wrong):
    with pytest.raises(UsageError):
        Plan(**wrong)


@pytest.mark.slow
def test_the_best_that_is_private_is_registered_and_the_leaderboard_says_so(platform, monkeypatch):
    monkeypatch.setattr(realism, "TREES", 20)
    report = synthesize(platform, RUN, REAL, Plan(("uniform_ranges", "cell_swap", "class_copula"), seeds=(0, 1)))
    chosen = [row for row in report.table if row["chosen"]]
    assert len(chosen) == 1 and report.model == f"{SYNTHESIZER} v1"
    assert report.metrics["exact_copies"] == 0 and report.metrics["tstr_mse"] == chosen[0]["tstr_mse"]
    assert [row["tstr_mse"] for row in report.table] == sorted(row["tstr_mse"] for row in report.table)
    assert chosen[0]["tstr_mse_low"] < chosen[0]["tstr_mse"] < chosen[0]["tstr_mse_high"]
    served = current(platform, REAL, DAY)
    assert served is not None and draw(served, DAY)[0]["source"].tolist() == ["uci"]


@pytest.mark.slow
def test_a_candidate_that_gives_away_what_it_learned_is_not_chosen(platform, monkeypatch):
    monkeypatch.setattr(realism, "TREES", 20)
    monkeypatch.setattr(synthesis, "MOST_MEMBERSHIP_AUC", 0.0)
    report = synthesize(platform, RUN, REAL, Plan(("cell_swap", "class_copula"), seeds=(0,)))
    assert "no candidate was private" in report.note
    assert not any(row["private"] for row in compare(REAL, Plan(("class_copula",), seeds=(0,))))
