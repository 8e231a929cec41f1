"""A Modal control plane on loopback, for tests: ALMANAC_TEST_MODAL_ENGINE names its script.

Modal's client has no local mode. The script takes --port and --state, tells what there is at GET /state and fires a
schedule at POST /fire/APP/FUNCTION, both on the port after. What it lacks, modal_more.py adds.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
SCRIPT = os.environ.get("ALMANAC_TEST_MODAL_ENGINE", "")
MISSING = "no Modal control plane: set ALMANAC_TEST_MODAL_ENGINE to its script"
HIDDEN = ("AQICN_TOKEN", "ALMANAC_NOTIFY", "ALMANAC_HUB", "ALMANAC_HOME", "HF_TOKEN")


class ModalEngine:
    """`with ModalEngine(folder) as engine`: engine.environment is what the client needs, engine.run runs a command."""

    def __init__(self, folder, *, complete=False, root=ROOT, log=os.devnull):
        self._root, self.log = root, Path(log)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        more = [str(Path(__file__).with_name("modal_more.py"))] if complete else []
        self._words = [sys.executable, *more, SCRIPT, "--port", str(port), "--state", str(folder)]
        self.admin = f"http://127.0.0.1:{port + 1}"
        self.url = f"http://127.0.0.1:{port}"
        kept = {name: value for name, value in os.environ.items() if name not in HIDDEN}
        ours = {"MODAL_SERVER_URL": self.url, "MODAL_TOKEN_ID": "ak-x", "MODAL_TOKEN_SECRET": "as-x"}
        self.environment = {**kept, **ours, "MODAL_CONFIG_PATH": os.devnull, "PYTHONPATH": str(root)}

    def __enter__(self):
        with self.log.open("w") as log:
            self._process = subprocess.Popen(self._words, stdout=log, stderr=log, start_new_session=True)
        self.wait_until(lambda: httpx.get(f"{self.admin}/state").status_code == 200)
        return self

    def __exit__(self, *_):
        for container in self.containers():
            os.killpg(container, signal.SIGKILL)
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def state(self):
        return httpx.get(f"{self.admin}/state", timeout=20).json()

    def functions(self, app):
        """The deployed functions of an app, by name."""
        there = (one for one in self.state()["functions"] if one["state"] == "APP_STATE_DEPLOYED")
        return {one["fn"]: one for one in there if one["app"] == app}

    def fire(self, app, function):
        """Fire a schedule now; the call's id."""
        return httpx.post(f"{self.admin}/fire/{app}/{function}").json()["call"]

    def ended(self, call):
        """The status a call ended with, [] while it goes on."""
        return next(one["done"] for one in self.state()["calls"] if one["id"] == call)

    def containers(self):
        """The process ids of the containers that run: the engine's own children, and nobody else's."""
        path = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def modal(self, *words, **settings):
        """Run the real `modal` command; what it printed."""
        return self.run("modal", *words, **settings)

    def run(self, program, *words, code=0, **settings):
        """Run a program of our environment with the engine as its Modal; what it printed."""
        command = [str(Path(sys.executable).parent / program), *map(str, words)]
        environment = {**self.environment, **settings}
        ran = subprocess.run(command, cwd=self._root, env=environment, capture_output=True, text=True, timeout=300)
        assert ran.returncode == code, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    def start(self, program, *words):
        """Start a program and do not wait for it."""
        command = [str(Path(sys.executable).parent / program), *map(str, words)]
        return subprocess.Popen(
            command, cwd=self._root, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def wait_until(self, holds, seconds=60):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if holds():
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.2)
        raise AssertionError(f"not within {seconds} s")
