"""A tiny fine-tuned model beside its base and a champion, on conversations that neither learned from."""

import shutil
from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest

pytest.importorskip("trl")

from shared.connect import open_platform
from shared.errors import NotYetError, UsageError
from shared.steps.base_names import Size
from shared.steps.bases import build_tiny
from shared.steps.tuned import ended
from shared.systems.assistant import evaluation
from shared.systems.assistant.evaluation import (
    QUICK,
    Asked,
    Effort,
    Subject,
    evaluate,
    judged,
    questions,
    serving,
    subjects,
)
from shared.systems.assistant.ingredients import Ingredient
from shared.systems.assistant.instructions import chosen
from shared.systems.assistant.judgements import losses_of, worse_checks
from shared.systems.assistant.recipes import MealRequest
from shared.systems.assistant.tables import CONVERSATIONS, EVALUATIONS
from tests.assistant_rig import tiny_assistant
from tests.tuned_rig import DAY, a_run

FEW = Effort(24, 0, 0, 4)


def test_what_was_learned_shows_beside_the_base(judgement):
    assert judgement.metrics["loss_low"] < judgement.metrics["loss"] < judgement.metrics["loss_high"]
    assert judgement.metrics["loss"] < judgement.baselines["loss"] - 1
    assert judgement.headline == "loss"
    rows = {row["figure"]: row for row in judgement.table}
    assert float(rows["perplexity"]["this one"]) < float(rows["perplexity"]["its base"]) / 3
    assert rows["loss"]["verdict"] == "better than its base"
    assert rows["instructions"]["this one"].endswith(" of 10")
    assert [*rows["loss"]] == ["figure", "verdict", "this one", "its base"]


def test_meals_are_whole_under_the_grammar_and_said_without_it(judgement):
    rows = {row["figure"]: row["this one"] for row in judgement.table}
    assert (rows["meals:json_valid"], rows["meals:gram_overrun"]) == ("1 of 1", "0 of 1")
    assert "meals_without_grammar:json_valid" in rows
    assert {row["figure"] for row in judgement.table} >= {"meals:unlisted_main", "meals:coverage", "safety"}


def test_every_figure_is_told_once_and_the_loss_with_its_interval(judgement):
    names = [row["figure"] for row in judgement.table]
    assert len(names) == len({*names})
    assert {*judgement.metrics} == {*judgement.baselines} == {"loss", "loss_low", "loss_high"}


def test_the_note_says_what_it_rests_on_and_what_comes_next(judgement, judged):
    assert judgement.note == (
        "loss in nats a token: better than its base; judged on 24 of 24 conversations; 24 conversations, "
        f"10 instructions, 1 meals at most; next: almanac run assistant export --name {judged.name}"
    )


def test_figures_are_rows_and_losses_lie_with_the_run(judged, judgement):
    rows = judged.platform.features.read(EVALUATIONS)
    assert set(rows["subject"]) == {"candidate", "base"}
    candidate = rows[rows["subject"] == "candidate"].set_index("figure")
    assert candidate.loc["loss", "value"] == judgement.metrics["loss"]
    assert set(rows["run"]) == {judged.name}
    losses = pd.read_parquet(losses_of(ended(judged.folders.runs), a_run().started_at))
    assert losses.groupby("subject")["conversation_id"].nunique().to_dict() == {"base": 24, "candidate": 24}
    assert losses[losses["subject"] == "candidate"]["loss"].mean() == pytest.approx(judgement.metrics["loss"])
    assert set(losses["model"]) == {judged.name, "tiny:2x48x3x400x1024"}


def test_only_test_conversations_are_asked_and_the_same_ones_each_time(home):
    plan = ended(home.folders.runs).plan
    first, second = (questions(home.platform, a_run(), plan, Effort(9, 1, 2, 4)) for _ in range(2))
    assert [*first.conversations] == [*second.conversations] == sorted(first.conversations)
    assert len(first.conversations) == 9
    assert all(one.startswith(("0-", "1-", "m")) for one in first.conversations)
    assert [request.names for request in first.requests.values()] == [["rice", "egg"], ["rice", "leek"]]
    more = questions(home.platform, a_run(), plan, Effort(20, 1, 2, 4))
    assert [*more.conversations][:9] == [*first.conversations]


def test_the_champion_is_judged_too_and_by_bytes_when_it_splits_text_otherwise(home, tmp_path):
    tiny_assistant(home.platform, tmp_path)
    report = evaluate(home.platform, a_run(), home.name, home.folders, FEW)
    assert float(report.table[0]["the champion"]) > report.metrics["loss"]
    assert report.table[0]["verdict"] == "better than its base and the champion"
    assert report.note.startswith("loss in nats a byte: better than its base and the champion; ")
    assert set(home.platform.features.read(EVALUATIONS)["model"]) >= {"assistant v1"}


def test_losses_are_told_in_the_unit_and_of_the_conversations_that_they_are_compared_by(home, tmp_path):
    tiny_assistant(home.platform, tmp_path, positions=45)  # reads fewer of them
    report = evaluate(home.platform, a_run(), home.name, home.folders, FEW)
    lying = pd.read_parquet(losses_of(ended(home.folders.runs), a_run().started_at))
    by = {who: part.set_index("conversation_id") for who, part in lying.groupby("subject")}
    both = by["candidate"].index.intersection(by["champion"].index)
    assert 10 <= len(both) < len(by["candidate"]) == 24
    told = home.platform.features.read(EVALUATIONS).set_index(["figure", "subject"]).loc["loss"]
    for who, part in by.items():
        a_byte = (part["loss"] * part["tokens"] / part["bytes"]).loc[both].mean()
        assert told.loc[who, "value"] == pytest.approx(a_byte)
        assert told.loc[who, "low"] < a_byte < told.loc[who, "high"]
        assert told.loc[who, "count"] == len(both)
    assert report.metrics["loss"] == told.loc["candidate", "value"]
    assert float(report.table[0]["the champion"]) == pytest.approx(told.loc["champion", "value"], rel=1e-3)


def test_a_champion_of_damaged_files_does_not_count(home, tmp_path):
    weights = tiny_assistant(home.platform, tmp_path).folder / "model.safetensors"
    weights.chmod(0o644)
    weights.write_bytes(b"torn")
    assert serving(home.platform, a_run()) == (
        None,
        "model 'assistant' v1: ['model.safetensors'] are not the files that were saved; train again",
    )
    tuned = ended(home.folders.runs)
    assert [*subjects(home.platform, tuned, None)] == ["candidate", "base"]
    note = evaluate(home.platform, a_run(), home.name, home.folders, FEW).note
    assert "what serves was not judged, as its files are damaged: model 'assistant' v1: ['model.safetensors']" in note


def test_a_champion_whose_files_are_gone_is_said_to_be_damaged_and_none_is_not(home, tmp_path):
    assert serving(home.platform, a_run()) == (None, "")
    shutil.rmtree(tiny_assistant(home.platform, tmp_path).folder.parent)
    assert serving(home.platform, a_run())[1].startswith("model 'assistant' has no version yet, not 1")


def test_a_champion_of_a_later_day_does_not_count(home, tmp_path):
    tiny_assistant(home.platform, tmp_path, versions=2)
    tuned = ended(home.folders.runs)
    there = subjects(home.platform, tuned, serving(home.platform, a_run(day=DAY))[0])
    assert there["champion"].model == "assistant v1"
    later = subjects(home.platform, tuned, serving(home.platform, a_run(day=DAY + timedelta(days=1)))[0])
    assert later["champion"].model == "assistant v2"


def test_judging_twice_leaves_the_same_rows(judged):
    before = judged.platform.features.read(EVALUATIONS).set_index(["subject", "figure"])
    evaluate(judged.platform, a_run(hour=9), judged.name, judged.folders, FEW)
    after = judged.platform.features.read(EVALUATIONS).set_index(["subject", "figure"])
    for who in ("candidate", "base"):
        assert after.loc[(who, "loss"), "value"] == before.loc[(who, "loss"), "value"]


def test_losses_stay_until_newer_figures_are_stored_and_then_go_with_the_next(judged, monkeypatch):
    tuned = ended(judged.folders.runs)

    def there():
        return {file.name for file in judged.run.glob("*losses*")}

    def at(*hours):
        return {losses_of(tuned, a_run(hour=hour).started_at).name for hour in hours}

    with monkeypatch.context() as patched:
        patched.setattr(judged.platform.features, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            evaluate(judged.platform, a_run(hour=9), judged.name, judged.folders, FEW)
    assert there() == at(8, 9)
    evaluate(judged.platform, a_run(hour=10), judged.name, judged.folders, FEW)
    assert there() == at(8, 10), "those that no figures name went"
    evaluate(judged.platform, a_run(hour=11), judged.name, judged.folders, FEW)
    assert there() == at(10, 11)


def test_what_has_not_ended_cannot_be_judged(home):
    (home.run / "finished.json").unlink()
    for name in ("", home.name, "other"):
        with pytest.raises(NotYetError, match="ended; run `almanac run assistant finetune`"):
            evaluate(home.platform, a_run(), name, home.folders, FEW)


@pytest.mark.parametrize("name", ["../other", "..", "/etc"])
def test_a_name_that_is_a_path_is_refused(home, name):
    with pytest.raises(UsageError, match="no name of a fine-tuning"):
        evaluate(home.platform, a_run(), name, home.folders, FEW)


def test_without_test_conversations_there_is_nothing_to_judge_on(home, tmp_path):
    empty = open_platform(home=tmp_path / "empty")
    with pytest.raises(NotYetError, match="run `almanac run assistant prepare`"):
        questions(empty, a_run(), ended(home.folders.runs).plan, QUICK)


def test_too_few_test_conversations_are_said_before_anything_is_asked(home, tmp_path):
    few = open_platform(home=tmp_path / "few")
    rows = home.platform.features.read(CONVERSATIONS)
    few.features.write(CONVERSATIONS, rows[rows["split"] == "test"].head(9))
    with pytest.raises(NotYetError, match="9 test conversations are too few to judge on, 10 the fewest: prepare more"):
        evaluate(few, a_run(), home.name, home.folders, FEW)


def test_too_few_conversations_that_fit_are_said_before_answers_are_asked_for(home):
    tuned = ended(home.folders.runs)
    asked = replace(questions(home.platform, a_run(), tuned.plan, Effort(14, 0, 0, 4)), instructions=None, longest=38)
    with pytest.raises(NotYetError, match=r"\d of 14 test conversations fit into 38 tokens, 10 the fewest"):
        evaluation.judged("candidate", Subject(tuned.name, str(tuned.best)), asked)


def test_a_model_of_little_context_is_judged_by_what_fits_and_what_does_not_is_counted_apart(home, tmp_path, caplog):
    size = Size(layers=1, hidden=12, heads=3, vocabulary=300, positions=128)
    place = str(build_tiny(tmp_path / "small", ["one and one is two"], 0, size))
    held = {f"c{n}": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}] for n in range(10)}
    request = MealRequest((Ingredient("rice", 300), Ingredient("egg", 100)))
    asked = Asked(held, chosen(9), {"a": request}, longest=128, tokens=4)
    figures = judged("base", Subject("small", place), asked).figures
    assert 0 < figures["prompt_fits"].share.value < 1
    assert figures["instructions"].share.count < 9
    assert {name for name in figures if name.startswith("meals:")} == {"meals:prompt_fits"}
    assert figures["meals:prompt_fits"].share.value == 0
    left_out = int((figures["prompt_fits"].cases == 0).sum())
    assert [one.split(":")[0] for one in caplog.messages] == [
        f"small has no room for {left_out} of 19 prompts; they are not asked",
        "small cannot be asked for 1 of 1 meals",
    ]


def test_a_model_of_less_context_than_the_champion_is_surely_worse_by_the_prompts_it_has_no_room_for(tmp_path):
    held = {f"c{n}": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}] for n in range(10)}
    asked = Asked(held, chosen(9), {}, longest=128, tokens=4)
    figures = {}
    for who, positions in {"candidate": 96, "champion": 2048}.items():
        size = Size(layers=1, hidden=12, heads=3, vocabulary=300, positions=positions)
        place = str(build_tiny(tmp_path / who, ["one and one is two"], 0, size))
        figures[who] = judged(who, Subject(who, place), asked).figures
    fit = int(figures["candidate"]["prompt_fits"].cases.sum())
    assert f"prompt_fits {fit} of 19, champion 19 of 19" in worse_checks(figures, "champion")
