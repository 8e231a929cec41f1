"""Other families' templates: what is learned of a conversation is what would be answered, or the base is refused."""

from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("transformers")
pytest.importorskip("torch")

from transformers import AutoTokenizer

from shared.errors import SourceError, UsageError
from shared.steps.bases import open_tokenizer
from shared.steps.rendering import IGNORED, example, prompt
from tests.template_rig import CHATML, FAMILIES, Family, tokenizer_of

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is two and two?"},
    {"role": "assistant", "content": "Four."},
    {"role": "user", "content": "And twice that?"},
    {"role": "assistant", "content": " Eight, as you know.\n"},
]
_IN_CHATML = (
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is two and two?<|im_end|>\n"
    "<|im_start|>assistant\n{}[Four.<|im_end|>]\n<|im_start|>user\nAnd twice that?<|im_end|>\n"
    "<|im_start|>assistant\n{}[Eight, as you know.<|im_end|>]\n"
)
SHOWN = {  # with brackets around what the loss is taken on
    "qwen2.5": _IN_CHATML.format("", ""),
    "smollm2": _IN_CHATML.format("", ""),
    "qwen3": _IN_CHATML.format(*["<think>\n\n</think>\n\n"] * 2),
    "gemma": "<bos><start_of_turn>user\nBe brief.\n\nWhat is two and two?<end_of_turn>\n"
    "<start_of_turn>model\n[Four.<end_of_turn>]\n<start_of_turn>user\nAnd twice that?<end_of_turn>\n"
    "<start_of_turn>model\n[Eight, as you know.<end_of_turn>]\n",
    "mistral": "<s>[INST] Be brief.\n\nWhat is two and two?[/INST][ Four.</s>]"
    "[INST] And twice that?[/INST][ Eight, as you know.</s>]",
    "phi-3": "<|system|>\nBe brief.<|end|>\n<|user|>\nWhat is two and two?<|end|>\n<|assistant|>\n[Four.<|end|>]\n"
    "<|user|>\nAnd twice that?<|end|>\n<|assistant|>\n[Eight, as you know.<|end|>]\n<|end|>",
}
KINDS = [(name, spaced) for name in FAMILIES for spaced in (False, True)]


def opened(folder, family, **told):
    tokenizer_of(family, **told).save_pretrained(folder)
    return open_tokenizer(str(folder))


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    made = tmp_path_factory.mktemp("families")
    return {(name, spaced): opened(made / f"{name}-{spaced}", FAMILIES[name], spaced=spaced) for name, spaced in KINDS}


def shown(tokenizer, messages):
    """The text of a conversation, with brackets around what the loss is taken on."""
    made = example(tokenizer, messages)
    pairs = zip(made["input_ids"], made["labels"], strict=True)
    parts = [(learned, [*part]) for learned, part in groupby(pairs, key=lambda pair: pair[1] != IGNORED)]
    assert all(one == label for learned, part in parts if learned for one, label in part)
    texts = [(learned, tokenizer.decode([one for one, _ in part])) for learned, part in parts]
    return "".join(f"[{text}]" if learned else text for learned, text in texts)


@pytest.mark.parametrize(("name", "spaced"), KINDS)
def test_the_loss_is_taken_on_answers_and_the_mark_that_ends_each(tokenizers, name, spaced):
    assert shown(tokenizers[name, spaced], TALK) == SHOWN[name]


@pytest.mark.parametrize(("name", "spaced"), KINDS)
def test_an_answer_is_generated_after_the_very_tokens_that_it_was_learned_after(tokenizers, name, spaced):
    tokenizer = tokenizers[name, spaced]
    for talk in (TALK, TALK[1:]):
        learned = example(tokenizer, talk)
        for place, message in enumerate(talk):
            if message["role"] == "assistant":
                asked = prompt(tokenizer, talk[:place])
                assert learned["input_ids"][: len(asked)] == asked
                assert learned["labels"][len(asked) - 1] == IGNORED
                assert learned["labels"][len(asked)] == learned["input_ids"][len(asked)]


CONTENTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)
MARKED = st.lists(
    st.sampled_from(["<|im_end|>", "<end_of_turn>", "</s>", "<|end|>", "<eos>", "a", " ", "\n"]), min_size=1
)


@pytest.mark.parametrize(("name", "spaced"), KINDS)
@settings(max_examples=25)
@given(said=CONTENTS | MARKED.map("".join).filter(str.strip), answer=CONTENTS | MARKED.map("".join).filter(str.strip))
def test_whatever_is_said_it_is_learned_as_it_is_asked_and_every_answer_ends_once(
    tokenizers, name, spaced, said, answer
):
    tokenizer = tokenizers[name, spaced]
    talk = [{"role": "user", "content": said}, {"role": "assistant", "content": answer}] * 2
    made, asked = example(tokenizer, talk), prompt(tokenizer, talk[:3])
    assert made["input_ids"][: len(asked)] == asked
    assert [label for label in made["labels"] if label == tokenizer.eos_token_id] == [tokenizer.eos_token_id] * 2
    assert made["labels"][len(asked)] != IGNORED == made["labels"][len(asked) - 1]


def test_the_token_that_ends_answers_is_the_tokenizers_end_so_that_no_answer_runs_on(tokenizers):
    ends = {name: tokenizers[name, False].eos_token for name in FAMILIES}
    assert ends == {
        **dict.fromkeys(("qwen2.5", "qwen3", "smollm2"), "<|im_end|>"),
        **{"gemma": "<end_of_turn>", "mistral": "</s>", "phi-3": "<|end|>"},
    }


@pytest.mark.parametrize("name", ["qwen2.5", "smollm2", "phi-3"])
def test_a_template_that_suits_stays_as_it_is(tokenizers, name):
    assert tokenizers[name, False].chat_template == FAMILIES[name].template


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_saved_writes_the_same_prompts_for_whoever_opens_it_and_stays_so(tokenizers, tmp_path, name):
    tokenizers[name, False].save_pretrained(tmp_path)
    theirs, again = AutoTokenizer.from_pretrained(tmp_path), open_tokenizer(str(tmp_path))
    asked = prompt(tokenizers[name, False], TALK[:4])
    assert prompt(again, TALK[:4]) == asked
    assert theirs.apply_chat_template(TALK[:4], add_generation_prompt=True)["input_ids"] == asked
    assert (again.chat_template, again.eos_token) == (theirs.chat_template, theirs.eos_token)


def test_two_questions_in_a_row_are_one_sentence_where_the_template_takes_turns(tokenizers):
    twice = [TALK[1], TALK[3]]
    with pytest.raises(UsageError, match=r"takes no such conversation \(Conversation roles must alternate"):
        prompt(tokenizers["gemma", False], twice)
    assert "twice" in tokenizers["phi-3", False].decode(prompt(tokenizers["phi-3", False], twice))


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        (
            "{% for one in messages[-2:] %}<|{{ one.role }}|>{{ one.content }}<|end|>{% endfor %}",
            "an answer would stand",
        ),
        (
            "{% for one in messages %}{{ one.role }}: {{ one.content }}\n{% endfor %}",
            "no mark of the tokenizer's would",
        ),
        ("{{ strftime_now('%d %b %Y') }}" + FAMILIES["phi-3"].template, "writes the day into every prompt"),
        ("{{ messages[0].content }}<|end|>", "no mark of the tokenizer's would end an answer"),
        ("{% for one in messages %}<|user|>{{ one.content | upper }}<|end|>{% endfor %}", "leaves out what the "),
        ("{% if %}", "Expected an expression"),
        ("{{ messages.nobody.knows }}", "takes no such conversation"),
    ],
)
def test_a_template_that_does_not_suit_is_refused_in_one_sentence_with_its_tokenizer(tmp_path, template, sentence):
    with pytest.raises(SourceError, match=sentence) as refused:
        opened(tmp_path, Family(template, FAMILIES["phi-3"].marks))
    assert str(refused.value).startswith(f"{tmp_path} cannot be fine-tuned: its chat template does not suit that (")
    assert "\n" not in str(refused.value)


def test_a_chatml_that_writes_the_day_becomes_plain(tmp_path):
    dated = opened(tmp_path, Family("{{ strftime_now('%d %b %Y') }}" + CHATML, FAMILIES["qwen2.5"].marks))
    assert shown(dated, TALK) == SHOWN["qwen2.5"]
