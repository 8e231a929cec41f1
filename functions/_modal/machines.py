"""A stage's table of modal.toml as ``app.function`` takes it: its machine, timeout, retries, schedule."""

from __future__ import annotations

import json
import math
from typing import Any

import modal


def machine_options(settings: dict[str, Any]) -> dict[str, Any]:
    """Return a stage's settings as ``app.function`` takes them."""
    cpu, memory_gib, gpu = settings.get("cpu", 0.125), settings.get("memory_gib", 0.5), settings.get("gpu", "")
    first = gpu if isinstance(gpu, str) else gpu[0]  # the one wished for; the others are to fall back on
    machine = {"where": "modal", "cpu_cores": cpu, "memory_gib": memory_gib, "gpu": first}
    timeout_s = int(settings.get("hours", 0.25) * 3600)
    options: dict[str, Any] = {
        "cpu": cpu,
        "memory": int(memory_gib * 1024),
        "timeout": timeout_s,
        "startup_timeout": max(timeout_s, 300),  # a short stage does not start faster
        # A container sees all cores of its host, and would begin a thread on each for the few that are its own.
        "env": {"ALMANAC_MACHINE": json.dumps(machine), "OMP_NUM_THREADS": str(math.ceil(cpu))},
    }
    if gpu:
        options["gpu"] = gpu
    if "retries" in settings:
        options["retries"] = modal.Retries(max_retries=settings["retries"], initial_delay=1.0)
    if "cron" in settings:
        options["schedule"] = modal.Cron(settings["cron"], timezone=settings.get("timezone", "UTC"))
    if settings.get("single_use"):
        options["single_use_containers"] = True
    return options
