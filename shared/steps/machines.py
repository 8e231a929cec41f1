"""What a machine computes with, as far as the last digits of its sums follow from it.

    an attempt ──► computing ──► sealed with each checkpoint ──► joined with the next attempt's ──► "before"

Other instructions of a CPU, or another number of threads, add up in another order: a run that goes on elsewhere is as
good, but it is not bit for bit the one that was never cut off.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

BEFORE = "before"  # what earlier attempts of a run computed with, where that was something else


def computing() -> dict[str, str]:
    """Return what this process computes with, in words by name: all that sums on a CPU depend on, and the GPU."""
    found = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cpu": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "threads": str(torch.get_num_threads()),
    }
    return found | ({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {})


def joined(then: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Return ``now``, and under ``BEFORE`` what was otherwise ``then`` and in the attempts before it.

    >>> joined({"torch": "2.12", "threads": "4"}, {"torch": "2.13", "threads": "4"})
    {'torch': '2.13', 'threads': '4', 'before': 'torch 2.12'}
    >>> joined({"threads": "4", "before": "torch 2.12"}, {"threads": "4"})
    {'threads': '4', 'before': 'torch 2.12'}
    """
    facts = {**then}
    told = facts.pop(BEFORE, "")
    others = ", ".join(f"{name} {what}" for name, what in facts.items() if now.get(name) != what)
    before = "; ".join(dict.fromkeys(filter(None, (told, others))))
    return {**now, **({BEFORE: before} if before else {})}
