"""How good synthetic rows are: what they teach, whether they pass for real, what they give away.

    learned rows ──► generator ──► made rows ─┐
    held-out rows, none equal to a learned one ──► judge ──► Realism: utility · realism · fidelity · privacy

Generic over tables: number columns, text columns as categories, and one number column to predict. Repeated rows are
left out before anything is compared: a classifier would tell the real side by its repeats.
"""

from __future__ import annotations

import importlib
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from shared.errors import MissingExtraError, NotYetError
from shared.steps.synthetic import two_sample_auc

if TYPE_CHECKING:
    from types import ModuleType

TREES = 300


@dataclass(frozen=True)
class Realism:
    """The figures of one synthetic table.

    ``tstr_mse`` is the error on real rows of a regressor that learned synthetic ones, ``real_mse`` of one that learned
    as many real ones. ``c2st_auc`` and ``membership_auc`` are best at 0.5, ``quality`` (blank without the extra
    ``synth``) at 1. ``dcr`` is the median distance to the closest learned row, in standard deviations: as far as
    ``dcr_held_out``, that of real rows not learned from, gives nothing away. ``exact_copies`` counts rows.
    """

    tstr_mse: float
    real_mse: float
    c2st_auc: float
    quality: float
    dcr: float
    dcr_held_out: float
    exact_copies: int
    membership_auc: float


def judge(learned: pd.DataFrame, held_out: pd.DataFrame, made: pd.DataFrame, target: str, seed: int) -> Realism:
    """Return the figures of ``made``, drawn by a generator that saw ``learned`` and not ``held_out``.

    Raises:
        MissingExtraError: scikit-learn is not installed.
        NotYetError: fewer rows were made than held out, or fewer than ten are there to compare.
    """
    known, real = (rows[[*made.columns]].drop_duplicates(ignore_index=True) for rows in (learned, held_out))
    if not 10 <= len(real) <= len(made):
        raise NotYetError(
            f"{len(made)} synthetic rows against {len(real)} real ones: at least as many, and ten, are due"
        )
    compared = made.sample(len(real), random_state=seed)
    return Realism(
        tstr_mse=utility_mse(made, real, target, seed),
        real_mse=utility_mse(known, real, target, seed),
        c2st_auc=two_sample_auc(real, compared, seed=seed),
        quality=quality(real, compared),
        **privacy(*(rows.drop(columns=target) for rows in (known, real, made))),
    )


def utility_mse(learned: pd.DataFrame, real: pd.DataFrame, target: str, seed: int) -> float:
    """Return the mean squared error on ``real`` rows of extra trees that learned from ``learned`` ones.

    TSTR, "train on synthetic, test on real": Esteban, Hyland & Rätsch 2017, arXiv:1706.02633, sec. 4.1.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    trees = _sklearn("ensemble").ExtraTreesRegressor(TREES, random_state=seed)
    rows = _encoded(learned.drop(columns=target), real.drop(columns=target))
    said = trees.fit(rows[: len(learned)], learned[target].to_numpy(float)).predict(rows[len(learned) :])
    return float(((said - real[target].to_numpy(float)) ** 2).mean())


def quality(real: pd.DataFrame, made: pd.DataFrame) -> float:
    """Return SDMetrics' score of shapes and pair trends, 0 to 1; blank when the extra ``synth`` is not installed.

    QualityReport of https://docs.sdv.dev/sdmetrics: the mean of the two properties.
    """
    columns = {
        str(name): {"sdtype": "numerical" if pd.api.types.is_numeric_dtype(real[name]) else "categorical"}
        for name in real.columns
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a coming name for the report, and of constant columns, which have no trend
        try:
            reports: Any = importlib.import_module("sdmetrics.reports.single_table")
        except ImportError:
            return math.nan
        report = reports.QualityReport()
        report.generate(real, made, {"columns": columns}, verbose=False)
    return float(report.get_score())


def privacy(learned: pd.DataFrame, held_out: pd.DataFrame, made: pd.DataFrame) -> dict[str, Any]:
    """Return ``dcr``, ``dcr_held_out``, ``exact_copies`` and ``membership_auc`` of ``made``.

    Distance to the closest record: Zhao et al. 2021, arXiv:2102.08369, sec. 4.3. The membership attack holds a row for
    learned if a synthetic one lies near: GAN-Leaks, Chen et al. 2020, arXiv:1909.03935, sec. 5.1.
    """
    rows = _encoded(learned, held_out, made)
    spread = rows[: len(learned)].std(axis=0)
    rows = rows / np.where(spread > 0, spread, 1)
    ours, real, theirs = np.split(rows, [len(learned), len(learned) + len(held_out)])
    to_learned = _closest(ours, theirs)
    attack = -np.concatenate([_closest(theirs, ours), _closest(theirs, real)])
    member = np.repeat([1, 0], [len(ours), len(real)])
    return {
        "dcr": float(np.median(to_learned)),
        "dcr_held_out": float(np.median(_closest(ours, real))),
        "exact_copies": int((to_learned < 1e-9).sum()),
        "membership_auc": float(_sklearn("metrics").roc_auc_score(member, attack)),
    }


def _closest(to: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the Euclidean distance of each of ``rows`` to the nearest row of ``to``."""
    found, _ = _sklearn("neighbors").NearestNeighbors(n_neighbors=1).fit(to).kneighbors(rows)
    return np.asarray(found[:, 0])


def _encoded(*parts: pd.DataFrame) -> np.ndarray:
    """Return the rows of all parts as numbers ``[rows, columns]``, a column a category."""
    return pd.get_dummies(pd.concat(parts, ignore_index=True), dtype=float).to_numpy(float)


def _sklearn(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"sklearn.{name}")
    except ImportError as cause:
        raise MissingExtraError("judging synthetic rows needs scikit-learn: pip install 'almanac[train]'") from cause
