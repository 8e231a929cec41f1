"""A fine-tuning of the assistant: what it learns from, where it lies, what it says, and how it goes on."""

import json
import logging
import shutil
from datetime import UTC, date, datetime

import pandas as pd
import pytest

pytest.importorskip("trl")

from safetensors.torch import load_file

from shared.errors import NotYetError, SourceError, UnsafeFileError, UsageError
from shared.ports import NewModel
from shared.runs import Run
from shared.steps.base_names import Size
from shared.steps.bases import build_tiny
from shared.steps.plans import Plan
from shared.systems.assistant.tables import CONVERSATIONS
from shared.systems.assistant.training import JUDGED, Folders, base_of, finetune, usual_plan
from tests.loopback.hub_bases import asked_of, publish

DAY = date(2026, 10, 1)
TINY = {"base": "tiny:2x48x3x400x256", "rank": 0, "steps": 6, "batch": 4, "accumulation": 1, "max_length": 64}
TINY |= {"learning_rate": 3e-3, "warmup": 2, "evaluate_every": 3, "checkpoint_every": 3}


def a_run(day=DAY):
    return Run("run-1", "assistant", "finetune", day, datetime(2026, 10, 1, 6, tzinfo=UTC), "code")


def conversation(number, split, day=DAY):
    turns = [
        {"role": "user", "content": f"what is {number} and one?"},
        {"role": "assistant", "content": f"it is {number + 1}."},
    ]
    return {
        "conversation_id": f"{split}-{number:03}",
        "stored_at": datetime(day.year, day.month, day.day, tzinfo=UTC),
        "source": "sums",
        "kind": "chat",
        "split": split,
        "turns": 2,
        "characters": 40,
        "messages": json.dumps(turns),
    }


def store(platform, numbers=range(24), day=DAY):
    splits = {number: "validation" if number % 6 == 0 else "train" for number in numbers}
    rows = [conversation(number, split, day) for number, split in splits.items()]
    platform.features.write(CONVERSATIONS, pd.DataFrame(rows))


@pytest.fixture
def folders(tmp_path):
    return Folders(tmp_path / "runs", tmp_path / "cache")


@pytest.fixture
def sums(platform):
    store(platform)
    return platform


def test_a_tiny_base_learns_with_all_weights_and_its_loss_stands_beside_the_bases(sums, folders):
    report = finetune(sums, a_run(), Plan(**TINY), folders)
    assert report.rows == 20
    assert report.headline == "eval_loss"
    assert report.metrics["eval_loss"] < report.baselines["eval_loss"]
    assert report.metrics["steps"] == 6
    folder = folders.runs / report.model
    assert report.model.startswith("tiny-2x48x3x400x256-full-lr3e-03-6-")
    names = {file.name for file in folder.iterdir()} - {".lock"}
    assert names == {"base", "baseline.json", "best", "finished.json", "plan.json", "trace.jsonl"}
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= {
        file.name for file in (folder / "best").iterdir()
    }
    assert report.note.startswith("begun anew; best after step ")
    assert f"evaluate --name {report.model}" in report.note


def test_the_tracker_keeps_what_it_was_told_and_reached(sums, folders):
    report = finetune(sums, a_run(), Plan(**TINY), folders)
    assert sums.tracker.metrics("run-1") == pytest.approx(report.metrics)


def test_done_twice_it_is_trained_once_and_says_so(sums, folders, caplog):
    first = finetune(sums, a_run(), Plan(**TINY), folders)
    with caplog.at_level(logging.INFO, "almanac"):
        again = finetune(sums, a_run(), Plan(**TINY), folders)
    assert again.metrics == first.metrics
    assert again.note.startswith("had ended before; ")
    assert "step" not in caplog.text


def test_cut_off_and_called_again_it_goes_on_and_says_after_which_step(sums, folders):
    whole = finetune(sums, a_run(), Plan(**TINY), Folders(folders.runs.with_name("whole"), folders.cache))

    def cut():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune(sums, a_run(), Plan(**TINY), folders, cut)
    report = finetune(sums, a_run(), Plan(**TINY), folders)
    assert report.note.startswith("gone on after step 3; ")
    assert report.metrics["eval_loss"] == whole.metrics["eval_loss"]
    files = [
        place / whole.model / "best" / "model.safetensors" for place in (folders.runs, folders.runs.with_name("whole"))
    ]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_registered_version_is_a_base_for_lora_and_only_the_adapter_is_kept(sums, folders):
    first = finetune(sums, a_run(), Plan(**TINY), folders)
    sums.models.save(NewModel("assistant", folders.runs / first.model / "best", {}))
    told = TINY | {"base": "assistant:1", "rank": 4, "learning_rate": 2e-3}
    report = finetune(sums, a_run(), Plan(**told), folders)
    assert report.model.startswith("assistant-1-r4-lr2e-03-6-")
    assert report.baselines["eval_loss"] == pytest.approx(first.metrics["eval_loss"], abs=1e-5)
    assert report.metrics["eval_loss"] < report.baselines["eval_loss"]
    best = folders.runs / report.model / "best"
    assert not (best / "model.safetensors").exists()
    assert all("lora" in name for name in load_file(best / "adapter_model.safetensors"))


@pytest.fixture
def on_hub(hub, tmp_path, monkeypatch):
    """A repository whose newest commit is made anew by each call; the call returns that commit."""
    asked_of(monkeypatch, hub.url, tmp_path / "cache-of-the-hub")

    def newer(seed):
        folder = build_tiny(tmp_path / f"base-{seed}", ["one and one is two"], seed, Size(1, 12, 3, 300, 64))
        return publish(hub, "jane/own", folder)

    return newer


HUB = TINY | {"base": "jane/own", "rank": 2}


def begun_at(folders):
    """The commits that runs are pinned to, by the runs' names."""
    plans = {file.parent.name: json.loads(file.read_text())["plan"] for file in folders.runs.glob("*/plan.json")}
    return {name: plan["revision"] for name, plan in plans.items()}


def test_a_run_on_a_base_of_the_hub_goes_on_with_the_commit_it_began_with_though_a_newer_one_came(
    sums, folders, on_hub, hub
):
    first = on_hub(0)

    def cut():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune(sums, a_run(), Plan(**HUB), folders, cut)
    on_hub(1)
    hub.requests.clear()
    report = finetune(sums, a_run(), Plan(**HUB), folders)
    assert [path for _, path, _ in hub.requests if "main" in path] == []
    assert report.note.startswith(f"gone on after step 3, on jane/own at commit {first[:12]}; ")
    assert begun_at(folders) == {report.model: first}
    again = finetune(sums, a_run(), Plan(**HUB), folders)
    assert (again.model, again.note.startswith("had ended before")) == (report.model, True)


def test_a_new_run_takes_the_newest_commit_and_a_branch_that_is_named_is_asked_for_anew(sums, folders, on_hub):
    first = on_hub(0)
    old = finetune(sums, a_run(), Plan(**HUB), folders)
    second = on_hub(1)
    other = finetune(sums, a_run(), Plan(**HUB | {"seed": 1}), folders)
    named = finetune(sums, a_run(), Plan(**HUB | {"revision": "main"}), folders)
    assert begun_at(folders) == {old.model: first, other.model: second, named.model: second}
    assert old.baselines != named.baselines
    assert finetune(sums, a_run(), Plan(**HUB), folders).model == named.model, "the newest attempt at this plan"
    assert finetune(sums, a_run(), Plan(**HUB | {"revision": first}), folders).model == old.model


def test_an_attempt_whose_base_was_broken_does_not_hold_the_next_to_it(sums, folders, on_hub, hub):
    on_hub(0)
    del hub.repo("model", "jane/own").files()[1]["tokenizer.json"]
    with pytest.raises(SourceError, match="no tokenizer"):
        finetune(sums, a_run(), Plan(**HUB), folders)
    mended = on_hub(1)
    report = finetune(sums, a_run(), Plan(**HUB), folders)
    assert begun_at(folders)[report.model] == mended


def test_without_network_a_new_run_takes_what_was_fetched_last_and_says_so(sums, folders, on_hub, monkeypatch, caplog):
    first = on_hub(0)
    finetune(sums, a_run(), Plan(**HUB), folders)
    on_hub(1)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    report = finetune(sums, a_run(), Plan(**HUB | {"seed": 1}), folders)
    assert f"on jane/own at commit {first[:12]}" in report.note
    assert "the Hub does not answer: jane/own is taken as it was fetched last" in caplog.text


@pytest.fixture
def own(tmp_path):
    """A base in a folder; the call puts the weights of another seed there."""

    def put(seed):
        made = build_tiny(tmp_path / f"own-{seed}", ["one and one is two"], seed, Size(1, 12, 3, 300, 64))
        return shutil.copytree(made, tmp_path / "own", dirs_exist_ok=True)

    put(0)
    return put


def test_with_another_model_in_its_bases_folder_a_run_is_another_and_says_so(sums, folders, own, tmp_path, caplog):
    mine = TINY | {"base": str(tmp_path / "own"), "rank": 2}

    def cut():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune(sums, a_run(), Plan(**mine), folders, cut)
    own(1)
    report = finetune(sums, a_run(), Plan(**mine), folders)
    assert report.note.startswith(f"begun anew, on {tmp_path / 'own'} with the bytes of ")
    assert "own holds another model than before: this is another run, begun anew" in caplog.text
    begun = begun_at(folders)
    assert len(begun) == 2
    then = next(revision for name, revision in begun.items() if name != report.model)
    with pytest.raises(UnsafeFileError, match=f"own holds another model than {then}"):
        base_of(sums, Plan(**mine | {"revision": then}), folders.runs)
    own(0)
    first = finetune(sums, a_run(), Plan(**mine), folders)
    assert first.note.startswith("gone on after step 3, ")
    assert {first.model, report.model} == {*begun}


def recipes(platform, numbers=range(100, 130)):
    splits = {number: "validation" if number % 6 == 0 else "train" for number in numbers}
    rows = [conversation(number, split) | {"source": "mine-1f2e"} for number, split in splits.items()]
    platform.features.write(CONVERSATIONS, pd.DataFrame(rows))


def test_of_sources_that_are_named_alone_it_learns_and_is_judged(sums, folders):
    alone = finetune(sums, a_run(), Plan(**TINY), folders)
    recipes(sums)
    named = finetune(sums, a_run(), Plan(**TINY, sources="sums"), folders)
    assert (named.rows, named.baselines) == (alone.rows, alone.baselines)
    assert named.model != alone.model, "it is another run as soon as it is told otherwise"
    assert ", from sums alone; best after step " in named.note
    assert json.loads((folders.runs / named.model / "plan.json").read_text())["plan"]["sources"] == "sums"
    both = finetune(sums, a_run(), Plan(**TINY, sources=" sums, mine-1f2e,sums"), folders)
    assert both.rows == 20 + 25
    assert ", from mine-1f2e and sums alone; " in both.note
    assert finetune(sums, a_run(), Plan(**TINY, sources="mine-1f2e,sums"), folders).model == both.model


def test_more_of_a_source_that_is_not_named_changes_no_run(sums, folders):
    before = finetune(sums, a_run(), Plan(**TINY, sources="sums"), folders)
    recipes(sums)
    again = finetune(sums, a_run(), Plan(**TINY, sources="sums"), folders)
    assert (again.model, again.note.startswith("had ended before, ")) == (before.model, True)


@pytest.mark.parametrize("told", ["nowhere", "sums,", "sums,nowhere", ","])
def test_a_source_that_is_not_stored_is_said_with_those_that_are(sums, folders, told):
    recipes(sums)
    with pytest.raises(UsageError, match=r"no source '\w*' is stored: --sources takes of mine-1f2e, sums"):
        finetune(sums, a_run(), Plan(**TINY, sources=told), folders)
    assert not folders.runs.exists()


def test_a_source_that_was_withdrawn_or_that_holds_none_to_judge_by_is_said(sums, folders):
    sums.features.write(CONVERSATIONS, pd.DataFrame([conversation(201, "withdrawn") | {"source": "gone"}]))
    with pytest.raises(UsageError, match="no source 'gone' is stored"):
        finetune(sums, a_run(), Plan(**TINY, sources="gone"), folders)
    recipes(sums, [101, 103])
    with pytest.raises(NotYetError, match="2 conversations of mine-1f2e to learn from leave none to judge by"):
        finetune(sums, a_run(), Plan(**TINY, sources="mine-1f2e"), folders)
    recipes(sums, [102])
    sums.features.write(CONVERSATIONS, pd.DataFrame([conversation(300, "validation") | {"source": "few"}]))
    with pytest.raises(NotYetError, match="no conversations of few to learn from"):
        finetune(sums, a_run(), Plan(**TINY, sources="few"), folders)


def test_conversations_of_later_days_are_not_learned_and_more_of_them_are_another_run(sums, folders):
    store(sums, range(30, 40), date(2026, 10, 2))
    before = finetune(sums, a_run(), Plan(**TINY), folders)
    after = finetune(sums, a_run(date(2026, 10, 2)), Plan(**TINY), folders)
    assert (before.rows, after.rows) == (20, 28)
    assert before.model != after.model


def test_progress_is_logged_with_how_much_is_due(sums, folders, caplog):
    with caplog.at_level(logging.INFO, "almanac"):
        finetune(sums, a_run(), Plan(**TINY), folders)
    steps = [record for record in caplog.records if "step" in record.message]
    due = [record.due for record in caplog.records if hasattr(record, "due")]
    assert due == [6] == [len(steps)]


def test_each_checkpoint_is_brought_to_where_it_lasts(sums, folders):
    seen = []
    finetune(sums, a_run(), Plan(**TINY), folders, lambda: seen.append({f.name for f in folders.runs.glob("*/*")}))
    assert len(seen) == 4
    assert "finished.json" not in seen[1]
    assert {"finished.json", "checkpoints"} <= seen[2]
    assert "checkpoints" not in seen[3]


def test_without_conversations_it_says_what_to_run(platform, folders):
    with pytest.raises(NotYetError, match="almanac run assistant prepare"):
        finetune(platform, a_run(), Plan(**TINY), folders)
    assert not folders.runs.exists()


def test_too_few_conversations_to_be_judged_on_are_said_before_training_and_with_the_next_command(
    sums, folders, caplog
):
    with caplog.at_level(logging.INFO, "almanac"):
        report = finetune(sums, a_run(), Plan(**TINY), folders)
    warned = "`evaluate` needs 10 test conversations, and there are 0: prepare about 200 conversations in all"
    assert caplog.messages[0] == warned
    assert f"; next: {warned}, then almanac run assistant evaluate --name {report.model}" in report.note
    sums.features.write(CONVERSATIONS, pd.DataFrame([conversation(number, "test") for number in range(50, 60)]))
    assert (
        f"; next: almanac run assistant evaluate --name {report.model}"
        in finetune(sums, a_run(), Plan(**TINY), folders).note
    )


def test_a_version_that_is_not_there_leaves_no_folder(sums, folders):
    with pytest.raises(NotYetError):
        finetune(sums, a_run(), Plan(base="assistant:9"), folders)
    assert [*folders.runs.glob("*")] == []


def test_a_base_that_is_nowhere_is_said_before_anything_is_trained(sums, folders, tmp_path):
    with pytest.raises(NotYetError):
        finetune(sums, a_run(), Plan(base="assistant:9"), folders)
    with pytest.raises(SourceError, match=r"holds no config\.json"):
        finetune(sums, a_run(), Plan(base=str(tmp_path / "nothing")), folders)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "holds none"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer"),
        (lambda folder: more_layers(folder), "its weights are another model's"),
    ],
)
def test_a_folder_that_is_no_whole_base_is_refused_before_a_step_is_made(sums, folders, tmp_path, damage, sentence):
    folder = build_tiny(tmp_path / "mine", ["one and one is two"], 0, Size(1, 12, 3, 300, 64))
    damage(folder)
    with pytest.raises(SourceError, match=sentence):
        finetune(sums, a_run(), Plan(**TINY | {"base": str(folder)}), folders)
    assert not [*folders.runs.glob("*/baseline.json")]


def more_layers(folder):
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"num_hidden_layers": 3}))


def test_too_few_to_judge_by_says_how_many_it_takes(platform, folders):
    store(platform, [1, 2, 3])  # all of them to learn from
    with pytest.raises(NotYetError, match="3 conversations to learn from leave none to judge by.* at least 50"):
        finetune(platform, a_run(), Plan(**TINY), folders)
    assert not folders.runs.exists()


def test_a_run_without_its_tiny_base_yet_says_so(platform, tmp_path):
    with pytest.raises(NotYetError, match="has no base yet"):
        base_of(platform, Plan(**TINY), tmp_path)


def test_what_is_usual_for_a_base_can_be_told_otherwise():
    assert usual_plan("tiny").rank == 0
    big = usual_plan("meta-llama/Llama-3.2-1B-Instruct", steps=13_500, rank=32)
    assert (big.rank, big.steps, big.learning_rate, big.batch, big.accumulation) == (32, 13_500, 2e-4, 2, 4)
    assert (big.max_length, big.precision) == (2048, "bf16")
    assert usual_plan("assistant:1").precision == "fp32"


def test_more_validation_conversations_than_are_judged_on_change_nothing(platform, folders, monkeypatch):
    monkeypatch.setattr("shared.systems.assistant.training.JUDGED", 2)
    store(platform)
    before = finetune(platform, a_run(), Plan(**TINY), folders)
    assert JUDGED == 400
    platform.features.write(CONVERSATIONS, pd.DataFrame([conversation(999, "validation")]))
    assert finetune(platform, a_run(), Plan(**TINY), folders).model == before.model
