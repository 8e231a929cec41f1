"""LoRA on a GPU beside plain TRL and PEFT: Llama 3.2's shapes with random weights, which nothing is downloaded for.

python tests/benchmarks/bench_gpu.py          prints the table, or that there is no GPU
python tests/benchmarks/bench_gpu.py --check  fails where a target is missed
python tests/benchmarks/bench_gpu.py --device cpu --shapes tiny --steps 6 --length 64   walks the same code anywhere

Ours is ``finetune``, which takes Unsloth where it is installed (constraints-unsloth.txt); plain is SFTTrainer with
LoraConfig and its defaults, with PyTorch's attention (SDPA) and, where it is installed, FlashAttention. Rows, rank,
batch, length and bfloat16 are the same. Each is a process of its own; tokens are counted without padding, seconds from
the second half of the steps, after what is compiled; memory is the peak of the whole process: what PyTorch gave out,
and what it held. Targets, of issue 6: at least 1.5 x the tokens a second of either, at most 0.6 x the memory of either.

Resumption: ours is killed at a random step, goes on, and is compared with one that was not; beside it how far apart two
of those are, as a GPU sums in another order each time. On a CPU, there must be no difference at all.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from finetuning import Meter, answer, child, found
from rich.console import Console
from rich.table import Table as Grid

SPEED, MEMORY, RANK = 1.5, 0.6, 16
POSITIONS, FIRST = 131072, 400  # tokens below FIRST are the tokenizer's
NOISE = 0.01  # between losses of a resumed and of a whole run on a GPU, where two whole ones are closer
# layers, hidden, heads, key-value heads, of a head, intermediate, vocabulary
SHAPES = {
    "1B": (16, 2048, 32, 8, 64, 8192, 128256),
    "3B": (28, 3072, 24, 8, 128, 8192, 128256),
    "tiny": (2, 64, 4, 2, 16, 128, 512),
}
LLAMA3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 32.0, "low_freq_factor": 1.0}
LLAMA3 |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
ATTENTION = {"plain, SDPA": "sdpa", "plain, FlashAttention": "flash_attention_2"}


def built(folder: Path, asked: argparse.Namespace) -> dict[str, int]:
    """Write a Llama of that shape with random weights in bfloat16, and a tokenizer that is only there to pad with."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from shared.steps.bases import Size, build_tiny

    layers, hidden, heads, groups, width, inner, vocabulary = SHAPES[asked.shape]
    build_tiny(folder, ["random weights learn nothing"], size=Size(1, 48, 3, FIRST, POSITIONS))
    config = LlamaConfig(
        num_hidden_layers=layers,
        hidden_size=hidden,
        num_attention_heads=heads,
        num_key_value_heads=groups,
        head_dim=width,
        intermediate_size=inner,
        vocab_size=vocabulary,
        max_position_embeddings=POSITIONS,
        rms_norm_eps=1e-5,
        rope_parameters=LLAMA3,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=4,
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(asked.device):
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    return {"weights": sum(weight.numel() for weight in model.parameters())}


def rows(asked: argparse.Namespace) -> list[dict[str, list[int]]]:
    """Return random tokens, an eighth of the length up to all of it; the loss is on the last two thirds."""
    drawn, most = random.Random(0), SHAPES[asked.shape][-1]

    def row() -> dict[str, list[int]]:
        ids = [drawn.randrange(FIRST, most) for _ in range(drawn.randint(asked.length // 8, asked.length))]
        return {"input_ids": ids, "labels": [-100] * (len(ids) // 3) + ids[len(ids) // 3 :]}

    return [row() for _ in range(64)]


def ours(folder: Path, asked: argparse.Namespace) -> dict[str, float]:
    """Fine-tune as the assistant does, in the folder asked for; killed after the step asked for."""
    from shared.steps import unsloth_sft

    unsloth_sft.imported()  # before what it rewrites
    from transformers import TrainerCallback

    from shared.steps import sft
    from shared.steps.bases import open_tokenizer
    from shared.steps.finetune import finetune
    from shared.steps.plans import Plan

    class Killed(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if state.global_step == asked.kill:
                os.kill(os.getpid(), signal.SIGKILL)

    kept = max(1, asked.steps // 4) if asked.run else 10**6
    known, tokenizer, meters = rows(asked), open_tokenizer(str(folder)), []
    told = {"batch": asked.batch, "accumulation": 1, "max_length": asked.length, "warmup": 0, "precision": "bf16"}
    plan = Plan(rank=RANK, steps=asked.steps, packing=asked.packing, evaluate_every=kept, checkpoint_every=kept, **told)

    def build(output):
        trainer = sft.trainer(plan, str(folder), tokenizer, sft.Examples(known, known[:4]), output)
        trainer.add_callback(Killed())
        meters.append(Meter(trainer, asked.steps // 2, asked.steps))
        return trainer

    with tempfile.TemporaryDirectory() as scratch:
        ended = finetune(plan, "bench", Path(asked.run or scratch), build)
    if asked.run:
        return {"loss": ended.best_loss, "resumed_from": ended.resumed_from}
    return meters[0].figures()


def plain(folder: Path, asked: argparse.Namespace) -> dict[str, float]:
    """Fine-tune with SFTTrainer and LoraConfig, as their documentation writes it."""
    import datasets
    import peft
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    with tempfile.TemporaryDirectory() as scratch:
        trainer = SFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.bfloat16, attn_implementation=ATTENTION[asked.way]
            ),
            args=SFTConfig(
                scratch,
                max_steps=asked.steps,
                per_device_train_batch_size=asked.batch,
                max_length=asked.length,
                packing=asked.packing,
                learning_rate=2e-4,
                save_strategy="no",
                use_cpu=asked.device == "cpu",
                disable_tqdm=True,
            ),
            train_dataset=datasets.Dataset.from_list(rows(asked)),
            processing_class=AutoTokenizer.from_pretrained(folder),
            peft_config=peft.LoraConfig(r=RANK, target_modules="all-linear", use_rslora=True, task_type="CAUSAL_LM"),
        )
        meter = Meter(trainer, asked.steps // 2, asked.steps)
        trainer.train()
    return meter.figures()


def one(asked: argparse.Namespace) -> dict[str, float]:
    """Measure what a child is asked for."""
    folder = Path(asked.base)
    return {"built": built, "ours": ours}.get(asked.way, plain)(folder, asked)


def losses(run: Path) -> list[float]:
    """Return the losses of a run's trace, of steps and of evaluations."""
    lines = map(json.loads, (run / "trace.jsonl").read_text().splitlines())
    return [number for line in lines for name, number in line.items() if name in ("loss", "eval_loss")]


def apart(one: list[float], other: list[float]) -> float:
    """Return how far two traces are apart at most, infinitely where they have not the same steps."""
    if not one or len(one) != len(other):
        return math.inf
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def resumed(told: list[str], place: Path, asked: argparse.Namespace) -> dict[str, float]:
    """Return how far a killed run that went on is from a whole one, and how far two whole ones are from each other."""
    step = random.Random(asked.seed).randrange(max(1, asked.steps // 4) + 1, asked.steps)
    cuda = asked.device == "cuda"
    found(child(__file__, *told, "--run", str(place / "whole"), cuda=cuda))
    found(child(__file__, *told, "--run", str(place / "again"), cuda=cuda))
    ran = child(__file__, *told, "--run", str(place / "killed"), "--kill", str(step), cuda=cuda)
    if ran.returncode != -signal.SIGKILL:
        sys.exit(f"the run was to be killed after step {step}, and ended with {ran.returncode}: {ran.stderr}")
    begun = found(child(__file__, *told, "--run", str(place / "killed"), cuda=cuda))["resumed_from"]
    whole, again, killed = (losses(place / name) for name in ("whole", "again", "killed"))
    return {"killed_after": step, "resumed_from": begun, "apart": apart(whole, killed), "noise": apart(whole, again)}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="fail where a target is missed")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--shapes", default="1B,3B", help=f"joined by commas, of {', '.join(SHAPES)}")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--length", type=int, default=2048, help="tokens of a row, at most")
    parser.add_argument("--packing", action="store_true", help="several rows in one of that length")
    parser.add_argument("--seed", type=int, default=0, help="of the step that the run is killed after")
    for name in ("--way", "--shape", "--base", "--run"):
        parser.add_argument(name, default="", help=argparse.SUPPRESS)
    parser.add_argument("--kill", type=int, default=-1, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if unknown := {*asked.shapes.split(",")} - {*SHAPES}:
        parser.error(f"--shapes are {', '.join(SHAPES)}, not {', '.join(sorted(unknown))}")
    if asked.steps < 4:
        parser.error("--steps are 4 at least")
    return asked


def measured(
    shape: str, asked: argparse.Namespace, place: Path
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Return the figures of each way for a shape, and how ours resumes."""
    shared = ["--device", asked.device, "--shape", shape, "--base", str(place / "base")]
    shared += [word for name in ("steps", "batch", "length") for word in (f"--{name}", str(getattr(asked, name)))]
    shared += ["--packing"] if asked.packing else []
    cuda = asked.device == "cuda"
    weights = found(child(__file__, *shared, "--way", "built", cuda=cuda))["weights"]
    flash = cuda and find_spec("flash_attn")
    ways = ["ours", *(way for way in ATTENTION if flash or ATTENTION[way] == "sdpa")]
    print(f"measuring {shape} ({weights / 1e6:,.1f} million weights), {'; '.join(ways)} ...", flush=True)
    figures = {way: found(child(__file__, *shared, "--way", way, cuda=cuda)) for way in ways}
    return figures, resumed([*shared, "--way", "ours"], place, asked)


def main() -> int:
    asked = options()
    if asked.way:
        answer(lambda: one(asked))
        return 0
    import torch

    cuda = asked.device == "cuda"
    if cuda and not torch.cuda.is_available():
        print("skipped: there is no GPU with CUDA here; --device cpu --shapes tiny walks the same code")
        return 0
    unsloth = cuda and find_spec("unsloth") is not None
    name = torch.cuda.get_device_name() if cuda else "CPU"
    through = "Unsloth" if unsloth else "TRL, as Unsloth is not installed" if cuda else "TRL"
    rowed = f"batch {asked.batch} x {asked.length} tokens{', packed' if asked.packing else ''}, LoRA of rank {RANK}"
    print(f"{name}, torch {torch.__version__}; ours through {through}; {rowed}")
    grid = Grid("shape", "way", "tokens/s", "ours, times", "peak, MB", "ours, times", "held, MB", box=None)
    said, missed = [], []
    for shape in asked.shapes.split(","):
        with tempfile.TemporaryDirectory() as place:
            figures, went = measured(shape, asked, Path(place))
        for way, one_way in figures.items():
            faster = figures["ours"]["tokens_per_second"] / one_way["tokens_per_second"]
            larger = figures["ours"]["memory_mb"] / one_way["memory_mb"]
            held = f"{one_way['reserved_mb']:.0f}" if "reserved_mb" in one_way else "–"
            speed, memory = f"{one_way['tokens_per_second']:.0f}", f"{one_way['memory_mb']:.0f}"
            grid.add_row(shape, way, speed, f"{faster:.2f}", memory, f"{larger:.2f}", held)
            if cuda and way != "ours":
                missed += [f"{shape}: {faster:.2f} x the speed of {way}, not {SPEED}"] if faster < SPEED else []
                missed += [f"{shape}: {larger:.2f} x the memory of {way}, not {MEMORY}"] if larger > MEMORY else []
        differs = "equal" if went["apart"] == 0 else f"{went['apart']:.2g} apart in loss at most"
        whole = "are equal" if went["noise"] == 0 else f"are {went['noise']:.2g} apart"
        said.append(
            f"{shape}: killed after step {went['killed_after']}, gone on from step {went['resumed_from']}: {differs};"
            f" two whole runs {whole}"
        )
        bound = max(NOISE, 2 * went["noise"]) if cuda else 0.0
        missed += [f"{shape}: the resumed run is {went['apart']:.2g} from a whole one"] if went["apart"] > bound else []
    Console(width=120).print(grid)
    print(*said, sep="\n")
    print(f"targets on a GPU: {SPEED} x the tokens a second or more, {MEMORY} x the memory or less, of either")
    if missed:
        print("missed:", "; ".join(missed))
    return int(asked.check and bool(missed))


if __name__ == "__main__":
    sys.exit(main())
