"""modal.toml holds what Modal will accept: checked here, as Modal's client takes any cron and any GPU name."""

import importlib
import re
import zoneinfo
from pathlib import Path

import modal
import pytest
from croniter import croniter

from functions._timetable import deployment, timetable
from shared.runs import GPU_USD_S

ROOT = Path(__file__).parents[2]
SETTINGS = {
    *("cron", "timezone", "gpu", "cpu", "memory_gib", "hours", "retries", "secrets", "workers"),
    *("single_use", "volumes", "auth", "idle_s", "containers", "at_once"),
}
STAGES = [(system, stage, settings) for system, stages in timetable().items() for stage, settings in stages.items()]


@pytest.mark.parametrize(("system", "stage", "settings"), STAGES)
def test_a_stage_has_known_settings_and_values_modal_takes(system, stage, settings):
    assert settings.keys() <= SETTINGS
    gpus = settings.get("gpu", "T4")
    assert {gpu.partition(":")[0] for gpu in ([gpus] if isinstance(gpus, str) else gpus)} <= GPU_USD_S.keys()
    assert settings.get("auth", "proxy") in ("proxy", "token")
    assert all(re.fullmatch(r"[a-z]+", path) for path in settings.get("volumes", {}))
    assert 0.1 <= settings.get("cpu", 1) <= 64
    assert 0.1 <= settings.get("memory_gib", 1) <= 336
    assert 1 <= settings.get("hours", 1) * 3600 <= 24 * 3600
    assert 0 <= settings.get("retries", 0) <= 10


@pytest.mark.parametrize(("system", "stage", "settings"), STAGES)
def test_a_cron_is_valid_and_its_timezone_exists(system, stage, settings):
    if "cron" in settings:
        assert len(settings["cron"].split()) == 5
        assert croniter.is_valid(settings["cron"])
        zoneinfo.ZoneInfo(settings["timezone"])


def test_at_most_five_crons_as_on_modals_free_plan():
    assert sum("cron" in settings for _, _, settings in STAGES) <= 5


@pytest.mark.parametrize(("system", "stage", "settings"), STAGES)
def test_every_stage_of_the_timetable_is_a_function_with_those_settings(system, stage, settings):
    function = getattr(importlib.import_module(f"functions.{system}"), stage)
    function = function().answer if isinstance(function, modal.Cls) else function
    assert isinstance(function, modal.Function)
    info = function.info()
    assert info.timeout == int(settings.get("hours", 0.25) * 3600)
    assert ("Cron" in str(info.schedule)) == ("cron" in settings)
    stores = stage in importlib.import_module(f"functions.{system}").service.stages  # workers do not
    assert ("/almanac" in info.volumes) == stores


@pytest.mark.parametrize("name", ["prod", "staging"])
def test_the_deployments_are_there_and_staging_touches_nothing_of_prods(name):
    assert deployment(name).name == name
    assert deployment("staging").environment != deployment("prod").environment
    assert not deployment("prod").hub or deployment("staging").hub != deployment("prod").hub


def test_every_stage_is_in_the_timetable():
    for path in (ROOT / "functions").glob("[a-z]*.py"):
        service = importlib.import_module(f"functions.{path.stem}").service
        assert service.stages.keys() <= timetable()[path.stem].keys() <= set(service.tables)


def test_there_is_no_token_in_it():
    text = (ROOT / "modal.toml").read_text()
    assert not re.search(r"^\s*(token|.*_key|.*password)\w*\s*=", text, re.MULTILINE)
