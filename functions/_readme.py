"""The README's generated tables: systems, schedules and stages from functions/ and modal.toml, tables from shared/.

python -m functions._readme          writes them
python -m functions._readme --check  fails where the README says something else
"""

from __future__ import annotations

import ast
import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from functions._stages import systems_of_pages
from functions._timetable import ROOT, timetable

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.tables import Column, Table


def systems() -> str:
    """Return a row a system: what it does, when it runs, its stages and pages."""
    rows = ["| system | what it does | runs | stages | pages |", "|---|---|---|---|---|"]
    for path in sorted((ROOT / "functions").glob("[a-z]*.py")):
        tree = ast.parse(path.read_text())
        about = (ast.get_docstring(tree) or "").splitlines()[0].split(": ", 1)[1]
        stages = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and _is_stage(node)]
        pages = [page for page, system in systems_of_pages().items() if system == path.stem]
        runs = [_when(settings) for settings in timetable().get(path.stem, {}).values() if "cron" in settings]
        rows.append(f"| **{path.stem}** | {about} | {', '.join(runs)} | {', '.join(stages)} | {', '.join(pages)} |")
    return "\n".join(rows)


def tables() -> str:
    """Return a row a table: its key, time, columns with units, and what it holds."""
    from shared.runs import RUNS
    from shared.steps.promotion import PROMOTIONS

    homes = sorted((ROOT / "shared" / "systems").glob("[a-z]*/tables.py"))
    found = [RUNS, PROMOTIONS]
    found += [table for home in homes for table in import_module(f"shared.systems.{home.parent.name}.tables").TABLES]
    return "\n".join(["| table | key | columns | holds |", "|---|---|---|---|", *map(_table_row, found)])


SECTIONS: dict[str, Callable[[], str]] = {"systems": systems, "tables": tables}


def rendered(text: str) -> str:
    """Return the README's text with every generated section made anew."""
    for name, make in SECTIONS.items():
        section = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        made = make().replace("\\", r"\\")
        text = section.sub(rf"\1{made}\n\2", text)
    return text


def _is_stage(function: ast.FunctionDef) -> bool:
    """Return whether `almanac run` knows a function of a service file: workers and endpoints it does not."""
    called = [one.func for one in function.decorator_list if isinstance(one, ast.Call)]
    return any(isinstance(one, ast.Attribute) and one.attr in ("stage", "served") for one in called)


def _when(settings: dict[str, str]) -> str:
    minute, hour, *rest = settings["cron"].split()
    daily = rest == ["*", "*", "*"] and (minute + hour).isdigit()
    when = f"daily {int(hour):02d}:{int(minute):02d}" if daily else f"cron `{settings['cron']}`"
    return f"{when} {settings.get('timezone', 'UTC')}"


def _table_row(table: Table) -> str:
    columns = ", ".join(_column(column) for column in table.columns)
    return f"| `{table.name}` | {', '.join(table.key)} | {columns} | {table.about} |"


def _column(column: Column) -> str:
    return f"{column.name} [{column.unit}]" if column.unit else column.name


def main() -> None:
    """Write or check the README."""
    path = ROOT / "README.md"
    written, made = path.read_text(), rendered(path.read_text())
    if "--check" in sys.argv:
        sys.exit(0 if written == made else "README.md: its generated tables are out of date; run `make docs`")
    path.write_text(made)


if __name__ == "__main__":
    main()
