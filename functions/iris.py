"""Iris: which of three varieties a flower is. One flower a day, predicted; a day later we know if that was right.

    sources ──► features ──► training ──► registry ──► inference ──► monitoring ──► spaces/iris, spaces/iris_monitor

Here:      almanac run iris backfill; almanac run iris train; almanac run iris daily
On Modal:  modal run -m functions.iris::daily; modal deploy -m functions.iris
"""

from typing import Any

from functions._modal import Service, image

service = Service("iris")
app = service.app

serving = image("scipy", "onnxruntime")
training = image("scipy", "onnxruntime", "scikit-learn", "skl2onnx")


@service.stage(training)
def backfill(source: str = "", day: str = "") -> dict[str, Any]:
    """Store the reference flowers: Fisher's 150, or those of --source, a CSV file or address."""
    from shared.runs import run_stage
    from shared.systems.iris import sources

    with service.opened() as platform:
        report = run_stage(platform, "iris.backfill", lambda _: sources.backfill(platform, source), day=day or "today")
    return report.to_dict()


@service.stage(training)
def train(origins: str = "reference", day: str = "") -> dict[str, Any]:
    """Compare model families, register the best as ONNX, let it serve if it may. --origins reference,synthetic too."""
    from shared.runs import run_stage
    from shared.systems.iris.training import Plan, train

    plan = Plan(origins=tuple(origins.split(",")))
    with service.opened() as platform:
        report = run_stage(platform, "iris.train", lambda run: train(platform, run, plan), day=day or "today")
    return report.to_dict()


@service.stage(serving)
def daily(day: str = "", until: str = "", count: int = 1, drift: float = 0.0) -> dict[str, Any]:
    """Pick the day's --count flowers, label the day before's, predict, score; retrain when that is due.

    Does every date due up to --until (today), or --day alone. --drift adds that many cm to the petals.
    """
    from dataclasses import replace

    from shared.runs import Report, Run, run_stage
    from shared.systems.iris import inference, monitoring, sources
    from shared.systems.iris.tables import MODELS, SHOWN

    sources.must_be_a_day(count, drift)
    with service.opened(prepared_for=day or until) as platform:

        def one_day(run: Run) -> Report:
            model = inference.serving(platform, run)
            rows = sources.fetch(platform, run, count, drift) + inference.predict(platform, run, model)
            report = monitoring.score(platform, run, model)
            notes = [report.note]
            if why := monitoring.retraining_due(platform, run, model):
                notes.append(f"retrained ({why}): {service.attempt('train', day=run.day.isoformat())}")
            service.keep()
            return replace(report, rows=rows + report.rows, note="; ".join(note for note in notes if note))

        report = run_stage(platform, "iris.daily", one_day, day=day, until=until)
        return service.published(platform, report, (SHOWN, MODELS, dict))


@service.stage(serving)
def rollback(version: int, reason: str, day: str = "") -> dict[str, Any]:
    """Let an earlier --version serve again from today (or --day) on, until the next promotion; say the --reason."""
    from shared.runs import run_stage
    from shared.steps.promotion import rolled_back

    with service.opened() as platform:
        return run_stage(
            platform,
            "iris.rollback",
            lambda run: rolled_back(platform, run, "iris", version, reason),
            day=day or "today",
        ).to_dict()
