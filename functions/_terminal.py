"""What the `almanac` command prints: tables for people, one JSON object for programs, asides to the error stream."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, time
from itertools import accumulate
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from functions._secrets import hidden

PIPE_WIDTH = 160  # columns, where the output is no terminal
FOLDED = 20  # letters to which words are folded before a column is left out: "no sure difference" has 18

screen = Console(width=None if sys.stdout and sys.stdout.isatty() else PIPE_WIDTH, emoji=False)
errors = Console(stderr=True, emoji=False)


def say_json(value: object) -> None:
    """Print one JSON object; what is not a number becomes null, as JSON has no NaN."""
    print(hidden(json.dumps(_plain(value), indent=2, ensure_ascii=False, default=str)))


def say_table(title: str, rows: Sequence[Mapping[str, object]], columns: Sequence[str] = ()) -> None:
    """Print rows as a table, numbers to the right; words are folded, and columns that still do not fit named below."""
    if not rows:
        screen.print(f"{title}: nothing here" if title else "nothing here", markup=False, highlight=False)
        return
    names = list(columns or rows[0])
    cells = {name: [_cell(row.get(name)) for row in rows] for name in names}
    whole = {name: max(len(name), *map(len, cells[name])) for name in names}
    needs = {name: min(whole[name], _narrowest(cells[name], name == names[-1])) for name in names}
    ends = dict(zip(names, accumulate(need + 2 for need in needs.values()), strict=True))
    shown = [name for name in names if ends[name] <= screen.width] or names[:1]
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for name in shown:
        numeric = any(isinstance(row.get(name), (int, float)) for row in rows)
        kept = needs[name] == whole[name] < screen.width  # rich would fold what is widest, be it words or not
        justify: Literal["left", "right"] = "right" if numeric else "left"
        table.add_column(name.replace("_", " "), justify=justify, overflow="fold", no_wrap=kept)
    for place in range(len(rows)):
        table.add_row(*(_escaped(cells[name][place]) for name in shown))
    screen.print(table, highlight=False)
    if len(shown) < len(names):
        screen.print(f"Not shown for want of width: {', '.join(names[len(shown) :])}. --json has all.", style="dim")


def say_report(name: str, report: Mapping[str, Any]) -> None:
    """Print what a stage gave back: its figures beside their baselines, then the model and the note."""
    screen.print(f"[bold]{name}[/bold]: {counted(report['rows'], 'row')} {report['model']}".rstrip())
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


def counted(number: int, noun: str) -> str:
    """Return how many there are.

    >>> counted(1, "row"), counted(2, "row")
    ('1 row', '2 rows')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def say(sentence: str) -> None:
    """Print a line as it is."""
    screen.print(_escaped(sentence), highlight=False, soft_wrap=True)


def say_error(sentence: str) -> None:
    """Print one sentence to the error stream."""
    errors.print(f"[bold red]almanac:[/bold red] {_escaped(sentence)}", highlight=False, soft_wrap=True)


def say_aside(words: str) -> None:
    """Print a line to the error stream, above a bar if there is one: what a program that reads us does not want."""
    errors.print(_escaped(words), highlight=False, soft_wrap=True)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show that something goes on, of unknown length; nothing when the output is no terminal."""
    with errors.status(what):
        yield


def _narrowest(cells: Sequence[str], last: bool) -> int:
    """Return to how many letters a column can be folded; the last one also within its words.

    >>> _narrowest(["no sure difference to its base", "better"], False), _narrowest(["meals:unlisted_main" * 2], False)
    (20, 38)
    """
    longest = max(len(word) for cell in cells for word in cell.split(" "))
    return max(FOLDED, 0 if last else longest)


def _cell(value: object) -> str:
    """Return a value for people: dates without a midnight, four significant digits, three of tiny numbers.

    >>> _cell(0.0002), _cell(-1.234e-7), _cell(0.12345), _cell(12.0)
    ('2e-4', '-1.23e-7', '0.1235', '12.0')
    """
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float() if math.isnan(value):
            return "–"
        case float():
            if 0 < abs(value) < 0.001:
                digits, exponent = f"{value:.2e}".split("e")
                return f"{float(digits):g}e{int(exponent)}"
            short = f"{value:.4g}"
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
