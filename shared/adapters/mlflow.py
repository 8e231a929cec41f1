"""The ``Tracker`` port over MLflow: a database file (``sqlite:///PATH``) or a tracking server (``https://HOST``).

    log ── the MLflow run tagged with ours, or a new one ── values, files ──► finished run ──► metrics

Importing mlflow costs seconds, so it waits for the first call.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from shared.adapters.rows import finite, listed
from shared.errors import BackendError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

    from mlflow import MlflowClient
    from mlflow.entities import Run

    Texts = Mapping[str, str]

RUN_ID = "almanac.run_id"
WRITES = "almanac.writes"  # how often the run was logged: the step of its metrics, so that the newest value counts
SQLITE = "sqlite:///"
LONGEST = 6000  # characters of a parameter's value; MLflow cuts the rest off


class MlflowTracker:
    """Keeps runs in the MLflow experiment ``experiment`` at ``uri``, with times from MLflow's own clock."""

    def __init__(self, uri: str, experiment: str) -> None:
        self._uri, self._experiment = uri, experiment

    def log(
        self,
        run_id: str,
        params: Mapping[str, str | float | int],
        metrics: Mapping[str, float],
        files: Path | None = None,
    ) -> None:
        """Keep a run's values and files; the same name again replaces its value.

        Raises:
            SchemaError: a metric is not a finite number; nothing was written.
            SourceError: there is no file or folder ``files``; nothing was written.
            BackendError: MLflow failed, or takes no such name.
        """
        checked, found = finite(metrics), listed(files)
        spelt = {name: str(value)[:LONGEST] for name, value in params.items()}
        with self._vendor():
            old = self._find(run_id)
            if old is not None and _changes(old, spelt):
                self._replace(old, run_id, spelt, checked, found)
            else:
                self._write(old or self._begin(run_id), spelt, checked, found)

    def metrics(self, run_id: str) -> dict[str, float]:
        """Return the run's metrics by name."""
        with self._vendor():
            run = self._find(run_id)
            return {} if run is None else dict(run.data.metrics)

    def _find(self, run_id: str) -> Run | None:
        tagged = f"tags.`{RUN_ID}` = '{run_id}'"
        newest = ["attributes.start_time DESC"]
        runs = self._client.search_runs([self._experiment_id], tagged, max_results=1, order_by=newest)
        return runs[0] if runs else None

    def _begin(self, run_id: str) -> Run:
        return self._client.create_run(self._experiment_id, tags={RUN_ID: run_id}, run_name=run_id)

    def _write(self, run: Run, params: Texts, metrics: Mapping[str, float], files: Mapping[str, Path]) -> None:
        from mlflow.entities import Metric, Param, RunTag
        from mlflow.utils.time import get_current_time_millis

        mlflow_id = run.info.run_id
        at, step = get_current_time_millis(), int(run.data.tags.get(WRITES, 0)) + 1
        self._client.log_batch(
            mlflow_id,
            [Metric(name, value, at, step) for name, value in metrics.items()],
            [Param(name, value) for name, value in params.items()],
            [RunTag(WRITES, str(step))],
        )
        for name, path in files.items():
            folder = PurePosixPath(name).parent.as_posix()
            self._client.log_artifact(mlflow_id, str(path), None if folder == "." else folder)
        self._client.set_terminated(mlflow_id)

    def _replace(
        self, old: Run, run_id: str, params: Texts, metrics: Mapping[str, float], files: Mapping[str, Path]
    ) -> None:
        """Write a new MLflow run that holds all of ``old``, and drop that: within one, no parameter may change."""
        with tempfile.TemporaryDirectory() as folder:
            before = listed(Path(self._client.download_artifacts(old.info.run_id, "", folder)))
            everything = ({**old.data.params, **params}, {**old.data.metrics, **metrics}, {**before, **files})
            self._write(self._begin(run_id), *everything)
        self._client.delete_run(old.info.run_id)

    @cached_property
    def _client(self) -> MlflowClient:
        if self._uri.startswith(SQLITE):
            Path(self._uri.removeprefix(SQLITE)).parent.mkdir(parents=True, exist_ok=True)
        return _mlflow().MlflowClient(self._uri)

    @cached_property
    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(self._experiment)
        beside = None  # a server knows itself where files go; for a database file it would be the working directory
        if self._uri.startswith(SQLITE):
            beside = (Path(self._uri.removeprefix(SQLITE)).absolute().parent / "artifacts").as_uri()
        return str(found.experiment_id if found else self._client.create_experiment(self._experiment, beside))

    @contextmanager
    def _vendor(self) -> Iterator[None]:
        """Turn MLflow's errors into ours, without the password that an address may hold."""
        mlflow = _mlflow()
        try:
            yield
        except (mlflow.exceptions.MlflowException, OSError) as cause:
            address, secret = urlsplit(self._uri), urlsplit(self._uri).password
            said = str(cause).replace(secret, "***") if secret else str(cause)
            where = f"{address.scheme}://{address.hostname or address.path}"
            raise BackendError(
                f"MLflow at {where} failed ({said}): check ALMANAC_TRACKER and what was logged"
            ) from cause


def _changes(run: Run, params: Texts) -> bool:
    return any(run.data.params.get(name, value) != value for name, value in params.items())


@cache
def _mlflow() -> ModuleType:
    """Return the mlflow package, which reports nothing about its use to its makers."""
    try:
        import mlflow
        from mlflow.environment_variables import MLFLOW_DISABLE_TELEMETRY
        from mlflow.telemetry import set_telemetry_client
    except ImportError as cause:
        raise MissingExtraError("tracking with MLflow needs a package: pip install 'almanac[mlflow]'") from cause
    MLFLOW_DISABLE_TELEMETRY.set("true")
    set_telemetry_client()  # reads the setting; the import above has already made a client, which had sent nothing yet
    return cast("ModuleType", mlflow)
