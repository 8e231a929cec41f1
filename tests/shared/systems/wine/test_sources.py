"""Where wines come from: UCI's and a person's files, good and bad, and the reserve that is opened day by day."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.connect import open_platform
from shared.errors import NotYetError, SourceError, UsageError, WebError
from shared.runs import Run, midnight
from shared.systems.wine import sources
from shared.systems.wine.tables import GRADED, MEASURES, RESERVE, SAMPLES

HEADER = (
    "fixed acidity,volatile acidity,citric acid,residual sugar,chlorides,free sulfur dioxide,total sulfur dioxide,"
    "density,pH,sulphates,alcohol,quality"
)
DRY = "7.4,0.7,0,1.9,0.076,11,34,0.9978,3.51,0.56,9.4,5"
SWEET = "7,0.27,0.36,20.7,0.045,45,170,1.001,3,0.45,8.8,6"
KEPT_BACK = "7.4,0.7,0,1.9,0.076,11,34,0.9978,3.51,0.56,10.1,5"  # as a red wine, its fingerprint begins with 0


def run_of(day):
    return Run("r1", "wine", "daily", date.fromisoformat(day), datetime.now(UTC), "c0de")


def on(number):
    """The run of the day that many days after 2026-11-20."""
    return run_of((date(2026, 11, 20) + timedelta(days=number)).isoformat())


@pytest.fixture
def file(tmp_path):
    """Write a CSV file of these lines, the header first unless told, and return its path."""

    def written(*lines, name="red.csv", header=HEADER):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join([header, *lines]) + "\n")
        return str(path)

    return written


@pytest.fixture
def uci():
    folder = os.environ.get("ALMANAC_TEST_DATA")
    if not folder:
        pytest.skip("ALMANAC_TEST_DATA names no folder with UCI's wine files")
    return Path(folder) / "wine"


def stored(platform):
    return [len(platform.features.read(table)) for table in (SAMPLES, GRADED, RESERVE)]


# --- backfill ------------------------------------------------------------------------------------------------------


def test_without_a_source_ucis_wines_are_stored_one_in_sixteen_in_reserve(platform):
    report = sources.backfill(platform)
    assert report.metrics == {"wines": 1300, "reserve": 81}
    assert stored(platform) == [1219, 1219, 81]
    samples = platform.features.read(SAMPLES)
    assert samples["source"].unique().tolist() == ["uci"]
    assert samples["origin"].unique().tolist() == ["reference"]
    assert samples["taken_at"].unique().tolist() == [pd.Timestamp("2009-01-01", tz="UTC")]
    assert {"uci-red-0001", "uci-white-0490"} <= {*samples["sample_id"]}


def test_a_row_is_numbered_as_in_the_file_of_its_colour(platform):
    wines = sources.reference(platform).set_index("sample_id")
    assert wines.loc["uci-red-0001", "alcohol"] == 9.8
    assert wines.loc["uci-white-0001", [*MEASURES[:3], "grade"]].tolist() == [6.9, 0.19, 0.25, 7]


def test_a_wine_in_reserve_has_no_twin_elsewhere_and_is_in_no_other_table(platform):
    sources.backfill(platform)
    samples, kept = platform.features.read(SAMPLES), platform.features.read(RESERVE)
    assert not {*sources.fingerprint(samples)} & {*sources.fingerprint(kept)}
    assert not {*kept["sample_id"]} & {*samples["sample_id"], *platform.features.read(GRADED)["sample_id"]}
    assert kept[["colour", *MEASURES]].duplicated().any()  # twins are kept back together
    assert sorted({*kept["place"]}) == [*range(kept["place"].nunique())]
    assert (kept.assign(twin=sources.fingerprint(kept)).groupby("place")["twin"].nunique() == 1).all()


def test_a_backfill_again_changes_no_row_also_after_wines_were_opened(platform):
    sources.backfill(platform)
    for number in range(3):
        sources.open_reserve(platform, on(number), "uci")
    before = platform.features.version()
    assert sources.backfill(platform).rows == 0
    assert platform.features.version() == before
    assert (platform.features.read(SAMPLES)["origin"] == "reserve").sum() == 3


def test_two_sources_in_one_store_are_told_apart(platform, file):
    sources.backfill(platform)
    path = file(DRY, SWEET)
    assert sources.backfill(platform, path).rows == 4
    samples = platform.features.read(SAMPLES)
    assert samples.groupby("source").size().to_dict() == {"uci": 1219, sources.source_name(path): 2}


def test_an_archive_that_is_down_stores_nothing_and_is_read_when_it_is_back(monkeypatch):
    monkeypatch.setenv("ALMANAC_FAULTS", "archive.ics.uci.edu=empty:1")
    platform = open_platform()
    with pytest.raises(WebError, match=r"archive.ics.uci.edu/.*again later"):
        sources.backfill(platform)
    assert platform.features.tables() == []
    assert sources.backfill(platform).metrics["wines"] == 1300


# --- which files ---------------------------------------------------------------------------------------------------


def test_of_a_folder_the_red_and_the_white_file_are_read_and_no_other(platform, file, tmp_path):
    file(DRY, name="wines/winequality-red.csv")
    file(SWEET, SWEET, name="wines/WhiteWines.csv")
    file("1,2", name="wines/filtered.csv", header="a,b")
    wines = sources.reference(platform, str(tmp_path / "wines"))
    name = sources.source_name(str(tmp_path / "wines"))
    assert wines["sample_id"].tolist() == [f"{name}-white-0001", f"{name}-white-0002", f"{name}-red-0001"]
    assert name.startswith("wines-")


def test_files_joined_by_commas_are_one_source_and_rows_of_a_colour_count_on(platform, file):
    joined = f"{file(DRY, SWEET, name='a-red.csv')}, {file(SWEET, name='b-red.csv')}"
    wines = sources.reference(platform, joined)
    assert wines["sample_id"].str[-8:].tolist() == ["red-0001", "red-0002", "red-0003"]
    assert wines["source"].nunique() == 1


def test_a_folder_that_leaves_open_which_files_are_meant_is_refused(platform, file, tmp_path):
    file(DRY, name="cellar/a.csv")
    file(SWEET, name="cellar/b.csv")
    with pytest.raises(SourceError, match=r"cellar' holds a.csv, b.csv: name the files that you mean"):
        sources.backfill(platform, str(tmp_path / "cellar"))


def test_a_secret_in_an_address_is_in_no_message_and_no_id(platform):
    url = "https://me:s3cret@archive.ics.uci.edu/ml/machine-learning-databases/wine-quality/winequality-red.csv"
    wines = sources.reference(platform, f"{url}?token=s3cret")
    assert len(wines) == 320
    assert not wines["sample_id"].str.contains("s3cret").any()
    with pytest.raises(SourceError, match="winequality-red.csv has wines that are not white") as refused:
        sources.reference(platform, f"{url}?token=s3cret", "white")
    assert "s3cret" not in str(refused.value)


# --- columns -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        HEADER,
        HEADER.replace(" ", "_"),
        HEADER.replace(" ", ".").title(),
        HEADER.replace("sulfur", "sulphur").replace("sulphates", "sulfates").replace("quality", "Score"),
        HEADER.replace("residual sugar", "residual sugar (g/L)").replace("quality", "grade"),
    ],
)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_are_found_however_they_are_written(platform, file, header, separator):
    path = file(DRY.replace(",", separator), header=header.replace(",", separator))
    wine = sources.reference(platform, path).iloc[0]
    assert wine[list(MEASURES)].tolist() == [7.4, 0.7, 0, 1.9, 0.076, 11, 34, 0.9978, 3.51, 0.56, 9.4]
    assert (wine["grade"], wine["colour"]) == (5, "red")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_file_of_another_encoding_is_read(platform, tmp_path, encoding):
    path = tmp_path / "red.csv"
    path.write_text(f"{HEADER},château\n{DRY},é\n", encoding=encoding)
    assert sources.backfill(platform, str(path)).metrics["wines"] == 1


def test_blank_measures_stay_blank(platform, file):
    path = file(DRY.replace("7.4", "").replace("3.51", "NA"), SWEET)
    assert sources.backfill(platform, path).metrics["wines"] == 2
    samples = platform.features.read(SAMPLES)
    assert samples[list(MEASURES)].isna().sum().to_dict() == {**dict.fromkeys(MEASURES, 0), "fixed_acidity": 1, "ph": 1}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([DRY, DRY.replace("9.4", "strong")], "alcohol is 'strong' in row 2; a measure is a number or blank"),
        ([DRY.replace("9.4", "inf")], "alcohol is 'inf' in row 1"),
        ([DRY, SWEET[:-1]], "grade is blank in row 2; every wine needs a whole one"),
        ([SWEET[:-1] + "good"], "grade is 'good' in row 1"),
        ([DRY, SWEET, DRY + ".5"], r"grade is '5.5' in row 3"),
        ([DRY[:-1] + "1e300"], "grade is '1e.300' in row 1"),
        ([DRY[:-1] + "-5"], "grade is '-5' in row 1"),
        ([DRY, DRY[:20]], "has 6 fields in line 3, 12 in its header"),
        ([], "has a header but no rows"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_and_nothing_is_stored(platform, file, lines, said):
    with pytest.raises(SourceError, match=rf"red.csv'.*{said}"):
        sources.backfill(platform, file(*lines))
    assert platform.features.tables() == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><p>404", "is a web page or JSON"),
        (b"PK\x03\x04\x00\x00", "is not a text file"),
        (b"a,b\n1,2\n", "has no column fixed_acidity, volatile_acidity"),
        (HEADER.replace(",alcohol", "").encode() + b"\n" + DRY.replace(",9.4", "").encode(), "has no column alcohol"),
    ],
)
def test_a_file_that_is_no_table_of_wines_is_refused(platform, tmp_path, content, said):
    (tmp_path / "red.csv").write_bytes(content)
    with pytest.raises(SourceError, match=f"red.csv' {said}"):
        sources.backfill(platform, str(tmp_path / "red.csv"))


# --- colour --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("type", ("red", "White")),
        ("Colour", (" RED ", "white")),
        ("wine_type", ("red", "white")),
        ("wine color", ("Red", "WHITE")),
        ("is_red", ("1", "0")),
        ("is_white", ("False", "True")),
        ("color_red", ("1.0", "0.0")),
        ("red", ("yes", "no")),
    ],
)
def test_a_column_says_the_colour_before_the_files_name_does(platform, file, column, values):
    path = file(f"{DRY},{values[0]}", f"{SWEET},{values[1]}", header=f"{HEADER},{column}", name="white.csv")
    wines = sources.reference(platform, path)
    assert wines["colour"].tolist() == ["red", "white"]
    name = sources.source_name(path)
    assert wines["sample_id"].tolist() == [f"{name}-red-0001", f"{name}-white-0002"]


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("type", ("0", "1"), "type is '0' in row 1; write red or white, or name a column of 1 and 0 is_red"),
        ("type", ("red", "rosé"), "type is 'rosé' in row 2; write red or white"),
        ("type", ("red", ""), "type is blank in row 2"),
        ("is_red", ("1", "2"), "is_red is '2' in row 2"),
        ("is_red", ("1", ""), "is_red is blank in row 2"),
    ],
)
def test_a_colour_that_is_not_certain_is_refused(platform, file, column, values, said):
    path = file(f"{DRY},{values[0]}", f"{SWEET},{values[1]}", header=f"{HEADER},{column}")
    with pytest.raises(SourceError, match=said):
        sources.reference(platform, path)


def test_without_column_or_name_the_colour_must_be_told(platform, file):
    path = file(DRY, name="reduced.csv")
    with pytest.raises(SourceError, match=r"reduced.csv' does not say whether its wines are red or white.*--colour"):
        sources.reference(platform, path)
    assert sources.reference(platform, path, "white")["colour"].tolist() == ["white"]


def test_a_colour_that_the_file_contradicts_is_refused(platform, file):
    with pytest.raises(SourceError, match="has wines that are not white: leave --colour out"):
        sources.reference(platform, file(DRY), "white")
    mixed = file(f"{DRY},red", f"{SWEET},white", header=f"{HEADER},type", name="x.csv")
    with pytest.raises(SourceError, match="has wines that are not red"):
        sources.reference(platform, mixed, "red")
    assert sources.reference(platform, file(DRY), "red")["colour"].tolist() == ["red"]


@pytest.mark.parametrize(("source", "colour"), [("", "red"), ("red.csv", "rosé"), ("red.csv", "Red")])
def test_a_colour_that_is_none_or_of_no_source_is_wrong_usage(platform, source, colour):
    with pytest.raises(UsageError, match=r"--colour (says|is red or white)"):
        sources.reference(platform, source, colour)


# --- bounds --------------------------------------------------------------------------------------------------------


def test_a_wine_out_of_bounds_goes_to_quarantine_with_the_reason_and_has_no_grade(platform, file):
    report = sources.backfill(platform, file(DRY, SWEET.replace("8.8", "88"), SWEET))
    assert report.metrics["wines"] == 2
    assert report.note == "1 rows refused: see `almanac table wine_samples_quarantine`"
    assert stored(platform) == [2, 2, 0]
    (refused,) = platform.features.read(SAMPLES.quarantine).to_dict("records")
    assert refused["reason"] == "alcohol is above 22 % vol"
    assert refused["sample_id"].endswith("-red-0002")


def test_a_grade_that_no_wine_of_the_study_had_goes_to_quarantine_with_its_wine(platform, file):
    report = sources.backfill(platform, file(DRY, SWEET[:-1] + "10", SWEET))
    assert report.note == "1 rows refused: see `almanac table wine_grades_quarantine`"
    assert stored(platform) == [2, 2, 0]
    assert platform.features.read(GRADED.quarantine)["reason"].tolist() == ["grade is above 9"]


def test_refused_rows_again_change_nothing(platform, file):
    path = file(DRY, SWEET.replace("8.8", "88"), SWEET[:-1] + "10", SWEET, DRY)
    sources.backfill(platform, path)
    before = platform.features.version()
    assert sources.backfill(platform, path).rows == 0
    assert platform.features.version() == before


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (DRY.replace("0.9978", "997.8"), r"density is above 1.2 g/cm³ \(such as 997.8\): convert the column to g/cm³"),
        (DRY.replace("9.4", "0.094"), r"alcohol is below 5 % vol \(such as 0.094\): convert the column to % vol"),
        (DRY[:-1] + "85", r"grade is above 9 \(such as 85\): correct the column"),
        (DRY.replace("3.51", "8"), r"ph is above 5 \(such as 8\): correct the column"),
    ],
)
def test_a_file_in_other_units_is_refused_whole_with_column_and_unit(platform, file, line, said):
    with pytest.raises(SourceError, match=rf"red.csv': most rows cannot be, as {said}"):
        sources.backfill(platform, file(line, line, DRY))
    assert platform.features.tables() == []


def test_one_file_of_two_in_other_units_refuses_both(platform, file):
    good, bad = file(*[SWEET] * 9, name="white.csv"), file(DRY.replace("0.9978", "997.8"))
    with pytest.raises(SourceError, match=r"red.csv'.*density"):
        sources.backfill(platform, f"{good},{bad}")
    assert platform.features.tables() == []


def test_half_of_the_rows_out_of_bounds_are_refused_one_by_one(platform, file):
    report = sources.backfill(platform, file(DRY, SWEET.replace("8.8", "88")))
    assert (report.metrics["wines"], stored(platform)) == (1, [1, 1, 0])


def test_more_free_than_total_sulfur_dioxide_is_kept_and_said(platform, file):
    report = sources.backfill(platform, file(DRY.replace(",11,34,", ",35,34,"), SWEET))
    assert report.note == "1 wines with more free than total sulfur dioxide, kept"
    assert stored(platform) == [2, 2, 0]


# --- a file that changed -------------------------------------------------------------------------------------------


def test_a_file_that_grew_brings_the_new_wines_alone(platform, file):
    sources.backfill(platform, file(DRY))
    assert sources.backfill(platform, file(DRY, SWEET)).rows == 2
    assert stored(platform) == [2, 2, 0]


@pytest.mark.parametrize(
    "lines",
    [
        (SWEET, DRY, KEPT_BACK),
        (DRY, SWEET),
        (DRY, KEPT_BACK),
        (DRY, SWEET.replace("8.8", "8.9"), KEPT_BACK),
        (DRY, SWEET[:-1] + "7", KEPT_BACK),
        (DRY, SWEET, KEPT_BACK[:-1] + "6"),
    ],
)
def test_a_stored_wine_that_changed_or_went_is_refused_as_wines_could_leave_the_reserve(platform, file, lines):
    sources.backfill(platform, file(DRY, SWEET, KEPT_BACK))
    before = platform.features.version()
    with pytest.raises(SourceError, match=r"red.csv' held [12] other wines when it was stored.*under another name"):
        sources.backfill(platform, file(*lines))
    assert platform.features.version() == before
    assert sources.backfill(platform, file(*lines, name="red-2.csv")).metrics["wines"] == len(lines)


def test_a_file_that_grew_keeps_back_new_wines_in_their_place_among_the_old(platform, file):
    sources.backfill(platform, file(DRY, KEPT_BACK))
    assert stored(platform) == [1, 1, 1]
    sources.backfill(platform, file(DRY, KEPT_BACK, KEPT_BACK.replace("10.1", "10.9"), KEPT_BACK))
    kept = platform.features.read(RESERVE).sort_values("place")
    assert kept["place"].tolist() == [0, 0, 1]  # twins share a place
    assert sources.fingerprint(kept) == sorted(sources.fingerprint(kept))


def test_a_refused_row_may_be_corrected(platform, file):
    sources.backfill(platform, file(DRY, SWEET.replace("8.8", "88")))
    assert sources.backfill(platform, file(DRY, SWEET)).rows == 2


# --- the reserve ---------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(platform):
    sources.backfill(platform)
    return platform


def opened(platform):
    samples = platform.features.read(SAMPLES)
    return samples[samples["origin"] == "reserve"].sort_values("taken_at")


def test_a_day_opens_the_wine_at_its_place_and_its_grade_is_known_a_day_later(filled):
    assert sources.open_reserve(filled, run_of("2026-11-20"), "uci") == 1
    kept = filled.features.read(RESERVE)
    place = date(2026, 11, 20).toordinal() % kept["place"].nunique()
    due = kept.loc[kept["place"] == place, "sample_id"].sort_values().tolist()[:1]
    assert opened(filled)["sample_id"].tolist() == due == OPENED[:1]
    assert opened(filled)["taken_at"].tolist() == [pd.Timestamp("2026-11-20", tz="UTC")]
    assert filled.features.read(GRADED, since=midnight(date(2026, 1, 1))).empty
    assert sources.open_reserve(filled, run_of("2026-11-21"), "uci") == 2
    (grade,) = filled.features.read(GRADED, since=midnight(date(2026, 1, 1))).to_dict("records")
    assert grade == {
        "sample_id": due[0],
        "graded_at": pd.Timestamp("2026-11-21", tz="UTC"),
        "grade": int(kept.loc[kept["sample_id"] == due[0], "grade"].iloc[0]),
        "grader": "panel",
    }


OPENED = [
    "uci-white-0950",
    "uci-red-0024",
    "uci-white-0056",
]  # literal: the same dates bring the same wines on any machine, whatever its libraries


def test_these_very_wines_come_on_these_days(filled):
    for number in range(3):
        sources.open_reserve(filled, on(number), "uci")
    assert opened(filled)["sample_id"].tolist() == OPENED


def test_the_same_day_twice_changes_nothing(filled):
    for day in ("2026-11-20", "2026-11-21"):
        sources.open_reserve(filled, run_of(day), "uci")
    before = filled.features.version()
    assert [sources.open_reserve(filled, run_of(day), "uci") for day in ("2026-11-20", "2026-11-21")] == [0, 0]
    assert filled.features.version() == before


def test_once_all_are_opened_a_day_opens_none_and_moves_none(platform, file):
    path = file(DRY, KEPT_BACK, KEPT_BACK.replace("10.1", "10.9"))
    sources.backfill(platform, path)
    name = sources.source_name(path)
    assert [sources.open_reserve(platform, on(number), name) for number in range(3)] == [1, 2, 1]  # the last: a grade
    first = opened(platform)
    assert first["taken_at"].is_unique
    assert [sources.open_reserve(platform, on(number), name) for number in range(3, 6)] == [0, 0, 0]
    pd.testing.assert_frame_equal(opened(platform), first)


def test_a_day_caught_up_later_reads_no_grade_that_was_not_known_then(filled):
    sources.open_reserve(filled, run_of("2026-11-20"), "uci")
    sources.open_reserve(filled, run_of("2026-11-18"), "uci")
    assert filled.features.read(GRADED, since=midnight(date(2026, 1, 1))).empty
    sources.open_reserve(filled, run_of("2026-11-21"), "uci")
    assert len(filled.features.read(GRADED, since=midnight(date(2026, 1, 1)))) == 2


def test_the_same_wines_stored_from_elsewhere_are_opened_in_the_same_order(filled, tmp_path):
    for colour in ("red", "white"):
        url = f"https://archive.ics.uci.edu/ml/machine-learning-databases/wine-quality/winequality-{colour}.csv"
        (tmp_path / f"{colour}.csv").write_bytes(filled.web.get(url).body)
    sources.backfill(filled, str(tmp_path))
    name = sources.source_name(str(tmp_path))
    for number in range(3):
        sources.open_reserve(filled, on(number), name)
    assert opened(filled)["sample_id"].str.removeprefix(name).tolist() == [one.removeprefix("uci") for one in OPENED]


def test_a_source_too_small_for_a_reserve_opens_nothing(platform, file):
    path = file(DRY, SWEET)
    sources.backfill(platform, path)
    assert sources.open_reserve(platform, run_of("2026-11-20"), sources.source_name(path)) == 0


def test_a_source_that_is_not_stored_names_the_stage_to_run(filled):
    with pytest.raises(NotYetError, match="almanac run wine backfill"):
        sources.open_reserve(filled, run_of("2026-11-20"), "cellar-1a2b")


MEASURED = st.lists(st.none() | st.integers(0, 10**7).map(lambda number: number / 10**4), min_size=11, max_size=11)


@given(st.sampled_from(["red", "white"]), MEASURED)
def test_a_wine_is_the_same_however_its_last_digits_were_read_and_its_blanks_are_written(colour, measures):
    one = pd.DataFrame([[colour, *measures]], columns=["colour", *MEASURES])
    again = one.assign(**{name: one[name].astype(float) * (1 + 2e-16) for name in MEASURES})
    assert sources.fingerprint(one.astype(dict.fromkeys(MEASURES, float))) == sources.fingerprint(again)
    other = one.assign(colour={"red": "white", "white": "red"}[colour]).astype(dict.fromkeys(MEASURES, float))
    assert sources.fingerprint(other) != sources.fingerprint(again)


# --- the real wines ------------------------------------------------------------------------------------------------


def test_ucis_own_folder_gives_6497_wines_and_389_in_reserve(platform, uci):
    report = sources.backfill(platform, str(uci))
    assert report.metrics == {"wines": 6497, "reserve": 389}
    assert report.note == ""
    assert sources.backfill(platform, str(uci)).rows == 0


def test_the_variant_with_a_type_column_keeps_its_38_blank_cells(platform, uci):
    wines = sources.reference(platform, str(uci / "id2223_wine.csv"))
    assert wines["colour"].value_counts().to_dict() == {"white": 4898, "red": 1599}
    assert wines[list(MEASURES)].isna().sum().sum() == 38
    assert sources.backfill(platform, str(uci / "id2223_wine.csv")).metrics == {"wines": 6497, "reserve": 390}


def test_the_variant_keeps_the_same_wines_in_reserve_but_those_with_blanks(platform, uci):
    kept = [sources.ranked(sources.reference(platform, str(uci / name))) for name in (".", "id2223_wine.csv")]
    there, here = ({*sources.fingerprint(one.dropna())} for one in kept)
    assert len(there) > 300
    assert here <= there
    assert len(there - here) <= 5


def test_sulfur_dioxide_in_grams_is_refused_with_the_unit_that_is_expected(platform, file):
    grams = [DRY.replace(DRY.split(",")[6], "0.097", 1), SWEET.replace(",170,", ",0.170,")]
    grams = [",".join([*row.split(",")[:6], "0.12", *row.split(",")[7:]]) for row in grams]
    with pytest.raises(SourceError, match="mg/L"):
        sources.backfill(platform, file(*grams))
    assert stored(platform) == [0, 0, 0]
