"""What a newcomer waits for: the first day from an empty store, the next one, and what a service file costs to import.

python tests/benchmarks/bench_start.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid

ROOT = Path(__file__).parents[2]
TIMED = "import time{}; began = time.perf_counter(); import {}; print((time.perf_counter() - began) * 1e3)"


def seconds(home: str) -> float:
    """Return how long ``almanac day`` takes on the store in ``home``."""
    began = time.perf_counter()
    words = [sys.executable, "-m", "functions", "day", "--json"]
    subprocess.run(words, cwd=ROOT, env={**os.environ, "ALMANAC_HOME": home}, check=True, capture_output=True)
    return time.perf_counter() - began


def import_ms(code: str) -> float:
    """Return the median of five fresh processes."""
    words = [sys.executable, "-c", code]
    return statistics.median(float(subprocess.check_output(words, cwd=ROOT, text=True)) for _ in range(5))


def main() -> None:
    grid = Grid("what", "ours", "beside", box=None)
    with tempfile.TemporaryDirectory() as home:
        grid.add_row(
            "almanac day, empty store: backfill, train, 31 dates", f"{seconds(home):.1f} s", "bound 60 s a system"
        )
        grid.add_row("almanac day, nothing due", f"{seconds(home):.1f} s", "")
    modal = import_ms(TIMED.format("", "modal"))
    for path in sorted((ROOT / "functions").glob("[a-z]*.py")):
        ours = import_ms(TIMED.format(", modal", f"functions.{path.stem}"))
        grid.add_row(f"import functions.{path.stem}, after modal", f"{ours:.0f} ms", f"import modal {modal:.0f} ms")
    Console(width=120).print(grid)


if __name__ == "__main__":
    main()
