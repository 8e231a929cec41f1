"""What modal.toml may say of stages, refused here by name: Modal's client takes any cron, and says not whose it is."""

from __future__ import annotations

import zoneinfo
from typing import TYPE_CHECKING, Any

from croniter import croniter

from shared.errors import UsageError
from shared.runs import GPU_USD_S

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    Stages = Mapping[str, Mapping[str, Any]]

CRONS = 5  # of Modal's free plan
RANGES = {"cpu": (0.1, 64), "memory_gib": (0.1, 336), "hours": (1 / 3600, 24), "retries": (0, 10)}
RANGES |= {"idle_s": (2, 1200), "containers": (1, 100), "at_once": (1, 1000)}
OTHERS = {"cron", "timezone", "gpu", "secrets", "workers", "single_use", "volumes", "auth"}


def check(tables: Mapping[str, Stages], systems: Mapping[str, Collection[str]]) -> None:
    """Return if every table is of a stage there is, and says what Modal takes; ``systems`` names each one's stages.

    Raises:
        UsageError: one does not; the message names the table, the setting and what may stand there.
    """
    if unknown := sorted(set(tables) - set(systems)):
        raise UsageError(f"modal.toml [{unknown[0]}.*]: there is no such system; there are: {', '.join(systems)}")
    stages = {f"{system}.{stage}": table for system, named in tables.items() for stage, table in named.items()}
    for name, settings in stages.items():
        system, _, stage = name.partition(".")
        if stage not in systems[system]:
            raise UsageError(f"modal.toml [{name}]: there is no such stage; there are: {', '.join(systems[system])}")
        if wrong := _wrong(settings):
            raise UsageError(f"modal.toml [{name}]: {wrong}")
    crons = [name for name, settings in stages.items() if "cron" in settings]
    if len(crons) > CRONS:
        raise UsageError(f"modal.toml has {len(crons)} crons, Modal's free plan takes {CRONS}: {', '.join(crons)}")


def _wrong(settings: Mapping[str, Any]) -> str:
    """Return what is wrong with a stage's settings, "" when nothing is."""
    if unknown := sorted(settings.keys() - RANGES.keys() - OTHERS):
        return f"there is no setting {unknown[0]!r}; there are: {', '.join(sorted(OTHERS | RANGES.keys()))}"
    for name, (least, most) in RANGES.items():
        value = settings.get(name, least)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            return f"{name} = {value!r} is no number from {least:.3g} to {most}"
    gpu = settings.get("gpu", "T4")
    gpus = [gpu] if isinstance(gpu, str) else gpu
    if not gpus or not {str(one).partition(":")[0] for one in gpus} <= GPU_USD_S.keys():
        return f"gpu = {gpu!r} does not exist; there are: {', '.join(GPU_USD_S)}"
    return _wrong_schedule(str(settings.get("cron", "0 0 * * *")), str(settings.get("timezone", "UTC")))


def _wrong_schedule(cron: str, timezone: str) -> str:
    if len(cron.split()) != 5 or not croniter.is_valid(cron):
        return f"cron = {cron!r} is no schedule; it has five fields, such as 15 6 * * *"
    if timezone not in zoneinfo.available_timezones():
        return f"timezone = {timezone!r} does not exist; write one such as Europe/Amsterdam"
    return ""
