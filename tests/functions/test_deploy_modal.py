"""Deploying to Modal: the plan and the deed, on a control plane on loopback with the real client."""

import json
import re
import shutil
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from modal import exception

from functions._deploy import fingerprint
from functions._deploy.modal_account import _asking
from functions._deploy.target import Change
from functions._deploy.to_modal import ModalTarget
from functions._timetable import ROOT, Deployment, timetable
from shared.errors import BackendError
from tests.live.modal_trial import Modal
from tests.loopback.modal_engine import MISSING, SCRIPT, ModalEngine

TODAY = datetime.now(UTC).date().isoformat()
SYSTEMS = sorted(path.stem for path in (ROOT / "functions").glob("[a-z]*.py"))
SCHEDULED = [name for name in SYSTEMS if any("cron" in stage for stage in timetable()[name].values())]
DEMO = Deployment("prod")
IRIS = frozenset({"iris"})
LIVE = Deployment("prod", platform="hub", world="live", hub="jane/almanac")


@pytest.fixture
def no_account(monkeypatch):
    for name in ("MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET", "MODAL_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)


def named(changes):
    return {(change.kind, change.name): change.action for change in changes}


def test_the_plain_demo_needs_modals_token_alone(no_account, monkeypatch):
    monkeypatch.setattr("modal.config._user_config", {})
    needs = ModalTarget(DEMO).needs(IRIS)
    assert [(need.name, need.required) for need in needs] == [("MODAL_TOKEN_ID", True), ("MODAL_TOKEN_SECRET", True)]
    assert "https://modal.com/settings/tokens" in needs[0].where


def test_a_login_that_modals_client_keeps_counts_as_a_token(no_account, monkeypatch):
    kept = {"jane": {"token_id": "ak-y", "token_secret": "as-y"}}
    monkeypatch.setattr("modal.config._user_config", kept)
    monkeypatch.setattr("modal.config._profile", "jane")
    assert not any(need.required for need in ModalTarget(DEMO).needs(IRIS))


@pytest.mark.parametrize(
    ("deployment", "wanted"),
    [
        (DEMO, {}),
        (Deployment("prod", world="live"), {"AQICN_TOKEN": False, "ALMANAC_NOTIFY": False}),
        (LIVE, {"HF_TOKEN": True, "AQICN_TOKEN": False, "ALMANAC_NOTIFY": False}),
        (
            Deployment("prod", platform="hopsworks", hopsworks="h.example/jane"),
            {"HOPSWORKS_API_KEY": True, "AQICN_TOKEN": False, "ALMANAC_NOTIFY": False},
        ),
    ],
)
def test_the_secrets_of_stages_follow_from_the_deployment(deployment, wanted):
    needs = {need.name: need.required for need in ModalTarget(deployment).needs(IRIS)}
    assert {name: needed for name, needed in needs.items() if not name.startswith("MODAL")} == wanted


def test_what_is_wanted_is_told_without_an_account(no_account):
    wanted = named(ModalTarget(DEMO).wanted(frozenset()))
    assert {name for kind, name in wanted if kind == "app"} == set(SYSTEMS)
    assert {("dict", "almanac"), ("volume", "almanac-air-quality")} <= wanted.keys()
    assert ("secret", "almanac") not in wanted, "the plain demo has none"
    assert set(wanted.values()) == {"create"}


def test_only_one_system_is_wanted_where_one_is_named():
    wanted = [(change.kind, change.name) for change in ModalTarget(DEMO).wanted(IRIS)]
    assert wanted == [("dict", "almanac"), ("volume", "almanac-iris"), ("app", "iris")]


def test_stages_that_store_on_the_hub_have_a_secret_and_no_volume_but_for_what_training_keeps():
    wanted = named(ModalTarget(LIVE).wanted(frozenset()))
    assert {name for kind, name in wanted if kind == "volume"} == {"almanac-assistant-runs", "almanac-assistant-cache"}
    assert {name for kind, name in wanted if kind == "secret"} == {"almanac", "almanac-assistant"}


def test_the_fingerprint_follows_code_and_settings_and_nothing_else(monkeypatch):
    iris = fingerprint.parts("iris", DEMO)
    assert fingerprint.parts("iris", DEMO) == iris
    assert fingerprint.parts("wine", DEMO)["code"] != iris["code"]
    assert fingerprint.parts("wine", DEMO)["constraints.txt"] == iris["constraints.txt"]
    live = fingerprint.parts("iris", LIVE)
    assert [part for part in iris if live[part] != iris[part]] == ["modal.toml"]
    monkeypatch.setenv("HF_TOKEN", "a-secret-that-does-not-count")
    assert fingerprint.parts("iris", LIVE) == live


def test_what_every_service_imports_of_functions_is_in_its_fingerprint():
    imported = re.compile(r"^ *from functions\.?([\w.]*) import", re.MULTILINE)
    covered = {path for name in fingerprint.COMMON for path in (ROOT / "functions").glob(name)}
    services = [ROOT / "functions" / f"{system}.py" for system in SYSTEMS]
    named = {name.replace(".", "/") for path in (*covered, *services) for name in imported.findall(path.read_text())}
    homes = [ROOT / "functions" / name for name in named]
    assert {home / "__init__.py" if home.is_dir() else home.with_suffix(".py") for home in homes} <= covered
    assert ROOT / "functions" / "_timetable.py" in covered


def test_a_kept_digest_tells_whether_a_secret_changed_and_not_what_it_is():
    kept = fingerprint.of_secret("hf_swordfish")
    assert "swordfish" not in kept
    assert fingerprint.is_of(kept, "hf_swordfish")
    assert not fingerprint.is_of(kept, "hf_carp")
    assert fingerprint.of_secret("hf_swordfish") != kept, "salted"


@pytest.mark.parametrize(
    ("vendor", "sentence"),
    [
        (
            exception.AuthError("Token missing"),
            "Modal refused the token; make a new one: https://modal.com/settings/to",
        ),
        (exception.ConnectionError("Could not connect to the Modal server."), "Could not connect .* Try again"),
        (exception.ResourceExhaustedError("too many crons"), "too many crons. Try again"),
        (exception.NotFoundError("no such environment"), "`modal environment create staging`"),
        (exception.UnimplementedError("SecretDelete"), "by hand: modal secret delete almanac"),
    ],
)
def test_an_error_of_modals_says_what_to_do_next(vendor, sentence):
    with pytest.raises(BackendError, match=sentence), _asking("staging", "modal secret delete almanac"):
        raise vendor


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the repository, for what deploys from a repository that changes."""
    copy = tmp_path_factory.mktemp("tree")
    for folder in ("functions", "shared"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (*ROOT.glob("constraints*.txt"), ROOT / "modal.toml"):
        shutil.copy(file, copy)
    with (copy / "modal.toml").open("a") as deployments:
        deployments.write('\n[deploy.live]\nworld = "live"\n[deploy.hub]\nworld = "live"\nhub = "jane/almanac"\n')
    return copy


@pytest.fixture(scope="module")
def engine(tmp_path_factory, tree):
    if not SCRIPT:
        pytest.skip(MISSING)
    with ModalEngine(tmp_path_factory.mktemp("engine"), complete=True, root=tree) as started:
        started.environment["ALMANAC_ENDPOINT_TOKEN"] = "of-these-tests"
        yield started


def almanac(engine, *words, code=0, **settings):
    """What `almanac ... --json` says."""
    printed = engine.run("almanac", *words, "--json", code=code, **settings)
    return json.loads(printed[printed.index("{\n") : printed.rindex("}") + 1])


def actions(told):
    return {(change["kind"], change["name"]): change["action"] for change in told["changes"]}


@pytest.mark.slow
@pytest.mark.usefixtures("engine")
class TestOnAControlPlane:
    """In order: each test finds the account as the one before left it."""

    def test_an_endpoints_token_that_is_nowhere_stops_the_deploy_with_how_to_make_one(self, engine):
        told = almanac(engine, "deploy", "modal", "--yes", code=2, ALMANAC_ENDPOINT_TOKEN="")
        assert told["error"] == "nothing was done: ALMANAC_ENDPOINT_TOKEN must be set in the environment"
        (need,) = told["missing"]
        assert "openssl rand -base64 32" in need["from"]
        assert (
            almanac(engine, "deploy", "modal", "--only", "iris", "--dry-run", ALMANAC_ENDPOINT_TOKEN="")["missing"]
            == []
        )
        told = almanac(engine, "deploy", "modal", "--dry-run", ALMANAC_ENDPOINT_TOKEN="")
        assert told["blind"] == {}
        (secret,) = [change for change in told["changes"] if change["kind"] == "secret"]
        assert secret["why"] == "not there; will hold ALMANAC_ENDPOINT_TOKEN"

    def test_all_apps_deploy_in_less_than_a_minute_with_at_most_five_crons(self, engine):
        clock = time.monotonic()
        told = almanac(engine, "deploy", "modal", "--yes")
        assert time.monotonic() - clock < 60
        assert {one["status"] for one in told["outcomes"]} == {"done"}
        crons = {}
        for system in SYSTEMS:
            deployed = engine.functions(system)
            assert timetable()[system].keys() <= {name.removesuffix(".*") for name in deployed}  # a class
            crons |= {(system, name): one["schedule"] for name, one in deployed.items() if one["schedule"]}
        assert 1 <= len(crons) <= 5
        for (system, stage), schedule in crons.items():
            settings = timetable()[system][stage]
            assert f'"{settings["cron"]}"' in schedule
            assert settings["timezone"] in schedule

    def test_a_repeat_changes_nothing_and_is_quick(self, engine):
        before, clock = engine.state(), time.monotonic()
        told = almanac(engine, "deploy", "modal", "--yes")
        assert time.monotonic() - clock < 15
        assert set(actions(told).values()) == {"leave"}
        after = engine.state()
        assert after["functions"] == before["functions"]
        assert after["rpcs"].get("AppPublish") == before["rpcs"].get("AppPublish")

    def test_a_token_that_modal_holds_is_not_asked_for_again_and_another_one_is_a_change(self, engine):
        told = almanac(engine, "deploy", "modal", "--dry-run", ALMANAC_ENDPOINT_TOKEN="")
        assert actions(told)["secret", "almanac-assistant"] == "leave"
        assert [need["needed"] for need in told["missing"]] == ["if wanted"]
        why = f"ALMANAC_ENDPOINT_TOKEN changed since {TODAY}"
        assert changed(engine, ALMANAC_ENDPOINT_TOKEN="another") == {("secret", "almanac-assistant"): ("change", why)}

    def test_every_cron_fires_and_fills_trains_and_predicts_where_nothing_was(self, engine):
        calls = []
        for system in SYSTEMS:
            crons = [name for name, settings in timetable()[system].items() if "cron" in settings]
            calls += [engine.fire(system, name) for name in crons]
        engine.wait_until(lambda: all(engine.ended(call) for call in calls), 400)
        assert [engine.ended(call) for call in calls] == [["GENERIC_STATUS_SUCCESS"]] * len(calls)
        ran = {one["fn"] for one in engine.state()["calls"]}
        assert {"backfill", "train", "daily"} <= ran

    def test_a_daily_run_by_hand_afterwards_has_nothing_left_to_do(self, engine):
        for system in SCHEDULED:
            engine.modal("run", "-m", f"functions.{system}::daily")
        calls = [one["fn"] for one in engine.state()["calls"]]
        assert calls.count("backfill") == len(SCHEDULED), "nothing was filled twice"

    def test_what_somebody_stopped_is_deployed_again_and_nothing_else(self, engine):
        engine.modal("app", "stop", "wine", "--yes")
        assert changed(engine) == {("app", "wine"): ("create", f"stopped since it was deployed on {TODAY}")}
        almanac(engine, "deploy", "modal", "--yes")
        assert engine.functions("wine").keys() >= {"daily", "train"}
        assert changed(engine) == {}

    def test_edited_code_is_a_change_of_the_apps_it_goes_into(self, engine, tree):
        edit(tree / "functions" / "wine.py", "# one word more\n")
        assert changed(engine) == {("app", "wine"): ("change", f"code changed since {TODAY}")}
        edit(tree / "shared" / "runs.py", "# one word more\n")
        assert {key[1] for key in changed(engine)} == set(SYSTEMS)
        edit(tree / "shared" / "pages" / "look.py", "# pages run elsewhere\n")
        edit(tree / "functions" / "_status.py", "# the command does, too\n")
        almanac(engine, "deploy", "modal", "--yes")
        assert changed(engine) == {}

    def test_other_pins_and_another_world_are_changes_that_say_so(self, engine, tree):
        edit(tree / "constraints.txt", "tulip==1.0\n")
        live = changed(engine, "--env", "live")
        assert live["app", "iris"] == ("change", f"constraints.txt, modal.toml changed since {TODAY}")
        assert live["secret", "almanac"] == ("create", "not there; will hold ALMANAC_ENV")

    def test_a_missing_secret_stops_the_deploy_before_anything_is_done_and_is_named(self, engine):
        before = engine.state()["functions"]
        told = almanac(engine, "deploy", "modal", "--yes", "--env", "hub", code=2)
        assert "HF_TOKEN must be set" in told["error"]
        assert engine.state()["functions"] == before

    def test_a_secret_that_somebody_removed_meanwhile_is_named_with_the_command_that_makes_it(self, engine):
        """Between the plan and the deed; what Modal's own client says is not what a person needs."""
        with acting_on(engine):
            target, deed = ModalTarget(LIVE), Change("modal", "app", "iris", "change")
            with pytest.raises(BackendError, match=r"no secret 'almanac' with HF_TOKEN; .* almanac HF_TOKEN=…`"):
                target.apply(deed)
            engine.modal("secret", "create", "almanac", "OTHER=1")
            with pytest.raises(BackendError, match="no secret 'almanac' with HF_TOKEN"):
                target.apply(deed)
            engine.modal("secret", "delete", "almanac", "--yes")

    def test_a_secret_is_made_of_the_environment_noticed_when_it_changes_and_never_shown(self, engine):
        token, printed = "hf_" + "swordfish" * 4, []
        printed.append(engine.run("almanac", "deploy", "modal", "--yes", "--env", "hub", HF_TOKEN=token))
        assert engine.functions("iris")["daily"]["secrets"][0] == "almanac"
        assert changed(engine, "--env", "hub", HF_TOKEN=token) == {}
        found = changed(engine, "--env", "hub", HF_TOKEN=token, AQICN_TOKEN="carp-" * 8)
        assert found == {("secret", "almanac"): ("change", f"AQICN_TOKEN changed since {TODAY}")}
        found = changed(engine, "--env", "hub", HF_TOKEN=token + "2")
        assert found == {("secret", "almanac"): ("change", f"HF_TOKEN changed since {TODAY}")}
        printed.append(engine.run("almanac", "deploy", "modal", "--yes", "--env", "hub", HF_TOKEN=token + "2"))
        printed.append(engine.run("almanac", "status", "--deployed", "--env", "hub", HF_TOKEN="", code=1))
        assert "swordfish" not in " ".join(printed)
        records = engine.modal("dict", "items", "almanac", "--json")
        assert "HF_TOKEN" in records
        assert "swordfish" not in records

    def test_an_app_of_a_system_that_the_repository_no_longer_has_is_to_go(self, engine, tree):
        (tree / "functions" / "tulip.py").write_text(TULIP)
        assert changed(engine)["app", "tulip"][0] == "create"
        almanac(engine, "deploy", "modal", "--yes", "--only", "tulip")
        (tree / "functions" / "tulip.py").unlink()
        assert changed(engine)["app", "tulip"] == ("remove", "the repository has no such system")
        assert ("app", "tulip") not in changed(engine, "--only", "iris")
        almanac(engine, "deploy", "modal", "--yes")
        assert engine.functions("tulip") == {}
        assert changed(engine) == {}

    def test_the_ten_minutes_of_a_live_account_show_all_here_and_leave_nothing_behind(self, engine):
        with acting_on(engine):
            part = Modal()
            assert part.lacks() == ""
            said = {what: step() for what, step in part.steps()}
            (counted,) = [one for what, one in said.items() if "timeout killed" in what]
            assert re.fullmatch(r"20 numbers in [23] attempts", counted)
            (gpu,) = [one for what, one in said.items() if "GPU runs" in what]
            assert gpu.startswith("gpu: ")
            assert part.remove() == "nothing is left of almanac-trial"
        assert engine.functions("almanac-trial") == {}

    def test_removing_one_system_leaves_the_others_and_its_data(self, engine):
        told = almanac(engine, "destroy", "modal", "--only", "wine", "--yes")
        assert actions(told) == {("app", "wine"): "remove", ("volume", "almanac-wine"): "keep"}
        assert engine.functions("wine") == {}
        assert engine.functions("iris")

    def test_destroy_leaves_nothing_but_data_and_with_data_nothing(self, engine):
        told = almanac(engine, "destroy", "modal", "--yes")
        assert {one["status"] for one in told["outcomes"]} == {"done"}
        assert all(engine.functions(system) == {} for system in SYSTEMS)
        left = almanac(engine, "destroy", "modal", "--yes")
        assert set(actions(left).values()) == {"keep"}
        assert {kind for kind, _ in actions(left)} == {"volume"}
        assert "almanac-iris" in engine.modal("volume", "list", "--json")
        almanac(engine, "destroy", "modal", "--data", "--yes")
        (last,) = almanac(engine, "destroy", "modal", "--data", "--yes")["changes"]
        assert (last["action"], last["why"]) == ("keep", "by hand: modal volume delete almanac-tulip"), (
            "may be anybody's"
        )
        assert [one["name"] for one in json.loads(engine.modal("volume", "list", "--json"))] == ["almanac-tulip"]
        assert json.loads(engine.modal("secret", "list", "--json")) == []


def changed(engine, *words, **settings):
    """What a deploy would do now, by kind and name, with why; without what it leaves."""
    told = almanac(engine, "deploy", "modal", "--dry-run", *words, **settings)
    assert told["blind"] == {}
    todo = [change for change in told["changes"] if change["action"] != "leave"]
    return {(change["kind"], change["name"]): (change["action"], change["why"]) for change in todo}


def edit(path, text):
    with path.open("a") as file:
        file.write(text)


TULIP = '''"""Tulips: a system of one test."""

from typing import Any

from functions._modal.images import image
from functions._modal.service import Service

service = Service("tulip")
app = service.app


@service.stage(image())
def daily(day: str = "") -> dict[str, Any]:
    """Do nothing."""
    return {}
'''


@contextmanager
def acting_on(engine):
    """Let this process's own client talk to the engine."""
    from modal.client import _Client  # keeps the first connection of a process, and has no public way to let go

    with pytest.MonkeyPatch.context() as patch:
        for name in ("MODAL_SERVER_URL", "MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET"):
            patch.setenv(name, engine.environment[name])
        patch.setattr(_Client, "_client_from_env", None)
        yield
