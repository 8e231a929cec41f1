"""How good the model is, as its page tells it: the newest judgement, beside its base, and what filters took away."""

import math
from datetime import UTC, datetime

import pandas as pd

from shared.pages.chat_judged import beside, judged, kept
from shared.systems.assistant.tables import CLEANING, EVALUATIONS

FIRST, SECOND = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC)


def figure(subject, name, value, at=SECOND, run="tiny-r8", bounds=(math.nan, math.nan)):
    known = {"low": bounds[0], "high": bounds[1], "count": 20}
    return {"run": run, "subject": subject, "figure": name, "evaluated_at": at, "model": run, "value": value, **known}


def cleaned(source, at, place, name, left, removed):
    shares = {"share": removed / (left + removed), "characters": 9, "example": None}
    counts = {"place": place, "filter": name, "conversations": left, "removed": removed}
    return {"source": source, "prepared_at": at, **counts, **shares}


def test_the_newest_judgement_is_shown_beside_its_base_with_intervals(platform):
    rows = [
        figure("candidate", "loss", 9.0, FIRST, "old"),
        figure("candidate", "loss", 1.25, bounds=(1.0, 1.5)),
        figure("base", "loss", 2.5),
        figure("candidate", "meals:gram_overrun", 0.0),
    ]
    platform.features.write(EVALUATIONS, pd.DataFrame(rows))
    told = judged(platform)
    for words in (
        "How the newest was judged",
        "tiny-r8, on 2026-10-02",
        "1.25 (1–1.5)",
        "2.5",
        "Meals: gram overrun",
        "Its base",
    ):
        assert words in told
    assert "Served then" not in told
    assert ">9<" not in told


def test_a_source_is_shown_as_it_was_prepared_last_in_the_order_of_filters():
    rows = [
        cleaned("finetome", FIRST, 0, "read", 999, 0),
        cleaned("finetome", SECOND, 1, "near", 1_400, 100),
        cleaned("finetome", SECOND, 0, "read", 1_500, 0),
    ]
    told = kept(pd.DataFrame(rows))
    assert told.index("Read") < told.index("Near")
    assert "1,400" in told
    assert "999" not in told


def test_markup_in_names_is_text():
    told = beside(pd.DataFrame([figure("candidate", "<b>", 1.0, run="<script>")]))
    assert "&lt;script&gt;" in told
    assert "<b>" not in told


def test_an_empty_store_is_said_in_words(platform):
    told = judged(platform)
    assert "Nothing was judged yet." in told
    assert "No conversation was prepared yet." in told
    assert EVALUATIONS.name not in told
    assert CLEANING.name not in told
