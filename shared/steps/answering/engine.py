"""A language model that answers in this process: a ``Chat`` over any causal model of transformers.

    question ──► Job ──► in line ──► a worker: the prompt read in parts ──► tokens, one by one ──► pieces ──► reader

Each answer has a cache and a generator of its own; workers are the engine's, as many as there are answers at once.
"""

from __future__ import annotations

import json
import os
import weakref
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import torch

from shared.chat import Reply
from shared.errors import BackendError
from shared.steps.answering.job import Job, Model
from shared.steps.answering.line import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from shared.chat import Message, Sampling

PART = 512  # tokens of a prompt read at once: between two parts an answer can be stopped


class Local(ABC):
    """A ``Chat`` over a model in this process; how its answers are made is said by those that inherit."""

    def __init__(self, model: Model) -> None:
        """Take a loaded model; it learns nothing meanwhile."""
        self._model = model
        model.weights.eval()

    @property
    def name(self) -> str:
        """Which model answers."""
        return self._model.name

    @property
    def where(self) -> str:
        """Where it computes, in words."""
        return self._model.where

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        schema: Mapping[str, Any] | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Reply:
        """Return the answer; it is begun when its first piece is asked for. See ``Chat``.

        Raises:
            UsageError: the conversation is empty, too long, or no visitor's turn comes last.
            BusyError: with the first piece: too many are waiting.
        """
        job = Job(self._model, messages, sampling, stopped)
        if schema is not None:
            job.keep_to(self._model.tokenizer, schema)
        return Reply(self._pieces(job), job.told)

    @property
    @abstractmethod
    def waiting(self) -> int:
        """How many answers are in line."""

    @abstractmethod
    def _begin(self, job: Job) -> None:
        """Let the answer be made by a thread of the engine's."""

    @abstractmethod
    def _before(self, job: Job) -> int:
        """Return how many answers must end before this one begins."""

    @abstractmethod
    def _leave(self, job: Job) -> None:
        """Forget an answer that has no reader any more."""

    def _pieces(self, job: Job) -> Generator[str]:
        self._begin(job)
        try:
            while (piece := job.next_piece()) is not None:
                job.told.before = self._before(job)
                yield piece
        finally:
            job.leave()
            self._leave(job)


class Engine(Local):
    """Makes ``at_once`` answers at a time, each by itself; ``most_waiting`` more may wait, in the order they came."""

    def __init__(self, model: Model, *, at_once: int = 2, most_waiting: int = 32) -> None:
        """Take a loaded model."""
        super().__init__(model)
        self._turns = Turns(at_once, most_waiting)
        weakref.finalize(self, self._turns.close)  # when nobody can ask it any more, or the process ends

    @property
    def waiting(self) -> int:
        """How many answers are in line."""
        return self._turns.waiting

    def _begin(self, job: Job) -> None:
        self._turns.submit(job, lambda: self._work(job))

    def _before(self, job: Job) -> int:
        return self._turns.place(job)

    def _leave(self, job: Job) -> None:
        self._turns.leave(job)

    def _work(self, job: Job) -> None:
        """Make the answer; whatever goes wrong reaches its reader, and nobody else."""
        try:
            with torch.inference_mode():
                self._make(job)
        except Exception as failure:  # noqa: BLE001 - of any kind: the worker goes on with the next one
            job.end("failed", failure)

    def _make(self, job: Job) -> None:
        weights, device = self._model.weights, self._model.weights.device
        read, cache = 0, None
        while not (job.ended() or self._turns.closed):
            part = torch.tensor([job.ids[read : read + PART]], device=device)
            found = weights(input_ids=part, past_key_values=cache, use_cache=True, logits_to_keep=1)
            read, cache = read + part.shape[1], found.past_key_values
            if read == len(job.ids):
                job.draw(found.logits[0, -1].float())


def load_model(folder: Path, name: str) -> Model:
    """Return the model in a folder with config.json, safetensors, tokenizer and template; nothing is downloaded.

    On CUDA in bfloat16, in float16 on a T4, which knows no other; on a CPU in float32, which is faster there, unless
    that takes more than half of the memory.

    Raises:
        BackendError: the folder does not hold a language model.
    """
    from shared.steps.bases import open_tokenizer, without_bars
    from shared.steps.loading import LOADING, causal

    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        with LOADING, without_bars():  # in this order: whoever waits has changed nothing yet
            weights = causal(str(folder), dtype=_precision(folder, device), local_files_only=True, use_safetensors=True)
        tokenizer = open_tokenizer(str(folder))
    except (OSError, ValueError) as cause:
        raise BackendError(f"{name} cannot be loaded from {folder.name}: {cause}") from cause
    return Model(weights.to(device), tokenizer, name)


def _precision(folder: Path, device: str) -> torch.dtype:
    if device == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability() >= (8, 0) else torch.float16
    config = json.loads((folder / "config.json").read_text())
    grows = 1 if config.get("dtype", config.get("torch_dtype")) == "float32" else 2
    weights = grows * sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    return torch.float32 if weights < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2 else torch.bfloat16
