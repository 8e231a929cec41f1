"""Which bases can be fine-tuned: asked once, before hours are spent on them.

    name (see base_names) ──► pinned to a commit, the Hub's newest, or to a folder's bytes
                          ──► checked: config, names and shapes, tokenizer

Nothing that comes with a model is executed: no code of its own, no pickle.
"""

from __future__ import annotations

import logging as levels
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from transformers import AutoConfig
from transformers.utils import cached_file, has_file, logging
from transformers.utils.hub import extract_commit_hash

from shared.errors import SourceError, UsageError
from shared.steps.base_names import held, kind_of
from shared.steps.loading import LOADING, causal

if TYPE_CHECKING:
    from collections.abc import Iterator

_ADVICE = "name OWNER/NAME as huggingface.co does, log in where it is gated; without network give a folder"

log = levels.getLogger("almanac")


def pinned(base: str, revision: str = "") -> str:
    """Return the commit of a base on the Hub that ``revision`` names; of a folder, what its files' bytes give; else "".

    A branch moves: who began with one commit must go on with it, by its name. A branch is what the Hub says it is now;
    where that cannot be reached what was fetched last is taken, with a warning. It is asked once, for 10 s at most,
    without the minute of retries that ``from_pretrained`` would take, and not at all about a commit that is here.

    Raises:
        SourceError: there is no such repository or revision, or the Hub cannot be reached and nothing was fetched.
        UsageError: a base that is neither on the Hub nor a folder has no revisions.
        UnsafeFileError: the folder holds another model than the one of ``revision``.
    """
    if (kind := kind_of(base)) == "folder":
        return held(base, revision)
    if kind != "hub":
        if revision:
            raise UsageError(f"{base} has no revision {revision!r}: only a base on the Hub, or a folder, has any")
        return ""
    fetched = _fetched(base, revision or "main")
    if fetched and fetched == revision:
        return fetched
    if _reached(base, revision or "main"):
        return _newest(base, revision or "main")
    if not fetched:
        raise SourceError(f"{base} cannot be had from the Hub, or has no config.json: {_ADVICE}")
    log.warning("the Hub does not answer: %s is taken as it was fetched last, commit %s", base, fetched[:12])
    return fetched


def checked(place: str, tokenizer: Any, revision: str = "") -> None:  # noqa: ANN401 - a transformers tokenizer
    """Refuse what is no language model whose every weight is there; names and shapes are read, no weights.

    Raises:
        SourceError: it is none, its weights are another model's or are cut off, or its tokenizer knows more tokens.
    """
    revision = revision or "main"
    try:
        config = AutoConfig.from_pretrained(place, revision=revision, trust_remote_code=False)
        if getattr(config, "quantization_config", None):
            return  # its weights are packed, and only what unpacks them knows their names
        with LOADING, _in_silence():
            model, found = causal(
                place, revision=revision, device_map="meta", use_safetensors=True, output_loading_info=True
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


def _fetched(base: str, revision: str) -> str:
    """Return the commit that the revision was when it was fetched last, "" if it never was."""
    try:
        return _commit(base, revision, local_files_only=True)
    except OSError:
        return ""


def _reached(base: str, revision: str) -> bool:
    """Return whether the Hub answers that there is such a base; one request of 10 s at most.

    Raises:
        SourceError: it answers that there is none, or none for us.
    """
    try:
        with _in_silence():  # transformers falls back to its cache, silently: here it has none
            return bool(has_file(base, "config.json", revision=revision, cache_dir=os.devnull))
    except OSError as cause:
        raise _not_had(base, cause) from cause
    except Exception:  # noqa: BLE001 - of a dozen kinds, of what connects to it
        return False


def _newest(base: str, revision: str) -> str:
    try:
        with _in_silence():
            return _commit(base, revision)
    except Exception as cause:  # the Hub's, and those of what connects to it
        raise _not_had(base, cause) from cause


def _not_had(base: str, cause: Exception) -> SourceError:
    return SourceError(f"{base} cannot be had from the Hub ({short(cause)}): {_ADVICE}")


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
