"""What answering costs beside a bare ``model.generate``, for the engine and for the page, and what batching brings.

python tests/benchmarks/bench_chat.py          prints the table
python tests/benchmarks/bench_chat.py --check  fails where a bound is missed

All answer the same prompt with the same model, greedily, in turns within one run; medians. "Page" is what the page
`chat` does from a question to the update that shows its first token, the model being loaded.
Bounds: the first token of either at most 1.2 x bare ``generate``'s.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
import tempfile
import threading
import time
from datetime import UTC, date, datetime
from pathlib import Path

import torch
from transformers import GenerationConfig

sys.path.insert(0, str(Path(__file__).parents[2]))

from shared.chat import Sampling
from shared.steps.answering.batch import Batched
from shared.steps.answering.engine import Engine, load_model
from shared.steps.answering.job import Model
from shared.steps.bases import Size, build_tiny
from shared.steps.rendering import prompt

SLOWER = 1.2
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
    told.add_argument("--check", action="store_true")
    asked = told.parse_args()
    logging.getLogger("almanac").setLevel(logging.ERROR)
    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as folder:
        size = Size(asked.layers, asked.hidden, asked.hidden // 64, 8000, 2048)
        os.environ["ALMANAC_HOME"] = folder
        model = served(build_tiny(Path(folder) / "base", [TEXT] * 50, size=size))
        weights = sum(one.numel() for one in model.weights.parameters())
        print(f"{weights / 1e6:.1f} million weights, {len(prompt(model.tokenizer, QUESTION))} tokens of prompt")
        slower = one_by_one(model, asked.rounds, asked.tokens)
        together(model, asked.rounds // 3, asked.tokens, asked.at_once)
    if asked.check and slower > SLOWER:
        sys.exit(f"the first token takes {slower:.2f} x bare generate's; at most {SLOWER} x is allowed")


def served(base: Path) -> Model:
    """Return a model that a store of our own serves, so that the page finds it."""
    from shared.connect import open_platform
    from shared.ports import NewModel
    from shared.steps.promotion import Verdict, record

    platform = open_platform()
    model = platform.models.save(NewModel("assistant", base, {"loss": 9.0}))
    day, now = date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)
    record(platform, model, Verdict("promoted", "to be measured", {}), day=day, decided_at=now, run_id="")
    return load_model(model.folder, "bench")


def one_by_one(model: Model, rounds: int, tokens: int) -> float:
    """Print the time to the first token, and tokens a second, beside ``generate``; return the worst ratio of firsts."""
    engine, sampling = Engine(model), Sampling(temperature=0, max_tokens=tokens)
    ways = {
        "bare generate": lambda: bare(model, tokens),
        "engine": lambda: heard(engine.stream(QUESTION, sampling)),
        "page": lambda: paged(tokens),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            found[name].append(way())
    firsts, bare_speed = {}, 0.0
    for name, times in found.items():
        firsts[name], whole = (statistics.median(one[at] for one in times[1:]) for at in (0, 1))
        speed = tokens / whole
        bare_speed = bare_speed or speed
        ratios = f"{firsts[name] / firsts['bare generate']:.2f} x    {speed:7.1f} tokens/s {speed / bare_speed:.2f} x"
        print(f"{name:14}  first token {firsts[name] * 1000:7.1f} ms {ratios}")
    return max(firsts.values()) / firsts["bare generate"]


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


def paged(tokens: int) -> tuple[float, float]:
    """Return seconds until the page's updates show the first token, and the last."""
    from shared.pages.chat_events import How, reply
    from shared.pages.chat_seal import Seal

    began, first = time.perf_counter(), None
    for _, shown, *_ in reply([], QUESTION[0]["content"], How("", "", 0, 0, tokens), Seal()):
        answered = shown[-1]["role"] == "assistant"
        first = first or (time.perf_counter() if answered else None)
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
