import importlib
import math
import sys

import numpy as np
import pandas as pd
import pytest

from shared.errors import MissingExtraError, NotYetError
from shared.steps import realism
from shared.steps.realism import judge, privacy, quality, utility_mse


def rows_of(seed, count=60, noise=0.1):
    rng = np.random.default_rng(seed)
    width = rng.normal(size=count)
    kind = rng.choice(["a", "b"], count)
    return pd.DataFrame({"kind": kind, "width": width, "grade": 3 * width + noise * rng.normal(size=count)})


def test_copies_of_what_was_learned_are_counted_and_give_away_who_was_learned():
    learned, real = rows_of(0), rows_of(1)
    found = privacy(learned, real, learned.head(40))
    assert found["exact_copies"] == 40 and found["dcr"] == 0 < found["dcr_held_out"]
    assert found["membership_auc"] > 0.8


def test_rows_of_the_same_kind_that_learned_nothing_give_nothing_away():
    found = privacy(rows_of(0, 300), rows_of(1, 300), rows_of(2, 300))
    assert found["exact_copies"] == 0
    assert found["membership_auc"] == pytest.approx(0.5, abs=0.06)
    assert found["dcr"] == pytest.approx(found["dcr_held_out"], rel=0.25)


def test_a_category_apart_is_far():
    one = pd.DataFrame({"kind": ["a", "b"], "width": [0.0, 0.0]})
    assert privacy(one.head(1), one.tail(1), one.tail(1))["dcr"] >= 1


def test_rows_that_teach_the_relation_err_less_than_rows_without_it(monkeypatch):
    monkeypatch.setattr(realism, "TREES", 20)
    real, good = rows_of(1), rows_of(2)
    blind = good.assign(grade=good["grade"].sample(frac=1, random_state=0).to_numpy())
    assert utility_mse(good, real, "grade", 0) < 0.5 * utility_mse(blind, real, "grade", 0)


def test_fidelity_is_blank_without_sdmetrics(monkeypatch):
    def absent(name, *args):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    assert math.isnan(quality(rows_of(0), rows_of(1)))


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(MissingExtraError, match=r"almanac\[train\]"):
        utility_mse(rows_of(0), rows_of(1), "grade", 0)


@pytest.mark.slow
def test_like_rows_score_higher_in_fidelity_than_shifted_ones():
    pytest.importorskip("sdmetrics")
    real, like = rows_of(0, 200), rows_of(1, 200)
    assert quality(real, like.assign(width=like["width"] + 3)) < quality(real, like) <= 1


def test_a_handful_of_rows_cannot_be_judged():
    with pytest.raises(NotYetError, match="at least as many"):
        judge(rows_of(0), rows_of(1), rows_of(2, 20), "grade", 0)


@pytest.mark.slow
def test_a_judgement_has_every_figure_and_the_same_one_from_the_same_seed(monkeypatch):
    monkeypatch.setattr(realism, "TREES", 20)
    first, again = (judge(rows_of(0), rows_of(1), rows_of(2), "grade", 0) for _ in range(2))
    assert first == again or math.isnan(first.quality)
    assert first.real_mse < 3 and 0.3 < first.c2st_auc < 0.7 and first.exact_copies == 0
