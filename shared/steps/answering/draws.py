"""The next token: drawn from scores, and told as text once it is whole characters.

    scores [vocabulary] ──► temperature ──► min-p ──► Sampler.draw ──► id ──► Text.add ──► a piece of text

Each answer draws from a generator of its own: torch's global one is shared by all threads, so a seed would say nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from tokenizers.decoders import DecodeStream

if TYPE_CHECKING:
    from shared.chat import Sampling


class Sampler:
    """Draws the tokens of one answer."""

    def __init__(self, sampling: Sampling, device: str | torch.device = "cpu") -> None:
        """Seed an own generator; without a seed, from the system's randomness."""
        self._sampling, self._random = sampling, torch.Generator(device)
        self._random.seed() if sampling.seed is None else self._random.manual_seed(sampling.seed % 2**63)

    def draw(self, scores: torch.Tensor) -> int:
        """Return an id, given ``scores`` [vocabulary]."""
        if self._sampling.temperature == 0:
            return int(scores.argmax())
        chances = likely(scores, self._sampling.temperature, self._sampling.min_p)
        return int(torch.multinomial(chances, 1, generator=self._random))


def likely(scores: torch.Tensor, temperature: float, min_p: float) -> torch.Tensor:
    """Return chances [..., vocabulary], not summing to 1: 0 where below ``min_p`` of the likeliest one's.

    Source: Nguyen et al. 2024, arXiv:2407.01082; after the temperature, as transformers does it.

    >>> likely(torch.tensor([0.5, 0.4, 0.1]).log(), 1.0, 0.5).numpy().round(2)
    array([0.5, 0.4, 0. ], dtype=float32)
    """
    chances = torch.softmax(scores.float() / temperature, dim=-1)
    return chances.where(chances >= min_p * chances.max(dim=-1, keepdim=True).values, 0.0)


class Text:
    """The text of ids that come one by one; a character whose bytes come in several tokens comes whole."""

    def __init__(self, tokenizer: Any) -> None:  # noqa: ANN401 - a transformers tokenizer
        """Begin with nothing."""
        self._tokenizer, self._stream = tokenizer.backend_tokenizer, DecodeStream(skip_special_tokens=True)

    def add(self, one: int) -> str:
        """Return what this id adds to the text, "" where a character is not whole yet."""
        return self._stream.step(self._tokenizer, one) or ""
