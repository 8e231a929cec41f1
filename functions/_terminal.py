"""What the `almanac` command prints: tables for people, one JSON object for programs, progress while it works."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from functions._secrets import hidden

PIPE_WIDTH = 160  # columns, where the output is no terminal

screen = Console(width=None if sys.stdout and sys.stdout.isatty() else PIPE_WIDTH, emoji=False)
errors = Console(stderr=True, emoji=False)


def say_json(value: object) -> None:
    """Print one JSON object; what is not a number becomes null, as JSON has no NaN."""
    print(hidden(json.dumps(_plain(value), indent=2, ensure_ascii=False, default=str)))


def say_table(title: str, rows: Sequence[Mapping[str, object]], columns: Sequence[str] = ()) -> None:
    """Print rows as a table, numbers to the right; columns that do not fit the terminal are named below it."""
    if not rows:
        screen.print(f"{title}: nothing here" if title else "nothing here", markup=False, highlight=False)
        return
    names = list(columns or rows[0])
    cells = {name: [_cell(row.get(name)) for row in rows] for name in names}
    widths = {name: max(len(name), *map(len, cells[name]), 0) + 2 if name != names[-1] else 24 for name in names}
    shown = [name for place, name in enumerate(names) if sum(widths[n] for n in names[: place + 1]) <= screen.width]
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for name in shown:
        numeric = any(isinstance(row.get(name), (int, float)) for row in rows)
        table.add_column(name.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for place in range(len(rows)):
        table.add_row(*(_escaped(cells[name][place]) for name in shown))
    screen.print(table, highlight=False)
    if len(shown) < len(names):
        screen.print(f"Not shown for want of width: {', '.join(names[len(shown) :])}. --json has all.", style="dim")


def say_report(name: str, report: Mapping[str, Any]) -> None:
    """Print what a stage gave back: its figures beside their baselines, then the model and the note."""
    screen.print(f"[bold]{name}[/bold]: {report['rows']} rows {report['model']}".rstrip())
    if report["table"]:
        say_table("", report["table"])
    rows = [
        {"figure": figure, "value": value, "baseline": report["baselines"].get(figure)}
        for figure, value in report["metrics"].items()
    ]
    rows += [{"figure": k, "baseline": v} for k, v in report["baselines"].items() if k not in report["metrics"]]
    if rows:
        say_table("", rows, ("figure", "value", "baseline"))
    if report["note"]:
        say(report["note"])


def say(sentence: str) -> None:
    """Print a line as it is."""
    screen.print(_escaped(sentence), highlight=False, soft_wrap=True)


def say_error(sentence: str) -> None:
    """Print one sentence to the error stream."""
    errors.print(f"[bold red]almanac:[/bold red] {_escaped(sentence)}", highlight=False, soft_wrap=True)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show that something goes on, of unknown length; nothing when the output is no terminal."""
    with errors.status(what):
        yield


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Show a bar that moves with the dates that ``shared.runs`` logs; nothing when the output is no terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    bar = Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)
    handler = _OnLog(bar, what)
    log = logging.getLogger("almanac")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        with bar:
            yield
    finally:
        log.removeHandler(handler)


class _OnLog(logging.Handler):
    """Moves the bar: a record with ``due`` begins a stage, every other one is a date done; stages may be nested."""

    def __init__(self, bar: Progress, what: str) -> None:
        super().__init__()
        self._bar = bar
        self._task = bar.add_task(what, total=None)
        self._stages: list[list[int]] = []  # [dates due, dates done], the innermost last

    def emit(self, record: logging.LogRecord) -> None:
        due = getattr(record, "due", None)
        if due is not None:
            self._stages.append([due, 0])
        elif self._stages:
            self._stages[-1][1] += 1
            while len(self._stages) > 1 and self._stages[-1][1] >= self._stages[-1][0]:
                self._stages.pop()
        total, done = self._stages[-1]
        self._bar.update(self._task, total=total, completed=done, description=record.getMessage())


def _cell(value: object) -> str:
    """Return a value for people: dates without a midnight, four significant digits, tiny numbers as such."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float() if math.isnan(value):
            return "–"
        case float():
            short = f"{value:.4g}" if value == 0 or abs(value) >= 0.001 else "<0.001" if value > 0 else ">-0.001"
            return f"{short}.0" if short.lstrip("-").isdigit() else short
        case datetime():
            return (
                "–" if value != value else f"{value:%Y-%m-%d}" if value.time() == time() else f"{value:%Y-%m-%d %H:%M}"
            )
    return str(value)


def _escaped(text: str) -> str:
    """Return the text without what a terminal, or rich, would act upon."""
    return "".join(letter if letter.isprintable() else " " for letter in hidden(text)).replace("[", r"\[")


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if type(value).__name__ in ("NAType", "NaTType"):  # pandas' blanks, without importing pandas
        return None
    return value.item() if hasattr(value, "item") else value
