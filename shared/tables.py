"""What a table holds, as code: columns with kinds, units and bounds, a key and an event time.

A table is declared once, beside the code that fills it, and every write is checked against it, whatever the store:

    rows ── cast: names, kinds, keys ──► refused whole (SchemaError)
         └─ judge: bounds, blanks ─────► kept  |  quarantined, with the reason
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from numbers import Real
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from shared.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

Kind = Literal["float", "int", "text", "time", "flag"]


@dataclass(frozen=True)
class Column:
    """One column: its kind, unit, inclusive bounds and allowed values; a blank is refused unless ``nullable``."""

    name: str
    kind: Kind = "float"
    unit: str = ""
    low: float | None = None
    high: float | None = None
    allowed: tuple[str, ...] = ()
    nullable: bool = False
    about: str = ""


@dataclass(frozen=True)
class Table:
    """A named, versioned set of columns. ``key`` identifies a row; ``event_time`` is when it was true.

    >>> columns = (Column("port", "text"), Column("at", "time"), Column("height", unit="m"))
    >>> tides = Table("tides", columns, key=("port", "at"), event_time="at")
    >>> tides.entity
    ('port',)
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    event_time: str
    about: str = ""
    version: int = 1

    def __post_init__(self) -> None:
        """Refuse a declaration that no store could keep."""
        kinds = {column.name: column.kind for column in self.columns}
        if [name for name in (self.name, *kinds) if name != name.lower() or not name.isidentifier()]:
            raise SchemaError(f"{self.name}: names must be lower-case identifiers; got {[self.name, *kinds]}")
        if not self.key or not {*self.key} <= kinds.keys() or kinds.get(self.event_time) != "time":
            raise SchemaError(
                f"{self.name}: the key and a column of kind 'time' for event_time must be among {[*kinds]}"
            )

    @property
    def names(self) -> list[str]:
        """Column names in declared order."""
        return [column.name for column in self.columns]

    @property
    def entity(self) -> tuple[str, ...]:
        """The key without the event time: what a point-in-time join matches on."""
        return tuple(name for name in self.key if name != self.event_time)

    @property
    def quarantine(self) -> Table:
        """The table that keeps what this one refused: the same key, the reason, and the row as JSON."""
        kept = tuple(column for column in self.columns if column.name in {*self.key, self.event_time})
        notes = (Column("reason", "text"), Column("refused_row", "text"))
        about = f"Rows that `{self.name}` refused, with the reason."
        return Table(f"{self.name}_quarantine", kept + notes, self.key, self.event_time, about, self.version)

    def column(self, name: str) -> Column:
        """Return the column called ``name``.

        Raises:
            SchemaError: there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise SchemaError(f"{self.name} has no column {name!r}; it has {self.names}")

    def check(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return (rows that fit, rows for ``quarantine``): declared columns, order and dtypes; times in UTC.

        Raises:
            SchemaError: a column is missing, unknown or of another kind, a key is blank, or a key comes twice.
        """
        typed = self._cast(rows)
        reasons = self._judge(typed)
        broken = reasons != ""
        refused = typed[broken]
        as_json = [json.dumps(_without_blanks(row), default=str) for row in refused.to_dict("records")]
        notes = refused[self.quarantine.names[:-2]].assign(reason=reasons[broken], refused_row=as_json)
        kept = typed[~broken].reset_index(drop=True)
        plain = {c.name: _PLAIN[c.kind] for c in self.columns if c.kind in _PLAIN and not c.nullable}
        return kept.astype(plain), notes.reset_index(drop=True)

    def empty(self) -> pd.DataFrame:
        """Return no rows, with this table's columns and dtypes."""
        return self.check(pd.DataFrame({name: [] for name in self.names}))[0]

    def to_json(self) -> str:
        """Return the declaration as JSON, for a store to keep beside the rows."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Table:
        """Return the table that ``to_json`` described."""
        fields = json.loads(text)
        columns = tuple(Column(**{**column, "allowed": tuple(column["allowed"])}) for column in fields["columns"])
        return cls(**{**fields, "columns": columns, "key": tuple(fields["key"])})

    def _cast(self, rows: pd.DataFrame) -> pd.DataFrame:
        missing = [name for name in self.names if name not in rows.columns]
        unknown = [str(name) for name in rows.columns if name not in self.names]
        if missing or unknown:
            raise SchemaError(
                f"{self.name}: missing columns {missing}, unknown columns {unknown}; expected {self.names}"
            )
        typed = pd.DataFrame({column.name: _cast(self.name, column, rows[column.name]) for column in self.columns})
        must = [*dict.fromkeys((*self.key, self.event_time))]
        if typed[must].isna().to_numpy().any():
            raise SchemaError(f"{self.name}: a blank in {must}; every row needs its key and its time")
        if typed.duplicated(list(self.key)).any():
            twice = typed.loc[typed.duplicated(list(self.key)), list(self.key)].iloc[0].to_dict()
            raise SchemaError(f"{self.name}: the key {twice} comes twice in one write")
        return typed

    def _judge(self, typed: pd.DataFrame) -> pd.Series:
        """Return why each row is refused, '' where it is not."""
        reasons = pd.Series("", index=typed.index, dtype=object)
        for column in self.columns:
            for broken, why in _breaches(column, typed[column.name]):
                if broken.any():
                    said = reasons[broken]
                    reasons[broken] = said.where(said == "", said + "; ") + f"{column.name} {why}"
        return reasons


def _breaches(column: Column, values: pd.Series) -> Iterator[tuple[pd.Series, str]]:
    if not column.nullable:
        yield values.isna(), "is blank"
    if column.kind == "float":
        yield pd.Series(np.isinf(values.to_numpy()), index=values.index), "is infinite"
    if column.low is not None:
        yield values.lt(column.low).fillna(False).astype(bool), f"is below {column.low:g} {column.unit}".rstrip()
    if column.high is not None:
        yield values.gt(column.high).fillna(False).astype(bool), f"is above {column.high:g} {column.unit}".rstrip()
    if column.allowed:
        yield ~values.isin(column.allowed) & values.notna(), f"is none of {', '.join(column.allowed)}"


def _cast(table: str, column: Column, values: pd.Series) -> pd.Series:
    """Return ``values`` in the column's own dtype; only casts that lose nothing are made."""
    plain = values.reset_index(drop=True)
    if plain.isna().all() and not pd.api.types.is_datetime64_any_dtype(plain):
        plain = pd.Series([None] * len(plain), dtype=object)
    try:
        return _CASTS[column.kind](plain)
    except (TypeError, ValueError) as cause:
        found = f"{values.dtype}, such as {plain.dropna().iloc[0]!r}" if plain.notna().any() else str(values.dtype)
        raise SchemaError(f"{table}.{column.name}: expected {column.kind}, got {found}") from cause


def _float(values: pd.Series) -> pd.Series:
    _must_be(values, Real)
    return values.astype("float64")


def _int(values: pd.Series) -> pd.Series:
    _must_be(values, Real)
    return values.astype("Int64")


def _text(values: pd.Series) -> pd.Series:
    blank = values.isna()
    kept = pd.Series([None if no else value for value, no in zip(values, blank, strict=True)], dtype=object)
    _must_be(kept, str)
    return kept


def _time(values: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values) or any(isinstance(value, str) for value in values):
        raise TypeError(values.dtype)
    return pd.to_datetime(values, utc=True).astype("datetime64[us, UTC]")


def _flag(values: pd.Series) -> pd.Series:
    if not all(isinstance(value, (bool, np.bool_)) for value in values[values.notna()]):
        raise TypeError(values.dtype)
    return values.astype("boolean")


def _must_be(values: pd.Series, kind: type) -> None:
    """Refuse a column with a value of another type; a truth value is no number."""
    if values.dtype != object:
        wrong = pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values)
    else:
        wrong = any(isinstance(value, bool) or not isinstance(value, kind) for value in values[values.notna()])
    if wrong:
        raise TypeError(values.dtype)


def _without_blanks(row: dict[Hashable, object]) -> dict[str, object]:
    """Return the row with null for what JSON does not know."""
    return {str(name): None if pd.isna(value) else value for name, value in row.items()}  # type: ignore[call-overload]


_PLAIN = {"int": "int64", "flag": "bool"}  # where no blank is allowed
_CASTS = {"float": _float, "int": _int, "text": _text, "time": _time, "flag": _flag}


PROVENANCE = (
    Column("model", "text", about="name in the registry"),
    Column("model_version", "int", low=1, about="version in the registry"),
    Column("run_id", "text", about="row in `runs`"),
    Column("code_version", "text", about="hash of the code that ran"),
    Column("store_version", "int", low=0, about="version of the store whose rows went in"),
)
"""The last columns of every table of predictions."""
