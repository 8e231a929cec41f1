"""Many answers at once from one model: transformers' continuous batching, with each answer's own rules.

    questions ──► Job each ──► one forward pass for all that are open ──► OwnDraws: each row by its own job ──► pieces

transformers draws for a whole batch with one generator, knows a temperature a request but no min-p, no seed and no
grammar. So each row is drawn here by its job, and the batch is given scores that leave nothing else to draw. That needs
Python between two passes, hence no CUDA graph of them.
"""

from __future__ import annotations

import threading
import uuid
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from transformers import ContinuousBatchingConfig, GenerationConfig, LogitsProcessorList
from transformers.generation.continuous_batching.cb_logits_processors import (
    ContinuousBatchingLogitsProcessor,
    ContinuousBatchingLogitsProcessorList,
)

from shared.errors import BackendError, BusyError
from shared.steps.answering.engine import Local

if TYPE_CHECKING:
    from types import TracebackType

    from shared.steps.answering.job import Job, Model

PAGE = 64  # tokens of one block of the cache
PASS = 512  # tokens of one forward pass: a token each answer, and parts of prompts


class Batched(Local):
    """Makes ``at_once`` answers in one batch; ``most_waiting`` more may wait, in the order they came.

    ``with Batched(model) as chat``: its thread ends with the block, after which it answers nobody.
    """

    def __init__(self, model: Model, *, at_once: int = 8, most_waiting: int = 64) -> None:
        """Take a loaded model; the thread comes with the first question."""
        super().__init__(replace(model, weights=_apart(model.weights)))
        self._at_once, self._most = at_once, at_once + most_waiting
        self._jobs: dict[str, Job] = {}  # of the thread there is, by request, in the order they came
        self._lock, self._manager, self._closed = threading.Lock(), None, False

    def __enter__(self) -> Batched:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the thread; answers that are not whole yet fail."""
        with self._lock:
            manager, self._manager, self._closed = self._manager, None, True
        if manager is not None:
            manager.stop(hard_stop=True)

    @property
    def waiting(self) -> int:
        """How many answers are in line."""
        return max(0, len(self._jobs) - self._at_once)

    def _begin(self, job: Job) -> None:
        with self._lock:
            if self._closed:  # a new thread would keep the process from ending
                raise BackendError("the model is being put away; ask again in a minute")
            if len(self._jobs) >= self._most:
                raise BusyError(f"{self.waiting} are waiting for an answer already; ask again in a minute")
            manager, request = self._running(), uuid.uuid4().hex
            self._jobs[request] = job
            if manager.add_request([*job.ids], request_id=request, max_new_tokens=job.most) is None:
                del self._jobs[request]
                raise BackendError("the model stopped answering at this moment; ask again")

    def _before(self, job: Job) -> int:
        with self._lock:
            open_jobs = [*self._jobs.values()]
        return max(0, open_jobs.index(job) + 1 - self._at_once) if job in open_jobs else 0

    def _leave(self, job: Job) -> None:
        """Take a job out that is still open; one that is drawn has seen by itself that nobody wants it."""
        with self._lock:
            request = next((name for name, one in self._jobs.items() if one is job), None)
            if request and self._manager is not None:
                self._manager.cancel_request(request)
                del self._jobs[request]

    def _running(self) -> Any:  # noqa: ANN401 - transformers'
        """Return the manager with its thread alive; a thread that died takes those along that it worked on."""
        if self._manager is None or not self._manager.is_running():
            self._jobs = {}  # a new one for a new thread: those of the last one are ended by who listens to it
            self._manager = self._started()
            told = (self._manager, self._jobs)
            threading.Thread(target=self._listen, args=told, name="answers", daemon=True).start()
        return self._manager

    def _started(self) -> Any:  # noqa: ANN401 - transformers'
        weights, ends = self._model.weights, [*self._model.ends]
        manager = weights.init_continuous_batching(
            GenerationConfig(do_sample=True, eos_token_id=ends, pad_token_id=self._model.tokenizer.pad_token_id),
            self._settings(),
        )
        draws = ContinuousBatchingLogitsProcessorList(LogitsProcessorList([OwnDraws(self._jobs, ends[0])]))
        draws.tensors_required = 1  # OwnDraws': the list counts only those that it made itself
        manager.logit_processor = draws
        manager.start()
        return manager

    def _settings(self) -> ContinuousBatchingConfig:
        """Return a cache for as many answers at once on a CPU; on a GPU as large as its memory allows."""
        on_cpu = self._model.weights.device.type == "cpu"
        return ContinuousBatchingConfig(
            page_size=PAGE,
            num_blocks=self._at_once * -(-self._model.context // PAGE) if on_cpu else None,
            max_batch_tokens=PASS,
            max_requests_per_batch=self._at_once,
            auto_switch_to_flash=False,  # would fetch a kernel from the Hub
            use_cuda_graph=False,
            use_async_batching=False,  # rows are drawn here before the next pass is laid out
        )

    def _listen(self, manager: Any, jobs: dict[str, Job]) -> None:  # noqa: ANN401 - transformers'
        """Close what the manager says is done or failed, until its thread ends; then whatever is left."""
        while manager.is_running() or not manager.output_router.output_queue.empty():
            result = manager.get_result(timeout=0.5)
            if result is None:
                continue
            with self._lock:
                job = jobs.pop(result.request_id, None)
            if job is not None:
                job.end("failed", RuntimeError(result.error or "it was cut off"))  # nothing, where it is whole
        with self._lock:
            left = [jobs.pop(request) for request in [*jobs]]
        for job in left:
            job.end("failed", RuntimeError("the thread that drew it ended"))


class OwnDraws(ContinuousBatchingLogitsProcessor):  # type: ignore[misc]
    """Draws each row's token by its own job, and leaves the batch no other one to draw."""

    supported_kwargs: ClassVar[dict[str, type]] = {}
    ignored_kwargs = ()

    def __init__(self, jobs: dict[str, Job], end: int) -> None:
        """Take the jobs by request, as they are at each pass, and the id at which a request ends."""
        self._jobs, self._end = jobs, end
        self._rows: list[Job | None] = []

    def fill_defaults(self, int32_tensor: torch.Tensor) -> None:
        """Fill with what stands for no argument."""
        int32_tensor.zero_()

    def prepare_tensor_args(self, requests_with_new_token: list[Any]) -> torch.Tensor:
        """Keep whose rows come next; return zeros, one a row, as there must be an argument."""
        self._rows = [self._jobs.get(one.state.request_id) for one in requests_with_new_token]
        return torch.zeros(len(self._rows), dtype=torch.int32)

    def __call__(self, scores: torch.Tensor, tensor_arg: torch.Tensor) -> torch.Tensor:
        """Return scores [rows, vocabulary] that leave one token a row."""
        only = torch.zeros_like(scores)  # rows after ours are padding, of which something must be drawn too
        for row, job in enumerate(self._rows):
            one = self._drawn(job, scores[row])
            only[row] = -torch.inf
            only[row, one] = 0.0
        return only

    def _drawn(self, job: Job | None, scores: torch.Tensor) -> int:
        """Return the job's next id; for one that is gone or fails, the id that takes it out of the batch."""
        if job is None:
            return self._end
        try:
            return job.draw(scores)
        except Exception as failure:  # noqa: BLE001 - of any kind: the other rows go on
            job.end("failed", failure)
            return self._end


def _apart(weights: Any) -> Any:  # noqa: ANN401 - transformers'
    """Return the model again, over the same tensors, with a config of its own.

    transformers marks the config as not causal while it computes a batch, whose mask says what may be seen; whoever
    asked the same model meanwhile would be answered without a mask, then and ever after.
    """
    return deepcopy(weights, {id(one): one for one in (*weights.parameters(), *weights.buffers())})
