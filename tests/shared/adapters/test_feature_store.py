"""What every FeatureStore must do."""

import threading
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import BusyError, NotYetError, SchemaError
from shared.tables import Column, Table

TIDES = Table(
    "tides",
    (Column("port", "text"), Column("at", "time"), Column("height", unit="m", low=-20, high=20)),
    key=("port", "at"),
    event_time="at",
)
SHIPS = Table(
    "ships",
    (Column("ship", "text"), Column("seen_at", "time"), Column("crew", "int", nullable=True)),
    key=("ship",),
    event_time="seen_at",
)


def tides(*heights, port="Hull", start="2026-11-01", freq="D"):
    times = pd.date_range(start, periods=len(heights), freq=freq, tz="UTC")
    return pd.DataFrame({"port": port, "at": times, "height": [float(height) for height in heights]})


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_table_never_written_is_empty_and_has_its_columns(features):
    rows = features.read(TIDES)
    assert rows.empty
    assert list(rows.columns) == ["port", "at", "height"]
    assert features.version() == 0


def test_writing_the_same_key_twice_keeps_the_newer_row(features):
    features.write(TIDES, tides(1, 2))
    features.write(TIDES, tides(1.5))
    assert features.read(TIDES)["height"].tolist() == [1.5, 2]


def test_a_write_counts_what_was_new_or_changed(features):
    assert features.write(TIDES, tides(1, 2)).rows == 2
    assert features.write(TIDES, tides(1, 3, 4)).rows == 2


def test_writing_the_same_rows_again_makes_no_new_version(features):
    before = features.write(TIDES, tides(1, 2)).version
    again = features.write(TIDES, tides(1, 2))
    assert (again.rows, again.version) == (0, before)


def test_rows_come_back_oldest_first_whatever_the_order_written(features):
    features.write(TIDES, tides(5, start="2027-01-01"))
    features.write(TIDES, tides(1, 2, 3).iloc[::-1])
    assert features.read(TIDES)["height"].tolist() == [1, 2, 3, 5]


def test_a_read_is_bounded_by_event_time_from_since_until_before_until(features):
    features.write(TIDES, tides(*range(60), start="2026-10-15"))
    found = features.read(TIDES, since=utc("2026-10-31"), until=utc("2026-11-03"))
    assert found["at"].dt.strftime("%m-%d").tolist() == ["10-31", "11-01", "11-02"]


def test_a_read_gives_the_columns_asked_for_in_that_order(features):
    features.write(TIDES, tides(1))
    assert list(features.read(TIDES, columns=["height", "port"]).columns) == ["height", "port"]
    with pytest.raises(SchemaError, match="depth"):
        features.read(TIDES, columns=["depth"])


def test_a_row_out_of_bounds_goes_to_quarantine_and_the_others_are_written(features):
    written = features.write(TIDES, tides(1, 99, 3))
    assert (written.rows, written.quarantined) == (2, 1)
    kept = features.read(TIDES.quarantine)
    assert kept["reason"].tolist() == ["height is above 20 m"]
    assert kept["at"].tolist() == [pd.Timestamp("2026-11-02", tz="UTC")]


def test_a_key_twice_in_one_write_refuses_all_of_it(features):
    with pytest.raises(SchemaError, match="twice"):
        features.write(TIDES, pd.concat([tides(1, 2), tides(3)]))
    assert features.read(TIDES).empty


def test_other_columns_under_the_same_name_need_a_new_version(features):
    features.write(TIDES, tides(1))
    deeper = Table("tides", (*TIDES.columns, Column("depth", unit="m", nullable=True)), TIDES.key, "at")
    with pytest.raises(SchemaError, match="version=2"):
        features.write(deeper, tides(1).assign(depth=2.0))
    second = Table("tides", deeper.columns, TIDES.key, "at", version=2)
    features.write(second, tides(1).assign(depth=2.0))
    assert features.read(second)["depth"].tolist() == [2]
    assert features.read(TIDES)["height"].tolist() == [1]
    assert [table.version for table in features.tables() if table.name == "tides"] == [2]


def test_a_unit_is_part_of_the_schema(features):
    features.write(TIDES, tides(1))
    feet = Table("tides", (*TIDES.columns[:2], Column("height", unit="ft", low=-20, high=20)), TIDES.key, "at")
    with pytest.raises(SchemaError, match="ft"):
        features.write(feet, tides(1))


def test_a_key_without_the_time_stays_one_row_when_its_time_moves(features):
    old = pd.DataFrame({"ship": ["Ark", "Roc"], "seen_at": [utc("2025-02-01")] * 2, "crew": [8, None]})
    features.write(SHIPS, old)
    features.write(SHIPS, old.iloc[:1].assign(seen_at=utc("2026-05-01"), crew=9))
    found = features.read(SHIPS)
    assert found["ship"].tolist() == ["Roc", "Ark"]
    assert found["crew"].tolist() == [pd.NA, 9] or found["crew"].isna().tolist() == [True, False]
    assert found["crew"].iloc[1] == 9


def test_as_of_an_older_version_gives_the_rows_of_then(features):
    first = features.write(TIDES, tides(1)).version
    features.write(TIDES, tides(2, 3))
    assert features.read(TIDES, as_of=first)["height"].tolist() == [1]
    assert features.read(TIDES, as_of=0).empty


def test_as_of_a_time_gives_the_last_version_before_it(features):
    before = datetime.now(UTC)
    features.write(TIDES, tides(1))
    between = datetime.now(UTC)
    features.write(TIDES, tides(2))
    assert features.read(TIDES, as_of=before).empty
    assert features.read(TIDES, as_of=between)["height"].tolist() == [1]


def test_a_join_takes_the_newest_row_not_after_the_spine_row(features):
    features.write(TIDES, tides(1, 2, 3, start="2026-11-01"))
    features.write(TIDES, tides(7, port="Rye", start="2026-11-02"))
    spine = pd.DataFrame(
        {
            "port": ["Rye", "Hull", "Hull", "Rye"],
            "when": [utc("2026-11-09"), utc("2026-11-02"), utc("2026-11-01T23:59"), utc("2026-11-01")],
        },
        index=[40, 30, 20, 10],
    )
    joined = features.join(spine, [TIDES], time="when")
    assert joined.index.tolist() == [40, 30, 20, 10]
    assert joined["height"].tolist()[:3] == [7, 2, 1]
    assert pd.isna(joined["height"].iloc[3])


def test_a_join_looks_back_no_further_than_within(features):
    features.write(TIDES, tides(1))
    spine = pd.DataFrame({"port": ["Hull"] * 2, "when": [utc("2026-11-02"), utc("2026-11-09")]})
    joined = features.join(spine, [TIDES], time="when", within=timedelta(days=3))
    assert joined["height"].isna().tolist() == [False, True]


def test_a_join_on_nothing_gives_blanks(features):
    spine = pd.DataFrame({"port": ["Hull"], "when": [utc("2026-11-02")]})
    assert features.join(spine, [TIDES], time="when")["height"].isna().all()
    assert features.join(spine.iloc[:0], [TIDES], time="when").empty


def test_a_join_refuses_two_columns_of_one_name(features):
    spine = pd.DataFrame({"port": ["Hull"], "when": [utc("2026-11-02")], "height": [0.0]})
    with pytest.raises(SchemaError, match="height"):
        features.join(spine, [TIDES], time="when")


def test_a_lock_held_elsewhere_is_busy_and_free_again_afterwards(features):
    with features.lock("iris.daily"):
        found = []

        def other():
            try:
                with features.lock("iris.daily", wait_s=0.05):
                    found.append("held twice")
            except BusyError as busy:
                found.append(str(busy))

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert "another run holds 'iris.daily'" in found[0]
    with features.lock("iris.daily", wait_s=0.05):
        pass


def test_tables_lists_what_was_written(features):
    features.write(TIDES, tides(99))
    assert [table.name for table in features.tables()] == ["tides", "tides_quarantine"]


def test_a_version_that_is_no_longer_kept_says_so(features, request):
    if "hopsworks" in request.node.callspec.id:
        pytest.skip("Hopsworks keeps versions for a month, however many: test_hopsworks.py shows it")
    for height in range(80):
        features.write(TIDES, tides(height / 10))
    with pytest.raises(NotYetError, match="no longer kept"):
        features.read(TIDES, as_of=3)
    assert features.read(TIDES)["height"].tolist() == [7.9]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.dictionaries(st.integers(0, 800), st.floats(-20, 20), min_size=1, max_size=8), min_size=1, max_size=6)
)
def test_a_store_holds_what_a_dictionary_by_key_would(features, writes):
    start = pd.Timestamp("2025-06-01", tz="UTC")
    table = Table(f"law{features.version()}", TIDES.columns, TIDES.key, "at")
    expected = {}
    for write in writes:
        expected |= write
        at = [start + pd.Timedelta(days=day) for day in write]
        features.write(table, pd.DataFrame({"port": "Hull", "at": at, "height": list(write.values())}))
    found = features.read(table)
    assert ((found["at"] - start).dt.days).tolist() == sorted(expected)
    assert found["height"].tolist() == [expected[day] for day in sorted(expected)]


def test_a_key_that_moves_into_a_file_another_row_is_written_to_stays_one_row(features):
    """One write moves Ark from 2025 to 2026 and touches Roc, which stays in 2025."""
    old = pd.DataFrame({"ship": ["Ark", "Roc"], "seen_at": [utc("2025-02-01")] * 2, "crew": [8, 5]})
    features.write(SHIPS, old)
    features.write(SHIPS, old.assign(seen_at=[utc("2026-05-01"), utc("2025-02-01")], crew=[9, 6]))
    found = features.read(SHIPS)
    assert found[["ship", "crew"]].to_numpy().tolist() == [["Roc", 6], ["Ark", 9]]


def test_a_large_whole_number_is_not_taken_for_its_neighbour(features):
    row = pd.DataFrame({"ship": ["Ark"], "seen_at": [utc("2025-02-01")], "crew": [2**53]})
    features.write(SHIPS, row)
    assert features.write(SHIPS, row.assign(crew=2**53 + 1)).rows == 1
    assert features.read(SHIPS)["crew"].tolist() == [2**53 + 1]


@pytest.mark.parametrize(
    "spine",
    [
        pd.DataFrame({"when": [utc("2026-11-02")]}),
        pd.DataFrame({"port": ["Hull"], "when": [pd.NaT]}),
        pd.DataFrame({"port": ["Hull"]}),
    ],
)
def test_a_spine_that_cannot_be_matched_is_refused(features, spine):
    with pytest.raises(SchemaError, match="spine needs 'when'"):
        features.join(spine, [TIDES], time="when")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from("ABCDE"), st.integers(0, 1500), min_size=1), min_size=1, max_size=6))
def test_a_key_without_the_time_is_one_row_wherever_its_time_goes(features, writes):
    start = pd.Timestamp("2024-01-01", tz="UTC")
    table = Table(f"fleet{features.version()}", SHIPS.columns, SHIPS.key, "seen_at")
    expected = {}
    for number, write in enumerate(writes):
        expected |= write
        seen_at = [start + pd.Timedelta(days=day) for day in write.values()]
        features.write(table, pd.DataFrame({"ship": list(write), "seen_at": seen_at, "crew": number}))
    found = features.read(table)
    assert dict(zip(found["ship"], (found["seen_at"] - start).dt.days, strict=True)) == expected
    assert len(found) == len(expected)
