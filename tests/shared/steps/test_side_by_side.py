"""Literal figures of two models, case by case."""

import math

import numpy as np
import pandas as pd
import pytest

from shared.steps.scoring import Share
from shared.steps.side_by_side import Figure, compared, share_of, table, told

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
        {"figure": "loss", "candidate": "1.5 [1, 2]", "base": "2 [1, 2]", "than_base": "better", "count": 40},
        {"figure": "kept", "candidate": "1 [0.2065, 1]", "base": "", "than_base": "", "count": 1},
    ]


def test_a_figure_of_nothing_is_blank():
    assert told(Share(math.nan, 0.0, 1.0, 0)) == ""
