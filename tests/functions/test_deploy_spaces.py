"""Pages deployed to the Hub with the real client, against a Hub on loopback: made, left, changed, refused, removed."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from functions._deploy import bundle, space_files
from functions._deploy.target import Change
from functions._deploy.to_spaces import SpacesTarget
from functions._timetable import ROOT, Deployment
from shared.adapters.hub import cards
from shared.errors import AlmanacError, BackendError, UsageError
from shared.ports import ModelVersion
from tests.loopback.hub import HubServer

PROD = Deployment("prod", hub="jane/almanac")
STAGING = Deployment("staging", hub="jane/almanac-staging")
NAMES = ("-air-quality", "", "-chat", "-iris", "-iris-monitor", "-meals", "-wine", "-wine-monitor")  # "" is the roof
SPACES = [f"jane/almanac{name}" for name in NAMES]
TODAY = "jane/almanac-today"
DATA, MODELS = (
    "jane/almanac-demo",
    [f"jane/almanac-demo-{name}" for name in ("air_quality", "assistant", "iris", "wine")],
)
ALL, IRIS, WINE = frozenset(), frozenset({"iris"}), frozenset({"wine"})


class Visited(BaseHTTPRequestHandler):
    """What a Space's page answers: its endpoints, and to a call what ``says`` holds."""

    says = ("complete", [{"variety": "setosa"}])

    def log_message(self, *_):
        pass

    def do_GET(self):
        kind, value = self.says
        named = {"/two": {"parameters": [number("a"), number("b")]}, "/one": {"parameters": [number("a"), text("b")]}}
        if self.path.startswith("/gradio_api/call/one/"):
            self.answer(f"event: {kind}\ndata: {json.dumps(value)}\n\n")
        else:
            self.answer(json.dumps({"named_endpoints": named}) if "info" in self.path else "<h1>Almanac today</h1>")

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert (self.path, asked) == ("/gradio_api/call/one", {"data": [1.0, "red"]})
        self.answer('{"event_id": "7"}')

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


def number(name):
    return {"parameter_name": name, "parameter_has_default": False, "type": {"type": "number"}}


def text(name):
    return {"parameter_name": name, "parameter_has_default": True, "parameter_default": "red", "type": {}}


@pytest.fixture
def page():
    """The class that answers for every Space; a test sets its ``says``."""
    handler = type("Bound", (Visited,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    handler.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def hub(tmp_path, page, monkeypatch):
    with HubServer(tmp_path / "hub") as server:
        server.spaces_come_to("RUNNING", host=page.url)
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", server.token)
        monkeypatch.delenv("HF_READ_TOKEN", raising=False)
        monkeypatch.setattr("shared.adapters.hub.spaces.EVERY_S", 0.01)
        monkeypatch.setattr("shared.adapters.hub.spaces.BUILD_S", 1)
        monkeypatch.setattr("shared.adapters.hub.spaces.ANSWER_S", 0.03)
        yield server


def deploy(target, only=ALL):
    return [target.apply(change) for change in target.plan(only)]


def actions(changes):
    return {change.name: change.action for change in changes}


def repositories(hub):
    return sorted(hub.repos)


def test_a_first_deploy_makes_all_that_pages_need_and_waits_until_each_answers(hub):
    target = SpacesTarget(PROD)
    planned = target.plan(ALL)
    assert actions(planned[:-1]) == dict.fromkeys([DATA, *MODELS, *SPACES, TODAY], "create")
    assert (planned[-1].kind, planned[-1].name) == ("start", ", ".join([*SPACES, TODAY]))
    assert hub.repos == {}
    said = [target.apply(change) for change in planned]
    assert repositories(hub) == sorted(
        [("dataset", DATA), *(("model", name) for name in MODELS), *(("space", name) for name in [*SPACES, TODAY])]
    )
    assert said[-1].splitlines() == [*(f"{name} answers /one" for name in SPACES), f"{TODAY} shows its page"]


def test_a_space_holds_exactly_its_bundle_and_says_for_which_deployment_it_was_made(hub):
    deploy(SpacesTarget(PROD), IRIS)
    files = hub.tree("jane/almanac-iris-monitor", "space")
    ours = {path.as_posix(): source.read_bytes() for path, source in bundle.contents("iris_monitor").items()}
    assert files.keys() == {*ours, bundle.MARK, ".gitattributes"}
    assert {path for path in ours if files[path] != ours[path]} == {"README.md"}
    assert json.loads(files[bundle.MARK]) == {
        "space": "iris_monitor",
        "hub": "jane/almanac",
        "files": sorted(ours),
    }
    assert hub.commits("jane/almanac-iris-monitor", "space") == 1


def test_a_space_is_told_where_to_read_and_holds_no_secret_when_all_is_public(hub):
    deploy(SpacesTarget(PROD), IRIS)
    space = hub.repos["space", "jane/almanac-iris"].space
    assert space.variables == {
        "ALMANAC_PLATFORM": "hub",
        "ALMANAC_WORLD": "demo",
        "ALMANAC_HUB": "jane/almanac",
        "ALMANAC_FRESH_S": "60",
        "ALMANAC_HOME": "/tmp/almanac",
    }
    assert (space.secrets, space.sdk, space.hardware, space.stage) == ({}, "gradio", "cpu-basic", "RUNNING")


def test_the_front_matter_on_the_hub_names_the_deployments_repositories(hub):
    deploy(SpacesTarget(PROD))
    for name, models in (("jane/almanac-wine-monitor", ["jane/almanac-demo-wine"]), ("jane/almanac", MODELS)):
        facts = yaml.safe_load(hub.tree(name, "space")["README.md"].decode().split("---\n")[1])
        assert (facts["models"], facts["datasets"], facts["tags"]) == (models, [DATA], ["almanac"])
        assert (facts["sdk"], facts["app_file"], facts["python_version"]) == ("gradio", "app.py", "3.12")
    facts = yaml.safe_load(hub.tree(TODAY, "space")["README.md"].decode().split("---\n")[1])
    assert (facts["sdk"], facts["app_file"]) == ("static", "index.html")


def test_a_second_deploy_leaves_everything_and_writes_nothing(hub):
    deploy(SpacesTarget(PROD))
    asked = len(hub.requests)
    target = SpacesTarget(PROD)
    planned = target.plan(ALL)
    assert actions(planned) == dict.fromkeys([DATA, *MODELS, *SPACES, TODAY], "leave")
    assert {target.apply(change) for change in planned} == {f"{change.name}: left as it is" for change in planned}
    assert {method for method, *_ in hub.requests[asked:]} == {"GET"}


def test_only_what_differs_is_sent_again(hub):
    deploy(SpacesTarget(PROD), WINE)
    repo = hub.repos["space", "jane/almanac-wine"]
    _, files = repo.files()
    repo.add("e" * 40, "by hand", {**files, "app.py": hub.keep(b"print()"), "old.py": hub.keep(b"")})
    target = SpacesTarget(PROD)
    planned = [change for change in target.plan(WINE) if change.action != "leave"]
    assert [(change.name, change.why) for change in planned[:1]] == [("jane/almanac-wine", "app.py, old.py differ")]
    assert target.apply(planned[0]) == "jane/almanac-wine: 1 files brought, 1 deleted"
    assert target.apply(planned[1]) == "jane/almanac-wine answers /one"
    assert hub.repos["space", "jane/almanac-wine"].files()[1] == files
    assert {*actions(target.plan(WINE)).values()} == {"leave"}


def test_a_changed_variable_is_set_again(hub):
    deploy(SpacesTarget(PROD), WINE)
    hub.repos["space", "jane/almanac-wine"].space.variables["ALMANAC_WORLD"] = "live"
    target = SpacesTarget(PROD)
    planned = [change for change in target.plan(WINE) if change.action != "leave"]
    assert [change.why for change in planned] == ["ALMANAC_WORLD to set", "until each runs and answers"]
    for change in planned:
        target.apply(change)
    space = hub.repos["space", "jane/almanac-wine"].space
    assert (space.variables["ALMANAC_WORLD"], space.restarts) == ("demo", 1)


def test_only_one_systems_pages_are_deployed_when_told(hub):
    planned = SpacesTarget(PROD).plan(WINE)
    assert [change.name for change in planned] == [
        DATA,
        "jane/almanac-demo-wine",
        "jane/almanac-wine",
        "jane/almanac-wine-monitor",
        "jane/almanac-wine, jane/almanac-wine-monitor",
    ]


def test_one_puts_all_pages_into_one_space_beside_the_static_one(hub):
    target = SpacesTarget(PROD, one=True)
    planned = target.plan(ALL)
    assert [change.name for change in planned if "Space" in change.kind] == ["jane/almanac", TODAY]
    for change in planned:
        target.apply(change)
    assert "pages/wine_monitor/app.py" in hub.tree("jane/almanac", "space")
    assert actions(SpacesTarget(PROD, one=True).plan(ALL)).keys() == {DATA, *MODELS, "jane/almanac", TODAY}


def test_what_lies_beside_the_pages_is_never_uploaded(hub, tmp_path, monkeypatch):
    root = tmp_path / "repo"
    for name in ("app.py", "README.md", "requirements.txt"):
        (root / "spaces/iris").mkdir(parents=True, exist_ok=True)
        (root / "spaces/iris" / name).write_bytes((ROOT / "spaces/iris" / name).read_bytes())
    for name in ("spaces/iris/.env", "spaces/iris/.venv/bin/python", "spaces/iris/__pycache__/app.pyc", ".env"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("hf_secret")
    monkeypatch.setattr(bundle, "ROOT", root)
    deploy(SpacesTarget(PROD), IRIS)
    files = {".bundle.json", ".gitattributes", "README.md", "app.py", "requirements.txt"}
    assert hub.tree("jane/almanac-iris", "space").keys() == files


def test_the_daily_pages_on_the_static_space_stay_when_it_is_deployed_again(hub):
    deploy(SpacesTarget(PROD), frozenset({"air_quality"}))
    assert b"daily run" in hub.tree(TODAY, "space")["index.html"]
    repo = hub.repos["space", TODAY]
    _, files = repo.files()
    published = {"index.html": hub.keep(b"PM2.5: 7"), "forecast.csv": hub.keep(b"day"), "README.md": hub.keep(b"old")}
    repo.add("e" * 40, "published", {**files, **published})
    deploy(SpacesTarget(PROD), frozenset({"air_quality"}))
    tree = hub.tree(TODAY, "space")
    assert (tree["index.html"], tree["forecast.csv"]) == (b"PM2.5: 7", b"day")
    assert tree["README.md"] == space_files.STATIC_README.encode()


@pytest.mark.parametrize("status", [402, 403])
def test_an_account_that_may_have_no_gradio_space_is_told_what_it_may_have(status, hub):
    target = SpacesTarget(PROD)
    planned = [change for change in target.plan(ALL) if change.name == "jane/almanac-iris"]
    hub.fail("POST /api/repos/create", status, times=9)
    with pytest.raises(BackendError, match="paid plan.*`almanac deploy spaces --one`.*jane/almanac-today is free"):
        target.apply(planned[0])
    assert hub.repos == {}


def test_the_one_space_of_a_free_account_is_made_on_zerogpu(hub):
    hub.fail("POST /api/repos/create", 402, times=1)
    target = SpacesTarget(PROD, one=True)
    target.apply(Change("spaces", "Space", "jane/almanac", "create"))
    assert hub.repos["space", "jane/almanac"].space.hardware == "zero-a10g"


def test_a_build_that_fails_is_told_with_the_end_of_its_log_after_all_were_waited_for(hub, page):
    target = SpacesTarget(PROD)
    planned = target.plan(IRIS)
    hub.spaces_come_to("BUILD_ERROR", host=page.url, names="iris$")
    for change in planned[:-1]:
        target.apply(change)
    hub.repos["space", "jane/almanac-iris"].space.log += ["x" * 999, "with hf_" + "a" * 30]
    with pytest.raises(BackendError) as told:
        target.apply(planned[-1])
    message = str(told.value)
    assert "jane/almanac-iris came to BUILD_ERROR" in message
    assert "no matching distribution" in message
    assert "hf_aaa" not in message
    assert max(map(len, message.splitlines())) <= 205
    assert hub.repos["space", "jane/almanac-iris-monitor"].space.stage == "RUNNING"


def test_a_space_that_broke_is_restarted_by_the_next_deploy(hub, page):
    deploy(SpacesTarget(PROD), IRIS)
    hub.repos["space", "jane/almanac-iris"].space.stage = "RUNTIME_ERROR"
    target = SpacesTarget(PROD)
    planned = [change for change in target.plan(IRIS) if change.action != "leave"]
    assert [(change.name, change.why) for change in planned] == [
        ("jane/almanac-iris", "it is RUNTIME_ERROR"),
        ("jane/almanac-iris", "until each runs and answers"),
    ]
    assert target.apply(planned[0]) == "jane/almanac-iris: 0 files brought, 0 deleted"
    assert target.apply(planned[1]) == "jane/almanac-iris answers /one"


def test_a_page_on_an_empty_store_answers_with_its_sentence_and_that_is_fine(hub, page):
    page.says = ("error", {"error": "no version of iris serves yet; run `almanac run iris train`"})
    said = deploy(SpacesTarget(PROD), IRIS)
    assert said[-1].startswith("jane/almanac-iris answers /one: no version of iris serves yet")


@pytest.mark.parametrize("value", [{"error": "Something went wrong here, and it is noted in the log."}, None])
def test_a_page_with_a_fault_of_its_own_fails_the_deploy(value, hub, page):
    page.says = ("error", value)
    with pytest.raises(BackendError, match="jane/almanac-iris runs, but /one fails"):
        deploy(SpacesTarget(PROD), IRIS)


def test_a_page_that_never_answers_fails_the_deploy_in_bounded_time(hub, page):
    hub.spaces_come_to("RUNNING", host=f"{page.url}")
    page.do_GET = lambda self: self.send_error(503)
    with pytest.raises(BackendError, match="runs, but does not answer"):
        deploy(SpacesTarget(PROD), IRIS)


def test_a_build_that_never_ends_is_told_with_its_address(hub, page):
    hub.spaces_come_to("RUNNING", host=page.url, asks=10_000)
    with pytest.raises(BackendError, match="still BUILDING; see https://huggingface.co/spaces/jane/almanac-iris"):
        deploy(SpacesTarget(PROD), IRIS)


def test_an_upload_that_is_cut_leaves_the_space_as_it_was_and_the_next_deploy_mends_it(hub):
    deploy(SpacesTarget(PROD), IRIS)
    repo = hub.repos["space", "jane/almanac-iris"]
    _, files = repo.files()
    repo.add("e" * 40, "an older version", {**files, "app.py": hub.keep(b"old")})
    hub.fail("POST .*/almanac-iris/commit/", "cut", times=99)
    before = hub.tree("jane/almanac-iris", "space")
    target = SpacesTarget(PROD)
    changed = next(change for change in target.plan(IRIS) if change.action == "change")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target._spaces._account, "_sleep", lambda _: None)
        with pytest.raises(BackendError, match="nothing is lost: run the same command again"):
            target.apply(changed)
    assert hub.tree("jane/almanac-iris", "space") == before
    hub.faults.clear()
    deploy(SpacesTarget(PROD), IRIS)
    assert hub.repos["space", "jane/almanac-iris"].files()[1] == files


def test_an_upload_whose_answer_is_lost_is_done_once(hub):
    hub.fail("POST .*/almanac-iris/commit/", "lost")
    deploy(SpacesTarget(PROD), IRIS)
    assert hub.commits("jane/almanac-iris", "space") == 1


def test_a_space_of_somebody_elses_making_is_never_written_to(hub):
    theirs = hub.create("space", "jane/almanac-iris")
    theirs.add("a" * 40, "mine", {"app.py": hub.keep(b"years of work")})
    with pytest.raises(UsageError, match="jane/almanac-iris is not from this deployment"):
        SpacesTarget(PROD).plan(ALL)
    with pytest.raises(UsageError, match="jane/almanac-iris is not from this deployment"):
        SpacesTarget(PROD).apply(Change("spaces", "Space", "jane/almanac-iris", "create"))
    assert hub.tree("jane/almanac-iris", "space") == {"app.py": b"years of work"}


def test_destroy_removes_only_what_this_deployment_made_and_no_data(hub):
    deploy(SpacesTarget(PROD))
    deploy(SpacesTarget(STAGING), IRIS)
    for name in ("jane/almanac-diary", "jane/other"):
        hub.create("space", name).add(name[-1] * 40, "mine", {"app.py": hub.keep(b"mine")})
    hub.create("model", "jane/almanac-demo-mine")
    target = SpacesTarget(PROD)
    found = target.removal(ALL, data=False)
    kept = {DATA: "keep", **dict.fromkeys(MODELS, "keep")}
    assert actions(found) == {**dict.fromkeys([*SPACES, TODAY], "remove"), **kept}
    for change in found:
        target.apply(change)
    left = [name for kind, name in repositories(hub) if kind == "space"]
    assert left == [
        "jane/almanac-diary",
        "jane/almanac-staging-iris",
        "jane/almanac-staging-iris-monitor",
        "jane/other",
    ]
    for change in target.removal(ALL, data=True):
        target.apply(change)
    assert [name for kind, name in repositories(hub) if kind != "space"] == [
        "jane/almanac-staging-demo",
        "jane/almanac-demo-mine",
        "jane/almanac-staging-demo-iris",
    ]
    assert target.removal(ALL, data=True) == []


def test_destroying_one_system_takes_its_pages_alone_and_keeps_the_shared_tables(hub):
    deploy(SpacesTarget(PROD), IRIS)
    deploy(SpacesTarget(PROD), WINE)
    found = SpacesTarget(PROD).removal(IRIS, data=False)
    assert actions(found) == {
        "jane/almanac-iris": "remove",
        "jane/almanac-iris-monitor": "remove",
        "jane/almanac-demo-iris": "keep",
    }


def test_a_page_that_the_repository_no_longer_has_is_named_and_removed_by_destroy(hub):
    deploy(SpacesTarget(PROD), IRIS)
    mark = json.dumps({"space": "roses", "hub": "jane/almanac", "files": []}).encode()
    hub.create("space", "jane/almanac-roses").add("b" * 40, "old", {bundle.MARK: hub.keep(mark)})
    planned = {change.name: change.why for change in SpacesTarget(PROD).plan(ALL)}
    assert planned["jane/almanac-roses"] == "no longer wanted: `almanac destroy spaces` removes it"
    assert actions(SpacesTarget(PROD).removal(ALL, data=False))["jane/almanac-roses"] == "remove"


def test_pages_of_a_private_data_set_get_the_reading_token_and_are_private_themselves(hub, monkeypatch):
    hub.create("dataset", DATA, private=True)
    with pytest.raises(UsageError, match="HF_READ_TOKEN, a token with read access"):
        deploy(SpacesTarget(PROD), IRIS)
    monkeypatch.setenv("HF_READ_TOKEN", hub.read_token)
    deploy(SpacesTarget(PROD), IRIS)
    repo = hub.repos["space", "jane/almanac-iris"]
    assert (repo.private, repo.space.secrets) == (True, {"HF_TOKEN": hub.read_token})
    assert all(hub.read_token.encode() not in content for content in hub.tree("jane/almanac-iris", "space").values())
    assert "change" not in actions(SpacesTarget(PROD).plan(IRIS)).values()


def test_without_a_token_the_plan_says_what_there_is_and_applying_says_where_to_get_one(hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    target = SpacesTarget(PROD)
    planned = target.plan(IRIS)
    assert {change.action for change in planned[:-1]} == {"create"}
    with pytest.raises(
        BackendError, match="no HF_TOKEN in the environment; make one at https://huggingface.co/settings"
    ):
        target.apply(planned[0])


def test_a_refused_token_is_told_without_showing_it(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_" + "wrong" * 6)
    with pytest.raises(AlmanacError) as told:
        SpacesTarget(PROD).plan(ALL)
    assert "HF_TOKEN needs write access" in str(told.value)
    assert "hf_wrong" not in repr(told.getrepr(style="long"))


def test_a_deployment_without_a_place_is_told_what_to_write():
    with pytest.raises(UsageError, match=r'write hub = "OWNER/PREFIX" in modal.toml \[deploy.prod\]'):
        SpacesTarget(Deployment("prod"))


def test_the_needed_token_is_named_with_where_to_get_it(hub):
    needed = {need.name: need for need in SpacesTarget(PROD).needs(ALL)}
    assert needed["HF_TOKEN"].required
    assert needed["HF_TOKEN"].where == "https://huggingface.co/settings/tokens"
    assert not needed["HF_READ_TOKEN"].required


def test_the_cards_that_daily_runs_write_are_known_as_ours():
    assert space_files.has_our_card(cards.data_set(DATA, []))
    assert space_files.has_our_card(cards.model(MODELS[0], ModelVersion("iris", ROOT, {}, version=1), [1]))
    assert not space_files.has_our_card("---\ntags:\n- mine\n---\n\n- almanac\n")
