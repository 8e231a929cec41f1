"""What moved a prediction, and what would lift it: the parts add up, and the lifted wine is one that could be."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shared.steps.promotion import champion
from shared.systems.wine.features import inputs, labelled
from shared.systems.wine.inference import DIGITS, MOST_CHANGES, grade, lift, moved, quality
from shared.systems.wine.tables import COLOURS, GRADES, MEASURES, MODEL, SAMPLES

ROOT = Path(__file__).parents[4]


@pytest.fixture
def model(cellar):
    return champion(cellar, MODEL)


def typical(model, colour="red", **changes):
    values = {**model.signature["medians"][colour], **changes}
    known = {"sample_id": "", "taken_at": pd.NaT, "origin": "", "source": "", "colour": colour}
    return pd.DataFrame([{**known, **values}])[SAMPLES.names]


def some(cellar, count=12):
    """Wines of every kind, among them some at the ends of what there is."""
    samples = cellar.features.read(SAMPLES)
    ends = [samples[name].idxmax() for name in ("alcohol", "residual_sugar", "volatile_acidity", "free_sulfur_dioxide")]
    return pd.concat([samples.loc[ends], samples.sample(count, random_state=1)])


def after(found, wine):
    """Return the wine as the lift leaves it."""
    changed = {name: to for name, (_, to) in found.changes.items()} | {"density": found.density[1]}
    return wine.assign(**changed)


# --- moved ---------------------------------------------------------------------------------------------------------


def test_the_shifts_and_the_usual_quality_add_up_to_the_wines_quality(cellar, model):
    usual = quality(model, pd.read_parquet(model.folder / "background.parquet")).mean()
    for place in range(4):
        wine = some(cellar).iloc[[place]]
        parts = moved(model, wine)
        assert parts["shift"].sum() == pytest.approx(quality(model, wine)[0] - usual, abs=1e-4)


def test_colour_and_the_eleven_measures_have_a_part_each_beside_their_values(model):
    parts = moved(model, typical(model, "white", alcohol=12.5))
    assert parts.columns.tolist() == ["measure", "value", "shift"]
    assert parts["measure"].tolist() == ["colour", *MEASURES]
    assert parts.set_index("measure")["value"][["colour", "alcohol"]].tolist() == ["white", 12.5]


def test_a_blank_measure_counts_as_the_median_of_its_colour(model):
    blank, filled = (moved(model, typical(model, **one)) for one in ({"ph": np.nan}, {}))
    pd.testing.assert_frame_equal(blank, filled)


def test_the_same_wine_is_explained_the_same_way_twice(model):
    pd.testing.assert_frame_equal(moved(model, typical(model)), moved(model, typical(model)))


# --- lift ----------------------------------------------------------------------------------------------------------


def test_a_lifted_wine_has_a_better_grade_and_could_be(cellar, model):
    found = {place: lift(model, some(cellar).iloc[[place]]) for place in range(16)}
    assert sum(one is not None for one in found.values()) >= 8
    for place, one in found.items():
        if one is None:
            continue
        wine = some(cellar).iloc[[place]]
        better, seen = after(one, wine), model.signature["ranges"][wine["colour"].iloc[0]]
        said = grade(model, better).iloc[0]
        assert said["grade"] == one.grade > grade(model, wine).iloc[0]["grade"]
        assert said["quality"] == pytest.approx(one.quality, abs=1e-9)
        assert 1 <= len(one.changes) <= MOST_CHANGES
        assert {*one.changes} <= {*DIGITS}
        assert all(seen[name][0] <= to <= seen[name][-1] and to != before for name, (before, to) in one.changes.items())
        assert better["free_sulfur_dioxide"].iloc[0] <= better["total_sulfur_dioxide"].iloc[0]
        assert seen["density"][0] <= one.density[1] <= seen["density"][-1] or one.density[0] == one.density[1]


def test_density_follows_alcohol_and_sugar_so_that_the_extract_stays_as_it_is(cellar, model):
    lifts = [(some(cellar).iloc[[place]], lift(model, some(cellar).iloc[[place]])) for place in range(16)]
    followed = 0
    for wine, one in lifts:
        if one is None:
            continue
        blanks = model.signature["medians"]
        before, then = (inputs(rows, blanks)["dry_density"].iloc[0] for rows in (wine, after(one, wine)))
        assert then == pytest.approx(before, abs=1e-5)
        moves = {"alcohol", "residual_sugar"} & {*one.changes}
        assert moves or one.density[0] == one.density[1]
        followed += bool(moves)
    assert followed


def test_no_single_change_of_a_part_of_the_lift_would_do(cellar, model):
    """The smallest there is cannot be shown; but taking any one of the changes back loses the grade."""
    wine = typical(model)
    one = lift(model, wine)
    for name in one.changes:
        fewer = dataclasses.replace(one, changes={n: pair for n, pair in one.changes.items() if n != name})
        follows = {"alcohol": -0.00125, "residual_sugar": 0.0004}
        by = sum(follows.get(n, 0) * (to - before) for n, (before, to) in fewer.changes.items())
        fewer = dataclasses.replace(fewer, density=(one.density[0], one.density[0] + round(by, 5)))
        assert grade(model, after(fewer, wine)).iloc[0]["grade"] < one.grade


def test_changes_are_given_in_digits_that_a_laboratory_gives(model):
    for name, (_, to) in lift(model, typical(model)).changes.items():
        assert to == round(to, DIGITS[name])


def test_the_best_grade_there_is_cannot_be_lifted(model):
    link = {**model.signature["link"], "mean": 0.0, "stretch": 2.0}  # as good as that, whatever the quality
    assert lift(dataclasses.replace(model, signature={**model.signature, "link": link}), typical(model)) is None
    assert GRADES[-1] == 9


def test_a_wine_of_a_colour_that_the_model_never_saw_has_no_room_to_be_lifted(model):
    ranges = {"red": model.signature["ranges"]["red"]}
    only_red = dataclasses.replace(model, signature={**model.signature, "ranges": ranges})
    assert lift(only_red, typical(model, "white")) is None
    assert lift(only_red, typical(model, "red")) is not None


def test_a_wine_with_more_free_than_total_sulfur_dioxide_is_lifted_only_to_one_that_could_be(model):
    found = lift(model, typical(model, free_sulfur_dioxide=40.0, total_sulfur_dioxide=30.0))
    if found is not None:
        better = after(found, typical(model, free_sulfur_dioxide=40.0, total_sulfur_dioxide=30.0)).iloc[0]
        assert better["free_sulfur_dioxide"] <= better["total_sulfur_dioxide"]


def test_a_blank_measure_is_lifted_from_the_median_that_the_model_takes_for_it(model):
    assert lift(model, typical(model, ph=np.nan)) == lift(model, typical(model))


@pytest.mark.parametrize("colour", COLOURS)
def test_the_same_wine_is_lifted_the_same_way_twice(colour, model):
    assert lift(model, typical(model, colour)) == lift(model, typical(model, colour))


def test_a_container_that_predicts_loads_neither_shap_nor_scikit_learn_nor_plotly():
    code = "import sys; import shared.systems.wine.inference; print([m for m in sys.argv[1:] if m in sys.modules])"
    heavy = ["shap", "sklearn", "plotly", "numba", "matplotlib"]
    ran = subprocess.run([sys.executable, "-c", code, *heavy], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_what_the_cellar_learned_is_there_to_explain_by(cellar, model):
    typical_wines = pd.read_parquet(model.folder / "background.parquet")
    assert {"colour", *MEASURES} <= {*typical_wines.columns}
    assert 10 <= len(typical_wines) <= len(labelled(cellar, None, "uci"))
