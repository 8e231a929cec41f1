import importlib

import numpy as np
import pandas as pd
import pytest

from shared.errors import MissingExtraError, SchemaError, UsageError
from shared.steps.sdv import Training, draw_rows

RNG = np.random.default_rng(0)
ROWS = pd.DataFrame(
    {"kind": RNG.choice(["a", "b"], 80), "width": RNG.normal(size=80).round(2), "grade": RNG.integers(3, 6, 80)}
)


def test_an_unknown_synthesizer_and_blank_rows_are_refused():
    with pytest.raises(UsageError, match="there are sdv_gaussian_copula"):
        draw_rows("gan", ROWS, 5, Training())
    with pytest.raises(SchemaError, match="blank"):
        draw_rows("sdv_ctgan", ROWS.assign(width=np.nan), 5, Training())


def test_without_sdv_the_extra_is_named(monkeypatch):
    def absent(name, *args):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MissingExtraError, match=r"almanac\[synth\]"):
        draw_rows("sdv_ctgan", ROWS, 5, Training())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sdv_gaussian_copula", "sdv_tvae", "sdv_ctgan"])
def test_the_same_seed_draws_the_same_rows_and_another_others(name, monkeypatch, tmp_path):
    pytest.importorskip("sdv")
    monkeypatch.setenv("HOME", str(tmp_path))
    first, again, other = (draw_rows(name, ROWS, 30, Training(1, seed)) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert [*first.columns] == [*ROWS.columns] and len(first) == 30
    assert name == "sdv_gaussian_copula" or not first.equals(other)
