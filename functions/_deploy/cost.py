"""What a deployment costs a month, estimated before it is made.

    modal.toml: cron, machine, hours, retries ┐
    ledger: seconds of the last runs, if any  ┴──► a row a stage: runs × seconds × price, and what it is at most

Prices are those of ``shared/runs.py``, the same that the ledger enters. An estimate is not a bill: a vendor's free
credits are not taken off, and what has no price by the second is named instead.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from shared.connect import Machine

    Stages = Mapping[str, Mapping[str, Mapping[str, Any]]]  # modal.toml: system, stage, setting
    Measured = Callable[[str, str], tuple[float, int]]  # system, stage -> median seconds, of how many runs

ASSUMED_S = 60.0  # of a stage that never ran here
IDLE_S = 65.0  # Modal keeps a container 60 s after its work, starts it in some 5, and bills both
PRO_USD = 9.0  # a month: what creating Gradio Spaces takes, as read on 2026-11-20 from https://huggingface.co/pricing
LAST_RUNS = 10


@dataclass(frozen=True)
class Cost:
    """What one stage costs a month. ``at_most``: every run takes its whole timeout, and every retry too."""

    system: str
    stage: str
    runs: float  # a month
    seconds: float  # a run
    known_from: str
    machine: str
    estimate_usd: float
    at_most_usd: float


def estimate(stages: Stages, measured: Measured) -> list[Cost]:
    """Return a row a stage that runs by itself: those with a cron, and the trainings they call."""
    return [
        _cost(system, stage, settings, measured(system, stage))
        for system, named in stages.items()
        for stage, settings in named.items()
        if "cron" in settings or stage == "train"
    ]


def on_gpus(stages: Stages) -> str:
    """Return what an hour costs of those that run on a GPU when they are called, "" when none does."""
    from shared.runs import cost_usd

    prices: dict[str, list[str]] = {}
    for system, named in stages.items():
        for stage, settings in named.items():
            if "gpu" in settings and "cron" not in settings:
                machine = _machines(settings)[0]
                prices.setdefault(f"{cost_usd(3600, machine):.2f} on {machine.gpu}", []).append(f"{system} {stage}")
    return "; ".join(f"{', '.join(names)}: USD {price} an hour" for price, names in prices.items())


def summed(costs: list[Cost], targets: Collection[str], gpus: str = "") -> dict[str, Any]:
    """Return rows for people and programs, their totals in USD a month, and sentences on what is not in them."""
    rows = [asdict(cost) for cost in costs] if "modal" in targets else []
    if "spaces" in targets:
        who = {"system": "Hugging Face", "stage": "PRO", "known_from": "unless the plan is paid already"}
        rows.append({**who, "estimate_usd": PRO_USD, "at_most_usd": PRO_USD})
    totals = {name: sum(float(row[name]) for row in rows) for name in ("estimate_usd", "at_most_usd")}
    unpriced = [_UNPRICED[name] for name in targets if name in _UNPRICED]
    unpriced += [f"on Modal, while it runs or is awake: {gpus}"] if gpus and "modal" in targets else []
    return {"rows": rows, **totals, "not_estimated": unpriced}


def runs_a_month(cron: str) -> float:
    """Return how often a five-field cron comes round in a mean month.

    >>> round(runs_a_month("15 6 * * *"), 1), round(runs_a_month("*/10 8-9 * * mon"), 1), runs_a_month("0 0 1 * *")
    (30.4, 52.0, 1.0)
    """
    from croniter import croniter, croniter_range

    minute, hour, *_ = croniter.expand(cron)[0]
    dates = " ".join(["0", "0", *cron.split()[2:]])
    days = sum(1 for _ in croniter_range(datetime(2025, 1, 1), datetime(2025, 12, 31), dates))  # noqa: DTZ001
    often = (60 if minute == ["*"] else len(minute)) * (24 if hour == ["*"] else len(hour))
    return often * days / 12


def from_ledger() -> Measured:
    """Return a function that looks a stage's seconds up in the ledger of this shell's platform.

    Where no platform opens, or it never ran, it knows of 0 runs.
    """
    from shared.connect import open_platform
    from shared.errors import AlmanacError
    from shared.runs import ledger

    try:
        runs = ledger(open_platform())
    except AlmanacError:  # the estimate needs no account; without its ledger it assumes
        return lambda _system, _stage: (0.0, 0)
    done = runs[runs["status"] == "done"]

    def measured(system: str, stage: str) -> tuple[float, int]:
        seconds = done.loc[(done["system"] == system) & (done["stage"] == stage), "seconds"].tail(LAST_RUNS)
        return (float(seconds.median()), len(seconds)) if len(seconds) else (0.0, 0)

    return measured


def _cost(system: str, stage: str, settings: Mapping[str, Any], known: tuple[float, int]) -> Cost:
    from shared.runs import cost_usd

    seconds, count = known if known[1] else (ASSUMED_S, 0)
    runs = runs_a_month(settings["cron"]) if "cron" in settings else 1.0
    machines = _machines(settings)
    attempts, timeout_s = 1 + settings.get("retries", 0), settings.get("hours", 0.25) * 3600
    dearest = max(cost_usd(attempts * (timeout_s + IDLE_S), machine) for machine in machines)
    # Workers are containers of the default size beside the stage, at most as many and as long as it runs.
    workers = settings.get("workers", 0) * cost_usd(attempts * (timeout_s + IDLE_S), _machines({})[0])
    often = "" if "cron" in settings else ", once a month assumed"
    return Cost(
        system,
        stage,
        runs,
        seconds,
        known_from=(f"median of {count} runs here" if count else f"assumed: {ASSUMED_S:.0f} s") + often,
        machine=f"{machines[0].cpu_cores:g} cores, {machines[0].memory_gib:g} GiB {machines[0].gpu}".strip(),
        estimate_usd=round(runs * cost_usd(seconds + IDLE_S, machines[0]), 4),
        at_most_usd=round(runs * (dearest + workers), 4),
    )


def _machines(settings: Mapping[str, Any]) -> list[Machine]:
    """Return the machine of a stage, the one wished for first; several where it names GPUs to fall back on."""
    from shared.connect import Machine

    gpus = settings.get("gpu", "")
    kept = settings.get("cpu", 0.125), settings.get("memory_gib", 0.5)
    return [Machine("modal", *kept, gpu) for gpu in ([gpus] if isinstance(gpus, str) else gpus)]


_UNPRICED = {
    "modal": "on Modal: stages run by hand and the volumes' storage; its free credit is not taken off",
    "hopsworks": "on Hopsworks: storage and compute beyond its free tier",
    "spaces": "on Hugging Face: storage beyond the plan's; the Spaces' own hardware, cpu-basic, is free",
}
