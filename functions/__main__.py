"""The `almanac` command: the stages of ``functions/``, run in this process.

day      what is due in every scheduled system          run      one stage, with its own options
status   last runs, freshness, champions, cost          table    any table
explain  a prediction back to model, features, code     open     the pages, on localhost
deploy   to Modal, Hopsworks, Hugging Face               destroy  what deploy made
publish  what pages show, to where Spaces read
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import traceback
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from functions import _terminal as terminal
from functions._deploy import commands as deploying
from functions._modal import Service
from functions._modal.port import bound
from functions._progress import progress
from functions._secrets import hidden
from functions._stages import AsJson, kept_from_output, run_command, service, systems
from functions._timetable import ROOT, timetable
from shared.errors import AlmanacError, NotYetError, UsageError

if TYPE_CHECKING:
    from shared.ports import Platform

_WRONG_WORDS: type[Exception] = typer.BadParameter.__mro__[
    1
]  # click's UsageError, which typer carries without exporting it

SHOWN = 20  # rows of a table, to people


class _Group(typer.core.TyperGroup):
    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - click's, which typer carries without exporting it
        """Say what was interrupted, which typer would keep to itself."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            terminal.say_error(str(stop) or "interrupted")
            raise typer.Exit(130) from stop


cli = typer.Typer(
    name="almanac",
    cls=_Group,
    help="ML services that keep themselves up to date. Without an account all of it runs here, in a simulated world.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@cli.callback()
def everywhere(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from; stands anywhere.")] = False,
) -> None:
    """Carry the option that every command takes; ``main`` looks for it."""


@cli.command()
def day(
    day: Annotated[str, typer.Option(help="Do as if it were this date (2026-11-20); today unless told.")] = "",
    only: Annotated[str, typer.Option(help="Systems, joined by commas; all unless told.")] = "",
    as_json: AsJson = False,
) -> None:
    """Do what is due in every scheduled system; an empty store is first filled and trained."""
    from shared.connect import open_platform
    from shared.runs import parse_day

    platform = open_platform()
    parse_day(day, platform.world)  # a wrong date is wrong use, not a failed system
    chosen = only.split(",") if only else [name for name in systems() if "daily" in timetable().get(name, {})]
    services = {name: service(name) for name in chosen}
    for name, one in services.items():
        if "daily" not in one.stages:
            raise UsageError(f"{name} has no daily; it has: {', '.join(one.stages)}")
    with kept_from_output(as_json):
        rows = [_day_of(platform, name, one, day) for name, one in services.items()]
    if as_json:
        terminal.say_json({"systems": rows})
    else:
        world = "simulated world" if platform.world == "demo" else f"{platform.world} world"
        terminal.say_table(f"{day or 'today'}, {world}", rows, _DAY_COLUMNS)
        for row in (row for row in rows if row["note"]):
            say = terminal.say_error if row["status"] == "failed" else terminal.say
            say(f"{row['system']}: {row['note']}")
        terminal.screen.print("\nSee them: almanac open      Look inside: almanac status, almanac table")
    if any(row["status"] == "failed" for row in rows):
        raise typer.Exit(1)


@cli.command()
def status(
    deployed: Annotated[bool, typer.Option("--deployed", help="What runs beside what the repository says.")] = False,
    env: Annotated[
        str, typer.Option(help="With --deployed: a table \\[deploy.ENV] of modal.toml; prod unless told.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show the last runs, freshness, champions with their skill, cost this month, and what is due."""
    from functions._status import champions, last_runs, systems_now
    from shared.connect import open_platform

    if env and not deployed:
        raise UsageError("--env says of which deployment: it goes with --deployed")
    if deployed:
        deploying.deployed(env, as_json)
        return
    platform = open_platform()
    found = {"systems": systems_now(platform), "runs": last_runs(platform), "champions": champions(platform)}
    if as_json:
        terminal.say_json(found)
        return
    if not found["runs"]:
        raise NotYetError("nothing has run yet; start with `almanac day`")
    told = [(row, row.pop("error"), row.pop("refused")) for row in found["runs"]]
    errors = [f"{row['system']} {row['stage']}: {error}" for row, error, _ in told if error]
    errors += [f"{row['system']} {row['stage']}, refused since: {refused}" for row, _, refused in told if refused]
    for title, rows in found.items():
        terminal.say_table(title.capitalize(), rows)
        terminal.screen.print()
    for sentence in errors:
        terminal.say(sentence)


@cli.command()
def table(  # noqa: PLR0913 - options of one command
    name: Annotated[str, typer.Argument(help="The table's name; without one, all tables.")] = "",
    since: Annotated[str, typer.Option(help="First date of the event time.")] = "",
    until: Annotated[str, typer.Option(help="Last date of the event time.")] = "",
    as_of: Annotated[str, typer.Option(help="A store version, or a time: the rows as they stood then.")] = "",
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read any table: the newest 20 rows for people, all of them with --csv or --json."""
    from functions._status import describe, read_table
    from shared.connect import open_platform

    if csv and as_json:
        raise UsageError("--csv and --json are two ways to print; choose one")
    platform = open_platform()
    if not name:
        described = describe(platform)
        terminal.say_json({"tables": described}) if as_json else terminal.say_table("Tables", described)
        return
    rows = read_table(platform, name, since=since, until=until, as_of=as_of)
    if csv:
        print(rows.to_csv(index=False), end="")
        return
    records = [{str(column): value for column, value in row.items()} for row in rows.to_dict("records")]
    if as_json:
        terminal.say_json({"table": name, "rows": records})
    else:
        simulated = ", simulated" if platform.world == "demo" else ""
        known = terminal.counted(len(rows), "row")
        newest = known if len(rows) <= SHOWN else f"newest {SHOWN} of {known}"
        terminal.say_table(f"{name}: {newest}{simulated}", records[-SHOWN:])


@cli.command()
def explain(
    prediction: Annotated[str, typer.Argument(help="Its key, such as 2026-11-20-1.")], as_json: AsJson = False
) -> None:
    """Trace a prediction back to its model, features, run and code, and make it again."""
    from functions._status import explained
    from shared.connect import open_platform

    found = explained(open_platform(), systems(), prediction)
    if as_json:
        terminal.say_json(found)
        return
    for title, facts in found.items():
        terminal.say_table(title.capitalize(), [{"": key, " ": value} for key, value in facts.items()])
        terminal.screen.print()


@cli.command()
def publish(
    everything: Annotated[
        bool, typer.Option("--everything", help="All tables and versions: to go on there with ALMANAC_PLATFORM=hub.")
    ] = False,
) -> None:
    """Bring what pages show from this store to Hugging Face (ALMANAC_HUB), as each daily does at its end."""
    from shared.connect import open_platform

    platform = open_platform()
    if not platform.publisher.configured:
        raise UsageError("publish takes another platform's store to the hub: set ALMANAC_HUB=OWNER/PREFIX and HF_TOKEN")
    homes = [import_module(f"shared.systems.{name}.tables") for name in systems()]
    shown = dict.fromkeys(table for home in homes for table in home.SHOWN)
    tables = platform.features.tables() if everything else [*shown]
    models = [model for home in homes for model in home.MODELS]
    with terminal.working("publishing"):
        said = platform.publisher.publish(tables, models, every_version=everything)
    terminal.say(said)


@cli.command("open")
def open_space(
    space: Annotated[
        str, typer.Argument(help="A folder of spaces/; all pages under one roof unless told.")
    ] = "almanac",
    port: Annotated[int, typer.Option(help="Port on localhost.")] = 7860,
) -> None:
    """Serve a page, or all of them, on localhost until interrupted."""
    found = sorted(path.parent.name for path in (ROOT / "spaces").glob("*/app.py"))
    if space not in found:
        raise UsageError(f"there is no page {space!r}; there are: {', '.join(found)}")
    bound(port).close()
    terminal.screen.print(f"http://127.0.0.1:{port} (stop with Ctrl-C)")
    app = ROOT / "spaces" / space / "app.py"
    command = [sys.executable, "-P", str(app)]  # -P: a folder called spaces must not be on the path
    settings = {**os.environ, "GRADIO_SERVER_PORT": str(port)}  # noqa: TID251 - handed on, not read
    raise typer.Exit(min(1, abs(subprocess.run(command, env=settings, check=False).returncode)))


cli.command()(deploying.deploy)
cli.command()(deploying.destroy)


def main(words: list[str] | None = None) -> None:
    """Run the command line; exit with 0 when done, 1 when a stage failed, 2 on wrong use."""
    given = sys.argv[1:] if words is None else words
    debug = "--debug" in given
    try:
        sys.exit(_run([word for word in given if word != "--debug"]))
    except (UsageError, _WRONG_WORDS) as failure:
        sentence = getattr(failure, "format_message", failure.__str__)().rstrip(".")
        if sentence:  # empty when the help text was printed instead
            stop = "" if sentence.endswith("?") else "."
            _say_failure(f"{sentence}{stop} `almanac --help` shows how", given)
        sys.exit(2)
    except BrokenPipeError:  # whoever reads our output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except Exception as failure:  # noqa: BLE001 - the last one to see it
        if debug:
            sys.stderr.write(hidden("".join(traceback.format_exception(failure))))
            sys.exit(1)
        known = isinstance(failure, AlmanacError)
        _say_failure(str(failure) if known else f"{type(failure).__name__}: {failure} (--debug shows where)", given)
        sys.exit(1)


def _say_failure(sentence: str, words: list[str]) -> None:
    terminal.say_error(sentence)
    if "--json" in words:
        terminal.say_json({"error": sentence})


def _run(words: list[str]) -> int:
    cli.add_typer(run_command(words), name="run")
    ended = cli(args=words, standalone_mode=False)
    return ended if isinstance(ended, int) else 0


def _day_of(platform: Platform, name: str, one: Service, until: str) -> dict[str, object]:
    """Do what is due in one system; a failure is a row too, so that the other systems go on."""
    clock = time.monotonic()
    try:
        with progress(name):
            _prepare(platform, name, one, until)
            report = one.stages["daily"](until=until)
    except Exception as failure:  # noqa: BLE001 - of any kind: the other systems still have their day
        said = str(failure) if isinstance(failure, AlmanacError) else f"{type(failure).__name__}: {failure}"
        return {"system": name, "status": "failed", "seconds": time.monotonic() - clock, "note": said}
    figure = report["headline"]
    return {
        **{"system": name, "status": "done", "rows": report["rows"], "figure": figure},
        **{"value": report["metrics"].get(figure), "baseline": report["baselines"].get(figure)},
        **{"model": report["model"], "seconds": time.monotonic() - clock, "note": report["note"]},
    }


def _prepare(platform: Platform, name: str, one: Service, until: str) -> None:
    """Fill and train a system that never was, as of the first date that is due."""
    with platform.features.lock(f"{name}.prepare", wait_s=600):
        one.prepare(platform, until)


_DAY_COLUMNS = ("system", "status", "rows", "figure", "value", "baseline", "model", "seconds")

if __name__ == "__main__":
    main()
