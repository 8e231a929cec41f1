"""How good forecasts were: each lead beside its baselines, on the same rows, with how sure that is.

rows ``day, station, lead, observed, forecast, low, high, <baselines>`` ──► by_lead: one row a lead
──► totals: figures by name
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from shared.steps.forecasting import diebold_mariano, paired_difference, rmse, skill
from shared.systems.air_quality.tables import BASELINES

NAIVE = ("persistence", "damped", "climatology")  # what nobody needs a model for
ALWAYS = tuple(name for name in BASELINES if name != "cams")  # what can be said of every station
CLOSEST = "damped"  # the cheap baseline that is hard to beat


def judged(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of which the truth, the forecast and every baseline but CAMS's are known."""
    return rows.dropna(subset=["observed", "pm25", *ALWAYS])


def by_lead(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a row a lead: RMSE of ours and of each baseline (µg/m³), skill against two, a test, coverage.

    ``skill`` is 1 - MSE / the baseline's, beside its 95 % interval; ``less than ridge`` the difference of RMSE to the
    ridge, likewise; ``p`` that of Diebold and Mariano against the ridge. Blocks of days are drawn, not rows.
    """
    return [_one_lead(int(str(lead)), known) for lead, known in judged(rows).groupby("lead")]


def totals(rows: pd.DataFrame) -> tuple[dict[str, float], dict[str, float]]:
    """Return figures by name over all leads, and the RMSE of each baseline (µg/m³).

    ``skill`` is that against damped persistence.
    """
    known = judged(rows)
    ours, cheap = errors(known).to_numpy(), errors(known, CLOSEST).to_numpy()
    metrics = {
        "rmse": rmse(ours),
        "mae": float(np.abs(ours).mean()),
        "coverage": covered(known),
        "skill": 1 - float((ours**2).sum()) / max(float((cheap**2).sum()), 1e-12),
    }
    return metrics, {name: _rmse(known, name) for name in BASELINES if known[name].notna().any()}


def errors(rows: pd.DataFrame, name: str = "pm25") -> pd.Series:
    """Return forecast - truth of one forecaster, indexed by day, station and lead."""
    found = rows[name] - rows["observed"]
    return found.set_axis(pd.MultiIndex.from_frame(rows[["day", "station", "lead"]]))


def covered(rows: pd.DataFrame) -> float:
    """Return the share of the intervals that hold the truth, of those there are."""
    known = rows.dropna(subset=["low", "high", "observed"])
    held = (known["observed"] >= known["low"]) & (known["observed"] <= known["high"])
    return float(held.mean()) if len(known) else float("nan")


def _one_lead(lead: int, known: pd.DataFrame) -> dict[str, Any]:
    ours, ridge = errors(known), errors(known, "ridge")
    against = {name: skill(ours, errors(known, name)) for name in ("persistence", CLOSEST)}
    gap = paired_difference(ours, ridge)
    row: dict[str, Any] = {"lead": lead, "rows": len(known), "coverage": covered(known), "ours": _rmse(known, "pm25")}
    row |= {name: _rmse(known, name) for name in BASELINES if known[name].notna().any()}
    row |= {f"skill, {name}": f"{one.middle:.2f} ({one.low:.2f} to {one.high:.2f})" for name, one in against.items()}
    row["less than ridge"] = f"{-gap.middle:.2f} ({-gap.high:.2f} to {-gap.low:.2f})"
    return row | {"p": diebold_mariano(ours, ridge, lead)[1]}


def _rmse(known: pd.DataFrame, name: str) -> float:
    return rmse((known[name] - known["observed"]).to_numpy())
