"""Whether the model was right: predictions beside outcomes, over the last 30 days, and whether it is time to retrain.

iris_predictions + iris_labels ──► outcomes, by flower_id ──► accuracy, coverage, calibration ┐
iris_flowers, recent and reference ──► drift ────────────────────────────────────────────────┴─► iris_monitoring
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from shared.runs import Report, midnight
from shared.steps import scoring
from shared.steps.drift import drift
from shared.steps.intervals import mean_set_size, set_coverage
from shared.steps.retraining import Policy, reason
from shared.steps.rolling import rolling_share
from shared.systems.iris.features import labelled
from shared.systems.iris.tables import LABELS, MEASURES, MODEL, MONITORING, PREDICTIONS, VARIETIES

if TYPE_CHECKING:
    from shared.ports import ModelVersion, Platform
    from shared.runs import Run

WINDOW_DAYS = 30
POLICY = Policy(oldest_days=28)


@dataclass(frozen=True)
class Monitor:
    """Everything the monitor shows of a period."""

    outcomes: pd.DataFrame  # predictions with the true ``variety``, blank while unknown; newest first
    confusion: pd.DataFrame
    rolling: pd.DataFrame  # accuracy of the WINDOW_DAYS before each date
    accuracy: scoring.Share
    majority: float  # accuracy of always guessing the commonest reference variety
    coverage: scoring.Share
    set_size: float
    calibration: pd.DataFrame
    drift: pd.DataFrame


def outcomes(platform: Platform, since: datetime, until: datetime, known_by: datetime | None = None) -> pd.DataFrame:
    """Return predictions of flowers picked in the period with ``variety``, as known by then (now unless told)."""
    predictions = platform.features.read(PREDICTIONS, since=since, until=until)
    labels = platform.features.read(LABELS, columns=["flower_id", "variety"], until=known_by)
    return predictions.merge(labels, on="flower_id", how="left", validate="one_to_one")


def watch(platform: Platform, since: date, until: date, known_by: datetime | None = None) -> Monitor:
    """Return the monitor of the flowers picked from ``since`` to ``until``, both included.

    With the labels that were known before ``known_by``; with all there are now unless told.
    """
    start, end = midnight(since), midnight(until + timedelta(days=1))
    seen = outcomes(platform, start, end, known_by)
    known = seen[seen["variety"].notna()]
    reference = labelled(platform, known_by, missing_ok=True)
    recent = labelled(platform, known_by, ("synthetic",), missing_ok=True)
    recent = recent[(recent["picked_at"] >= pd.Timestamp(start)) & (recent["picked_at"] < pd.Timestamp(end))]
    hits = pd.Series((known["predicted"] == known["variety"]).to_numpy(), index=pd.DatetimeIndex(known["picked_at"]))
    sets = _sets(known)
    confidence = known[[*VARIETIES]].max(axis=1)
    return Monitor(
        outcomes=seen.iloc[::-1],
        confusion=scoring.confusion(known["variety"], known["predicted"], VARIETIES),
        rolling=rolling_share(hits, WINDOW_DAYS),
        accuracy=scoring.accuracy(known["variety"], known["predicted"]),
        majority=_majority(reference, known),
        coverage=set_coverage(sets, known["variety"]),
        set_size=mean_set_size(sets),
        calibration=scoring.calibration(confidence, known["predicted"] == known["variety"]),
        drift=drift(reference, recent, MEASURES, by="variety"),
    )


def score(platform: Platform, run: Run, serving: ModelVersion) -> Report:
    """Write the figures of the WINDOW_DAYS that end with the run's date; return the accuracy beside its baseline."""
    seen = watch(platform, run.day - timedelta(days=WINDOW_DAYS - 1), run.day, known_by=run.until)
    shares = {"accuracy": seen.accuracy, "coverage": seen.coverage}
    rows = [{"figure": name, "value": s.value, "low": s.low, "high": s.high} for name, s in shares.items()]
    rows[0] |= {
        "baseline": seen.majority,
        "alarm": seen.accuracy.count > 0 and seen.accuracy.high < serving.metrics["accuracy_low"],
    }
    rows[1] |= {"alarm": seen.coverage.count > 0 and seen.coverage.high < serving.signature["coverage"]}
    rows += [{"figure": "set_size", "value": seen.set_size}]
    rows += [{"figure": "calibration_error", "value": scoring.expected_calibration_error(seen.calibration)}]
    rows += [
        {"figure": f"shift:{measure}", "value": shift, "alarm": drifted}
        for measure, shift, drifted in zip(
            seen.drift["column"], seen.drift["shift"], seen.drift["drifted"], strict=True
        )
    ]
    figures = pd.DataFrame(rows, columns=MONITORING.names).assign(day=midnight(run.day))
    figures["alarm"] = figures["alarm"].eq(True)
    written = platform.features.write(MONITORING, figures).rows
    return Report(
        rows=written,
        metrics={"accuracy": seen.accuracy.value, "coverage": seen.coverage.value, "outcomes": seen.accuracy.count},
        baselines={"accuracy": seen.majority},
        headline="accuracy",
        model=f"{MODEL} v{serving.version}",
        note=", ".join(f"{name} alarms" for name in figures.loc[figures["alarm"], "figure"]),
    )


def retraining_due(platform: Platform, run: Run, serving: ModelVersion) -> str:
    """Return why a new model should be trained on the run's date, '' when it should not."""
    rows = len(labelled(platform, run.until)), int(serving.signature["rows"])
    figures = platform.features.read(MONITORING, since=midnight(run.day), until=run.until)
    return reason(platform, run, POLICY, rows, figures.loc[figures["alarm"], "figure"].tolist())


def _majority(reference: pd.DataFrame, known: pd.DataFrame) -> float:
    if reference.empty or known.empty:
        return float("nan")
    return scoring.majority(reference["variety"], known["variety"]).value


def _sets(known: pd.DataFrame) -> pd.DataFrame:
    held = [[variety in row.split("|") for variety in VARIETIES] for row in known["label_set"]]
    return pd.DataFrame(held, columns=list(VARIETIES), index=known.index, dtype=bool)
