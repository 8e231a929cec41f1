"""What the card of a version says of what it learned from, where that was told."""

import json

import pandas as pd
import pytest

pytest.importorskip("trl")

from shared.systems.assistant.exporting import export
from shared.systems.assistant.tables import CLEANING
from tests.tuned_rig import DAY, a_run


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
