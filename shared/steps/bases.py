"""Base models by name: what a fine-tuning starts from.

tiny, tiny:2x48x3x400x512   random weights and a tokenizer of its own, learned from the training texts: no download
assistant:3             a version of our registry
/home/jane/my-model     a folder
meta-llama/Llama-3.2-1B-Instruct    a repository on the Hub, at a revision
"""

from __future__ import annotations

import shutil
import sys
import warnings
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

from shared.errors import SourceError
from shared.steps.rendering import SPECIAL, TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shared.ports import ModelRegistry

TINY = "tiny"
SMALLEST = 262  # tokens: every byte, and the marks


@dataclass(frozen=True)
class Size:
    """The shape of a Llama with random weights; the default has 1.9 million weights."""

    layers: int = 4
    hidden: int = 192
    heads: int = 6
    vocabulary: int = 2048
    positions: int = 2048


def tiny_size(base: str) -> Size | None:
    """Return the shape that ``base`` asks for, None where it is no tiny model.

    Raises:
        SourceError: it is none that a model could have.

    >>> tiny_size("tiny:2x48x3x400x512"), tiny_size("assistant:2")
    (Size(layers=2, hidden=48, heads=3, vocabulary=400, positions=512), None)
    """
    name, _, told = base.partition(":")
    if name != TINY:
        return None
    try:
        size = Size(*(int(number) for number in told.split("x"))) if told else Size()
    except (TypeError, ValueError) as cause:
        raise SourceError(f"{base}: give tiny, or tiny:LAYERSxHIDDENxHEADSxVOCABULARYxPOSITIONS") from cause
    if min(astuple(size)) < 1 or size.hidden % (2 * size.heads) or size.vocabulary < SMALLEST:
        raise SourceError(f"{base}: hidden is a multiple of twice the heads, the vocabulary {SMALLEST} at least")
    return size


def located(base: str, models: ModelRegistry) -> str:
    """Return what ``from_pretrained`` takes for ``base``: a folder, or a repository's name; ``tiny`` is made first.

    Raises:
        NotYetError: the registry has no such version.
        SourceError: the folder holds no model.
    """
    name, _, version = base.partition(":")
    if version.isdigit():
        return str(models.load(name, int(version)).folder)
    if base.startswith((".", "/", "~")) and not (Path(base).expanduser() / "config.json").exists():
        raise SourceError(f"{base} holds no config.json; name a folder with a model, or OWNER/NAME of one on the Hub")
    return str(Path(base).expanduser()) if base.startswith((".", "/", "~")) else base


def pinned(base: str, revision: str = "") -> str:
    """Return the commit of a base on the Hub that ``revision`` names, the newest unless told; "" of any other base.

    A branch moves: a run that began with one commit must not go on with another.

    Raises:
        SourceError: there is no such repository or revision, or the Hub cannot be reached and it was never fetched.
    """
    if tiny_size(base) or base.partition(":")[2].isdigit() or base.startswith((".", "/", "~")):
        return ""
    try:
        commit = AutoConfig.from_pretrained(base, revision=revision or "main")._commit_hash
    except (OSError, ValueError) as cause:
        advice = "name OWNER/NAME as huggingface.co does, log in where it is gated, or give a folder"
        raise SourceError(f"{base} cannot be had from the Hub: {advice}") from cause
    return str(commit or revision)


def build_tiny(folder: Path, texts: Iterable[str], seed: int = 0, size: Size | None = None) -> Path:
    """Write a Llama with random weights, and a byte-level tokenizer learned from ``texts``; the same ones, the same.

    Whole or not there: a folder that was made before is kept.
    """
    if folder.exists():
        return folder
    size = size or Size()
    beside = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    tokenizer = _tokenizer(texts, size)
    tokenizer.save_pretrained(beside)
    with without_bars(), torch.random.fork_rng():
        torch.manual_seed(seed)
        LlamaForCausalLM(_config(tokenizer, size)).save_pretrained(beside)
    beside.rename(folder)
    return folder


def open_tokenizer(place: str, revision: str = "") -> Any:  # noqa: ANN401 - a transformers tokenizer
    """Return a base's tokenizer with our template where it is a Llama 3's; it always has a token to pad with."""
    tokenizer = AutoTokenizer.from_pretrained(place, revision=revision or "main")
    if "<|start_header_id|>" in tokenizer.get_vocab():
        tokenizer.chat_template = TEMPLATE
    if tokenizer.pad_token is None:
        padding = "<|finetune_right_pad_id|>"  # Llama 3's own
        tokenizer.pad_token = padding if padding in tokenizer.get_vocab() else tokenizer.eos_token
    return tokenizer


@contextmanager
def without_bars() -> Iterator[None]:
    """Keep transformers' and datasets' bars from the screen, where they would break into ours.

    And the one warning that PEFT causes in transformers, and nobody but its authors can do something about.
    """
    datasets: Any = sys.modules.get("datasets")  # only where it is in use: what answers needs none
    shown, rows_shown = logging.is_progress_bar_enabled(), bool(datasets and datasets.is_progress_bar_enabled())
    logging.disable_progress_bar()
    if rows_shown:
        datasets.disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            yield
    finally:
        if shown:
            logging.enable_progress_bar()
        if rows_shown:
            datasets.enable_progress_bars()


def _tokenizer(texts: Iterable[str], size: Size) -> PreTrainedTokenizerFast:
    fast = Tokenizer(models.BPE())
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    fast.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size.vocabulary, special_tokens=[*SPECIAL], initial_alphabet=alphabet, show_progress=False
        ),
    )
    named = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "pad_token": "<|pad|>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=fast, chat_template=TEMPLATE, model_max_length=size.positions, **named
    )


def _config(tokenizer: PreTrainedTokenizerFast, size: Size) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        intermediate_size=size.hidden * 8 // 3,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads // 3 if size.heads % 3 == 0 else size.heads,
        max_position_embeddings=size.positions,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
