"""Benchmarks that need a machine of their own run here in small, so that they work when one is at hand."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("trl")

import torch

ROOT = Path(__file__).parents[2]


def ran(*told):
    return subprocess.run([sys.executable, *told], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
def test_the_table_of_the_gpu_is_made_by_the_same_code_on_a_cpu_where_a_killed_run_ends_equal():
    told = ["--device", "cpu", "--shapes", "tiny", "--steps", "4", "--length", "32", "--packing", "--check"]
    table = ran("tests/benchmarks/bench_gpu.py", *told)
    assert table.returncode == 0, table.stdout + table.stderr
    assert "plain, SDPA" in table.stdout
    assert ": equal; two whole runs are equal" in table.stdout


@pytest.mark.slow
def test_without_a_gpu_its_table_is_skipped_in_a_sentence():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    table = ran("tests/benchmarks/bench_gpu.py", "--check")
    assert (table.returncode, table.stdout.count("\n"), table.stdout[:7]) == (0, 1, "skipped"), table.stderr


@pytest.mark.slow
def test_a_shape_that_is_none_is_refused():
    table = ran("tests/benchmarks/bench_gpu.py", "--shapes", "2B")
    assert table.returncode == 2
    assert "--shapes are 1B, 3B, tiny, not 2B" in table.stderr
