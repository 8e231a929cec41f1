"""Which versions may answer, by what was decided on them; and that each is loaded once."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from shared.chat import Sampling
from shared.errors import MissingExtraError, NotYetError, UsageError
from shared.ports import NewModel
from shared.steps.promotion import PROMOTIONS
from shared.systems.assistant import inference
from shared.systems.assistant.inference import Loaded, chosen, models_that_answer, opened

DAY = datetime(2026, 10, 1, tzinfo=UTC)


def decided(platform, *verdicts, model="assistant"):
    """Write decisions, a day apart: (version, verdict)."""
    rows = [
        {
            **{"model": model, "version": version, "verdict": verdict, "reason": f"{version} {verdict}."},
            **{"decided_at": DAY + timedelta(days=n, hours=3), "day": DAY + timedelta(days=n)},
            **{"figures": "{}", "run_id": "run"},
        }
        for n, (version, verdict) in enumerate(verdicts)
    ]
    platform.features.write(PROMOTIONS, pd.DataFrame(rows))


def roles(platform, **more):
    return [(one.version, one.role) for one in models_that_answer(platform, **more)]


def test_nothing_serves_before_something_was_exported(platform):
    with pytest.raises(NotYetError, match="run `almanac run assistant prepare`, then finetune, evaluate and export"):
        models_that_answer(platform)


def test_a_rejected_version_does_not_answer_and_its_reason_is_said(platform):
    decided(platform, (1, "rejected"))
    with pytest.raises(NotYetError, match=r"version 1 was rejected. 1 rejected. run"):
        models_that_answer(platform)


def test_another_systems_versions_do_not_answer(platform):
    decided(platform, (1, "promoted"), model="wine")
    with pytest.raises(NotYetError):
        models_that_answer(platform)


def test_the_champion_comes_first_then_the_challenger_then_those_that_served(platform):
    decided(platform, (1, "promoted"), (2, "promoted"), (3, "rejected"), (4, "promoted"), (5, "waits"))
    assert roles(platform) == [(4, "champion"), (5, "challenger"), (2, "earlier"), (1, "earlier")]
    assert roles(platform, until=DAY + timedelta(days=1)) == [(1, "champion")]


def test_after_a_rollback_the_version_gone_back_to_is_the_champion_and_no_newer_one_challenges(platform):
    decided(platform, (1, "promoted"), (2, "promoted"), (1, "rolled_back"))
    assert roles(platform) == [(1, "champion"), (2, "earlier")]
    assert models_that_answer(platform)[0].decided_at == DAY + timedelta(hours=3), "when it was first decided on"


def test_one_that_waits_but_is_older_than_the_champion_challenges_nobody(platform):
    decided(platform, (1, "promoted"), (2, "waits"), (3, "promoted"))
    assert roles(platform) == [(3, "champion"), (1, "earlier")]


def test_one_that_waits_still_challenges_when_a_newer_one_was_rejected(platform):
    decided(platform, (1, "promoted"), (2, "waits"), (3, "waits"), (4, "rejected"))
    assert roles(platform) == [(1, "champion"), (3, "challenger")]


@pytest.mark.parametrize("which", ["challenger", "2", "assistant v2"])
def test_a_version_is_named_by_role_number_or_name(platform, which):
    decided(platform, (1, "promoted"), (2, "waits"))
    assert chosen(platform, which).name == "assistant v2"


def test_a_version_that_may_not_answer_is_refused_by_name(platform):
    decided(platform, (1, "promoted"), (2, "rejected"))
    with pytest.raises(UsageError, match="'2' does not answer; there are: assistant v1"):
        chosen(platform, "2")


def test_without_torch_the_extra_is_named(platform, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    decided(platform, (1, "promoted"))
    with pytest.raises(MissingExtraError, match=r"pip install 'almanac\[llm\]'"):
        opened(platform, chosen(platform))


def test_an_engine_is_loaded_once_for_all_who_ask_at_the_same_moment():
    kept, loads, got = Loaded(2), [], []

    def load():
        loads.append(1)
        time.sleep(0.05)
        return "engine"

    threads = [threading.Thread(target=lambda: got.append(kept.get(("demo", "v1", DAY), load))) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert (len(loads), got) == (1, ["engine"] * 8)


def test_the_engine_not_asked_for_longest_gives_way():
    kept, loads = Loaded(2), []
    for version in (1, 2, 1, 3, 1, 2):
        kept.get(("demo", f"v{version}", DAY), lambda version=version: loads.append(version))
    assert loads == [1, 2, 3, 2]


def test_a_loading_that_failed_is_tried_again():
    kept = Loaded(2)

    def fails():
        raise NotYetError("no file")

    with pytest.raises(NotYetError):
        kept.get(("demo", "v1", DAY), fails)
    assert kept.get(("demo", "v1", DAY), lambda: "engine") == "engine"


def test_the_champion_answers_from_the_registry_and_stays_loaded(platform, tmp_path):
    pytest.importorskip("torch")
    bases = pytest.importorskip("shared.steps.bases")
    folder = bases.build_tiny(tmp_path / "tiny", ["rice and eggs"] * 9, size=bases.Size(1, 24, 3, 300, 256))
    platform.models.save(NewModel("assistant", folder, {}))
    decided(platform, (1, "promoted"))
    engine = opened(platform, chosen(platform))
    assert engine.name == "assistant v1"
    reply = engine.stream([{"role": "user", "content": "rice"}], Sampling(temperature=0, max_tokens=4))
    "".join(reply)
    assert reply.told.tokens == 4
    assert opened(platform, chosen(platform, "1")) is engine
    decided(platform, (1, "promoted"), (1, "rolled_back"))
    assert opened(platform, chosen(platform)) is engine, "its role changed, the weights did not"
    assert inference.chosen(platform).reason == "1 rolled_back."
