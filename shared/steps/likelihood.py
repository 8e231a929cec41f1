"""How likely a language model finds the answers it is told: the loss of each held-out conversation.

    conversations ──► ids and labels ──► batches of like length ──► logits where answers stand ──► nats a conversation
    nats, tokens, bytes ──► mean loss, perplexity: each with a bootstrap interval over conversations

Logits are made at answers only, and for as many rows at once as keep them below ``MOST_LOGITS``: with Llama 3's 128,256
words one row of 2,048 tokens is 1.05 GB of float32 already.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from peft import PeftModel

from shared.errors import NotYetError, SourceError
from shared.steps.bases import without_bars
from shared.steps.loading import LOADING, causal
from shared.steps.rendering import IGNORED, example
from shared.steps.scoring import Share

if TYPE_CHECKING:
    from shared.chat import Message

    Example = Mapping[str, list[int]]

MOST_TOKENS = 8192  # of a batch, with padding
MOST_LOGITS = 2**27  # of a batch: 0.5 GiB of float32
DRAWS = 2000  # of a bootstrap, as in shared.steps.promotion


def opened(place: str, base: str = "", revision: str = "") -> Any:  # noqa: ANN401 - a transformers model
    """Return the model of a folder or repository, ready to be asked: whole weights, or an adapter upon its ``base``.

    Only safetensors are read; in the precision they were written in.

    Raises:
        SourceError: there is no model that transformers could load.
    """
    adapter = Path(place) / "adapter_config.json"
    try:
        if not adapter.exists():
            return _whole(place, revision)
        told = json.loads(adapter.read_text(encoding="utf-8"))
        weights = _whole(base or told["base_model_name_or_path"], revision)
        with LOADING, without_bars():
            return PeftModel.from_pretrained(weights, place, use_safetensors=True).eval()
    except (OSError, ValueError, KeyError) as cause:
        raise SourceError(f"{place} holds no model that can be loaded: {cause}") from cause


def losses(
    model: Any,  # noqa: ANN401 - a transformers model
    tokenizer: Any,  # noqa: ANN401 - its tokenizer
    conversations: Mapping[str, Sequence[Message]],
    longest: int = 2048,
    told: Callable[[int], None] = lambda done: None,
) -> pd.DataFrame:
    """Return a row a conversation that fits into ``longest`` tokens, by its id: ``loss, tokens, bytes``.

    ``loss`` is the mean over the answers' ``tokens``, in nats; ``bytes`` are those of the answers' text, by which
    models of different tokenizers are compared. ``told`` hears how many are done. Longer ones are left out: cut ones
    would be other conversations.

    Raises:
        NotYetError: none is left.
    """
    limit = min(longest, int(getattr(model.config, "max_position_embeddings", longest)))
    examples = {name: example(tokenizer, messages) for name, messages in conversations.items()}
    fitting = {name: one for name, one in examples.items() if len(one["input_ids"]) <= limit}
    if not fitting:
        raise NotYetError(f"none of {len(examples)} conversations fits into {limit} tokens; prepare shorter ones")
    nats: dict[str, float] = {}
    with torch.inference_mode():
        for batch in _batches(fitting, int(model.config.vocab_size)):
            nats |= zip(batch, _nats(model, [fitting[name] for name in batch]), strict=True)
            told(len(nats))
    tokens = {name: sum(label != IGNORED for label in one["labels"][1:]) for name, one in fitting.items()}
    rows = [(nats[name] / tokens[name], tokens[name], _bytes(conversations[name])) for name in fitting]
    return pd.DataFrame(rows, pd.Index([*fitting], name="conversation_id"), ["loss", "tokens", "bytes"])


def mean_loss(table: pd.DataFrame, seed: int = 0) -> Share:
    """Return the mean over conversations, in nats a token, with its 95 % interval (percentiles of a bootstrap).

    >>> mean_loss(pd.DataFrame({"loss": [1.0, 2.0, 3.0]}))
    Share(value=2.0, low=1.0..., high=3.0, count=3)
    """
    found = table["loss"].to_numpy(dtype="float64")
    return _bootstrapped(len(found), lambda rows: float(found[rows].mean()), seed)


def perplexity(table: pd.DataFrame, seed: int = 0) -> Share:
    """Return exp of the mean over all tokens, with its 95 % interval; conversations are drawn, as tokens of one agree.

    >>> perplexity(pd.DataFrame({"loss": [0.0, math.log(4)], "tokens": [1, 1]})).value
    2.0
    """
    tokens = table["tokens"].to_numpy(dtype="float64")
    nats = table["loss"].to_numpy(dtype="float64") * tokens
    return _bootstrapped(len(nats), lambda rows: math.exp(nats[rows].sum() / tokens[rows].sum()), seed)


def comparable(tables: Mapping[str, pd.DataFrame]) -> tuple[dict[str, pd.Series], str]:
    """Return each model's losses of the conversations that all were asked, in one unit, and that unit.

    Nats a token where they split text alike; else nats a byte of the answers: other tokenizers count other tokens.

    >>> one = pd.DataFrame({"loss": [1.0], "tokens": [4], "bytes": [8]})
    >>> comparable({"new": one, "old": one.assign(tokens=2)})[0]["new"].tolist()
    [0.5]
    """
    shared = reduce(pd.Index.intersection, (table.index for table in tables.values()))
    found = {name: table.loc[shared] for name, table in tables.items()}
    alike = pd.DataFrame({name: table["tokens"] for name, table in found.items()}).nunique(axis=1).le(1).all()
    if alike:
        return {name: table["loss"] for name, table in found.items()}, "nats a token"
    return {name: _a_byte(table) for name, table in found.items()}, "nats a byte"


def _a_byte(table: pd.DataFrame) -> pd.Series:
    found: pd.Series = table["loss"] * table["tokens"] / table["bytes"].clip(lower=1)
    return found


def _whole(place: str, revision: str) -> Any:  # noqa: ANN401 - as opened
    with LOADING, without_bars():
        model = causal(place, revision=revision or "main", use_safetensors=True, dtype="auto")
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def _batches(examples: Mapping[str, Example], vocabulary: int) -> Iterator[list[str]]:
    """Yield ids of like length, longest first: who runs out of memory does so at once."""
    most = min(MOST_TOKENS, max(1, MOST_LOGITS // vocabulary))
    batch: list[str] = []
    for name in sorted(examples, key=lambda name: -len(examples[name]["input_ids"])):
        if batch and (len(batch) + 1) * len(examples[batch[0]]["input_ids"]) > most:
            yield batch
            batch = []
        batch.append(name)
    yield batch


def _nats(model: Any, batch: Sequence[Example]) -> list[float]:  # noqa: ANN401 - as opened
    """Return the sum of each row's losses. Padding stands to the right, where a causal model never looks."""
    longest = max(len(one["input_ids"]) for one in batch)
    ids, labels, there = (torch.full((len(batch), longest), fill) for fill in (0, IGNORED, 0))
    for row, one in enumerate(batch):
        length = len(one["input_ids"])
        ids[row, :length], labels[row, :length] = torch.tensor(one["input_ids"]), torch.tensor(one["labels"])
        there[row, :length] = 1
    labels = labels[:, 1:]  # the logits at a token are about the next one
    asked = (labels != IGNORED).any(dim=0).nonzero()[:, 0]
    place = model.device
    logits = model(
        input_ids=ids.to(place), attention_mask=there.to(place), use_cache=False, logits_to_keep=asked.to(place)
    ).logits
    return [
        float(torch.nn.functional.cross_entropy(row.float(), right.to(place), ignore_index=IGNORED, reduction="sum"))
        for row, right in zip(logits, labels[:, asked], strict=True)
    ]


def _bytes(messages: Sequence[Message]) -> int:
    return sum(len(one["content"].strip().encode(errors="replace")) for one in messages if one["role"] == "assistant")


def _bootstrapped(count: int, statistic: Callable[[np.ndarray], float], seed: int) -> Share:
    """Return the statistic of all rows, and the 2.5 % and 97.5 % of what it is on rows drawn with replacement."""
    rng = np.random.default_rng(seed)
    drawn = [statistic(rng.integers(count, size=count)) for _ in range(DRAWS)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Share(statistic(np.arange(count)), float(low), float(high), count)
