"""What the loopback Hub answers for Spaces: secrets, variables, hardware, how a build goes, logs."""

import json
from datetime import UTC, datetime

THEN = "2026-11-20T00:00:00.000Z"


def answer(handler, repo, verb, argument, told):
    """Answer a request below ``/api/spaces/<name>/``."""
    space = repo.space
    if verb in ("secrets", "variables"):
        kept = getattr(space, verb)
        if handler.command == "POST":
            kept[told["key"]] = told["value"]
        elif handler.command == "DELETE":
            kept.pop(told["key"], None)
        return handler._answer({key: _entry(verb, key, value) for key, value in kept.items()})
    if verb == "logs":
        events = [
            json.dumps({"data": line + "\n", "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"})
            for line in space.log
        ]
        raw = "".join(f"data: {event}\n\n" for event in events).encode()
        return handler._answer(raw=raw, headers={"Content-Type": "text/event-stream"})
    _change(handler.hub, repo, verb, told)
    return handler._answer(runtime(repo))


def _change(hub, repo, verb, told):
    """Do what was asked of a Space, or let its build go on by one ask."""
    space = repo.space
    if verb == "restart":
        space.restarts += 1
        builds(hub, repo)
    elif verb == "hardware":
        space.hardware = told["flavor"]
    elif verb == "pause":
        space.stage, space.asks_left = "PAUSED", 0
    elif verb == "runtime":
        space.asks_left -= 1
        if space.asks_left < 0 and space.stage == "BUILDING":
            space.stage = space.comes_to


def _entry(verb, key, value):
    """Return an entry as the Hub shows it: a secret's value never."""
    return {"key": key, "updatedAt": THEN, **({"value": value} if verb == "variables" else {})}


def builds(hub, repo):
    """Begin a build of what the Space holds now; how it ends is ``HubServer.spaces_come_to``."""
    _, files = repo.files()
    space = repo.space
    if space.sdk == "static":
        space.stage, space.asks_left = "RUNNING", 0
    elif "app.py" not in files:
        space.stage, space.asks_left = "NO_APP_FILE", 0
    elif "README.md" not in files or b"sdk:" not in hub.content(files["README.md"]):
        space.stage, space.asks_left = "CONFIG_ERROR", 0
    else:
        space.stage, space.asks_left = "BUILDING", hub.space_asks
        space.comes_to = hub.broken_stage if hub.broken_spaces.search(repo.name) else "RUNNING"
        failed = space.comes_to != "RUNNING"
        space.log = [
            "===== Build started =====",
            "ERROR: no matching distribution" if failed else "Running on local URL",
        ]


def runtime(repo):
    """Return a Space's runtime as the Hub tells it."""
    space = repo.space
    hardware = {"current": space.hardware, "requested": space.hardware}
    domain = {"domain": repo.name.replace("/", "-") + ".hf.space", "stage": "READY"}
    return {"stage": space.stage, "hardware": hardware, "gcTimeout": 172800, "domains": [domain], "storage": None}


def host(hub, repo):
    """Return where the Space's page is: what a test set, else an address as on the Hub."""
    return hub.space_host or f"https://{repo.name.replace('/', '-')}.hf.space"
