"""Each Space boots in an environment made from its own requirements, behind the ports that Hugging Face leaves open.

Nothing of the repository is there but the bundle; what it shows comes from a Hub on loopback, which stands for the one
on port 443. It is asked as the Space does: without a token.
"""

import importlib
import shutil
import socket
import subprocess
import sys
import venv
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from functions._deploy import bundle
from shared.adapters.hub.account import HubAccount
from shared.adapters.hub.spaces import HubSpaces
from shared.connect import open_platform
from tests.loopback.hub import HubServer

REPO = Path(__file__).parents[2]
FENCE = REPO / "tests" / "spaces" / "fence.py"
OPEN = (80, 443, 8080)
SYSTEMS = ("iris", "wine", "air_quality", "assistant")
# Chat and meals require the same, torch among it (a minute to install): one environment serves both.
SPACES = sorted(bundle.spaces(), key=lambda space: (REPO / "spaces" / space / "requirements.txt").read_text())

spec = importlib.util.spec_from_file_location("fence", FENCE)
fence = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fence)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not fence.can_fence(), reason="this kernel cannot refuse ports: Landlock of Linux 6.7 or newer"),
]


def say(endpoint, *given):
    return lambda client: client.predict(*given, api_name=endpoint)


IRIS = say("/iris_predict", 5.0, 3.4, 1.5, 0.2)
IRIS_MONITOR = say("/iris_monitor", "2026-10-01", "2026-10-20")
WINE = say("/wine_predict", "red", 7.9, 0.52, 0.26, 2.2, 0.079, 14, 38, 0.9967, 3.31, 0.62, 10.2)
WINE_MONITOR = say("/wine_monitor", "reserve", "2026-10-01", "2026-10-20")
DUST = say("/air_quality_forecast", "rotterdam-zuid")
CHAT = say("/chat_answer", "What is a roux?", "", "assistant v1", 0.7, 0.05, 16)
MEAL = say("/compose_meal", "2 eggs, 300 g rice", 3)
# What each page answers on the filled store: a question, and what must be true of the answer.
REAL = {
    "iris": [(IRIS, lambda said: said["variety"] == "setosa" and said["model"]["version"] == 1)],
    "iris_monitor": [(IRIS_MONITOR, lambda seen: (seen["predictions"], seen["outcomes"]) == (20, 19))],
    "wine": [(WINE, lambda said: said["grade"] in range(3, 10) and len(said["moved"]) == 12)],
    "wine_monitor": [(WINE_MONITOR, lambda seen: seen["outcomes"] > 0 and seen["figures"]["mae"] > 0)],
    "air_quality": [(DUST, lambda said: len(said["days"]) == 7 and said["days"][0]["pm25"] > 0)],
}
REAL["almanac"] = [one for page in REAL.values() for one in page]
REAL["chat"] = [(CHAT, lambda said: (said["model"], said["tokens"]) == ("assistant v1", 16))]
REAL["meals"] = [(MEAL, lambda said: {*said["recipe"]["ingredients"]} <= {"egg", "rice"} and said["recipe"]["steps"])]


@pytest.fixture(scope="module")
def hubs(filled_home, tmp_path_factory):
    """Two Hubs: on one nothing was ever published, on the other what all pages show."""
    folder = tmp_path_factory.mktemp("hubs")
    with HubServer(folder / "empty") as empty, HubServer(folder / "filled") as filled:
        with pytest.MonkeyPatch.context() as patch:
            settings = {"HF_ENDPOINT": filled.url, "HF_TOKEN": filled.token, "ALMANAC_HUB": "jane/almanac"}
            for name, value in settings.items():
                patch.setenv(name, value)
            platform = open_platform(world="demo", home=filled_home)
            kept = [importlib.import_module(f"shared.systems.{system}.tables") for system in SYSTEMS]
            for one in kept:
                platform.publisher.publish(one.SHOWN, [one.MODEL])
        filled.requests.clear()
        yield SimpleNamespace(empty=empty, filled=filled)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """What gives the Python of a fresh environment that holds a Space's requirements; one for the same requirements."""
    made = {}

    def python_of(space):
        wanted = REPO / "spaces" / space / "requirements.txt"
        if wanted.read_text() not in made:
            for folder in made.values():
                shutil.rmtree(folder)  # Spaces with the same requirements come one after the other
            made.clear()
            made[wanted.read_text()] = folder = tmp_path_factory.mktemp("environment")
            install(folder, wanted)
        return made[wanted.read_text()] / "bin" / "python"

    yield python_of
    for folder in made.values():
        shutil.rmtree(folder)


def install(folder, requirements):
    venv.create(folder, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
    ran = subprocess.run([*pip, "--no-compile", "-r", str(requirements)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@contextmanager
def booted(serve, python, hub, folder):
    """A page in the folder, told what a Space is told, behind the fence; a Space listens on every address."""
    port = int(hub.url.rpartition(":")[2])
    ports = ",".join(map(str, (*OPEN, port)))
    settings = {"ALMANAC_PLATFORM": "hub", "ALMANAC_WORLD": "demo", "ALMANAC_HUB": "jane/almanac"}
    settings |= {"ALMANAC_FRESH_S": "60", "HF_ENDPOINT": hub.url, "GRADIO_SERVER_NAME": "0.0.0.0"}
    command = [sys.executable, "-I", str(FENCE), ports + ",{port}", str(python), "app.py"]
    home = folder.parent / f"{folder.name}-{port}"
    with serve(command, home / ".almanac", folder, folder.parent / f"{port}.txt", settings) as server:
        yield server


@pytest.mark.parametrize("space", SPACES)
def test_a_space_boots_alone_behind_the_open_ports_on_an_empty_and_on_a_filled_hub(
    space, environment, hubs, serve, tmp_path
):
    python = environment(space)
    for name in ("nothing", "something"):
        bundle.bundle(space, tmp_path / name)
    with (
        booted(serve, python, hubs.empty, tmp_path / "nothing") as empty,
        booted(serve, python, hubs.filled, tmp_path / "something") as filled,
    ):
        every_endpoint_says_what_to_run(empty)
        client = Client(filled.url, verbose=False)
        for ask, holds in REAL[space]:
            said = ask(client)
            assert holds(said), repr(said)
        assert the_deploys_own_question(hubs.filled, space, filled).startswith("answers /")
        assert httpx.get(filled.url.replace("127.0.0.1", "127.0.0.2")).status_code == 200
    assert "Traceback" not in empty.log() + filled.log()
    for hub in vars(hubs).values():
        assert {(method, token) for method, _, token in hub.requests} <= {("GET", False), ("HEAD", False)}


def every_endpoint_says_what_to_run(server):
    named = httpx.get(f"{server.url}gradio_api/info").json()["named_endpoints"]
    assert named
    client = Client(server.url, verbose=False)
    for name, facts in named.items():
        given = [1.0 if one["type"] == {"type": "number"} else "" for one in facts["parameters"]]
        with pytest.raises(AppError, match="run `almanac"):
            client.predict(*given, api_name=name)


def the_deploys_own_question(hub, space, server):
    """What `almanac deploy spaces` is told by this page when it asks whether it answers."""
    name = f"{hub.owner}/asked-{space}"
    hub.create("space", name).space.sdk = "gradio"
    hub.spaces_come_to("RUNNING", host=server.url)
    said = HubSpaces(HubAccount(hub.url, "")).answers(name)
    del hub.repos["space", name]
    return said


@pytest.fixture
def listening():
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


PYTHON = [sys.executable, "-c", "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)"]
SHELL = ["bash", "-c", 'exec 3<>"/dev/tcp/127.0.0.1/$0"']
NOBODY = """
import os, runpy, socket, sys
fence = runpy.run_path(sys.argv[1])["fence"]
if os.geteuid() == 0:
    os.setgroups([])
    os.setuid(65534)
fence(map(int, sys.argv[2].split(",")))
socket.socket().connect(("127.0.0.1", int(sys.argv[3])))
"""
FENCED = {
    "python": [str(FENCE), "PORTS", *PYTHON],
    "what python starts": [str(FENCE), "PORTS", *SHELL],
    "without rights": ["-c", NOBODY, str(FENCE), "PORTS"],
}


@pytest.mark.parametrize("command", FENCED.values(), ids=FENCED)
def test_the_fence_refuses_every_port_that_is_not_listed(command, listening):
    def connects(port, *more):
        ports = ",".join(map(str, (*OPEN, *more)))
        words = [sys.executable, *(ports if word == "PORTS" else word for word in command), str(port)]
        return subprocess.run(words, capture_output=True, text=True)

    assert connects(listening, listening).returncode == 0
    for port in (listening, 5005):  # 5005 is where Hopsworks' client reads
        refused = connects(port)
        assert refused.returncode != 0
        assert "Permission denied" in refused.stderr
