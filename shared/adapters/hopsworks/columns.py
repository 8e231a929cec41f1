"""A Table as a feature group: its columns, its key, its bounds as expectations; rows there and back without loss.

Hopsworks matches rows on primary key *and* event time, so a group gets an event time only where that is part of our
key; elsewhere the time is an ordinary column, and a key that moves in time stays one row in one merge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from shared.adapters.local import parquet
from shared.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.tables import Column, Table

LONGEST_NAME, LONGEST_TEXT = 63, 256  # of a name, and of a description (limits of the server)
TYPES = {"float": "double", "int": "bigint", "text": "string", "time": "timestamp", "flag": "boolean"}


def group_name(prefix: str, table: Table) -> str:
    """Return the feature group's name.

    Raises:
        SchemaError: it is longer than Hopsworks allows.
    """
    name = f"{prefix}{table.name}"
    if len(name) > LONGEST_NAME:
        raise SchemaError(f"{name}: Hopsworks keeps names of {LONGEST_NAME} characters at most; give it a shorter one")
    return name


def definition(prefix: str, table: Table) -> dict[str, Any]:
    """Return what makes a table's feature group: offline, Delta, no statistics, its columns declared."""
    from hsfs.feature import Feature

    timed = table.event_time in table.key
    columns = [Feature(column.name, TYPES[column.kind], _about(column)) for column in table.columns]
    return {
        "name": group_name(prefix, table),
        "version": table.version,
        "description": table.about[:LONGEST_TEXT],
        "primary_key": list(table.entity if timed else table.key),
        "event_time": table.event_time if timed else None,
        "features": columns,
        "time_travel_format": "DELTA",
        "online_enabled": False,
        "statistics_config": False,
    }


def expectations(table: Table) -> list[tuple[str, dict[str, Any]]]:
    """Return the table's bounds in the words of Great Expectations: what is expected, and its arguments.

    >>> from shared.tables import Column, Table
    >>> height = Column("height", unit="m", low=-20, high=20, nullable=True)
    >>> tides = Table("tides", (Column("port", "text", allowed=("Hull",)), Column("at", "time"), height), ("at",), "at")
    >>> for rule in expectations(tides): print(*rule)
    expect_column_values_to_be_unique {'column': 'at'}
    expect_column_values_to_not_be_null {'column': 'port'}
    expect_column_values_to_be_in_set {'column': 'port', 'value_set': ['Hull']}
    expect_column_values_to_not_be_null {'column': 'at'}
    expect_column_values_to_be_between {'column': 'height', 'min_value': -20, 'max_value': 20}
    """
    alone = len(table.key) == 1
    kind = "column_values_to_be_unique" if alone else "compound_columns_to_be_unique"
    rules: list[tuple[str, dict[str, Any]]] = [
        (f"expect_{kind}", {"column": table.key[0]} if alone else {"column_list": list(table.key)})
    ]
    for column in table.columns:
        named = {"column": column.name}
        if not column.nullable:
            rules.append(("expect_column_values_to_not_be_null", named))
        if column.low is not None or column.high is not None:
            bounds = {"min_value": column.low, "max_value": column.high}
            rules.append(("expect_column_values_to_be_between", named | bounds))
        if column.allowed:
            rules.append(("expect_column_values_to_be_in_set", named | {"value_set": list(column.allowed)}))
    return rules


def suite(table: Table) -> Any:  # noqa: ANN401 - vendor type
    """Return the expectations as a suite for people to see; it validates nothing, for ``Table.check`` has done that."""
    from hsfs.expectation_suite import ExpectationSuite

    rules = [{"expectation_type": kind, "kwargs": told, "meta": {}} for kind, told in expectations(table)]
    return ExpectationSuite(table.name[:LONGEST_NAME], rules, {}, run_validation=False)


def show_expectations(group: Any, table: Table) -> None:  # noqa: ANN401
    """Put the table's present bounds in place of those shown before."""
    from hsfs.core.expectation_suite_api import ExpectationSuiteApi

    api = ExpectationSuiteApi(group.feature_store_id, group.id)  # the group's own method fails without their package
    shown = api._get()
    if shown is not None:
        api._delete(shown.id)
    api._create(suite(table))


def there(rows: pa.Table) -> pd.DataFrame:
    """Return Arrow rows as the client takes them: times without a zone, whole numbers whole also beside blanks."""
    naive = [pa.timestamp("us") if pa.types.is_timestamp(field.type) else field.type for field in rows.schema]
    cast = pa.table([column.cast(kind) for column, kind in zip(rows.columns, naive, strict=True)], rows.column_names)
    frame: pd.DataFrame = cast.to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def back(table: Table, batches: Iterable[pa.RecordBatch], names: Sequence[str]) -> pa.Table:
    """Return what came as Arrow rows of the table's own types, oldest first."""
    wanted = parquet.schema(table, names)
    found = [pa.table([batch[field.name].cast(field.type) for field in wanted], schema=wanted) for batch in batches]
    order = [(name, "ascending") for name in dict.fromkeys((table.event_time, *table.key))]
    return pa.concat_tables([wanted.empty_table(), *found]).sort_by(order)


def changed(old: pa.Table, new: pa.Table) -> pa.Table:
    """Return the rows of ``new`` that are not in ``old`` exactly as they are."""
    whole = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    both = pa.concat_tables([old, new]).to_pandas(types_mapper=whole.get)
    return new.filter(pa.array(~both.duplicated().to_numpy()[len(old) :]))


def _about(column: Column) -> str:
    """Return what people read beside a column: its unit and what it is."""
    return ": ".join(part for part in (column.unit, column.about) if part)[:LONGEST_TEXT]
