"""Conversations as tokens: the one place where a prompt is made, for training and for answering alike.

    messages ──► special tokens in their contents broken ──► template ──► ids ──► an answer is generated after them
                                                               └──► ids and labels: -100 wherever no answer stands

An answer is what stands after the text that it would be generated after, up to the first special token: no template
has to mark it. TEMPLATE is Meta's for Llama 3 without its line of dates, which would make a prompt depend on the day;
it is saved beside the tokenizer as ``chat_template.jinja``. See ``templates`` for those of other bases.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from shared.errors import SchemaError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.chat import Message

IGNORED = -100  # PyTorch's: a label that no loss is taken on
TEMPLATE = (  # its tags `generation` are plain TRL's, whose assistant_only_loss the benchmark stands beside: not ours
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
    """Return the ids after which an answer is generated.

    Raises:
        UsageError: the tokenizer's template takes no conversation of such roles.
    """
    ids: list[int] = _tokens(tokenizer, _text(tokenizer, _plain(tokenizer, messages), asks=True))["input_ids"]
    return ids


def example(tokenizer: Any, messages: Sequence[Message]) -> dict[str, list[int]]:  # noqa: ANN401 - as above
    """Return ``input_ids`` and ``labels`` [tokens]: labels are ``IGNORED`` but on answers and the token that ends each.

    Raises:
        SchemaError: there is no answer, or the template ends none, or writes one after another text than it is asked
            with.
        UsageError: as ``prompt``.
    """
    plain = _plain(tokenizer, messages)
    text = _text(tokenizer, plain)
    told = _tokens(tokenizer, text, return_offsets_mapping=True)
    ids, begins = told["input_ids"], [begin for begin, _ in told["offset_mapping"]]
    ends, labels = {*_special(tokenizer)}, [IGNORED] * len(ids)
    for place, message in enumerate(plain):
        if message["role"] != "assistant":
            continue
        before = _text(tokenizer, plain[:place], asks=True)
        if not text.startswith(before):
            raise SchemaError("an answer would stand after another text than it is asked for with")
        first = bisect_left(begins, len(before))
        if (last := next((at for at in range(first, len(ids)) if ids[at] in ends), 0)) == 0:
            raise SchemaError("no mark of the tokenizer's would end an answer")
        labels[first : last + 1] = ids[first : last + 1]
    if all(label == IGNORED for label in labels):
        raise SchemaError("no token of this conversation is an answer: nothing could be learned from it")
    return {"input_ids": ids, "labels": labels}


def _text(tokenizer: Any, plain: Sequence[Message], *, asks: bool = False) -> str:  # noqa: ANN401 - as above
    """Return the messages as one text; as one that ``asks`` for an answer, what an answer is generated after."""
    try:
        text: str = tokenizer.apply_chat_template(plain, tokenize=False, add_generation_prompt=asks)
    except TemplateError as cause:
        raise UsageError(f"this model takes no such conversation ({cause}): user and assistant take turns") from cause
    return text


def _tokens(tokenizer: Any, text: str, **asked: bool) -> Any:  # noqa: ANN401 - as above
    """Return what a tokenizer makes of the text; how long that is, whoever asks looks at, so nothing warns of it."""
    return tokenizer(text, add_special_tokens=False, verbose=False, **asked)


def _special(tokenizer: Any) -> dict[int, str]:  # noqa: ANN401 - as above
    """Return the tokenizer's own marks by id."""
    return {one: token.content for one, token in tokenizer.added_tokens_decoder.items() if token.special}


def _plain(tokenizer: Any, messages: Sequence[Message]) -> list[Message]:  # noqa: ANN401 - as above
    """Return the messages with every text broken that the tokenizer would take for its own mark: one ends a turn.

    Answers without the blanks around them: a blank would make one token with the end of what is asked.
    """
    longest_first = sorted((one for one in {*_special(tokenizer).values()} if len(one) > 1), key=len, reverse=True)
    marks = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")  # of no marks an empty pattern finds all
    return [
        {"role": one["role"], "content": _broken(text.strip() if one["role"] == "assistant" else text, marks)}
        for one in messages
        for text in [one["content"]]
    ]


def _broken(text: str, marks: re.Pattern[str]) -> str:
    r"""Return the text with a blank in every mark: nothing is taken out, so that what is left cannot make another one.

    >>> _broken("a <|eot_id|> b, <|eot<|eot_id|>_id|>", re.compile(r"<\|eot_id\|>"))
    'a < |eot_id|> b, <|eot< |eot_id|>_id|>'
    """
    while marks.search(text):  # twice only where marks overlap
        text = marks.sub(lambda found: f"{found[0][:1]} {found[0][1:]}", text)
    return text
