"""What the champion says, and that each prediction can be traced and made again."""

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from shared.errors import NotYetError, UnsafeFileError
from shared.runs import Run
from shared.steps.promotion import champion
from shared.systems.iris import inference, sources
from shared.systems.iris.tables import FLOWERS, LABELS, PREDICTIONS, VARIETIES


def run_of(day):
    return Run("r1", "iris", "daily", date.fromisoformat(day), datetime.now(UTC), "c0de")


def predict(platform, day):
    run = run_of(day)
    return inference.predict(platform, run, inference.serving(platform, run))


def test_every_synthetic_flower_is_predicted_once_and_no_reference_flower(iris):
    made = iris.features.read(PREDICTIONS)
    flowers = iris.features.read(FLOWERS)
    picked = flowers.loc[flowers["origin"] == "synthetic", "flower_id"]
    assert sorted(made["flower_id"]) == sorted(picked)
    assert len(made) == 20


def test_probabilities_sum_to_one_and_the_set_holds_the_likeliest(iris):
    made = iris.features.read(PREDICTIONS)
    assert made[list(VARIETIES)].sum(axis=1).to_numpy() == pytest.approx(1.0, abs=1e-6)
    assert all(row.predicted in row.label_set.split("|") for row in made.itertuples())


def test_label_sets_hold_the_truth_nine_times_in_ten_on_fresh_flowers(iris):
    flowers = sources.draw(sources.fit_copula(iris), date(2027, 1, 1), count=600)
    said = inference.classify(champion(iris, "iris"), flowers)
    truth = sources.identify(flowers)["variety"]
    held = [variety in labels.split("|") for variety, labels in zip(truth, said["label_set"], strict=True)]
    assert sum(held) / len(held) >= 0.9


def test_a_prediction_names_model_run_code_and_store(iris):
    row = iris.features.read(PREDICTIONS).iloc[-1]
    assert (row["model"], row["model_version"], len(row["run_id"]), len(row["code_version"])) == ("iris", 1, 12, 12)
    assert 0 < row["store_version"] <= iris.features.version()


def test_predicting_again_changes_nothing(iris):
    before = iris.features.read(PREDICTIONS)
    assert predict(iris, "2026-10-20") == 0
    pd.testing.assert_frame_equal(iris.features.read(PREDICTIONS), before)


def test_a_flower_measured_anew_is_predicted_anew(iris):
    flowers = iris.features.read(FLOWERS)
    last = flowers[flowers["flower_id"] == "2026-10-20-1"]
    iris.features.write(FLOWERS, last.assign(petal_length=6.0, petal_width=2.2))
    assert predict(iris, "2026-10-20") == 1
    assert iris.features.read(PREDICTIONS)["predicted"].iloc[-1] == "virginica"


def test_flowers_of_later_dates_are_not_seen(iris):
    copula = sources.fit_copula(iris)
    iris.features.write(FLOWERS, sources.draw(copula, date(2026, 10, 25)))
    assert predict(iris, "2026-10-24") == 0
    assert predict(iris, "2026-10-25") == 1


def test_the_label_of_a_flower_plays_no_part_in_its_prediction(iris):
    before = iris.features.read(PREDICTIONS).drop(columns=["run_id", "code_version", "store_version"])
    labels = iris.features.read(LABELS)
    iris.features.write(LABELS, labels.assign(variety="setosa"))
    flowers = iris.features.read(FLOWERS)
    again = inference.classify(champion(iris, "iris"), flowers[flowers["origin"] == "synthetic"])
    assert again["predicted"].tolist() == before["predicted"].tolist()


def test_without_a_model_the_sentence_names_the_stage(platform):
    sources.backfill(platform)
    sources.fetch(platform, run_of("2026-10-20"))
    with pytest.raises(NotYetError, match="almanac run iris train"):
        predict(platform, "2026-10-20")


def test_every_prediction_explains_itself_and_is_made_again_exactly(iris):
    for flower_id in iris.features.read(PREDICTIONS)["flower_id"]:
        told = inference.explain(iris, flower_id)
        assert told["made again"] == {
            "input_unchanged": True,
            "code_unchanged": True,
            "prediction_exactly_the_same": True,
        }
        assert told["model"]["version"] == 1
        assert told["run"]["status"] == "done"


def test_flowers_predicted_together_are_made_again_one_by_one_exactly(iris):
    iris.features.write(FLOWERS, sources.draw(sources.fit_copula(iris), date(2026, 10, 21), count=40, drift_cm=0.8))
    assert predict(iris, "2026-10-21") == 40
    for number in range(1, 41):
        assert inference.explain(iris, f"2026-10-21-{number}")["made again"]["prediction_exactly_the_same"]


def test_an_explanation_reads_the_flower_as_it_stood_when_it_was_predicted(iris):
    iris.features.write(FLOWERS, sources.draw(sources.fit_copula(iris), date(2026, 10, 21)))
    predict(iris, "2026-10-21")
    flowers = iris.features.read(FLOWERS)
    iris.features.write(FLOWERS, flowers[flowers["flower_id"] == "2026-10-21-1"].assign(petal_length=6.0))
    told = inference.explain(iris, "2026-10-21-1")
    assert told["input"]["read_from"].startswith("store version")
    assert told["made again"]["prediction_exactly_the_same"]


def test_an_explanation_says_when_the_input_has_changed_since(iris):
    flowers = iris.features.read(FLOWERS)
    for day in range(40):  # until the version it was made from is no longer kept
        iris.features.write(
            FLOWERS, flowers[flowers["flower_id"] == "2026-10-20-1"].assign(petal_length=6.0 + day / 10)
        )
    made_again = inference.explain(iris, "2026-10-20-1")["made again"]
    assert (made_again["input_unchanged"], made_again["prediction_exactly_the_same"]) == (False, False)


def test_a_model_file_changed_by_hand_is_not_loaded(iris, iris_home):
    path = iris_home / "demo" / "models" / "iris" / "1" / "files" / "model.onnx"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(UnsafeFileError, match=r"model\.onnx"):
        inference.explain(iris, "2026-10-20-1")
