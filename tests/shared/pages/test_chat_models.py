"""Which models a page offers: those that may answer, and whose weights are where it reads."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.errors import NotYetError
from shared.pages.chat_models import choices, comparable
from shared.ports import ModelVersion, NewModel
from shared.steps.promotion import Verdict, record

pytest.importorskip("torch")


def decided(platform, version, verdict):
    model = ModelVersion("assistant", Path(), {}, version=version)
    then = datetime(2026, 10, version, tzinfo=UTC)
    record(platform, model, Verdict(verdict, "for the test", {}), day=then.date(), decided_at=then, run_id="")


def saved(platform, folder):
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "config.json").write_text("{}")
    platform.models.save(NewModel("assistant", folder / "model", {"loss": 1.0}))


def test_a_challenger_that_was_not_brought_here_is_not_offered(platform, tmp_path):
    saved(platform, tmp_path)
    decided(platform, 1, "promoted")
    decided(platform, 2, "waits")
    assert choices() == [("assistant v1 (champion)", "assistant v1")]
    assert not comparable()


def test_two_that_are_here_can_be_compared(platform, tmp_path):
    for version, verdict in ((1, "promoted"), (2, "waits")):
        saved(platform, tmp_path)
        decided(platform, version, verdict)
    assert [name for _, name in choices()] == ["assistant v1", "assistant v2"]
    assert comparable()


def test_where_none_was_brought_the_page_says_what_brings_one(platform):
    decided(platform, 1, "promoted")
    with pytest.raises(NotYetError, match="assistant v1 serves, but was not brought here yet; run `almanac publish`"):
        choices()


def test_where_none_was_made_the_page_says_what_makes_one():
    with pytest.raises(NotYetError, match="run `almanac run assistant prepare`"):
        choices()
