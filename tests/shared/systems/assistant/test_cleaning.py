"""What each filter takes and leaves, and that nothing depends on the order of rows."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import UsageError
from shared.steps.near_duplicates import shingles
from shared.systems.assistant.cleaning import FEWEST_WORDS, Cleaning, _contaminated, clean, described, split_of

pytest.importorskip("datasketch")

LONG = (
    "Add the flour to the butter and stir until it smells of nuts then pour in the milk a little at a time and let it"
    " simmer for ten minutes while you keep stirring so that nothing burns at the bottom of the pan"
)
NONE = pd.DataFrame({"messages": [], "split": [], "place": [], "reason": [], "source": []})


def said(*texts, system=""):
    turns = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]
    return [{"role": "system", "content": system}, *turns] if system else turns


def rows_of(*conversations):
    reasons = ["" if messages else "its messages are no list" for messages in conversations]
    numbers = range(1, len(conversations) + 1)
    return pd.DataFrame({"place": numbers, "kind": "chat", "messages": [*conversations], "reason": reasons})


def known(*pairs):
    rows = rows_of(*(messages for _, messages in pairs))
    return rows.assign(split=[split for split, _ in pairs], source="theirs")


def cleaned(*conversations, others=NONE, evaluation=(), **bounds):
    return clean(rows_of(*conversations), others, evaluation, Cleaning(**bounds))


def places(result):
    return sorted(result.rows["place"])


def removed(result):
    return {one["filter"]: one["removed"] for one in result.effects if one["removed"]}


def question_in(split, pattern="What is number {} good for, can you tell me?"):
    """Return a question whose hash puts it into a split."""
    return next(text for number in range(10_000) if split_of(text := pattern.format(number), Cleaning()) == split)


def test_each_filter_takes_its_own_and_says_how_many_and_shows_one():
    result = cleaned(
        said("What is salt?", "A mineral."),
        None,
        said("What is sugar?", ""),
        said("What is ice?", "Frozen " * 10_000),
        said("what is  SALT?", "A mineral.\n"),
        said("How is a sauce made?", LONG),
        said("How is a sauce made?", f"{LONG} indeed"),
        said("What colour is the sky on a clear day in May when no wind blows?", "Blue."),
        evaluation=["Tell me: what colour is the sky on a clear day in May when no wind blows?"],
    )
    assert removed(result) == {"malformed": 1, "empty_turns": 1, "length": 1, "exact": 1, "near": 1, "contaminated": 1}
    assert len(result.rows) == 2
    assert [one["filter"] for one in result.effects] == [
        "read", "malformed", "empty_turns", "length", "exact", "near", "contaminated", "leaked", "kept",
    ]  # fmt: skip
    assert [one["place"] for one in result.effects] == [*range(9)]
    assert [one["conversations"] for one in result.effects] == [8, 7, 6, 5, 4, 3, 2, 2, 2]
    assert [one["share"] for one in result.effects] == [0, *[0.125] * 6, 0, 0]
    malformed, empty = result.effects[1], result.effects[2]
    assert (malformed["example"], empty["example"]) == ("2: its messages are no list", "3: What is sugar?")
    assert result.effects[-1]["characters"] == sum(result.rows["characters"])
    assert result.effects[0]["characters"] > 70_000


def test_every_reason_for_which_records_are_no_conversations_is_told_with_its_count():
    reasons = [
        "roles are out of order: user",
        "it is empty",
        "roles are out of order: system",
        "it is empty",
        "broken: x",
    ]
    broken = [{"place": place, "kind": "chat", "messages": None, "reason": one} for place, one in enumerate(reasons, 2)]
    rows = pd.DataFrame([*broken, {"place": 1, "kind": "chat", "messages": said("Why?", "So."), "reason": ""}])
    malformed = clean(rows, NONE, (), Cleaning()).effects[1]
    assert malformed["removed"] == 5
    assert malformed["example"] == "2: roles are out of order: user; and others: 2 it is empty, 1 broken"


def test_only_filters_that_took_something_are_logged_in_plain_words(caplog):
    with caplog.at_level("INFO", "almanac"):
        cleaned(said("Why?", ""), said("What is salt?", "A mineral."), said("What is salt?", "A mineral."))
    assert caplog.messages == ["1 left out: with an empty message", "1 left out: there already, word for word"]


def test_twins_are_told_by_whose_they_are():
    others = known(("train", said("What is salt?", "A mineral.")), ("test", said("How is a sauce made?", LONG)))
    mine = [said("What is salt?", "A mineral."), said("How is a sauce made?", f"{LONG} indeed")]
    result = cleaned(*mine, said("What is ice?", "Frozen."), said("What is ice?", "Frozen."), others=others)
    twins = {one["filter"]: one["twins"] for one in result.effects if one.get("twins")}
    assert twins == {"exact": {"theirs": 1, "the source itself": 1}, "near": {"theirs": 1}}


def test_nothing_is_taken_from_conversations_that_differ():
    result = cleaned(*(said(f"What is {number} plus one?", f"{number + 1}.") for number in range(50)))
    assert (len(result.rows), removed(result)) == (50, {})


def test_the_id_is_the_same_for_twins_and_another_for_other_roles_words_or_signs():
    rows = described(
        rows_of(
            said("Is it A?", "Yes."),
            said(" is it  a?\n", "YES."),
            said("Is it A?", "Yes!"),
            said("Is it A?", "Yes.", system="B"),
        ),
        Cleaning(),
    ).sort_values("place")
    ids = [*rows["conversation_id"]]
    assert ids[0] == ids[1]
    assert len({*ids}) == 3


def test_turns_and_characters_are_counted_without_and_with_the_systems_message():
    (row,) = described(rows_of(said("ab", "c", system="def")), Cleaning()).to_dict("records")
    assert (row["turns"], row["characters"], row["question"]) == (2, 6, "ab")


@pytest.mark.parametrize(("turns", "kept"), [(40, 1), (42, 0)])
def test_more_turns_than_the_bound_are_too_long(turns, kept):
    assert len(cleaned(said(*(f"word {number}" for number in range(turns)))).rows) == kept


def test_a_message_of_ten_megabytes_is_taken_without_looking_at_its_words():
    assert removed(cleaned(said("Say it.", "x" * 10**7), said("Say a.", "b"))) == {"length": 1}


def test_a_long_systems_message_does_not_make_twins_of_what_follows_it():
    result = cleaned(said("What is salt?", "A mineral.", system=LONG), said("Who wrote Emma?", "Austen.", system=LONG))
    assert len(result.rows) == 2


def test_what_another_source_holds_is_not_taken_again_exactly_or_nearly():
    others = known(("train", said("What is salt?", "A mineral.")), ("test", said("How is a sauce made?", LONG)))
    result = cleaned(
        said("what is salt?", "A mineral."),
        said("How is a sauce made?", f"Well, {LONG}"),
        said("Who?", "I."),
        others=others,
    )
    assert removed(result) == {"exact": 1, "near": 1}
    assert places(result) == [3]


@pytest.mark.parametrize(
    ("asked", "words", "taken"),
    [
        ("one two three four five six seven eight nine ten eleven twelve thirteen", 13, True),
        ("Please: One, two, three four five six seven eight nine ten eleven twelve THIRTEEN and more", 13, True),
        ("one two three four five six seven eight nine ten eleven twelve other", 13, False),
        ("one two three four five six seven eight nine ten eleven twelve other", 12, True),
        ("Draft a letter", 13, True),
        ("Please draft a letter", 13, False),
        ("!?", 13, False),
    ],
)
def test_words_in_a_row_of_the_evaluation_contaminate_and_short_questions_only_whole(asked, words, taken):
    numbers = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    result = cleaned(said(asked, "Yes."), evaluation=[numbers, "draft a letter!", "?", ""], overlap_words=words)
    assert removed(result) == ({"contaminated": 1} if taken else {})


def test_a_short_question_of_the_evaluation_contaminates_within_a_message_too():
    question = "Which season comes after winter? One word only."
    asked = said(f"Hello! {question} Many thanks.", "Spring.")
    assert removed(cleaned(asked, evaluation=[question])) == {"contaminated": 1}


_few = st.lists(st.sampled_from(["a", "b", "c"]), max_size=18).map(" ".join)


@given(_few, st.lists(_few, max_size=3), st.integers(1, 14))
def test_the_words_in_a_row_that_contaminate_are_those_that_a_search_at_every_place_finds(text, questions, size):
    asked = frozenset().union(*(shingles(question, size) for question in questions))
    long = {one for one in asked if len(one.split()) >= min(FEWEST_WORDS, size)}
    expected = text in asked or any(f" {one} " in f" {text} " for one in long)
    taken = _contaminated(rows_of(said(text)), questions, size)
    assert taken.tolist() == [expected]


def test_an_answer_that_quotes_the_evaluation_contaminates_too():
    assert removed(cleaned(said("Quote it.", LONG), evaluation=[LONG])) == {"contaminated": 1}


def test_a_question_nearly_as_in_another_split_leaves_training_and_stays_in_test():
    question = question_in("test", "Number {} " + LONG)
    twin = next(text for end in range(100) if split_of(text := f"{question} and {end}", Cleaning()) == "train")
    result = cleaned(said(question, "Butter makes it smooth."), said(twin, "Then serve with fish or eggs, hot."))
    assert removed(result) == {"leaked": 1}
    assert result.rows["split"].tolist() == ["test"]


def test_a_question_nearly_as_in_another_sources_training_does_not_come_into_test():
    question = question_in("test", "Number {} " + LONG)
    others = known(("train", said(f"{question} please", "Butter makes it smooth, and flour makes it thick.")))
    assert removed(cleaned(said(question, "Then serve it with fish or eggs, hot."), others=others)) == {"leaked": 1}


def test_a_question_that_another_source_asks_in_the_same_split_may_be_answered_otherwise():
    others = known((split_of("Who?", Cleaning()), said("Who?", "I.")))
    assert len(cleaned(said("Who?", "Nobody that you know."), others=others).rows) == 1


def test_splits_have_about_the_shares_asked_for():
    drawn = pd.Series([split_of(f"Question {number}", Cleaning()) for number in range(4000)]).value_counts(
        normalize=True
    )
    assert drawn["train"] == pytest.approx(0.8, abs=0.02)
    assert drawn["validation"] == pytest.approx(0.1, abs=0.015)
    other = Cleaning(shares=(0.0, 0.0, 1.0))
    assert {split_of(f"Question {number}", other) for number in range(50)} == {"test"}
    assert split_of("Question 1", Cleaning(shares=(1.0, 0.0, 0.0))) == "train"


def test_another_seed_draws_other_splits():
    drawn = [[split_of(f"Question {number}", Cleaning(seed=seed)) for number in range(200)] for seed in (0, 1)]
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize(
    "bounds",
    [{"shares": (0.9, 0.2, 0.1)}, {"shares": (1.1, -0.1, 0.0)}, {"near": 0.0}, {"near": 1.5}, {"overlap_words": 0}],
)
def test_bounds_that_no_filter_could_keep_are_refused(bounds):
    with pytest.raises(UsageError):
        Cleaning(**bounds)


def test_no_rows_at_all_are_cleaned_to_none():
    result = cleaned()
    assert (len(result.rows), [one["conversations"] for one in result.effects]) == (0, [0] * 9)


_words = st.lists(st.sampled_from("a b c d salt rice what is the of".split()), min_size=1, max_size=30).map(" ".join)  # noqa: SIM905
_conversations = st.lists(st.lists(_words, min_size=2, max_size=2).map(lambda texts: said(*texts)), max_size=12)


@settings(max_examples=20)
@given(_conversations, st.randoms(use_true_random=False))
def test_what_is_kept_does_not_depend_on_the_order_and_cleaning_it_again_keeps_all(conversations, order):
    first = cleaned(*conversations, shares=(0.4, 0.3, 0.3))
    shuffled = conversations[:]
    order.shuffle(shuffled)
    again = cleaned(*shuffled, shares=(0.4, 0.3, 0.3))
    assert first.rows["messages"].tolist() == again.rows["messages"].tolist()
    assert first.rows["split"].tolist() == again.rows["split"].tolist()
    counted = [{**one, "example": None} for one in first.effects]
    assert counted == [{**one, "example": None} for one in again.effects]
    assert removed(cleaned(*first.rows["messages"], shares=(0.4, 0.3, 0.3))) == {}


@settings(max_examples=20)
@given(_conversations)
def test_no_question_stands_in_two_splits_and_what_comes_more_moves_none(conversations):
    half = cleaned(*conversations[::2], shares=(0.4, 0.3, 0.3)).rows
    whole = cleaned(*conversations, shares=(0.4, 0.3, 0.3)).rows
    assert (whole.groupby("question")["split"].nunique() == 1).all()
    both = half.merge(whole, on="question")
    assert (both["split_x"] == both["split_y"]).all()
