"""A conversation as a page holds it: what is let in, what is asked, what a visitor takes home."""

import json
from base64 import b64decode

import pytest

from shared.errors import UsageError
from shared.pages.chat_talks import MOST_TALKS, Talks, talks_of
from shared.pages.talking import MOST_CHARACTERS, as_shown, asked, cleaned, downloads, turns

TALK = [
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi!", "by": "assistant v3", "told": "Be brief.\nBe kind.", "seal": "5ea1"},
]


def test_what_is_shown_comes_back_with_the_model_that_answered_and_its_indentation():
    talk = [{"role": "user", "content": "def f():\n    return '<b>'"}, TALK[1]]
    assert turns(as_shown(talk)) == talk


@pytest.mark.parametrize(
    "shown",
    [
        None,
        "text",
        [1],
        [{"role": "system", "content": "x"}],
        [{"role": "user"}],
        [{"role": "user", "content": 5}],
        [{"role": "user", "content": [{"type": "file", "file": {"path": "/etc/passwd"}}]}],
    ],
)
def test_what_is_no_conversation_of_texts_is_refused(shown):
    with pytest.raises(UsageError):
        turns(shown)


def test_a_conversation_that_never_ends_is_refused_before_it_is_asked():
    with pytest.raises(UsageError, match="at most 60 messages"):
        turns(TALK * 31)
    with pytest.raises(UsageError, match="begin anew"):
        turns([{"role": "user", "content": "x" * 40_001}])


def test_a_model_is_asked_with_what_it_is_told_and_without_our_notes():
    assert asked("Be brief.", TALK, "Why?") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi!"},
        {"role": "user", "content": "Why?"},
    ]


@pytest.mark.parametrize("question", ["", "  \n", "\u200b\u200b", "\u202e", "\u200d", None])
def test_a_question_of_nothing_is_refused(question):
    with pytest.raises(UsageError, match="write a question first"):
        asked("", [], question)


def test_letters_that_hide_what_is_written_are_taken_out_and_those_of_words_stay():
    assert cleaned("pay\u202e \u200bme\x07", 100, "a message") == "pay me"
    kept = "می\u200cخواهم 👩\u200d🍳\tx\ny"  # noqa: RUF001 - Persian
    assert cleaned(kept, 100, "a message") == kept


def test_turns_that_do_not_alternate_are_refused():
    with pytest.raises(UsageError, match="take turns"):
        asked("", TALK[:1], "again")


def test_a_long_message_is_refused_with_both_numbers():
    with pytest.raises(UsageError, match="at most 8,000 characters; this one has 8,001"):
        asked("", [], "x" * (MOST_CHARACTERS + 1))


def test_the_links_carry_the_conversation_and_no_markup_of_it():
    talk = [{"role": "user", "content": "</a><script>"}]
    links = str(downloads(talk))
    assert "<script>" not in links
    kept = links.split("base64,")[2].split('"')[0]
    assert json.loads(b64decode(kept)) == {"messages": talk}
    assert downloads([]) == ""


def test_a_saved_conversation_begins_with_what_the_model_was_told():
    kept = str(downloads(TALK)).split("base64,")[2].split('"')[0]
    told = {"role": "system", "content": "Be brief.\nBe kind."}
    said = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi!"}]
    assert json.loads(b64decode(kept)) == {"messages": [told, *said]}


def test_conversations_come_back_from_the_browser_newest_first():
    talks = Talks().saved(TALK, "1").opened("").saved([{"role": "user", "content": "Other"}], "2")
    back = talks_of(json.loads(json.dumps(talks.to_browser())))
    assert back.titles == [("Other", "2"), ("Hello", "1")]
    assert back.opened("1").shown == TALK
    assert back.forgotten().titles == [("Hello", "1")]


def test_saving_again_keeps_one_of_a_conversation_and_an_empty_one_is_none():
    talks = Talks().saved(TALK[:1], "1").saved(TALK, "2")
    assert (talks.current, len(talks.kept), talks.shown) == ("1", 1, TALK)
    assert talks.saved([], "3").kept == {}


def test_a_browser_is_asked_to_keep_a_bounded_number():
    talks = Talks()
    for number in range(MOST_TALKS + 5):
        talks = talks.opened("").saved([{"role": "user", "content": f"{number}"}], f"{number}")
    assert len(talks.kept) == MOST_TALKS
    assert talks.titles[0] == ("24", "24")


@pytest.mark.parametrize("held", [None, 7, [], {}, {"kept": 3}, {"kept": [["a"]]}, {"kept": [["a", [{"role": "x"}]]]}])
def test_what_is_none_of_ours_is_no_conversation(held):
    assert talks_of(held) == Talks()
