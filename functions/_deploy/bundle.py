"""What a Space consists of, and a folder of it that runs alone: its three files, the modules of ``shared`` it reaches.

    spaces/<space>/{app.py, requirements.txt, README.md} ──┐
    shared/**, as far as imports lead, in functions too ───┼──► written beside ──► renamed to the target
    for almanac: every other page, as pages/<space>/app.py ┘

Only these files are taken, whatever else lies about. Here: python spaces/bundle.py iris build/spaces/iris
"""

from __future__ import annotations

import argparse
import ast
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from functions._timetable import ROOT
from shared.errors import AlmanacError, UsageError

FILES = ("app.py", "requirements.txt", "README.md")
ROOF = "almanac"
MARK = ".bundle.json"  # lists what a bundle consists of, so that a later one may replace it
# What connect reaches and no Space uses: it may open the ports 80, 443 and 8080 alone, trains nothing, deploys nothing.
NEVER = (Path("shared/adapters/hopsworks"), Path("shared/adapters/mlflow.py"), Path("shared/adapters/hub/spaces.py"))


def bundle(space: str, target: Path) -> list[Path]:
    """Write the bundle of ``space`` to ``target``; return its files, relative to the target.

    Raises:
        UsageError: there is no such Space, or the target holds something that no earlier bundle wrote.
    """
    sources = contents(space)
    _must_be_ours(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as beside:
        fresh, old = Path(beside) / "new", Path(beside) / "old"
        for path, source in sources.items():
            (fresh / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, fresh / path)
        (fresh / MARK).write_text(json.dumps({"space": space, "files": sorted(map(str, sources))}, indent=1))
        if target.exists():
            target.rename(old)
        fresh.rename(target)
    return sorted(sources)


def spaces() -> list[str]:
    """Return the Spaces there are, by name; the roof is one of them."""
    return sorted(path.parent.name for path in (ROOT / "spaces").glob("*/app.py"))


def contents(space: str) -> dict[Path, Path]:
    """Return what the bundle of ``space`` consists of: path in the bundle -> file in the repository.

    Raises:
        UsageError: there is no such Space, or one of its three files is missing.
    """
    known = spaces()
    if space not in known:
        raise UsageError(f"there is no Space {space!r}; there are: {', '.join(known)}")
    own = {Path(name): ROOT / "spaces" / space / name for name in FILES}
    missing = [str(source.relative_to(ROOT)) for source in own.values() if not source.is_file()]
    if missing:
        raise UsageError(f"a Space needs {', '.join(FILES)}; write {', '.join(missing)}")
    others = [name for name in known if name != ROOF] if space == ROOF else []
    pages = {Path("pages", name, "app.py"): ROOT / "spaces" / name / "app.py" for name in others}
    reached = closure([own[Path("app.py")], *pages.values()])
    return own | pages | {path: ROOT / path for path in reached}


def closure(entries: Iterable[Path]) -> list[Path]:
    """Return the files of ``shared`` that the entries import, directly or not, relative to the repository."""
    seen: set[Path] = set()
    asked: set[str] = set()
    queue = list(entries)
    while queue:
        names = _imported(queue.pop().read_text(encoding="utf-8")) - asked
        found = {path for name in names for path in _files(name)} - seen
        asked, seen = asked | names, seen | found
        queue += [ROOT / path for path in found]
    return sorted(seen)


@cache  # every Space reaches most of the same files
def _imported(source: str) -> frozenset[str]:
    """Return the dotted names in ``shared`` that a source imports, at any depth; some are of things in a module."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
    return frozenset(name for name in names if name.split(".")[0] == "shared")


def _files(name: str) -> set[Path]:
    """Return the module of that name and the ``__init__.py`` of every package on the way to it."""
    parts = name.split(".")
    found = {Path(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)}
    found.add(Path(*parts).with_suffix(".py"))
    return {path for path in found if (ROOT / path).is_file() and not {path, *path.parents} & {*NEVER}}


def _must_be_ours(target: Path) -> None:
    mark = target / MARK
    ours = {*json.loads(mark.read_text(encoding="utf-8"))["files"], MARK} if mark.is_file() else set()
    there = [target] if target.is_file() else [path for path in target.rglob("*") if path.is_file()]
    kept = [
        path for path in there if "__pycache__" not in path.parts and path.relative_to(target).as_posix() not in ours
    ]
    if kept:
        raise UsageError(f"{kept[0]} was not written by a bundle and would be lost; move it or name another folder")


def main() -> int:
    """Read the command line; return 0, or 2 with one sentence."""
    parser = argparse.ArgumentParser(description="Make a folder of a Space that runs alone.")
    parser.add_argument("space", help="a folder of spaces/, such as iris")
    parser.add_argument("target", type=Path, help="the folder to write, such as build/spaces/iris")
    given = parser.parse_args()
    try:
        written = bundle(given.space, given.target)
    except AlmanacError as failure:
        sys.stderr.write(f"bundle: {failure}\n")
        return 2
    sys.stdout.write("".join(f"{given.target / path}\n" for path in written))
    return 0
