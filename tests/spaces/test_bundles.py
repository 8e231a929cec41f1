"""Each Space runs alone from the folder that is uploaded, and that folder holds what it needs and nothing else."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from gradio_client import Client

from functions._deploy import bundle as bundle
from shared.errors import UsageError

REPO = Path(__file__).parents[2]
SPACES = sorted(path.parent.name for path in (REPO / "spaces").glob("*/app.py"))
PINS = dict(line.lower().split("==") for line in (REPO / "constraints.txt").read_text().split())
# Reached by what no page uses: the demo world, training; imported inside functions. test_space_environments.py shows
# that no Space needs them.
OPTIONAL = {"apprise", "holidays", "reverse_geocode", "timezonefinder"}
OPTIONAL |= {"onnxmltools", "skl2onnx", "sklearn", "threadpoolctl", "xgboost"}
# The roof computes no answers itself: its pages of the assistant ask an endpoint, or say what to install.
LANGUAGE = {"jinja2", "llguidance", "safetensors", "tokenizers", "torch", "transformers"}
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}

# As `python app.py` does it, but with neither the repository nor what only training and feeds take.
ALONE = """
import runpy, sys
sys.meta_path = [finder for finder in sys.meta_path if not getattr(finder, "__module__", "").startswith("__editable__")]
sys.path = [".", *(place for place in sys.path if not place.startswith("__editable__"))]
for name in ("sklearn", "xgboost", "holidays", "reverse_geocode", "apprise"):
    sys.modules[name] = None
runpy.run_path("app.py", run_name="__main__")
"""


def packages(sources):
    """Return the top-level packages that the files import, except the standard library and ours."""
    names = set()
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module)
    return {name.split(".")[0] for name in names} - {*sys.stdlib_module_names, "shared"}


def required(space):
    """Return the pins of a Space's requirements, by package without its extras."""
    lines = (REPO / "spaces" / space / "requirements.txt").read_text().split()
    return dict(re.sub(r"\[.*\]", "", line).split("==") for line in lines)


@pytest.mark.slow
def test_the_wine_page_works_without_shap_and_says_what_to_install(serve, filled_home, tmp_path):
    bundle.bundle("wine", tmp_path / "space")
    measures = (7.9, 0.52, 0.26, 2.2, 0.079, 14, 38, 0.9967, 3.31, 0.62, 10.2)
    command = [sys.executable, "-P", "-c", 'import sys\nsys.modules["shap"] = None\n' + ALONE]
    with serve(command, filled_home, tmp_path / "space", tmp_path / "log.txt") as server:
        said = Client(server.url, verbose=False).predict("red", *measures, api_name="/wine_predict")
    assert said["notes"] == ["what moved a prediction needs shap: pip install 'almanac[explain]'"]
    assert (said["moved"], said["usual"]) == ([], None)
    assert said["grade"] in range(3, 10)
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("space", SPACES)
def test_a_bundle_holds_source_files_only(space, tmp_path):
    written = bundle.bundle(space, tmp_path / "space")
    there = {path.relative_to(tmp_path / "space") for path in (tmp_path / "space").rglob("*") if path.is_file()}
    assert there == {*written, Path(bundle.MARK)}
    assert {path.suffix for path in written} == {".py", ".txt", ".md"}
    assert {path.parts[0] for path in written} <= {"app.py", "requirements.txt", "README.md", "shared", "pages"}


def test_what_lies_beside_a_page_is_not_taken(tmp_path, monkeypatch):
    for name in ("spaces/one/app.py", "spaces/one/requirements.txt", "spaces/one/README.md", "shared/__init__.py"):
        (tmp_path / "repo" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "repo" / name).write_text("")
    for name in (".env", "notes.txt", "store.parquet", "__pycache__/app.pyc", ".venv/bin/python"):
        (tmp_path / "repo/spaces/one" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "repo/spaces/one" / name).write_text("secret")
    monkeypatch.setattr(bundle, "ROOT", tmp_path / "repo")
    assert [*map(str, bundle.bundle("one", tmp_path / "out"))] == ["README.md", "app.py", "requirements.txt"]


def test_imports_are_followed_into_functions_and_through_packages(tmp_path, monkeypatch):
    sources = {
        "app.py": "def later():\n    from shared.deep.inner import thing",
        "shared/__init__.py": "",
        "shared/deep/__init__.py": "import shared.other",
        "shared/deep/inner.py": "from shared import third\nthing = 1",
        "shared/other.py": "",
        "shared/third.py": "import numpy",
        "shared/unused.py": "",
    }
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(bundle, "ROOT", tmp_path)
    found = [path.as_posix() for path in bundle.closure([tmp_path / "app.py"])]
    assert found == [name for name in sorted(sources) if name not in ("app.py", "shared/unused.py")]


def test_the_roof_takes_every_other_page_with_it():
    pages = {path.parts[1] for path in bundle.contents("almanac") if path.parts[0] == "pages"}
    assert pages == {*SPACES} - {"almanac"}


def test_a_bundle_replaces_an_earlier_one_whole(tmp_path):
    target = tmp_path / "space"
    bundle.bundle("iris_monitor", target)
    (target / "__pycache__").mkdir()
    (target / "__pycache__" / "app.pyc").write_text("left by a run")
    bundle.bundle("iris", target)
    assert (target / "app.py").read_text() == (REPO / "spaces/iris/app.py").read_text()
    assert not (target / "shared/steps/charts.py").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["space"]


@pytest.mark.parametrize("name", ["thesis.txt", ".almanac/demo/manifest.db"])
def test_a_folder_with_something_of_ones_own_is_never_replaced(name, tmp_path):
    bundle.bundle("iris", tmp_path / "space")
    (tmp_path / "space" / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "space" / name).write_text("years of work")
    with pytest.raises(UsageError, match="would be lost"):
        bundle.bundle("iris", tmp_path / "space")
    assert (tmp_path / "space" / name).read_text() == "years of work"


def test_a_folder_that_no_bundle_wrote_is_never_replaced(tmp_path):
    (tmp_path / "app.py").write_text("mine")
    with pytest.raises(UsageError, match=r"app\.py was not written by a bundle"):
        bundle.bundle("iris", tmp_path)


def test_a_file_in_the_place_of_the_folder_is_never_replaced(tmp_path):
    (tmp_path / "space").write_text("mine")
    with pytest.raises(UsageError, match="was not written by a bundle"):
        bundle.bundle("iris", tmp_path / "space")


@pytest.mark.parametrize("name", ["roses", "../iris", "", "."])
def test_a_space_that_is_not_there_is_named_with_those_that_are(name, tmp_path):
    with pytest.raises(
        UsageError, match="there are: air_quality, almanac, chat, iris, iris_monitor, meals, wine, wine_monitor"
    ):
        bundle.bundle(name, tmp_path / "space")


def test_the_command_lists_what_it_wrote_and_ends_with_2_on_wrong_use(tmp_path):
    command = [sys.executable, "-P", str(REPO / "spaces" / "bundle.py")]
    ran = subprocess.run([*command, "iris", str(tmp_path / "x")], capture_output=True, text=True)
    assert ran.returncode == 0
    assert str(tmp_path / "x" / "app.py") in ran.stdout.splitlines()
    ran = subprocess.run([*command, "roses", str(tmp_path / "y")], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "there is no Space 'roses'" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("space", SPACES)
def test_requirements_are_what_the_code_imports_at_the_versions_of_the_constraints(space):
    pins = required(space)
    assert pins == {name: PINS[name] for name in pins}
    sources = [source for path, source in bundle.contents(space).items() if path.suffix == ".py"]
    assert {*pins} == packages(sources) - OPTIONAL - (LANGUAGE if space == bundle.ROOF else set())


@pytest.mark.parametrize("space", SPACES)
def test_the_front_matter_is_what_hugging_face_reads(space):
    _, front, text = (REPO / "spaces" / space / "README.md").read_text().split("---\n", 2)
    facts = dict(line.split(": ", 1) for line in front.splitlines())
    assert facts["sdk_version"] == PINS["gradio"]
    assert (facts["sdk"], facts["app_file"], facts["python_version"]) == ("gradio", "app.py", '"3.12"')
    assert {facts["colorFrom"], facts["colorTo"]} <= COLOURS
    assert facts["emoji"]
    assert facts["title"] == space.replace("_", " ").capitalize()
    assert len(facts["short_description"]) <= 60
    assert len(text.strip().splitlines()) == 2


def test_the_mark_lists_the_files_of_the_bundle(tmp_path):
    written = bundle.bundle("iris", tmp_path / "space")
    mark = json.loads((tmp_path / "space" / bundle.MARK).read_text())
    assert mark == {"space": "iris", "files": sorted(map(str, written))}
