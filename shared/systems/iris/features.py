"""What the model sees: the four measures, of flowers whose label is known and of flowers not yet predicted."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pandas as pd

from shared.errors import NotYetError
from shared.systems.iris.tables import FLOWERS, LABELS, MEASURES, PREDICTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from shared.ports import Platform


def labelled(
    platform: Platform, until: datetime | None, origins: Sequence[str] = ("reference",), *, missing_ok: bool = False
) -> pd.DataFrame:
    """Return flowers of ``origins`` with their ``variety``, as far as both were known before ``until``.

    Raises:
        NotYetError: there are none, and that is not ``missing_ok``.
    """
    flowers = platform.features.read(FLOWERS, until=until)
    known = flowers[flowers["origin"].isin(origins)].merge(
        platform.features.read(LABELS, until=until), on="flower_id", validate="one_to_one"
    )
    if known.empty and not missing_ok:
        raise NotYetError("there are no labelled flowers; run `almanac run iris backfill`")
    return known.sort_values("flower_id", ignore_index=True)


def unpredicted(platform: Platform, until: datetime, as_of: int | None = None) -> pd.DataFrame:
    """Return synthetic flowers picked before ``until`` with no prediction, or with one made from other measures."""
    flowers = platform.features.read(FLOWERS, until=until, as_of=as_of)
    fresh = flowers[flowers["origin"] == "synthetic"]
    fresh = fresh.assign(input_hash=fingerprint(fresh))
    made = platform.features.read(PREDICTIONS, columns=["flower_id", "input_hash"], until=until)
    done = pd.MultiIndex.from_frame(made)
    return fresh[~pd.MultiIndex.from_frame(fresh[["flower_id", "input_hash"]]).isin(done)]


def fingerprint(flowers: pd.DataFrame) -> list[str]:
    """Return a hash of each flower's measures, so that a prediction can name exactly what went in.

    >>> fingerprint(pd.DataFrame([[5.1, 3.5, 1.4, 0.2]], columns=list(MEASURES)))
    ['13781c975fc4']
    """
    rows = flowers[list(MEASURES)].itertuples(index=False, name=None)
    return [hashlib.sha256(repr(tuple(map(float, row))).encode()).hexdigest()[:12] for row in rows]
