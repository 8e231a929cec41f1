"""Air quality: how much fine dust (PM2.5) a station will see, seven days ahead, with how sure that is.

    sources ──► features ──► training ──► registry ──► inference ──► monitoring ──► spaces/air_quality, a static page
                   └──► backtest                                        └──► alerts

Here:      almanac run air_quality backfill; almanac run air_quality train; almanac run air_quality daily
On Modal:  modal run -m functions.air_quality::daily; modal deploy -m functions.air_quality
"""

from typing import Any

from functions._modal import Service, here, image

service = Service("air_quality")
app = service.app

AIR = ("scipy", "onnxruntime", "holidays", "timezonefinder", "reverse_geocode", "apprise", "markupsafe")
serving = image(*AIR)
training = image(*AIR, "scikit-learn", "skl2onnx", "onnxmltools", "xgboost-cpu")


@service.stage(serving)
def add(  # noqa: PLR0913 - the options of the command
    station: str = "",
    lat: float = float("nan"),
    lon: float = float("nan"),
    country: str = "",
    feed: str = "",
    timezone: str = "",
    source: str = "",
    day: str = "",
) -> dict[str, Any]:
    """Add a --station at --lat and --lon, degrees north and east; or all those of --source, a CSV file.

    --country, a code or a name, is checked against the place; --feed is AQICN's name of the station, such as @5284.
    """
    from shared.errors import UsageError
    from shared.runs import run_stage
    from shared.systems.air_quality.stations import Place, add, add_all

    if not source and (lat != lat or lon != lon):
        raise UsageError("say where the station stands: --lat and --lon, degrees north and east")
    with service.opened() as platform:
        place = Place(station, lat, lon, country, timezone, feed)
        return run_stage(
            platform,
            "air_quality.add",
            lambda run: add_all(platform, run, source) if source else add(platform, run, place),
            day=day or "today",
        ).to_dict()


@service.stage(serving)
def backfill(  # noqa: PLR0913 - the options of the command
    days: int = 1460, station: str = "", source: str = "", weather: str = "", unit: str = "", day: str = ""
) -> dict[str, Any]:
    """Store the --days before the date: fine dust of CAMS, weather as it was and as it was forecast.

    With --source, a file of a --station's fine dust by day (--unit aqi or ugm3, where it does not say), and --weather,
    one of its weather, those come first.
    """
    from shared.runs import run_stage
    from shared.systems.air_quality import sources

    with service.opened() as platform:
        return run_stage(
            platform,
            "air_quality.backfill",
            lambda run: sources.backfill(platform, run, days, station, source, weather, unit),
            day=day or "today",
        ).to_dict()


@service.stage(training)
def train(day: str = "") -> dict[str, Any]:
    """Judge the forecaster on the last year as if it were then, fit it on all, register it, let it serve if it may."""
    from shared.runs import run_stage
    from shared.systems.air_quality.model import Plan
    from shared.systems.air_quality.training import train

    with service.opened() as platform:
        return run_stage(
            platform, "air_quality.train", lambda run: train(platform, run, Plan()), day=day or "today"
        ).to_dict()


@service.stage(training)
def backtest(  # noqa: PLR0913 - the options of the command
    days: int = 730, source: str = "", weather: str = "", unit: str = "", country: str = "", day: str = ""
) -> dict[str, Any]:
    """Forecast each of the last --days at every lead, fitted anew each month on the past alone, beside every baseline.

    Of the stations there are; or of files alone: --source, a history (--unit aqi or ugm3 where it does not say), and
    --weather, whose values stand in for forecasts; --country for its public holidays.
    """
    from shared.runs import run_stage
    from shared.systems.air_quality.backtest import backtest, panel_for
    from shared.systems.air_quality.model import Plan

    with service.opened() as platform:
        return run_stage(
            platform,
            "air_quality.backtest",
            lambda run: backtest(panel_for(platform, run, (source, weather, unit, country), Plan()), days, Plan()),
            day=day or "today",
        ).to_dict()


@service.stage(serving)
def listen(day: str = "") -> dict[str, Any]:
    """Store what the stations' feeds say now. Best every hour: of 18 hours heard a day is the station's own."""
    from shared.runs import run_stage
    from shared.systems.air_quality import sources

    with service.opened() as platform:
        return run_stage(
            platform, "air_quality.listen", lambda run: sources.listen(platform, run), day=day or "today"
        ).to_dict()


@service.worker(serving)
def ask(part: dict[str, Any]) -> dict[str, Any]:
    """Fetch what is new of some stations, apart from the store: a part of ``daily`` when there are many."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from shared.connect import open_platform
    from shared.systems.air_quality.parcels import worked

    with TemporaryDirectory() as folder:
        return worked(open_platform(home=Path(folder)), part)


@service.stage(serving)
def daily(day: str = "", until: str = "", part: int = 0) -> dict[str, Any]:
    """Fetch what is new, late or revised, forecast seven days, score, alert; retrain when that is due.

    Does every date due up to --until (today), or --day alone. Of many stations each --part is fetched in a container
    of its own (on Modal 200 unless told); 0 here: all at once.
    """
    from dataclasses import replace
    from functools import partial

    from shared.runs import Report, Run, parse_day, run_stage
    from shared.systems.air_quality import inference, monitoring, parcels
    from shared.systems.air_quality.publishing import pages
    from shared.systems.air_quality.tables import MODELS, SHOWN

    with service.opened(prepared_for=day or until) as platform:
        tried: list[Run] = []

        def one_day(run: Run) -> Report:
            tried.append(run)
            model = inference.serving(platform, run)
            fetched = parcels.fetch(platform, run, partial(service.each, "ask"), part or (0 if here() else 200))
            rows = fetched.rows + inference.predict(platform, run, model)
            report = monitoring.score(platform, run, model)
            notes = [*fetched.notes, report.note]
            if why := monitoring.retraining_due(platform, run, model):
                notes.append(f"retrained ({why}): {service.attempt('train', day=run.day.isoformat())}")
            service.keep()
            return replace(report, rows=rows + report.rows, note="; ".join(note for note in notes if note))

        try:
            report = run_stage(platform, "air_quality.daily", one_day, day=day, until=until)
        except Exception:  # of any kind; told now, as tomorrow may fail, too
            monitoring.tell_failure(platform, tried)
            raise
        last = parse_day(day or until, platform.world)
        return service.published(platform, report, (SHOWN, MODELS, partial(pages, platform, last)))


@service.stage(serving)
def publish(to: str, day: str = "") -> dict[str, Any]:
    """Write the forecasts and the hindcast as a page that any static host can serve, into the folder --to."""
    from pathlib import Path

    from shared.runs import run_stage
    from shared.systems.air_quality.publishing import publish

    with service.opened() as platform:
        return run_stage(
            platform, "air_quality.publish", lambda run: publish(platform, run, Path(to)), day=day or "today"
        ).to_dict()


@service.stage(serving)
def rollback(version: int, reason: str, day: str = "") -> dict[str, Any]:
    """Let an earlier --version serve again from today (or --day) on, until the next promotion; say the --reason."""
    from shared.runs import run_stage
    from shared.steps.promotion import rolled_back

    with service.opened() as platform:
        return run_stage(
            platform,
            "air_quality.rollback",
            lambda run: rolled_back(platform, run, "air_quality", version, reason),
            day=day or "today",
        ).to_dict()
