"""Tokens of conversations: cut, counted, and kept until something they follow from changes."""

import logging
import os
from pathlib import Path

import pytest

from shared.errors import BackendError, NotYetError

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("datasets")

from shared.steps import rendering, tokens
from shared.steps.bases import Size, build_tiny, open_tokenizer
from shared.steps.rendering import IGNORED
from shared.steps.tokens import KEPT, key_of, tokenised


def said(*texts):
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]


TWO = [said("What is two plus two?", "Four.", "And three more?", "Seven."), said("Say hello.", "Hello!")]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    texts = ["What is two plus two? Four. And three more? Seven.", "Say hello. Hello!"]
    return str(build_tiny(tmp_path_factory.mktemp("base") / "tiny", texts, 0, Size(2, 48, 3, 400, 512)))


@pytest.fixture
def tokenizer(base):
    return open_tokenizer(base)


def answers(tokenizer, tokens):
    return [tokenizer.decode([one for one in row["labels"] if one != IGNORED]) for row in tokens.examples]


def test_each_conversation_becomes_ids_and_labels_on_its_answers_in_order(tokenizer, tmp_path):
    tokens = tokenised(TWO, tokenizer, tmp_path, 200)
    assert answers(tokenizer, tokens) == ["Four.<|eot_id|>Seven.<|eot_id|>", "Hello!<|eot_id|>"]
    assert tokens.examples.column_names == ["input_ids", "labels"]
    lengths = [len(row["input_ids"]) for row in tokens.examples]
    counted = tokens.counted
    assert (counted.conversations, counted.tokens, counted.longest) == (2, sum(lengths), max(lengths))
    assert counted.answers == sum(one != IGNORED for row in tokens.examples for one in row["labels"])
    assert (counted.cut, counted.dropped) == (0, 0)


def test_a_conversation_that_is_too_long_ends_after_an_earlier_answer_or_is_left_out(tokenizer, tmp_path):
    whole = len(tokenised(TWO, tokenizer, tmp_path, 200).examples[0]["input_ids"])
    cut = tokenised(TWO, tokenizer, tmp_path, whole - 1)
    assert answers(tokenizer, cut) == ["Four.<|eot_id|>", "Hello!<|eot_id|>"]
    assert (cut.counted.cut, cut.counted.dropped) == (1, 0)
    hello = len(cut.examples[1]["input_ids"])
    dropped = tokenised(TWO, tokenizer, tmp_path, hello)
    assert answers(tokenizer, dropped) == ["Hello!<|eot_id|>"]
    assert (dropped.counted.cut, dropped.counted.dropped) == (0, 1)


def test_none_that_fits_is_an_error_also_the_second_time(tokenizer, tmp_path):
    for _ in range(2):
        with pytest.raises(NotYetError, match="none of 2 conversations fits into 3 tokens"):
            tokenised(TWO, tokenizer, tmp_path, 3)


def test_the_second_time_they_are_read_and_equal(tokenizer, tmp_path):
    first = tokenised(TWO, tokenizer, tmp_path, 200)
    (file,) = tmp_path.iterdir()
    before = file.stat().st_mtime_ns
    again = tokenised(TWO, tokenizer, tmp_path, 200)
    assert (again.examples[:], again.counted) == (first.examples[:], first.counted)
    assert file.stat().st_mtime_ns == before


def test_template_marks_vocabulary_length_and_every_word_change_the_key(base, tokenizer, tmp_path):
    known = key_of(TWO, tokenizer, 200)
    assert key_of(TWO, open_tokenizer(base), 200) == known
    template, words, marks = (open_tokenizer(base) for _ in range(3))
    template.chat_template = template.chat_template.replace("\n\n", "\n")
    words.add_tokens(["plus"])
    marks.pad_token = "<|eot_id|>"
    other = build_tiny(tmp_path / "other", ["plums and pears"], 0, Size(2, 48, 3, 300, 512))
    changed = [
        *(key_of(TWO, one, 200) for one in (template, words, marks, open_tokenizer(str(other)))),
        key_of(TWO, tokenizer, 201),
        key_of(TWO[::-1], tokenizer, 200),
        key_of([TWO[0], said("Say hello.", "Hello.")], tokenizer, 200),
        key_of([*TWO[0:1], TWO[1][:1]], tokenizer, 200),
    ]
    assert len({known, *changed}) == 9


def test_having_padded_before_does_not_change_the_key(base, tokenizer):
    known = key_of(TWO, tokenizer, 200)
    tokenizer(["a", "a b c"], padding=True, truncation=True, max_length=2)
    assert key_of(TWO, tokenizer, 200) == known


@pytest.mark.parametrize("module", [rendering, tokens])
def test_other_code_that_renders_or_cuts_changes_the_key(tokenizer, tmp_path, monkeypatch, module):
    known, other = key_of(TWO, tokenizer, 200), tmp_path / "code.py"
    other.write_bytes(Path(module.__file__).read_bytes() + b"\n")
    monkeypatch.setattr(module, "__file__", str(other))
    assert key_of(TWO, tokenizer, 200) != known


@pytest.mark.parametrize("damage", ["half", "flipped", "empty", "other"])
def test_a_damaged_file_is_made_again_with_a_warning(tokenizer, tmp_path, damage, caplog):
    first = tokenised(TWO, tokenizer, tmp_path, 200)
    (file,) = tmp_path.iterdir()
    body = file.read_bytes()
    at = len(body) // 4
    flipped = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
    file.write_bytes({"half": body[: len(body) // 2], "flipped": flipped, "empty": b"", "other": b"PAR1"}[damage])
    with caplog.at_level(logging.WARNING):
        again = tokenised(TWO, tokenizer, tmp_path, 200)
    assert again.examples[:] == first.examples[:]
    assert file.read_bytes() == body
    assert "made again" in caplog.text


def test_the_newest_files_are_kept_and_no_more(tokenizer, tmp_path):
    for age in range(KEPT + 3):
        old = tmp_path / f"tokens-{age}.parquet"
        old.write_bytes(b"")
        os.utime(old, (age, age))
    tokenised(TWO, tokenizer, tmp_path, 200)
    names = {file.stem for file in tmp_path.glob("*.parquet")}
    assert len(names) == KEPT
    assert {"tokens-0", "tokens-3"}.isdisjoint(names)
    assert tokenised(TWO, tokenizer, tmp_path, 200).counted.conversations == 2


def test_nothing_is_left_beside_the_file_when_rendering_fails(tokenizer, tmp_path):
    with pytest.raises(KeyError):
        tokenised([*TWO, [{"role": "user"}, {"role": "assistant"}]], tokenizer, tmp_path, 200)
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_cannot_be_written_says_so(tokenizer, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BackendError, match="check its rights"):
        tokenised(TWO, tokenizer, tmp_path / "file", 200)
