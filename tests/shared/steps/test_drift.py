import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_iris

from shared.errors import SchemaError
from shared.steps.drift import drift

MEASURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
WINDOW = 30


def real_flowers():
    found = load_iris(as_frame=True)
    return found.data.set_axis(MEASURES, axis=1).assign(variety=found.target_names[found.target])


REFERENCE = real_flowers()
SPREADS = {
    kind: (rows[MEASURES].mean(), np.linalg.cholesky(rows[MEASURES].cov()))
    for kind, rows in REFERENCE.groupby("variety")
}


def flowers(count, seed):
    """Return normal flowers with each variety's real means and covariances, measured to 0.1 cm."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice([*SPREADS], count)
    drawn = [SPREADS[kind][0] + SPREADS[kind][1] @ rng.standard_normal(4) for kind in kinds]
    return pd.DataFrame(drawn).round(1).assign(variety=kinds)


def alarms(stream, by, first=20):
    """Return the days (rows seen) on which the newest 30 rows of ``stream`` look drifted."""
    days = range(first, len(stream) + 1)
    return [
        day for day in days if drift(REFERENCE, stream[max(0, day - WINDOW) : day], MEASURES, by=by)["drifted"].any()
    ]


def days_until_seen(seed, by):
    """Return how many shifted flowers, one a day, it takes until 0.8 cm on the petals is seen, at most 40."""
    stream = flowers(WINDOW + 40, seed)
    stream.loc[WINDOW:, ["petal_length", "petal_width"]] += 0.8
    return next((day - WINDOW for day in alarms(stream, by, first=WINDOW + 1)), math.inf)


@pytest.mark.slow
@pytest.mark.parametrize("by", [None, "variety"])
def test_a_year_without_drift_has_at_most_two_days_of_false_alarm(by):
    assert len(alarms(flowers(365, seed=0), by)) <= 2


@pytest.mark.slow
def test_a_shift_of_petals_by_8_mm_is_seen_within_two_weeks_when_varieties_are_known():
    delays = [days_until_seen(seed, "variety") for seed in range(8)]
    assert max(delays) <= 15
    assert min(delays) >= 5  # not an alarm that rings anyway


@pytest.mark.slow
def test_without_the_varieties_the_same_shift_takes_longer():
    known, unknown = (np.median([days_until_seen(seed, by) for seed in range(4)]) for by in ("variety", None))
    assert unknown > known


def column(*values):
    return pd.DataFrame({"petal": values}, dtype=float)


UNIT = column(*np.linspace(0, 1, 50))


def test_the_shift_is_in_reference_standard_deviations_and_has_a_sign():
    table = drift(UNIT, UNIT - 2 * UNIT["petal"].std(), ["petal"])
    assert table["shift"][0] == pytest.approx(-2)
    assert table["drifted"][0]


def test_the_same_rows_have_not_drifted():
    row = drift(UNIT, UNIT, ["petal"]).iloc[0]
    assert (row["statistic"], row["p_value"], row["shift"], row["drifted"], row["note"]) == (0, 1, 0, False, "")


def test_a_wider_spread_is_drift_even_without_a_shift():
    row = drift(UNIT, (UNIT - 0.5) * 10 + 0.5, ["petal"]).iloc[0]
    assert row["drifted"]
    assert row["shift"] == pytest.approx(0, abs=1e-9)


def test_nineteen_rows_are_too_few_and_twenty_are_not():
    few, enough = (drift(UNIT, UNIT[:count] + 9, ["petal"]).iloc[0] for count in (19, 20))
    assert (few["note"], few["drifted"], few["rows"]) == ("too few rows", False, 19)
    assert math.isnan(few["p_value"])
    assert (enough["note"], enough["drifted"]) == ("", True)


def test_too_few_reference_rows_are_too_few_as_well():
    assert drift(UNIT[:19], UNIT + 9, ["petal"])["note"][0] == "too few rows"


def test_no_recent_rows_are_too_few():
    table = drift(REFERENCE, REFERENCE[:0], MEASURES, by="variety")
    assert table["column"].tolist() == MEASURES
    assert table["note"].unique().tolist() == ["too few rows"]
    assert not table["drifted"].any()


def test_blanks_are_left_out_and_do_not_count_as_rows():
    half_blank = UNIT[::2].reindex(UNIT.index)
    row = drift(UNIT, half_blank, ["petal"]).iloc[0]
    assert (row["rows"], row["drifted"], row["note"]) == (25, False, "")
    assert drift(UNIT, half_blank[:30], ["petal"])["note"][0] == "too few rows"


def test_a_column_that_was_constant_is_compared_but_has_no_shift_in_deviations():
    constant = UNIT * 0 + 3
    same, moved = (drift(constant, recent, ["petal"]).iloc[0] for recent in (constant, constant + 1))
    assert (same["drifted"], moved["drifted"]) == (False, True)
    assert math.isnan(same["shift"]) and math.isnan(moved["shift"])
    assert moved["note"] == "constant in the reference"


def test_more_columns_make_each_harder_to_call_drifted():
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(size=(100, 20))).rename(columns=str)
    recent = pd.DataFrame(rng.normal(size=(40, 20))).rename(columns=str).assign(**{"0": rng.normal(1, 1, 40)})
    alone, among = drift(wide, recent, ["0"]), drift(wide, recent, [*wide.columns])
    assert among["p_value"][0] == pytest.approx(20 * alone["p_value"][0])  # the smallest of 20
    assert among["p_value"].max() <= 1


def test_p_values_are_multiplied_by_the_tests_still_open_and_never_fall_again():
    shifted = pd.DataFrame({"far": UNIT["petal"] + 0.4, "near": UNIT["petal"] + 0.2, "too": UNIT["petal"] + 0.2})
    before = pd.DataFrame({name: UNIT["petal"] for name in shifted})
    far, near = (drift(before, shifted, [name])["p_value"][0] for name in ("far", "near"))
    assert far < near < 0.3
    corrected = drift(before, shifted, ["near", "far", "too"]).set_index("column")["p_value"]
    assert corrected.to_dict() == pytest.approx({"far": 3 * far, "near": 2 * near, "too": 2 * near})


def test_a_column_with_too_few_rows_does_not_count_as_a_test():
    both = UNIT.assign(sepal=math.nan)
    shifted = both + 0.2
    with_blank, alone = drift(both, shifted, ["petal", "sepal"]), drift(UNIT, shifted, ["petal"])
    assert with_blank["p_value"][0] == alone["p_value"][0]


def test_another_mix_of_classes_is_drift_only_when_classes_are_not_known():
    only_setosa = REFERENCE[REFERENCE["variety"] == "setosa"]
    assert drift(REFERENCE, only_setosa, MEASURES)["drifted"].all()
    assert not drift(REFERENCE, only_setosa, MEASURES, by="variety")["drifted"].any()


def test_rows_of_an_unknown_class_are_left_out():
    roses = REFERENCE[:40].assign(variety="rose")
    table = drift(REFERENCE, pd.concat([REFERENCE, roses]), MEASURES, by="variety")
    assert table["rows"].tolist() == [150] * 4


def test_a_missing_column_is_named():
    with pytest.raises(SchemaError, match="'stem'"):
        drift(UNIT, UNIT, ["petal", "stem"])


@given(st.floats(0.01, 1000), st.floats(-100, 100))
def test_the_unit_of_a_column_changes_nothing(factor, offset):
    rng = np.random.default_rng(5)
    before, after = column(*rng.normal(size=60)), column(*rng.normal(0.5, 1, 30))
    told, again = drift(before, after, ["petal"]), drift(before * factor + offset, after * factor + offset, ["petal"])
    assert again["statistic"][0] == pytest.approx(told["statistic"][0])
    assert again["shift"][0] == pytest.approx(told["shift"][0], abs=1e-6)
