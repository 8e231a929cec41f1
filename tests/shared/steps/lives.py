"""Fine-tunings small enough to be killed twenty times, here or in another process."""

import hashlib
import json
import multiprocessing
import signal
import time

from shared.steps.plans import Plan
from shared.steps.rendering import example

SUMS = [(a, b) for a in range(6) for b in range(5)]
TEXTS = [f"what is {a} and {b}? it is {a + b}, as everybody knows." for a, b in SUMS]
SIZE = (2, 48, 3, 400, 256)  # layers, width, heads, vocabulary, positions
FINGERPRINT = "sums"

# 30 examples less 4 judged on: a step takes 6, so that its epochs end within steps, and within accumulation
SHORT = {"base": "tiny", "steps": 12, "batch": 3, "accumulation": 2, "max_length": 64, "warmup": 2}
SHORT |= {"evaluate_every": 3, "checkpoint_every": 2, "learning_rate": 3e-3}
LORA = SHORT | {"rank": 4, "dropout": 0.1}
PACKED = LORA | {"packing": True, "max_length": 128}
FULL = SHORT | {"rank": 0}


def examples(tokenizer, sums=SUMS):
    def turns(a, b):
        said = f"it is {a + b}" + ", as everybody knows" * (a % 2) + "."
        return [{"role": "user", "content": f"what is {a} and {b}?"}, {"role": "assistant", "content": said}]

    return [example(tokenizer, turns(a, b)) for a, b in sums]


def plan(told):
    return Plan(**told)


def live(folder, told, on_checkpoint=lambda: None, until=None):
    """Fine-tune in ``folder``/run a base in ``folder``/base, and return what came of it; ``until``: a rung's step.

    Weights of checkpoints are noted while they are there, in seen.json: they go when the run has ended.
    """
    import torch

    from shared.steps import sft
    from shared.steps.bases import Size, build_tiny, open_tokenizer
    from shared.steps.finetune import finetune
    from shared.steps.rungs import stopping

    torch.set_num_threads(1)
    place = build_tiny(folder.parent / "base", TEXTS, 0, Size(*SIZE))
    tokenizer = open_tokenizer(str(place))
    rows = examples(tokenizer)

    def build(output):
        return sft.trainer(Plan(**told), str(place), tokenizer, sft.Examples(rows[4:], rows[:4]), output)

    def noted():
        if kept := weights_in(folder, "checkpoints/checkpoint-*"):
            (folder / "seen.json").write_text(json.dumps(kept))

    def told_on():
        noted()
        on_checkpoint()

    noted()  # by an attempt that was killed just before its end
    return finetune(Plan(**told), FINGERPRINT, folder, stopping(build, until) if until else build, told_on)


def weights_in(folder, places):
    files = sorted(folder.glob(f"{places}/*.safetensors"))
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def outcome(folder):
    """Return what must not depend on interruptions: hashes of all weights, the trace, the figures."""
    seen = folder / "seen.json"
    weights = weights_in(folder, "best"), seen.read_text() if seen.exists() else "of no run of `live`"
    figures = json.loads((folder / "finished.json").read_text())
    free = {"seconds", "peak_memory_mb", "resumed_from"}
    return weights, (folder / "trace.jsonl").read_text(), {k: v for k, v in figures.items() if k not in free}


def killed(folder, told, moment, wait_s=60):
    """Fine-tune in another process and kill it once ``moment()``; return whether that came before its end."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["shared.steps.sft"])
    process = context.Process(target=live, args=(folder, told))
    process.start()
    give_up = time.monotonic() + wait_s
    while process.is_alive() and time.monotonic() < give_up:
        if moment():
            process.kill()
            break
        time.sleep(0.0005)
    process.join(wait_s)
    assert process.exitcode in (0, -signal.SIGKILL), f"it died by itself: {process.exitcode}"
    return process.exitcode != 0
