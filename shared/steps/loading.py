"""One way to load a language model, one at a time.

transformers swaps torch's functions, its own, and torch's usual precision while it loads or builds a model. Of two at
once both may fail, and with what the first one puts back last so may every later one, and every tensor that is made.
"""

from __future__ import annotations

from threading import RLock
from typing import Any

from transformers import AutoModelForCausalLM

LOADING = RLock()  # held by whoever builds a model, too


def causal(place: str, **told: Any) -> Any:  # noqa: ANN401 - transformers'
    """Return what ``AutoModelForCausalLM.from_pretrained`` does; nothing that comes with the model is executed.

    Raises:
        OSError, ValueError: there is no model that transformers could load; from damaged files also others.
    """
    with LOADING:
        return AutoModelForCausalLM.from_pretrained(place, trust_remote_code=False, **told)
