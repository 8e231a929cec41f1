"""Fine-tuning beside plain TRL: the same tiny Llama, conversations, batch and length, in one run, on one thread.

python tests/benchmarks/bench_assistant.py          prints the table
python tests/benchmarks/bench_assistant.py --check  fails where a bound is missed

Each is a process of its own, they take turns, and seconds are the processor's: others' work hardly counts. "Plain
TRL" is SFTTrainer as its quick start writes it: bfloat16 and recomputed activations are its defaults. "Same settings"
is told ours: single precision, nothing recomputed. Tokens are counted without padding, seconds after the fifth step.
Bounds: at least 0.97 x the tokens a second of either (the rest is noise), at most 1.03 x the memory of either.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from pathlib import Path

from finetuning import Meter, answer, child, found
from rich.console import Console
from rich.table import Table as Grid

BATCH, LENGTH, STEPS, FIRST = 8, 256, 20, 5
SPEED, MEMORY = 0.97, 1.03
CASES = {"all weights": {}, "LoRA, rank 16": {"rank": 16}, "LoRA, packed": {"rank": 16, "packing": True}}
WAYS = ("ours", "same settings", "plain TRL")


def conversations(count: int, seed: int = 0) -> list[list[dict[str, str]]]:
    """Return conversations of one to three questions, whose answers have 5 to 60 words."""
    drawn, words = random.Random(seed), [f"{a}{b}" for a in ("ka", "lo", "mi", "tu", "se") for b in "abcdefgh"]

    def said(low: int, high: int) -> str:
        return " ".join(drawn.choice(words) for _ in range(drawn.randint(low, high)))

    def turns() -> list[dict[str, str]]:
        asked = range(drawn.randint(1, 3))
        return [{"role": r, "content": said(*n)} for _ in asked for r, n in (("user", (5, 20)), ("assistant", (5, 60)))]

    return [turns() for _ in range(count)]


def ours(folder: Path, case: dict[str, object]) -> dict[str, float]:
    """Fine-tune as the assistant does, through its whole loop."""
    from shared.steps import sft
    from shared.steps.bases import open_tokenizer
    from shared.steps.finetune import finetune
    from shared.steps.plans import Plan
    from shared.steps.rendering import example

    tokenizer = open_tokenizer(str(folder))
    rows = [example(tokenizer, turns) for turns in conversations(400)]
    usual = {"rank": 0, "steps": STEPS, "batch": BATCH, "accumulation": 1, "max_length": LENGTH, "warmup": 0}
    plan = Plan(**usual | case | {"evaluate_every": 10**6, "checkpoint_every": 10**6})
    meters = []

    def build(output):
        trainer = sft.trainer(plan, str(folder), tokenizer, sft.Examples(rows, rows[:8]), output)
        meters.append(Meter(trainer, FIRST, STEPS))
        return trainer

    with tempfile.TemporaryDirectory() as run:
        finetune(plan, "bench", Path(run), build)
    return meters[0].figures()


def trls(folder: Path, case: dict[str, object], *, told: bool) -> dict[str, float]:
    """Fine-tune with SFTTrainer alone; ``told`` our settings, or as its quick start does."""
    import datasets
    import peft
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    rows = datasets.Dataset.from_list([{"messages": turns} for turns in conversations(400)])
    lora = peft.LoraConfig(r=16, target_modules="all-linear", use_rslora=True) if case.get("rank") else None
    same = {"bf16": False, "activation_checkpointing": False} if told else {}
    with tempfile.TemporaryDirectory() as run:
        trainer = SFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(folder),
            args=SFTConfig(
                run,
                max_steps=STEPS,
                per_device_train_batch_size=BATCH,
                max_length=LENGTH,
                packing=bool(case.get("packing")),
                assistant_only_loss=True,
                learning_rate=2e-4,
                save_strategy="no",
                use_cpu=True,
                disable_tqdm=True,
                **same,
            ),
            train_dataset=rows,
            processing_class=AutoTokenizer.from_pretrained(folder),
            peft_config=lora,
        )
        meter = Meter(trainer, FIRST, STEPS)
        trainer.train()
    return meter.figures()


def one(folder: str, case: str, way: str) -> dict[str, float]:
    told = CASES[case]
    return ours(Path(folder), told) if way == "ours" else trls(Path(folder), told, told=way != WAYS[2])


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="fail where a bound is missed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=CASES, action="append", help="a case; all of them when none is named")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        answer(lambda: one(*asked.one))
        return 0
    from shared.steps.bases import build_tiny

    missed = []
    grid = Grid("weights trained", "way", "tokens/s", "ours, times", "peak memory, MB", "ours, times", box=None)
    with tempfile.TemporaryDirectory() as place:
        texts = (message["content"] for turns in conversations(400) for message in turns)
        folder = build_tiny(Path(place) / "base", texts)
        for case in asked.only or CASES:
            print(f"measuring {case}, {asked.rounds} x {', '.join(WAYS)} ...", flush=True)
            turns = range(asked.rounds)
            measured = [{way: found(child(__file__, "--one", str(folder), case, way)) for way in WAYS} for _ in turns]
            for way in WAYS:
                speed, memory = (statistics.median(turn[way][name] for turn in measured) for name in measured[0][way])
                faster = statistics.median(
                    t["ours"]["tokens_per_second"] / t[way]["tokens_per_second"] for t in measured
                )
                larger = statistics.median(turn["ours"]["memory_mb"] / turn[way]["memory_mb"] for turn in measured)
                grid.add_row(case, way, f"{speed:.0f}", f"{faster:.2f}", f"{memory:.0f}", f"{larger:.2f}")
                missed += [f"{case}: {faster:.2f} x the speed of {way}"] if faster < SPEED else []
                missed += [f"{case}: {larger:.2f} x the memory of {way}"] if larger > MEMORY else []
    Console(width=120).print(grid)
    if missed:
        print("missed:", "; ".join(missed))
    return int(asked.check and bool(missed))


if __name__ == "__main__":
    sys.exit(main())
