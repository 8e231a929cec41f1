"""A store with a few conversations and a tiny Llama fine-tuned on them, in seconds: what is judged and exported."""

import json
from datetime import UTC, date, datetime

import pandas as pd

from shared.runs import Run
from shared.systems.assistant.recipes import Recipe, as_conversation
from shared.systems.assistant.tables import CONVERSATIONS

DAY = date(2026, 10, 1)
COLOURS = ("red", "blue", "green", "yellow", "black", "white", "brown", "grey", "pink", "violet", "orange", "beige")
THINGS = ("door", "boat", "chair", "hat", "cup", "book", "lamp", "coat")
SPLIT_OF = {0: "test", 1: "test", 2: "validation"}  # of eight things; the rest is learned from


def a_run(stage="evaluate", day=DAY, hour=8):
    """A run of a stage as the ledger would describe it."""
    started = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    return Run(f"run-{stage}-{hour}", "assistant", stage, day, started, "c0de", asked=True)


def conversations():
    """Ninety-six short dialogues about colours, and twelve recipes of rice."""
    for colour in COLOURS:
        for place, thing in enumerate(THINGS):
            asked = f"What colour is the {colour} {thing}?"
            messages = [
                {"role": "user", "content": asked},
                {"role": "assistant", "content": f"The {thing} is {colour}."},
            ]
            yield f"{place}-{colour}-{thing}", "chat", SPLIT_OF.get(place, "train"), messages
    for place, food in enumerate(
        ("egg", "leek", "carrot", "pea", "bean", "corn", "beet", "kale", "tofu", "ham", "cod", "fig")
    ):
        steps = ("Boil the rice in salted water.", f"Add the {food} and serve it warm.")
        recipe = Recipe(f"Rice with {food}", 2, 25, {"rice": 150, food: 100}, ("salt", "water"), steps)
        yield f"m{place}-{food}", "meals", "test" if place < 4 else "train", as_conversation(recipe)


def stored(platform, source="colours"):
    """Write the conversations as ``prepare`` would."""
    rows = [
        {"conversation_id": one, "kind": kind, "split": split, "messages": json.dumps(messages)}
        for one, kind, split, messages in conversations()
    ]
    at = pd.Timestamp(DAY.isoformat(), tz="UTC")
    table = pd.DataFrame(rows).assign(stored_at=at, source=source, turns=2)
    table["characters"] = table["messages"].str.len()
    platform.features.write(CONVERSATIONS, table[CONVERSATIONS.names])


def tuned(platform, folders, on_checkpoint=lambda: None, **told):
    """Fine-tune a tiny model on them; return the run's name."""
    from shared.steps.plans import Plan
    from shared.systems.assistant.training import finetune

    usual = {"base": "tiny:2x48x3x400x1024", "rank": 0, "learning_rate": 5e-3, "steps": 60, "batch": 16}
    usual |= {"accumulation": 1, "max_length": 512, "warmup": 5, "evaluate_every": 30, "checkpoint_every": 30}
    return finetune(platform, a_run("finetune"), Plan(**{**usual, **told}), folders, on_checkpoint).model
