"""An image holds what its stages import: each runs with its image's packages, what those need, and nothing else."""

import ast
import importlib.metadata
import json
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
LADDER = {"bases": TINY, "ranks": "2", "learning_rates": "1e-3", "lowest": 2, "rungs": 1}
PLAN = {"base": TINY, "steps": 120, "batch": 4, "max_length": 256}

STAGE = """
import json, sys
from functions.assistant import service
options = json.loads(sys.argv[1])
service.stages[options.pop("stage")](**options)
"""
# A search whose trials run in an image of their own, as they do on Modal.
SEARCH = """
import json, subprocess, sys
from functions.assistant import service
options, command, settings = map(json.loads, sys.argv[1:])
body = "import json, sys; from functions.assistant import service as s;"
body += "print(json.dumps(s._workers['trial'](json.loads(sys.argv[1]))))"
def trial(part):
    ran = subprocess.run([*command, body, json.dumps(part)], env=settings, capture_output=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1])
service._workers["trial"] = trial
service.stages[options.pop("stage")](**options)
"""
SERVE = """
from functions._answering import answering
from functions.assistant import service
from shared.chat import Sampling
from shared.steps.answering.batch import Batched
from shared.systems.assistant import inference
with service.reading() as platform:
    model = inference.load_model(platform, inference.chosen(platform))
with Batched(model) as chat:
    answering(chat)
    assert [*chat.stream([{"role": "user", "content": "rice"}], Sampling(0, 0, 5), schema={"type": "integer"})]
"""


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
    folder.mkdir(parents=True)
    for name in closure(packages):
        distribution = importlib.metadata.distribution(name)
        for top in {Path(file).parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            source = Path(distribution.locate_file(top))
            if source.exists() and not (folder / top).exists():
                (folder / top).symlink_to(source)
    return folder


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A function that returns the command and the environment of a Python in a stage's image, on one store."""
    home, made = tmp_path_factory.mktemp("home"), {}

    def python(stage):
        packages = images()[stage]
        if packages not in made:
            wanted = {*STORE, *packages, "modal"} - FOR_CUDA  # Modal brings its client along
            made[packages] = installed(wanted, home / f"image{len(made)}" / "site-packages")
        settings = {"PATH": os.environ["PATH"], "HOME": str(home), "ALMANAC_HOME": str(home / "almanac")}
        settings |= {"PYTHONPATH": f"{ROOT}:{made[packages]}", "OMP_NUM_THREADS": "1"}
        return [sys.executable, "-S", "-c"], settings  # -S: without this environment's packages

    return python


def run(here, stage, body=STAGE, *words, **options):
    command, settings = here(stage)
    told = [json.dumps(one) for one in ({"stage": stage, **options}, *words)]
    ran = subprocess.run([*command, body, *told], env=settings, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr[-3000:]


def test_every_stage_and_worker_finds_what_it_imports_in_its_own_image(here):
    run(here, "prepare", limit=150, day="2026-10-01")
    run(here, "finetune", **PLAN, day="2026-10-02")
    run(here, "evaluate", day="2026-10-02")
    run(here, "export", day="2026-10-02")
    run(here, "serve", SERVE)
    run(here, "search", SEARCH, *here("trial"), **LADDER, day="2026-10-02")
    run(here, "rollback", version=1, reason="a rehearsal", day="2026-10-02")
