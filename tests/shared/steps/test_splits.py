import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import NotYetError
from shared.steps.splits import hashed_folds

NAMES = [f"wine {number}" for number in range(200)]


def fold_of(groups, count, seed):
    return {groups[row]: fold for fold, (_, held) in enumerate(hashed_folds(groups, count, seed)) for row in held}


def test_every_row_is_held_out_once_and_fitted_otherwise():
    folds = hashed_folds(NAMES, 5, seed=0)
    assert sorted(row for _, held in folds for row in held) == [*range(200)]
    assert all(sorted([*fit, *held]) == [*range(200)] for fit, held in folds)
    assert all(20 <= len(held) <= 60 for _, held in folds)


def test_a_group_stays_in_its_fold_when_others_come():
    before, after = fold_of(NAMES[:150], 5, 0), fold_of(NAMES, 5, 0)
    assert before.items() <= after.items()


def test_another_seed_deals_other_folds():
    assert fold_of(NAMES, 5, 0) != fold_of(NAMES, 5, 1)


def test_too_few_groups_for_the_folds_are_refused():
    with pytest.raises(NotYetError, match="folds empty"):
        hashed_folds(["one", "one"], 2, seed=0)


@given(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=60), st.integers(0, 5))
def test_a_group_is_never_on_both_sides(groups, seed):
    try:
        folds = hashed_folds(groups, 2, seed)
    except NotYetError:
        return
    for fit, held in folds:
        assert not {groups[row] for row in fit} & {groups[row] for row in held}
