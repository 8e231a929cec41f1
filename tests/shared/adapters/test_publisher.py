"""Publishing: what pages show is brought to the Hub, once; a day on the Hub alone gives the rows of a local one."""

import json

import pandas as pd
import pytest

from functions import iris as service_file
from functions.__main__ import main
from shared.adapters.hub.account import HubAccount
from shared.adapters.publisher import Nowhere
from shared.connect import open_platform
from shared.errors import BackendError
from shared.runs import RUNS
from shared.steps.promotion import PROMOTIONS, champion
from shared.systems.iris.tables import FLOWERS, LABELS, MODELS, MONITORING, PREDICTIONS, SHOWN

STAGES = service_file.service.stages
MADE_BY = ["run_id", "code_version", "store_version"]
DATA, MODEL, TODAY = "jane/almanac-demo", "jane/almanac-demo-iris", "jane/almanac-today"


@pytest.fixture
def published(hub, iris_home, monkeypatch):
    """The local platform with iris as of 2026-10-20, which publishes to a Hub."""
    monkeypatch.setenv("ALMANAC_HUB", "jane/almanac")
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", hub.token)
    return open_platform()


def elsewhere(tmp_path, monkeypatch):
    """The platform of a page on another machine, without a token."""
    monkeypatch.setenv("ALMANAC_PLATFORM", "hub")
    monkeypatch.delenv("HF_TOKEN")
    return open_platform(home=tmp_path / "elsewhere")


def rows(platform, table):
    return platform.features.read(table).drop(columns=MADE_BY, errors="ignore")


def test_a_reader_without_a_token_finds_what_was_published(published, tmp_path, monkeypatch):
    said = published.publisher.publish(SHOWN, MODELS)
    assert said.startswith("published ") and said.endswith(f"1 model versions to {DATA}")
    page = elsewhere(tmp_path, monkeypatch)
    for table in SHOWN:
        pd.testing.assert_frame_equal(page.features.read(table), published.features.read(table))
    assert champion(page, "iris").metrics == champion(published, "iris").metrics
    assert isinstance(page.publisher, Nowhere)


def test_publishing_is_one_commit_and_a_second_time_sends_nothing(hub, published):
    published.publisher.publish(SHOWN, MODELS)
    before = len(hub.requests)
    assert published.publisher.publish(SHOWN, MODELS) == f"published 0 rows to {DATA}"
    assert (hub.commits(DATA), hub.commits(MODEL, "model")) == (1, 1)
    assert not [path for method, path, _ in hub.requests[before:] if method != "GET"]


def test_only_files_with_new_rows_are_sent(hub, published):
    published.publisher.publish(SHOWN, MODELS)
    before = hub.tree(DATA)
    STAGES["daily"](day="2026-10-21")
    after = hub.tree(DATA)
    kept = {path for path in before if "/1936-" in path or "promotions" in path}
    assert len(kept) == 3
    assert all(after[path] == before[path] for path in kept)


def test_a_daily_publishes_and_says_so(hub, published, tmp_path, monkeypatch):
    assert f"to {DATA}" in STAGES["daily"](day="2026-10-21")["note"]
    page = elsewhere(tmp_path, monkeypatch)
    assert page.features.read(PREDICTIONS)["picked_at"].max() == pd.Timestamp("2026-10-21", tz="UTC")
    assert page.features.read(RUNS)["status"].iloc[-1] == "done"


@pytest.mark.parametrize("what", [401, 403, 500])
def test_a_daily_is_done_also_when_it_could_not_publish_and_the_next_one_sends_everything(
    hub, published, tmp_path, monkeypatch, what
):
    monkeypatch.setitem(HubAccount.__init__.__kwdefaults__, "sleep", lambda _: None)
    hub.fail(r"POST ", what, times=999)
    report = STAGES["daily"](day="2026-10-21")
    assert "not published: " in report["note"]
    assert report["rows"] > 0
    hub.faults.clear()
    STAGES["daily"](day="2026-10-22")
    page = elsewhere(tmp_path, monkeypatch)
    assert len(page.features.read(PREDICTIONS)) == len(published.features.read(PREDICTIONS))


def test_models_come_before_rows_so_that_no_row_names_one_that_is_missing(hub, published):
    hub.fail(rf"POST .*{DATA}/commit", 401, times=9)
    with pytest.raises(BackendError):
        published.publisher.publish(SHOWN, MODELS)
    assert hub.commits(MODEL, "model") == 1
    assert hub.commits(DATA) == 0


def test_versions_that_never_served_stay_at_home(hub, published):
    for verdict in ("rejected", "waits"):
        row = published.features.read(PROMOTIONS).iloc[:1]
        later = row["decided_at"] + pd.Timedelta(days=1 if verdict == "waits" else 2)
        published.features.write(PROMOTIONS, row.assign(version=2, verdict=verdict, decided_at=later))
    published.publisher.publish(SHOWN, MODELS)
    assert [path for path in hub.tree(MODEL, "model") if path.endswith("model.json")] == ["1/model.json"]


def test_everything_is_brought_in_one_commit_and_stages_go_on_there(hub, published, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["publish", "--everything"])
    assert hub.commits(DATA) == 1
    monkeypatch.setenv("ALMANAC_PLATFORM", "hub")
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path / "there"))
    there = open_platform()
    assert [table.name for table in there.features.tables()] == [table.name for table in published.features.tables()]
    for table in published.features.tables():
        pd.testing.assert_frame_equal(there.features.read(table), published.features.read(table))
    assert there.models.versions("iris") == published.models.versions("iris")
    assert STAGES["daily"](until="2026-10-21")["rows"] > 0
    assert len(there.features.read(PREDICTIONS)) == len(published.features.read(PREDICTIONS)) + 1


def test_the_command_says_where_publishing_is_set_up_when_it_is_not(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["publish"])
    assert "ALMANAC_HUB=OWNER/PREFIX" in capsys.readouterr().err


def test_static_pages_go_to_their_space_when_there_is_one(hub, published):
    pages = {"index.html": "<p>today</p>", "delft.html": "<p>Delft</p>"}
    assert "static" not in published.publisher.publish(SHOWN, MODELS, pages)
    hub.create("space", TODAY)
    assert "the static page" in published.publisher.publish(SHOWN, MODELS, pages)
    assert hub.tree(TODAY, "space")["delft.html"] == b"<p>Delft</p>"


def test_without_a_hub_nothing_is_published_and_nothing_said(platform):
    assert not platform.publisher.configured
    assert platform.publisher.publish(SHOWN, MODELS) == ""


@pytest.fixture
def on_the_hub(hub, monkeypatch):
    """An environment with nothing but an account on the Hub."""
    settings = {"PLATFORM": "hub", "HUB": "jane/almanac"}
    for name, value in settings.items():
        monkeypatch.setenv(f"ALMANAC_{name}", value)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", hub.token)


@pytest.mark.slow
def test_days_on_the_hub_alone_give_the_rows_of_days_at_home(on_the_hub, hub, tmp_path, monkeypatch):
    for stage, told in (("backfill", "day"), ("train", "day"), ("daily", "until")):
        STAGES[stage](**{told: "2026-10-03" if stage == "daily" else "2026-10-01"})
    there = {table.name: rows(open_platform(), table) for table in (FLOWERS, LABELS, PREDICTIONS, MONITORING)}
    monkeypatch.setenv("ALMANAC_PLATFORM", "local")
    monkeypatch.delenv("ALMANAC_HUB")
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path / "local"))
    for stage, told in (("backfill", "day"), ("train", "day"), ("daily", "until")):
        STAGES[stage](**{told: "2026-10-03" if stage == "daily" else "2026-10-01"})
    for table in (FLOWERS, LABELS, PREDICTIONS, MONITORING):
        pd.testing.assert_frame_equal(there[table.name], rows(open_platform(), table))


@pytest.mark.slow
def test_the_command_works_on_the_hub_alone(on_the_hub, hub, capsys):
    def almanac(*words):
        with pytest.raises(SystemExit) as ended:
            main([*words, "--json"])
        said = capsys.readouterr()
        assert not ended.value.code, said.err
        return json.loads(said.out)

    for stage in ("backfill", "train", "daily"):
        almanac("run", "iris", stage, "--day", "2026-10-01")
    assert "iris" in json.dumps(almanac("status"))
    told = almanac("table", "iris_predictions")
    flower = open_platform().features.read(PREDICTIONS)["flower_id"].iloc[0]
    assert flower in json.dumps(told)
    assert flower in json.dumps(almanac("explain", flower))
    assert hub.commits(DATA) >= 8
