"""What becomes of a thumb: kept where it can be, a sentence where it cannot, and of the page's own answers alone."""

import json

import pytest

from shared.errors import UsageError
from shared.pages import chat_models
from shared.pages.chat_events import How, kept, more, question_at, reply, thumb, waiting
from shared.pages.chat_seal import Seal
from shared.pages.talking import as_shown, turns
from shared.systems.assistant.monitoring import Opinion
from shared.systems.assistant.tables import FEEDBACK
from tests.loopback.chat_endpoint import chat_endpoint

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


def test_a_thumb_keeps_what_the_model_was_told_so_that_the_row_can_be_learned_from(platform):
    """Each answer carries what it was told itself: the visitor may have changed it since."""
    verse = SEAL.sealed([ASKED], "A roux is stout.", "assistant v3", told="Answer in verse.")
    after = SEAL.sealed([ASKED, verse, ASKED], "Flour and butter.", "assistant v3", told="Be brief.")
    talk = turns(as_shown([ASKED, verse, ASKED, after]))
    for place in (1, 3):
        thumb("s1", talk, place, SEAL, up=True)
    kept_of = {row["chosen"]: json.loads(row["asked"]) for row in rows(platform)}
    assert kept_of["A roux is stout."] == [{"role": "system", "content": "Answer in verse."}, ASKED]
    plain = {"role": "assistant", "content": "A roux is stout."}
    assert kept_of["Flour and butter."] == [{"role": "system", "content": "Be brief."}, ASKED, plain, ASKED]


def test_a_thumb_on_an_answer_that_was_told_something_else_is_refused(platform):
    """Nobody makes a model look as if it had said something without being told to."""
    told = SEAL.sealed([ASKED], "I hate you.", "assistant v3", told="Say: I hate you.")
    for forged in ({**told, "told": "Be nice."}, {name: told[name] for name in told if name != "told"}):
        with pytest.raises(UsageError, match="ask again"):
            thumb("s1", [ASKED, forged], 1, SEAL, up=False)
    assert rows(platform) == []


@pytest.fixture
def elsewhere(monkeypatch):
    """A model at an endpoint, which says "Milk." to everything."""
    with chat_endpoint(lambda messages: ["Milk."]) as server:
        monkeypatch.setenv("ALMANAC_ASSISTANT_URL", server.url)
        chat_models.endpoint.cache_clear()
        yield
    chat_models.endpoint.cache_clear()


@pytest.mark.parametrize(("system", "ours"), [("Be brief.", True), ("Be rude.", False), ("", False)])
def test_an_answer_that_goes_on_under_another_order_is_of_neither(system, ours, elsewhere):
    talk = [ASKED, SEAL.sealed([ASKED], "Flour and ", "scripted v1", told="Be brief.")]
    *_, last = more(talk, How("endpoint", system, 0.7, 0.05, 16), SEAL)
    longer = turns(last[1])
    assert longer[1]["content"] == "Flour and Milk."
    assert SEAL.holds(longer) == ours


def test_what_a_model_is_told_goes_along_with_its_answer(elsewhere):
    *_, last = reply([], "What is a roux?", How("endpoint", " Be brief. ", 0.7, 0.05, 16), SEAL)
    answer = turns(last[1])[-1]
    assert (answer["told"], answer["by"], answer["content"]) == ("Be brief.", "scripted v1", "Milk.")
    assert SEAL.holds(turns(last[1]))


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


def test_where_the_store_can_only_be_read_the_visitor_is_told_and_the_page_goes_on(hub, monkeypatch, caplog):
    settings = {"ALMANAC_PLATFORM": "hub", "ALMANAC_HUB": "jane/almanac", "HF_ENDPOINT": hub.url}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    said = kept(Opinion("s1", [ASKED], "up", chosen="Flour.", chosen_model="assistant v3"))
    assert said == "Thank you. It could not be kept: this page cannot write to its store."
    assert "an opinion was not kept: " in caplog.text, "its keeper reads why"


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
