"""Which models a page offers: those that may answer, and whose weights are where it reads."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.chat import Sampling
from shared.connect import world_folder
from shared.errors import NotYetError, UsageError
from shared.pages.chat_models import about, alone, choices, opened, pair, rivals
from shared.ports import ModelVersion, NewModel
from shared.steps.promotion import Verdict, record

pytest.importorskip("torch")
from shared.steps.bases import Size, build_tiny


def decided(platform, version, verdict):
    model = ModelVersion("assistant", Path(), {}, version=version)
    then = datetime(2026, 10, version, tzinfo=UTC)
    record(platform, model, Verdict(verdict, "for the test", {}), day=then.date(), decided_at=then, run_id="")


def saved(platform, folder, **signature):
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "config.json").write_text("{}")
    platform.models.save(NewModel("assistant", folder / "model", {"loss": 1.0}, signature))


def tiny_base(run):
    """Leave a tiny base where a fine-tuning does."""
    size = Size(layers=1, hidden=24, heads=3, vocabulary=300, positions=128)
    return build_tiny(world_folder("demo") / "runs" / run / "base", ["rice and eggs"] * 9, size=size)


def test_a_challenger_that_was_not_brought_here_is_not_offered(platform, tmp_path):
    saved(platform, tmp_path)
    decided(platform, 1, "promoted")
    decided(platform, 2, "waits")
    assert choices() == [("assistant v1 (champion)", "assistant v1")]
    assert rivals() == []
    assert "There is only one model" in alone()


def test_two_that_are_here_can_be_compared(platform, tmp_path):
    for version, verdict in ((1, "promoted"), (2, "waits")):
        saved(platform, tmp_path)
        decided(platform, version, verdict)
    assert [name for _, name in choices()] == ["assistant v1", "assistant v2"]
    assert rivals() == [("assistant v2 (challenger)", "assistant v2")]
    assert pair("assistant v2") == ["assistant v1", "assistant v2"]


@pytest.mark.parametrize("against", ["assistant v1", "gpt", "", None, ["assistant v2"]])
def test_the_champion_is_compared_with_none_but_those_offered(against, platform, tmp_path):
    for version, verdict in ((1, "promoted"), (2, "waits")):
        saved(platform, tmp_path)
        decided(platform, version, verdict)
    with pytest.raises(UsageError, match="assistant v1 cannot be compared with"):
        pair(against)


def test_a_single_version_is_compared_with_the_base_it_was_made_of_and_both_answer(platform, tmp_path):
    tiny_base("tiny-r0")
    saved(platform, tmp_path, base="tiny", run="tiny-r0")
    decided(platform, 1, "promoted")
    assert choices() == [("assistant v1 (champion)", "assistant v1"), ("tiny (base)", "tiny")]
    assert rivals() == [("tiny (base)", "tiny")]
    assert "It was fine-tuned from tiny." in about("assistant v1")
    assert "Nothing was learned here yet: assistant v1 was fine-tuned from it" in about("tiny")
    chat = opened("tiny")
    reply = chat.stream([{"role": "user", "content": "rice"}], Sampling(temperature=0, max_tokens=4))
    "".join(reply)
    assert (chat.name, reply.told.tokens) == ("tiny", 4)


def test_a_challenger_is_the_first_to_be_compared_with_and_the_base_the_next(platform, tmp_path):
    tiny_base("tiny-r0")
    for version, verdict in ((1, "promoted"), (2, "promoted"), (3, "waits")):
        saved(platform, tmp_path, base="tiny", run="tiny-r0")
        decided(platform, version, verdict)
    assert [key for _, key in rivals()] == ["assistant v3", "tiny", "assistant v1"]


def test_a_base_that_is_elsewhere_is_not_offered_and_the_page_says_so(platform, tmp_path):
    saved(platform, tmp_path, base="tiny", run="elsewhere")
    decided(platform, 1, "promoted")
    assert rivals() == []
    said = "It was fine-tuned from tiny, which cannot answer here: its weights are not on this machine."
    assert said in about("assistant v1")
    assert said in alone()


def test_where_none_was_brought_the_page_says_what_brings_one(platform):
    decided(platform, 1, "promoted")
    with pytest.raises(NotYetError, match="assistant v1 serves, but was not brought here yet; run `almanac publish`"):
        choices()


def test_where_none_was_made_the_page_says_what_makes_one():
    with pytest.raises(NotYetError, match="run `almanac run assistant prepare`"):
        choices()
