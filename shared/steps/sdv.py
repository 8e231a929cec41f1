"""SDV's synthesizers as candidates: Gaussian copula, TVAE and CTGAN, fitted with a seed, kept as rows they drew.

    real rows ──► SDV (extra `synth`) ──► Stock of rows: no SDV, no pickle and no network is needed to draw from it

SDV and its CTGAN stand under the Business Source License 1.1 (DataCebo, Inc.): production use is free, but not in a
commercial offering that lets third parties use its synthesis; each version becomes MIT four years after its release.
They are an optional extra, and nothing of them is part of Almanac.

SDV saves a synthesizer as a cloudpickle, which runs code when loaded, and one that was loaded draws the same first row
again and again. So none is saved: what it drew once is.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from shared.errors import BackendError, MissingExtraError, UsageError
from shared.steps.synthetic import must_be_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

SYNTHESIZERS = {
    "sdv_gaussian_copula": "GaussianCopulaSynthesizer",
    "sdv_tvae": "TVAESynthesizer",
    "sdv_ctgan": "CTGANSynthesizer",
}
_TABLE = "rows"


@dataclass(frozen=True)
class Training:
    """How long a network is trained (SDV's own default is 300 epochs), and the seed of all that is random."""

    epochs: int = 300
    seed: int = 0


def installed() -> bool:
    """Return whether the extra ``synth`` is there, without importing it."""
    return importlib.util.find_spec("sdv") is not None


def draw_rows(name: str, rows: pd.DataFrame, count: int, training: Training) -> pd.DataFrame:
    """Return ``count`` rows drawn by the synthesizer ``name``, fitted to ``rows``; the same rows from the same seed.

    Raises:
        UsageError: there is no such synthesizer.
        MissingExtraError: SDV is not installed.
        NotYetError: there are no rows.
        SchemaError: a value is blank.
        BackendError: SDV failed.
    """
    if name not in SYNTHESIZERS:
        raise UsageError(f"there is no synthesizer {name!r}; there are {', '.join(SYNTHESIZERS)}")
    must_be_whole(rows, [*rows.columns])
    with _quiet():
        single_table, metadata, torch = (_module(name) for name in ("sdv.single_table", "sdv.metadata", "torch"))
        torch.manual_seed(training.seed)
        np.random.seed(training.seed)
        table = rows.reset_index(drop=True)
        options = {} if name == "sdv_gaussian_copula" else {"epochs": training.epochs, "enable_gpu": False}
        try:
            known = metadata.Metadata.detect_from_dataframes({_TABLE: table})
            synthesizer = getattr(single_table, SYNTHESIZERS[name])(known, **options)
            synthesizer.fit({_TABLE: table})
            drawn = synthesizer.sample(count)[_TABLE]
        except Exception as cause:
            raise BackendError(f"SDV's {SYNTHESIZERS[name]} failed: {cause}; leave {name} out") from cause
    return pd.DataFrame(drawn)[[*rows.columns]].astype(rows.dtypes.to_dict())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what SDV and its parts log and warn of, such as that metadata was not saved."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _module(name: str) -> Any:  # noqa: ANN401 - SDV has no types
    try:
        return importlib.import_module(name)
    except ImportError as cause:
        raise MissingExtraError(f"{name.split('.')[0]} is not installed: pip install 'almanac[synth]'") from cause
