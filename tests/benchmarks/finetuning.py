"""What the benchmarks of fine-tuning share: a meter of a trainer's tokens, seconds and memory, and processes."""

from __future__ import annotations

import json
import logging
import os
import resource
import subprocess
import sys
import time
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Meter:
    """Counts tokens as batches are collated, and takes the time from the end of one step to that of another.

    On a CPU seconds are the processor's, on a GPU they are the clock's, once all its work is done.
    """

    def __init__(self, trainer, first: int, last: int) -> None:
        from transformers import TrainerCallback

        meter, collate = self, trainer.data_collator

        class Watch(TrainerCallback):
            def on_step_end(self, args, state, control, **_):
                if state.global_step in (first, last):
                    meter.marks.append((meter.now(), meter.tokens))

        self.cuda, self.tokens, self.marks = trainer.args.device.type == "cuda", 0, []
        trainer.add_callback(Watch())
        trainer.data_collator = lambda rows: self.count(rows) or collate(rows)

    def count(self, rows) -> None:
        self.tokens += sum(len(row["input_ids"]) for row in rows)

    def now(self) -> float:
        import torch

        if not self.cuda:
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    def figures(self) -> dict[str, float]:
        """Return tokens a second, and the peaks of memory in MiB: the process's, or what the GPU gave and held."""
        import torch

        (began, before), (ended, after) = self.marks
        found = {"tokens_per_second": (after - before) / (ended - began)}
        if not self.cuda:
            return found | {"memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
        peaks = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
        return found | {"memory_mb": peaks[0] / 2**20, "reserved_mb": peaks[1] / 2**20}


def child(script: str, *told: str, cuda: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, on one thread, whose last printed line is what it found."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    environment["HF_HUB_OFFLINE"] = "1"  # nothing is downloaded
    if not cuda:  # a GPU that is at hand would be taken by ours alone
        environment["CUDA_VISIBLE_DEVICES"] = ""
    return subprocess.run([sys.executable, script, *told], capture_output=True, text=True, env=environment)


def found(ran: subprocess.CompletedProcess[str]) -> dict[str, float]:
    """Return what a child found; what it failed of ends the benchmark."""
    if ran.returncode:
        sys.exit(ran.stderr)
    return json.loads(ran.stdout.splitlines()[-1])


def answer(measure: Callable[[], object]) -> None:
    """Print what ``measure`` finds as a child's last line; neither warnings nor a trainer's sentences around it."""
    warnings.simplefilter("ignore")
    logging.disable()
    with redirect_stdout(sys.stderr):
        result = measure()
    print(json.dumps(result))
