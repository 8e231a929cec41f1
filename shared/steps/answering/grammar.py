"""Answers that are JSON of a given schema, whatever the model would rather write: tokens that break it get -inf.

    schema, checked ──► llguidance's matcher ──► each step: tokens so far ──► mask [vocabulary] ──► scores, -inf outside

Separators are compact and no blank stands between them, so a schema allows each value one spelling. When the value is
whole only the end of the turn is left. A token costs about 0.3 ms with a vocabulary of 128,000, two thirds of it the
mask; strings of a pattern would take five times that without a slice for plain words, which llguidance's own lack.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from shared.errors import BackendError, MissingExtraError, UsageError
from shared.steps.answering import schemas

_TEXT = r'[^"\\\x00-\x1F\x7F]'  # of a JSON string
SLICES = [
    r"[A-Za-z0-9 ]{1,8}",
    f"{_TEXT}{{1,10}}",
    f"{_TEXT}{{1,30}}",
    f"{_TEXT}+",
]  # masks made once, while it is opened
COMPACT = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}
LIMITS = {
    "initial_lexer_fuel": 1_000_000,  # about 20 ms
    "step_lexer_fuel": 200_000,  # about 14 ms: all answers of a batch wait for one's mask
    "step_max_items": 50_000,  # about 3 ms
    "max_items_in_row": 2_000,
    "max_lexer_states": 50_000,  # 1 to 2 KB each; the default would be half a GB an answer
    "max_grammar_size": 100_000,
    "verbose_errors": False,
}


class Constrained:
    """A LogitsProcessor of transformers for one sequence; a new one for each answer, as it remembers what came."""

    def __init__(self, tokenizer: Any, matcher: Any, prompt: int | None = None) -> None:  # noqa: ANN401 - vendors'
        self._matcher, self._width = matcher, _opened(tokenizer).vocab_size
        self._end = tokenizer.eos_token_id
        self._read = prompt  # tokens that the matcher has seen, or that came before the answer

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Return scores [1, vocabulary] with -inf wherever a token would break the schema.

        Raises:
            BackendError: a token came that the grammar does not allow, or the grammar became too large.
            UsageError: there is more than one sequence.
        """
        if len(input_ids) != 1:
            raise UsageError("A grammar follows one sequence; open one for each answer.")
        if self._read is None:
            self._read = input_ids.shape[1]
        self._follow(input_ids[0, self._read :].tolist())
        self._read = input_ids.shape[1]
        return scores.masked_fill(~self._allowed(scores), float("-inf"))

    @property
    def whole(self) -> bool:
        """Return whether the value is complete: nothing but the end may follow."""
        return bool(self._matcher.is_stopped() or self._matcher.is_accepting())

    def _follow(self, tokens: list[int]) -> None:
        if self._matcher.is_stopped():
            return
        if not self._matcher.consume_tokens(tokens):
            raise BackendError("the answer left its grammar; ask again") from RuntimeError(self._matcher.get_error())

    def _allowed(self, scores: torch.FloatTensor) -> torch.Tensor:
        """Return which tokens may come [1, vocabulary]; models often have more scores than the tokenizer has tokens."""
        allowed = torch.zeros(scores.shape[1], dtype=torch.bool)
        if self._matcher.is_stopped():
            allowed[self._end] = True
        else:
            bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
            mask = np.unpackbits(bits, bitorder="little")[: scores.shape[1]].astype(bool)
            allowed[: len(mask)] = torch.from_numpy(mask)
        if self._matcher.is_error() or not allowed.any():
            internal = RuntimeError(self._matcher.get_error())  # its parser's state: for a traceback, for no visitor
            raise BackendError("the answer's grammar became too large; ask for something simpler") from internal
        return allowed[None].to(scores.device)


def constrained(tokenizer: Any, schema: Mapping[str, Any], prompt: int | None = None) -> Constrained:  # noqa: ANN401
    """Return a processor for one answer; ``prompt`` tokens come before it, those of the first call unless told.

    The grammar is compiled here, and its first mask computed: where it is too large, whoever asks waits for that alone.

    Raises:
        UsageError: the schema asks for what the grammar does not know, or too much of it.
        MissingExtraError: llguidance is not installed.
    """
    schemas.check(schema)
    return Constrained(tokenizer, _compiled(tokenizer, schema), prompt)


def _compiled(tokenizer: Any, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - vendors'
    llguidance = _library()
    grammar = llguidance.LLMatcher.grammar_from_json_schema(json.dumps(schema), COMPACT)
    matcher = llguidance.LLMatcher(_opened(tokenizer), grammar, log_level=0, limits=llguidance.LLParserLimits(**LIMITS))
    if not matcher.is_error():
        matcher.compute_bitmask()
    if matcher.is_error():
        internal = RuntimeError(matcher.get_error())
        raise schemas.refusal("it contradicts itself, or is too much at once; make it simpler") from internal
    return matcher


@lru_cache(maxsize=4)
def _opened(tokenizer: Any) -> Any:  # noqa: ANN401 - vendors'
    """Return llguidance's view of a fast tokenizer; it takes about a second with a vocabulary of 128,000.

    Raises:
        UsageError: the tokenizer is not a fast one.
    """
    _library()
    from llguidance.hf import from_tokenizer

    try:
        return from_tokenizer(tokenizer, n_vocab=max(len(tokenizer), tokenizer.vocab_size), slices=SLICES)
    except ValueError as cause:
        raise UsageError("Answers in JSON need a model with a fast tokenizer (tokenizer.json).") from cause


def _library() -> Any:  # noqa: ANN401 - a module
    try:
        import llguidance
    except ImportError as cause:
        raise MissingExtraError("Answers in JSON need llguidance: pip install 'almanac[llm]'.") from cause
    return llguidance
