"""Chat templates of any base, made fit to be learned with as they are answered with.

    its own, told not to think ──► with the system's message, which may have to stand before the first question
      ──► tried on a conversation: each answer stands after the very tokens that it will be generated after?
            yes ──► taken          no, it rewrites earlier turns ──► plain ChatML where it is a ChatML, else refused

What is taken is saved beside the weights, so that whoever serves them writes the same prompts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.errors import SchemaError, SourceError
from shared.steps.rendering import IGNORED, example, prompt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.chat import Message

PROBE: list[Message] = [
    {"role": "system", "content": "Be brief"},
    {"role": "user", "content": "What is two and two"},
    {"role": "assistant", "content": "Four"},
    {"role": "user", "content": "And twice that"},
    {"role": "assistant", "content": "Eight"},
]
UNTHINKING = "{%- set enable_thinking = false %}"
SYSTEM_FIRST = (  # as Gemma's and Mistral's own pages advise, whose templates know no system
    "{%- if messages[0]['role'] == 'system' and messages | length > 1 %}{%- set messages = [{'role': 'user', 'content':"
    " messages[0]['content'] + '\n\n' + messages[1]['content']}] + messages[2:] %}{%- endif %}"
)
CHATML = (
    "{%- for message in messages %}{{- '<|im_start|>' + message['role'] + '\n' }}"
    "{%- if message['role'] == 'assistant' %}{{- 'THOUGHT' + message['content'] | trim + '<|im_end|>' }}"
    "{%- else %}{{- message['content'] + '<|im_end|>' }}{%- endif %}{{- '\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\nTHOUGHT' }}{%- endif %}"
)
NO_THOUGHT = "<think>\n\n</think>\n\n"  # what Qwen3 is told that is not to think


def settle(tokenizer: Any, place: str) -> None:  # noqa: ANN401 - a transformers tokenizer
    """Give the tokenizer a template that answers can be learned with, and for its end the token that ends them.

    A model's own end may be a text's, as Gemma's and Phi-3's: nothing that is learned would ever end an answer then.

    Raises:
        SourceError: no template that it could be given keeps earlier turns as they were.
    """
    why = ""
    for template in _candidates(tokenizer):
        tokenizer.chat_template = template
        try:
            tokenizer.eos_token = tokenizer.convert_ids_to_tokens(_end(tokenizer))
        except Exception as cause:  # noqa: BLE001 - a template is a program, and fails in as many ways
            why = str(cause).splitlines()[0][:160] if str(cause) else type(cause).__name__
        else:
            return
    raise SourceError(f"{place} cannot be fine-tuned: its chat template does not suit that ({why}); take another base")


def _candidates(tokenizer: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    own = tokenizer.get_chat_template()
    if "enable_thinking" in own and UNTHINKING not in own:
        own = UNTHINKING + own
    yield from (own, SYSTEM_FIRST + own)
    if "<|im_end|>" in own:
        yield CHATML.replace("THOUGHT", NO_THOUGHT if "<think>" in tokenizer.get_vocab() else "")


def _end(tokenizer: Any) -> int:  # noqa: ANN401 - as above
    """Return the id that ends every answer.

    Raises:
        SchemaError: what is learned is not what would be answered.
    """
    if "strftime_now" in tokenizer.chat_template:
        raise SchemaError("it writes the day into every prompt")
    ends = {end for messages in (PROBE, PROBE[1:]) for end in _ends(tokenizer, messages)}
    if len(ends) != 1:
        raise SchemaError("its answers do not all end alike")
    return ends.pop()


def _ends(tokenizer: Any, messages: list[Message]) -> Iterator[int]:  # noqa: ANN401 - as above
    """Yield the id that ends each answer of a conversation."""
    made = example(tokenizer, messages)
    ids, labels, text = made["input_ids"], made["labels"], tokenizer.decode(made["input_ids"])
    if lost := [one["role"] for one in messages if one["content"] not in text]:
        raise SchemaError(f"it leaves out what the {lost[0]} says")
    for place, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        asked = prompt(tokenizer, messages[:place])
        begun, after = len(asked), [*labels, IGNORED].index(IGNORED, len(asked))
        said = tokenizer.decode(ids[begun : after - 1]).strip()
        if ids[:begun] != asked or labels[begun - 1] != IGNORED or said != message["content"]:
            raise SchemaError("an answer would be learned after other tokens than it is asked for with")
        yield ids[after - 1]
