"""How the quality model is chosen, kept and judged: on wines it never learned from, nor from their twins."""

import json
import os
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shared.errors import NotYetError, UnsafeFileError, UsageError
from shared.runs import Run, midnight
from shared.steps.promotion import PROMOTIONS, champion
from shared.systems.wine import inference, sources, training
from shared.systems.wine.features import fingerprint, labelled, medians
from shared.systems.wine.model import Plan, learn
from shared.systems.wine.tables import COLOURS, GRADED, GRADES, MEASURES, RESERVE, SAMPLES

QUICK = Plan(folds=2, inner_folds=2, repeats=1, families=("support_vectors",))
JAN_1 = midnight(date(2026, 1, 1))


def figures_of(platform):
    """Return the figures behind the newest verdict."""
    return json.loads(platform.features.read(PROMOTIONS)["figures"].iloc[-1])


def verdicts(platform):
    return platform.features.read(PROMOTIONS).sort_values("decided_at")["verdict"].tolist()


def blank(wines, share=0.1):
    """Return the wines with a tenth of their pH values missing."""
    return wines.assign(ph=wines["ph"].where(np.random.default_rng(0).random(len(wines)) >= share))


# --- what is registered --------------------------------------------------------------------------------------------


def test_the_champion_surely_beats_the_mean_grade_and_its_figures_say_how_sure_they_are(cellar):
    model = champion(cellar, "wine")
    assert verdicts(cellar) == ["promoted"]
    assert figures_of(cellar)["mean grade_high"] < 0
    assert model.metrics["mse_low"] < model.metrics["mse"] < model.metrics["mse_high"]
    assert model.metrics["mse"] < 0.6
    assert model.metrics["qwk"] > 0.4
    assert cellar.tracker.metrics(model.run_id)["mse"] == model.metrics["mse"]


def test_what_is_registered_says_what_it_takes_and_learned_from(cellar, wines):
    model = champion(cellar, "wine")
    assert model.signature["inputs"][:2] == ["colour", "fixed_acidity g/L"]
    assert (model.signature["rows"], model.signature["source"], model.signature["coverage"]) == (1219, "uci", 0.9)
    assert model.trained_on == "2026-10-01"
    assert {f"{name}.onnx" for name in (*model.signature["members"], "low", "high")} < set(model.files)
    assert sum(member["weight"] for member in model.signature["members"].values()) == pytest.approx(1)
    for colour in COLOURS:
        alcohol = wines.loc[wines["colour"] == colour, "alcohol"]
        assert model.signature["ranges"][colour]["alcohol"] == alcohol.quantile([0, 0.25, 0.5, 0.75, 1]).tolist()
    background = pd.read_parquet(model.folder / "background.parquet")
    assert [*background.columns] == ["colour", *MEASURES]
    assert {*fingerprint(background)} <= {*fingerprint(wines)}


def test_intervals_hold_held_out_grades_about_as_often_as_promised(cellar):
    assert 0.86 <= champion(cellar, "wine").metrics["coverage"] <= 0.96


def test_no_wine_in_reserve_takes_part_before_its_day(cellar, wines):
    reserve, learned = (
        cellar.features.read(RESERVE),
        pd.read_parquet(champion(cellar, "wine").folder / "held_out.parquet"),
    )
    assert len(reserve) == 81
    assert {*learned["input_hash"]} == {*fingerprint(wines)}
    assert {*learned["input_hash"]}.isdisjoint(fingerprint(reserve))


def test_opened_wines_take_part_from_the_day_their_grade_is_known_and_synthetic_ones_never(cellar, run_on):
    report = training.train(cellar, run_on("2026-10-10", "train"), "", QUICK)
    assert report.rows == 1219 + 9  # the wine of the 10th is graded on the 11th
    assert cellar.models.load("wine", 2).signature["rows"] == 1228
    assert (cellar.features.read(SAMPLES)["origin"] == "synthetic").sum() == 24


# --- folds ---------------------------------------------------------------------------------------------------------


def test_twins_are_judged_by_one_model_that_learned_from_neither(wines):
    said = training.out_of_sample(pd.concat([wines, wines.head(200)], ignore_index=True), QUICK)
    assert len(said) == 1419
    by_twins = said.groupby(level=0)
    assert by_twins.size().max() > 1
    assert said["mean"].nunique() == 2  # the mean grade of what was learned tells the folds apart
    assert (by_twins["mean"].nunique() == 1).all()
    assert (by_twins["quality"].nunique() == 1).all()


def test_every_wine_is_judged_once_a_repeat(wines):
    some = wines.head(200)
    said, hashes = training.out_of_sample(some, replace(QUICK, repeats=2)), sorted(fingerprint(some))
    for repeat in (0, 1):
        assert sorted(said.index[said["repeat"] == repeat]) == hashes
    assert said["quality"].between(3, 9).all()
    assert not said.isna().any(axis=None)


def test_twins_teach_nothing_to_the_folds_that_choose():
    """Grades that nothing explains: a model that saw a wine's twin would seem to know them by heart."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.uniform(2.5, 4.5, (150, len(MEASURES))), columns=[*MEASURES]).assign(colour="red")
    rows["grade"] = rng.integers(4, 8, 150)
    known = learn(pd.concat([rows] * 3, ignore_index=True), replace(QUICK, families=("extra_trees",)))
    assert known.link.slope < 1  # with twins on both sides it is above 10
    assert known.link.cuts[-1] > known.link.cuts[0]


def test_the_leaky_protocol_looks_better_than_the_honest_one(wines):
    plan = replace(QUICK, folds=5)
    honest, leaky = (training._one_family(wines, plan, leaky=leaky) for leaky in (False, True))
    losses = [((said["extra_trees"] - said["truth"]) ** 2).mean() for said in (honest, leaky)]
    assert losses[1] < losses[0] - 0.03


def test_medians_that_fill_blanks_come_from_the_wines_learned_from_alone(wines):
    known, judged = blank(wines.iloc[::2]), blank(wines.iloc[1::2])
    learned = learn(known, QUICK)
    assert learned.medians == medians(known)
    said = learned.grade(judged)
    others = judged.assign(ph=4.9, alcohol=20.0)
    first = judged[judged["ph"].isna()].index[0]
    others.loc[first] = judged.loc[first]
    pd.testing.assert_frame_equal(learned.grade(others).loc[[first]], said.loc[[first]])


def test_the_same_wines_and_seed_give_the_same_model_to_the_byte(wines, small, tmp_path):
    known, some, plan = [], wines.head(200), replace(small, families=("extra_trees", "xgboost", "support_vectors"))
    for name in ("one", "two"):
        learned, folder = learn(some, plan), tmp_path / name
        folder.mkdir()
        members = training._to_folder(learned, training.inputs(some, learned.medians).to_numpy(), folder)
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        known.append((files, members, learned.margin, learned.link, learned.medians))
    assert known[0] == known[1]


def test_what_is_registered_says_of_new_wines_what_was_fitted(cellar, wines, small):
    new = blank(cellar.features.read(RESERVE).drop(columns="grade"), share=0.3).assign(origin="reserve", taken_at=JAN_1)
    said, fitted = inference.grade(champion(cellar, "wine"), new), learn(wines, small).grade(new)
    for name in ("quality", "low", "high", *(f"p{grade}" for grade in GRADES)):
        assert said[name].to_numpy() == pytest.approx(fitted[name].to_numpy(), abs=2e-3), name
    assert (said["grade"] != fitted["grade"]).sum() <= 1
    assert inference.quality(champion(cellar, "wine"), new) == pytest.approx(said["quality"].to_numpy(), abs=1e-5)


def test_the_table_shows_each_family_what_was_chosen_what_must_be_beaten_and_other_protocols(wines):
    said = training.out_of_sample(wines, QUICK)
    table = pd.DataFrame(training.comparison(said, wines, QUICK)).set_index("model")
    assert [*table.index] == [
        "support_vectors",
        "chosen in each fold, grades by its rule",
        "mean grade",
        "predecessor: forest, no total SO2",
        "extra_trees, no total SO2",
        "extra_trees, twins in several folds: LEAKS",
    ]
    assert table["mse"].idxmin() == "extra_trees, twins in several folds: LEAKS"
    assert table["mse"].idxmax() == "mean grade"
    assert (table["low"] < table["mse"]).all()
    assert (table["mse"] < table["high"]).all()


# --- champion and challenger ---------------------------------------------------------------------------------------


def test_a_model_that_may_be_worse_waits(cellar, run_on):
    report = training.train(cellar, run_on("2026-10-10", "train"), "", QUICK)
    assert report.note.startswith("waits"), report.note
    assert verdicts(cellar) == ["promoted", "waits"]
    assert champion(cellar, "wine").version == 1


@pytest.mark.slow
def test_a_model_as_good_serves_from_then_on(cellar, run_on, small):
    report = training.train(cellar, run_on("2026-10-01", "train"), "", small)
    assert report.note.startswith("promoted"), report.note
    assert (figures_of(cellar)["champion_low"], figures_of(cellar)["champion_high"]) == pytest.approx((0, 0), abs=1e-9)
    assert champion(cellar, "wine").version == 2


def test_a_model_of_another_source_meets_the_champion_on_its_own_wines(cellar, wines, run_on, tmp_path):
    path = tmp_path / "cellar.csv"
    moved = wines.assign(alcohol=wines["alcohol"] + 0.05)  # so that no wine is one the champion knows
    moved[["colour", *MEASURES, "grade"]].to_csv(path, index=False)
    sources.backfill(cellar, str(path))
    serving, name = champion(cellar, "wine"), sources.source_name(str(path))
    mine = labelled(cellar, run_on("2026-10-10").until, name)
    losses = training._champion_losses(serving, mine).groupby(level=0).mean()
    hashes = pd.Series(fingerprint(mine))
    assert {*hashes} <= {*losses.index}
    assert {*hashes}.isdisjoint(fingerprint(wines))
    away = pd.Series((inference.quality(serving, mine) - mine["grade"]) ** 2).groupby(hashes.to_numpy()).mean()
    assert losses[away.index].to_numpy() == pytest.approx(away.to_numpy(), abs=1e-6)
    training.train(cellar, run_on("2026-10-10", "train"), name, QUICK)
    assert "champion_middle" in figures_of(cellar)
    assert cellar.models.load("wine", 2).signature["source"] == name


def test_grades_that_nothing_explains_make_a_model_that_is_rejected_and_does_not_serve(cellar, run_on):
    grades = cellar.features.read(GRADED)
    cellar.features.write(GRADED, grades.assign(grade=np.random.default_rng(0).permutation(grades["grade"])))
    report = training.train(cellar, run_on("2026-10-10", "train"), "uci", QUICK)
    assert report.note.startswith("rejected")
    assert cellar.models.versions("wine") == [1, 2]
    assert champion(cellar, "wine").version == 1


def test_a_champion_whose_files_were_damaged_is_replaced_by_training_again(cellar, cellar_home, run_on):
    (cellar_home / "demo" / "models" / "wine" / "1" / "files" / "low.onnx").write_bytes(b"{broken")
    with pytest.raises(UnsafeFileError):
        champion(cellar, "wine")
    training.train(cellar, run_on("2026-10-10", "train"), "", QUICK)
    assert champion(cellar, "wine").version == 2


# --- bad days ------------------------------------------------------------------------------------------------------


def some(count, **columns):
    """Return wines of a source of its own, as rows of SAMPLES with a grade."""
    rng = np.random.default_rng(1)
    low = np.array([4.0, 0.1, 0.0, 1.0, 0.02, 5.0, 60.0, 0.99, 3.0, 0.3, 9.0])
    rows = pd.DataFrame(low * rng.uniform(1, 1.05, (count, len(MEASURES))), columns=[*MEASURES])
    rows = rows.assign(sample_id=[f"c-{n:03d}" for n in range(count)], taken_at=JAN_1, origin="reference")
    grades = np.clip(np.round(5.5 + 8 * (rows["alcohol"] - 9.2)), 3, 9).astype(int)
    rows = rows.assign(source="cellar", colour="red", grade=grades, graded_at=JAN_1, grader="panel")
    return rows.assign(**columns)


def stored(platform, rows):
    platform.features.write(SAMPLES, rows[SAMPLES.names])
    platform.features.write(GRADED, rows[GRADED.names])


def attempt(platform):
    run = Run("r1", "wine", "train", date(2026, 10, 1), datetime.now(UTC), "c0de")
    return training.train(platform, run, "cellar", QUICK)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"grade": 5}, "150 different wines with 1 different grades; 100 and 2 are needed: backfill more"),
        ({"chlorides": None}, "most wines have no value of chlorides; backfill wines that have"),
        (
            {name: 1.0 for name in MEASURES if name not in ("density", "ph", "alcohol")}
            | {"density": 1.0, "ph": 3.0, "alcohol": 10.0},
            "1 different wines",
        ),
    ],
)
def test_wines_that_teach_nothing_say_what_is_missing(platform, columns, sentence):
    stored(platform, some(150, **columns))
    with pytest.raises(NotYetError, match=sentence):
        attempt(platform)
    assert platform.models.versions("wine") == []


def test_too_few_wines_say_how_many_are_needed(platform):
    stored(platform, some(99))
    with pytest.raises(NotYetError, match="99 different wines .*; 100 and 2 are needed"):
        attempt(platform)


def test_red_wines_alone_with_two_grades_some_blanks_and_a_constant_column_are_enough(platform):
    rows = some(120, citric_acid=0.0)
    rows["grade"] = rows["grade"].clip(5, 6)
    rows.loc[::3, "ph"] = None
    stored(platform, rows)
    assert attempt(platform).rows == 120
    model = platform.models.load("wine", 1)
    assert [*model.signature["ranges"]] == ["red"]
    white = rows.head(3).assign(colour="white", ph=np.nan)
    assert inference.grade(model, white)["quality"].between(3, 9).all()


@pytest.mark.parametrize("families", [("hist_boosting",), (), ("extra_trees", "crystal_ball")])
def test_families_that_do_not_exist_or_cannot_serve_make_no_plan(families):
    with pytest.raises(UsageError, match="choose among forest, extra_trees"):
        Plan(families=families)


@pytest.mark.parametrize("wrong", [{"folds": 1}, {"inner_folds": 1}, {"repeats": 0}, {"repeats": -1}])
def test_folds_and_repeats_that_judge_nothing_make_no_plan(wrong):
    with pytest.raises(UsageError, match="2 folds and 1 repeat at least"):
        Plan(**wrong)


def test_an_experiment_without_a_repeat_is_refused(cellar, run_on):
    with pytest.raises(UsageError, match="1 repeat at least; got 0"):
        training.augmented(cellar, run_on("2026-10-10", "experiment"), "", 0)


@pytest.mark.slow
def test_an_experiment_says_what_synthetic_wines_add_and_keeps_nothing_but_that(cellar, run_on):
    before = cellar.features.version()
    report = training.augmented(cellar, run_on("2026-10-10", "experiment"), "", 1)
    assert cellar.features.version() == before
    assert cellar.models.versions("wine") == [1] and cellar.models.versions("wine_synthesizer") == []
    found = {row["learned_from"]: row for row in report.table}
    assert report.baselines["mse"] == found["real"]["mse"]
    assert report.metrics["difference"] == found["real + as many synthetic"]["difference"]
    assert report.metrics["mse_synthetic_alone"] > report.baselines["mse"]
    assert report.note.startswith("adding as many synthetic wines")


def test_a_family_that_cannot_serve_is_compared_and_never_chosen(wines):
    plan = replace(QUICK, families=("hist_boosting", "support_vectors"))
    learned = learn(wines.head(150), plan, every_family=True)
    assert set(learned.weights) == {"support_vectors"}
    assert set(learned.families) == {"hist_boosting", "support_vectors"}
    assert "hist_boosting" in learned.grade(wines.tail(5))


# --- real wines ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif("ALMANAC_TEST_DATA" not in os.environ, reason="ALMANAC_TEST_DATA names no folder with wine/")
def test_on_real_wines_the_figures_are_those_that_are_promised(platform):
    sources.backfill(platform, str(Path(os.environ["ALMANAC_TEST_DATA"]) / "wine"))
    plan = Plan(repeats=1, families=("extra_trees", "xgboost", "support_vectors"))
    run = Run("r1", "wine", "train", date(2026, 10, 1), datetime.now(UTC), "c0de")
    report = training.train(platform, run, "", plan)
    assert report.metrics["mse"] <= 0.47
    assert 0.87 <= report.metrics["coverage"] <= 0.93
    assert report.metrics["mse_leaky"] < report.metrics["mse"] - 0.05
    assert report.metrics["mse"] < report.baselines["predecessor"]
    assert report.note.startswith("promoted")
