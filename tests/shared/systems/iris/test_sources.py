"""Where flowers come from, and what a person's own file may look like."""

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from shared.errors import NotYetError, SourceError, UsageError, WebError
from shared.runs import Run
from shared.systems.iris import sources
from shared.systems.iris.tables import FLOWERS, LABELS, MEASURES, VARIETIES

GROWN = {  # on 2026-11-20
    "variety": ["setosa", "virginica", "virginica"],
    "measures": [[4.7, 3.5, 1.5, 0.2], [7.1, 3.2, 5.9, 2.4], [7.4, 3.2, 5.8, 1.9]],
}
HEADER = "sepal_length,sepal_width,petal_length,petal_width,variety\n"


@pytest.fixture
def copula(platform):
    sources.backfill(platform)
    return sources.fit_copula(platform)


def run_of(day):
    return Run("r1", "iris", "daily", date.fromisoformat(day), datetime.now(UTC), "c0de")


def test_the_reference_is_fishers_150_flowers_fifty_of_each_variety(platform):
    assert sources.backfill(platform).rows == 300
    flowers, labels = platform.features.read(FLOWERS), platform.features.read(LABELS)
    assert flowers["origin"].unique().tolist() == ["reference"]
    assert labels["variety"].value_counts().to_dict() == dict.fromkeys(VARIETIES, 50)
    assert flowers.loc[flowers["flower_id"] == "fisher-0001", list(MEASURES)].iloc[0].tolist() == [5.1, 3.5, 1.4, 0.2]


def test_a_backfill_again_changes_no_row(platform):
    sources.backfill(platform)
    before = platform.features.version()
    assert sources.backfill(platform).rows == 0
    assert platform.features.version() == before


def test_ones_own_csv_is_read_whatever_its_names_and_separator(platform, tmp_path):
    path = tmp_path / "My Garden.csv"
    path.write_bytes(
        "\ufeffSepal Length (cm);Sepal.Width;petal length;Petal_Width;Species\n5,1;3,5;1,4;0,2;Iris-setosa\n".encode()
    )
    flowers, labels = sources.reference(platform, str(path))
    assert flowers[list(MEASURES)].to_numpy().tolist() == [[5.1, 3.5, 1.4, 0.2]]
    assert flowers["flower_id"].str.match(r"my-garden-[0-9a-f]{4}-0001").all()
    assert labels["variety"].tolist() == ["setosa"]


def test_an_address_is_read_through_the_world(platform):
    flowers, _ = sources.reference(platform, "https://raw.githubusercontent.com/mwaskom/seaborn-data/master/iris.csv")
    assert len(flowers) == 150
    assert flowers["flower_id"].iloc[0].endswith("-0001")


def test_two_files_of_one_name_are_two_sources_and_one_file_again_is_the_same(platform, tmp_path):
    for folder, length in (("x", 5.1), ("y", 5.9), ("x", 5.2)):
        path = tmp_path / folder / "garden.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(HEADER + f"{length},3.5,1.4,0.2,setosa\n")
        sources.backfill(platform, str(path))
    assert sorted(platform.features.read(FLOWERS)["sepal_length"]) == [5.2, 5.9]


def test_a_secret_in_an_address_is_in_no_message_and_no_id(platform):
    url = "https://raw.githubusercontent.com/mwaskom/seaborn-data/master/iris.csv"
    flowers, _ = sources.reference(platform, f"{url}?token=s3cr.et-value")
    assert not flowers["flower_id"].str.contains("s3cr").any()
    with pytest.raises(WebError) as refused:
        sources.reference(platform, "https://example.org/x.csv?token=s3cr.et-value")
    assert "s3cr" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (HEADER.encode(), "no row"),
        (b"sepal_length,sepal_width,petal_length,variety\n5,3,1,setosa\n", "petal_width"),
        (f"{HEADER}5.1,3.5,n/a,0.2,setosa\n".encode(), "petal_length is .* in row 1"),
        (f"{HEADER}5.1,3.5,,0.2,setosa\n".encode(), "petal_length is .* in row 1"),
        (f"{HEADER}5.1,3.5,inf,0.2,setosa\n".encode(), "petal_length"),
        (f"{HEADER}5.1,3.5,1.4,0.2,tulip\n".encode(), "tulip"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" * 20, "CSV"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence_and_nothing_is_stored(platform, tmp_path, content, said):
    path = tmp_path / "flowers.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=f"flowers.csv.*{said}|{said}.*flowers.csv"):
        sources.backfill(platform, str(path))
    assert platform.features.tables() == []


def test_a_measure_out_of_bounds_goes_to_quarantine_and_the_rest_is_stored(platform, tmp_path):
    path = tmp_path / "flowers.csv"
    path.write_text(HEADER + "51,3.5,1.4,0.2,setosa\n5.1,3.5,1.4,0.2,setosa\n")
    report = sources.backfill(platform, str(path))
    assert "1 rows refused" in report.note
    (kept,) = platform.features.read(FLOWERS)["flower_id"]
    assert kept.endswith("-0002")
    assert platform.features.read(LABELS)["flower_id"].tolist() == [kept]
    assert "sepal_length is above 30 cm" in platform.features.read(FLOWERS.quarantine)["reason"][0]


def test_the_same_date_brings_the_same_flower(copula):
    once = sources.draw(copula, date(2026, 11, 20))
    assert once["flower_id"].tolist() == ["2026-11-20-1"]
    pd.testing.assert_frame_equal(sources.draw(copula, date(2026, 11, 20)), once)
    assert not sources.draw(copula, date(2026, 11, 21))[list(MEASURES)].equals(once[list(MEASURES)])


def test_this_very_flower_grows_on_any_machine(copula):
    """Literal values: another platform, BLAS or library version must not change what a date brings."""
    flowers = sources.draw(copula, date(2026, 11, 20), count=3)
    assert sources.identify(flowers)["variety"].tolist() == GROWN["variety"]
    assert flowers[list(MEASURES)].to_numpy().tolist() == GROWN["measures"]


def test_more_flowers_on_a_day_leave_the_first_as_it_was(copula):
    three = sources.draw(copula, date(2026, 11, 20), count=3)
    pd.testing.assert_frame_equal(three.iloc[:1], sources.draw(copula, date(2026, 11, 20)))


def test_drift_shifts_the_petals_alone_and_no_label(copula):
    calm, drifted = (sources.draw(copula, date(2026, 11, 20), 20, drift) for drift in (0.0, 0.8))
    shift = (drifted[list(MEASURES)] - calm[list(MEASURES)]).round(1)
    assert (shift[["petal_length", "petal_width"]] == 0.8).all(axis=None)
    assert (shift[["sepal_length", "sepal_width"]] == 0).all(axis=None)
    assert sources.identify(calm).equals(sources.identify(drifted))


@pytest.mark.parametrize(("count", "drift"), [(0, 0), (-1, 0), (10**6, 0), (1, 11), (1, float("nan"))])
def test_a_day_that_cannot_be_is_refused(copula, count, drift):
    with pytest.raises(UsageError, match="a day brings"):
        sources.draw(copula, date(2026, 11, 20), count, drift)


def test_a_label_is_known_one_day_after_the_flower_was_picked(platform):
    sources.backfill(platform)
    sources.fetch(platform, run_of("2026-11-20"))
    labels = platform.features.read(LABELS, since=datetime(2026, 1, 1, tzinfo=UTC))
    assert labels.empty
    sources.fetch(platform, run_of("2026-11-21"))
    labels = platform.features.read(LABELS, since=datetime(2026, 1, 1, tzinfo=UTC))
    assert labels["flower_id"].tolist() == ["2026-11-20-1"]
    assert labels["labelled_at"].tolist() == [pd.Timestamp("2026-11-21", tz="UTC")]


def test_a_flower_before_any_reference_names_the_stage_to_run(platform):
    with pytest.raises(NotYetError, match="almanac run iris backfill"):
        sources.fetch(platform, run_of("2026-11-20"))


def test_synthetic_flowers_of_all_varieties_are_plausible(copula):
    flowers = sources.draw(copula, date(2026, 11, 20), count=300)
    varieties = sources.identify(flowers)["variety"].to_numpy()
    means = flowers.groupby(varieties)["petal_length"].mean()
    assert means["setosa"] == pytest.approx(1.46, abs=0.1)
    assert means["versicolor"] == pytest.approx(4.26, abs=0.2)
    assert means["virginica"] == pytest.approx(5.55, abs=0.2)
