"""Each check on literal answers: those that keep to it, those that nearly do."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.steps import answer_checks as checks
from shared.steps.answer_checks import MOST_CHARACTERS, keeps

CASES = [
    (checks.json_object("a", "b"), ['{"a": 1, "b": null}', ' {"b":[],"a":{}} \n'], ['{"a": 1}', '{"a":1,"b":2,"c":3}']),
    (checks.json_object("a"), ['{"a": 1}'], ['```json\n{"a": 1}\n```', '{"a": 1} Done.', "[1]", "{'a': 1}", "a"]),
    (checks.json_list(2), ['["x", "y"]'], ['["x"]', '["x", 1]', '{"0": "x", "1": "y"}', "x, y"]),
    (checks.json_number("n", 7), ['{"n": 7}', '{"n": 7.0, "m": 1}'], ['{"n": 8}', '{"n": "7"}', '{"m": 7}', "7"]),
    (checks.json_number("n", 1), ['{"n": 1}'], ['{"n": true}', '{"n": null}']),
    (
        checks.bullets(2),
        ["- a\n- b", "* a\n\n* b"],
        ["- a", "- a\n- b\n- c", "Here:\n- a\n- b", "-a\n-b", "1. a\n2. b"],
    ),
    (checks.numbered(2), ["1. a\n2. b", "1. a\n\n2. b"], ["1. a\n3. b", "1) a\n2) b", "1. a", "List\n1. a\n2. b"]),
    (checks.lines(2), ["a\nb", "a\n\n\nb"], ["a b", "a\nb\nc"]),
    (checks.words(2, 3), ["two words", "that’s three, yes"], ["one", "no more than three", "..."]),
    (checks.words(most=1), ["Yes.", "well-known", "don't"], ["not one"]),
    (checks.sentences(2), ["One. Two!", "Is it 3.5 km? It is."], ["One.", "One. Two", "One. Two. Three."]),
    (checks.paragraphs(2), ["a\n\nb", "a\nb\n  \n\nc"], ["a\nb", "a\n\nb\n\nc"]),
    (
        checks.parts("***", 2),
        ["a\n***\nb", "a\n\n***\n\nb"],
        ["a *** b", "a\n***", "a\n***\nb\n***\nc", "***\n***\n***"],
    ),
    (checks.one_of("yes", "no"), ["Yes", "no."], ["yes, of course", "maybe", "yes.."]),
    (checks.has("sun", "rain"), ["Rain, then sun."], ["Sunny, then rain.", "sun"]),
    (checks.times("sea", 2), ["The sea, the SEA!"], ["The sea, the seaside."]),
    (checks.lacks("very"), ["It is every bit good."], ["Very good."]),
    (checks.without("e,"), ["A big dog"], ["The dog", "A big, big dog", "E"]),
    (checks.lower_case(), ["all small, 1 or 2"], ["Not all", "12"]),
    (checks.upper_case(), ["ALL LARGE, 1"], ["aLL", "12"]),
    (checks.digits(), ["42"], ["42.", "forty-two", "4 2", "-4", "٤٢", "²"]),
    (checks.begins("Dear"), ["Dear you"], ["My dear", "dear you"]),
    (checks.ends("Bye!"), ["So long. Bye!"], ["Bye! Really.", "bye!"]),
    (checks.around('"', '"'), ['"said"'], ['"', '""', '"a" and "b"', "said"]),
    (
        checks.titled(),
        ["<<On rain>>\nIt falls."],
        ["<<On rain>>", "On rain\nIt falls.", "<<>>\nIt falls.", "It\n<<On>>"],
    ),
    (checks.every(checks.lower_case(), checks.words(most=2)), ["two words"], ["Two words", "now three words"]),
]


@pytest.mark.parametrize(("check", "kept", "broken"), CASES)
def test_answers_that_keep_to_it_pass_and_those_that_nearly_do_fail(check, kept, broken):
    assert [answer for answer in kept if not keeps(check, answer)] == []
    assert [answer for answer in broken if keeps(check, answer)] == []


@pytest.mark.parametrize("answer", ["", "  \n\t ", "a" * (MOST_CHARACTERS + 1)])
def test_nothing_and_no_end_keep_to_no_check(answer):
    assert not any(keeps(check, answer) for check, _, _ in CASES)


@given(st.text(max_size=300))
def test_whatever_the_answer_a_check_says_yes_or_no(answer):
    for check, _, _ in CASES:
        assert keeps(check, answer) in (True, False)


@pytest.mark.parametrize(
    "piece", ["a", " ", "- ", "\n", "\n\n", "a-", "'", "[", '{"a":', "sea ", "***\n", "1", ". ", "<<"]
)
def test_hostile_answers_take_no_time(piece):
    answer = "a" + (piece * MOST_CHARACTERS)[: MOST_CHARACTERS - 2] + "b"
    began = time.perf_counter()
    for check, _, _ in CASES:
        keeps(check, answer)
    assert time.perf_counter() - began < 3  # 26 checks; what backtracks takes hours
    assert not keeps(checks.json_list(1), "[" * 90_000 + "]" * 9_000)
