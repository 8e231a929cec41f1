"""An answer as it comes: how often it is drawn, and what is said of waiting, speed and the end."""

import pytest

from shared.chat import Reply, Replying
from shared.errors import UsageError
from shared.pages.chat_duel import LEFT, RIGHT, TIE, Round, lockstep
from shared.pages.chat_progress import Heard, heard, status


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def reply(clock, pieces, ended="stop", pause_s=0.01, closed=None):
    told = Replying()

    def come():
        try:
            for piece in pieces:
                clock.now += pause_s
                told.tokens += bool(piece)
                yield piece
            told.ended = ended
        finally:
            if closed is not None:
                closed.append(True)

    return Reply(come(), told)


def test_the_first_piece_is_drawn_at_once_and_the_rest_a_few_times_a_second():
    clock = Clock()
    drawn = [*heard(reply(clock, ["a"] * 100), clock)]
    assert (drawn[0].text, drawn[0].first_s) == ("a", 0.01)
    assert len(drawn) < 25
    assert (drawn[-1].text, drawn[-1].over, drawn[-1].cut) == ("a" * 100, True, False)
    assert abs(drawn[-1].speed - 100) < 1


def test_signs_of_life_are_drawn_while_nothing_comes():
    clock = Clock()
    drawn = [*heard(reply(clock, ["", "", "a"], pause_s=0.5), clock)]
    assert [one.text for one in drawn] == ["", "", "a", "a"]
    assert drawn[-1].first_s == 1.5


def test_a_reader_who_leaves_ends_the_answer():
    clock, closed = Clock(), []
    reading = heard(reply(clock, ["a"] * 100, closed=closed), clock)
    next(reading)
    reading.close()
    assert closed == [True]


def said(text="", first_s=None, over=False, seconds=3.0, **told):
    return str(status(Heard(text, Replying(**told), seconds, first_s, over), "assistant v3"))


def test_what_is_being_waited_for_is_said():
    assert "2 answers are made before yours: waiting since 3 s." in said(before=2)
    assert "was asleep and is being started: 41 s so far." in said(waking_s=41)
    assert "Reading the question: 3 s." in said()


def test_an_answer_cut_at_the_most_tokens_says_so_and_how_fast_it_was():
    line = said("a b", 1.0, over=True, ended="length", tokens=512)
    assert "Cut after 512 tokens" in line
    assert "255.5 tokens/s" in line
    assert Heard("a", Replying(ended="length"), over=True).cut


def test_who_can_have_more_of_a_cut_answer_is_told_how_and_nobody_else():
    cut, whole = (Heard("a b", Replying(ended=ended, tokens=2), 3.0, 1.0, over=True) for ended in ("length", "stop"))
    assert "Press Continue" in status(cut, "assistant v3", "Press Continue for more.")
    assert "Continue" not in status(cut, "assistant v3")
    assert "Continue" not in status(whole, "assistant v3", "Press Continue for more.")


def test_one_token_is_no_tokens():
    assert "1 token; the first after 1.00 s." in said("a", 1.0, over=True, ended="stop", tokens=1)


def test_what_the_model_could_not_read_is_said():
    assert "The 4 oldest messages were left out" in said("a", 1.0, left_out=4)


def test_a_models_name_is_escaped():
    assert "<b>" not in str(status(Heard("a", Replying()), "<b>"))


def test_two_answers_come_in_lockstep_and_the_longer_one_to_its_end():
    one = [Heard(text, Replying()) for text in ("a", "ab")]
    other = [Heard(text, Replying()) for text in ("x", "xy", "xyz")]
    assert [(left.text, right.text) for left, right in lockstep(iter(one), iter(other))] == [
        ("a", "x"),
        ("ab", "xy"),
        ("ab", "xyz"),
    ]


def test_a_vote_for_b_prefers_what_stood_on_the_right():
    asked = [{"role": "user", "content": "Why?"}]
    both = Round(asked, ("left", "right"), ("assistant v2", "assistant v1"))
    found = [both.opinion(vote, "jane") for vote in (LEFT, RIGHT, TIE)]
    assert [(one.verdict, one.chosen, one.rejected_model) for one in found] == [
        ("better", "left", "assistant v1"),
        ("better", "right", "assistant v2"),
        ("tie", "left", "assistant v1"),
    ]


def test_two_answers_that_are_the_same_are_no_better_than_each_other():
    both = Round([{"role": "user", "content": "Why?"}], ("same", "same"), ("assistant v2", "assistant v1"))
    assert both.opinion(TIE, "jane").verdict == "tie"
    with pytest.raises(UsageError, match="both answers are the same: vote 'No difference'"):
        both.opinion(LEFT, "jane")
