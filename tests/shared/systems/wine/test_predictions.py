"""What the champion says of wines, once each, and that every prediction can be traced and made again."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from shared.errors import NotYetError
from shared.runs import midnight
from shared.steps.promotion import champion
from shared.systems.wine import inference, sources
from shared.systems.wine.features import fingerprint
from shared.systems.wine.tables import GRADED, GRADES, MEASURES, PREDICTIONS, SAMPLES

SHARES = [f"p{grade}" for grade in GRADES]
OCT_24 = date(2026, 10, 24)


def predict(platform, run):
    return inference.predict(platform, run, inference.serving(platform, run))


def made(platform, sample_id):
    predictions = platform.features.read(PREDICTIONS)
    return predictions[predictions["sample_id"] == sample_id].iloc[0]


def test_every_wine_that_came_is_predicted_once_and_no_reference_wine(cellar):
    predictions, samples = cellar.features.read(PREDICTIONS), cellar.features.read(SAMPLES)
    assert sorted(predictions["sample_id"]) == sorted(samples.loc[samples["origin"] != "reference", "sample_id"])
    assert predictions["origin"].value_counts().to_dict() == {"reserve": 24, "synthetic": 24}


def test_a_prediction_is_a_quality_in_its_interval_a_whole_grade_and_shares_that_add_up_to_1(cellar):
    predictions = cellar.features.read(PREDICTIONS)
    assert (predictions["low"] <= predictions["quality"]).all()
    assert (predictions["quality"] <= predictions["high"]).all()
    assert predictions[SHARES].sum(axis=1).to_numpy() == pytest.approx(1)
    assert predictions["grade"].between(3, 9).all()
    assert predictions["quality"].nunique() > 20


def test_good_wines_are_told_from_bad_ones(cellar, wines):
    said = inference.grade(champion(cellar, "wine"), wines)
    best, worst = said[wines["grade"] >= 7], said[wines["grade"] <= 4]
    assert best["quality"].mean() > worst["quality"].mean() + 0.5
    assert best[["p7", "p8", "p9"]].sum(axis=1).mean() > 2 * worst[["p7", "p8", "p9"]].sum(axis=1).mean()


def test_predicting_again_changes_nothing(cellar, run_on):
    before = cellar.features.read(PREDICTIONS)
    assert predict(cellar, run_on(OCT_24)) == 0
    pd.testing.assert_frame_equal(cellar.features.read(PREDICTIONS), before)


def test_a_wine_measured_anew_is_predicted_anew_and_no_other(cellar, run_on):
    samples = cellar.features.read(SAMPLES)
    wine, before = samples[samples["sample_id"] == "2026-10-24-1"], made(cellar, "2026-10-24-1")
    cellar.features.write(SAMPLES, wine.assign(alcohol=wine["alcohol"] + 2.0))
    assert predict(cellar, run_on(OCT_24)) == 1
    after = made(cellar, "2026-10-24-1")
    assert after["input_hash"] != before["input_hash"]
    assert after["quality"] != before["quality"]
    assert predict(cellar, run_on(OCT_24)) == 0


def test_wines_of_later_dates_are_not_seen(cellar, run_on, invent):
    invent(cellar, date(2026, 10, 28))
    assert predict(cellar, run_on("2026-10-27")) == 0
    assert predict(cellar, run_on("2026-10-28")) == 1


def test_the_grade_of_a_wine_plays_no_part_in_its_prediction(cellar):
    predictions, grades = cellar.features.read(PREDICTIONS), cellar.features.read(GRADED)
    cellar.features.write(GRADED, grades.assign(grade=3))
    samples = cellar.features.read(SAMPLES)
    said = inference.grade(champion(cellar, "wine"), samples[samples["origin"] != "reference"])
    both = predictions.merge(said, on="sample_id", suffixes=("", "_again"), validate="one_to_one")
    assert both["quality"].tolist() == both["quality_again"].tolist()


def test_many_at_once_are_the_same_to_a_hundred_thousandth(cellar, wines):
    model, some = champion(cellar, "wine"), wines.head(50)
    assert inference.quality(model, some) == pytest.approx(inference.grade(model, some)["quality"].to_numpy(), abs=1e-5)


def test_wines_keep_their_index_and_what_came_with_them_makes_no_difference(cellar, wines):
    model, some = champion(cellar, "wine"), wines.sample(20, random_state=0)
    said = inference.grade(model, some)
    assert said.index.equals(some.index)
    assert said["sample_id"].equals(some["sample_id"])
    assert said["input_hash"].tolist() == fingerprint(some)
    pd.testing.assert_frame_equal(inference.grade(model, some.iloc[[7]]), said.iloc[[7]])


# --- odd wines -----------------------------------------------------------------------------------------------------


def test_a_blank_is_taken_as_the_median_of_its_colour(cellar, wines):
    model = champion(cellar, "wine")
    for colour in ("red", "white"):
        wine = wines[wines["colour"] == colour].head(1)
        blank = inference.grade(model, wine.assign(chlorides=np.nan))
        typical = inference.grade(model, wine.assign(chlorides=model.signature["medians"][colour]["chlorides"]))
        assert blank["quality"].tolist() == typical["quality"].tolist()
        assert blank["input_hash"].tolist() != typical["input_hash"].tolist()


@pytest.mark.parametrize(
    "odd",
    [
        dict.fromkeys(MEASURES, np.nan),
        dict.fromkeys(MEASURES, 0.0),
        {"free_sulfur_dioxide": 200.0, "total_sulfur_dioxide": 10.0},
        {"alcohol": 22.0, "residual_sugar": 300.0, "density": 1.2},
    ],
)
def test_a_wine_nobody_measured_or_that_cannot_be_still_has_a_quality_that_can(cellar, wines, odd):
    said = inference.grade(champion(cellar, "wine"), wines.head(1).assign(**odd)).iloc[0]
    assert 3 <= said["low"] <= said["quality"] <= said["high"] <= 10
    assert sum(said[SHARES]) == pytest.approx(1)


def test_no_wines_get_no_predictions_with_all_columns(cellar, wines):
    said = inference.grade(champion(cellar, "wine"), wines.head(0))
    assert said.empty
    assert {"sample_id", "quality", "grade", "low", "high", *SHARES, "input_hash"} <= {*said.columns}


def test_without_a_model_the_sentence_names_the_stage(platform, run_on):
    sources.backfill(platform)
    sources.open_reserve(platform, run_on(OCT_24), "uci")
    with pytest.raises(NotYetError, match="almanac run wine train"):
        predict(platform, run_on(OCT_24))


# --- traced --------------------------------------------------------------------------------------------------------


def test_a_prediction_names_model_run_code_and_store(cellar):
    row = cellar.features.read(PREDICTIONS).iloc[-1]
    assert (row["model"], row["model_version"], len(row["run_id"]), len(row["code_version"])) == ("wine", 1, 12, 12)
    assert 0 < row["store_version"] <= cellar.features.version()


def test_every_prediction_explains_itself_and_is_made_again_exactly(cellar):
    for sample_id in cellar.features.read(PREDICTIONS)["sample_id"].iloc[::6]:
        told = inference.explain(cellar, sample_id)
        assert told["made again"]["input_unchanged"]
        assert told["made again"]["prediction_exactly_the_same"]
        assert [*told["input"]] == ["colour", *MEASURES, "read_from"]
        assert (told["model"]["version"], told["run"]["status"]) == (1, "done")


def test_an_explanation_reads_the_wine_as_it_stood_when_it_was_predicted(cellar):
    samples = cellar.features.read(SAMPLES)
    wine = samples[samples["sample_id"] == "2026-10-24-1"]
    cellar.features.write(SAMPLES, wine.assign(alcohol=14.0))
    told = inference.explain(cellar, "2026-10-24-1")
    assert told["input"]["alcohol"] == wine["alcohol"].iloc[0]
    assert told["made again"]["prediction_exactly_the_same"]


def test_a_prediction_that_there_is_not_says_so(cellar):
    with pytest.raises(NotYetError, match="wine_predictions"):
        inference.explain(cellar, "uci-red-0001")


def test_opening_the_reserve_again_brings_no_wine_twice(cellar, run_on):
    assert sources.open_reserve(cellar, run_on(OCT_24), "uci") == 0
    samples = cellar.features.read(SAMPLES, since=midnight(date(2026, 10, 1)))
    assert (samples["origin"] == "reserve").sum() == 24
