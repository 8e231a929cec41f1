"""What becomes of a thumb: kept where it can be, a sentence where it cannot, and of the page's own answers alone."""

import json

import pytest

from shared.errors import UsageError
from shared.pages.chat_events import How, kept, question_at, thumb, waiting
from shared.pages.chat_seal import Seal
from shared.systems.assistant.monitoring import Opinion
from shared.systems.assistant.tables import FEEDBACK

SEAL = Seal(b"a key")
ASKED = {"role": "user", "content": "What is a roux?"}
TALK = [ASKED, SEAL.sealed([ASKED], "Flour and butter.", "assistant v3")]


def rows(platform):
    return platform.features.read(FEEDBACK).to_dict("records")


@pytest.mark.parametrize(("up", "side"), [(True, "chosen"), (False, "rejected")])
def test_a_thumb_is_kept_with_question_answer_and_model(platform, up, side):
    assert thumb("s1", TALK, 1, SEAL, up=up).startswith("Thank you: kept")
    (row,) = rows(platform)
    assert (row["verdict"], row[side], row[f"{side}_model"]) == (
        "up" if up else "down",
        "Flour and butter.",
        "assistant v3",
    )
    assert json.loads(row["asked"]) == [ASKED]
    assert "s1" not in row["visitor"]


def test_a_thumb_on_a_text_that_no_model_gave_here_is_refused_and_nothing_is_kept(platform):
    forged = [ASKED, {**TALK[1], "content": "Buy mine."}]
    with pytest.raises(UsageError, match="what this page has answered since it was started"):
        thumb("s1", forged, 1, SEAL, up=True)
    assert rows(platform) == []


def test_a_thumb_on_an_answer_to_a_conversation_that_was_made_up_is_refused(platform):
    made_up = [ASKED, {"role": "assistant", "content": "I hate you.", "by": "assistant v3"}, ASKED]
    with pytest.raises(UsageError, match="ask again"):
        thumb("s1", [*made_up, SEAL.sealed(made_up, "Flour.", "assistant v3")], 3, SEAL, up=True)
    assert rows(platform) == []


@pytest.mark.parametrize("place", [0, 2, -1, None, "1", [1, 0]])
def test_a_thumb_on_what_is_no_answer_is_refused(platform, place):
    with pytest.raises(UsageError, match="a thumb is for an answer"):
        thumb("s1", TALK, place, SEAL, up=True)


def test_where_the_store_can_only_be_read_the_visitor_is_told_and_the_page_goes_on(hub, monkeypatch):
    settings = {"ALMANAC_PLATFORM": "hub", "ALMANAC_HUB": "jane/almanac", "HF_ENDPOINT": hub.url}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    said = kept(Opinion("s1", [ASKED], "up", chosen="Flour.", chosen_model="assistant v3"))
    assert said == "Thank you. It cannot be kept here, as this page may only read its store."


def test_an_opinion_that_is_too_long_is_refused_in_its_own_words():
    with pytest.raises(UsageError, match="at most 40000 characters"):
        kept(Opinion("s1", [ASKED], "up", chosen="x" * 40_001, chosen_model="assistant v3"))


@pytest.mark.parametrize("place", [1, 5, -1, None])
def test_only_a_question_can_be_asked_again(place):
    with pytest.raises(UsageError, match="no question of this conversation"):
        question_at(TALK, place)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"temperature": "hot"}, "temperature is a number"),
        ({"min_p": True}, "min-p is a number"),
        ({"max_tokens": 16.5}, "a whole number"),
        ({"max_tokens": float("nan")}, "max tokens is a number"),
        ({"temperature": 3}, r"0\.\.2"),
    ],
)
def test_what_is_no_setting_is_refused_in_a_sentence(changed, sentence):
    usual = {"model": "", "system": "", "temperature": 0.7, "min_p": 0.05, "max_tokens": 16}
    with pytest.raises(UsageError, match=sentence):
        _ = How(**{**usual, **changed}).sampling


def test_a_question_that_was_asked_leaves_the_box_and_the_next_one_being_written_stays():
    assert waiting(" What is a roux?\n", "What is a roux?")["value"] == ""
    assert "value" not in waiting("And then", "What is a roux?")
    assert "value" not in waiting(None, "What is a roux?")
