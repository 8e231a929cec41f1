"""Chat templates of other families, cut down to what they do with text, and tiny tokenizers that know their marks."""

import json
from typing import NamedTuple


class Family(NamedTuple):
    """A template, and the marks of its tokenizer: the first begins a text, the second ends one."""

    template: str
    marks: tuple[str, ...]
    words: tuple[str, ...] = ()  # known as one token, though no special one


_ROLES = "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_OF_CHATML = ("<|endoftext|>", "<|im_end|>", "<|im_start|>")
FAMILIES = {
    "qwen2.5": Family(
        "{%- if messages[0]['role'] != 'system' %}"
        "{{- '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n' }}"
        "{%- endif %}" + CHATML,
        _OF_CHATML,
    ),
    "smollm2": Family(
        "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
        "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}"
        "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
        _OF_CHATML,
    ),
    "qwen3": Family(  # thoughts of earlier turns are dropped, of the last one there always is one
        "{%- set ns = namespace(last=0) %}{%- for message in messages %}{%- if message.role == 'user' %}"
        "{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}{%- for message in messages %}"
        "{%- set content = message.content.split('</think>')[-1].lstrip('\n') %}"
        "{%- if message.role == 'assistant' and loop.index0 > ns.last %}"
        "{{- '<|im_start|>assistant\n<think>\n\n</think>\n\n' + content + '<|im_end|>\n' }}"
        "{%- else %}{{- '<|im_start|>' + message.role + '\n' + content + '<|im_end|>\n' }}{%- endif %}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}"
        "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}"
        "{%- endif %}",
        _OF_CHATML,
        ("<think>", "</think>"),
    ),
    "gemma": Family(  # no system; and a text's end is not an answer's
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
        "{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        + _ROLES
        + "{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}"
        "{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + "
        "'<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}",
        ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
    ),
    "mistral": Family(  # a system's message stands before the last question, wherever that is
        "{%- if messages[0]['role'] == 'system' %}{%- set told = messages[0]['content'] %}"
        "{%- set turns = messages[1:] %}{%- else %}{%- set turns = messages %}{%- endif %}"
        "{{- bos_token }}{%- for message in turns %}"
        "{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}" + _ROLES + "{%- endif %}"
        "{%- if message['role'] == 'user' %}{%- if told is defined and message == turns | selectattr('role', "
        "'equalto', 'user') | list | last %}{{- '[INST] ' + told + '\n\n' + message['content'] + '[/INST]' }}"
        "{%- else %}"
        "{{- '[INST] ' + message['content'] + '[/INST]' }}{%- endif %}"
        "{%- else %}{{- ' ' + message['content'] + eos_token }}{%- endif %}{%- endfor %}",
        ("<s>", "</s>", "[INST]", "[/INST]"),
    ),
    "phi-3": Family(  # ends a whole conversation with another mark than an answer
        "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
        ("<s>", "<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
    ),
}
TEXTS = ["What is two and two? Four. And twice that? Eight, as you know.", "Boil the rice in salted water."] * 20


def tokenizer_of(family, *, spaced=False, texts=TEXTS, positions=512):
    """Return a tokenizer of some 330 tokens; ``spaced``: as SentencePiece makes them, with ▁ for a blank."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    fast = Tokenizer(models.BPE(byte_fallback=spaced))
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if spaced:
        fast.normalizer = normalizers.Replace(" ", "▁")
        fast.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
        alphabet = [f"<0x{byte:02X}>" for byte in range(256)]
    else:
        fast.pre_tokenizer, fast.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = [*family.marks, *(alphabet if spaced else ())]
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=special, initial_alphabet=[] if spaced else alphabet, show_progress=False
    )
    fast.train_from_iterator(texts, trainer)
    if spaced:  # bytes are tokens like any other
        told = json.loads(fast.to_str())
        told["added_tokens"] = [one for one in told["added_tokens"] if one["content"] in family.marks]
        fast = Tokenizer.from_str(json.dumps(told))
    fast.add_tokens([AddedToken(word, special=False) for word in family.words])
    begin, end, *others = family.marks
    return PreTrainedTokenizerFast(
        tokenizer_object=fast,
        chat_template=family.template,
        bos_token=begin,
        eos_token=end,
        additional_special_tokens=others,
        model_max_length=positions,
    )


def qwen2_base(folder, family, texts=TEXTS):
    """Write a Qwen2 of random weights with a family's template and a tokenizer of these texts; return the folder."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    marks = dict.fromkeys([*family.marks, "<|endoftext|>"])  # the last is added to each tokenizer of a Qwen2
    tokenizer = tokenizer_of(family._replace(marks=(*marks,)), texts=texts, positions=1024)
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "max_position_embeddings": 1024}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": True}
    ids = {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        Qwen2ForCausalLM(Qwen2Config(vocab_size=len(tokenizer), **sizes, **heads, **ids)).save_pretrained(folder)
    return folder
