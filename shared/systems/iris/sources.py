"""Where flowers come from: 150 reference flowers (or a person's CSV), and one synthetic flower a day.

    backfill: reference ──► iris_flowers, iris_labels
    fetch:    draw(day) ──► iris_flowers         identify, a day later ──► iris_labels

A synthetic flower depends on its id (``2026-11-20-1``) and on the reference flowers alone: the same date gives the same
flower on any machine.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from shared.errors import NotYetError, SourceError, UsageError
from shared.runs import Report, midnight
from shared.steps.files import name_of, pick, prefix_of, read_table
from shared.steps.synthetic import ClassCopula
from shared.systems.iris.tables import FLOWERS, LABELS, MEASURES, VARIETIES

if TYPE_CHECKING:
    from shared.ports import Platform
    from shared.runs import Run

FISHER = midnight(date(1936, 1, 1))  # R. A. Fisher, The use of multiple measurements in taxonomic problems, 1936
MOST_A_DAY = 10_000
PETALS = ("petal_length", "petal_width")


def backfill(platform: Platform, source: str = "") -> Report:
    """Store the reference flowers and their labels; return how many rows were new."""
    flowers, labels = reference(platform, source)
    fit, refused = FLOWERS.check(flowers)
    known = labels[labels["flower_id"].isin(fit["flower_id"])]  # a flower that is refused gets no label either
    written = [platform.features.write(table, rows) for table, rows in ((FLOWERS, flowers), (LABELS, known))]
    note = f"{len(refused)} rows refused: see `almanac table {FLOWERS.quarantine.name}`" if len(refused) else ""
    return Report(rows=sum(one.rows for one in written), metrics={"flowers": len(fit)}, headline="flowers", note=note)


def fetch(platform: Platform, run: Run, count: int = 1, drift_cm: float = 0.0) -> int:
    """Store the run's date's flowers, and the labels that became known by then; return how many rows changed."""
    flowers = platform.features.write(FLOWERS, draw(fit_copula(platform), run.day, count, drift_cm)).rows
    return flowers + platform.features.write(LABELS, identify(unlabelled(platform, run.until))).rows


def reference(platform: Platform, source: str = "") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (flowers, labels) of ``source``, a CSV file or address, or of Fisher's 150 flowers.

    Raises:
        SourceError: a column is missing, a value is no number, or a variety is none of the three.
    """
    rows = pick(read_table(source, platform.web), _NAMES, source) if source else platform.corpora.read("iris")
    where, prefix = (name_of(source), prefix_of(source)) if source else ("iris", "fisher")
    flowers = pd.DataFrame({name: _numbers(rows[name], name, where) for name in MEASURES})
    flowers["flower_id"] = [f"{prefix}-{number:04d}" for number in range(1, len(rows) + 1)]
    varieties = rows["variety"].astype(str).str.strip().str.lower().str.removeprefix("iris-").to_numpy()
    labels = pd.DataFrame({"flower_id": flowers["flower_id"], "labelled_at": FISHER, "variety": varieties})
    unknown = sorted({*varieties} - {*VARIETIES})
    if unknown:
        raise SourceError(f"{where}: {unknown[:3]} is none of {', '.join(VARIETIES)}; correct the variety column")
    return flowers.assign(picked_at=FISHER, origin="reference")[FLOWERS.names], labels[LABELS.names]


def must_be_a_day(count: int, drift_cm: float) -> None:
    """Refuse what no day may bring.

    Raises:
        UsageError: the count or the drift is out of bounds.
    """
    if not 1 <= count <= MOST_A_DAY or not abs(drift_cm) <= 10:
        raise UsageError(
            f"a day brings 1 to {MOST_A_DAY} flowers, drifted by at most 10 cm; got {count}, {drift_cm} cm"
        )


def draw(copula: ClassCopula, day: date, count: int = 1, drift_cm: float = 0.0) -> pd.DataFrame:
    """Return the ``count`` flowers of ``day``, measured to 0.1 cm; ``drift_cm`` is added to both petal measures.

    Raises:
        UsageError: the count or the drift is out of bounds.
    """
    must_be_a_day(count, drift_cm)
    drawn = [_flower(copula, f"{day.isoformat()}-{number}") for number in range(1, count + 1)]
    flowers = pd.DataFrame(drawn).assign(picked_at=midnight(day), origin="synthetic")
    flowers[[*PETALS]] = (flowers[[*PETALS]] + drift_cm).clip(lower=0.1).round(1)
    return flowers[FLOWERS.names]


def identify(flowers: pd.DataFrame) -> pd.DataFrame:
    """Return the labels of synthetic flowers: what the botanist says, one day after they were picked."""
    varieties = [_seeded(flower_id)[0] for flower_id in flowers["flower_id"]]
    known_at = flowers["picked_at"] + timedelta(days=1)
    return pd.DataFrame({"flower_id": flowers["flower_id"], "labelled_at": known_at, "variety": varieties})


def fit_copula(platform: Platform) -> ClassCopula:
    """Return per-variety copulas of the reference flowers.

    Raises:
        NotYetError: there are none yet.
    """
    flowers = platform.features.read(FLOWERS)
    known = flowers[flowers["origin"] == "reference"].merge(platform.features.read(LABELS), on="flower_id")
    if known.empty:
        raise NotYetError("there are no reference flowers to learn from; run `almanac run iris backfill`")
    return ClassCopula.fit(known.sort_values("flower_id"), by="variety", columns=MEASURES)


def unlabelled(platform: Platform, until: datetime) -> pd.DataFrame:
    """Return synthetic flowers picked at least a day before ``until`` whose label is not in the table."""
    picked = platform.features.read(FLOWERS, until=until - timedelta(days=1))
    known = platform.features.read(LABELS, columns=["flower_id"])["flower_id"]
    return picked[(picked["origin"] == "synthetic") & ~picked["flower_id"].isin(known)]


_NAMES = {
    **{name: (name, f"{name}_cm") for name in MEASURES},
    "variety": ("variety", "species", "class", "target", "label"),
}


def _numbers(values: pd.Series, name: str, where: str) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    bad = numbers.isna() | ~np.isfinite(numbers)
    if bad.any():
        row = int(np.flatnonzero(bad.to_numpy())[0])
        raise SourceError(
            f"{where}: {name} is {str(values.iloc[row])!r} in row {row + 1}; every flower needs a number in cm"
        )
    return numbers.astype(float)


def _flower(copula: ClassCopula, flower_id: str) -> dict[str, object]:
    variety, rng = _seeded(flower_id)
    measures = copula.draw(variety, rng)
    return {"flower_id": flower_id, **{name: round(max(0.1, value), 1) for name, value in measures.items()}}


def _seeded(flower_id: str) -> tuple[str, np.random.Generator]:
    """Return the variety of the flower and the generator for its measures, from nothing but its id."""
    seed = int.from_bytes(hashlib.sha256(f"iris {flower_id}".encode()).digest()[:8], "big")
    rng = np.random.default_rng(seed)
    return VARIETIES[int(rng.integers(len(VARIETIES)))], rng
