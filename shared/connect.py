"""The one place that reads the environment and chooses adapters.

ALMANAC_PLATFORM  where it stores: local (default)
ALMANAC_WORLD     what the world is: demo (default), live, replay:DIR
ALMANAC_HOME      folder of the embedded store, ``.almanac`` unless told; each world has its own below it
ALMANAC_TRACKER   rows (default), or an MLflow address such as mlflow:sqlite:///mlflow.db
ALMANAC_FAULTS    what the demo world shall fail at, such as raw.githubusercontent.com=timeout:2
ALMANAC_RECORD    folder into which the live world's answers are written, for replay:DIR
AQICN_TOKEN       token of the AQICN feed (aqicn.org/data-platform/token); without one CAMS stands in for stations
ALMANAC_NOTIFY    whom to alert, as Apprise addresses; without one nobody is told
ALMANAC_MACHINE   what a stage runs on, as JSON (set by functions/_modal.py inside Modal)
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import UsageError
from shared.ports import Platform

if TYPE_CHECKING:
    from shared.ports import FeatureStore, Notifier, Tracker, Web

SECRETS = ("AQICN_TOKEN", "ALMANAC_NOTIFY")


@dataclass(frozen=True)
class Machine:
    """What a stage runs on: where, and what of it is paid for."""

    where: str = "local"
    cpu_cores: float = 0
    memory_gib: float = 0
    gpu: str = ""


def open_platform(world: str | None = None, home: Path | None = None) -> Platform:
    """Return the platform and world that the environment names; arguments go before it.

    Raises:
        UsageError: a setting has a value that does not exist.
    """
    world = world or os.environ.get("ALMANAC_WORLD", "demo")
    platform = os.environ.get("ALMANAC_PLATFORM", "local")
    if platform != "local":
        raise UsageError(f"ALMANAC_PLATFORM={platform!r} does not exist; there is: local")
    home = home or Path(os.environ.get("ALMANAC_HOME") or ".almanac")
    _world_name(world)
    try:
        return _open_local(home / _store_name(world), world)
    except OSError as cause:
        raise UsageError(f"the store in ALMANAC_HOME={home} cannot be opened: {cause}") from cause


def machine() -> Machine:
    """Return what this process runs on."""
    return Machine(**json.loads(os.environ.get("ALMANAC_MACHINE", "{}")))


def _open_local(folder: Path, world: str) -> Platform:
    from shared.adapters.corpora import PublicCorpora
    from shared.adapters.local.registry import LocalRegistry
    from shared.adapters.local.store import LocalStore

    locks = os.environ.get("ALMANAC_LOCKS")
    web, cache = _web(world), None if world == "demo" else folder / "corpora"
    features = LocalStore(folder, now=_now, locks=Path(locks) if locks else folder / "locks")
    return Platform(
        features=features,
        models=LocalRegistry(folder / "models"),
        tracker=_tracker(features),
        web=web,
        corpora=PublicCorpora(web, cache),
        notifier=_notifier(os.environ.get("ALMANAC_NOTIFY", "")),
        world=_world_name(world),
        secrets=_secrets(world),
    )


def _world_name(world: str) -> str:
    name = world.partition(":")[0]
    if name not in ("demo", "live", "replay") or (name == "replay") != (":" in world):
        raise UsageError(f"ALMANAC_WORLD={world!r} does not exist; there are: demo, live, replay:DIR")
    return name


def _store_name(world: str) -> str:
    """Return the folder of a world's store; each recording has its own."""
    name, _, recording = world.partition(":")
    return f"{name}-{hashlib.sha256(recording.encode()).hexdigest()[:8]}" if recording else name


def _tracker(features: FeatureStore) -> Tracker:
    chosen = os.environ.get("ALMANAC_TRACKER", "rows")
    if chosen == "rows":
        from shared.adapters.rows import RowTracker

        return RowTracker(features, now=_now)
    if chosen.startswith("mlflow:"):
        from shared.adapters.mlflow import MlflowTracker

        return MlflowTracker(chosen.removeprefix("mlflow:"), experiment="almanac")
    raise UsageError(f"ALMANAC_TRACKER={chosen!r} does not exist; there are: rows, mlflow:URI")


def _web(world: str) -> Web:
    from shared.adapters.web import HttpWeb

    if world.startswith("replay:"):
        from shared.adapters.replay import ReplayTransport

        return HttpWeb(ReplayTransport(Path(world.removeprefix("replay:"))))
    if world == "live":
        from shared.adapters.live import RecordingTransport, live_transport

        record, direct = os.environ.get("ALMANAC_RECORD"), live_transport(os.environ.get("HTTPS_PROXY"))
        return HttpWeb(RecordingTransport(direct, Path(record)) if record else direct)
    from shared.adapters.demo import DemoTransport, parse_faults
    from shared.adapters.simulators import SIMULATORS

    return HttpWeb(DemoTransport(SIMULATORS, parse_faults(os.environ.get("ALMANAC_FAULTS", ""))))


def _notifier(addresses: str) -> Notifier:
    from shared.adapters.notifier import AppriseNotifier, Silent

    return AppriseNotifier(addresses) if addresses.strip() else Silent()


def _secrets(world: str) -> dict[str, str]:
    """Return the secrets there are, by name; the simulated services take any token."""
    told = {name: value.strip() for name in SECRETS if (value := os.environ.get(name, "")).strip()}
    return {"AQICN_TOKEN": "demo"} | told if world == "demo" else told


def _now() -> datetime:
    return datetime.now(UTC)
