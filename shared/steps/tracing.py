"""A prediction traced back: its row, what went in, the model, the run, and whether making it again gives the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.errors import NotYetError
from shared.runs import code_version, ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from shared.ports import ModelVersion, Platform, Version
    from shared.tables import Table

    Again = Callable[[ModelVersion, pd.DataFrame], pd.DataFrame]
    Remade = Callable[[ModelVersion, pd.Series, Version | None], tuple[dict[str, Any], pd.Series]]


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
    (column,) = predictions.key

    def from_sample(model: ModelVersion, made: pd.Series, as_of: Version | None) -> tuple[dict[str, Any], pd.Series]:
        rows = platform.features.read(samples, as_of=as_of)
        sample = rows[rows[column] == key]
        return {name: sample[name].iloc[0] for name in went_in}, again(model, sample).iloc[0]

    return traced(platform, predictions, key, from_sample)


def traced(platform: Platform, predictions: Table, key: str, again: Remade) -> dict[str, Any]:
    """Return the same of a prediction that was made of more than one row.

    ``again`` takes the model, the prediction's row and the store version to read, or None for the newest rows; it
    returns what went in, by name, and the columns that the model gives, ``input_hash`` among them.

    Raises:
        NotYetError: there is no such prediction.
    """
    made, (column,) = platform.features.read(predictions), predictions.key
    made = made[made[column] == key]
    if made.empty:
        raise NotYetError(f"no prediction is called {key!r}; `almanac table {predictions.name}` lists them")
    row = made.iloc[0]
    model = platform.models.load(str(row["model"]), int(row["model_version"]))
    version = int(row["store_version"])
    try:
        (went_in, repeated), where = again(model, row, version), f"store version {version}"
    except NotYetError:
        (went_in, repeated), where = again(model, row, None), f"the newest rows, as version {version} is no longer kept"
    runs = ledger(platform)
    run = runs[runs["run_id"] == row["run_id"]].to_dict("records")
    return {
        "prediction": row.to_dict(),
        "input": {**went_in, "read_from": where},
        "model": {"name": model.name, "version": model.version, "trained_on": model.trained_on, **model.metrics},
        "run": run[0] if run else {},
        "made again": {
            "input_unchanged": bool(repeated["input_hash"] == row["input_hash"]),
            "code_unchanged": bool(row["code_version"] == code_version()),
            "prediction_exactly_the_same": all(_same(row[name], repeated[name]) for name in repeated.index),
        },
    }


def _same(one: object, other: object) -> bool:
    return bool(one == other) or (one != one and other != other)
