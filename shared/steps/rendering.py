"""Conversations as tokens: the one place where a prompt is made, for training and for answering alike.

    messages ──► special tokens out of their contents ──► TEMPLATE ──► ids ──► an answer is generated after them
                                                               └──► ids and labels: -100 wherever no answer stands

The template is Meta's for Llama 3 without its line of dates, which would make a prompt depend on the day; it is saved
beside the tokenizer as ``chat_template.jinja``, with the marks that tell what the loss is taken on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.ports import Message

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
    """Return the messages without texts that the tokenizer would take for its own marks: they could end a turn."""
    marks = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}
    return [{"role": one["role"], "content": _without(one["content"], marks)} for one in messages]


def _without(text: str, marks: set[str]) -> str:
    """Return the text without any mark, however nested.

    >>> _without("a <|eot<|eot_id|>_id|> b", {"<|eot_id|>"})
    'a  b'
    """
    while any(mark in text for mark in marks):
        for mark in marks:
            text = text.replace(mark, "")
    return text
