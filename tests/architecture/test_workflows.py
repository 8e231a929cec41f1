"""The GitHub workflows: least permissions, no secret in the tree, and every line they run is one that exists."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from functions.__main__ import cli
from functions._timetable import deployment

ROOT = Path(__file__).parents[2]
PATHS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEXTS = {path.name: path.read_text() for path in PATHS}
FLOWS = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
JOBS = [(name, title, job) for name, flow in FLOWS.items() for title, job in flow["jobs"].items()]
STEPS = [(name, step) for name, _, job in JOBS for step in job.get("steps", ())]
RUNS = [(name, line) for name, step in STEPS for line in step.get("run", "").splitlines()]
GOALS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
SECRET_NAMES = {
    *("MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET", "HF_TOKEN", "HF_READ_TOKEN", "HOPSWORKS_API_KEY"),
    *("AQICN_TOKEN", "ALMANAC_NOTIFY"),
}


def triggers(flow):
    return flow[True]  # YAML reads the word `on` as a truth value


def test_there_are_three():
    assert set(FLOWS) == {"check.yml", "deploy.yml", "schedule.yml"}


@pytest.mark.parametrize("name", FLOWS)
def test_a_workflow_may_read_the_repository_and_no_more(name):
    assert FLOWS[name]["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for flow, _, job in JOBS if flow == name)


@pytest.mark.parametrize("name", FLOWS)
def test_a_strangers_pull_request_never_meets_a_secret(name):
    assert "pull_request_target" not in TEXTS[name]
    if "secrets." in TEXTS[name]:
        assert not {"pull_request", "workflow_run", "issue_comment"} & set(triggers(FLOWS[name]))


@pytest.mark.parametrize("name", FLOWS)
def test_a_secret_is_named_and_goes_into_one_steps_environment_only(name):
    for _, step in (step for step in STEPS if step[0] == name):
        for variable, value in step.get("env", {}).items():
            if variable in SECRET_NAMES:
                assert value == f"${{{{ secrets.{variable} }}}}"
    flow = FLOWS[name]
    outside = [flow.get("env", {}), *(job.get("env", {}) for job in flow["jobs"].values())]
    assert "secrets" not in str(outside)
    assert all("${{" not in step.get("run", "") for _, step in STEPS), "text put into a shell could be anybody's"


def test_an_action_is_pinned_by_its_commit_and_keeps_no_credentials():
    used = [step for _, step in STEPS if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"]) for step in used)
    assert all(
        step["with"]["persist-credentials"] is False for step in used if step["uses"].startswith("actions/checkout@")
    )
    called = [job["uses"] for _, _, job in JOBS if "uses" in job]
    assert all((ROOT / path).exists() for path in called)


@pytest.mark.parametrize(("name", "line"), RUNS)
def test_a_line_runs_a_goal_of_the_makefile_or_the_command_as_it_is(name, line):
    program, *words = shlex.split(line)
    if program == "make":
        assert {word for word in words if "=" not in word} <= GOALS
        return
    assert program == ".venv/bin/almanac"
    command = get_command(cli).commands[words[0]]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words[1:] if word.startswith("--")} <= options


def test_the_extras_it_installs_exist():
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    told = [word.partition("=")[2] for _, line in RUNS for word in shlex.split(line) if word.startswith("EXTRAS=")]
    assert told
    assert {name for one in told for name in one.split(",")} <= set(extras)


def test_every_job_ends():
    assert all(job.get("timeout-minutes", 0) > 0 for _, _, job in JOBS if "uses" not in job)


def test_two_days_never_overlap_and_a_deploy_is_not_cut_short():
    assert FLOWS["schedule.yml"]["concurrency"] == {"group": "almanac-day", "cancel-in-progress": False}
    assert FLOWS["deploy.yml"]["concurrency"]["cancel-in-progress"] is False


def test_the_schedule_is_off_until_it_is_told_where_to_store():
    assert FLOWS["schedule.yml"]["jobs"]["day"]["if"] == "vars.ALMANAC_HUB != ''"


def test_only_a_tag_or_a_person_deploys_and_only_after_the_check():
    assert triggers(FLOWS["deploy.yml"]).keys() == {"push", "workflow_dispatch"}
    assert triggers(FLOWS["deploy.yml"])["push"] == {"tags": ["v*"]}
    assert FLOWS["deploy.yml"]["jobs"]["deploy"]["needs"] == "check"


def test_a_person_may_choose_from_the_deployments_there_are():
    for name in triggers(FLOWS["deploy.yml"])["workflow_dispatch"]["inputs"]["environment"]["options"]:
        assert deployment(name).name == name
