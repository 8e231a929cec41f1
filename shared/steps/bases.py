"""What a fine-tuning starts from, made or opened: a tiny model with random weights, and any base's tokenizer.

base_names says what bases are called, base_checks which of them can be fine-tuned.
"""

from __future__ import annotations

import shutil
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

from shared.errors import SourceError
from shared.steps import templates
from shared.steps.base_checks import short
from shared.steps.base_names import Size
from shared.steps.loading import LOADING
from shared.steps.rendering import SPECIAL, TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


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
    with LOADING, without_bars(), torch.random.fork_rng():
        torch.manual_seed(seed)
        LlamaForCausalLM(_config(tokenizer, size)).save_pretrained(beside)
    beside.rename(folder)
    return folder


def open_tokenizer(place: str, revision: str = "") -> Any:  # noqa: ANN401 - a transformers tokenizer
    """Return a base's tokenizer with a template that answers are learned and given with, ours where it is a Llama 3's.

    It always has a token to pad with.

    Raises:
        SourceError: there is none, or none that writes conversations, or its template rewrites them as they go on.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, revision=revision or "main", trust_remote_code=False)
    except Exception as cause:  # of a dozen kinds: tokenizers raises the very class Exception
        advice = "copy it there again, or take another base"
        raise SourceError(f"{place} has no tokenizer that can be read ({short(cause)}): {advice}") from cause
    if "<|start_header_id|>" in tokenizer.get_vocab():
        tokenizer.chat_template = TEMPLATE
    if not tokenizer.chat_template or not tokenizer.eos_token:
        missing = "no chat template" if not tokenizer.chat_template else "no token that ends an answer"
        raise SourceError(f"the tokenizer of {place} has {missing}: take the base's -Instruct or -Chat version")
    templates.settle(tokenizer, place)
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
