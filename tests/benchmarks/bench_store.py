"""The embedded store beside one Parquet file with pandas, and beside DuckDB: the same rows, in the same run.

python tests/benchmarks/bench_store.py          prints the table
python tests/benchmarks/bench_store.py --check  fails where a bound is missed

Rows: n spread over 1,000 days, 10 columns. Best of several rounds, in ms. Bounds: an upsert of one day takes at most
100 ms at 10^6 rows, and 4 x what it takes at 10^4; reading the last 30 days at most 1.5 x the fastest; joining 10^5
spine rows with 10^6 rows at most 2 x DuckDB's ASOF join; after 365 daily upserts reading all at most 2 x one file.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table as Grid

from shared.adapters.local.store import LocalStore
from shared.tables import Column, Table

DAYS, START = 1000, pd.Timestamp("2024-01-01", tz="UTC")
VALUES = [f"value_{number}" for number in range(7)]
PANEL = Table(
    "panel",
    (Column("station", "int"), Column("ts", "time"), *(Column(name) for name in VALUES), Column("note", "text")),
    key=("station", "ts"),
    event_time="ts",
)


def panel(stations: int, first: int, days: int, seed: int = 0) -> pd.DataFrame:
    """Return ``stations`` rows a day for ``days`` days from day ``first``."""
    rng, count = np.random.default_rng(seed), stations * days
    day = np.repeat(np.arange(first, first + days), stations)
    rows = pd.DataFrame({"station": np.tile(np.arange(stations), days), "ts": START + pd.to_timedelta(day, unit="D")})
    notes = np.array(["a", "bb", "ccc"], dtype=object)[rng.integers(0, 3, count)]
    return rows.assign(**{name: rng.normal(size=count) for name in VALUES}, note=notes)


def best_ms(*tasks, rounds: int = 7) -> list[float]:
    """Return each task's best time in ms; the tasks take turns, so that a busy moment hits all of them."""
    found = [float("inf")] * len(tasks)
    for _ in range(rounds):
        for place, task in enumerate(tasks):
            began = time.perf_counter()
            task()
            found[place] = min(found[place], (time.perf_counter() - began) * 1000)
    return found


def opened(folder: Path) -> LocalStore:
    return LocalStore(folder, now=lambda: datetime.now(UTC))


def file_upsert(path: Path, rows: pd.DataFrame) -> None:
    """What people do with pandas and one Parquet file."""
    held = pd.concat([pd.read_parquet(path), rows]).drop_duplicates(["station", "ts"], keep="last")
    held.to_parquet(path, index=False)


def duck(path: Path, rows: pd.DataFrame) -> duckdb.DuckDBPyConnection:
    base = duckdb.connect(str(path))
    base.execute("set threads = 2; set asof_loop_join_threshold = 0")  # its ASOF join is quadratic without
    base.register("rows", rows)
    base.execute("create table panel as select * from rows; alter table panel add primary key (station, ts)")
    return base


def measure(count: int, folder: Path) -> list[dict[str, object]]:
    """Return a row a task for a panel of ``count`` rows."""
    stations = count // DAYS
    store, path, rows = opened(folder / "store"), folder / "one.parquet", panel(stations, 0, DAYS)
    store.write(PANEL, rows)
    rows.to_parquet(path, index=False)
    base = duck(folder / "duck.db", rows)
    days = iter(panel(stations, DAYS - 1, 1, seed) for seed in range(1, 100))
    since = START + pd.Timedelta(days=DAYS - 30)
    rng = np.random.default_rng(1)
    moments = START + pd.to_timedelta(rng.integers(0, DAYS * 86_400, 100_000), unit="s")
    spine = pd.DataFrame({"station": rng.integers(0, stations, 100_000), "at_time": moments})
    base.register("spine", spine)
    asof = (
        "select s.*, p.* exclude (station, ts) from spine s "
        "asof left join panel p on s.station = p.station and at_time >= ts"
    )

    def duck_upsert() -> None:
        base.register("day", next(days))
        base.execute("insert or replace into panel select * from day")

    def one_file_join() -> None:
        right = pd.read_parquet(path).sort_values("ts")
        pd.merge_asof(spine.sort_values("at_time"), right, left_on="at_time", right_on="ts", by="station")

    recent = f"select * from panel where ts >= timestamptz '{since}'"
    tasks = {
        "upsert of one day": (
            lambda: store.write(PANEL, next(days)),
            lambda: file_upsert(path, next(days)),
            duck_upsert,
        ),
        "read the last 30 days": (
            lambda: store.read(PANEL, since=since),
            lambda: pd.read_parquet(path, filters=[("ts", ">=", since)]),
            lambda: base.execute(recent).df(),
        ),
        "read all": (
            lambda: store.read(PANEL),
            lambda: pd.read_parquet(path),
            lambda: base.execute("select * from panel").df(),
        ),
        "join 10^5 rows, point in time": (
            lambda: store.join(spine, [PANEL], time="at_time"),
            one_file_join,
            lambda: base.execute(asof).df(),
        ),
    }
    return [{"rows": count, "task": name, "ms": best_ms(*three)} for name, three in tasks.items()]


def year_of_upserts(folder: Path, stations: int) -> dict[str, object]:
    """Return the time to read a table made by 365 daily upserts, beside the same rows in one file."""
    store = opened(folder / f"year{stations}")
    for day in range(365):
        store.write(PANEL, panel(stations, day, 1, seed=day))
    path = folder / "year.parquet"
    store.read(PANEL).to_parquet(path, index=False)
    times = best_ms(lambda: store.read(PANEL), lambda: pd.read_parquet(path))
    return {"rows": 365 * stations, "task": "read all after 365 daily upserts", "ms": [*times, float("nan")]}


def missed(results: list[dict[str, object]]) -> list[str]:
    """Return the bounds that do not hold."""
    upsert = {result["rows"]: result["ms"][0] for result in results if result["task"] == "upsert of one day"}
    growth = upsert[10**6] / upsert[10**4]
    found = [f"upsert grows {growth:.1f} x from 10^4 to 10^6 rows > 4"] if growth > 4 else []
    for result in results:
        ours, one_file, duckdbs = result["ms"]
        match result["task"], result["rows"]:
            case "upsert of one day", 1_000_000 if ours > 100:
                found.append(f"upsert at 10^6 rows: {ours:.0f} ms > 100 ms")
            case "read the last 30 days", count if ours > 1.5 * min(one_file, duckdbs):
                found.append(
                    f"read of 30 days at {count} rows: {ours / min(one_file, duckdbs):.2f} x the fastest > 1.5"
                )
            case "join 10^5 rows, point in time", 1_000_000 if ours > 2 * duckdbs:
                found.append(f"join at 10^6 rows: {ours / duckdbs:.2f} x DuckDB > 2")
            case "read all after 365 daily upserts", count if ours > 2 * one_file:
                found.append(f"read after a year at {count} rows: {ours / one_file:.2f} x one file > 2")
    return found


def main() -> None:
    warnings.simplefilter("ignore")  # DuckDB's .df() warns about pandas
    with tempfile.TemporaryDirectory() as name:
        folders = {count: Path(name) / str(count) for count in (10**4, 10**5, 10**6)}
        for folder in folders.values():
            folder.mkdir()
        results = [row for count, folder in folders.items() for row in measure(count, folder)]
        results += [year_of_upserts(Path(name), stations) for stations in (1, 100, 1000)]
    grid = Grid("rows", "task", "Almanac ms", "pandas + one file ms", "DuckDB ms", "to the faster", box=None)
    for row in results:
        ours, one_file, duckdbs = row["ms"]
        faster = np.nanmin([one_file, duckdbs])
        grid.add_row(f"{row['rows']:,}", str(row["task"]), *(f"{ms:.1f}" for ms in row["ms"]), f"{ours / faster:.2f} x")
    Console(width=120).print(grid)
    for sentence in missed(results):
        print("MISSED", sentence)
    if "--check" in sys.argv and missed(results):
        sys.exit(1)


if __name__ == "__main__":
    main()
