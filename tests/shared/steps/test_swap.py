import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import NotYetError, SchemaError
from shared.steps.swap import CellSwap, Stock, accepted, sample


def two_kinds(count=60):
    rng = np.random.default_rng(0)
    a = pd.DataFrame({"kind": "a", "width": rng.normal(0, 1, count).round(2)})
    b = pd.DataFrame({"kind": "b", "width": rng.normal(50, 1, count).round(2)})
    return pd.concat([a, b], ignore_index=True).assign(depth=lambda rows: (2 * rows["width"]).round(2))


REAL = two_kinds()
SWAP = CellSwap.fit(REAL, ["kind"], ["width", "depth"])


def anything(row):
    return True


def test_every_value_was_seen_in_its_class_and_what_goes_together_stays_near():
    made = sample(SWAP, 500, seed=1, holds=anything)
    for kind, rows in made.groupby("kind"):
        seen = REAL[REAL["kind"] == kind]
        assert set(rows["width"]) <= set(seen["width"]) and set(rows["depth"]) <= set(seen["depth"])
    within = made[made["kind"] == "a"]
    assert within["width"].corr(within["depth"]) > 0.8


def test_every_cell_holds_four_to_seven_rows_and_every_row_lies_in_one():
    assert all(4 <= len(cell.rows) <= 7 for cell in SWAP.cells)
    assert SWAP.size == sum(cell.own for cell in SWAP.cells) == len(REAL.drop_duplicates())


def test_a_sample_takes_each_place_once_before_any_twice_so_classes_keep_their_share():
    made = sample(SWAP, SWAP.size, seed=0, holds=anything)
    assert made["kind"].value_counts().to_dict() == REAL.drop_duplicates()["kind"].value_counts().to_dict()


def test_the_same_seed_samples_the_same_rows_and_another_others():
    first, again, other = (sample(SWAP, 20, seed, anything) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_the_order_of_the_rows_and_repeats_of_them_do_not_matter():
    shuffled = pd.concat([REAL, REAL.head(9)]).sample(frac=1, random_state=3)
    assert CellSwap.fit(shuffled, ["kind"], ["width", "depth"]) == SWAP


def test_a_generator_comes_back_from_json_exactly():
    again = CellSwap.from_dict(json.loads(json.dumps(SWAP.to_dict())))
    assert again == SWAP
    assert again.draw(7, np.random.default_rng(9)) == SWAP.draw(7, np.random.default_rng(9))


def test_a_class_of_one_row_borrows_the_nearest_rows_of_others_and_keeps_its_name():
    rows = pd.concat([REAL, pd.DataFrame({"kind": ["rare"], "width": [50.0], "depth": [100.0]})])
    swap = CellSwap.fit(rows, ["kind"], ["width", "depth"])
    rare = [cell for cell in swap.cells if cell.label == ("rare",)]
    assert [(cell.own, len(cell.rows)) for cell in rare] == [(1, 4)]
    assert all(width > 40 for width, _ in rare[0].rows)


def test_what_does_not_hold_is_drawn_again_and_in_the_end_refused():
    made = sample(SWAP, 50, seed=0, holds=lambda row: row["width"] > 50)
    assert (made["width"] > 50).all()
    with pytest.raises(SchemaError, match="none of 2000 draws"):
        accepted(SWAP, np.random.default_rng(0), lambda row: False, 0)


def test_a_stock_gives_back_its_rows():
    stock = Stock(REAL.head(3))
    assert stock.draw(1, np.random.default_rng(0)) == REAL.iloc[1].to_dict()
    assert len(sample(stock, 7, 0, anything)) == 7


def test_too_few_rows_and_blank_ones_are_refused():
    with pytest.raises(NotYetError, match="a cell needs 4"):
        CellSwap.fit(REAL.head(3), ["kind"], ["width"])
    with pytest.raises(SchemaError, match="blank"):
        CellSwap.fit(REAL.assign(width=np.nan), ["kind"], ["width"])


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=5, max_size=40))
def test_any_rows_give_cells_that_hold_each_row_once(values):
    rows = pd.DataFrame(values, columns=["kind", "a", "b"]).drop_duplicates()
    if len(rows) >= 4:
        swap = CellSwap.fit(rows, ["kind"], ["a", "b"])
        own = [(cell.label[0], *row) for cell in swap.cells for row in cell.rows[: cell.own]]
        assert sorted(own) == sorted(map(tuple, rows.to_numpy().tolist()))
        assert all(len(cell.rows) >= 4 for cell in swap.cells)
