"""What pages read is what is published for them: every page is filled and asked on a store that notes its reads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.systems.air_quality import tables as air_quality
from shared.systems.assistant import tables as assistant
from shared.systems.iris import tables as iris
from shared.systems.wine import tables as wine

ROOT = Path(__file__).parents[2]
SYSTEMS = (air_quality, assistant, iris, wine)
# Written by a page, and read by it where it can be written: nothing that a run made, so nothing to publish.
OWN = {assistant.FEEDBACK.name}

# In a process of its own, as Gradio leaves event loops behind. Questions with arguments get some, every other function
# of a page gets what its inputs show, and who asks and what was pressed as Gradio gives them.
PAGES = """
import importlib.util, inspect, json, sys
import gradio as gr
from gradio.helpers import special_args
from starlette.datastructures import Headers
from shared.adapters.local.registry import LocalRegistry
from shared.adapters.local.store import LocalStore

RED = (7.9, 0.52, 0.26, 2.2, 0.079, 14, 38, 0.9967, 3.31, 0.62, 10.2)
ASKED = {
    "iris_predict": (5.0, 3.4, 1.5, 0.2),
    "wine_predict": ("red", *RED),
    "wine_monitor": ("synthetic", "", ""),
    "air_quality_forecast": ("krakow",),
    "air_quality_hindcast": ("krakow",),
    "chat_answer": ("What is a roux?", "", "", 0.7, 0.05, 16),
    "compose_meal": ("2 eggs",),
}
TALK = [{"role": "user", "content": "What is a roux?"}, {"role": "assistant", "content": "Flour and butter."}]
PRESSED = {"index": 0, "value": {"text": "What is a roux?"}, "previous_value": "", "liked": True, "selected": True}
seen = {"tables": set(), "models": set(), "asked": set()}
read, load = LocalStore.read, LocalRegistry.load

def noting_read(store, table, *words, **options):
    seen["tables"].add(table.name)
    return read(store, table, *words, **options)

def noting_load(models, name, version):
    seen["models"].add(name)
    return load(models, name, version)

LocalStore.read, LocalRegistry.load = noting_read, noting_load
def value_of(shown):
    if isinstance(shown, gr.Chatbot):
        return TALK
    told = {"Your message": "What is a roux?", "A question to both": "What is a roux?", "Max tokens": 16}
    told["What serves, against"] = "assistant v2"
    return told.get(getattr(shown, "label", ""), getattr(shown, "value", None))

spec = importlib.util.spec_from_file_location("roof", "spaces/almanac/app.py")
sys.modules["roof"] = roof = importlib.util.module_from_spec(spec)
spec.loader.exec_module(roof)
for function in roof.demo.fns.values():
    if function.fn is not None:
        name = function.fn.__name__
        given = list(ASKED.get(name) or map(value_of, function.inputs))
        by = gr.Request(session_hash=name, client=None, headers=Headers())
        said = function.fn(*special_args(function.fn, given, by, gr.EventData(None, PRESSED))[0])
        for _ in said if inspect.isgenerator(said) else ():
            pass
        seen["asked"].add(name)
print(json.dumps({what: sorted(names) for what, names in seen.items()}))
"""


@pytest.mark.slow
def test_pages_read_the_tables_and_models_that_are_published_for_them_and_no_others(filled_home):
    settings = {**os.environ, "ALMANAC_HOME": str(filled_home), "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", PAGES], cwd=ROOT, env=settings, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr, ran.stderr
    seen = {what: set(names) for what, names in json.loads(ran.stdout.splitlines()[-1]).items()}
    assert seen["asked"] >= {"fill", "iris_predict", "iris_monitor", "wine_predict", "wine_monitor"}
    assert seen["asked"] >= {f"air_quality_{question}" for question in ("stations", "forecast", "hindcast", "skill")}
    assert seen["asked"] >= {"chat_answer", "compose_meal", "_ask", "_compare", "compose_here"}
    assert seen["tables"] == {table.name for system in SYSTEMS for table in system.SHOWN} | OWN
    assert seen["models"] == {name for system in SYSTEMS for name in system.MODELS}
