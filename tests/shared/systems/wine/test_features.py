"""Which wines are graded, and which are not yet predicted."""

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from shared.errors import NotYetError, UsageError
from shared.runs import midnight
from shared.systems.wine.features import (
    FEATURES,
    fingerprint,
    inputs,
    labelled,
    medians,
    ranges,
    sources,
    unpredicted,
    usual_source,
)
from shared.systems.wine.tables import COLOURS, GRADED, GRADES, MEASURES, PREDICTIONS, SAMPLES

MEASURED = dict(zip(MEASURES, (7.4, 0.7, 0.0, 1.9, 0.076, 11.0, 34.0, 0.9978, 3.51, 0.56, 9.4), strict=True))
NOV_20, NOV_21, NOV_22 = (midnight(date(2026, 11, day)) for day in (20, 21, 22))
OLD = datetime(2009, 1, 1, tzinfo=UTC)


def sample(sample_id, origin="reference", source="uci", taken_at=OLD, **measures):
    return {
        "sample_id": sample_id,
        "taken_at": taken_at,
        "origin": origin,
        "source": source,
        "colour": "red",
        **MEASURED,
        **measures,
    }


def grade(sample_id, grade=5, graded_at=OLD, grader="panel"):
    return {"sample_id": sample_id, "graded_at": graded_at, "grade": grade, "grader": grader}


def store(platform, samples, grades=()):
    platform.features.write(SAMPLES, pd.DataFrame(samples))
    if grades:
        platform.features.write(GRADED, pd.DataFrame(grades))


def predict(platform, sample_id, input_hash, taken_at=NOV_20):
    row = {"sample_id": sample_id, "taken_at": taken_at, "origin": "reserve", "quality": 5.4, "grade": 5, "low": 4.0}
    row |= {"high": 7.0, **{f"p{one}": 1 / 7 for one in GRADES}, "input_hash": input_hash, "model": "wine"}
    row |= {"model_version": 1, "run_id": "r1", "code_version": "c0de", "store_version": 1}
    platform.features.write(PREDICTIONS, pd.DataFrame([row]))


# --- labelled ------------------------------------------------------------------------------------------------------


def test_a_source_gives_its_graded_wines_by_id_with_all_columns_and_the_grade(platform):
    samples = [sample("b"), sample("a", alcohol=None), sample("c"), sample("x", source="cellar")]
    store(platform, samples, [grade("a", 7), grade("b", 3), grade("x")])
    known = labelled(platform, None, "uci")
    assert list(known.columns) == [*SAMPLES.names, "grade"]
    assert known["sample_id"].tolist() == ["a", "b"]
    assert known["grade"].tolist() == [7, 3]
    assert known["grade"].dtype == "int64"
    assert known["alcohol"].isna().tolist() == [True, False]


def test_a_wine_of_the_reserve_counts_from_when_its_grade_is_known(platform):
    samples = [sample("a"), sample("r", "reserve", taken_at=NOV_20)]
    store(platform, samples, [grade("a"), grade("r", 8, NOV_21)])
    assert labelled(platform, NOV_21, "uci")["sample_id"].tolist() == ["a"]
    assert labelled(platform, NOV_22, "uci")["sample_id"].tolist() == ["a", "r"]


def test_synthetic_wines_and_grades_that_no_panel_gave_are_never_among_them(platform):
    samples = [sample("a"), sample("s", "synthetic", taken_at=NOV_20), sample("t")]
    store(platform, samples, [grade("a"), grade("s"), grade("t", grader="synthesizer")])
    assert labelled(platform, None, "uci")["sample_id"].tolist() == ["a"]


def test_without_any_the_stage_to_run_is_named_with_the_sources_there_are(platform):
    with pytest.raises(NotYetError, match=r"of 'uci'; run `almanac run wine backfill`"):
        labelled(platform, None, "uci")
    store(platform, [sample("x", source="cellar")], [grade("x")])
    with pytest.raises(NotYetError, match=r"of 'uci', only of cellar; run"):
        labelled(platform, None, "uci")
    assert labelled(platform, None, "uci", missing_ok=True).empty


def test_sources_are_those_of_real_wines(platform):
    assert sources(platform) == []
    store(platform, [sample("a"), sample("b", source="cellar"), sample("s", "synthetic", source="old")])
    assert sources(platform) == ["cellar", "uci"]


def test_the_usual_source_is_the_only_one_there_is_and_of_several_one_must_be_named(platform):
    assert usual_source(platform, NOV_20) == "uci"
    store(platform, [sample("x", source="cellar")])
    assert usual_source(platform, NOV_20) == "cellar"
    store(platform, [sample("a")])
    with pytest.raises(UsageError, match="holds wines of cellar, uci: name one with --source"):
        usual_source(platform, NOV_20)


# --- inputs --------------------------------------------------------------------------------------------------------

NO_BLANKS = dict.fromkeys(COLOURS, MEASURED)


def test_the_ratios_are_those_that_a_hand_would_reckon():
    found = inputs(pd.DataFrame([sample("a")]), NO_BLANKS)
    assert [*found.columns] == [*FEATURES]
    assert {*map(str, found.dtypes)} == {"float32"}
    assert found.iloc[0].to_dict() == pytest.approx(
        {
            **MEASURED,
            "white": 0,
            "free_share": 11 / 34,
            "bound_so2": 23,
            "molecular_so2": 11 / (1 + 10**1.70),
            "sugar_by_alcohol": 1.9 / 9.4,
            "acids": 8.1,
            "volatile_share": 0.7 / 7.4,
            "citric_by_volatile": 0,
            "sulphates_by_chlorides": 0.56 / 0.076,
            "dry_density": -0.0022 + 0.00125 * 9.4 - 0.0004 * 1.9,
        },
        rel=1e-5,
        abs=1e-7,
    )


def test_a_ratio_to_nothing_is_0_and_a_white_wine_is_marked():
    nothing = sample("a", total_sulfur_dioxide=0.0, free_sulfur_dioxide=0.0, chlorides=0.0)
    found = inputs(pd.DataFrame([{**nothing, "colour": "white"}]), NO_BLANKS).iloc[0]
    assert found[["free_share", "sulphates_by_chlorides", "white"]].tolist() == [0, 0, 1]


def test_a_blank_becomes_the_median_of_its_colour_or_of_all_where_the_colour_has_none():
    wines = [sample("a", ph=3.0), sample("b", ph=3.2), sample("c", ph=3.6)]
    blanks = medians(pd.DataFrame([*wines, {**sample("d", ph=None), "colour": "white"}]))
    assert (blanks["red"]["ph"], blanks["white"]["ph"]) == (3.2, 3.2)
    assert medians(pd.DataFrame([*wines, {**sample("d", ph=4.0), "colour": "white"}]))["white"]["ph"] == 4.0
    assert inputs(pd.DataFrame([sample("e", ph=None)]), blanks)["ph"].tolist() == pytest.approx([3.2])


def test_ranges_are_of_the_colours_that_there_are():
    found = ranges(pd.DataFrame([sample("a", ph=3.0), sample("b", ph=3.2), sample("c", ph=None)]))
    assert [*found] == ["red"]
    assert found["red"]["ph"] == pytest.approx([3.0, 3.05, 3.1, 3.15, 3.2])


# --- unpredicted ---------------------------------------------------------------------------------------------------


def test_wines_of_both_tracks_wait_until_they_are_predicted_and_reference_wines_never(platform):
    store(platform, [sample("a"), sample("r", "reserve", taken_at=NOV_20), sample("s", "synthetic", taken_at=NOV_20)])
    waiting = unpredicted(platform, NOV_21)
    assert sorted(waiting["sample_id"]) == ["r", "s"]
    predict(platform, "r", waiting.set_index("sample_id").loc["r", "input_hash"])
    assert unpredicted(platform, NOV_21)["sample_id"].tolist() == ["s"]


def test_a_wine_measured_anew_waits_again(platform):
    store(platform, [sample("r", "reserve", taken_at=NOV_20)])
    predict(platform, "r", unpredicted(platform, NOV_21)["input_hash"].iloc[0])
    assert unpredicted(platform, NOV_21).empty
    store(platform, [sample("r", "reserve", taken_at=NOV_20, alcohol=9.5)])
    assert unpredicted(platform, NOV_21)["sample_id"].tolist() == ["r"]


def test_what_came_later_or_after_the_version_asked_for_is_not_seen(platform):
    store(platform, [sample("r", "reserve", taken_at=NOV_20)])
    version = platform.features.version()
    store(platform, [sample("s", "synthetic", taken_at=NOV_20), sample("t", "synthetic", taken_at=NOV_21)])
    assert unpredicted(platform, NOV_21, as_of=version)["sample_id"].tolist() == ["r"]
    assert sorted(unpredicted(platform, NOV_21)["sample_id"]) == ["r", "s"]


def test_an_empty_store_has_nothing_to_predict(platform):
    assert unpredicted(platform, NOV_21).empty


# --- fingerprint ---------------------------------------------------------------------------------------------------


def test_twins_have_the_same_fingerprint_and_each_measure_and_the_colour_count(platform):
    one = sample("a")
    others = [{**one, "colour": "white"}, *({**one, name: one[name] + 0.01} for name in MEASURES), {**one, "ph": None}]
    hashes = fingerprint(pd.DataFrame([one, {**one, "sample_id": "b"}, *others]))
    assert hashes[0] == hashes[1]
    assert len({*hashes[1:]}) == len(others) + 1
    assert all(len(one) == 12 and int(one, 16) >= 0 for one in hashes)
