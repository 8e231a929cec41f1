"""What every Tracker must do, then what only one of them does."""

import hashlib
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from shared.adapters import mlflow as adapter
from shared.adapters.mlflow import MlflowTracker
from shared.adapters.rows import TRACKED, RowTracker
from shared.errors import BackendError, MissingExtraError, SchemaError, SourceError

NOW = datetime(2026, 11, 3, 6, 15, tzinfo=UTC)

pytestmark = [
    # mlflow 3.17 declares a relation in a way that SQLAlchemy 2.1 has deprecated
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"),
]
SLOW = pytest.mark.slow  # mlflow: 2 s to import, 1 s to make its database


@pytest.fixture(scope="module")
def mlflow_uri(tmp_path_factory):
    """One database for all tests of this file, an experiment for each."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/new/mlflow.db"


@pytest.fixture
def mlflow_tracker(request, mlflow_uri):
    return MlflowTracker(mlflow_uri, experiment=request.node.name)


@pytest.fixture
def row_tracker(features):
    return RowTracker(features, now=lambda: NOW)


@pytest.fixture(params=["rows", pytest.param("mlflow", marks=SLOW)])
def tracker(request, features, mlflow_uri):
    if request.param == "rows":
        return RowTracker(features, now=lambda: NOW)
    return MlflowTracker(mlflow_uri, experiment=request.node.name)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "files" / "plots").mkdir(parents=True)
    (tmp_path / "files" / "model card.md").write_text("a card")
    (tmp_path / "files" / "plots" / "höhe.txt").write_text("a plot")
    return tmp_path / "files"


def test_metrics_come_back_by_name(tracker):
    tracker.log("run-1", {"depth": 3}, {"accuracy": 0.9, "mae": 1})
    assert tracker.metrics("run-1") == {"accuracy": 0.9, "mae": 1.0}


def test_a_run_never_logged_has_no_metrics(tracker):
    assert tracker.metrics("run-1") == {}


def test_a_run_without_metrics_has_none(tracker):
    tracker.log("run-1", {"depth": 3}, {})
    assert tracker.metrics("run-1") == {}


def test_nothing_at_all_may_be_logged(tracker):
    tracker.log("run-1", {}, {})
    assert tracker.metrics("run-1") == {}


def test_the_same_name_again_replaces_the_value_even_with_a_smaller_one(tracker):
    for accuracy in (0.9, 0.7, 0.8):
        tracker.log("run-1", {}, {"accuracy": accuracy})
    assert tracker.metrics("run-1") == {"accuracy": 0.8}


def test_a_second_log_adds_to_the_first(tracker):
    tracker.log("run-1", {"depth": 3}, {"accuracy": 0.9})
    tracker.log("run-1", {"seed": 0}, {"mae": 1.5})
    assert tracker.metrics("run-1") == {"accuracy": 0.9, "mae": 1.5}


def test_runs_are_kept_apart(tracker):
    tracker.log("run-1", {}, {"accuracy": 0.9})
    tracker.log("run-10", {}, {"accuracy": 0.5})
    assert tracker.metrics("run-1") == {"accuracy": 0.9}


def test_a_changed_parameter_keeps_the_metrics_of_the_run(tracker, folder):
    tracker.log("run-1", {"depth": 3, "seed": 0}, {"accuracy": 0.9, "mae": 2.0}, folder)
    tracker.log("run-1", {"depth": 4}, {"accuracy": 0.8})
    assert tracker.metrics("run-1") == {"accuracy": 0.8, "mae": 2.0}


def test_a_parameter_and_a_metric_may_have_the_same_name(tracker):
    tracker.log("run-1", {"loss": "log"}, {"loss": 0.25})
    assert tracker.metrics("run-1") == {"loss": 0.25}


def test_three_hundred_parameters_and_metrics_fit_in_one_log(tracker):
    tracker.log("run-1", {f"p{n}": n for n in range(300)}, {f"m{n}": n for n in range(300)})
    assert tracker.metrics("run-1")["m299"] == 299.0
    assert len(tracker.metrics("run-1")) == 300


def test_a_value_keeps_all_its_digits(tracker):
    tracker.log("run-1", {}, {"tiny": 1e-300, "third": 1 / 3, "large": -1.7e308})
    assert tracker.metrics("run-1") == {"tiny": 1e-300, "third": 1 / 3, "large": -1.7e308}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_metric_that_is_no_finite_number_is_refused_and_nothing_is_written(tracker, value):
    with pytest.raises(SchemaError, match=r"'loss'.*not finite"):
        tracker.log("run-1", {"depth": 3}, {"accuracy": 0.9, "loss": value})
    assert tracker.metrics("run-1") == {}


def test_files_that_are_not_there_are_refused_and_nothing_is_written(tracker, tmp_path):
    with pytest.raises(SourceError, match="no file or folder"):
        tracker.log("run-1", {}, {"accuracy": 0.9}, tmp_path / "missing")
    assert tracker.metrics("run-1") == {}


# --- rows ----------------------------------------------------------------------------------------------------------


def test_a_log_is_a_row_for_each_value_and_file(row_tracker, features, folder):
    row_tracker.log("run-1", {"depth": 3, "loss": "log"}, {"accuracy": 0.9}, folder)
    rows = features.read(TRACKED).set_index(["kind", "name"])
    assert rows["text"].dropna().to_dict() == {
        ("param", "depth"): "3",
        ("param", "loss"): "log",
        ("file", "model card.md"): hashlib.sha256(b"a card").hexdigest(),
        ("file", "plots/höhe.txt"): hashlib.sha256(b"a plot").hexdigest(),
    }
    assert rows["value"].dropna().to_dict() == {("metric", "accuracy"): 0.9}
    assert set(rows["logged_at"]) == {NOW}


def test_a_changed_parameter_or_file_replaces_its_row(row_tracker, features, folder):
    row_tracker.log("run-1", {"depth": 3}, {}, folder / "model card.md")
    (folder / "model card.md").write_text("a better card")
    row_tracker.log("run-1", {"depth": 4}, {}, folder / "model card.md")
    rows = features.read(TRACKED)
    assert sorted(rows["text"]) == sorted(["4", hashlib.sha256(b"a better card").hexdigest()])


# --- mlflow --------------------------------------------------------------------------------------------------------


def only_run(tracker, mlflow_uri):
    """The one MLflow run in the tracker's experiment, as a person sees it there."""
    from mlflow import MlflowClient

    client = MlflowClient(mlflow_uri)
    (run,) = client.search_runs([client.get_experiment_by_name(tracker._experiment).experiment_id])
    return client, run


@SLOW
def test_logging_twice_updates_one_finished_mlflow_run_named_like_ours(mlflow_tracker, mlflow_uri, folder):
    mlflow_tracker.log("run-1", {"depth": 3}, {"accuracy": 0.9})
    mlflow_tracker.log("run-1", {"depth": 3, "seed": 0}, {"accuracy": 0.8}, folder)
    client, run = only_run(mlflow_tracker, mlflow_uri)
    assert run.data.params == {"depth": "3", "seed": "0"}
    assert (run.info.run_name, run.info.status) == ("run-1", "FINISHED")
    history = client.get_metric_history(run.info.run_id, "accuracy")
    assert [(point.step, point.value) for point in history] == [(1, 0.9), (2, 0.8)]
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["model card.md", "plots"]
    assert [file.path for file in client.list_artifacts(run.info.run_id, "plots")] == ["plots/höhe.txt"]


@SLOW
def test_a_changed_parameter_leaves_one_mlflow_run_with_everything_in_it(mlflow_tracker, mlflow_uri, folder):
    mlflow_tracker.log("run-1", {"depth": 3, "seed": 0}, {"accuracy": 0.9}, folder)
    (folder / "model card.md").write_text("a better card")
    mlflow_tracker.log("run-1", {"depth": 4}, {}, folder / "model card.md")
    client, run = only_run(mlflow_tracker, mlflow_uri)
    assert run.data.params == {"depth": "4", "seed": "0"}
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["model card.md", "plots"]
    with open(client.download_artifacts(run.info.run_id, "model card.md")) as card:
        assert card.read() == "a better card"


@SLOW
def test_a_very_long_parameter_is_cut_and_logged_again_without_a_new_run(mlflow_tracker, mlflow_uri):
    mlflow_tracker.log("run-1", {"columns": "x" * 7000}, {})
    _, first = only_run(mlflow_tracker, mlflow_uri)
    mlflow_tracker.log("run-1", {"columns": "x" * 7000}, {})
    _, second = only_run(mlflow_tracker, mlflow_uri)
    assert second.data.params == {"columns": "x" * 6000}
    assert second.info.run_id == first.info.run_id


@SLOW
def test_files_lie_beside_the_database_and_not_in_the_working_directory(
    mlflow_tracker, mlflow_uri, folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    mlflow_tracker.log("run-1", {}, {}, folder)
    _, run = only_run(mlflow_tracker, mlflow_uri)
    assert sorted(tmp_path.iterdir()) == before
    beside = mlflow_uri.removeprefix("sqlite:///").removesuffix("mlflow.db")
    assert run.info.artifact_uri.startswith(f"file://{beside}artifacts/")


@SLOW
@pytest.mark.parametrize("name", ["loss %", "a\nb", "", "x" * 300])
def test_a_name_that_mlflow_refuses_is_an_error_of_ours(mlflow_tracker, name):
    with pytest.raises(BackendError, match="MLflow at sqlite://"):
        mlflow_tracker.log("run-1", {name: 1}, {})


@SLOW
def test_a_folder_as_address_is_an_error_that_says_so(tmp_path):
    with pytest.raises(BackendError, match="ALMANAC_TRACKER"):
        MlflowTracker(tmp_path.as_uri(), "tides").metrics("run-1")


@SLOW
def test_a_server_that_is_down_is_an_error_without_its_password(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(BackendError, match=r"MLflow at http://127.0.0.1 failed") as failure:
        MlflowTracker("http://me:s3cret@127.0.0.1:9", "tides").log("run-1", {}, {})
    assert "s3cret" not in str(failure.value)


@SLOW
def test_mlflow_reports_nothing_to_its_makers(tmp_path):
    code = f"""
from shared.adapters.mlflow import MlflowTracker
MlflowTracker("sqlite:///{tmp_path}/mlflow.db", "tides").log("run-1", {{}}, {{"accuracy": 0.9}})
import threading
from mlflow.telemetry import get_telemetry_client
assert get_telemetry_client() is None
assert threading.active_count() == 1, threading.enumerate()
"""
    ours = {"HOME": str(tmp_path), "PYTHONPATH": "."}  # without pytest's and CI's variables, which switch it off anyway
    done = subprocess.run([sys.executable, "-c", code], env=ours, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_mlflow_the_error_names_the_extra(monkeypatch):
    adapter._mlflow.cache_clear()
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'almanac\[mlflow\]'"):
        MlflowTracker("sqlite:///mlflow.db", "tides").metrics("run-1")
