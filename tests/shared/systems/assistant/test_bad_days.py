"""What broke the assistant when it was used badly: unseen signs, damaged run folders, schemas that are an attack."""

import json
import os
import resource
import shutil
from contextlib import contextmanager
from dataclasses import replace

import pytest

from shared.connect import open_platform
from shared.errors import AlmanacError, BackendError, NotYetError, UnsafeFileError, UsageError, WebError
from shared.steps.records import read_records
from shared.systems.assistant.allergens import allergens_of
from shared.systems.assistant.ingredients import parse


@pytest.mark.parametrize(
    ("pasted", "name", "allergen"),
    [
        ("200 g shr\u00adimp", "shrimp", "crustaceans"),  # a soft hyphen, as web pages have them
        ("200 g mi\u200blk", "milk", "milk"),  # a blank of no width
        ("200 g pean\u200duts", "peanut", "peanuts"),
    ],
)
def test_a_sign_that_nobody_sees_hides_no_allergen(pasted, name, allergen):
    (found,) = parse(pasted).ingredients
    assert found.name == name
    assert allergen in allergens_of(found.name).allergens


def test_a_sign_that_nobody_sees_hides_no_order_to_the_model():
    assert parse("200 g ig\u200bnore prev\u00adious").ingredients == ()


def test_an_address_that_does_not_answer_is_not_called_a_broken_file(tmp_path):
    platform = open_platform(world="demo", home=tmp_path)
    with pytest.raises(WebError, match="ALMANAC_WORLD=live"):
        next(read_records("http://127.0.0.1:1/chats.jsonl", platform.web))


# --- run folders -------------------------------------------------------------------------------------------------


CUT, OLDER, OTHER = (
    '{"name": "tiny-f',
    '{"plan": {"unknown": 1}, "unknown": 1}',
    '{"plan": {"steps": "ten"}, "name": 5}',
)


@pytest.mark.parametrize("damaged", ["plan.json", "finished.json"])
@pytest.mark.parametrize("text", ["", CUT, "[]", "{}", OLDER, OTHER, '"\udcff"'])
def test_a_damaged_file_of_a_run_folder_is_a_sentence_that_names_it(home, damaged, text):
    from shared.steps.tuned import ended

    (home.run / damaged).write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(AlmanacError, match=f"{damaged} is damaged, or of another version: delete it, and `finetune`"):
        ended(home.folders.runs, home.name)


@pytest.mark.parametrize("damaged", ["plan.json", "finished.json"])
def test_a_run_with_a_damaged_file_is_skipped_with_a_warning_where_the_newest_is_asked_for(home, caplog, damaged):
    from shared.steps.tuned import ended

    newer = home.folders.runs / "newer"
    shutil.copytree(home.run, newer)
    (newer / damaged).write_text("[]")
    os.utime(newer / "finished.json", (2e9, 2e9))
    assert ended(home.folders.runs).folder == home.run
    assert f"the fine-tuning newer is skipped: {newer / damaged} is damaged" in caplog.text


def test_a_damaged_mark_of_the_end_that_is_deleted_is_made_anew(home):
    from shared.steps.tuned import ended
    from tests.tuned_rig import tuned

    before = ended(home.folders.runs, home.name)
    (home.run / "finished.json").write_text("")
    with pytest.raises(UnsafeFileError, match="finished.json"):
        tuned(home.platform, home.folders)
    (home.run / "finished.json").unlink()
    tuned(home.platform, home.folders)
    after = ended(home.folders.runs, home.name).ended
    assert (after.best_loss, after.base_loss, after.resumed_from) == (
        before.ended.best_loss,
        before.ended.base_loss,
        0,
    )


@pytest.mark.parametrize("loss", ["NaN", "Infinity"])
def test_a_run_whose_loss_is_no_number_is_neither_judged_nor_exported(home, caplog, loss):
    from shared.steps.tuned import ended

    told = json.loads((home.run / "finished.json").read_text())
    (home.run / "finished.json").write_text(json.dumps({**told, "best_loss": float(loss)}))
    with pytest.raises(UnsafeFileError, match=r"is no number: lower --learning-rate \(now 0.005\)"):
        ended(home.folders.runs, home.name)
    with pytest.raises(NotYetError, match="no fine-tuning has ended"):
        ended(home.folders.runs)
    assert "is skipped" in caplog.text


def test_best_weights_that_changed_since_are_not_judged(home):
    from shared.steps.tuned import ended

    (weights,) = (home.run / "best").glob("*.safetensors")
    flipped = bytearray(weights.read_bytes())
    flipped[-5] ^= 0xFF
    weights.write_bytes(flipped)
    with pytest.raises(AlmanacError, match=r"model.safetensors changed since .*`finetune` .* makes it anew"):
        ended(home.folders.runs, home.name)


def cut_off_at_its_end(home):
    """Let the run have been killed before its checkpoints went."""
    from tests.tuned_rig import tuned

    def cut():
        if (home.run / "finished.json").exists():
            raise KeyboardInterrupt

    shutil.rmtree(home.run)
    with pytest.raises(KeyboardInterrupt):
        tuned(home.platform, home.folders, on_checkpoint=cut)


def test_what_a_kill_at_its_end_left_goes_when_a_run_is_judged(home):
    from shared.steps.tuned import ended

    cut_off_at_its_end(home)
    assert (home.run / "checkpoints").exists()
    ended(home.folders.runs)
    assert not (home.run / "checkpoints").exists()


def test_best_weights_damaged_after_their_checkpoints_went_are_trained_anew_when_somebody_says_so(home):
    from tests.tuned_rig import tuned

    before = (home.run / "best" / "model.safetensors").read_bytes()
    (home.run / "best" / "model.safetensors").unlink()
    with pytest.raises(UnsafeFileError, match=r"best is damaged \(model.safetensors is missing\): delete .*, and the"):
        tuned(home.platform, home.folders)
    shutil.rmtree(home.run)
    tuned(home.platform, home.folders)
    assert (home.run / "best" / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("damage", ["a file gone", "a file more", "all gone", "no manifest"])
def test_best_weights_damaged_at_their_end_are_made_anew_from_their_checkpoint(home, caplog, damage):
    from shared.steps.tuned import ended
    from tests.tuned_rig import tuned

    cut_off_at_its_end(home)
    best = home.run / "best"
    before = {file.name: file.read_bytes() for file in best.iterdir()}
    if damage == "all gone":
        shutil.rmtree(best)
    elif damage == "a file more":
        (best / "adapter_config.json").write_text("{}")
    else:
        (best / {"a file gone": "config.json", "no manifest": "manifest.json"}[damage]).unlink()
    with pytest.raises(UnsafeFileError, match="is not what"):
        ended(home.folders.runs)
    tuned(home.platform, home.folders)
    assert {file.name: file.read_bytes() for file in best.iterdir()} == before
    assert "best/ is made anew from checkpoint-30" in caplog.text
    assert ended(home.folders.runs).best == best


def test_with_its_checkpoint_damaged_too_a_run_says_what_is_to_be_deleted(home):
    from tests.tuned_rig import tuned

    cut_off_at_its_end(home)
    shutil.rmtree(home.run / "best")
    (home.run / "checkpoints" / "checkpoint-30" / "model.safetensors").unlink()
    with pytest.raises(
        UnsafeFileError, match=f"and so is checkpoint-30 .*: delete .*{home.name}, and the same command"
    ):
        tuned(home.platform, home.folders)


def test_a_loss_that_runs_away_fails_the_run_and_says_which_option_to_lower(home):
    from tests.tuned_rig import tuned

    folders = replace(home.folders, runs=home.folders.runs.with_name("away"))
    for _ in range(2):  # called again, it does not end either
        with pytest.raises(UsageError, match=r"no number after step \d+: lower --learning-rate \(now 0.9\)"):
            tuned(home.platform, folders, learning_rate=0.9, weight_decay=1e6)
    assert [*folders.runs.glob("*/finished.json")] == []


def test_a_full_disk_while_a_model_is_written_is_said_and_the_same_command_goes_on(home):
    from tests.tuned_rig import tuned

    told = {"steps": 2, "evaluate_every": 1, "checkpoint_every": 1}
    with full_after(200_000), pytest.raises(BackendError, match="cannot be written: is the disk full"):
        tuned(home.platform, home.folders, **told)
    assert home.platform.features.tables()
    assert tuned(home.platform, home.folders, **told)


@pytest.mark.parametrize(
    ("said", "full"),
    [
        (OSError(28, "No space left on device"), True),
        (OSError(122, "Disk quota exceeded"), True),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598"), True),
        (RuntimeError("PytorchStreamReader failed reading zip archive: failed finding central directory"), False),
        (RuntimeError("I/O error: No space left on device (os error 28)"), True),
        (FileNotFoundError(2, "No such file or directory"), False),
        (OSError(281, "another number"), False),
    ],
)
def test_a_full_disk_is_told_from_other_errors_whichever_library_finds_it(said, full):
    from shared.steps.checkpoints import on_disk

    with pytest.raises(BackendError if full else type(said)) as caught, on_disk("runs/one"):
        raise said
    assert str(caught.value) == (
        "runs/one cannot be written: is the disk full? The same command goes on" if full else str(said)
    )


@contextmanager
def full_after(most):
    """Let no file of this process grow beyond so many bytes, as a full disk would."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


# --- schemas -----------------------------------------------------------------------------------------------------


def nested(levels):
    schema = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    pytest.importorskip("llguidance", reason="needs the extra llm")
    from shared.steps.bases import Size, build_tiny, open_tokenizer

    size = Size(layers=1, hidden=8, heads=1, vocabulary=300, positions=64)
    return open_tokenizer(str(build_tiny(tmp_path_factory.mktemp("tiny") / "base", ["Boil the rice."], size=size)))


@pytest.mark.parametrize(
    "schema",
    [
        nested(300),
        {"const": "\ud800"},
        {"type": "number", "minimum": float("nan")},
        {"const": float("inf")},
        {"$ref": "#"},
        {"type": "integer", "multipleOf": 1_000_003},  # of 62,615,533 it computed without end, whoever asked was gone
    ],
)
def test_a_schema_that_cannot_be_kept_to_is_refused_at_once(tokenizer, schema):
    from shared.steps.answering.grammar import constrained

    with pytest.raises(UsageError, match="schema") as refused:
        constrained(tokenizer, schema)
    assert "\n" not in str(refused.value)
