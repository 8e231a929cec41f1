"""The ``Tracker`` port as rows of the feature store: the one that needs nothing else.

log ── a row a parameter, metric or file ──► table ``tracked``, upserted by (run, kind, name) ──► metrics
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import pandas as pd

from shared.errors import BackendError, SchemaError, SourceError
from shared.tables import Column, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from shared.ports import FeatureStore

TRACKED = Table(
    "tracked",
    (
        Column("run_id", "text"),
        Column("kind", "text", allowed=("param", "metric", "file")),
        Column("name", "text", about="of the parameter or metric; of a file its path inside the logged folder"),
        Column("text", "text", nullable=True, about="a parameter's value, a file's sha256"),
        Column("value", nullable=True, about="a metric's value, in the metric's own unit"),
        Column("logged_at", "time"),
    ),
    key=("run_id", "kind", "name"),
    event_time="logged_at",
    about="Parameters, metrics and files of training runs.",
)


class RowTracker:
    """Keeps runs in ``features``; of files it keeps name and hash, for the model registry keeps their content."""

    def __init__(self, features: FeatureStore, now: Callable[[], datetime]) -> None:
        self._features, self._now = features, now

    def log(
        self,
        run_id: str,
        params: Mapping[str, str | float | int],
        metrics: Mapping[str, float],
        files: Path | None = None,
    ) -> None:
        """Keep a run's values; the same name again replaces its value.

        Raises:
            SchemaError: a metric is not a finite number; nothing was written.
            SourceError: there is no file or folder ``files``; nothing was written.
        """
        rows = [
            *(("param", name, str(value), None) for name, value in params.items()),
            *(("metric", name, None, value) for name, value in finite(metrics).items()),
            *(("file", name, _sha256(path), None) for name, path in listed(files).items()),
        ]
        if not rows:
            return
        table = pd.DataFrame(rows, columns=["kind", "name", "text", "value"])
        table = table.assign(run_id=run_id, logged_at=pd.Timestamp(self._now()), value=table["value"].astype("float64"))
        if self._features.write(TRACKED, table).quarantined:
            raise BackendError(f"the store refused a value of run {run_id}: see table {TRACKED.quarantine.name}")

    def metrics(self, run_id: str) -> dict[str, float]:
        """Return the run's metrics by name."""
        rows = self._features.read(TRACKED, ["run_id", "kind", "name", "value"])
        mine = rows[(rows["run_id"] == run_id) & (rows["kind"] == "metric")]
        return {str(name): float(value) for name, value in zip(mine["name"], mine["value"], strict=True)}


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics as floats.

    >>> finite({"accuracy": 1})
    {'accuracy': 1.0}

    Raises:
        SchemaError: one is infinite or no number.
    """
    odd = {name: value for name, value in metrics.items() if not math.isfinite(value)}
    if odd:
        raise SchemaError(f"metrics {odd} are not finite: look for a division by zero or a diverged training")
    return {name: float(value) for name, value in metrics.items()}


def listed(files: Path | None) -> dict[str, Path]:
    """Return the files of a folder by their path inside it; one file by its name; none for None.

    Raises:
        SourceError: nothing is there.
    """
    if files is None:
        return {}
    if files.is_file():
        return {files.name: files}
    if not files.is_dir():
        raise SourceError(f"no file or folder {files} to log: write it before the run is logged")
    return {path.relative_to(files).as_posix(): path for path in sorted(files.rglob("*")) if path.is_file()}


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
