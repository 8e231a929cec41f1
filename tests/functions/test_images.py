"""An image holds what its stages import: each runs with its image's packages, what those need, and nothing else."""

import ast
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from functions._modal.images import STORE
from functions._timetable import ROOT

pytest.importorskip("trl")
pytestmark = pytest.mark.slow

FOR_CUDA = {"unsloth", "bitsandbytes"}  # not to be had here; what they would bring along does not count
TINY = "tiny:2x48x3x400x512"
SEARCH = {"bases": TINY, "ranks": "2", "learning_rates": "1e-3", "lowest": 2, "rungs": 1}
PLAN = {"base": TINY, "steps": 2, "batch": 4, "max_length": 256}


def images():
    """What functions/assistant.py wants installed for each stage and worker, read off its text."""
    tree, known, found = ast.parse((ROOT / "functions" / "assistant.py").read_text()), {}, {}
    there = {"image": lambda *names: names, "gpu_image": lambda *names, pins="": (*names, "torch")}
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id not in ("service", "app"):
            exec(compile(ast.Module([node], []), "assistant", "exec"), there, known)
            there |= known
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            found[node.name] = known[node.decorator_list[0].args[0].id]
    return found


def closure(packages):
    """The names of the distributions that a package manager would install."""
    queue, seen = [Requirement(name) for name in packages], {}
    while queue:
        wanted = queue.pop()
        name = canonicalize_name(wanted.name)
        if wanted.extras <= seen.get(name, frozenset("?")) and name in seen:
            continue
        seen[name] = seen.get(name, frozenset()) | wanted.extras
        for told in importlib.metadata.requires(name) or ():
            need = Requirement(told)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in (*wanted.extras, "")):
                queue.append(need)
    return set(seen)


def installed(packages, folder):
    """A folder that holds these distributions alone."""
    folder.mkdir()
    for name in closure(packages):
        distribution = importlib.metadata.distribution(name)
        for top in {Path(file).parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            source = Path(distribution.locate_file(top))
            if source.exists() and not (folder / top).exists():
                (folder / top).symlink_to(source)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A function that runs a stage in its image, on one store; what it printed."""
    home, made = tmp_path_factory.mktemp("home"), {}

    def call(stage, options):
        packages = images()[stage]
        if packages not in made:
            wanted = {*STORE, *packages, "modal"} - FOR_CUDA  # Modal brings its client along
            made[packages] = installed(wanted, home.parent / f"image{len(made)}")
        body = f"from functions.assistant import service; service.stages[{stage!r}](**{options!r})"
        settings = {"PATH": os.environ["PATH"], "HOME": str(home), "ALMANAC_HOME": str(home / "almanac")}
        settings |= {"PYTHONPATH": f"{ROOT}:{made[packages]}", "OMP_NUM_THREADS": "1"}
        words = [sys.executable, "-S", "-c", body]  # -S: without this environment's packages
        ran = subprocess.run(words, cwd=home, env=settings, capture_output=True, text=True, timeout=300)
        assert ran.returncode == 0, ran.stderr[-3000:]

    return call


def test_every_stage_finds_what_it_imports_in_its_own_image(run):
    run("prepare", {"limit": 150, "day": "2026-10-01"})
    run("finetune", {**PLAN, "rank": 2, "day": "2026-10-02"})
    run("evaluate", {"day": "2026-10-02"})
    run("export", {"day": "2026-10-02"})
