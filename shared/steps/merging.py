"""An adapter merged into its base, and the proof that both say the same; the same weights as one GGUF file.

    base + adapter ──► logits ──────────────────────────────────────┐
         └──► merged, written, read back ──► logits of the same prompts ──► Parity, or refused
    merged folder ──► llama.cpp's converter ──► model.gguf ──► read back by transformers ──► Parity

Merged weights are written in the precision of the base's; sums are made in float32.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import PeftModel
from torch.nn.functional import kl_div

from shared.errors import BackendError, SourceError, UnsafeFileError
from shared.steps.bases import without_bars
from shared.steps.likelihood import opened
from shared.steps.loading import LOADING, causal

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_DIFFERENCE = 1e-4  # of a logit, between float32 weights merged and not: rounding of sums gives about 1e-5
MOST_KL = 1e-2  # nats a token, of weights rounded to 16 bits; of another model's answers it is above 0.1
CONVERTER = "convert_hf_to_gguf.py"
CLONE = "git clone --depth 1 https://github.com/ggml-org/llama.cpp"
BY_HAND = f"{CLONE} && python llama.cpp/{CONVERTER} {{folder}} --outfile assistant.gguf"
CONVERTING_S = 3600
# The converter knows pre-tokenizers by a hash of what they make of a text, which depends on the vocabulary; a
# vocabulary of one's own is therefore unknown to it, and is told here what its pre-tokenizer is.
TOLD = """
import runpy, sys
from pathlib import Path
script, pre, *arguments = sys.argv[1:]
sys.path.insert(0, str(Path(script).parent / "gguf-py"))
sys.path.insert(0, str(Path(script).parent))
try:
    from conversion.base import TextModel
except ImportError:  # before mid-2026 all of it stood in the script itself
    TextModel = None
if pre and TextModel:
    known = TextModel.get_vocab_base_pre
    def told(self, tokenizer):
        try:
            return known(self, tokenizer)
        except NotImplementedError:
            return pre
    TextModel.get_vocab_base_pre = told
sys.argv = [script, *arguments]
runpy.run_path(script, run_name="__main__")
"""


@dataclass(frozen=True)
class Parity:
    """How far two models' next tokens lie apart, over every position of some prompts."""

    logits: float  # the largest difference of any logit
    kl: float  # mean over positions of KL(first || second), nats
    agreeing: float  # share of positions at which both find the same token the likeliest
    positions: int

    def must_hold(self, exact: bool) -> Parity:
        """Return itself if the models are the same: to rounding of sums if ``exact``, else to that of 16-bit weights.

        Raises:
            UnsafeFileError: they are not.
        """
        if self.logits <= MOST_DIFFERENCE or (not exact and self.kl <= MOST_KL):
            return self
        told = f"logits differ by up to {self.logits:.2g}, KL {self.kl:.2g} nats a token"
        raise UnsafeFileError(f"what was written is not the model that was judged: {told}; nothing is registered")


def logits(model: Any, prompts: Sequence[Sequence[int]]) -> list[torch.Tensor]:  # noqa: ANN401 - a transformers model
    """Return the logits at every position of each prompt of ids: a tensor [tokens, vocabulary] each, in float32."""
    with torch.inference_mode():
        asked = (torch.tensor([[*prompt]], device=model.device) for prompt in prompts)
        return [model(ids).logits[0].float().cpu() for ids in asked]


def parity(first: Sequence[torch.Tensor], second: Sequence[torch.Tensor]) -> Parity:
    """Return how far what two models say of the same prompts lies apart.

    >>> one = [torch.tensor([[0.0, 1.0], [2.0, 0.0]])]
    >>> parity(one, one)
    Parity(logits=0.0, kl=0.0, agreeing=1.0, positions=2)
    """
    left, right = torch.cat([*first]), torch.cat([*second])
    surprise = kl_div(right.log_softmax(-1), left.log_softmax(-1), reduction="sum", log_target=True)
    agreeing = (left.argmax(-1) == right.argmax(-1)).float().mean()
    kl = max(float(surprise) / len(left), 0.0)  # rounding may fall below 0; in this order no nan becomes 0, and passes
    return Parity(float((left - right).abs().max()), kl, float(agreeing), len(left))


def merge(judged: Any, to: Path, prompts: Sequence[Sequence[int]]) -> Parity:  # noqa: ANN401 - a transformers model
    """Write a model, its adapter merged into its base if it has one, into the folder ``to``; ``judged`` is used up.

    Raises:
        UnsafeFileError: what was written, read back, does not say what ``judged`` said.
    """
    kept = judged.dtype
    judged = judged.float()
    before = logits(judged, prompts)
    whole = judged.merge_and_unload() if isinstance(judged, PeftModel) else judged
    with without_bars():
        whole.to(kept).save_pretrained(to)
    after = logits(opened(str(to)).float(), prompts)
    return parity(before, after).must_hold(exact=kept == torch.float32)


def to_gguf(folder: Path, llama_cpp: Path, file: Path) -> None:
    """Write the model in ``folder`` as one GGUF ``file`` of 16 bits a weight, with a checkout of llama.cpp.

    Raises:
        SourceError: there is no converter in that checkout.
        BackendError: the converter failed, or took more than an hour.
    """
    script = llama_cpp.expanduser() / CONVERTER
    if not script.exists():
        raise SourceError(f"{llama_cpp} holds no {CONVERTER}; name a checkout of llama.cpp with --llama-cpp ({CLONE})")
    words = [str(script.resolve()), _pre_tokenizer(folder), str(folder), "--outfile", str(file), "--outtype", "auto"]
    try:
        done = subprocess.run(
            [sys.executable, "-c", TOLD, *words], capture_output=True, text=True, timeout=CONVERTING_S, check=False
        )
    except subprocess.TimeoutExpired as cause:
        raise BackendError(f"llama.cpp's converter did not end within {CONVERTING_S} s; try it by hand") from cause
    if done.returncode or not file.exists():
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        needs = f"; it needs the packages of {llama_cpp}/requirements" if "ModuleNotFoundError" in said else ""
        raise BackendError(f"llama.cpp's converter failed: {said[:300]}{needs}")


def gguf_parity(folder: Path, file: Path, prompts: Sequence[Sequence[int]]) -> Parity | None:
    """Return how far the GGUF file, read back by transformers, lies from ``folder``; None without the package gguf.

    Raises:
        UnsafeFileError: it is not the same model.
    """
    if not find_spec("gguf"):
        return None
    told = opened(str(folder))
    with LOADING, without_bars():
        back = causal(str(file.parent), gguf_file=file.name, dtype=torch.float32).eval()
    return parity(logits(told.float(), prompts), logits(back, prompts)).must_hold(exact=False)


def _pre_tokenizer(folder: Path) -> str:
    """Return llama.cpp's name of a vocabulary's pre-tokenizer where transformers' own says it plainly: GPT-2's."""
    told = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["pre_tokenizer"] or {}
    plain = told.get("type") == "ByteLevel" and told.get("use_regex", True) and not told.get("add_prefix_space")
    return "gpt-2" if plain else ""
