"""What the model sees: colour, measures and nine ratios, of wines with a grade and of wines not yet predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from shared.errors import NotYetError, UnsafeFileError, UsageError
from shared.steps.promotion import champion
from shared.systems.wine.sources import fingerprint as fingerprint  # the identity of a wine, for all that comes after
from shared.systems.wine.tables import COLOURS, GRADED, MEASURES, MODEL, PREDICTIONS, SAMPLES, TRACKS

if TYPE_CHECKING:
    from datetime import datetime

    from shared.ports import Platform

FEWEST_WINES = 100  # different ones, to learn from
MOST_BLANKS = 0.5  # of a measure: with more, folds may hold none, and a median fills most of the column
PKA_SO2 = 1.81  # of sulphurous acid at 20 °C: below it free SO2 is molecular, the part that preserves
# How alcohol and sugar move the density of water, to first order (g/cm³ a % vol and a g/L): the rest is extract.
DENSITY_BY = {"alcohol": -0.00125, "residual_sugar": 0.0004}
RATIOS = (
    "free_share",
    "bound_so2",
    "molecular_so2",
    "sugar_by_alcohol",
    "acids",
    "volatile_share",
    "citric_by_volatile",
    "sulphates_by_chlorides",
    "dry_density",
)
FEATURES = (*MEASURES, "white", *RATIOS)
Medians = dict[str, dict[str, float]]  # by colour and measure


def sources(platform: Platform) -> list[str]:
    """Return the sources whose wines the store holds, by name."""
    samples = platform.features.read(SAMPLES, columns=["origin", "source"])
    return sorted(samples.loc[samples["origin"] == "reference", "source"].unique())


def usual_source(platform: Platform, until: datetime) -> str:
    """Return the source that the champion learned from, else the one the store holds.

    Raises:
        UsageError: it holds several.
    """
    try:
        return str(champion(platform, MODEL, until=until).signature["source"])
    except (NotYetError, UnsafeFileError):
        held = sources(platform)
    if len(held) > 1:
        raise UsageError(f"the store holds wines of {', '.join(held)}: name one with --source")
    return held[0] if held else "uci"


def labelled(platform: Platform, until: datetime | None, source: str, *, missing_ok: bool = False) -> pd.DataFrame:
    """Return the real wines of ``source`` that a panel graded, with ``grade``, as far as known before ``until``.

    Columns of SAMPLES and ``grade``, by ``sample_id``; measures may be blank. Wines of the reserve are among them once
    they were opened and graded.

    Raises:
        NotYetError: there are none, and that is not ``missing_ok``.
    """
    samples = platform.features.read(SAMPLES, until=until)
    mine = samples[samples["origin"].isin(("reference", "reserve")) & (samples["source"] == source)]
    grades = platform.features.read(GRADED, until=until)
    panel = grades.loc[grades["grader"] == "panel", ["sample_id", "grade"]]
    known = mine.merge(panel, on="sample_id", validate="one_to_one")
    if known.empty and not missing_ok:
        there = f", only of {', '.join(others)}" if (others := sources(platform)) else ""
        raise NotYetError(f"there are no graded wines of {source!r}{there}; run `almanac run wine backfill`")
    return known.sort_values("sample_id", ignore_index=True)


def unpredicted(platform: Platform, until: datetime, as_of: int | None = None) -> pd.DataFrame:
    """Return wines that came on a day before ``until`` with no prediction, or with one made from other measures."""
    samples = platform.features.read(SAMPLES, until=until, as_of=as_of)
    fresh = samples[samples["origin"].isin(TRACKS)]
    fresh = fresh.assign(input_hash=fingerprint(fresh))
    made = platform.features.read(PREDICTIONS, columns=["sample_id", "input_hash"], until=until)
    done = pd.MultiIndex.from_frame(made)
    return fresh[~pd.MultiIndex.from_frame(fresh[["sample_id", "input_hash"]]).isin(done)]


def must_suffice(rows: pd.DataFrame) -> None:
    """Refuse too little to learn from.

    Raises:
        NotYetError: there are too few different wines or grades, or most have no value of a measure.
    """
    different = len({*fingerprint(rows)})
    if different < FEWEST_WINES or rows["grade"].nunique() < 2:
        what = f"{different} different wines with {rows['grade'].nunique()} different grades"
        raise NotYetError(f"there are {what}; {FEWEST_WINES} and 2 are needed: backfill more")
    if len(rarely := [name for name in MEASURES if rows[name].isna().mean() > MOST_BLANKS]):
        raise NotYetError(f"most wines have no value of {', '.join(rarely)}; backfill wines that have")


def medians(samples: pd.DataFrame) -> Medians:
    """Return the median of each measure by colour, over both where a colour has none: what fills a blank.

    Learn it from the rows that a model learns from, never from those it is judged on.
    """
    overall = samples[[*MEASURES]].median()
    of_colour = {colour: samples.loc[samples["colour"] == colour, [*MEASURES]].median() for colour in COLOURS}
    return {colour: dict(zip(MEASURES, found.fillna(overall), strict=True)) for colour, found in of_colour.items()}


def ranges(rows: pd.DataFrame) -> dict[str, dict[str, list[float]]]:
    """Return by colour and measure the smallest value that the model learned from, the quartiles, and the largest.

    Only of colours that there are; over both where a colour has no value.
    """
    shares, found = [0, 0.25, 0.5, 0.75, 1], {}
    overall = rows[[*MEASURES]].quantile(shares)
    for colour in sorted({*rows["colour"]}):
        known = rows.loc[rows["colour"] == colour, [*MEASURES]].quantile(shares).fillna(overall)
        found[colour] = {name: known[name].tolist() for name in MEASURES}
    return found


def inputs(samples: pd.DataFrame, blanks: Medians) -> pd.DataFrame:
    """Return float32 ``[samples, 21]``: the measures with blanks filled, 1 for white, and nine ratios of them."""
    known = filled(samples, blanks)
    free, total, ph = known["free_sulfur_dioxide"], known["total_sulfur_dioxide"], known["ph"]
    ratios = pd.DataFrame(
        {
            "free_share": _by(free, total),
            "bound_so2": total - free,
            "molecular_so2": free / (1 + 10 ** (ph - PKA_SO2)),
            "sugar_by_alcohol": _by(known["residual_sugar"], known["alcohol"]),
            "acids": known["fixed_acidity"] + known["volatile_acidity"] + known["citric_acid"],
            "volatile_share": _by(known["volatile_acidity"], known["fixed_acidity"]),
            "citric_by_volatile": _by(known["citric_acid"], known["volatile_acidity"]),
            "sulphates_by_chlorides": _by(known["sulphates"], known["chlorides"]),
            "dry_density": known["density"] - 1 - sum(by * known[name] for name, by in DENSITY_BY.items()),
        }
    )
    white = (samples["colour"] == "white").astype("float64").rename("white")
    return pd.concat([known, white, ratios], axis=1)[[*FEATURES]].astype("float32")


def filled(samples: pd.DataFrame, blanks: Medians) -> pd.DataFrame:
    """Return the measures, blanks filled by the median of the sample's colour."""
    typical = pd.DataFrame([blanks[colour] for colour in samples["colour"]], samples.index, [*MEASURES])
    return samples[[*MEASURES]].astype("float64").fillna(typical)


def _by(one: pd.Series, other: pd.Series) -> pd.Series:
    """Return a ratio; 0 where there is nothing to divide by."""
    return (one / other.where(other > 0)).fillna(0.0)
