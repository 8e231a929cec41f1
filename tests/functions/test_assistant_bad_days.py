"""What went wrong when the assistant's commands were used: as documented, in two worlds, half installed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from functions import assistant
from functions.__main__ import main

ROOT = Path(__file__).parents[2]
DOCUMENTED = [
    (stage, option)
    for stage, words in re.findall(r"almanac run assistant (\w+)([^#\n&`]*)", (ROOT / "README.md").read_text())
    for option in re.findall(r"--[a-z_-]+", words)
]
WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; from functions.__main__ import main; main(sys.argv[1:])"


@pytest.mark.parametrize(("stage", "option"), sorted(set(DOCUMENTED)))
def test_an_option_that_the_readme_names_is_known_to_the_command(capsys, stage, option):
    with pytest.raises(SystemExit):
        main(["run", "assistant", stage, option])  # without the value it asks for, so nothing runs
    assert "requires an argument" in capsys.readouterr().err


def test_fine_tunings_of_the_simulated_world_are_not_judged_or_exported_in_the_live_one(monkeypatch, tmp_path):
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path))
    found = {}
    for world in ("demo", "live"):
        monkeypatch.setenv("ALMANAC_WORLD", world)
        found[world] = assistant._folders()[0].runs
    assert found["demo"] != found["live"]


@pytest.mark.parametrize("stage", ["finetune", "search", "evaluate", "export", "serve"])
def test_without_the_extra_a_command_names_it_in_one_sentence(tmp_path, stage):
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "run", "assistant", stage],
        cwd=ROOT,
        env={"ALMANAC_HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 1
    assert "almanac[llm]" in ran.stderr
    assert "ModuleNotFoundError" not in ran.stderr
