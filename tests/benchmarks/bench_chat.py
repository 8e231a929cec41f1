"""What answering costs beside a bare ``model.generate``, and what batching brings.

python tests/benchmarks/bench_chat.py

Both sides answer the same prompts with the same model, greedily, in turns within one run; medians.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import torch
from transformers import GenerationConfig

sys.path.insert(0, str(Path(__file__).parents[2]))

from shared.chat import Sampling
from shared.steps.answers import Model
from shared.steps.bases import Size, build_tiny
from shared.steps.continuous import Batched
from shared.steps.generation import Engine, load_model
from shared.steps.rendering import prompt

TEXT = "Rice, eggs and 300 g of tomatoes: what shall we cook tonight, and for how long? "
QUESTION = [{"role": "user", "content": TEXT * 6}]


def main() -> None:
    """Print the table."""
    told = argparse.ArgumentParser()
    told.add_argument("--rounds", type=int, default=9)
    told.add_argument("--tokens", type=int, default=48)
    told.add_argument("--at-once", type=int, default=4)
    told.add_argument("--hidden", type=int, default=512)
    told.add_argument("--layers", type=int, default=8)
    told.add_argument("--threads", type=int, default=2)
    asked = told.parse_args()
    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as folder:
        size = Size(asked.layers, asked.hidden, asked.hidden // 64, 8000, 2048)
        model = load_model(build_tiny(Path(folder) / "base", [TEXT] * 50, size=size), "bench")
        weights = sum(one.numel() for one in model.weights.parameters())
        print(f"{weights / 1e6:.1f} million weights, {len(prompt(model.tokenizer, QUESTION))} tokens of prompt")
        one_by_one(model, asked.rounds, asked.tokens)
        together(model, asked.rounds // 3, asked.tokens, asked.at_once)


def one_by_one(model: Model, rounds: int, tokens: int) -> None:
    """Print the time to the first token, and tokens a second, of the engine beside ``generate``."""
    engine, sampling = Engine(model), Sampling(temperature=0, max_tokens=tokens)
    found: dict[str, list[tuple[float, float]]] = {"bare generate": [], "Engine": []}
    for _ in range(rounds + 1):
        found["bare generate"].append(bare(model, tokens))
        found["Engine"].append(heard(engine.stream(QUESTION, sampling)))
    medians = {}
    for name, times in found.items():
        first, whole = (statistics.median(one[at] for one in times[1:]) for at in (0, 1))
        medians[name] = (first, tokens / whole)
        print(f"{name:14}  first token {first * 1000:7.1f} ms   {tokens / whole:7.1f} tokens/s")
    bare_first, bare_speed = medians["bare generate"]
    print(
        f"Engine / bare: first token {medians['Engine'][0] / bare_first:.2f}x, "
        f"tokens/s {medians['Engine'][1] / bare_speed:.2f}x"
    )


def together(model: Model, rounds: int, tokens: int, at_once: int) -> None:
    """Print the tokens a second of several answers at once: one after the other, two by two, in one batch."""
    sampling, speeds = Sampling(temperature=0, max_tokens=tokens), {}
    with Batched(model, at_once=at_once) as batched:
        ways = {"one by one": Engine(model, at_once=1), "two by two": Engine(model), "one batch": batched}
        for _ in range(rounds + 1):
            for name, chat in ways.items():
                speeds.setdefault(name, []).append(at_once * tokens / all_at_once(chat, sampling, at_once))
    for name, found in speeds.items():
        print(f"{at_once} answers, {name:11} {statistics.median(found[1:]):7.1f} tokens/s")


def bare(model: Model, tokens: int) -> tuple[float, float]:
    """Return seconds to the first token and to the last, as ``generate`` hands them to a streamer."""
    times: list[float] = []

    class Clock:
        def put(self, _: torch.Tensor) -> None:
            times.append(time.perf_counter())

        def end(self) -> None:
            """Nothing: the last token's time is known."""

    config = GenerationConfig(max_new_tokens=tokens, do_sample=False, eos_token_id=None, pad_token_id=0)
    began = time.perf_counter()
    ids = torch.tensor([prompt(model.tokenizer, QUESTION)])
    model.weights.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config, streamer=Clock())
    return times[1] - began, times[-1] - began  # the first call brings the prompt


def heard(reply) -> tuple[float, float]:
    """Return seconds to the first token and to the last."""
    began, first = time.perf_counter(), None
    for _ in reply:
        first = first or (time.perf_counter() if reply.told.tokens else None)
    return first - began, time.perf_counter() - began


def all_at_once(chat, sampling: Sampling, count: int) -> float:
    """Return seconds until all have their answers."""
    threads = [threading.Thread(target=lambda: [*chat.stream(QUESTION, sampling)]) for _ in range(count)]
    began = time.perf_counter()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
