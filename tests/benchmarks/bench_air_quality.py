"""Air quality's measured claims: a day of ten, a hundred and a thousand stations; backtests of real cities.

    python tests/benchmarks/bench_air_quality.py [--stations 10,100,1000] [--check]

Every store is made anew in the demo world. Cities are a person's files, in the folder that ALMANAC_TEST_DATA names.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CITIES = {  # history, weather, country
    "Stockholm, Hornsgatan": ("aq_stockholm_hornsgatan", "weather_stockholm_sodermalm_w", "SE"),
    "Stockholm, Bellmansgatan": ("aq_stockholm_bellmansgatan", "weather_stockholm_sodermalm_e", "SE"),
    "Madrid, Escuelas Aguirre": ("aq_madrid_escuelas_aguirre", "weather_madrid", "ES"),
    "Barcelona, València 95": ("aq_barcelona_valencia95", "weather_barcelona", "ES"),
    "Helsingborg, Drottninggatan": ("aq_helsingborg_drottninggatan", "weather_helsingborg", "SE"),
}
RIVALS = ("persistence", "damped", "climatology", "recursive", "ridge")
FIRST, DAY, HISTORY = "2026-11-01", "2026-11-02", "100"


def main() -> int:
    """Print the figures asked for; return 1 when one misses its bar and --check was given."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--stations", default="10,100,1000")
    asked.add_argument("--check", action="store_true")
    told = asked.parse_args()
    missed = fan([int(count) for count in told.stations.split(",") if count]) + cities()
    print("\n".join(f"missed: {one}" for one in missed) or "every bar is held")
    return int(bool(missed) and told.check)


def fan(counts: list[int]) -> list[str]:
    """Print what a day costs by number of stations; return the bars that are missed."""
    print(f"{'stations':>8} {'backfill':>9} {'train':>7} {'day':>7} {'a station':>10} {'memory':>9}")
    missed, each = [], {}
    for count in counts:
        with tempfile.TemporaryDirectory() as home:
            places(Path(home) / "stations.csv", count)
            run(home, "add", "--source", str(Path(home) / "stations.csv"), "--day", FIRST)
            filled, _ = run(home, "backfill", "--days", HISTORY, "--day", FIRST)
            trained, _ = run(home, "train", "--day", FIRST)
            run(home, "daily", "--day", FIRST)  # the first of new stations looks back three months
            took, memory = run(home, "daily", "--day", DAY)
        each[count] = took
        costs = f"{filled:>7.1f} s {trained:>5.1f} s {took:>5.1f} s {1e3 * took / count:>7.0f} ms"
        print(f"{count:>8} {costs} {memory:>5.2f} GiB")
        missed += [f"{count} stations take {took:.0f} s a day, more than 120"] * (took > 120)
        missed += [f"{count} stations take {memory:.2f} GiB, more than 2"] * (memory > 2)
    ordered = sorted(each)
    if len(ordered) > 1 and each[ordered[-1]] / each[ordered[-2]] > 1.2 * ordered[-1] / ordered[-2]:
        missed.append("the cost of a day grows faster than the number of stations")
    return missed


def cities() -> list[str]:
    """Print each city's backtest at every lead, as RMSE over the best baseline's; return the bars that are missed."""
    folder = os.environ.get("ALMANAC_TEST_DATA")
    if not folder:
        print("skipped: ALMANAC_TEST_DATA does not say where the cities' files are")
        return []
    missed = []
    for name, (history, weather, country) in CITIES.items():
        files = [f"{folder}/air/{one}.csv" for one in (history, weather)]
        with tempfile.TemporaryDirectory() as home:
            options = ["--source", files[0], "--weather", files[1], "--country", country]
            took, _, report = told(home, "backtest", *options)
        print(f"\n{name}: {took:.0f} s; {report['note']}")
        print(
            f"{'lead':>4} {'ours':>6} "
            + " ".join(f"{rival:>12}" for rival in RIVALS)
            + "  less than ridge      coverage"
        )
        for row in report["table"]:
            ratios = " ".join(f"{row['ours'] / row[rival]:>11.2f}×" for rival in RIVALS)
            print(f"{row['lead']:>4} {row['ours']:>6.2f} {ratios}  {row['less than ridge']:<20} {row['coverage']:.3f}")
            worse = [rival for rival in RIVALS if row["ours"] >= row[rival]]
            missed += [f"{name}, lead {row['lead']}: not below {rival}" for rival in worse]
            missed += [f"{name}, lead {row['lead']}: coverage {row['coverage']:.3f}"] * (
                not 0.87 <= row["coverage"] <= 0.93
            )
        missed += [f"{name} takes {took:.0f} s, more than 60"] * (took > 60)
    return missed


def places(path: Path, count: int) -> None:
    """Write stations in a grid over the Netherlands, Belgium and the Ruhr, one every ten kilometres or so."""
    side = int(count**0.5) + 1
    grid = [(50.7 + 1.8 * n / side, 4.4 + 2.2 * m / side) for n in range(side) for m in range(side)][:count]
    rows = [f"s{n},{lat:.4f},{lon:.4f},,geo:{lat:.4f};{lon:.4f}" for n, (lat, lon) in enumerate(grid)]
    path.write_text("\n".join(["station,lat,lon,country,feed", *rows]) + "\n")


def run(home: str, stage: str, *options: str) -> tuple[float, float]:
    """Run a stage in a process of its own; return its seconds and its peak memory, GiB."""
    return told(home, stage, *options)[:2]


def told(home: str, stage: str, *options: str) -> tuple[float, float, dict]:
    """Return what ``run`` does, and the report."""
    clock = time.monotonic()
    command = [sys.executable, "-c", MEASURED, "run", "air_quality", stage, *options, "--json"]
    done = subprocess.run(
        command, env={**os.environ, "ALMANAC_HOME": home}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{stage} failed: {done.stderr[-2000:]}")
    took, peak = time.monotonic() - clock, int(done.stderr.strip().splitlines()[-1]) / 2**20
    return took, peak, json.loads(done.stdout)


MEASURED = """
import resource, sys
from functions.__main__ import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""

if __name__ == "__main__":
    sys.exit(main())
