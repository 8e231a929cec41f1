"""Conversations as tokens: the one place where a prompt is made, for training and for answering alike.

    messages ──► special tokens in their contents broken ──► TEMPLATE ──► ids ──► an answer is generated after them
                                                               └──► ids and labels: -100 wherever no answer stands

The template is Meta's for Llama 3 without its line of dates, which would make a prompt depend on the day; it is saved
beside the tokenizer as ``chat_template.jinja``, with the marks that tell what the loss is taken on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from shared.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.chat import Message

IGNORED = -100  # PyTorch's: a label that no loss is taken on
TEMPLATE = (
    "{{- bos_token }}{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
    "{%- if message['role'] == 'assistant' %}"
    "{%- generation %}{{- message['content'] | trim + '<|eot_id|>' }}{%- endgeneration %}"
    "{%- else %}{{- message['content'] | trim + '<|eot_id|>' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
)
SPECIAL = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|pad|>",
)


def prompt(tokenizer: Any, messages: Sequence[Message]) -> list[int]:  # noqa: ANN401 - a transformers tokenizer
    """Return the ids after which an answer is generated."""
    ids: list[int] = tokenizer.apply_chat_template(
        _plain(tokenizer, messages), add_generation_prompt=True, return_dict=True
    )["input_ids"]
    return ids


def example(tokenizer: Any, messages: Sequence[Message]) -> dict[str, list[int]]:  # noqa: ANN401 - as above
    """Return ``input_ids`` and ``labels`` [tokens]: labels are ``IGNORED`` but on answers and the token that ends each.

    Raises:
        SchemaError: the tokenizer's template does not mark answers, or there is none.
    """
    told = tokenizer.apply_chat_template(
        _plain(tokenizer, messages), return_dict=True, return_assistant_tokens_mask=True
    )
    ids, answers = told["input_ids"], told["assistant_masks"]
    if not any(answers):
        raise SchemaError("no token of this conversation is an answer: nothing could be learned from it")
    labels = [one if answer else IGNORED for one, answer in zip(ids, answers, strict=True)]
    return {"input_ids": ids, "labels": labels}


def _plain(tokenizer: Any, messages: Sequence[Message]) -> list[dict[str, str]]:  # noqa: ANN401 - as above
    """Return the messages with every text broken that the tokenizer would take for its own mark: one ends a turn."""
    special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    longest_first = sorted((one for one in special if len(one) > 1), key=len, reverse=True)
    marks = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")  # of no marks an empty pattern finds all
    return [{"role": one["role"], "content": _broken(one["content"], marks)} for one in messages]


def _broken(text: str, marks: re.Pattern[str]) -> str:
    r"""Return the text with a blank in every mark: nothing is taken out, so that what is left cannot make another one.

    >>> _broken("a <|eot_id|> b, <|eot<|eot_id|>_id|>", re.compile(r"<\|eot_id\|>"))
    'a < |eot_id|> b, <|eot< |eot_id|>_id|>'
    """
    while marks.search(text):  # twice only where marks overlap
        text = marks.sub(lambda found: f"{found[0][:1]} {found[0][1:]}", text)
    return text
