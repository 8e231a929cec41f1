"""Which bases can be fine-tuned: asked once, before hours are spent on them.

    name (see base_names) ──► pinned to a commit ──► checked: config, names and shapes of weights, tokenizer

Nothing that comes with a model is executed: no code of its own, no pickle.
"""

from __future__ import annotations

import logging as levels
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import cached_file, has_file, logging
from transformers.utils.hub import extract_commit_hash

from shared.errors import SourceError
from shared.steps.base_names import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def pinned(base: str, revision: str = "") -> str:
    """Return the commit of a base on the Hub that ``revision`` names, "" of any other base.

    A branch moves: a run that began with one commit must not go on with another. What was fetched before is taken as
    it was then; else the Hub is asked once, without the minute of retries that ``from_pretrained`` would take.

    Raises:
        SourceError: there is no such repository or revision, or the Hub cannot be reached.
    """
    if kind_of(base) != "hub":
        return ""
    try:
        commit = _commit(base, revision or "main", local_files_only=True)
    except OSError:
        commit = _asked(base, revision or "main")
    return commit or revision


def checked(place: str, tokenizer: Any, revision: str = "") -> None:  # noqa: ANN401 - a transformers tokenizer
    """Refuse what is no language model whose every weight is there; names and shapes are read, no weights.

    Raises:
        SourceError: it is none, its weights are another model's or are cut off, or its tokenizer knows more tokens.
    """
    told = {"revision": revision or "main", "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(place, **told)
        if getattr(config, "quantization_config", None):
            return  # its weights are packed, and only what unpacks them knows their names
        with _in_silence():
            model, found = AutoModelForCausalLM.from_pretrained(
                place, device_map="meta", use_safetensors=True, output_loading_info=True, **told
            )
    except Exception as cause:  # of a dozen kinds, by what is wrong with it
        raise _refused(place, cause) from cause
    if missing := sorted(found["missing_keys"]):  # what is tied to another, as a head is, is none of them
        which = f"{len(missing)} weights that its config.json tells of, such as {missing[0]}"
        raise SourceError(f"{place} lacks {which}: its weights are another model's, or not all of them are there")
    if len(tokenizer) > (known := model.get_input_embeddings().num_embeddings):
        raise SourceError(f"the tokenizer of {place} knows {len(tokenizer)} tokens, its weights {known}: not its own")


def short(cause: Exception) -> str:
    r"""Return the first sentence of a vendor's error: the rest is advice on its own options, and tables.

    >>> short(ValueError("The file is cut. Try revision='x'.\nSee ..."))
    'The file is cut'
    """
    said = (str(cause).strip() or type(cause).__name__).splitlines()[0]
    return said.split(". ")[0].rstrip(".")[:160]


def _commit(base: str, revision: str, **told: bool) -> str:
    return str(extract_commit_hash(cached_file(base, "config.json", revision=revision, **told), None) or "")


def _asked(base: str, revision: str) -> str:
    """Return the commit as the Hub tells it: first with one request of 10 s at most."""
    advice = "name OWNER/NAME as huggingface.co does, log in where it is gated; without network give a folder"
    try:
        with _in_silence():
            if not has_file(base, "config.json", revision=revision):
                raise SourceError(f"{base} cannot be had from the Hub, or has no config.json: {advice}")
            return _commit(base, revision)
    except SourceError:
        raise
    except Exception as cause:  # the Hub's, and those of what connects to it
        raise SourceError(f"{base} cannot be had from the Hub ({short(cause)}): {advice}") from cause


def _refused(place: str, cause: Exception) -> SourceError:
    return SourceError(f"{place} cannot be fine-tuned: it is no whole language model that is known ({short(cause)})")


@contextmanager
def _in_silence() -> Iterator[None]:
    """Keep transformers from logging what it raises besides, or what is said in our own words."""
    shown, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(levels.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(shown)
        if bars:
            logging.enable_progress_bar()
