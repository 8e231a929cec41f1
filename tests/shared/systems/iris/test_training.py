"""How the classifier is chosen, kept and judged: on real flowers, held out."""

import json
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from shared.errors import BackendError, NotYetError, UnsafeFileError, UsageError
from shared.runs import Run
from shared.steps.promotion import PROMOTIONS, champion
from shared.systems.iris import features, sources, training
from shared.systems.iris.tables import LABELS, MEASURES, VARIETIES
from shared.systems.iris.training import FAMILIES, Plan


def run_of(day):
    return Run(f"run-{day}", "iris", "train", date.fromisoformat(day), datetime.now(UTC), "c0de")


@pytest.fixture
def flowers(iris):
    return features.labelled(iris, datetime(2026, 10, 2, tzinfo=UTC))


def test_the_champion_matches_the_literatures_98_percent_leave_one_out(iris):
    model = champion(iris, "iris")
    assert model.signature["family"] == "linear_discriminant"
    assert model.metrics["accuracy_leave_one_out"] == pytest.approx(0.98)
    assert 0.94 <= model.metrics["accuracy"] <= 0.99
    assert model.metrics["accuracy_low"] < model.metrics["accuracy"] < model.metrics["accuracy_high"]


def test_what_is_registered_says_how_it_was_made(iris):
    model = champion(iris, "iris")
    assert model.trained_on == "2026-10-01"
    assert set(model.files) == {"model.onnx", "held_out.parquet"}
    assert model.signature["classes"] == list(VARIETIES)
    assert model.signature["ranges_cm"]["petal_width"] == [0.1, 2.5]
    assert iris.tracker.metrics(model.run_id)["accuracy"] == model.metrics["accuracy"]
    decided = iris.features.read(PROMOTIONS)
    assert decided["verdict"].tolist() == ["promoted"]
    assert json.loads(decided["figures"][0])["majority_high"] < 0


@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_family_says_the_same_as_onnx_on_every_flower(name, flowers, tmp_path):
    inputs = flowers[list(MEASURES)].to_numpy(dtype=np.float32)
    training.to_folder(FAMILIES[name].fit(inputs, flowers["variety"]), flowers, tmp_path)
    assert (tmp_path / "model.onnx").stat().st_size > 500


def test_a_model_whose_conversion_differs_is_not_registered(flowers, tmp_path, monkeypatch):
    inputs = flowers[list(MEASURES)].to_numpy(dtype=np.float32)
    fitted = FAMILIES["naive_bayes"].fit(inputs, flowers["variety"])
    monkeypatch.setattr(fitted, "predict_proba", lambda given: np.full((len(given), 3), 1 / 3))
    with pytest.raises(BackendError, match="differs from scikit-learn's by up to"):
        training.to_folder(fitted, flowers, tmp_path)


def test_duplicated_flowers_stay_in_one_fold(flowers):
    twice = pd.concat([flowers, flowers.assign(flower_id=flowers["flower_id"] + "-again")], ignore_index=True)
    groups = pd.Series(features.fingerprint(twice))
    for fit, held in training._folds(Plan(), 0).split(twice, twice["variety"], groups):
        assert set(groups[fit]).isdisjoint(groups[held])


def test_a_model_that_memorises_duplicates_gains_nothing_from_them(flowers):
    twice = pd.concat([flowers, flowers.assign(flower_id=flowers["flower_id"] + "-again")], ignore_index=True)
    forest = ExtraTreesClassifier(20, random_state=0)
    once = Plan(repeats=1)
    leaky_gain = (
        training.compare(forest, twice, once)["hit"].mean() - training.compare(forest, flowers, once)["hit"].mean()
    )
    assert abs(leaky_gain) < 0.03


def test_a_model_no_better_than_guessing_is_rejected_and_does_not_serve(iris):
    """Labels that have nothing to do with the flowers: no family can beat the majority on flowers held out."""
    labels = iris.features.read(LABELS)
    shuffled = np.random.default_rng(0).permutation(labels["variety"])
    iris.features.write(LABELS, labels.assign(variety=shuffled))
    report = training.train(iris, run_of("2026-10-21"), Plan(repeats=1))
    assert report.note.startswith("rejected")
    assert iris.models.versions("iris") == [1, 2]
    assert champion(iris, "iris").version == 1


def test_a_challenger_that_is_not_worse_serves_from_its_date_on(iris):
    report = training.train(iris, run_of("2026-10-21"), Plan(repeats=1))
    assert report.note.startswith("promoted")
    assert champion(iris, "iris").version == 2
    assert champion(iris, "iris", until=datetime(2026, 10, 21, tzinfo=UTC)).version == 1


def test_a_worse_challenger_waits(iris, monkeypatch):
    blurred = make_pipeline(StandardScaler(), LogisticRegression(C=0.02))
    monkeypatch.setattr(training, "FAMILIES", {"blurred": blurred})
    report = training.train(iris, run_of("2026-10-21"), Plan(repeats=1))
    assert report.note.startswith("waits")
    assert champion(iris, "iris").version == 1


def test_training_as_of_a_past_date_sees_no_label_that_became_known_later(iris):
    both = ("reference", "synthetic")
    assert len(features.labelled(iris, datetime(2026, 10, 11, tzinfo=UTC), both)) == 150 + 9
    with pytest.raises(NotYetError, match="almanac run iris backfill"):
        features.labelled(iris, datetime(1935, 1, 1, tzinfo=UTC))


def test_synthetic_flowers_train_only_when_an_experiment_asks_for_it(iris):
    until = datetime(2026, 10, 20, tzinfo=UTC)
    assert set(features.labelled(iris, until)["origin"]) == {"reference"}
    both = features.labelled(iris, until, ("reference", "synthetic"))
    assert set(both["origin"]) == {"reference", "synthetic"}
    with pytest.raises(UsageError, match="origins are reference, synthetic"):
        Plan(origins=("bought",))


def test_too_few_flowers_of_a_variety_say_so(platform, tmp_path):
    path = tmp_path / "few.csv"
    rows = "".join(f"5.{n % 10},3.5,1.4,0.2,setosa\n6.{n % 10},3.0,4.5,1.5,versicolor\n" for n in range(20))
    path.write_text("sepal_length,sepal_width,petal_length,petal_width,variety\n" + rows)
    sources.backfill(platform, str(path))
    with pytest.raises(NotYetError, match="virginica has 0"):
        training.train(platform, run_of("2026-10-21"))


@pytest.mark.parametrize("damaged", ["files/model.onnx", "model.json"])
def test_a_champion_whose_files_were_damaged_is_replaced_by_training_again(iris, iris_home, damaged):
    (iris_home / "demo" / "models" / "iris" / "1" / damaged).write_bytes(b"{broken")
    with pytest.raises(UnsafeFileError, match="train again"):
        champion(iris, "iris")
    training.train(iris, run_of("2026-10-21"), Plan(repeats=1))
    assert champion(iris, "iris").version == 2


def test_few_or_repeated_flowers_of_a_variety_say_so(platform, tmp_path):
    path = tmp_path / "same.csv"
    rows = "5.1,3.5,1.4,0.2,setosa\n6.1,3.0,4.5,1.5,versicolor\n7.1,3.0,5.9,2.1,virginica\n" * 20
    path.write_text("sepal_length,sepal_width,petal_length,petal_width,variety\n" + rows)
    sources.backfill(platform, str(path))
    with pytest.raises(NotYetError, match="needs 15 different labelled flowers and .* has 1;"):
        training.train(platform, run_of("2026-10-21"))
