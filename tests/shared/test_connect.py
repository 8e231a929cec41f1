"""The environment's settings: each value that exists works, each other one is refused in a sentence."""

import pytest

from shared.connect import machine, open_hub, open_platform
from shared.errors import UsageError, WebError


def test_without_any_setting_it_is_the_demo_world_in_the_folder_almanac(tmp_path, monkeypatch):
    monkeypatch.delenv("ALMANAC_HOME")
    monkeypatch.chdir(tmp_path)
    assert open_platform().world == "demo"
    assert (tmp_path / ".almanac" / "demo" / "manifest.db").exists()


@pytest.mark.parametrize("home", ["a file", "/proc/nowhere", "x" * 300])
def test_a_home_that_cannot_be_says_so(tmp_path, monkeypatch, home):
    (tmp_path / "a file").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALMANAC_HOME", home)
    with pytest.raises(UsageError, match="ALMANAC_HOME"):
        open_platform()


def test_each_world_has_its_own_store(tmp_path):
    for world in ("demo", "live"):
        open_platform(world=world, home=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"demo", "live"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALMANAC_WORLD", "mars"),
        ("ALMANAC_WORLD", "replay"),
        ("ALMANAC_WORLD", "demo:x"),
        ("ALMANAC_PLATFORM", "s3"),
        ("ALMANAC_TRACKER", "notebook"),
        ("ALMANAC_FAULTS", "nonsense"),
    ],
)
def test_a_setting_that_does_not_exist_says_what_there_is(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError):
        open_platform()


def test_the_demo_world_fails_as_it_is_told(monkeypatch):
    monkeypatch.setenv("ALMANAC_FAULTS", "raw.githubusercontent.com=error_in_200:1")
    url = "https://raw.githubusercontent.com/mwaskom/seaborn-data/master/iris.csv"
    web = open_platform().web
    assert web.get(url).body.startswith(b"{")
    assert web.get(url).body.startswith(b"sepal_length")
    with pytest.raises(WebError, match="ALMANAC_WORLD=live"):
        web.get("https://example.org/tides.csv")


def test_a_replayed_world_answers_what_was_recorded_and_nothing_else(tmp_path):
    web = open_platform(world=f"replay:{tmp_path}", home=tmp_path / "home").web
    with pytest.raises(WebError):
        web.get("https://example.org/tides.csv")


def test_the_machine_is_ones_own_unless_modal_says_otherwise(monkeypatch):
    assert machine().where == "local"
    monkeypatch.setenv("ALMANAC_MACHINE", '{"where": "modal", "gpu": "A10"}')
    assert machine().gpu == "A10"


def test_secrets_come_from_the_environment_and_are_never_shown(monkeypatch):
    monkeypatch.setenv("AQICN_TOKEN", " s3cret ")
    monkeypatch.delenv("ALMANAC_NOTIFY", raising=False)
    platform = open_platform(world="live")
    assert platform.secrets == {"AQICN_TOKEN": "s3cret"}
    assert "s3cret" not in repr(platform)


def test_the_demo_world_needs_no_token_and_the_live_one_has_none_unless_told(monkeypatch):
    monkeypatch.delenv("AQICN_TOKEN", raising=False)
    assert open_platform().secrets["AQICN_TOKEN"] == "demo"
    assert "AQICN_TOKEN" not in open_platform(world="live").secrets


def test_each_repository_on_the_hub_has_a_cache_of_its_own(tmp_path, monkeypatch):
    """Else, while the Hub is out of reach, pages of one show what was read of another."""
    for name in ("jane/almanac", "jane/almanac-staging"):
        monkeypatch.setenv("ALMANAC_HUB", name)
        monkeypatch.setenv("ALMANAC_PLATFORM", "hub")
        open_platform(home=tmp_path)
    caches = {path.parent.name for path in tmp_path.rglob("manifest.db")}
    assert caches == {"jane--almanac-demo", "jane--almanac-staging-demo"}


@pytest.mark.parametrize("token", ["hf_half\nhf_other", "hf_né", "hf_a b"])
def test_a_token_that_cannot_be_one_is_told_and_not_shown(monkeypatch, token):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(UsageError, match="HF_TOKEN holds a blank, a line break or a letter that no token has") as told:
        open_hub()
    assert "hf_" not in str(told.value)
