"""The tree tells the truth: the same stems everywhere, small files, documents that agree with the code, no secret."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = sorted(path.stem for path in (ROOT / "functions").glob("[a-z]*.py"))
STAGE_MODULES = {"tables", "sources", "features", "training", "inference", "monitoring"}
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
SECRETS = re.compile(
    r"hf_[A-Za-z0-9]{20,}|a[ks]-[A-Za-z0-9]{20,}|AKIA[0-9A-Z]{16}|ghp_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9]{20,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY|(?i:(password|api_?key|token|secret)\s*[:=]\s*[\"'][A-Za-z0-9+/_-]{16,}[\"'])"
)


@pytest.mark.parametrize("service", SERVICES)
def test_a_system_has_the_same_stem_and_modules_everywhere(service):
    modules = {path.stem for path in (ROOT / "shared" / "systems" / service).glob("[a-z]*.py")}
    assert modules == STAGE_MODULES
    assert list((ROOT / "spaces").glob(f"{service}*/app.py"))
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


@pytest.mark.parametrize("text", ['API_KEY = "abcdefghijklmnop1234"', "hf_" + "a" * 24, "-----BEGIN RSA PRIVATE KEY"])
def test_the_secret_scan_finds_a_secret(text):
    assert SECRETS.search(text)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("shared/systems/iris/features.py", "import shared.adapters.local.store"),
        ("shared/tables.py", "import shared.runs"),
        ("shared/systems/iris/tables.py", "import shared.systems.iris.monitoring"),
        ("shared/runs.py", "import modal"),
        ("functions/iris.py", "import shared.adapters.local.store"),
    ],
)
@pytest.mark.slow
def test_each_import_contract_reports_a_breach(module, line, tmp_path):
    for folder in ("shared", "functions"):
        subprocess.run(["cp", "-r", str(ROOT / folder), str(tmp_path / folder)], check=True)
    subprocess.run(["cp", str(ROOT / "pyproject.toml"), str(tmp_path)], check=True)
    target = tmp_path / module
    target.write_text(target.read_text() + f"\n{line}\n")
    command = [
        sys.executable,
        "-c",
        "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as c; c()",
    ]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "BROKEN" in ran.stdout
