"""The tree tells the truth: the same stems everywhere, small files, documents that agree with the code, no secret."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from functions._stages import systems_of_pages

ROOT = Path(__file__).parents[2]
SERVICES = sorted(path.stem for path in (ROOT / "functions").glob("[a-z]*.py"))
STAGE_MODULES = {"tables", "sources", "features", "training", "inference", "monitoring"}
# Where a stage would be too long for one file; they have their place in the layers of pyproject.toml.
OTHER_MODULES = {
    *("plausible", "synthesizers", "synthesis", "model"),
    *("units", "history", "days", "open_meteo", "aqicn", "stations", "merging", "parcels", "panel", "baselines"),
    *("blend", "scores", "backtest", "keeping", "showing", "drawing", "publishing"),
    *("foods", "amounts", "ingredients", "allergen_terms", "allergens", "recipes", "portions", "checking", "cookbook"),
    *("letters", "alternatives", "meals", "cleaning", "origin", "checking_terms", "judgements"),
    *("instructions", "tastings", "evaluation", "searches", "trials", "searching", "describing", "exporting"),
    *("weighing", "recipe_forms", "shapes"),
}
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
SECRETS = re.compile(
    r"hf_[A-Za-z0-9]{20,}|a[ks]-[A-Za-z0-9]{20,}|AKIA[0-9A-Z]{16}|ghp_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9]{20,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY|(?i:(password|api_?key|token|secret)\s*[:=]\s*[\"'][A-Za-z0-9+/_-]{16,}[\"'])"
)


@pytest.mark.parametrize("service", SERVICES)
def test_a_system_has_the_same_stem_and_modules_everywhere(service):
    modules = {path.stem for path in (ROOT / "shared" / "systems" / service).glob("[a-z]*.py")}
    assert modules >= STAGE_MODULES
    assert modules <= STAGE_MODULES | OTHER_MODULES
    assert service in systems_of_pages().values()
    assert (ROOT / "tests" / "functions" / f"test_{service}.py").exists()
    assert (ROOT / "tests" / "shared" / "systems" / service).is_dir()


def test_no_source_file_is_longer_than_300_lines():
    sources = [path for folder in ("shared", "functions", "spaces") for path in (ROOT / folder).rglob("*.py")]
    assert {
        str(path): len(path.read_text().splitlines()) for path in sources if len(path.read_text().splitlines()) > 300
    } == {}


def test_shared_holds_python_files_only_as_it_is_copied_into_containers_and_spaces():
    others = [name for name in TRACKED if name.startswith("shared/") and not name.endswith(".py")]
    assert others == []


def test_spaces_is_not_a_package_as_it_would_shadow_the_one_gradio_imports():
    assert not (ROOT / "spaces" / "__init__.py").exists()


def test_the_readme_agrees_with_the_code():
    ran = subprocess.run(
        [sys.executable, "-m", "functions._readme", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr


def test_the_changelog_and_the_style_page_are_there():
    assert "## " in (ROOT / "CHANGELOG.md").read_text()
    assert "five edits" in (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize("name", [name for name in TRACKED if name])
def test_no_secret_is_in_the_tree(name):
    path = ROOT / name
    assert path.suffix != ".env"
    if path.exists():
        assert not SECRETS.search(path.read_bytes().decode("utf-8", "ignore"))


@pytest.mark.parametrize("text", ['API_KEY = "' + "a1" * 9 + '"', "hf_" + "a" * 24, "-----BEGIN RSA " + "PRIVATE KEY"])
def test_the_secret_scan_finds_a_secret(text):
    assert SECRETS.search(text)


def test_services_do_not_know_each_other():
    for service in SERVICES:
        text = (ROOT / "functions" / f"{service}.py").read_text()
        others = {found for found in re.findall(r"functions\.([a-z]\w*)", text) if found in SERVICES}
        assert others <= {service}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("shared/tables.py", "import shared.runs", "Inside shared, imports point down"),
        ("shared/steps/drift.py", "import shared.connect", "Systems and steps never see an adapter"),
        (
            "shared/systems/iris/tables.py",
            "import shared.systems.iris.monitoring",
            "Inside a system, imports point upstream",
        ),
        ("shared/systems/tulip/__init__.py", "import shared.systems.iris.tables", "Systems do not know each other"),
        ("functions/iris.py", "import shared.adapters.local.store", "A service opens its platform through connect"),
        ("shared/runs.py", "import modal", "Modal stays in functions, Gradio in pages"),
        ("shared/steps/charts.py", "import gradio", "Modal stays in functions, Gradio in pages"),
        ("shared/steps/alerts.py", "import apprise", "Modal stays in functions, Gradio in pages"),
        (
            "shared/systems/air_quality/panel.py",
            "import shared.systems.air_quality.features",
            "Inside a system, imports point upstream",
        ),
        ("functions/_status.py", "import gradio", "What runs needs no pages"),
    ],
)
def test_each_import_contract_reports_a_breach(module, line, contract, tmp_path):
    for folder in ("shared", "functions"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    target = tmp_path / module
    target.parent.mkdir(exist_ok=True)
    target.write_text((target.read_text() if target.exists() else "") + f"\n{line}\n")
    code = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as run; run()"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    broken = " ".join(ran.stdout.split())
    assert re.search(rf"{contract}[^.]*? BROKEN", broken), ran.stdout
