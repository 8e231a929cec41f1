"""A prediction traced back to its row, its input, its model and its run, and made again."""

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from shared.connect import open_platform
from shared.errors import NotYetError
from shared.ports import NewModel
from shared.runs import Report, Run, code_version, run_stage, stamp
from shared.steps.tracing import trace
from shared.tables import PROVENANCE, Column, Table

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CUPS = Table(
    "cups",
    (Column("cup_id", "text"), Column("poured_at", "time"), Column("sugar", unit="g", low=0), Column("note", "text")),
    key=("cup_id",),
    event_time="poured_at",
    about="Cups of tea.",
)
TASTES = Table(
    "tastes",
    (
        Column("cup_id", "text"),
        Column("poured_at", "time"),
        Column("sweetness"),
        Column("input_hash", "text"),
        *PROVENANCE,
    ),
    key=("cup_id",),
    event_time="poured_at",
    about="How sweet each was said to be.",
)


def pour(platform, sugar, cup_id="a"):
    row = {"cup_id": cup_id, "poured_at": NOON, "sugar": sugar, "note": "warm"}
    platform.features.write(CUPS, pd.DataFrame([row]))


def sweeten(model, cups):
    said = cups[["cup_id", "poured_at"]].assign(sweetness=cups["sugar"] * model.signature["factor"])
    return said.assign(input_hash=cups["sugar"].astype(str))


@pytest.fixture
def platform(tmp_path):
    """A store with a cup of 3 g, and what a model of factor 2 said of it."""
    opened, folder = open_platform(), tmp_path / "model"
    folder.mkdir()
    (folder / "model.json").write_text("{}")
    model = opened.models.save(NewModel("tea", folder, {"mse": 0.5}, {"factor": 2.0}, trained_on="2026-11-01"))
    pour(opened, 3.0)

    def predict(run: Run) -> Report:
        version = opened.features.version()
        said = stamp(sweeten(model, opened.features.read(CUPS)), run, model, version)
        return Report(rows=opened.features.write(TASTES, said).rows)

    run_stage(opened, "tea.daily", predict, day=date(2026, 11, 20).isoformat())
    return opened


def traced(platform, again=sweeten, cup_id="a"):
    return trace(platform, TASTES, CUPS, cup_id, again, ["sugar"])


def test_a_prediction_leads_to_its_input_model_and_run_and_is_made_again(platform):
    told = traced(platform)
    assert told["prediction"]["sweetness"] == 6.0
    assert told["input"] == {"sugar": 3.0, "read_from": f"store version {told['prediction']['store_version']}"}
    assert told["model"] == {"name": "tea", "version": 1, "trained_on": "2026-11-01", "mse": 0.5}
    assert (told["run"]["system"], told["run"]["stage"], told["run"]["status"]) == ("tea", "daily", "done")
    assert told["made again"] == {
        "input_unchanged": True,
        "code_unchanged": told["prediction"]["code_version"] == code_version(),
        "prediction_exactly_the_same": True,
    }


def test_a_correction_after_the_prediction_does_not_change_what_went_in(platform):
    pour(platform, 9.0)
    told = traced(platform)
    assert told["input"]["sugar"] == 3.0
    assert told["made again"]["input_unchanged"]


def test_a_model_that_now_says_something_else_by_a_hair_is_told_apart(platform):
    told = traced(platform, lambda model, cups: sweeten(model, cups).assign(sweetness=6.000000001))
    assert told["made again"]["input_unchanged"]
    assert not told["made again"]["prediction_exactly_the_same"]


def test_when_the_version_is_no_longer_kept_the_newest_rows_are_read_and_it_says_so(platform):
    for sugar in range(40):
        pour(platform, float(sugar + 1))
    told = traced(platform)
    assert told["input"]["sugar"] == 40.0
    assert "no longer kept" in told["input"]["read_from"]
    assert told["made again"]["input_unchanged"] is False
    assert told["made again"]["prediction_exactly_the_same"] is False


def test_a_prediction_whose_run_is_not_on_record_has_no_run(platform):
    said = platform.features.read(TASTES)
    platform.features.write(TASTES, said.assign(run_id="lost"))
    assert traced(platform)["run"] == {}


def test_a_prediction_that_there_is_not_names_the_table_that_lists_them(platform):
    with pytest.raises(NotYetError, match="no prediction is called 'z'; `almanac table tastes` lists them"):
        traced(platform, cup_id="z")
