"""The one place that reads the environment and chooses adapters.

ALMANAC_PLATFORM  where it stores: local (default), hub, hopsworks
ALMANAC_HUB       OWNER/PREFIX of the repositories on Hugging Face, such as jane/almanac; what pages show is published
                  there when the platform is another one. HF_TOKEN writes; reading public ones needs none;
                  HF_READ_TOKEN is what `almanac deploy spaces` gives to Spaces where the data set is private
HOPSWORKS_HOST, HOPSWORKS_PROJECT, HOPSWORKS_API_KEY    where the platform is hopsworks; HOPSWORKS_TRUST_STORE_PATH is
                  a file with the certificate authority of a cluster that has its own
ALMANAC_FRESH_S   hub: for how many seconds rows read once are taken as the newest (0; pages say 60)
ALMANAC_WORLD     what the world is: demo (default), live, replay:DIR
ALMANAC_HOME      folder of the embedded store, ``.almanac`` unless told; each world has its own below it
ALMANAC_TRACKER   rows (default), or an MLflow address such as mlflow:sqlite:///mlflow.db
ALMANAC_FAULTS    what the demo world shall fail at, such as raw.githubusercontent.com=timeout:2
ALMANAC_RECORD    folder into which the live world's answers are written, for replay:DIR
AQICN_TOKEN       token of the AQICN feed (aqicn.org/data-platform/token); without one CAMS stands in for stations
ALMANAC_ASSISTANT_URL  an endpoint that answers for the assistant's pages: that of `serve` on Modal or localhost, with
                  ALMANAC_ENDPOINT_TOKEN, which lets in; without an address the pages answer on their own machine
ALMANAC_NOTIFY    whom to alert, as Apprise addresses; without one nobody is told
ALMANAC_MACHINE   what a stage runs on, as JSON (set by functions/_modal/ inside Modal)
SPACE_ID          which Space this is, as Hugging Face tells what it runs
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
    from collections.abc import Callable, Mapping

    from shared.adapters.endpoint import Endpoint
    from shared.adapters.hopsworks.house import HopsworksHouse
    from shared.adapters.hopsworks.project import HopsworksProject
    from shared.adapters.hub.account import HubAccount
    from shared.adapters.hub.registry import HubRegistry
    from shared.adapters.hub.spaces import HubSpaces
    from shared.adapters.hub.store import HubStore
    from shared.ports import FeatureStore, ModelRegistry, Notifier, Publisher, Tracker, Web

    Stores = tuple[FeatureStore, ModelRegistry]

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
    platform = os.environ.get("ALMANAC_PLATFORM") or "local"
    if platform not in _STORES:
        raise UsageError(f"ALMANAC_PLATFORM={platform!r} does not exist; there are: {', '.join(_STORES)}")
    folder = world_folder(world, home)
    try:
        return _open(platform, folder, world)
    except OSError as cause:
        raise UsageError(f"the store in ALMANAC_HOME={folder.parent} cannot be opened: {cause}") from cause


def world_folder(world: str | None = None, home: Path | None = None) -> Path:
    """Return where a world keeps its store, and what else of it outlives a stage; arguments go as above."""
    world = world or os.environ.get("ALMANAC_WORLD", "demo")
    return (home or Path(os.environ.get("ALMANAC_HOME") or ".almanac")) / _store_name(world)


def machine() -> Machine:
    """Return what this process runs on."""
    return Machine(**json.loads(os.environ.get("ALMANAC_MACHINE", "{}")))


def in_space() -> bool:
    """Return whether this process is a Space, which is asked through Hugging Face's proxy alone."""
    return bool(os.environ.get("SPACE_ID"))


def open_hub() -> HubAccount:
    """Return the account on Hugging Face that the environment names, with or without a token."""
    from shared.adapters.hub.account import HubAccount

    return HubAccount(os.environ.get("HF_ENDPOINT", ""), _token("HF_TOKEN"))


def open_spaces() -> HubSpaces:
    """Return the Spaces of that account."""
    from shared.adapters.hub.spaces import HubSpaces

    return HubSpaces(open_hub())


def read_token() -> str:
    """Return the token with which Spaces read a data set that is private, "" when the environment has none."""
    return _token("HF_READ_TOKEN")


def open_endpoint() -> Endpoint | None:
    """Return the model elsewhere that answers for the assistant, None where the environment names none.

    Raises:
        UsageError: its address is none, or would show the token.
    """
    if not (url := os.environ.get("ALMANAC_ASSISTANT_URL", "").strip()):
        return None
    from shared.adapters.endpoint import Endpoint

    return Endpoint(url, _token("ALMANAC_ENDPOINT_TOKEN"))


def open_hopsworks() -> HopsworksProject:
    """Return the project on Hopsworks that the environment names.

    Raises:
        UsageError: the environment names none.
    """
    from shared.adapters.hopsworks.project import HopsworksProject

    names = ("HOPSWORKS_HOST", "HOPSWORKS_PROJECT", "HOPSWORKS_API_KEY")
    told = {name: os.environ.get(name, "").strip() for name in names}
    if missing := [name for name, value in told.items() if not value]:
        raise UsageError(f"the platform hopsworks needs {', '.join(missing)} in the environment")
    trust = os.environ.get("HOPSWORKS_TRUST_STORE_PATH") or None
    return HopsworksProject(told["HOPSWORKS_HOST"], told["HOPSWORKS_PROJECT"], told["HOPSWORKS_API_KEY"], trust)


def open_house(world: str) -> HopsworksHouse:
    """Return what a world has in the project on Hopsworks that the environment names; raise as ``open_hopsworks``."""
    project = open_hopsworks()
    from shared.adapters.hopsworks.house import HopsworksHouse

    return HopsworksHouse(project, _hopsworks_prefix(world))


def _token(name: str) -> str:
    """Return a token of the environment, "" where there is none; it goes into a header, which takes no other text."""
    told = os.environ.get(name, "").strip()
    if not all("!" <= letter <= "~" for letter in told):
        raise UsageError(f"{name} holds a blank, a line break or a letter that no token has; copy it again")
    return told


def _open(platform: str, folder: Path, world: str) -> Platform:
    from shared.adapters.corpora import PublicCorpora

    features, models = _STORES[platform](folder, world)
    web, cache = _web(world), None if world == "demo" else folder / "corpora"
    return Platform(
        features=features,
        models=models,
        tracker=_tracker(features),
        web=web,
        corpora=PublicCorpora(web, cache),
        notifier=_notifier(os.environ.get("ALMANAC_NOTIFY", "")),
        publisher=_publisher(platform, folder, world, (features, models)),
        world=_world_name(world),
        secrets=_secrets(platform, world),
    )


def _local(folder: Path, world: str) -> Stores:
    from shared.adapters.local.registry import LocalRegistry
    from shared.adapters.local.store import LocalStore

    locks = os.environ.get("ALMANAC_LOCKS")
    features = LocalStore(folder, now=_now, locks=Path(locks) if locks else folder / "locks")
    return features, LocalRegistry(folder / "models")


def _hub(folder: Path, world: str) -> tuple[HubStore, HubRegistry]:
    from shared.adapters.hub.registry import HubRegistry
    from shared.adapters.hub.store import HubStore

    prefix, account = f"{_hub_prefix()}-{_store_name(world)}", open_hub()
    cache = folder / "hub" / prefix.replace("/", "--")
    store = HubStore(account, prefix, cache, now=_now, fresh_s=_fresh_s())
    return store, HubRegistry(account.hasty() if _fresh_s() else account, prefix, cache / "models", fresh_s=_fresh_s())


def _hopsworks(folder: Path, world: str) -> Stores:
    project = open_hopsworks()
    from shared.adapters.hopsworks.registry import HopsworksRegistry
    from shared.adapters.hopsworks.store import HopsworksStore

    prefix = _hopsworks_prefix(world)
    return HopsworksStore(project, prefix, now=_now), HopsworksRegistry(project, prefix, folder / "hopsworks", now=_now)


def _hopsworks_prefix(world: str) -> str:
    """Return what the names of a world's feature groups and models begin with; the live world's are plain."""
    return "" if world == "live" else f"{_store_name(world)}_".replace("-", "_")


_STORES: dict[str, Callable[[Path, str], Stores]] = {"local": _local, "hub": _hub, "hopsworks": _hopsworks}


def _publisher(platform: str, folder: Path, world: str, stores: Stores) -> Publisher:
    from shared.adapters.publisher import Mirror, Nowhere

    if platform == "hub" or not os.environ.get("ALMANAC_HUB"):
        return Nowhere()
    from shared.adapters.hub.account import Repo

    return Mirror(stores, _hub(folder, world), (open_hub(), Repo("space", f"{_hub_prefix()}-today")))


def _fresh_s() -> float:
    try:
        return float(told := os.environ.get("ALMANAC_FRESH_S") or "0")
    except ValueError as cause:
        raise UsageError(f"ALMANAC_FRESH_S={told!r} is no number of seconds") from cause


def _hub_prefix() -> str:
    """Return OWNER/PREFIX of every repository on Hugging Face."""
    told = os.environ.get("ALMANAC_HUB", "")
    if [bool(part) for part in told.split("/")] != [True, True]:
        raise UsageError(f"ALMANAC_HUB={told!r} has another form; write OWNER/PREFIX, such as jane/almanac")
    return told


def _world_name(world: str) -> str:
    name = world.partition(":")[0]
    if name not in ("demo", "live", "replay") or (name == "replay") != (":" in world):
        raise UsageError(f"ALMANAC_WORLD={world!r} does not exist; there are: demo, live, replay:DIR")
    return name


def _store_name(world: str) -> str:
    """Return the folder of a world's store; each recording has its own."""
    name, recording = _world_name(world), world.partition(":")[2]
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


def _secrets(platform: str, world: str) -> Mapping[str, str]:
    """Return the secrets there are, by name; the simulated services take any token, a Hopsworks project keeps some."""
    told = {name: value.strip() for name in SECRETS if (value := os.environ.get(name, "")).strip()}
    if platform == "hopsworks" and world == "live":
        from shared.adapters.hopsworks.house import ProjectSecrets

        return ProjectSecrets(told, open_house(world))
    return {"AQICN_TOKEN": "demo"} | told if world == "demo" else told


def _now() -> datetime:
    return datetime.now(UTC)
