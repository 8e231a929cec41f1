"""What a fine-tuning is told: one frozen plan, from which its name and thereby its folder follow.

base ──► rank, or all weights ──► steps of batch x accumulation ──► evaluated, kept, stopped early
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, fields

from shared.errors import UsageError

PRECISIONS = ("fp32", "bf16", "fp16", "4bit")
ALPHA = 4.0  # of LoRA, once for all ranks; with rank 16 the adapter counts 4 / sqrt(16) = 1 time
MOST_SEED = 2**32 - 1  # numpy's


@dataclass(frozen=True)
class Plan:
    """A fine-tuning; the same plan on the same data gives the same weights, on the same machine."""

    base: str = "tiny"
    revision: str = ""  # of a base on the Hub its commit, of a folder what base_names.content_of says
    sources: str = ""  # names of stored ones that it learns from, joined by commas; none: all
    rank: int = 16  # of LoRA on all linear layers; 0: all weights are trained
    learning_rate: float = 2e-4
    steps: int = 1000
    batch: int = 2  # sequences, or packed rows
    accumulation: int = 4  # batches a step
    max_length: int = 2048  # tokens of a sequence, or of a packed row
    packing: bool = False  # conversations behind each other in a row, which do not see each other
    precision: str = "fp32"  # 4bit: the base's weights, as QLoRA (Dettmers et al. 2023, arXiv:2305.14314)
    dropout: float = 0.0  # of LoRA's inputs
    warmup: int = 10  # steps up to the learning rate, which then falls linearly to 0
    weight_decay: float = 0.01
    evaluate_every: int = 100  # steps
    checkpoint_every: int = 100  # steps; the best and the last are kept besides
    patience: int = 0  # evaluations without a better one before it stops; 0: it never does
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            UsageError: a value is out of its bounds.
        """
        counted = ("steps", "batch", "accumulation", "max_length", "evaluate_every", "checkpoint_every")
        low = [f"{name} {getattr(self, name)} is below 1" for name in counted if getattr(self, name) < 1]
        low += [f"{name} {getattr(self, name)} is below 0" for name in _SIGNED if not getattr(self, name) >= 0]
        if self.seed > MOST_SEED:
            low.append(f"seed {self.seed} is above {MOST_SEED}")
        if not 0 < self.learning_rate < 1:
            low.append(f"learning_rate {self.learning_rate} is not between 0 and 1")
        if self.precision not in PRECISIONS:
            low.append(f"precision {self.precision!r} is none of {', '.join(PRECISIONS)}")
        if self.precision == "4bit" and self.rank == 0:
            low.append("4bit weights cannot be trained: give a rank")
        if low:
            raise UsageError(f"a plan that cannot be trained: {'; '.join(low)}")

    @property
    def alpha(self) -> float:
        """LoRA's, the same for every rank: the adapter counts alpha / sqrt(rank) times.

        rsLoRA (Kalajdzievski 2023, arXiv:2312.03732): divided by the rank itself, higher ranks would learn less.
        """
        return ALPHA if self.rank else 0.0

    @property
    def told(self) -> dict[str, str | float]:
        """The fields that are not as usual.

        >>> Plan(rank=8, seed=0).told
        {'rank': 8}
        """
        return {one.name: told for one in fields(self) if (told := getattr(self, one.name)) != one.default}

    def name(self, fingerprint: str) -> str:
        """Return the name of the run of this plan on the data of that fingerprint.

        It follows from what is not as usual alone, so that a run goes on where later versions know more fields.

        >>> Plan(base="meta-llama/Llama-3.2-1B-Instruct").name("1f2e")
        'llama-3-2-1b-instruct-r16-lr2e-04-1000-...'
        """
        told = json.dumps([self.told, fingerprint], sort_keys=True)
        base = re.sub(r"[^a-z0-9]+", "-", self.base.lower().rstrip("/").rpartition("/")[2]).strip("-")
        trained = f"r{self.rank}" if self.rank else "full"
        short = hashlib.sha256(told.encode()).hexdigest()[:8]
        return f"{base}-{trained}-lr{self.learning_rate:.0e}-{self.steps}-{short}"


_SIGNED = ("rank", "dropout", "warmup", "weight_decay", "patience", "seed")
