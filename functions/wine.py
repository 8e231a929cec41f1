"""Wine: how good a wine is, from eleven measures. Each day a real one out of a reserve and a synthetic one, predicted.

    sources ──► features ──► training ──► registry ──► inference ──► monitoring ──► spaces/wine, spaces/wine_monitor
                   └──► synthesis ──► registry ──► the day's synthetic wine ──┘

Here:      almanac run wine backfill; almanac run wine train; almanac run wine daily
On Modal:  modal run -m functions.wine::daily; modal deploy -m functions.wine
"""

from typing import Any

from functions._modal import Service, image

service = Service("wine")
app = service.app

serving = image("scipy", "onnxruntime")
training = image("scipy", "onnxruntime", "scikit-learn", "skl2onnx", "onnxmltools", "xgboost-cpu")
comparing = image("scipy", "scikit-learn", "torch", "sdv", "sdmetrics")


@service.stage(serving)
def backfill(source: str = "", colour: str = "", day: str = "") -> dict[str, Any]:
    """Store real wines: UCI's, or those of --source, a file, folder or address; --colour where neither tells it."""
    from shared.runs import run_stage
    from shared.systems.wine import sources

    with service.opened() as platform:
        return run_stage(
            platform, "wine.backfill", lambda _: sources.backfill(platform, source, colour), day=day or "today"
        ).to_dict()


@service.stage(training)
def train(source: str = "", colour: str = "", repeats: int = 0, day: str = "") -> dict[str, Any]:
    """Compare model families, register the best as ONNX, let it serve if it may.

    The wines of --source are stored first, and the model learns from them alone; without, from those that the serving
    model learned from. --repeats of the cross-validation: 3 unless told, 1 for the demo world's own wines.
    """
    from shared.runs import Report, Run, run_stage
    from shared.systems.wine import sources
    from shared.systems.wine.model import Plan
    from shared.systems.wine.training import train

    with service.opened() as platform:
        quick = platform.world == "demo" and not source
        plan = Plan(repeats=repeats or (1 if quick else 3))

        def store_and_train(run: Run) -> Report:
            if source or colour:  # a colour alone is refused there
                sources.backfill(platform, source, colour)
            return train(platform, run, sources.source_name(source) if source else "", plan)

        return run_stage(platform, "wine.train", store_and_train, day=day or "today").to_dict()


@service.stage(comparing)
def synthesize(source: str = "", colour: str = "", seeds: int = 3, epochs: int = 300, day: str = "") -> dict[str, Any]:
    """Compare synthesizers on wines they did not learn from, and keep the best; SDV's take part with the extra `synth`.

    --epochs are those of CTGAN and TVAE (SDV's default is 300; minutes a seed).
    """
    from shared.runs import Report, Run, run_stage
    from shared.systems.wine import sources, synthesis
    from shared.systems.wine.features import usual_source

    with service.opened() as platform:
        plan = synthesis.Plan(seeds=tuple(range(seeds)), epochs=epochs)

        def store_and_compare(run: Run) -> Report:
            if source or colour:  # a colour alone is refused there
                sources.backfill(platform, source, colour)
            name = sources.source_name(source) if source else usual_source(platform, run.until)
            return synthesis.synthesize(platform, run, synthesis.learnable(platform, run, name), plan)

        return run_stage(platform, "wine.synthesize", store_and_compare, day=day or "today").to_dict()


@service.stage(training)
def experiment(source: str = "", repeats: int = 3, day: str = "") -> dict[str, Any]:
    """Measure whether synthetic wines added to the real ones help a model or hurt it; nothing is kept but the figures.

    On wines stored before, of --source when the store holds several.
    """
    from shared.runs import run_stage
    from shared.systems.wine.sources import source_name
    from shared.systems.wine.training import augmented

    name = source_name(source) if source else ""
    with service.opened() as platform:
        return run_stage(
            platform, "wine.experiment", lambda run: augmented(platform, run, name, repeats), day=day or "today"
        ).to_dict()


@service.stage(serving)
def daily(day: str = "", until: str = "", count: int = 1, drift: float = 0.0) -> dict[str, Any]:
    """Open the day's reserve wine, make --count synthetic ones, predict, score; retrain when that is due.

    Does every date due up to --until (today), or --day alone. --drift adds that many % vol to the synthetic wines.
    """
    from dataclasses import replace

    from shared.runs import Report, Run, run_stage
    from shared.systems.wine import inference, monitoring, sources, synthesis
    from shared.systems.wine.tables import MODELS, SHOWN

    synthesis.must_be_a_day(count, drift)
    with service.opened(prepared_for=day or until) as platform:

        def one_day(run: Run) -> Report:
            model = inference.serving(platform, run)
            source = str(model.signature["source"])
            rows = sources.open_reserve(platform, run, source)
            rows += synthesis.fetch(platform, run, source, count, drift)
            rows += inference.predict(platform, run, model)
            report = monitoring.score(platform, run, model)
            left = sources.unopened(platform, source)
            notes = [report.note, "" if left else f"the reserve of {source} is used up: real wines come no more"]
            if why := monitoring.retraining_due(platform, run, model):
                notes.append(f"retrained ({why}): {service.attempt('train', day=run.day.isoformat())}")
            service.keep()
            return replace(report, rows=rows + report.rows, note="; ".join(note for note in notes if note))

        report = run_stage(platform, "wine.daily", one_day, day=day, until=until)
        return service.published(platform, report, (SHOWN, MODELS, dict))


@service.stage(serving)
def rollback(version: int, reason: str, day: str = "") -> dict[str, Any]:
    """Let an earlier --version serve again from today (or --day) on, until the next promotion; say the --reason."""
    from shared.runs import run_stage
    from shared.steps.promotion import rolled_back

    with service.opened() as platform:
        return run_stage(
            platform,
            "wine.rollback",
            lambda run: rolled_back(platform, run, "wine", version, reason),
            day=day or "today",
        ).to_dict()
