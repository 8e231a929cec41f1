"""Which examples are learned in which step, drawn beforehand for a whole run, and how a batch becomes tensors.

    examples ──► packed into rows, or not ──► order: place of each row in each batch ──► collated batches

Sequences of about one length share a batch, so that little is padded; the order depends on the seed alone, so that a
resumed run goes on with the very batch that comes next, in whichever epoch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
import torch
import trl

from shared.errors import NotYetError
from shared.steps.bases import without_bars
from shared.steps.rendering import IGNORED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

POOL = 50  # batches whose sequences are sorted by length together


def fitting(examples: datasets.Dataset | Sequence[Mapping[str, list[int]]], max_length: int) -> datasets.Dataset:
    """Return the examples of at most ``max_length`` tokens.

    Raises:
        NotYetError: there is none.
    """
    rows = examples if isinstance(examples, datasets.Dataset) else datasets.Dataset.from_list([*examples])
    fits = [place for place, length in enumerate(_lengths(rows)) if length <= max_length] if len(rows) else []
    if not fits:
        raise NotYetError(f"no example has at most {max_length} tokens: prepare more, or raise the plan's max_length")
    return rows.select(fits)


def packed(rows: datasets.Dataset, max_length: int) -> datasets.Dataset:
    """Return rows of several examples each, up to ``max_length`` tokens, with ``seq_lengths``; none is cut.

    Best fit decreasing (Ding et al. 2024, arXiv:2404.10830), a thousand examples at a time.
    """
    with without_bars():
        return trl.pack_dataset(rows.select_columns(["input_ids", "labels"]), max_length, "bfd")


def order(lengths: Sequence[int], batch: int, batches: int, seed: int) -> np.ndarray:
    """Return the place of each example to learn, ``batch * batches`` of them: epoch after epoch, each shuffled anew.

    >>> order([5, 9, 5, 9], batch=2, batches=2, seed=0).reshape(2, 2).tolist()
    [[1, 3], [2, 0]]
    """
    rng, wanted, sizes = np.random.default_rng(seed), batch * batches, np.asarray(lengths)
    epochs = -(-wanted // len(sizes))
    drawn = np.concatenate([rng.permutation(len(sizes)) for _ in range(epochs)])[:wanted]
    pools = []
    for pool in np.array_split(drawn, range(POOL * batch, wanted, POOL * batch)):
        alike = pool[np.argsort(sizes[pool], kind="stable")].reshape(-1, batch)
        pools.append(rng.permutation(alike))
    return np.concatenate(pools).ravel()


def in_order(rows: datasets.Dataset, batch: int, batches: int, seed: int) -> datasets.Dataset:
    """Return the rows as a whole run learns them, one after the other."""
    return rows.select(order(_lengths(rows), batch, batches, seed))


def by_length(rows: datasets.Dataset) -> datasets.Dataset:
    """Return the rows, shortest first."""
    return rows.select(np.argsort(_lengths(rows), kind="stable"))


def collate(examples: Sequence[Mapping[str, Any]], pad: int) -> dict[str, torch.Tensor]:
    """Return ``input_ids`` and ``labels`` [batch, tokens], padded to the right; of packed rows ``position_ids``, too.

    Without a mask of attention: no token sees what is to its right, so none that counts sees padding. Positions that
    begin anew are what models tell packed sequences apart by.
    """
    rows = {name: [torch.as_tensor(one[name]) for one in examples] for name in ("input_ids", "labels")}
    batch = {"input_ids": _padded(rows["input_ids"], pad), "labels": _padded(rows["labels"], IGNORED)}
    if "seq_lengths" in examples[0]:
        counted = [torch.cat([torch.arange(one) for one in row["seq_lengths"]]) for row in examples]
        batch["position_ids"] = _padded(counted, 0)
        batch["labels"][batch["position_ids"] == 0] = IGNORED  # nothing is predicted from another conversation
    return batch


def _lengths(rows: datasets.Dataset) -> list[int]:
    return [len(ids) for ids in rows["input_ids"]]


def _padded(rows: list[torch.Tensor], value: int) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)
