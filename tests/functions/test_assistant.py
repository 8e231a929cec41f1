"""The assistant through its commands: from a person's recipes to both pages answering, and what people do wrong."""

import importlib
import inspect
import json
import os
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")

from functions.__main__ import main
from shared.connect import open_platform
from shared.steps.promotion import PROMOTIONS
from shared.systems.assistant.describing import OPTIONS
from shared.systems.assistant.tables import CLEANING, CONVERSATIONS, EVALUATIONS, TRIALS
from tests.tuned_rig import stored

ROOT = Path(__file__).parents[2]
DATA = os.environ.get("ALMANAC_TEST_DATA")
TINY = "tiny:2x48x3x400x512"  # layers, hidden size, heads, vocabulary, positions
MINUTES = 10  # for the whole path, on two cores


class House:
    """A store of one's own, and the commands a person types."""

    def __init__(self, home):
        self.home = home
        self.seconds = {}
        self.environment = {**os.environ, "ALMANAC_HOME": str(home), "ALMANAC_WORLD": "demo"}

    def run(self, stage, *words):
        """Return what `almanac run assistant STAGE` reports."""
        begun = time.monotonic()
        ran = self.command("run", "assistant", stage, *words, "--json")
        self.seconds[stage] = time.monotonic() - begun
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return json.loads(ran.stdout)

    def command(self, *words):
        return subprocess.run(
            [sys.executable, "-m", "functions", *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=MINUTES * 60,
        )

    def asked(self, page, name, *given, **named):
        """Serve a page as `almanac open` does, and return what its API answers."""
        from gradio_client import Client

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-P", str(ROOT / "spaces" / page / "app.py")]
        settings = {**self.environment, "GRADIO_SERVER_PORT": str(port)}
        with subprocess.Popen(command, env=settings, cwd=ROOT, stdout=subprocess.DEVNULL) as serving:
            try:
                return _client(Client, port).predict(*given, **named, api_name=name)
            finally:
                serving.terminate()

    def rows(self, table):
        return open_platform(world="demo", home=self.home).features.read(table)


def _client(client, port):
    for _ in range(120):
        try:
            return client(f"http://127.0.0.1:{port}", verbose=False)
        except Exception:  # until it serves
            time.sleep(0.5)
    raise AssertionError("the page never answered")


@pytest.fixture(scope="module")
def cook(tmp_path_factory):
    """Recipes taken in, a tiny Llama trained on them from random weights, judged and exported."""
    if not DATA:
        pytest.skip("real recipes: set ALMANAC_TEST_DATA to a folder that holds recipes/*.jsonl")
    house = House(tmp_path_factory.mktemp("cook"))
    house.reports = {"prepare": house.run("prepare", "--source", f"{DATA}/recipes")}
    house.reports["finetune"] = house.run("finetune", "--steps", "150")
    house.reports["evaluate"] = house.run("evaluate")
    house.reports["export"] = house.run("export")
    return house


@pytest.mark.slow
def test_recipes_become_a_model_that_both_pages_answer_with_within_ten_minutes(cook):
    begun = time.monotonic()
    meal = cook.asked("meals", "/compose_meal", ingredients="2 eggs, 300g rice, 1 onion", servings=2)
    chat = cook.asked("chat", "/chat_answer", question="How do I make Pancakes?", max_tokens=60, temperature=0)
    cook.seconds["pages"] = time.monotonic() - begun
    assert meal["model"] == chat["model"] == "assistant v1"
    assert chat["answer"] and chat["tokens"] <= 60
    house = {"egg": 100, "rice": 300, "onion": 150}
    assert meal["recipe"]["ingredients"].keys() <= house.keys()
    assert all(0 < grams <= house[name] for name, grams in meal["recipe"]["ingredients"].items())
    assert sum(cook.seconds.values()) < MINUTES * 60, cook.seconds


@pytest.mark.slow
def test_every_recipe_is_kept_or_the_filter_that_took_it_is_named(cook):
    effects = cook.rows(CLEANING).sort_values("place")
    assert effects["conversations"].iloc[0] == 397
    assert effects["conversations"].iloc[0] - effects["removed"].sum() == len(cook.rows(CONVERSATIONS))
    assert {*cook.rows(CONVERSATIONS)["kind"]} == {"chat", "meals"}


@pytest.mark.slow
def test_a_tiny_llama_learns_from_them_and_is_judged_beside_its_base(cook):
    told = cook.reports["finetune"]
    assert told["metrics"]["eval_loss"] < 0.8 * told["baselines"]["eval_loss"]
    figures = cook.rows(EVALUATIONS).set_index(["subject", "figure"])["value"]
    assert figures["candidate", "loss"] < figures["base", "loss"]
    assert figures["candidate", "meals:json_valid"] == 1
    assert figures["candidate", "meals:gram_overrun"] == 0


@pytest.mark.slow
def test_what_beats_its_base_serves_and_a_repeat_registers_nothing(cook):
    assert cook.reports["export"]["note"].startswith("promoted")
    again = cook.run("export")
    assert "registered before" in again["note"]
    assert list(cook.rows(PROMOTIONS)["version"]) == [1]


@pytest.mark.slow
def test_fine_tuning_again_has_nothing_to_do(cook):
    again = cook.run("finetune", "--steps", "150")
    assert again["model"] == cook.reports["finetune"]["model"]
    assert "had ended before" in again["note"]


@pytest.mark.slow
def test_a_search_on_what_serves_recommends_one_setting_and_goes_on_when_called_again(cook):
    words = ("--ranks", "2,4", "--learning-rates", "1e-3", "--lowest", "2", "--rungs", "2")
    found = cook.run("search", *words)
    assert {row["base"] for row in cook.rows(TRIALS).to_dict("records")} == {"assistant:1"}
    begun = time.monotonic()
    again = cook.run("search", *words)
    assert again["note"] == found["note"]
    assert time.monotonic() - begun < cook.seconds["search"] + 30


def test_the_card_tells_every_option_of_a_fine_tuning_and_no_other():
    stage = inspect.signature(importlib.import_module("functions.assistant").service.stages["finetune"])
    assert [*stage.parameters] == [*OPTIONS, "day"]


@pytest.mark.slow
def test_a_run_is_made_again_bit_for_bit_by_the_command_on_its_card(tmp_path):
    pytest.importorskip("trl")
    homes = [House(tmp_path / name) for name in ("first", "second")]
    for house in homes:
        stored(open_platform(world="demo", home=house.home))
    plan = ("--steps", "20", "--rank", "0", "--learning-rate", "5e-3", "--accumulation", "2", "--packing", "0")
    name = homes[0].run("finetune", "--base", TINY, *plan, "--max-length", "256", "--day", "2026-10-02")["model"]
    homes[0].run("evaluate", "--day", "2026-10-02")
    homes[0].run("export", "--day", "2026-10-02")
    card = (
        open_platform(world="demo", home=homes[0].home).models.load("assistant", 1).folder / "README.md"
    ).read_text()
    command = next(line for line in card.splitlines() if line.startswith("almanac run assistant finetune "))
    assert "no option" not in card
    assert homes[1].run("finetune", *shlex.split(command)[4:], "--day", "2026-10-02")["model"] == name
    first, second = (house.home / "demo" / "runs" / name / "best" / "model.safetensors" for house in homes)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("words", "sentence", "code"),
    [
        (("finetune",), "run `almanac run assistant prepare`", 1),
        (("evaluate",), "run `almanac run assistant finetune`", 1),
        (("export",), "run `almanac run assistant finetune`", 1),
        (("finetune", "--rank", "0", "--precision", "4bit"), "give a rank", 2),
        (("finetune", "--rank", "-5"), "rank -5 is below 0", 2),
        (("finetune", "--batch", "0"), "batch 0 is below 1", 2),
        (("finetune", "--steps", "0"), "steps 0 is below 1", 2),
        (("finetune", "--max-length", "0"), "max_length 0 is below 1", 2),
        (("finetune", "--learning-rate", "0"), "learning_rate 0.0 is not between 0 and 1", 2),
        (("finetune", "--seed", "-1"), "seed -1 is below 0", 2),
        (("finetune", "--seed", "4294967296"), "seed 4294967296 is above", 2),
        (("finetune", "--packing", "2"), "packing 2 is neither 1 nor 0", 2),
        (("finetune", "--base", ""), "'' is no base", 1),
        (("finetune", "--base", "assistant:"), "'assistant:' is no base", 1),
        (("search", "--bases", "tiny,/nowhere"), "/nowhere holds no config.json", 1),
        (("search", "--ranks", "eight"), "no list of numbers", 2),
        (("search", "--bases", f"tiny,{TINY}", "--revision", "main"), "--revision is of one base, and here are 2", 2),
        (("finetune", "--sources", "mine-1f2e"), "run `almanac run assistant prepare`", 1),
        (("prepare", "--limit", "0"), "at least 1; got 0", 2),
        (("prepare", "--limit", "-5"), "at least 1; got -5", 2),
        (("prepare", "--source", "nowhere.jsonl"), "nowhere.jsonl", 1),
    ],
)
def test_what_is_missing_or_wrong_is_one_sentence_that_says_what_to_do(capsys, words, sentence, code):
    with pytest.raises(SystemExit) as ended:
        main(["run", "assistant", *words, "--json"])
    assert sentence in json.loads(capsys.readouterr().out)["error"]
    assert ended.value.code == code
