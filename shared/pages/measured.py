"""What a visitor or a program gives as measures of a thing: numbers within the bounds of their table, or a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import UsageError
from shared.pages.words import inside, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.tables import Column, Table


def measured(table: Table, names: Sequence[str], values: Sequence[object]) -> dict[str, float]:
    """Return the measures by name.

    Raises:
        UsageError: one is no number, or none that the table allows.
    """
    return {name: _number(table.column(name), value) for name, value in zip(names, values, strict=True)}


def unusual(table: Table, values: Mapping[str, float], seen: Mapping[str, Sequence[float]]) -> list[str]:
    """Return a sentence for each value outside what the model learned from: ``seen`` from first to last, by name."""
    return [
        f"{plain(name)} {with_unit(table.column(name), value)} is outside {seen[name][0]:g} to "
        f"{with_unit(table.column(name), seen[name][-1])}, which the model learned from: take its answer with care."
        for name, value in values.items()
        if not seen[name][0] <= value <= seen[name][-1]
    ]


def with_unit(column: Column, value: float) -> str:
    """Return a value of the column with its unit."""
    return f"{value:g} {column.unit}".rstrip()


def _number(column: Column, value: object) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and column.low <= value <= column.high:  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    given = "it is empty" if value is None else f"got {value!r}"[:60]
    bounds = f"a number from {column.low:g} to {with_unit(column, column.high)}"  # type: ignore[arg-type]
    raise UsageError(f"{inside(plain(column.name))} must be {bounds}; {given}")
