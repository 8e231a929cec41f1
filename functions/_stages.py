"""The stages of every service file as commands: `run SYSTEM STAGE`, whose options are the function's parameters."""

from __future__ import annotations

import inspect
import re
import sys
from contextlib import contextmanager, nullcontext, redirect_stdout
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from functions import _terminal as terminal
from functions._modal import Service
from functions._progress import progress
from functions._timetable import ROOT
from shared.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def systems() -> list[str]:
    """Return the names of the service files, in alphabetical order."""
    return sorted(path.stem for path in (ROOT / "functions").glob("[a-z]*.py"))


def systems_of_pages() -> dict[str, str]:
    """Return the system of each page, by the page's folder: its app says so in a line ``SYSTEM = "…"``."""
    apps = sorted((ROOT / "spaces").glob("*/app.py"))
    said = {app.parent.name: re.search(r'^SYSTEM = "(\w+)"$', app.read_text(encoding="utf-8"), re.M) for app in apps}
    return {page: system[1] for page, system in said.items() if system}


def service(system: str) -> Service:
    """Return the service called ``system``.

    Raises:
        UsageError: there is none.
    """
    if system not in systems():
        raise UsageError(f"there is no system {system!r}; there are: {', '.join(systems())}")
    found: Service = import_module(f"functions.{system}").service
    return found


def run_command(words: list[str]) -> typer.Typer:
    """Return `run SYSTEM STAGE`; only the system that the command line names is imported.

    Raises:
        UsageError: there is no such system or stage.
    """
    named = [word for word in words[1:3] if not word.startswith("-")] if words[:1] == ["run"] else []
    known = service(named[0]).stages if named else {}
    if named[1:] and named[1] not in known:
        raise UsageError(f"{named[0]} has no stage {named[1]!r}; it has: {', '.join(known)}")
    run = typer.Typer(help="Run one stage; its options are the function's parameters.", no_args_is_help=True)
    for system in systems():
        stages = typer.Typer(help=f"The stages of {system}.", no_args_is_help=True)
        if system in named:
            for name, function in service(system).stages.items():
                stages.command(name, help=_help(function))(_as_command(f"{system} {name}", function))
        else:
            stages.callback()(lambda: None)
        run.add_typer(stages, name=system)
    return run


@contextmanager
def kept_from_output(as_json: bool) -> Iterator[None]:
    """Send what libraries print to the error stream, where the output is to be one JSON object."""
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        yield


def _help(stage: Callable[..., Any]) -> str:
    """Return what its docstring says, each paragraph in one line, which the terminal breaks where it ends."""
    paragraphs = (inspect.getdoc(stage) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _as_command(name: str, stage: Callable[..., dict[str, Any]]) -> Callable[..., None]:
    """Return the stage as a command with ``--json``, which prints what the stage returns."""

    @wraps(stage)
    def command(as_json: bool = False, **options: object) -> None:
        with progress(name), kept_from_output(as_json):
            report = stage(**options)
        terminal.say_json(report) if as_json else terminal.say_report(name, report)

    shown = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=AsJson)
    signature = inspect.signature(stage, eval_str=True)
    parameters = [*map(_as_option, signature.parameters.values()), shown]
    command.__signature__ = signature.replace(parameters=parameters, return_annotation=None)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _as_option(parameter: inspect.Parameter) -> inspect.Parameter:
    """Return the parameter as an option, also where it has no default: a stage has no positional words."""
    named = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
    if parameter.default is not inspect.Parameter.empty:
        return named
    return named.replace(annotation=Annotated[parameter.annotation, typer.Option(f"--{parameter.name}")])
