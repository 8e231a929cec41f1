"""A prediction traced back: its row, what went in, the model, the run, and whether making it again gives the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.errors import NotYetError
from shared.runs import code_version, ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from shared.ports import ModelVersion, Platform
    from shared.tables import Table

    Again = Callable[[ModelVersion, pd.DataFrame], pd.DataFrame]


def trace(  # noqa: PLR0913 - what to trace, and how, are six facts
    platform: Platform, predictions: Table, samples: Table, key: str, again: Again, went_in: Sequence[str]
) -> dict[str, Any]:
    """Return what the prediction called ``key`` was made from, and whether making it ``again`` gives exactly the same.

    Args:
        platform: where it is stored.
        predictions: its table, with one key column, ``input_hash`` and the columns of ``tables.PROVENANCE``.
        samples: the table of what was predicted, with the same key.
        key: which one.
        again: from a model and rows of ``samples`` to the columns that the model gives, ``input_hash`` among them.
        went_in: the columns of ``samples`` to show.

    Raises:
        NotYetError: there is no such prediction.
    """
    made, (column,) = platform.features.read(predictions), predictions.key
    made = made[made[column] == key]
    if made.empty:
        raise NotYetError(f"no prediction is called {key!r}; `almanac table {predictions.name}` lists them")
    row = made.iloc[0]
    sample, where = _input(platform, samples, column, key, int(row["store_version"]))
    model = platform.models.load(str(row["model"]), int(row["model_version"]))
    repeated = again(model, sample).iloc[0]
    runs = ledger(platform)
    run = runs[runs["run_id"] == row["run_id"]].to_dict("records")
    return {
        "prediction": row.to_dict(),
        "input": {**sample[[*went_in]].iloc[0].to_dict(), "read_from": where},
        "model": {"name": model.name, "version": model.version, "trained_on": model.trained_on, **model.metrics},
        "run": run[0] if run else {},
        "made again": {
            "input_unchanged": bool(repeated["input_hash"] == row["input_hash"]),
            "code_unchanged": bool(row["code_version"] == code_version()),
            "prediction_exactly_the_same": all(row[name] == repeated[name] for name in repeated.index),
        },
    }


def _input(platform: Platform, samples: Table, column: str, key: str, version: int) -> tuple[pd.DataFrame, str]:
    """Return the sample as it stood when it was predicted, or as it stands now where that is no longer kept."""
    try:
        rows, where = platform.features.read(samples, as_of=version), f"store version {version}"
    except NotYetError:
        rows, where = platform.features.read(samples), f"the newest rows, as version {version} is no longer kept"
    return rows[rows[column] == key], where
