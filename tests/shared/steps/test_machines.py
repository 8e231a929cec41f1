"""A run that goes on where sums come out otherwise says so: while it goes on, and in what came of it."""

import json

import pytest

pytest.importorskip("trl")

from shared.steps.machines import computing
from tests.shared.steps.lives import FULL, live

TOLD = FULL | {"steps": 6}


class CutOffError(Exception):
    """The machine went away."""


def cut_off():
    raise CutOffError


def moved(run, **facts):
    """Make the checkpoints of a run those of a machine that differs in ``facts``."""
    for manifest in (run / "checkpoints").glob("*/manifest.json"):
        sealed = json.loads(manifest.read_text())
        manifest.write_text(json.dumps(sealed | {"machine": sealed["machine"] | facts}))


def test_a_run_that_goes_on_elsewhere_warns_and_keeps_what_it_began_on(tmp_path, caplog):
    with pytest.raises(CutOffError):
        live(tmp_path / "run", TOLD, cut_off)
    moved(tmp_path / "run", cpu="x86_64 AVX2", threads="64")
    ended = live(tmp_path / "run", TOLD)
    assert ended.resumed_from > 0
    assert "goes on where sums differ in their last digits; before: cpu x86_64 AVX2, threads 64" in caplog.text
    assert ended.machine == computing() | {"before": "cpu x86_64 AVX2, threads 64"}


def test_a_run_that_goes_on_where_it_was_says_nothing_of_machines(tmp_path, caplog):
    with pytest.raises(CutOffError):
        live(tmp_path / "run", TOLD, cut_off)
    assert live(tmp_path / "run", TOLD).machine == computing()
    assert "last digits" not in caplog.text
