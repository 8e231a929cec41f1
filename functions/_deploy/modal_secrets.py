"""Which Modal secrets a deployment's stages take, and what this process's environment has to put into them.

deployment ──► almanac: tokens of the places it stores in, and what is of use ──┐
modal.toml ──► a stage's own, such as almanac-assistant: what its endpoint asks ┴──► names, keys, values
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from functions._deploy.target import Need
from functions._modal.bearer import HELD_BY
from functions._timetable import NAME, secret_names, timetable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions._timetable import Deployment

OPTIONAL = ("AQICN_TOKEN", "ALMANAC_NOTIFY")  # of use to stages where they are set
NEW_TOKEN = f'export {HELD_BY}="$(openssl rand -base64 32)", and keep it: whoever asks sends it'
_NEEDS = {
    "HF_TOKEN": ("write to Hugging Face", "https://huggingface.co/settings/tokens"),
    "HOPSWORKS_API_KEY": ("write to Hopsworks", "Hopsworks: account settings, API keys"),
    "AQICN_TOKEN": ("hear the stations themselves, not CAMS alone", "https://aqicn.org/data-platform/token"),
    "ALMANAC_NOTIFY": ("tell somebody of alerts", "an address as https://github.com/caronc/apprise knows them"),
}


def of_deployment(deployment: Deployment) -> list[Need]:
    """Return what the secret of all stages holds; what is needed comes first."""
    needed, optional = deployment.secrets(), OPTIONAL if deployment.takes_secrets() else ()
    return [Need(name, *_NEEDS[name], name in needed) for name in (*needed, *optional)]


def of_endpoints(systems: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the secrets of stages that let in who bears a token, with the key each holds."""
    stages = [stage for system in systems for stage in timetable().get(system, {}).values()]
    return {name: (HELD_BY,) for stage in stages if stage.get("auth") == "token" for name in stage.get("secrets", ())}


def taken_by(system: str, deployment: Deployment) -> dict[str, tuple[str, ...]]:
    """Return the secrets that a system's stages take, by name, with the keys that each must have."""
    known = {NAME: deployment.secrets()} | of_endpoints([system])
    stages = timetable().get(system, {}).values()
    return {
        name: known.get(name, ())
        for name in sorted({one for stage in stages for one in secret_names(deployment, stage)})
    }


def values(name: str, deployment: Deployment, keys: tuple[str, ...]) -> dict[str, str]:
    """Return what the environment has for a secret; that of all stages says which deployment it is of, too."""
    wanted = (*deployment.secrets(), *OPTIONAL) if name == NAME else keys
    told = {one: os.environ.get(one, "").strip() for one in wanted}  # noqa: TID251 - to hand them to Modal
    said = {"ALMANAC_ENV": deployment.name} if name == NAME else {}
    return said | {one: value for one, value in told.items() if value}
