"""Where real wines come from: UCI's, or a person's files; all but one in sixteen at once, those of the reserve by day.

    source ── files ── colour, measures, grade of each row ──► wines ─┬─ 15 in 16 ──► wine_samples, wine_grades
                                                                      └─ 1 in 16 ───► wine_reserve
    open_reserve: the wine whose day it is ──► wine_samples           a day later ──► wine_grades

Which wines are kept back, and in what order they come, follows from their measures alone: the same on any machine.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from shared.errors import NotYetError, SourceError, UsageError
from shared.runs import Report, midnight
from shared.steps.files import files_of, name_of, parts_of, pick, prefix_of, read_table, word_in
from shared.systems.wine.tables import COLOURS, GRADED, MEASURES, RESERVE, SAMPLES

if TYPE_CHECKING:
    from shared.ports import Platform
    from shared.runs import Run

CORTEZ = midnight(date(2009, 1, 1))  # the study's year: Cortez et al. 2009, Decision Support Systems 47:547
RESERVED = 2**48 // 16  # fingerprints below it, one in sixteen of all that 12 hex digits can be, are kept in reserve


def backfill(platform: Platform, source: str = "", colour: str = "") -> Report:
    """Store the wines of ``source`` and their grades, one in sixteen of them in the reserve; return how many there are.

    Args:
        platform: where they are stored.
        source: UCI's wines when empty; else a CSV file, an address or a folder, or several joined by commas.
        colour: red or white, where neither a column nor the file's name says it.

    Raises:
        SourceError: the source cannot be used, or is stored already with other wines; nothing was written.
    """
    wines = reference(platform, source, colour)
    with platform.features.lock("wine.sources", wait_s=600):  # what is checked must still hold when it is written
        _must_hold(wines, _stored(platform, source_name(source)), source)
        unfit, ungraded = (_ids(wines, table.check(wines[table.names])[1]) for table in (SAMPLES, GRADED))
        reserve = ranked(wines[~unfit & ~ungraded])
        kept = _ids(wines, reserve)
        written = [
            platform.features.write(RESERVE, reserve[RESERVE.names]),
            platform.features.write(SAMPLES, wines.loc[~kept & ~ungraded, SAMPLES.names]),
            platform.features.write(GRADED, wines.loc[~kept & (~unfit | ungraded), GRADED.names]),
        ]
    return Report(
        rows=sum(one.rows for one in written),
        metrics={"wines": int((~unfit & ~ungraded).sum()), "reserve": int(kept.sum())},
        headline="wines",
        note="; ".join(_notes(wines, unfit & ~ungraded, ungraded)),
    )


def open_reserve(platform: Platform, run: Run, source: str) -> int:
    """Store the reserve wine of the run's date, and the grades that became known by then; return how many rows changed.

    The reserve is opened in turn, one wine a day; what was opened before stays as it was. Of twins the first is opened:
    the model may learn from it the day after, and would be judged on the others with hindsight.

    Raises:
        NotYetError: there are no wines of ``source`` yet.
    """
    reserve = platform.features.read(RESERVE)
    kept, opened = _of(reserve, source), _of(platform.features.read(SAMPLES), source)
    if kept.empty and opened.empty:
        raise NotYetError(f"there are no wines of {source!r}; run `almanac run wine backfill`")
    if kept.empty:  # fewer than some sixteen wines may leave none
        return 0
    place = run.day.toordinal() % (int(kept["place"].max()) + 1)
    due = (
        kept[kept["place"] == place]
        .sort_values("sample_id")
        .head(1)
        .assign(taken_at=midnight(run.day), origin="reserve")
    )
    rows = due.loc[~due["sample_id"].isin(opened["sample_id"]), SAMPLES.names]
    changed = platform.features.write(SAMPLES, rows).rows
    return changed + platform.features.write(GRADED, _tasted(platform, reserve, run.until)).rows


def reference(platform: Platform, source: str = "", colour: str = "") -> pd.DataFrame:
    """Return every wine of ``source`` with all columns of SAMPLES and GRADED, as ``uci-red-0001``; bounds unchecked.

    Raises:
        SourceError: a file, column, colour or value cannot be used, or most rows of a file are out of bounds.
        UsageError: the colour is neither red nor white, or no source is given with it.
    """
    if colour and not source:
        raise UsageError("--colour says of which colour the wines of a --source are: name that, too")
    if colour and colour not in COLOURS:
        raise UsageError(f"--colour is red or white; got {colour!r}")
    prefix, files, before = source_name(source), [], dict.fromkeys(COLOURS, 0)
    for where, wines in _files(platform, source, colour):
        numbers = wines["colour"].map(before) + pd.Series(range(1, len(wines) + 1), index=wines.index)
        wines["sample_id"] = [f"{prefix}-{hue}-{n:04d}" for hue, n in zip(wines["colour"], numbers, strict=True)]
        before |= {hue: before[hue] + len(wines) for hue in wines["colour"].unique()}
        files.append(wines.assign(source=prefix, taken_at=CORTEZ, graded_at=CORTEZ, origin="reference", grader="panel"))
        _must_fit(files[-1], where)
    return pd.concat(files, ignore_index=True)


def source_name(source: str) -> str:
    """Return what the column ``source`` calls a source: uci for none, else the prefix of its ids."""
    return prefix_of(*parts_of(source)) if source else "uci"


def ranked(wines: pd.DataFrame) -> pd.DataFrame:
    """Return the wines that are kept in reserve, with ``kept_at`` and their ``place`` in the order of opening.

    Twins, wines with the same measures, have the same place: none in reserve has a twin that trains the model.
    """
    marked = wines.assign(_hash=fingerprint(wines), kept_at=CORTEZ)
    kept = marked[[int(one, 16) < RESERVED for one in marked["_hash"]]].sort_values(["_hash", "sample_id"])
    return kept.assign(place=pd.factorize(kept["_hash"])[0])


def unopened(platform: Platform, source: str) -> int:
    """Return how many places of the reserve were not opened yet."""
    kept, opened = _of(platform.features.read(RESERVE), source), platform.features.read(SAMPLES, columns=["sample_id"])
    return int(kept["place"].nunique() - kept.loc[_ids(kept, opened), "place"].nunique())


def fingerprint(samples: pd.DataFrame) -> list[str]:
    """Return a hash of each wine's colour and measures: twins have the same, and a prediction can name what went in.

    Measures count to nine digits, as CSV readers differ in the last of them. Blanks may be there.

    >>> fingerprint(pd.DataFrame([["red", *range(11)]], columns=["colour", *MEASURES]))
    ['6583988542e7']
    """
    rows = samples[["colour", *MEASURES]].itertuples(index=False, name=None)
    texts = (" ".join([colour, *(f"{float(value) + 0.0:.9g}" for value in values)]) for colour, *values in rows)
    return [hashlib.sha256(text.encode()).hexdigest()[:12] for text in texts]


# --- files ---------------------------------------------------------------------------------------------------------

_NAMES = {
    **dict.fromkeys(MEASURES, ()),
    "fixed_acidity": ("fixed_acid",),
    "volatile_acidity": ("volatile_acid",),
    "residual_sugar": ("sugar",),
    "chlorides": ("chloride",),
    "free_sulfur_dioxide": ("free_sulphur_dioxide", "free_so2"),
    "total_sulfur_dioxide": ("total_sulphur_dioxide", "total_so2"),
    "sulphates": ("sulfates", "sulphate", "sulfate"),
    "grade": ("quality", "score"),
}
_COLOUR_COLUMNS = ("colour", "color", "winecolour", "winecolor", "winetype", "type")
_COLOUR_FLAG = re.compile(r"(?:is|(?:wine)?(?:type|colou?r))?(red|white)(?:wine)?")  # a column of 0 and 1
_COLOUR_WORD = re.compile(r"(?<![a-z])(?:wine)?(red|white)(?:wines?)?(?![a-z])")  # in a file's name
_TRUTHS = {"1": True, "1.0": True, "true": True, "yes": True, "0": False, "0.0": False, "false": False, "no": False}


def _files(platform: Platform, source: str, colour: str) -> list[tuple[str, pd.DataFrame]]:
    """Return (name, wines) of each file: ``colour``, the measures as floats with blanks, ``grade``."""
    if not source:
        wines = platform.corpora.read("wine")
        return [(f"UCI's {hue} wines", wines[wines["colour"] == hue].reset_index(drop=True)) for hue in COLOURS]
    places = files_of(source, _COLOUR_WORD)
    return [(name_of(place), _wines(read_table(place, platform.web), place, colour)) for place in places]


def _wines(table: pd.DataFrame, place: str, colour: str) -> pd.DataFrame:
    where, rows = name_of(place), pick(table, _NAMES, place)
    wines = pd.DataFrame({name: _measures(rows[name], name, where) for name in MEASURES})
    return wines.assign(grade=_grades(rows["grade"], where), colour=_colours(table, place, colour))


def _measures(values: pd.Series, name: str, where: str) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    wrong = (numbers.isna() & values.notna()) | numbers.abs().eq(float("inf"))
    _refuse(values, wrong, f"{where}: {name}", "a measure is a number or blank")
    return numbers


def _grades(values: pd.Series, where: str) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    _refuse(values, numbers.mod(1).ne(0) | ~numbers.between(0, 1000), f"{where}: grade", "every wine needs a whole one")
    return numbers.astype("int64")


def _colours(table: pd.DataFrame, place: str, colour: str) -> pd.Series:
    """Return the colour of each row: from a column, else the file's name, else as told."""
    said = _colour_column(table, name_of(place))
    colours = pd.Series(word_in(place, _COLOUR_WORD) or colour, index=table.index) if said is None else said
    if colours.eq("").any():
        raise SourceError(f"{name_of(place)} does not say whether its wines are red or white: say it with --colour")
    if colour and colours.ne(colour).any():
        raise SourceError(f"{name_of(place)} has wines that are not {colour}: leave --colour out, or correct it")
    return colours.astype(object)


def _colour_column(table: pd.DataFrame, where: str) -> pd.Series | None:
    """Return the colours that a column spells out or marks with 1 and 0, None without such a column."""
    names = {str(column).replace("_", ""): column for column in table.columns}
    for name in _COLOUR_COLUMNS:
        if name in names:
            return _spelt(table[names[name]], {hue: hue for hue in COLOURS}, f"{where}: {names[name]}")
    for name, column in names.items():
        if flag := _COLOUR_FLAG.fullmatch(name):
            yes, no = flag[1], COLOURS[1 - COLOURS.index(flag[1])]
            meant = {text: yes if truth else no for text, truth in _TRUTHS.items()}
            return _spelt(table[column], meant, f"{where}: {column}")
    return None


def _spelt(values: pd.Series, meant: dict[str, str], where: str) -> pd.Series:
    colours = values.astype(str).str.strip().str.lower().map(meant)
    _refuse(values, colours.isna(), where, "write red or white, or name a column of 1 and 0 is_red")
    return colours


def _refuse(values: pd.Series, wrong: pd.Series, what: str, advice: str) -> None:
    """Refuse the source for the first wrong value, with its row counted from 1 below the header."""
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        value = "blank" if pd.isna(values.iloc[row]) else repr(str(values.iloc[row]))
        raise SourceError(f"{what} is {value} in row {row + 1}; {advice}")


# --- checks --------------------------------------------------------------------------------------------------------


def _must_fit(wines: pd.DataFrame, where: str) -> None:
    """Refuse a file of which most rows are out of bounds: it is in other units, or it is not about wine."""
    notes = pd.concat([table.check(wines[table.names])[1] for table in (SAMPLES, GRADED)])
    if notes["sample_id"].nunique() * 2 <= len(wines):
        return
    reason = notes["reason"].str.split("; ").explode().value_counts().idxmax()
    name = str(reason).split(" ")[0]
    unit = (GRADED if name == "grade" else SAMPLES).column(name).unit
    advice = f"convert the column to {unit}" if unit else "correct the column"
    raise SourceError(f"{where}: most rows cannot be, as {reason} (such as {wines[name].median():g}): {advice}")


def _must_hold(wines: pd.DataFrame, stored: pd.DataFrame, source: str) -> None:
    """Refuse a source that lost or changed wines: some could move between training and the reserve. More may follow."""
    now = _identities(wines)
    other = [one for one, known in _identities(stored).items() if now.get(one) != known]
    if other:
        fresh = "save the new file under another name, and it is a source of its own" if source else "start a new store"
        what = f"{name_of(source) if source else 'uci'} held {len(other)} other wines when it was stored"
        raise SourceError(f"{what}, such as {other[0]}: {fresh}")


def _identities(wines: pd.DataFrame) -> dict[str, tuple[str, int]]:
    """Return what tells each wine from others, by its id: fingerprint and grade."""
    return dict(zip(wines["sample_id"], zip(fingerprint(wines), wines["grade"], strict=True), strict=True))


def _stored(platform: Platform, name: str) -> pd.DataFrame:
    """Return the graded wines of a source that the store holds, opened or in reserve."""
    columns = ["sample_id", "colour", *MEASURES, "grade"]
    samples = _of(platform.features.read(SAMPLES), name)
    known = samples[samples["origin"] == "reference"].merge(platform.features.read(GRADED), on="sample_id")
    return pd.concat([known[columns], _of(platform.features.read(RESERVE), name)[columns]])


def _tasted(platform: Platform, kept: pd.DataFrame, until: datetime) -> pd.DataFrame:
    """Return the grades of reserve wines that were opened at least a day before ``until``, as rows of GRADED."""
    opened = platform.features.read(SAMPLES, columns=["sample_id", "taken_at"], until=until - timedelta(days=1))
    tasted = opened.merge(kept, on="sample_id")
    return tasted.assign(graded_at=tasted["taken_at"] + timedelta(days=1), grader="panel")[GRADED.names]


def _notes(wines: pd.DataFrame, unfit: pd.Series, ungraded: pd.Series) -> list[str]:
    """Return what a person should know of the wines: which tables hold refused rows, and what is odd."""
    refused = ((int(unfit.sum()), SAMPLES), (int(ungraded.sum()), GRADED))
    said = [f"{rows} rows refused: see `almanac table {table.quarantine.name}`" for rows, table in refused if rows]
    odd = int(wines["free_sulfur_dioxide"].gt(wines["total_sulfur_dioxide"]).sum())
    return said + ([f"{odd} wines with more free than total sulfur dioxide, kept"] if odd else [])


def _ids(wines: pd.DataFrame, among: pd.DataFrame) -> pd.Series:
    """Return which of the wines are ``among`` the others, by id."""
    return wines["sample_id"].isin(among["sample_id"])


def _of(rows: pd.DataFrame, source: str) -> pd.DataFrame:
    return rows[rows["source"] == source]
