"""`almanac deploy`, `destroy` and `status --deployed`, with places of a dozen lines in the stead of real accounts."""

import json
import os
import sys
from dataclasses import dataclass, field

import pytest
from croniter import croniter_range
from hypothesis import given, settings
from hypothesis import strategies as st

from functions._deploy import commands as commands
from functions._deploy import deed as deploying
from functions._deploy.cost import ASSUMED_S, IDLE_S, PRO_USD, estimate, from_ledger, on_gpus, runs_a_month, summed
from functions._deploy.target import Change, Need
from functions._secrets import hidden
from functions._timetable import Deployment
from shared.connect import Machine
from shared.errors import BackendError, UsageError
from shared.runs import Report, cost_usd, run_stage

NEED = Need("HF_TOKEN", "writes tables", "https://huggingface.co/settings/tokens")
WANT = Need("AQICN_TOKEN", "hears stations", "https://aqicn.org/data-platform/token", required=False)


@dataclass
class Shelf:
    """A place that keeps things by name; what stands on it is compared with what is wanted."""

    name: str
    wanted_things: dict[str, str]
    there: dict[str, str] = field(default_factory=dict)
    asks: list[Need] = field(default_factory=list)
    breaks_at: dict[str, Exception] = field(default_factory=dict)
    asked: int = 0

    def needs(self, only):
        return self.asks

    def wanted(self, only):
        names = [name for name in self.wanted_things if not only or name in only]
        return [Change(self.name, "thing", name, "create") for name in names]

    def plan(self, only):
        self.asked += 1
        if "" in self.breaks_at:
            raise self.breaks_at[""]
        return [self._compared(change) for change in self.wanted(only)]

    def _compared(self, change):
        now = self.there.get(change.name)
        action = "create" if now is None else "leave" if now == self.wanted_things[change.name] else "change"
        return Change(self.name, "thing", change.name, action, f"is {now}" if now else "")

    def apply(self, change):
        if change.name in self.breaks_at:
            raise self.breaks_at.pop(change.name)
        if change.action == "remove":
            del self.there[change.name]
            return ""
        self.there[change.name] = self.wanted_things[change.name]
        return f"{change.name} stands"

    def removal(self, only, data):
        return [
            Change(self.name, "thing", name, "keep" if name == "rows" and not data else "remove") for name in self.there
        ]


@pytest.fixture
def shelves(monkeypatch):
    """Two places, of a deployment that is set up for both; set by name in the command's own table."""
    for name in ("HF_TOKEN", "AQICN_TOKEN", "ALMANAC_ENV"):
        monkeypatch.delenv(name, raising=False)
    there = Deployment("prod", hub="jane/almanac")
    monkeypatch.setattr(commands, "deployment", lambda name="": there)
    made = {"modal": Shelf("modal", {"iris": "1", "wine": "1"}), "spaces": Shelf("spaces", {"iris": "1"})}
    for name, shelf in made.items():
        monkeypatch.setitem(deploying.TARGETS, name, lambda _deployment, _one, shelf=shelf: shelf)
    return made


@pytest.fixture
def almanac(capsys):
    from functions.__main__ import main

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main([*words])
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def actions(told):
    return [(change["target"], change["name"], change["action"]) for change in told["changes"]]


def test_a_first_deploy_creates_all_and_a_repeat_leaves_all(almanac, shelves):
    code, out, _ = almanac("deploy", "--json")
    told = json.loads(out)
    assert code == 0
    assert actions(told) == [("modal", "iris", "create"), ("modal", "wine", "create"), ("spaces", "iris", "create")]
    assert [outcome["status"] for outcome in told["outcomes"]] == ["done"] * 3
    assert shelves["modal"].there == {"iris": "1", "wine": "1"}

    code, out, _ = almanac("deploy", "--json")
    assert {change["action"] for change in json.loads(out)["changes"]} == {"leave"}
    assert "outcomes" not in json.loads(out)
    assert "Nothing to do" in almanac("deploy")[1]


def test_a_changed_thing_is_changed_and_nothing_else_is_touched(almanac, shelves):
    almanac("deploy")
    shelves["modal"].wanted_things["wine"] = "2"
    code, out, _ = almanac("deploy", "modal", "--json")
    assert [(outcome["name"], outcome["action"]) for outcome in json.loads(out)["outcomes"]] == [("wine", "change")]
    assert (code, shelves["modal"].there["wine"]) == (0, "2")


def test_people_are_shown_the_plan_its_cost_and_each_deed(almanac, shelves):
    code, out, _ = almanac("deploy")
    assert code == 0
    assert "Plan for prod" in out
    assert "create  modal   thing  iris" in out
    assert "a month (estimate), at most" in out
    assert "done       modal create thing iris" in out
    assert "iris stands" in out
    assert out.rstrip().endswith("3 done")


def test_a_dry_run_does_nothing(almanac, shelves):
    code, out, _ = almanac("deploy", "--dry-run", "--json")
    assert (code, len(json.loads(out)["changes"])) == (0, 3)
    assert shelves["modal"].there == shelves["spaces"].there == {}


def test_all_missing_secrets_are_named_at_once_with_where_to_get_them_before_anything_is_asked(almanac, shelves):
    shelves["modal"].asks = [Need("MODAL_TOKEN_ID", "deploys", "modal token new"), WANT]
    shelves["spaces"].asks = [NEED]
    code, out, err = almanac("deploy")
    assert code == 2
    assert "modal token new" in out
    assert "https://huggingface.co/settings/tokens" in out
    assert err.strip() == "almanac: nothing was done: MODAL_TOKEN_ID, HF_TOKEN must be set in the environment"
    assert shelves["modal"].asked == shelves["spaces"].asked == 0
    told = json.loads(almanac("deploy", "--json")[1])
    assert [row["secret"] for row in told["missing"]] == ["MODAL_TOKEN_ID", "HF_TOKEN", "AQICN_TOKEN"]


def test_an_optional_secret_that_is_missing_is_told_and_stops_nothing(almanac, shelves):
    shelves["modal"].asks = [WANT]
    code, out, _ = almanac("deploy", "modal")
    assert code == 0
    assert "https://aqicn.org/data-platform/token" in out


def test_a_dry_run_without_an_account_shows_what_is_wanted_and_says_that_it_could_not_compare(almanac, shelves):
    shelves["spaces"].asks = [NEED]
    shelves["modal"].breaks_at = {"": BackendError("Modal cannot be reached; look at your network")}
    code, out, _ = almanac("deploy", "--dry-run")
    assert code == 0
    assert "spaces: not compared with what is there: not set: HF_TOKEN. What is wanted is shown." in out
    assert "modal: not compared with what is there: Modal cannot be reached" in out
    assert out.count("create") == 3


def test_an_account_that_cannot_be_asked_ends_the_deed_before_it_begins(almanac, shelves):
    shelves["spaces"].breaks_at = {"": BackendError("the Hub answers 503")}
    code, _, err = almanac("deploy")
    assert (code, "nothing was done: spaces: the Hub answers 503" in err) == (1, True)
    assert shelves["modal"].there == {}


@pytest.mark.parametrize("failure", [BackendError("the app broke"), ValueError("odd")])
def test_after_a_failure_what_was_done_is_told_other_places_go_on_and_a_repeat_does_the_rest(almanac, shelves, failure):
    shelves["modal"].wanted_things = {"iris": "1", "wine": "1", "air": "1"}
    shelves["modal"].breaks_at = {"wine": failure}
    code, out, err = almanac("deploy")
    assert code == 1
    assert ("done       modal create thing iris" in out, "failed     modal create thing wine" in out) == (True, True)
    assert "not tried  modal create thing air" in out
    assert "2 done, 1 failed, 1 not tried; run it again to go on" in err
    assert shelves["spaces"].there == {"iris": "1"}
    assert almanac("deploy")[1].rstrip().endswith("2 done")
    assert shelves["modal"].there.keys() == {"iris", "wine", "air"}


def test_only_names_systems(almanac, shelves):
    assert almanac("deploy", "modal", "--only", "wine")[0] == 0
    assert shelves["modal"].there == {"wine": "1"}
    rows = json.loads(almanac("deploy", "modal", "--only", "wine", "--dry-run", "--json")[1])["cost_a_month"]["rows"]
    assert {row["system"] for row in rows} == {"wine"}


def test_destroy_removes_what_is_there_and_keeps_data_unless_told(almanac, shelves):
    shelves["modal"].there = {"iris": "1", "rows": "1"}
    code, out, _ = almanac("destroy", "modal", "--yes")
    assert (code, shelves["modal"].there) == (0, {"rows": "1"})
    assert "keep" in out
    assert "Nothing to do" in almanac("destroy", "modal", "--yes")[1]
    almanac("destroy", "modal", "--yes", "--data")
    assert shelves["modal"].there == {}


def test_destroy_does_nothing_where_nobody_can_be_asked(almanac, shelves):
    shelves["modal"].there = {"iris": "1"}
    assert almanac("destroy")[0] == 2
    assert "say --yes" in almanac("destroy", "--json")[2]
    assert almanac("destroy", "--dry-run")[0] == 0
    assert shelves["modal"].there == {"iris": "1"}


@pytest.mark.parametrize(("answer", "there"), [("n\n", {"iris": "1"}), ("y\n", {})])
def test_in_a_terminal_destroy_asks(almanac, shelves, monkeypatch, tmp_path, answer, there):
    shelves["modal"].there = {"iris": "1"}
    (tmp_path / "typed").write_text(answer)
    monkeypatch.setattr(commands, "_person", lambda: True)
    with (tmp_path / "typed").open() as typed:
        monkeypatch.setattr(sys, "stdin", typed)
        assert almanac("destroy", "modal")[0] == 0
    assert shelves["modal"].there == there


def test_status_puts_what_runs_beside_what_the_repository_says(almanac, shelves):
    shelves["modal"].there = {"iris": "1", "wine": "0"}
    code, out, _ = almanac("status", "--deployed", "--json")
    states = {(row["target"], row["name"]): row["state"] for row in json.loads(out)["things"]}
    assert code == 0
    assert states == {
        ("modal", "iris"): "as in the repository",
        ("modal", "wine"): "differs",
        ("spaces", "iris"): "not there",
    }
    assert "Deployed as prod" in almanac("status", "--deployed")[1]


def test_status_of_an_account_that_cannot_be_asked_says_so_and_fails(almanac, shelves):
    shelves["spaces"].asks = [NEED]
    code, out, err = almanac("status", "--deployed")
    assert (code, "not known" in out) == (1, True)
    assert "spaces could not be asked: not set: HF_TOKEN" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["deploy", "hopsworks"], 'hopsworks is not set up: write hopsworks = "HOST/PROJECT" under [deploy.prod]'),
        (["deploy", "mars"], "there is nothing called 'mars' to deploy to"),
        (["deploy", "--only", "tulip"], "there is no system 'tulip'"),
        (["deploy", "modal", "--one"], "--one puts all pages under one roof"),
        (["status", "--env", "prod"], "it goes with --deployed"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(almanac, shelves, words, said):
    code, _, err = almanac(*words)
    assert (code, said in err, len(err.strip().splitlines())) == (2, True, 1)


def test_an_environment_that_modal_toml_has_not_is_named(almanac):
    code, _, err = almanac("deploy", "--env", "moon")
    assert (code, "modal.toml has no [deploy.moon]; there are: prod, staging" in err) == (2, True)


def test_all_takes_what_the_deployment_is_set_up_for(monkeypatch):
    for name in deploying.TARGETS:
        monkeypatch.setitem(deploying.TARGETS, name, lambda _deployment, _one, name=name: Shelf(name, {}))

    def names(**settings):
        return [target.name for target in deploying.targets(Deployment("prod", **settings), "all")]

    assert names() == ["modal"]
    assert names(hub="jane/almanac") == ["modal", "spaces"]
    assert names(platform="hopsworks", hopsworks="host/jane") == ["hopsworks", "modal"]


def test_the_deployments_settings_hold_for_the_deed_and_not_after(monkeypatch):
    monkeypatch.setenv("ALMANAC_HUB", "me/mine")
    monkeypatch.delenv("ALMANAC_ENV", raising=False)
    with deploying.acting_for(Deployment("staging", platform="hub", hub="jane/almanac", world="live")):
        assert os.environ["ALMANAC_HUB"] == "jane/almanac"
        assert (os.environ["ALMANAC_ENV"], os.environ["ALMANAC_WORLD"]) == ("staging", "live")
    assert os.environ["ALMANAC_HUB"] == "me/mine"
    assert "ALMANAC_ENV" not in os.environ


def test_a_secret_in_a_vendors_error_is_not_printed(almanac, shelves, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_planted_in_this_test")
    shelves["spaces"].breaks_at = {"iris": ValueError("Bearer hf_planted_in_this_test was refused")}
    code, out, err = almanac("deploy", "spaces")
    assert (code, "Bearer <HF_TOKEN> was refused" in out) == (1, True)
    shelves["spaces"].breaks_at = {"": ValueError("b'hf_planted_in_this_test'")}
    _, out, err = almanac("--debug", "deploy", "spaces")
    assert ("Traceback" in err, "b'<HF_TOKEN>'" in err) == (True, True)
    assert "planted" not in almanac("deploy", "spaces", "--json")[1]


@pytest.mark.parametrize(
    ("told", "text", "shown"),
    [
        ("json://host/abcdef mailto://u:pw@host", "json://host/abcdef failed", "<ALMANAC_NOTIFY> failed"),
        ("x", "extra", "extra"),
        ("line\nbreak", r"header 'line\nbreak'", "header '<ALMANAC_NOTIFY>'"),
    ],
)
def test_what_is_hidden_is_each_word_of_a_secret_but_no_common_word(monkeypatch, told, text, shown):
    monkeypatch.setenv("ALMANAC_NOTIFY", told)
    assert hidden(text) == shown


def test_a_stage_costs_its_runs_times_its_seconds_and_at_most_its_timeout_with_every_retry():
    stage = {"cron": "0 0 1 * *", "cpu": 1, "memory_gib": 2, "hours": 0.5, "retries": 2}
    (cost,) = estimate({"iris": {"daily": stage}}, lambda _system, _stage: (100.0, 7))
    machine = Machine("modal", 1, 2)
    assert cost.estimate_usd == pytest.approx(cost_usd(100 + IDLE_S, machine), abs=5e-5)
    assert cost.at_most_usd == pytest.approx(3 * cost_usd(1800 + IDLE_S, machine), abs=5e-5)
    assert cost.known_from == "median of 7 runs here"


def test_a_stage_that_never_ran_is_assumed_and_says_so_and_stages_run_by_hand_are_left_out():
    stages = {"iris": {"train": {}, "rollback": {}, "daily": {"cron": "15 6 * * *"}}}
    train, daily = estimate(stages, lambda _system, _stage: (0.0, 0))
    assert (train.stage, train.runs, train.seconds) == ("train", 1, ASSUMED_S)
    assert train.known_from == "assumed: 60 s, once a month assumed"
    assert (daily.stage, daily.known_from) == ("daily", "assumed: 60 s")


def test_of_gpus_to_fall_back_on_the_first_is_the_estimate_and_the_dearest_the_bound():
    stage = {"cron": "0 0 1 * *", "gpu": ["T4", "H100"], "hours": 1}
    (cost,) = estimate({"asr": {"daily": stage}}, lambda _system, _stage: (0.0, 0))
    assert cost.estimate_usd == pytest.approx(
        cost_usd(ASSUMED_S + IDLE_S, Machine("modal", 0.125, 0.5, "T4")), abs=5e-5
    )
    assert cost.at_most_usd == pytest.approx(cost_usd(3600 + IDLE_S, Machine("modal", 0.125, 0.5, "H100")), abs=5e-5)


def test_what_runs_on_a_gpu_when_called_is_told_by_the_hour():
    hour, gpu = {"cpu": 2, "memory_gib": 16}, {"gpu": ["A10", "L4"], "cpu": 2, "memory_gib": 16}
    said = on_gpus({"asr": {"tune": gpu, "judge": gpu, "prepare": hour, "daily": {**gpu, "cron": "0 0 1 * *"}}})
    price = cost_usd(3600, Machine("modal", 2, 16, "A10"))
    assert said == f"asr tune, asr judge: USD {price:.2f} on A10 an hour"
    assert on_gpus({"iris": {"train": {}}}) == ""
    assert summed([], ["modal"], said)["not_estimated"][-1].endswith("on A10 an hour")
    assert said not in str(summed([], ["spaces"], said))


def test_a_paid_plan_of_the_hub_is_a_row_only_where_spaces_are_deployed():
    costs = estimate({"iris": {"train": {}}}, lambda _system, _stage: (0.0, 0))
    assert summed(costs, ["modal"])["estimate_usd"] == costs[0].estimate_usd
    assert summed(costs, ["spaces"])["estimate_usd"] == PRO_USD
    assert summed(costs, ["modal", "spaces"])["at_most_usd"] == costs[0].at_most_usd + PRO_USD


def test_the_ledger_says_how_long_a_stage_takes(platform):
    for day in range(1, 13):
        run_stage(platform, "iris.daily", lambda _: Report(), day=f"2026-10-{day:02}")
    measured = from_ledger()
    seconds, count = measured("iris", "daily")
    assert (count, seconds > 0) == (10, True)
    assert measured("iris", "rollback") == (0.0, 0)


def test_where_no_ledger_opens_nothing_is_measured(monkeypatch):
    monkeypatch.setenv("ALMANAC_PLATFORM", "hub")
    monkeypatch.delenv("ALMANAC_HUB", raising=False)
    assert from_ledger()("iris", "daily") == (0.0, 0)


@settings(max_examples=20)
@given(
    st.sampled_from(["0", "*/15", "5,35", "10-12"]),
    st.sampled_from(["6", "*/6", "0,12"]),
    st.sampled_from(["*", "1", "1,15", "31"]),
    st.sampled_from(["*", "mon", "1-5"]),
)
def test_runs_a_month_are_those_of_a_year_counted_one_by_one(minute, hour, day, weekday):
    from datetime import datetime

    cron = f"{minute} {hour} {day} * {weekday}"
    counted = sum(1 for _ in croniter_range(datetime(2025, 1, 1), datetime(2025, 12, 31, 23, 59), cron))
    assert runs_a_month(cron) == counted / 12


def test_a_target_takes_one_of_its_names():
    with pytest.raises(UsageError, match="modal"):
        deploying.targets(Deployment("prod"), "modals")
