"""Near twins among texts: found, and nothing else."""

import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import MissingExtraError
from shared.steps.near_duplicates import NearIndex, shingles, similarity

pytest.importorskip("datasketch")

WORDS = "the sea is wide and deep where ships go out at dawn to fish for cod before storms come".split()  # noqa: SIM905


def text(seed, count=60):
    return " ".join(random.Random(seed).choices([f"{word}{number}" for word in WORDS for number in range(9)], k=count))


def test_a_text_with_a_word_more_is_found_under_the_first_ones_key():
    index = NearIndex(0.8, seed=0)
    index.add("first", index.sketch(text(1)))
    assert index.find(index.sketch(text(1) + " indeed")) == "first"
    assert index.find(index.sketch(text(2))) == ""


def test_of_several_that_are_nearly_the_same_the_first_by_name_is_found():
    index = NearIndex(0.8, seed=0)
    for key in ("c", "a", "b"):
        index.add(key, index.sketch(f"{text(1)} {key}"))
    assert index.find(index.sketch(text(1))) == "a"


@pytest.mark.parametrize("seed", range(20))
def test_a_text_with_one_word_in_a_hundred_changed_is_always_found(seed):
    index, words = NearIndex(0.8, seed=0), text(seed, count=100).split()
    index.add("first", index.sketch(" ".join(words)))
    words[seed] = "changed"
    assert index.find(index.sketch(" ".join(words))) == "first"


def test_case_signs_and_blanks_do_not_count():
    index = NearIndex(1.0, seed=0)
    index.add("a", index.sketch("Mix flour, eggs;  and MILK!"))
    assert index.find(index.sketch("mix flour eggs and milk")) == "a"


def test_short_texts_that_differ_in_a_word_are_no_twins():
    index = NearIndex(0.8, seed=0)
    index.add("four", index.sketch("What is three plus four? Three plus four is seven."))
    assert index.find(index.sketch("What is three plus five? Three plus five is eight.")) == ""


@pytest.mark.parametrize("one", ["", "?!", "👍", "Hi", "你好吗", "สวัสดี", "a b"])
def test_texts_shorter_than_a_shingle_are_twins_of_themselves_alone(one):
    index = NearIndex(0.8, seed=0)
    index.add("it", index.sketch(one))
    assert index.find(index.sketch(one)) == "it"
    assert index.find(index.sketch("something else entirely here")) == ""
    assert similarity(one, one) == 1


def test_what_is_found_is_at_least_as_near_as_the_threshold_says():
    index = NearIndex(0.8, seed=0)
    index.add("it", index.sketch(text(1)))
    changed = text(1).split()
    changed[10] = changed[30] = changed[50] = "other"  # 9 of 58 shingles on each side
    assert similarity(text(1), " ".join(changed)) == pytest.approx(49 / 67)
    assert index.find(index.sketch(" ".join(changed))) == ""


def test_of_two_hundred_near_twins_at_least_nine_in_ten_are_found_whatever_the_seed():
    for seed in (0, 1):
        index = NearIndex(0.8, seed=seed)
        for number in range(200):
            index.add(str(number), index.sketch(text(number)))
        asked = [f"indeed {text(number)} so they say" for number in range(200)]  # 58 of 62 shingles
        assert sum(index.find(index.sketch(one)) == str(number) for number, one in enumerate(asked)) >= 190


def test_a_key_that_is_there_stays():
    index = NearIndex(0.8, seed=0)
    index.add("it", index.sketch(text(1)))
    index.add("it", index.sketch(text(2)))
    assert index.find(index.sketch(text(1))) == "it"
    assert index.find(index.sketch(text(2))) == ""


def test_half_signs_do_not_stop_it():
    index = NearIndex(0.8, seed=0)
    index.add("it", index.sketch("caf\udce9 is open"))
    assert index.find(index.sketch("caf\udce9 is open")) == "it"


def test_without_datasketch_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasketch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'almanac\[llm\]'"):
        NearIndex(0.8, seed=0)


@given(st.text(max_size=60), st.text(max_size=60))
def test_similarity_is_symmetric_between_nothing_and_the_whole(one, other):
    assert similarity(one, other) == similarity(other, one)
    assert 0 <= similarity(one, other) <= 1
    assert similarity(one, one) == 1


@given(st.lists(st.sampled_from(WORDS), max_size=20), st.integers(1, 5))
def test_there_is_a_shingle_for_each_place_that_differs(words, size):
    found = shingles(" ".join(words), size)
    assert len(found) <= max(len(words) - size + 1, min(len(words), 1))
    assert all(f" {one} " in f" {' '.join(words)} " for one in found)
