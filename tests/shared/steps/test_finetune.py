"""A fine-tuning that was cut off ends as one that was not; figures, patience, and folders that belong to others."""

import json
import logging
import random
import re
import threading

import pytest

pytest.importorskip("trl")

from shared.errors import BusyError, UnsafeFileError, UsageError
from shared.steps import checkpoints
from shared.steps.rungs import reopen
from tests.shared.steps.lives import FINGERPRINT, FULL, LORA, PACKED, SHORT, killed, live, outcome, plan

KINDS = {"lora, dropout": LORA, "lora, dropout, packing": PACKED, "all weights": FULL}


class CutOffError(Exception):
    """A person pressed Ctrl-C, or the machine went away."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Outcomes of runs that nothing interrupted, by kind."""
    place = tmp_path_factory.mktemp("whole")
    return {kind: (live(place / kind, told), outcome(place / kind)) for kind, told in KINDS.items()}


def cut_off_at(number):
    """Return an on_checkpoint that ends the run after so many checkpoints."""
    left = [number]

    def cut():
        left[0] -= 1
        if left[0] == 0:
            raise CutOffError

    return cut


def cut_off_when(true):
    """Return an on_checkpoint that ends the run as soon as ``true``."""

    def cut():
        if true():
            raise CutOffError

    return cut


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_cut_off_after_any_checkpoint_ends_with_the_same_weights_trace_and_figures(tmp_path, whole, kind):
    for number in (1, 3, 2):  # of the checkpoints of each attempt
        with pytest.raises(CutOffError):
            live(tmp_path / "run", KINDS[kind], cut_off_at(number))
    ended = live(tmp_path / "run", KINDS[kind])
    assert outcome(tmp_path / "run") == whole[kind][1]
    assert ended.resumed_from > 0


def test_a_run_killed_while_it_writes_a_checkpoint_ends_the_same(tmp_path, whole):
    run = tmp_path / "run"
    began = run / "checkpoints" / ".writing" / "checkpoint-6"
    assert killed(run, PACKED, began.exists)
    assert not (run / "finished.json").exists()
    live(run, PACKED)
    assert outcome(run) == whole["lora, dropout, packing"][1]


def truncate_optimizer(place):
    file = place / "optimizer.pt"
    file.write_bytes(file.read_bytes()[:-100])


def flip_a_byte(place):
    file = next(place.glob("*.safetensors"))
    read = bytearray(file.read_bytes())
    read[-1] ^= 1
    file.write_bytes(read)


DAMAGES = {
    "a torn optimizer": (truncate_optimizer, "optimizer.pt changed since it was sealed"),
    "a missing optimizer": (lambda place: (place / "optimizer.pt").unlink(), "optimizer.pt is missing"),
    "a flipped byte of the weights": (flip_a_byte, "adapter_model.safetensors changed"),
    "no manifest": (lambda place: (place / "manifest.json").unlink(), "no readable manifest.json (FileNotFoundError)"),
    "half a manifest": (lambda place: (place / "manifest.json").write_text('{"step": 1'), "no readable manifest.json"),
    "a manifest of something else": (lambda place: (place / "manifest.json").write_text("[1]"), "no readable"),
    "a file more": (lambda place: (place / "pytorch_model.bin").write_bytes(b"?"), "pytorch_model.bin was added"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_skipped_with_a_warning_and_the_run_ends_the_same(tmp_path, whole, caplog, damage):
    with pytest.raises(CutOffError):
        live(tmp_path / "run", LORA, cut_off_at(4))
    newest = max(checkpoints.steps(tmp_path / "run" / "checkpoints"))
    damaging, said = DAMAGES[damage]
    damaging(tmp_path / "run" / "checkpoints" / f"checkpoint-{newest}")
    caplog.clear()
    ended = live(tmp_path / "run", LORA)
    assert f"checkpoint checkpoint-{newest} is skipped: " in caplog.text
    assert said in caplog.text
    assert ended.resumed_from < newest
    assert outcome(tmp_path / "run") == whole["lora, dropout"][1]


def test_with_every_checkpoint_damaged_the_run_begins_anew_and_ends_the_same(tmp_path, whole):
    with pytest.raises(CutOffError):
        live(tmp_path / "run", FULL, cut_off_at(5))
    for step in checkpoints.steps(tmp_path / "run" / "checkpoints"):
        truncate_optimizer(tmp_path / "run" / "checkpoints" / f"checkpoint-{step}")
    assert live(tmp_path / "run", FULL).resumed_from == 0
    assert outcome(tmp_path / "run") == whole["all weights"][1]


@pytest.mark.parametrize("text", ["", "{}", '{"loss": null}'])
def test_a_damaged_loss_of_the_base_is_found_anew_while_the_run_goes_on(tmp_path, whole, text):
    with pytest.raises(CutOffError):
        live(tmp_path / "run", FULL, cut_off_at(2))
    (tmp_path / "run" / "baseline.json").write_text(text)
    live(tmp_path / "run", FULL)
    assert outcome(tmp_path / "run") == whole["all weights"][1]


def test_a_damaged_loss_of_the_base_of_a_run_that_is_over_asks_to_delete_its_folder(tmp_path):
    with pytest.raises(CutOffError):
        live(tmp_path / "run", FULL | {"steps": 1}, cut_off_at(1))
    (tmp_path / "run" / "baseline.json").write_text("{")
    with pytest.raises(UnsafeFileError, match=r"baseline.json is damaged, or of another version: delete .*/run, and"):
        live(tmp_path / "run", FULL | {"steps": 1})


def test_a_run_that_ended_is_not_trained_again(tmp_path, whole):
    told = LORA | {"steps": 2}
    first = live(tmp_path / "run", told)
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "run").rglob("*") if file.name != ".lock"}
    assert live(tmp_path / "run", told) == first
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "run").rglob("*") if file.name != ".lock"} == before


def test_a_run_cut_off_between_its_last_step_and_its_end_is_ended_without_training(tmp_path, whole):
    run = tmp_path / "run"
    with pytest.raises(CutOffError):
        live(run, FULL, cut_off_when(lambda: (run / "checkpoints" / "checkpoint-12").exists()))
    assert {file.name for file in run.iterdir()} & {"best", "finished.json"} == set()
    assert live(run, FULL).resumed_from == FULL["steps"]
    assert outcome(run) == whole["all weights"][1]


def leavings(run):
    """What a run keeps, by name; its lock, and what the tests note of it, left out."""
    return {file.name for file in run.iterdir()} - {".lock", "seen.json"}


ENDED = {"plan.json", "baseline.json", "best", "trace.jsonl", "finished.json"}


def test_a_run_that_has_ended_keeps_its_best_weights_and_no_checkpoint(tmp_path, whole):
    told, told_at_end = FULL | {"steps": 3}, []
    live(tmp_path / "run", told, lambda: told_at_end.append(leavings(tmp_path / "run")))
    assert leavings(tmp_path / "run") == ENDED
    assert told_at_end[-2:] == [ENDED | {"checkpoints"}, ENDED], "its end is safe before its checkpoints go"


@pytest.mark.parametrize("moment", ["before they go", "while they go"])
def test_checkpoints_left_by_a_kill_at_the_end_go_when_the_run_is_next_seen(tmp_path, whole, moment):
    run, seen = tmp_path / "run", []
    with pytest.raises(CutOffError):
        live(run, FULL, cut_off_when((run / "finished.json").exists))
    assert len(checkpoints.steps(run / "checkpoints")) > 1
    if moment == "while they go":
        (run / "checkpoints").rename(run / ".checkpoints.gone")
        (run / ".checkpoints.gone" / "checkpoint-12" / "optimizer.pt").unlink()
    ended = live(run, FULL, lambda: seen.append(leavings(run)))
    assert (ended.best_loss, ended.resumed_from) == (whole["all weights"][0].best_loss, 0)
    assert leavings(run) == ENDED
    assert seen == [ENDED]
    assert outcome(run) == whole["all weights"][1]


def test_a_run_that_a_rung_stopped_keeps_the_checkpoints_it_goes_on_from(tmp_path, whole):
    run = tmp_path / "run"
    assert not live(run, FULL, until=6).complete
    assert {6} <= {*checkpoints.steps(run / "checkpoints")}
    assert live(run, FULL, until=6).steps == 6, "nobody asked for more"
    assert checkpoints.steps(run / "checkpoints")
    reopen(run, 12)
    ended = live(run, FULL)
    assert (ended.resumed_from, ended.complete) == (6, True)
    assert leavings(run) == ENDED
    assert outcome(run)[1:] == whole["all weights"][1][1:]


def pressed_at(step):
    """Return a logger's handler that interrupts when this step is told of."""

    class Pressing(logging.Handler):
        def emit(self, record):
            if f"step {step} of" in record.getMessage():
                raise KeyboardInterrupt

    return Pressing()


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (1, "interrupted at step 1 of 12; the same command begins anew (checkpoints are 2 steps apart)"),
        (8, "interrupted at step 8 of 12; the same command goes on after step 6 (checkpoints are 2 steps apart)"),
    ],
)
def test_an_interrupted_run_says_where_it_was_and_where_the_same_command_goes_on(tmp_path, caplog, step, sentence):
    caplog.set_level(logging.INFO, "almanac")
    press, log = pressed_at(step), logging.getLogger("almanac")
    log.addHandler(press)
    try:
        with pytest.raises(KeyboardInterrupt) as stopped:
            live(tmp_path / "run", FULL)
    finally:
        log.removeHandler(press)
    assert str(stopped.value) == sentence
    assert live(tmp_path / "run", FULL).resumed_from == (6 if step == 8 else 0)


def test_progress_is_one_count_of_steps_with_both_losses_up_to_the_rung_and_no_false_alarm(tmp_path, caplog):
    alarms = Kept()
    logging.getLogger("transformers").addHandler(alarms)
    try:
        with caplog.at_level(logging.INFO, "almanac"):
            live(tmp_path / "run", FULL, until=6)
            reopen(tmp_path / "run", 12)
            live(tmp_path / "run", FULL)
    finally:
        logging.getLogger("transformers").removeHandler(alarms)
    counted = [one for one in caplog.records if hasattr(one, "counts")]
    assert {one.counts for one in counted} == {"steps"}
    assert [(one.due, one.done) for one in counted if hasattr(one, "due")] == [(6, 0), (12, 6)]
    moved = [one for one in counted if hasattr(one, "done") and not hasattr(one, "due")]
    assert [one.done for one in moved] == [*range(1, 13)]
    assert "step 3 of 6, loss " in moved[2].getMessage()
    assert "validation" not in moved[2].getMessage(), "nothing was judged yet"
    assert re.search(r"step 7 of 12, loss \d+\.\d{4}, validation loss \d+\.\d{4}$", moved[6].getMessage())
    judged = [one for one in caplog.messages if ": validation loss " in one]
    assert [re.findall(r"after (\d+ of \d+), the base's \d", one)[0] for one in judged] == [
        *("3 of 6", "6 of 6", "9 of 12", "12 of 12")
    ]
    assert not [one for one in alarms.said if "missing keys" in one]


class Kept(logging.Handler):
    """What a library says."""

    def __init__(self):
        super().__init__()
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage())


def test_what_came_of_a_run_says_how_much_better_it_is_than_its_base_and_what_it_took(whole):
    ended, (_, trace, _) = whole["all weights"]
    rows = [json.loads(line) for line in trace.splitlines()]
    losses = {row["step"]: row["eval_loss"] for row in rows if "eval_loss" in row}
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 13))
    assert [*losses] == [3, 6, 9, 12]
    assert (ended.best_loss, ended.best_step) == min((loss, step) for step, loss in losses.items())
    assert ended.best_loss < ended.base_loss
    assert ended.steps == 12
    assert ended.tokens > 12 * 6 * 20
    assert ended.tokens_per_second > 100
    assert 100 < ended.peak_memory_mb < 10_000


def test_a_run_stops_when_patience_ends_keeps_the_best_and_a_resumed_one_does_not_go_on(tmp_path):
    told = FULL | {"learning_rate": 0.5, "patience": 2, "steps": 40, "checkpoint_every": 50, "evaluate_every": 1}
    run = tmp_path / "run"
    with pytest.raises(CutOffError):
        live(run, told, cut_off_when((run / "finished.json").exists))
    kept = {*checkpoints.steps(run / "checkpoints")}
    (run / "finished.json").unlink()
    ended = live(run, told)
    assert ended.steps == ended.resumed_from == ended.best_step + 2 < 40
    assert kept >= {ended.steps, ended.best_step}
    assert (ended.complete, leavings(run)) == (True, ENDED)


def test_a_folder_of_another_plan_is_refused(tmp_path):
    live(tmp_path / "run", FULL | {"steps": 1})
    with pytest.raises(UsageError, match="belongs to the run tiny-full-lr3e-03-1-.*: give another folder"):
        live(tmp_path / "run", FULL | {"steps": 2})


def test_a_second_process_does_not_train_in_the_same_folder(tmp_path):
    inside, leave = threading.Event(), threading.Event()

    def hold():
        inside.set()
        leave.wait(20)

    first = threading.Thread(target=live, args=(tmp_path / "run", FULL | {"steps": 1}, hold))
    first.start()
    assert inside.wait(20)
    try:
        with pytest.raises(BusyError, match="another process trains run"):
            live(tmp_path / "run", FULL | {"steps": 1})
    finally:
        leave.set()
        first.join()


def test_the_name_of_a_run_changes_with_everything_that_changes_what_it_learns():
    told = [LORA, LORA | {"seed": 1}, LORA | {"batch": 2}, LORA | {"dropout": 0.0}, LORA | {"revision": "abc"}]
    names = {plan(one).name(FINGERPRINT) for one in told} | {plan(LORA).name("other data")}
    assert len(names) == 6
    assert plan(LORA).name(FINGERPRINT) == plan(dict(reversed(LORA.items()))).name(FINGERPRINT)


def test_a_plan_that_cannot_be_trained_is_refused_with_all_that_is_wrong():
    with pytest.raises(
        UsageError, match="steps 0 is below 1; .*learning_rate 2 is not .*; precision 'int8' is none of"
    ):
        plan({"steps": 0, "learning_rate": 2, "precision": "int8"})


def test_any_trainer_of_transformers_goes_on_exactly_in_the_same_loop(tmp_path):
    """A classifier with dropout: what the loop asks of a trainer is an evaluation's loss and its arguments."""
    from datasets import Dataset
    from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

    from shared.steps.examples import in_order
    from shared.steps.finetune import arguments, finetune

    told = plan(SHORT | {"rank": 0})
    rows = Dataset.from_list([{"input_ids": [n % 9, n % 5, n % 3], "labels": n % 3} for n in range(20)])
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}

    def build(output):
        return Trainer(
            BertForSequenceClassification(BertConfig(vocab_size=10, num_labels=3, **size)),
            TrainingArguments(**arguments(told, output) | {"include_num_input_tokens_seen": "all"}),
            train_dataset=in_order(rows, told.batch, told.steps * told.accumulation, told.seed),
            eval_dataset=rows,
        )

    finetune(told, "classes", tmp_path / "whole", build)
    with pytest.raises(CutOffError):
        finetune(told, "classes", tmp_path / "run", build, cut_off_at(3))
    assert finetune(told, "classes", tmp_path / "run", build).resumed_from == 4
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


def polls_after(place, count):
    """Return whether ``place`` was there at more than ``count`` polls, of half a millisecond each."""
    left = [count]

    def moment():
        left[0] -= place.exists()
        return left[0] < 0

    return moment


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lora, dropout, packing", "all weights"])
def test_ten_random_kills_of_each_kind_change_nothing(tmp_path, whole, kind):
    """Half of them inside a checkpoint's writing; a run that ends before its next kill is compared and begun anew."""
    drawn, kills, inside, run = random.Random(0), 0, 0, tmp_path / "0"
    while kills < 10:
        if (run / "finished.json").exists():
            assert outcome(run) == whole[kind][1]
            run = tmp_path / str(int(run.name) + 1)
        done = max(checkpoints.steps(run / "checkpoints"), default=0)
        place = (
            run / "checkpoints" / (".writing" if kills % 2 else ".") / f"checkpoint-{done + drawn.choice([2, 3, 4])}"
        )
        if killed(run, KINDS[kind], polls_after(place, drawn.randrange(30))):
            kills += 1
            inside += any((run / "checkpoints" / ".writing").glob("checkpoint-*"))
    live(run, KINDS[kind])
    assert outcome(run) == whole[kind][1]
    assert inside > 0
