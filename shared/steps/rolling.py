"""Figures over the last days, for every calendar day: what a monitor draws.

hits by time   ──► rolling_share: the share right, with Wilson's interval
losses by time ──► rolling_mean: the mean loss, with its normal interval
"""

from __future__ import annotations

from dataclasses import asdict
from statistics import NormalDist

import numpy as np
import pandas as pd

from shared.errors import SchemaError
from shared.steps.scoring import wilson


def rolling_share(hits: pd.Series, days: int) -> pd.DataFrame:
    """Return ``date, value, low, high, count`` for every calendar day (UTC) from the first hit or miss to the last.

    Each row counts the ``days`` days that end with its date; a day without rows is there too, so a gap is seen.

    Raises:
        SchemaError: the index holds no times, or a value is blank.

    >>> seen = pd.Series([True, False], index=pd.to_datetime(["2026-01-01T06:00Z", "2026-01-03T06:00Z"]))
    >>> rolling_share(seen, days=2)[["value", "count"]].to_numpy().tolist()
    [[1.0, 1.0], [1.0, 1.0], [0.0, 1.0]]
    """
    days_of = _days(hits)
    if hits.empty:
        return pd.DataFrame({"date": days_of, **dict.fromkeys(("value", "low", "high", "count"), np.array([]))})
    daily = hits.astype("int64").groupby(days_of).agg(["sum", "count"]).asfreq("D", fill_value=0)
    recent = daily.rolling(days, min_periods=1).sum().round().astype("int64")
    shares = [asdict(wilson(hit, count)) for hit, count in recent.itertuples(index=False)]
    return pd.DataFrame(shares).assign(date=daily.index)[["date", "value", "low", "high", "count"]]


def rolling_mean(losses: pd.Series, days: int) -> pd.DataFrame:
    """Return ``date, value, low, high, count`` as ``rolling_share`` does, of the mean loss and its 95 % interval.

    Blank where the ``days`` days that end with a date hold none; the interval is blank where they hold one.

    Raises:
        SchemaError: the index holds no times, or a value is blank.

    >>> seen = pd.Series([1.0, 3.0], index=pd.to_datetime(["2026-01-01T06:00Z", "2026-01-03T06:00Z"]))
    >>> rolling_mean(seen, days=3)[["value", "count"]].to_numpy().tolist()
    [[1.0, 1.0], [1.0, 1.0], [2.0, 2.0]]
    """
    days_of = _days(losses)
    if losses.empty:
        return pd.DataFrame({"date": days_of, **dict.fromkeys(("value", "low", "high", "count"), np.array([]))})
    each = pd.DataFrame({"count": 1, "sum": losses, "squares": losses**2}).groupby(days_of).sum()
    recent = each.asfreq("D", fill_value=0).rolling(days, min_periods=1).sum()
    count = recent["count"].round().astype("int64")
    mean = recent["sum"] / count.where(count > 0)
    variance = (recent["squares"] / count - mean**2).clip(lower=0) * count / (count - 1).where(count > 1)
    half = NormalDist().inv_cdf(0.975) * (variance / count) ** 0.5
    columns = {"date": mean.index, "value": mean, "low": mean - half, "high": mean + half, "count": count}
    return pd.DataFrame(columns).reset_index(drop=True)


def _days(values: pd.Series) -> pd.DatetimeIndex:
    """Return each row's date in UTC."""
    index = values.index
    if not isinstance(index, pd.DatetimeIndex) or values.isna().any() or index.hasnans:
        raise SchemaError("a rolling figure needs a time on every row and no blank; index the rows by their event time")
    return (index if index.tz is None else index.tz_convert("UTC")).floor("D")
