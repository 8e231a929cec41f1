"""What a person already has: fine dust by day and weather by day, as CSV files.

    file ── rows ── days as written ── µg/m³ ──► one row a day, oldest first

aqicn.org exports two forms: ``date, pm25, pm10, …`` holds the AQI index of each day, ``date,min,max,median,…`` of a
citizen's sensor holds µg/m³. Weather is what Open-Meteo exports, with or without its block of metadata on top.
A unit in a column's name, such as ``pm25 [µg/m³]`` or ``wind_speed_10m_max (m/s)``, is heeded.
"""

from __future__ import annotations

import re
import tempfile
import unicodedata
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from shared.errors import SourceError, UsageError
from shared.steps.files import name_of, parts_of, pick, plain_name, read_table
from shared.systems.air_quality.tables import WEATHER, WEATHER_MEASURES
from shared.systems.air_quality.units import pm25

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.ports import Web

UNITS = ("aqi", "ugm3")
FIRST_YEAR = 1990
MOST_USUAL = 500  # a median above it is in no unit of ours
_DAY = ("date", "time", "timestamp", "datetime", "day", "date_utc", "date_local")
_DUST = ("pm2_5", "pm25_mean", "pm2_5_mean", "pm25_median", "pm2_5_median")
BOUNDS = {name: (WEATHER.column(name).low or 0.0, WEATHER.column(name).high or 0.0) for name in WEATHER_MEASURES}
_WEATHER: Mapping[str, Sequence[str]] = {
    "temperature_mean": ("temperature_2m_mean", "temperature", "mean_temperature", "tavg"),
    "precipitation_sum": ("precipitation", "rain_sum", "prcp"),
    "wind_speed_max": ("wind_speed_10m_max", "windspeed_10m_max", "max_wind_speed"),
    "wind_direction": ("wind_direction_10m_dominant", "winddirection_10m_dominant", "wind_direction_dominant", "wdir"),
}
# unit as written, squeezed -> (factor, offset) to the table's unit
_INTO: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "temperature_mean": {"c": (1, 0), "f": (5 / 9, -160 / 9), "k": (1, -273.15)},
    "precipitation_sum": {"mm": (1, 0), "cm": (10, 0), "in": (25.4, 0), "inch": (25.4, 0)},
    "wind_speed_max": {
        **dict.fromkeys(("km/h", "kmh", "kph"), (1.0, 0.0)),
        **dict.fromkeys(("m/s", "ms"), (3.6, 0.0)),
        **dict.fromkeys(("mph", "mp/h"), (1.609344, 0.0)),
        **dict.fromkeys(("kn", "kt", "knots"), (1.852, 0.0)),
    },
    "wind_direction": {"": (1, 0), "deg": (1, 0), "degrees": (1, 0)},
}
_YEAR_FIRST = r"(?P<year>\d{4})(?P<_>[-/.]?)(?P<one>\d{1,2})(?P=_)(?P<two>\d{1,2})(?P<clock>[T ].*)?"
_YEAR_LAST = r"(?P<one>\d{1,2})[-/.](?P<two>\d{1,2})[-/.](?P<year>\d{4})(?P<clock>[T ].*)?"
_METADATA = re.compile(r'\s*"?latitude"?[,;\t].*\n.*\n\s*\n')  # on top of Open-Meteo's exports


def read_history(source: str, web: Web, unit: str = "", today: date | None = None) -> pd.DataFrame:
    """Return fine dust by day: ``day`` (00:00 UTC of the date as written) and ``pm25`` in µg/m³, oldest first.

    Of a day that comes twice with different values the last of the file counts. What was assumed or left out stands, in
    sentences, in the result's ``attrs["notes"]``.

    Args:
        source: path or address of a CSV file, or several joined by commas.
        web: answers addresses.
        unit: ``aqi`` or ``ugm3``, where file and format do not say or are wrong.
        today: days after it are refused.

    Raises:
        SourceError: it cannot be read, its unit is not certain, or its values cannot be.
        UsageError: there is no such unit.
        WebError: the address gave no answer.
    """
    if unit not in ("", *UNITS):
        raise UsageError(f"--unit is aqi or ugm3; got {unit!r}")
    notes: list[str] = []
    files = [_history(place, web, unit, notes) for place in parts_of(source)]
    return _by_day(pd.concat(files, ignore_index=True), source, notes, today)


def read_weather(source: str, web: Web, today: date | None = None) -> pd.DataFrame:
    """Return weather by day: ``day`` and the measures of WEATHER, in its units, oldest first; blanks may be there.

    Notes as in ``read_history``.

    Raises:
        SourceError: it cannot be read, or a column or unit is unknown.
        WebError: the address gave no answer.
    """
    notes: list[str] = []
    files = [_weather(place, web, notes) for place in parts_of(source)]
    return _by_day(pd.concat(files, ignore_index=True), source, notes, today)


# --- one file ------------------------------------------------------------------------------------------------------


def _history(place: str, web: Web, unit: str, notes: list[str]) -> pd.DataFrame:
    table, units = _table(place, web)
    where, names = name_of(place), {*table.columns}
    if "specie" in names:
        raise SourceError(f"{where} holds many cities: keep the rows of one and of pm25, as date,pm25, with --unit aqi")
    sensor = {"min", "max", "median"} <= names
    rows = pick(table, {"day": _DAY, "pm25": ("median",) if sensor else _DUST}, place)
    values = _numbers(rows["pm25"], f"{where}: pm25")
    said = unit or _said(units, place) or ("ugm3" if sensor else _guessed(values, where, notes))
    _must_be(values, said, where, notes)
    return pd.DataFrame({"day": _days(rows["day"], where), "pm25": pm25(values) if said == "aqi" else values})


def _weather(place: str, web: Web, notes: list[str]) -> pd.DataFrame:
    table, units = _table(place, web)
    rows = pick(table, {"day": _DAY, **_WEATHER}, place)
    measures = pd.DataFrame(index=rows.index)
    for name in WEATHER_MEASURES:
        column, low, high = WEATHER.column(name), *BOUNDS[name]
        values = _converted(_numbers(rows[name], f"{name_of(place)}: {name}"), name, units, place)
        wrong = values.notna() & ~values.between(low, high)
        if wrong.sum() * 2 > values.notna().sum():
            advice = f"convert it to {column.unit}, or write its unit into the header"
            raise SourceError(
                f"{name_of(place)}: most of {name} cannot be, such as {values[wrong].iloc[0]:g}: {advice}"
            )
        if wrong.any():
            notes.append(f"{int(wrong.sum())} values of {name} cannot be and are left out")
        measures[name] = values.mask(wrong)
    return measures.assign(day=_days(rows["day"], name_of(place)))[["day", *WEATHER_MEASURES]]


def _by_day(rows: pd.DataFrame, source: str, notes: list[str], today: date | None) -> pd.DataFrame:
    """Return one row a day, without days that hold nothing, with the notes."""
    where, measures = name_of(source), rows.columns.drop("day")
    kept = rows.dropna(subset=measures, how="all").drop_duplicates()
    if kept.empty:
        raise SourceError(f"{where} holds no values: give a file with some")
    if today and (kept["day"] > pd.Timestamp(today, tz="UTC")).any():
        raise SourceError(f"{where} holds {kept['day'].max():%Y-%m-%d}, a day to come: correct its dates")
    twice = int(kept["day"].duplicated().sum())
    if twice:
        notes.append(f"{twice} days come twice with different values: the last of the file counts")
    result = kept.drop_duplicates("day", keep="last").sort_values("day", ignore_index=True)
    result.attrs["notes"] = [*dict.fromkeys(notes)]
    return result


def _table(place: str, web: Web) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the rows under plain names, and the unit in each name that holds one."""
    head = _text(place, web)
    metadata = _METADATA.match(head)
    lines = head[metadata.end() :] if metadata else head
    fields = re.split(r"[,;\t|]", lines.lstrip().partition("\n")[0])
    written = {plain_name(field): re.search(r"[(\[]([^()\[\]]*)[)\]]", field) for field in fields}
    units = {name: unit[1] for name, unit in written.items() if unit}
    return (_below_metadata(place, lines) if metadata else read_table(place, web)), units


def _text(place: str, web: Web) -> str:
    """Return the file as text where a header can be read off it; whether it is a table, ``read_table`` says."""
    try:
        raw = web.get(place).body if "://" in place else Path(place).read_bytes()
    except (OSError, ValueError):
        return ""
    for encoding in ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return ""


def _below_metadata(place: str, lines: str) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_text(lines, encoding="utf-8")
        try:
            return read_table(str(path), web=None)  # type: ignore[arg-type]  # a path asks no address
        except SourceError as cause:
            raise SourceError(str(cause).replace(name_of(str(path)), name_of(place))) from cause


# --- values --------------------------------------------------------------------------------------------------------


def _numbers(values: pd.Series, what: str) -> pd.Series:
    """Return floats; blanks, also written as a dash, become NaN."""
    there = values.notna() & values.astype(str).str.strip().ne("-")
    numbers = pd.to_numeric(values.where(there), errors="coerce").astype(float)
    wrong = (there & numbers.isna()) | numbers.abs().eq(float("inf"))
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise SourceError(f"{what} is {str(values.iloc[row])!r} in row {row + 1}; write a number or leave it blank")
    return numbers


def _said(units: Mapping[str, str], place: str) -> str:
    """Return the unit that the dust's column names, '' where it names none."""
    for name in ("pm25", *_DUST, "median"):
        if name in units:
            plain = _squeezed(units[name])
            if plain in ("aqi", "usaqi", "index"):
                return "aqi"
            if plain in ("ug/m3", "ugm3", "µg/m3", "µgm3", "μg/m3"):
                return "ugm3"
            raise SourceError(f"{name_of(place)}: {name} is in {units[name]}: say --unit aqi or --unit ugm3")
    return ""


def _guessed(values: pd.Series, where: str, notes: list[str]) -> str:
    """Return the unit of aqicn.org's exports, whole indices; refuse anything else."""
    if values.dropna().mod(1).ne(0).any():
        raise SourceError(f"{where} does not say what pm25 is measured in: say --unit ugm3, or --unit aqi")
    notes.append("pm25 is taken as the AQI index, as aqicn.org exports it; if it is µg/m³, say --unit ugm3")
    return "aqi"


def _must_be(values: pd.Series, unit: str, where: str, notes: list[str]) -> None:
    low = values < 0
    if low.any():
        row = int(low.to_numpy().argmax())
        raise SourceError(f"{where}: pm25 is {values.iloc[row]:g} in row {row + 1}; leave what was not measured blank")
    if values.notna().any() and values.median() > MOST_USUAL:
        raise SourceError(f"{where}: half of pm25 is above {MOST_USUAL}, so it is in neither unit: convert it to µg/m³")
    known = values.dropna()
    if unit == "ugm3" and len(known) >= 10 and known.mod(1).eq(0).all():
        notes.append("all values are whole numbers, as of an AQI index; if they are one, say --unit aqi")


def _converted(values: pd.Series, name: str, units: Mapping[str, str], place: str) -> pd.Series:
    """Return the measure in the table's unit, from the unit that its column names."""
    named = next((units[one] for one in (name, *_WEATHER[name]) if one in units), None)
    if named is None:
        return values
    factors = _INTO[name].get(_squeezed(named))
    if factors is None:
        known = WEATHER.column(name).unit
        raise SourceError(f"{name_of(place)}: {name} is in {named!r}: convert it to {known}, or take the unit out")
    return values * factors[0] + factors[1]


def _squeezed(unit: str) -> str:
    plain = unicodedata.normalize("NFKC", unit).lower()
    return re.sub(r"[°\s·^*_]|-1$", "", plain)


def _days(values: pd.Series, where: str) -> pd.Series:
    """Return 00:00 UTC of the dates as written, year first, or day and month where their order is certain.

    >>> _days(pd.Series(["2024/11/1", "2024-11-02T00:00:00.000Z"]), "dust.csv").dt.day.tolist()
    [1, 2]
    """
    texts = values.astype(str).str.strip().str.removesuffix(".0")
    pattern = _YEAR_FIRST if texts.str.fullmatch(_YEAR_FIRST).any() else _YEAR_LAST
    found = texts.str.extract(f"^{pattern}$")
    _refuse_dates(found["year"].isna(), texts, where)
    one, two = (pd.to_numeric(found[name]) for name in ("one", "two"))
    month_first = pattern == _YEAR_FIRST or _month_first(one, two, where)
    month, day = (one, two) if month_first else (two, one)
    stamps = pd.to_datetime(
        pd.DataFrame({"year": found["year"], "month": month, "day": day}), errors="coerce", utc=True
    )
    _refuse_dates(stamps.isna() | (stamps.dt.year < FIRST_YEAR), texts, where)
    clocks = found["clock"].fillna("").groupby(stamps).nunique()
    if clocks.gt(1).any():
        raise SourceError(f"{where} holds several hours of {clocks.idxmax():%Y-%m-%d}: give one value a day")
    return stamps.astype("datetime64[us, UTC]")


def _refuse_dates(wrong: pd.Series, texts: pd.Series, where: str) -> None:
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        what = f"the date is {texts.iloc[row]!r} in row {row + 1}"
        raise SourceError(f"{where}: {what}; write dates as 2024-11-30, from {FIRST_YEAR} on")


def _month_first(one: pd.Series, two: pd.Series, where: str) -> bool:
    if one.gt(12).any() == two.gt(12).any():
        raise SourceError(f"{where}: day and month of its dates cannot be told apart: write them as 2024-11-30")
    return bool(two.gt(12).any())
