"""Literal figures of two models, case by case."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from shared.steps.scoring import Share
from shared.steps.side_by_side import Figure, compared, share_of, table, told, worse

KEYS = [f"c{number}" for number in range(40)]


def losses(shift, noise=0.0, keys=KEYS):
    drawn = np.random.default_rng(0).normal(0, noise, len(keys))
    cases = pd.Series(np.linspace(1, 2, len(keys)) + shift + drawn, keys)
    return Figure(Share(float(cases.mean()), 1.0, 2.0, len(keys)), cases)


@pytest.mark.parametrize(
    ("new", "old", "verdict"),
    [
        (losses(-0.1), losses(0), "better"),
        (losses(+0.1), losses(0), "worse"),
        (losses(0), losses(0), "no sure difference"),
        (losses(0, noise=0.5), losses(0), "no sure difference"),
        (losses(-0.1, keys=KEYS[:9]), losses(0), "too few to tell"),
        (losses(math.nan), losses(0), "no number to compare"),
        (Figure(Share(1.0, 1.0, 1.0, 1)), losses(0), ""),
    ],
)
def test_losses_are_better_when_surely_lower(new, old, verdict):
    assert compared(new, old) == verdict


def test_shares_are_better_when_surely_higher():
    all_kept, half = pd.Series([True] * 40, KEYS), pd.Series([True, False] * 20, KEYS)
    assert compared(share_of(all_kept), share_of(half)) == "better"
    assert compared(share_of(half), share_of(all_kept)) == "worse"


def test_cases_are_paired_by_key_not_by_place():
    new = losses(-0.01)
    shuffled = Figure(new.share, new.cases.sample(frac=1, random_state=1))
    assert compared(shuffled, losses(0)) == "better"


def test_a_row_has_the_figure_of_each_and_a_verdict_on_each_other():
    base = {"loss": losses(0.5), "more": losses(0)}
    rows = table({"candidate": {"loss": losses(0), "kept": share_of(pd.Series([True], ["a"]))}, "base": base})
    assert rows == [
        {"figure": "loss", "candidate": "1.5", "base": "2", "verdict": "better than base"},
        {"figure": "kept", "candidate": "1 of 1", "base": "", "verdict": ""},
    ]


def test_others_of_one_verdict_are_named_in_one_go():
    rows = table({"new": {"loss": losses(0)}, "one": {"loss": losses(1)}, "two": {"loss": losses(1)}})
    assert rows[0]["verdict"] == "better than one and two"
    few = table({"new": {"ok": kept(5, 5)}, "one": {"ok": kept(6)}, "two": {"ok": kept(0, 5)}})
    assert few[0]["verdict"] == "too few to tell (one and two)"
    same = table({"new": {"ok": kept(6)}, "one": {"ok": kept(6)}, "two": {"ok": kept(0)}})
    assert same[0]["verdict"] == "no sure difference to one; better than two"


def kept(hits, count=6):
    return share_of(pd.Series([number < hits for number in range(count)], [f"c{number}" for number in range(count)]))


@pytest.mark.parametrize(
    ("new", "old", "verdict"),
    [
        (kept(0), kept(6), "worse"),  # p = 2 / 64
        (kept(6), kept(0), "better"),
        (kept(1), kept(6), "no sure difference"),  # five of five changed: p = 2 / 32
        (kept(6), kept(6), "no sure difference"),
        (kept(0, 5), kept(5, 5), "too few to tell"),
        (replace(kept(6), higher_is_better=False), replace(kept(0), higher_is_better=False), "worse"),
    ],
)
def test_checks_are_compared_exactly_however_few_they_are(new, old, verdict):
    assert compared(new, old) == verdict


def test_checks_that_are_surely_worse_are_named_with_their_counts():
    mine = {"loss": losses(1), "safety": kept(8, 8), "meals:ok": kept(0, 8), "meals:cut": kept(8, 8)}
    theirs = {"loss": losses(0), "safety": kept(8, 8), "meals:ok": kept(8, 8), "other": kept(8, 8)}
    assert worse(mine, theirs, "base") == "meals:ok 0 of 8, base 8 of 8"
    assert worse(theirs, mine, "base") == ""


def test_the_more_checks_are_compared_the_surer_each_must_be():
    others = {f"check {number}": kept(6) for number in range(5)}
    mine, theirs = {"ok": kept(0)}, {"ok": kept(6)}
    assert worse(mine, theirs, "base") == "ok 0 of 6, base 6 of 6", "p = 2 / 64, of one"
    assert worse(mine | others, theirs | others, "base") == "", "2 / 64 > 0.05 / 6"
    assert worse({"ok": kept(0, 9)} | others, {"ok": kept(9, 9)} | others, "base") != "", "2 / 512 < 0.05 / 6"
    few = {name: kept(5, 5) for name in others}
    assert worse(mine | few, theirs | few, "base") != "", "what is too few to tell is no test"


def test_of_two_equal_models_one_of_twelve_checks_is_called_worse_in_at_most_one_of_twenty_evaluations():
    rng, called = np.random.default_rng(0), 0
    for _ in range(400):
        drawn = rng.random((2, 12, 40)) < 0.7
        mine, theirs = ({f"c{n}": share_of(pd.Series(row)) for n, row in enumerate(rows)} for rows in drawn)
        called += bool(worse(mine, theirs, "base") or worse(theirs, mine, "base"))
    assert called / 400 <= 0.05


def test_a_figure_of_nothing_is_blank():
    assert told(Share(math.nan, 0.0, 1.0, 0)) == ""
