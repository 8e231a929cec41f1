"""Whether the forecasts held: those whose day has come, beside their baselines; what somebody should know; retraining.

forecasts, what then was ──► outcomes ──► by lead, by station ──► air_quality_monitoring, with alarms
forecasts ahead, silent stations, alarms, failed runs ──► air_quality_alerts ──► the notifier
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from shared.errors import AlmanacError
from shared.runs import Report, midnight
from shared.steps import retraining
from shared.steps.alerts import MEMORY_DAYS, Alert, exceedances, failures, raise_alerts, silences
from shared.steps.forecasting import skill
from shared.steps.intervals import interval_coverage
from shared.systems.air_quality.blend import COVERAGE, residuals
from shared.systems.air_quality.panel import of_station, own_days
from shared.systems.air_quality.scores import ALWAYS, CLOSEST, errors, judged, totals
from shared.systems.air_quality.stations import shortened
from shared.systems.air_quality.tables import (
    ALERTS,
    BASELINES,
    MODEL,
    MONITORING,
    OBSERVATIONS,
    PREDICTIONS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from shared.ports import ModelVersion, Platform
    from shared.runs import Run

DAYS = 90  # of outcomes that figures are made of
LIMIT = 25  # µg/m³: the EU's daily limit from 2030 on; more than it is worth an alert
RECENT_DAYS, FEWEST = 28, 20  # of drift: what is recent, and how many days it takes to tell
DRIFTED = 0.35  # mean log ratio of truth and forecast beyond which forecasts lie systematically off: 40 %
POLICY = retraining.Policy(oldest_days=30, grown_by=0.25)


def outcomes(
    platform: Platform, until: datetime, days: int = DAYS, model: ModelVersion | None = None, station: str = ""
) -> pd.DataFrame:
    """Return the forecasts of the ``days`` days before ``until`` whose truth is known, one row a station, day and lead.

    Columns ``station, day, lead, observed, pm25, low, high``, the baselines, and ``live``: whether it was really said
    then. With ``model``, days without a live forecast are filled from its backtest; of one station when it is named.
    """
    span = {"since": until - timedelta(days=days), "until": until}
    said = of_station(platform.features.read(PREDICTIONS, ["station", "day", "lead", *_SAID], **span), station)
    seen = own_days(
        of_station(platform.features.read(OBSERVATIONS, ["station", "day", "pm25", "origin"], **span), station)
    )
    rows = said.merge(seen.rename(columns={"pm25": "observed"}), on=["station", "day"]).assign(live=True)
    if model is not None:  # of a thousand stations' backtest only one is read
        chosen = [("station", "==", station)] if station else None
        past = pd.read_parquet(model.folder / "past.parquet", filters=chosen)
        past = past[(past["day"] >= span["since"]) & (past["day"] < until)].assign(live=False)
        both = pd.concat([past, rows] if len(rows) else [past])
        rows = both.drop_duplicates(["station", "day", "lead"], keep="last")
    return rows.dropna(subset=["observed"]).sort_values(["station", "day", "lead"], ignore_index=True)


_SAID = ("pm25", "low", "high", *BASELINES)


def score(platform: Platform, run: Run, model: ModelVersion) -> Report:
    """Write the figures of the run's date and raise alerts; return RMSE and coverage of the last DAYS days."""
    rows = outcomes(platform, midnight(run.day))  # what is known in time: done again later, the figures stay
    figures = pd.DataFrame(
        [*_together(rows), *_by_station(rows), *_silent(platform, run)], columns=[*MONITORING.names[1:]]
    )
    written = platform.features.write(MONITORING, figures.assign(day=midnight(run.day)))
    raised = raise_alerts(platform, run, ALERTS, _alerts(platform, run, figures))
    metrics, baselines = totals(rows) if len(judged(rows)) else ({}, {})
    main = {name: value for name, value in metrics.items() if np.isfinite(value)}
    return Report(
        rows=written.rows + raised.rows,
        metrics=main,
        baselines={"rmse": baselines[CLOSEST]} | {name: baselines[name] for name in ALWAYS} if main else {},
        headline="rmse",
        model=f"{MODEL} v{model.version}",
        note="; ".join(filter(None, (_told(figures, model), raised.note))),
    )


def tell_failure(platform: Platform, tried: Sequence[Run]) -> None:
    """Raise the alert that the last of the runs failed; what fails while doing so must not hide why that did."""
    with suppress(AlmanacError):
        for run in tried[-1:]:
            raise_alerts(platform, run, ALERTS, failures(platform, run))


def retraining_due(platform: Platform, run: Run, model: ModelVersion) -> str:
    """Return why a new model should be trained on the run's date, '' when it should not."""
    known = len(platform.features.read(OBSERVATIONS, columns=["station"], until=midnight(run.day)))
    figures = platform.features.read(MONITORING, since=midnight(run.day), until=run.until)
    alarms = figures.loc[figures["alarm"] & figures["figure"].isin(("drift", "coverage", "skill")), "figure"]
    counts = (known, int(model.signature["rows"]))
    return retraining.reason(platform, run, POLICY, counts, sorted({*alarms}))


def _together(rows: pd.DataFrame) -> list[dict[str, object]]:
    """Return the figures of all stations together, over all leads (0) and for each."""
    known = judged(rows)
    groups = [(0, known), *((int(str(lead)), part) for lead, part in known.groupby("lead"))]
    return [row for lead, part in groups if len(part) for row in _figures("*", lead, part)]


def _figures(station: str, lead: int, part: pd.DataFrame) -> list[dict[str, object]]:
    named = {"station": station, "lead": lead, "alarm": False, "low": None, "high": None}
    ours, cheap, held = errors(part), errors(part, CLOSEST), part.dropna(subset=["low"])
    share, gained = interval_coverage(held["low"], held["high"], held["observed"]), skill(ours, cheap)
    missing = part["day"].nunique() >= FEWEST and share.value < COVERAGE - 0.1
    found: list[dict[str, object]] = [
        {"figure": "rmse", "value": _root(ours), "baseline": _root(cheap)},
        {"figure": "mae", "value": float(ours.abs().mean()), "baseline": float(cheap.abs().mean())},
        {"figure": "coverage", "value": share.value, "low": share.low, "high": share.high, "baseline": COVERAGE},
        {"figure": "skill", "value": gained.middle, "low": gained.low, "high": gained.high, "baseline": 0.0},
    ]
    alarms = {"coverage": bool(missing), "skill": bool(gained.high < 0)}
    named = {"station": station, "lead": lead, "low": None, "high": None}
    return [named | {"alarm": alarms.get(str(row["figure"]), False)} | row for row in found]


def _root(missed: pd.Series) -> float:
    return float(np.sqrt((missed**2).mean()))


def _by_station(rows: pd.DataFrame) -> list[dict[str, object]]:
    """Return each station's RMSE, coverage and drift over all leads: a few numbers, also of a thousand stations."""
    known = judged(rows)
    if known.empty:
        return []
    missed = known.assign(
        ours=errors(known).to_numpy() ** 2,
        cheap=errors(known, CLOSEST).to_numpy() ** 2,
        held=(known["observed"] >= known["low"]) & (known["observed"] <= known["high"]),
    ).groupby("station")
    means = missed[["ours", "cheap", "held"]].mean()
    found: list[dict[str, object]] = []
    for station, ours, cheap, held in means.itertuples(name=None):
        named = {"station": station, "lead": 0, "alarm": False, "low": None, "high": None}
        found.append(named | {"figure": "rmse", "value": float(np.sqrt(ours)), "baseline": float(np.sqrt(cheap))})
        found.append(named | {"figure": "coverage", "value": float(held), "baseline": COVERAGE})
    return found + _drift(known)


def _drift(known: pd.DataFrame) -> list[dict[str, object]]:
    """Return for each station by how much forecasts one day ahead have lain off lately, as a mean log ratio."""
    recent = known[(known["lead"] == 1) & (known["day"] > known["day"].max() - pd.Timedelta(days=RECENT_DAYS))]
    off = pd.Series(residuals(recent["observed"].to_numpy(float), recent["pm25"].to_numpy(float)), recent["station"])
    found: list[dict[str, object]] = []
    for station, values in off.groupby(level=0):
        mean, sure = float(values.mean()), 2 * float(values.std(ddof=0)) / max(len(values), 1) ** 0.5
        alarm = len(values) >= FEWEST and abs(mean) - sure > DRIFTED
        ends = {"low": mean - sure, "high": mean + sure, "baseline": 0.0}
        found.append({"station": station, "lead": 0, "figure": "drift", "alarm": alarm, "value": mean, **ends})
    return found


def _silent(platform: Platform, run: Run) -> list[dict[str, object]]:
    """Return for how many days each station that once had a value of its own has said nothing."""
    heard = _last_heard(platform, run)
    days = (midnight(run.day) - heard).dt.days
    named = {"lead": 0, "figure": "silent_days", "low": None, "high": None, "baseline": None}
    return [
        named | {"station": station, "value": None if pd.isna(count) else float(count), "alarm": bool(count >= 3)}
        for station, count in days.items()
    ]


def _last_heard(platform: Platform, run: Run) -> pd.Series:
    """Return the last day with a value of its own, by station that once had one; within a year."""
    rows = platform.features.read(
        OBSERVATIONS, ["station", "day", "origin"], since=run.until - timedelta(days=365), until=midnight(run.day)
    )
    return rows[rows["origin"] != "cams"].groupby("station")["day"].max()


def _alerts(platform: Platform, run: Run, figures: pd.DataFrame) -> list[Alert]:
    since = midnight(run.day - timedelta(days=MEMORY_DAYS))
    ahead = platform.features.read(PREDICTIONS, ["station", "day", "lead", f"p{LIMIT}"], since=since)
    off = figures[(figures["figure"] == "drift") & figures["alarm"]]
    month = f"{run.day:%Y-%m}"
    drifted = [
        Alert("drift", station, f"drift/{station}/{month}", f"{station}: forecasts lie off by {np.expm1(value):+.0%}")
        for station, value in zip(off["station"], off["value"], strict=True)
    ]
    return [
        *exceedances(ahead, run.day, chance=f"p{LIMIT}", what=f"PM2.5 above {LIMIT} µg/m³"),
        *silences(_last_heard(platform, run), run.day),
        *drifted,
        *failures(platform, run),
    ]


def _told(figures: pd.DataFrame, model: ModelVersion) -> str:
    """Return the alarms in words, and whether the model has yet to get to know some stations' own values."""
    told, alarms = [], figures[figures["alarm"].astype(bool)]  # on a first day there is no figure, nor its kind
    for name, rows in alarms[alarms["station"] == "*"].groupby("figure"):
        leads = ", ".join("all together" if lead == 0 else str(lead) for lead in rows["lead"])
        told.append(f"alarm: {name} at lead {leads}")
    for name, rows in alarms[alarms["station"] != "*"].groupby("figure"):
        told.append(f"alarm: {name} of {shortened([*rows['station']])}")
    if count := int(model.signature.get("stand_in", 0)):
        told.append(f"of {count} station{'s' * (count > 1)} the model learned from CAMS; it adapts as they speak")
    return "; ".join(told)
