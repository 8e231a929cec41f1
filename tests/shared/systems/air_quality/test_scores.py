"""Figures of literal rows: what is left out, what a mean is of, which sign a difference has."""

import numpy as np
import pandas as pd
import pytest

from shared.systems.air_quality.scores import ALWAYS, by_lead, covered, errors, judged, totals
from shared.systems.air_quality.tables import BASELINES, LEADS


def rows_of(observed, said, baseline, lead=1, **fields):
    """Rows of one station, a day each: every baseline says the same, CAMS nothing."""
    frame = pd.DataFrame({"observed": observed, "pm25": said}, dtype=float)
    frame = frame.assign(station="a", day=pd.date_range("2026-01-01", periods=len(frame), tz="UTC"), lead=lead)
    frame = frame.assign(low=frame["pm25"] - 2, high=frame["pm25"] + 2, **dict.fromkeys(ALWAYS, np.float64(0)))
    return frame.assign(**dict.fromkeys(ALWAYS, baseline), cams=np.nan, **fields)


def test_a_row_counts_when_truth_forecast_and_every_baseline_are_known():
    rows = rows_of([10, np.nan, 10, 10], [9, 9, np.nan, 9], 8)
    rows.loc[3, "ridge"] = np.nan
    assert judged(rows).index.tolist() == [0]


def test_cams_need_not_have_spoken():
    assert len(judged(rows_of([10], [9], 8))) == 1


def test_an_error_is_the_forecast_less_the_truth_named_by_day_station_and_lead():
    found = errors(rows_of([10, 4], [9, 7], 8))
    assert found.tolist() == [-1, 3]
    assert found.index.names == ["day", "station", "lead"]
    assert errors(rows_of([10, 4], [9, 7], 8), "damped").tolist() == [-2, 4]


def test_totals_are_over_the_rows_that_count():
    metrics, baselines = totals(rows_of([10, 10, np.nan], [9, 13, 99], 6))
    assert metrics == {"rmse": pytest.approx(5**0.5), "mae": 2.0, "coverage": 0.5, "skill": pytest.approx(1 - 10 / 32)}
    assert baselines == dict.fromkeys(ALWAYS, 4.0)
    assert "cams" not in baselines


def test_cams_has_a_figure_once_it_spoke():
    assert totals(rows_of([10, 10], [9, 13], 6).assign(cams=7.0))[1]["cams"] == 3.0


def test_a_perfect_baseline_gives_no_infinite_skill():
    assert np.isfinite(totals(rows_of([10, 10], [9, 9], 10))[0]["skill"])


def test_an_interval_holds_its_own_ends_and_one_that_is_not_known_does_not_count():
    rows = rows_of([10, 12, 12.5, 10], [10, 10, 10, 10], 8)
    rows.loc[3, "low"] = np.nan
    assert covered(rows) == pytest.approx(2 / 3)
    assert np.isnan(covered(rows.head(0)))


def test_a_lead_has_a_row_with_our_error_first_and_less_than_ridge_below_zero_when_we_err_less():
    rng = np.random.default_rng(0)
    truth = 10 + rng.normal(size=120)
    parts = [rows_of(truth, truth + 0.1 * rng.normal(size=120), truth + rng.normal(size=120), lead) for lead in LEADS]
    table = by_lead(pd.concat(parts))
    assert [row["lead"] for row in table] == [*LEADS]
    for row in table:
        assert row["rows"] == 120
        assert row["ours"] < row["ridge"] == row["damped"]
        assert row["coverage"] == 1
        assert "cams" not in row
        middle, ends = row["less than ridge"].split(" (")
        low, high = map(float, ends.rstrip(")").split(" to "))
        assert low <= float(middle) <= high
        assert low > 0.5  # by how much less we err than the ridge
        assert row["p"] < 0.001
    assert {*BASELINES} - {*table[0]} == {"cams"}
