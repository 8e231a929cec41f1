"""What modal.toml must not say is refused before anything is asked of anybody, by table and setting."""

import pytest

from functions._deploy.timetable_check import check
from functions._stages import service, systems
from functions._timetable import Deployment, _parsed, deployment, timetable
from shared.errors import UsageError


def test_what_the_repository_says_passes():
    check(timetable(), {name: service(name).tables for name in systems()})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cpus": 3}, "there is no setting 'cpus'"),
        ({"memory_gib": -1}, "memory_gib = -1 is no number"),
        ({"memory_gib": "big"}, "memory_gib = 'big' is no number"),
        ({"hours": 0}, "hours = 0 is no number"),
        ({"retries": 99}, "retries = 99 is no number from 0 to 10"),
        ({"gpu": "RTX9"}, "gpu = 'RTX9' does not exist; there are: T4"),
        ({"gpu": []}, r"gpu = \[\] does not exist"),
        ({"cron": "every day"}, "cron = 'every day' is no schedule"),
        ({"cron": "99 6 * * *"}, r"cron = '99 6 \* \* \*' is no schedule"),
        ({"cron": "15 6 * * *", "timezone": "Europe/Almere"}, "timezone = 'Europe/Almere' does not exist"),
    ],
)
def test_a_setting_that_modal_would_not_take_is_named(settings, said):
    with pytest.raises(UsageError, match=rf"\[iris\.train\]: {said}"):
        check({"iris": {"train": settings}}, {"iris": ["train"]})


def test_a_sixth_cron_and_a_system_or_stage_that_is_not_there_are_refused():
    with pytest.raises(UsageError, match="6 crons, Modal's free plan takes 5: iris.a"):
        check({"iris": {name: {"cron": "15 6 * * *"} for name in "abcdef"}}, {"iris": "abcdef"})
    with pytest.raises(UsageError, match=r"\[tulip\.\*\]: there is no such system; there are: iris"):
        check({"tulip": {"daily": {}}}, {"iris": ["daily"]})
    with pytest.raises(UsageError, match=r"\[iris\.nonsense\]: there is no such stage; there are: daily"):
        check({"iris": {"nonsense": {}}}, {"iris": ["daily"]})


@pytest.mark.parametrize("text", ["[iris.train", "iris = 3", "[iris]\ndaily = 3"])
def test_a_file_of_another_shape_is_a_sentence(text):
    with pytest.raises(UsageError, match=r"modal\.toml"):
        _parsed(text)


@pytest.mark.parametrize("hub", ["jane", "jane/al manac", "jane/almanac/x", "jane/almanac/", "jane/..", 7])
def test_a_place_on_the_hub_has_one_form(hub):
    with pytest.raises(UsageError, match="two words around one slash"):
        Deployment("prod", hub=hub)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"hubb": "jane/almanac"}, "there is no setting 'hubb'; there are: platform, world"),
        ({"hub": 7}, "hub = 7 is no text"),
    ],
)
def test_a_setting_that_no_deployment_has_is_named(monkeypatch, settings, said):
    monkeypatch.setattr("functions._timetable._read", lambda: {"deploy": {"prod": settings}})
    with pytest.raises(UsageError, match=rf"\[deploy\.prod\]: {said}"):
        deployment("prod")
