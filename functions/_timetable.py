"""modal.toml as values: the stages' settings, the deployments there are, and what they are called on an account.

Read where the command runs. Inside a container the file is absent and not needed.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from shared.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent
NAME = "almanac"  # on Modal: of the secret, and of the Dict that holds leases and what was deployed
PLATFORMS, WORLDS = ("local", "hub", "hopsworks"), ("demo", "live")
TWO_WORDS = re.compile(r"[A-Za-z0-9][\w.:-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


@dataclass(frozen=True)
class Deployment:
    """One table ``[deploy.*]``: where the stages of a deployment store, and under which names on which account."""

    name: str
    platform: str = "local"
    world: str = "demo"
    hub: str = ""  # OWNER/PREFIX
    hopsworks: str = ""  # HOST/PROJECT
    environment: str = ""  # Modal's; "" is the account's default

    def __post_init__(self) -> None:
        """Refuse what no deployment can be."""
        where = f"modal.toml [deploy.{self.name}]"
        for setting, value, known in (("platform", self.platform, PLATFORMS), ("world", self.world, WORLDS)):
            if value not in known:
                raise UsageError(f"{where}: {setting} = {value!r} does not exist; there are: {', '.join(known)}")
        for setting, value in (("hub", self.hub), ("hopsworks", self.hopsworks)):
            if value and not TWO_WORDS.fullmatch(str(value)):
                raise UsageError(f"{where}: {setting} = {value!r} has another form; it is two words around one slash")
        if self.platform != "local" and not getattr(self, self.platform):
            raise UsageError(f"{where}: platform = {self.platform!r} needs {self.platform} = to be set too")

    def settings(self) -> dict[str, str]:
        """Return the environment, without secrets, that makes a process part of this deployment."""
        told = {"ALMANAC_PLATFORM": self.platform, "ALMANAC_WORLD": self.world, "ALMANAC_HUB": self.hub}
        host, _, project = self.hopsworks.partition("/")
        told |= {"HOPSWORKS_HOST": host, "HOPSWORKS_PROJECT": project}
        return {name: value for name, value in told.items() if value}

    def secrets(self) -> tuple[str, ...]:
        """Return the environment variables without which its stages cannot work."""
        needed = {"HF_TOKEN": bool(self.hub), "HOPSWORKS_API_KEY": self.platform == "hopsworks"}
        return tuple(name for name, is_needed in needed.items() if is_needed)

    def takes_secrets(self) -> bool:
        """Return whether its stages are given secrets at all, needed or only of use: the plain demo is not."""
        return bool(self.secrets()) or self.world == "live"


def timetable() -> dict[str, dict[str, dict[str, Any]]]:
    """Return the stages' tables of modal.toml: system, stage, setting; empty inside a container."""
    return {system: stages for system, stages in _read().items() if system != "deploy"}


def deployment(name: str = "") -> Deployment:
    """Return a deployment by name; unless told, the one ``ALMANAC_ENV`` names, else prod.

    Raises:
        UsageError: there is none of that name, or it holds a setting or a value that does not exist.
    """
    name = name or os.environ.get("ALMANAC_ENV", "prod")  # noqa: TID251 - set by `almanac deploy --env` for `modal`
    known = _read().get("deploy", {})
    if known and name not in known:
        raise UsageError(f"modal.toml has no [deploy.{name}]; there are: {', '.join(known)}")
    told, settings = known.get(name, {}), [one.name for one in fields(Deployment) if one.name != "name"]
    for setting, value in told.items():
        if setting not in settings:
            raise UsageError(
                f"modal.toml [deploy.{name}]: there is no setting {setting!r}; there are: {', '.join(settings)}"
            )
        if not isinstance(value, str):
            raise UsageError(f'modal.toml [deploy.{name}]: {setting} = {value!r} is no text; write it in "…"')
    return Deployment(name, **told)


def volume_name(system: str) -> str:
    """Return the name of the volume that holds a system's embedded store."""
    return f"{NAME}-{system.replace('_', '-')}"


def secret_names(deployed: Deployment, settings: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of Modal secrets that a stage takes: the deployment's, and its own."""
    return (*((NAME,) if deployed.takes_secrets() else ()), *settings.get("secrets", ()))


def record_key(kind: str, name: str) -> str:
    """Return where the Dict keeps what was deployed."""
    return f"deployed/{kind}/{name}"


def _read() -> dict[str, dict[str, Any]]:
    path = ROOT / "modal.toml"
    return _parsed(path.read_text(encoding="utf-8")) if path.exists() else {}


@cache
def _parsed(text: str) -> dict[str, dict[str, Any]]:
    """Return the tables; asked several times while a service file is imported, and parsing takes 3 ms."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as cause:
        raise UsageError(f"modal.toml cannot be read: {cause}") from cause
    for name, stages in tables.items():
        if not isinstance(stages, dict) or not all(isinstance(table, dict) for table in stages.values()):
            raise UsageError(f"modal.toml: {name} is no table of tables; write [{name}.NAME] above its settings")
    return tables
