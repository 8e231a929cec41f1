"""What visitors preferred: what is kept of it, and what may be concluded."""

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from shared.errors import UsageError
from shared.systems.assistant.monitoring import MOST_CHARACTERS, Opinion, duels, feedback_row, keep, thumbs
from shared.systems.assistant.tables import FEEDBACK

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ASKED = ({"role": "user", "content": "What is a roux?"},)


def vote(visitor, verdict="better", winner="assistant v2", loser="assistant v1", question="What is a roux?"):
    asked = ({"role": "user", "content": question},)
    return Opinion(visitor, asked, verdict, f"of {winner}", f"of {loser}", winner, loser, blind=True)


def thumb(visitor, verdict, model="assistant v1", answer="Flour and butter."):
    side = "chosen" if verdict == "up" else "rejected"
    return Opinion(visitor, ASKED, verdict, **{side: answer, f"{side}_model": model})


def table(*opinions):
    rows = [feedback_row(one, NOON + timedelta(seconds=place)) for place, one in enumerate(opinions)]
    kept = {row["feedback_id"]: row for row in rows}
    return FEEDBACK.check(pd.DataFrame([*kept.values()]))[0] if rows else FEEDBACK.empty()


def test_a_vote_is_kept_as_a_preference_row_that_does_not_name_the_visitor(platform):
    keep(platform, vote("session-of-jane"), NOON)
    (row,) = platform.features.read(FEEDBACK).to_dict("records")
    assert json.loads(row["asked"]) == [{"role": "user", "content": "What is a roux?"}]
    assert (row["chosen"], row["rejected"], row["verdict"]) == ("of assistant v2", "of assistant v1", "better")
    assert (row["chosen_model"], row["rejected_model"], row["blind"]) == ("assistant v2", "assistant v1", True)
    assert "jane" not in str(row)


def test_voting_twice_on_the_same_answers_keeps_the_later_vote(platform):
    keep(platform, vote("jane"), NOON)
    keep(platform, vote("jane", winner="assistant v1", loser="assistant v2"), NOON)
    keep(platform, vote("kim"), NOON)
    rows = platform.features.read(FEEDBACK)
    assert sorted(rows["chosen_model"]) == ["assistant v1", "assistant v2"]


def test_a_thumb_has_one_side_alone(platform):
    keep(platform, thumb("jane", "down"), NOON)
    (row,) = platform.features.read(FEEDBACK).to_dict("records")
    assert (row["chosen"], row["rejected"], row["verdict"]) == ("", "Flour and butter.", "down")
    assert pd.isna(row["chosen_model"])
    assert row["rejected_model"] == "assistant v1"


def test_a_thumb_turned_round_replaces_the_one_before():
    rows = table(thumb("jane", "up"), thumb("jane", "down"))
    assert rows["verdict"].tolist() == ["down"]
    assert thumbs(rows)["assistant v1"].value == 0


def test_a_visitor_who_votes_thirty_times_counts_once():
    many = [vote("jane", question=f"Question {number}?") for number in range(30)]
    (duel,) = duels(table(*many, vote("kim", winner="assistant v1", loser="assistant v2")))
    assert (duel.one, duel.wins, duel.losses, duel.ties) == ("assistant v1", 1, 1, 0)
    assert "not enough votes yet" in duel.told


def test_ties_are_told_and_are_nobodys_wins():
    votes = [vote(f"visitor {number}") for number in range(9)] + [
        vote("kim", winner="assistant v1", loser="assistant v2")
    ]
    (duel,) = duels(table(*votes, *(vote(f"torn {number}", "tie") for number in range(5))))
    assert (duel.wins, duel.losses, duel.ties) == (1, 9, 5)
    assert duel.share.value == 0.1
    assert duel.told == (
        "1 preferred assistant v1, 9 assistant v2, 5 saw no difference: assistant v1 had 10\u00a0% of those with a "
        "preference (95\u00a0% interval 2–40\u00a0%), so assistant v2 is better"
    )


def test_a_visitor_of_two_minds_is_a_tie():
    votes = vote("jane"), vote("jane", winner="assistant v1", loser="assistant v2", question="And a blini?")
    (duel,) = duels(table(*votes))
    assert (duel.wins, duel.losses, duel.ties) == (0, 0, 1)


def test_six_of_ten_is_no_winner():
    votes = [vote(f"visitor {number}") for number in range(6)]
    votes += [vote(f"other {number}", winner="assistant v1", loser="assistant v2") for number in range(4)]
    (duel,) = duels(table(*votes))
    assert "neither is surely better" in duel.told


def test_votes_on_other_models_are_another_duel_and_thumbs_are_none():
    others = [vote(name, winner="assistant v3", loser="assistant v2") for name in ("jane", "kim")]
    found = duels(table(vote("jane"), *others, thumb("jane", "up")))
    assert [(duel.one, duel.other) for duel in found] == [
        ("assistant v2", "assistant v3"),
        ("assistant v1", "assistant v2"),
    ]


def test_nothing_given_is_no_duel_and_no_thumb():
    assert duels(table()) == []
    assert thumbs(table()) == {}


def test_a_visitor_who_gives_forty_thumbs_counts_once_and_one_who_cannot_decide_not_at_all():
    many = [thumb("jane", "up", answer=f"Answer {number}.") for number in range(40)]
    torn = [thumb("kim", "up"), thumb("kim", "down", answer="Another.")]
    share = thumbs(table(*many, *torn, thumb("ada", "down")))["assistant v1"]
    assert (share.count, share.value) == (2, 0.5)


def test_thumbs_are_counted_by_model():
    rows = table(thumb("jane", "up"), thumb("kim", "up"), thumb("ada", "down"), thumb("ada", "down", "assistant v2"))
    shares = thumbs(rows)
    assert (shares["assistant v1"].count, round(shares["assistant v1"].value, 3)) == (3, 0.667)
    assert (shares["assistant v2"].count, shares["assistant v2"].value) == (1, 0)


def test_what_no_page_would_give_is_refused():
    with pytest.raises(UsageError, match="a verdict is one of better, tie, up, down; got 'great'"):
        Opinion("jane", ASKED, "great")
    with pytest.raises(UsageError, match="at most 40000 characters"):
        Opinion("jane", ASKED, "up", chosen="x" * MOST_CHARACTERS)
