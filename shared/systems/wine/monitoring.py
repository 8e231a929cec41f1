"""Whether the model was right, on two tracks that are never mixed, and whether it is time to retrain.

    wine_predictions + wine_grades ──► outcomes, by sample_id ──► errors, agreement, coverage ┐
    wine_samples, recent and reference ──► drift ─────────────────────────────────────────────┴─► wine_monitoring

Real wines of the reserve were tasted: their errors are the model's. A synthetic wine has the grade its synthesizer gave
it: its errors say as much about the synthesizer, so they never alarm; its measures show drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from shared.runs import Report, midnight
from shared.steps import scoring
from shared.steps.drift import drift
from shared.steps.grading import coverage_by_grade, figures
from shared.steps.intervals import interval_coverage
from shared.steps.retraining import Policy, reason
from shared.steps.rolling import rolling_mean
from shared.systems.wine.features import fingerprint, labelled
from shared.systems.wine.tables import GRADED, GRADES, MEASURES, MODEL, MONITORING, PREDICTIONS, SAMPLES, TRACKS

if TYPE_CHECKING:
    from shared.ports import ModelVersion, Platform
    from shared.runs import Run

WINDOW_DAYS = 90  # one wine a day and track: fewer would tell nothing of seven grades
POLICY = Policy(oldest_days=90)
# An alarm is looked for every day. From the first outcome on, and with a 95 % interval of coverage, there would be a
# false one in every third half-year; with these, in every fifteenth (simulated: intervals that keep their promise).
FEWEST_OUTCOMES, SURE = 20, 0.99


@dataclass(frozen=True)
class Monitor:
    """Everything the monitor shows of a track and period."""

    outcomes: pd.DataFrame  # predictions with the true grade as ``truth``, blank while unknown; newest first
    figures: dict[str, float]  # as ``grading.figures``
    baselines: dict[str, float]  # the same of always saying the mean grade; of accuracy, the commonest reference grade
    mae: scoring.Share
    mse: scoring.Share
    accuracy: scoring.Share
    coverage: scoring.Share
    by_grade: dict[int, scoring.Share]  # coverage
    confusion: pd.DataFrame  # grades 3 to 9, seen or not
    rolling: pd.DataFrame  # mean absolute error of the WINDOW_DAYS before each date
    drift: pd.DataFrame


def outcomes(
    platform: Platform, track: str, since: datetime, until: datetime, known_by: datetime | None
) -> pd.DataFrame:
    """Return predictions of the track's wines that came in the period, with ``source``, and ``truth`` as known then."""
    samples = platform.features.read(SAMPLES, columns=["sample_id", "source"], since=since, until=until)
    predictions = platform.features.read(PREDICTIONS, since=since, until=until).merge(samples, on="sample_id")
    grades = platform.features.read(GRADED, columns=["sample_id", "grade"], until=known_by)
    mine = predictions[predictions["origin"] == track]
    return mine.merge(grades.rename(columns={"grade": "truth"}), on="sample_id", how="left", validate="one_to_one")


def watch(
    platform: Platform, serving: ModelVersion, track: str, period: tuple[date, date], known_by: datetime | None = None
) -> Monitor:
    """Return the monitor of the track's wines that came in ``period``, both ends included.

    With the grades that were known before ``known_by``; with all there are now unless told.
    """
    start, end = midnight(period[0]), midnight(period[1] + timedelta(days=1))
    source = str(serving.signature["source"])
    seen = outcomes(platform, track, start, end, known_by)
    seen = seen[seen["source"] == source]
    known = seen[seen["truth"].notna()].astype({"truth": "int64"})
    away = (known["quality"] - known["truth"]).abs()
    mean = pd.Series(float(serving.signature["link"]["mean"]), index=known.index)
    samples = platform.features.read(SAMPLES, since=start, until=end)
    samples = samples[(samples["origin"] == track) & (samples["source"] == source)]
    graded = labelled(platform, known_by, source, missing_ok=True)
    reference = graded[graded["origin"] == "reference"]
    return Monitor(
        outcomes=seen.iloc[::-1],
        figures=figures(known, GRADES),
        baselines=_baselines(known, mean, reference["grade"]),
        mae=scoring.mean_of(away),
        mse=scoring.mean_of((away**2).set_axis(known["input_hash"])),
        accuracy=scoring.accuracy(known["truth"], known["grade"]),
        coverage=interval_coverage(known["low"], known["high"], known["truth"]),
        by_grade=coverage_by_grade(known, GRADES),
        confusion=scoring.confusion(known["truth"], known["grade"], GRADES),  # type: ignore[arg-type]
        rolling=rolling_mean(away.set_axis(pd.DatetimeIndex(known["taken_at"])), WINDOW_DAYS),
        drift=drift(_different(reference), _different(samples), MEASURES, by="colour"),
    )


def score(platform: Platform, run: Run, serving: ModelVersion) -> Report:
    """Write both tracks' figures of the WINDOW_DAYS that end with the run's date; return those of the real wines."""
    period = run.day - timedelta(days=WINDOW_DAYS - 1), run.day
    seen = {track: watch(platform, serving, track, period, known_by=run.until) for track in TRACKS}
    found = pd.concat([_figures(one, track, serving) for track, one in seen.items()], ignore_index=True)
    written = platform.features.write(MONITORING, found.assign(day=midnight(run.day))).rows
    real, alarms = seen["reserve"], found[found["alarm"]]
    return Report(
        rows=written,
        metrics={**{name: real.figures[name] for name in _SHOWN}, "outcomes": real.mae.count},
        baselines=real.baselines,
        headline="mae",
        model=f"{MODEL} v{serving.version}",
        note=", ".join(f"{track} {name} alarms" for track, name in zip(alarms["track"], alarms["figure"], strict=True)),
    )


def retraining_due(platform: Platform, run: Run, serving: ModelVersion) -> str:
    """Return why a new model should be trained on the run's date, '' when it should not; synthetic wines never call."""
    rows = len(labelled(platform, run.until, str(serving.signature["source"]))), int(serving.signature["rows"])
    found = platform.features.read(MONITORING, since=midnight(run.day), until=run.until)
    alarms = found.loc[found["alarm"] & (found["track"] == "reserve"), "figure"]
    return reason(platform, run, POLICY, rows, alarms.tolist())


_SHOWN = ("mae", "mse", "qwk", "accuracy", "coverage")


def _figures(seen: Monitor, track: str, serving: ModelVersion) -> pd.DataFrame:
    """Return the track's rows of the day; errors and coverage alarm on real wines, drift on both."""
    sure = {"mae": seen.mae, "mse": seen.mse, "accuracy": seen.accuracy, "coverage": seen.coverage}
    rows = [
        {
            "figure": name,
            "value": seen.figures[name],
            "low": sure[name].low if name in sure else None,
            "high": sure[name].high if name in sure else None,
            "baseline": seen.baselines.get(name),
        }
        for name in _SHOWN
    ]
    if track == "reserve" and (count := seen.coverage.count) >= FEWEST_OUTCOMES:
        rows[_SHOWN.index("mse")]["alarm"] = seen.mse.low > serving.metrics["mse_high"]
        at_most = scoring.wilson(round(seen.coverage.value * count), count, SURE).high
        rows[_SHOWN.index("coverage")]["alarm"] = at_most < serving.signature["coverage"]
    shifts = zip(seen.drift["column"], seen.drift["shift"], seen.drift["drifted"], strict=True)
    rows += [{"figure": f"shift:{name}", "value": shift, "alarm": drifted} for name, shift, drifted in shifts]
    found = pd.DataFrame(rows, columns=[name for name in MONITORING.names if name not in ("day", "track")])
    return found.assign(track=track, alarm=found["alarm"].eq(True))


def _different(samples: pd.DataFrame) -> pd.DataFrame:
    """Return one of each set of twins: a wine that comes twice is no second sign of drift."""
    return samples[~pd.Series(fingerprint(samples), index=samples.index).duplicated()]


def _baselines(known: pd.DataFrame, mean: pd.Series, reference: pd.Series) -> dict[str, float]:
    away = mean - known["truth"]
    commonest = scoring.majority(reference, known["truth"]).value if len(reference) else float("nan")
    return {"mae": float(away.abs().mean()), "mse": float((away**2).mean()), "qwk": 0.0, "accuracy": commonest}
