"""What every service file gets of functions/_modal/service.py, through the client's public API: no control plane."""

import asyncio
import importlib
import json
import runpy

import httpx
import modal
import pytest

from functions import _trial
from functions._modal import Service
from functions._modal.bearer import bearing
from functions._modal.images import gpu_image, image
from functions._timetable import ROOT, Deployment, deployment, secret_names, timetable
from shared.errors import UsageError

SERVICES = {  # imported before a test writes a modal.toml: a module takes its settings as it is imported, and is kept
    path.stem: importlib.import_module(f"functions.{path.stem}").service
    for path in sorted((ROOT / "functions").glob("[a-z]*.py"))
}


@pytest.fixture
def modal_toml(tmp_path, monkeypatch):
    """A function that writes a modal.toml of this test."""

    def write(text):
        (tmp_path / "modal.toml").write_text(text)
        monkeypatch.setattr("functions._timetable.ROOT", tmp_path)

    monkeypatch.delenv("ALMANAC_ENV", raising=False)
    return write


def stage_of(settings, deployed=""):
    """A stage called ``stage`` with these settings in modal.toml, as Modal's client sees it."""

    def stage():
        return {}

    stage.__qualname__ = "stage"  # Modal takes functions of a module only
    service = Service("tulip", {"stage": settings})
    return service.stage(image())(stage).info()


def test_a_stage_has_the_machine_that_its_table_says():
    info = stage_of({"cpu": 2, "memory_gib": 4, "hours": 1.5, "retries": 3, "single_use": True})
    assert (info.cpu, info.memory_mib, info.timeout, info.max_retries) == (2, 4096, 5400, 3)
    assert info.single_use_containers
    assert info.schedule is None
    assert info.gpus == []


def test_a_stage_without_a_table_has_a_small_machine():
    info = stage_of({})
    assert (info.cpu, info.memory_mib, info.timeout) == (0.125, 512, 900)
    assert info.startup_timeout == 900


def test_a_short_stage_still_has_five_minutes_to_start():
    assert stage_of({"hours": 0.003}).startup_timeout == 300


@pytest.mark.parametrize(
    ("gpu", "wanted"),
    [("A10", [("A10", 1)]), (["T4", "L4"], [("T4", 1), ("L4", 1)]), ("A100-40GB:2", [("A100-40GB", 2)])],
)
def test_a_gpu_is_one_or_several_to_fall_back_on(gpu, wanted):
    assert stage_of({"gpu": gpu}).gpus == wanted


def test_volumes_beside_the_stores_own_are_mounted_under_their_names():
    volumes = {path: one.name for path, one in stage_of({"volumes": {"checkpoints": "tulip-training"}}).volumes.items()}
    assert volumes == {"/almanac": "almanac-tulip", "/checkpoints": "tulip-training"}


def test_what_is_stored_elsewhere_needs_no_volume(modal_toml):
    modal_toml('[deploy.prod]\nplatform = "hub"\nhub = "jane/almanac"')
    assert stage_of({}).volumes == {}


@pytest.mark.parametrize(
    ("deployed", "settings", "names"),
    [
        (Deployment("prod"), {}, ()),
        (Deployment("prod"), {"secrets": ["own"]}, ("own",)),
        (Deployment("prod", world="live"), {}, ("almanac",)),
        (Deployment("prod", hub="jane/almanac"), {"secrets": ["own"]}, ("almanac", "own")),
        (Deployment("prod", platform="hopsworks", hopsworks="h.example/jane"), {}, ("almanac",)),
    ],
)
def test_a_stage_takes_the_secret_of_a_deployment_that_has_some_and_its_own(deployed, settings, names):
    assert secret_names(deployed, settings) == names


@pytest.mark.parametrize(
    ("text", "name", "settings"),
    [
        ("", "", {"ALMANAC_PLATFORM": "local", "ALMANAC_WORLD": "demo"}),
        ('[deploy.prod]\nworld = "live"', "", {"ALMANAC_PLATFORM": "local", "ALMANAC_WORLD": "live"}),
        (
            '[deploy.staging]\nplatform = "hub"\nhub = "jane/almanac-staging"',
            "staging",
            {"ALMANAC_PLATFORM": "hub", "ALMANAC_WORLD": "demo", "ALMANAC_HUB": "jane/almanac-staging"},
        ),
        (
            '[deploy.prod]\nplatform = "hopsworks"\nhopsworks = "h.example:8443/jane"',
            "prod",
            {
                **{"ALMANAC_PLATFORM": "hopsworks", "ALMANAC_WORLD": "demo"},
                **{"HOPSWORKS_HOST": "h.example:8443", "HOPSWORKS_PROJECT": "jane"},
            },
        ),
    ],
)
def test_a_deployment_makes_its_containers_part_of_it(modal_toml, text, name, settings):
    modal_toml(text)
    assert deployment(name).settings() == settings


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[deploy.prod]\nplatform = "mars"', "platform = 'mars' does not exist; there are: local, hub, hopsworks"),
        ('[deploy.prod]\nworld = "replay:x"', "world = 'replay:x' does not exist"),
        ('[deploy.prod]\nhub = "jane"', "two words around one slash"),
        ('[deploy.prod]\nplatform = "hub"', "platform = 'hub' needs hub = to be set too"),
        ('[deploy.prod]\nplanet = "earth"', "planet"),
        ('[deploy.staging]\nworld = "demo"', r"no \[deploy.prod\]; there are: staging"),
    ],
)
def test_a_deployment_that_cannot_be_is_refused_with_a_sentence(modal_toml, text, sentence):
    modal_toml(text)
    with pytest.raises(UsageError, match=sentence):
        deployment()


@pytest.mark.parametrize("system", SERVICES)
@pytest.mark.parametrize("platform", ["local", "hub"])
def test_a_container_finds_what_was_attached_without_modal_toml(system, platform, modal_toml, monkeypatch):
    """Modal matches a container's secrets and volumes by their number with those of the deploy: they must agree."""
    stages = {name: {**settings, "secrets": ["own"]} for name, settings in timetable()[system].items()}
    hub = 'platform = "hub"\nhub = "jane/almanac"' if platform == "hub" else ""
    modal_toml(f"[deploy.prod]\n{hub}\n" + "".join(f'[{system}.{name}]\nsecrets = ["own"]\n' for name in stages))

    def attached():
        service = runpy.run_path(str(ROOT / "functions" / f"{system}.py"))["service"]
        infos = {name: function.info() for name, function in service._on_modal.items()}
        return {name: (tuple(info.volumes), len(info.secrets)) for name, info in infos.items()}

    there = attached()
    named = ["almanac"] * (platform == "hub") + ["own"]
    stored = {there[name] for name in stages if name not in SERVICES[system]._workers}
    assert stored == {(("/almanac",) * (platform == "local"), len(named) + 1)}, "+ settings"
    modal_toml("")  # as in a container
    for name in stages:
        volumes = dict.fromkeys(there[name][0], "a-volume")
        monkeypatch.setenv("ALMANAC_ATTACHED", json.dumps({"secrets": named, "volumes": volumes}))
        assert attached()[name] == there[name]


@pytest.mark.parametrize("system", SERVICES)
def test_every_stage_is_alone_in_its_container_and_on_its_volume(system):
    service = SERVICES[system]
    for name in service.stages:
        own = [f"/{path}" for path in timetable()[system].get(name, {}).get("volumes", {})]
        found = service._on_modal[name]
        info = (found().answer if isinstance(found, modal.Cls) else found).info()
        assert list(info.volumes) == ["/almanac", *own]


def test_what_a_long_stage_leaves_lies_beside_the_store_where_there_is_no_volume(tmp_path, monkeypatch):
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path))
    folder, commit = _trial.service.lasting("checkpoints")
    assert folder == tmp_path / "demo" / "checkpoints"
    assert commit() is None
    monkeypatch.setenv("ALMANAC_WORLD", "replay:answers")
    assert _trial.service.lasting("checkpoints")[0].parent.name.startswith("replay-")


def test_the_trial_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path))
    count = _trial.service.stages["count"]
    assert count(to=3, pause_s=0) == {"counted": 3, "attempts": 1}
    assert count(to=5, pause_s=0) == {"counted": 5, "attempts": 2}
    assert count(to=5, pause_s=0) == {"counted": 5, "attempts": 2}


def test_the_trial_has_what_gpu_systems_will_need():
    count, gpu, answer = (getattr(_trial, name).info() for name in ("count", "gpu", "answer"))
    assert (count.timeout, count.max_retries, count.single_use_containers) == (10, 5, True)
    assert {path: one.name for path, one in count.volumes.items()} == {"/checkpoints": "almanac-trial"}
    assert gpu.gpus == [("T4", 1), ("L4", 1), ("A10", 1)]
    assert answer.web_info.unauthenticated, "the token is ours to check"
    assert "almanac-trial" in str(answer.secrets)


def test_an_endpoint_is_modals_to_guard_unless_told():
    def answers():
        return None

    answers.__qualname__ = "answers"
    service = Service("tulip", {"answers": {}})
    assert not service.endpoint(image())(answers).info().web_info.unauthenticated


def test_there_is_no_system_called_trial():
    assert "trial" not in timetable()
    assert "_trial" not in SERVICES


async def let_in(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"let in"})


def asked(app, **headers):
    async def ask():
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/", headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize("told", ["", "Bearer", "Bearer swordfis", "Bearer swordfish2", "swordfish", "Basic swordfish"])
def test_who_does_not_bear_the_token_is_refused(told):
    answer = asked(bearing("swordfish", let_in), **({"Authorization": told} if told else {}))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "swordfish" not in answer.text


def test_who_bears_the_token_is_let_in():
    assert asked(bearing("swordfish", let_in), Authorization="Bearer swordfish").text == "let in"


def test_without_a_token_nobody_is_let_in():
    with pytest.raises(UsageError, match="ALMANAC_ENDPOINT_TOKEN is not set"):
        bearing("", let_in)


def test_a_websocket_is_refused_too():
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(bearing("swordfish", let_in)({"type": "websocket", "headers": []}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_images_are_images():
    assert isinstance(image("scipy"), modal.Image)
    assert isinstance(gpu_image("transformers"), modal.Image)
