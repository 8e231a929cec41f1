"""What the card of a version says of what it learned from, where that was told."""

import json
from dataclasses import replace

import pandas as pd
import pytest

pytest.importorskip("trl")

from shared.connect import open_platform
from shared.ports import NewModel
from shared.steps.merging import Parity
from shared.steps.scoring import Share
from shared.steps.side_by_side import Figure
from shared.steps.tuned import ended
from shared.systems.assistant.describing import Written, began_as, described
from shared.systems.assistant.exporting import export
from shared.systems.assistant.tables import CLEANING
from tests.tuned_rig import DAY, a_run

FIGURES = {who: {"loss": Figure(Share(2.0, 1.9, 2.1, 40))} for who in ("candidate", "base")}
WRITTEN = Written(Parity(0.0, 0.0, 1.0, 9), None, has_gguf=False)


def test_the_card_and_the_signature_say_from_which_sources_alone_a_version_learned(judged):
    marked = judged.run / "plan.json"
    told = json.loads(marked.read_text())
    marked.write_text(json.dumps(told | {"plan": told["plan"] | {"sources": "colours-1f2e,mine-c0de"}}))
    effect = {"prepared_at": pd.Timestamp(DAY.isoformat(), tz="UTC"), "place": 0, "filter": "read"}
    effect |= {"conversations": 3, "removed": 0, "share": 0.0, "characters": 9, "example": None}
    rows = [effect | {"source": name} for name in ("colours-1f2e", "mine-c0de", "other-a1b2")]
    judged.platform.features.write(CLEANING, pd.DataFrame(rows)[CLEANING.names])

    export(judged.platform, a_run("export", hour=9), judged.name, judged.folders)

    model = judged.platform.models.load("assistant", 1)
    assert model.signature["plan"]["sources"] == "colours-1f2e,mine-c0de"
    text = (model.folder / "README.md").read_text()
    learned = text.split("## What it learned from")[1].split("\n## ")[0]
    assert "Conversations of `colours-1f2e` and `mine-c0de` alone (it is judged on those of all), of" in learned
    assert "| mine-c0de | read | 3 |" in learned
    assert "other-a1b2" not in learned
    assert " --sources colours-1f2e,mine-c0de " in text.split("## Made again")[1]


@pytest.mark.parametrize(
    ("bases", "origin"),
    [
        (["unsloth/Llama-3.2-1B-Instruct", "assistant:1"], "unsloth/Llama-3.2-1B-Instruct"),
        (["tiny:2x48x3x400x512"], "tiny:2x48x3x400x512"),
        (["assistant:9"], "assistant:9"),
        ([None], "assistant:1"),
    ],
    ids=["two versions", "tiny", "a version that is gone", "a version that says nothing"],
)
def test_a_version_made_of_versions_began_as_what_the_first_was_made_of(tmp_path, bases, origin):
    models = open_platform(home=tmp_path / "home").models
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "config.json").write_text("{}")
    for base in bases:
        models.save(NewModel("assistant", tmp_path / "made", {}, {"base": base} if base else {}))
    assert began_as(f"assistant:{len(bases)}", models) == origin
    assert began_as("unsloth/SmolLM2-135M", models) == "unsloth/SmolLM2-135M"


def test_the_card_of_a_version_made_of_a_llama_s_version_tells_that_llama_s_licence(judged):
    (made := judged.folders.runs.parent / "made").mkdir()
    (made / "config.json").write_text("{}")
    judged.platform.models.save(NewModel("assistant", made, {}, {"base": "unsloth/Llama-3.2-1B-Instruct"}))
    plan = replace(ended(judged.folders.runs).plan, base="assistant:1")
    text = described(
        judged.platform, a_run("export", hour=9), replace(ended(judged.folders.runs), plan=plan), FIGURES, WRITTEN
    )
    assert 'license: "llama3.2"' in text
    assert 'tags: ["almanac", "llama"]' in text
    assert "as far as known: `llama3.2`" in text
