"""Every module imports; a service file costs next to nothing; the command loads what it needs and no more."""

import importlib
import itertools
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = sorted(path.stem for path in (ROOT / "functions").glob("[a-z]*.py"))
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for folder in ("shared", "functions")
    for path in (ROOT / folder).rglob("*.py")
)
HEAVY = {
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "sklearn",
    "onnxruntime",
    "httpx",
    "gradio",
    "torch",
    "mlflow",
    "plotly",
}

COST = """
import sys, time, modal
began = time.process_time()
import functions.{service}
print((time.process_time() - began) * 1000)
print(*sys.modules)
"""


def fresh(code, **settings):
    environment = {**os.environ, **settings}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return ran.stdout.splitlines()


@pytest.mark.parametrize("module", MODULES)
def test_every_module_imports(module):
    importlib.import_module(module)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_file_loads_nothing_heavy(service):
    assert HEAVY.isdisjoint(fresh(COST.format(service=service))[1].split())


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_file_costs_at_most_20_ms_on_top_of_modal(service, tmp_path):
    """Of processor time, median of five fresh processes with compiled modules; three rounds, as others run beside."""
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    fresh(COST.format(service=service), **compiled)
    cost = (float(fresh(COST.format(service=service), **compiled)[0]) for _ in range(15))
    assert any(statistics.median(itertools.islice(cost, 5)) <= 20 for _ in range(3))


@pytest.mark.parametrize(
    "modules", ["iris.inference, iris.monitoring", "air_quality.parcels, air_quality.inference, air_quality.monitoring"]
)
def test_a_daily_run_predicts_without_any_training_library(modules):
    imported = ", ".join(f"shared.systems.{module}" for module in modules.split(", "))
    loaded = fresh(f"import sys, {imported}; print(*sys.modules)")[0].split()
    assert {"sklearn", "skl2onnx", "xgboost", "torch", "gradio", "modal", "plotly"}.isdisjoint(loaded)


def test_what_a_static_page_is_drawn_with_is_in_its_image():
    from functions._modal.images import STORE
    from functions.air_quality import AIR

    code = (
        "import sys, shared.systems.air_quality.publishing; print(*(n for n in sys.modules if n.startswith('shared.')))"
    )
    files = [Path(importlib.import_module(name).__file__) for name in fresh(code)[0].split()]
    at_once = re.compile(r"^(?:from|import) (\w+)", re.MULTILINE)
    asked = {name for file in files for name in at_once.findall(file.read_text())}
    assert asked - sys.stdlib_module_names - {"shared"} <= {*STORE, *AIR}


def test_the_command_shows_its_help_without_pandas_or_gradio():
    code = "import sys, functions.__main__; print(*sys.modules)"
    assert (HEAVY - {"numpy"}).isdisjoint(fresh(code)[0].split())
