"""Checkpoints are whole or not there, their hashes tell accidents and changes, and the best outlives the older ones."""

import json
import logging
import os

import pytest

from shared.steps import checkpoints


def save(folder, step, best=None, weights=b"weights", plan="a-plan"):
    """Do what a trainer and its keeper do."""
    fresh = checkpoints.writing(folder) / f"checkpoint-{step}"
    (fresh / "nested").mkdir(parents=True)
    for name in ("model.safetensors", "optimizer.pt", "trainer_state.json", "tokenizer.json", "nested/more.json"):
        (fresh / name).write_bytes(weights)
    (fresh / "training_args.bin").write_bytes(b"a pickle")
    return checkpoints.seal(folder, step, {"plan": plan, "best": best, "seconds": 1.5})


@pytest.fixture
def folder(tmp_path):
    checkpoints.sweep(tmp_path)
    return tmp_path


def test_a_sealed_checkpoint_is_found_with_its_facts_and_without_the_pickle_that_trainers_add(folder):
    place = save(folder, 20)
    assert checkpoints.newest_complete(folder, "a-plan") == place == folder / "checkpoint-20"
    facts = checkpoints.facts(place)
    assert {name: facts[name] for name in ("step", "best", "seconds")} == {"step": 20, "best": None, "seconds": 1.5}
    assert sorted(facts["files"]) == [
        "model.safetensors",
        "nested/more.json",
        "optimizer.pt",
        "tokenizer.json",
        "trainer_state.json",
    ]
    assert facts["files"]["optimizer.pt"]["bytes"] == 7
    assert [*checkpoints.writing(folder).iterdir()] == []


def test_there_is_none_in_an_empty_folder_nor_in_one_that_is_not_there(tmp_path):
    assert checkpoints.newest_complete(tmp_path, "a-plan") is None
    assert checkpoints.newest_complete(tmp_path / "none", "a-plan") is None


def test_the_newest_by_number_counts_not_by_name_nor_by_time(folder):
    for step in (100, 20, 9):
        save(folder, step)
    assert checkpoints.step_of(checkpoints.newest_complete(folder, "a-plan")) == 100


def test_what_a_kill_left_half_written_is_never_found_and_swept_away(folder):
    save(folder, 10)
    (checkpoints.writing(folder) / "checkpoint-20").mkdir()
    (checkpoints.writing(folder) / "checkpoint-20" / "model.safetensors").write_bytes(b"wei")
    assert checkpoints.step_of(checkpoints.newest_complete(folder, "a-plan")) == 10
    checkpoints.sweep(folder)
    assert [*checkpoints.writing(folder).iterdir()] == []


def test_a_checkpoint_that_another_plan_sealed_is_skipped(folder, caplog):
    save(folder, 10, plan="a-plan")
    save(folder, 20, plan="another")
    assert checkpoints.step_of(checkpoints.newest_complete(folder, "a-plan")) == 10
    assert "checkpoint checkpoint-20 is skipped: it was sealed as checkpoint-20 of another" in caplog.text


def test_a_checkpoint_that_was_renamed_is_skipped(folder, caplog):
    save(folder, 10).rename(folder / "checkpoint-99")
    assert checkpoints.newest_complete(folder, "a-plan") is None
    assert "it was sealed as checkpoint-10 of a-plan" in caplog.text


ODD = ["", "[]", '"text"', "null", '{"step": 10}', "\ud800"]
ODD += ['{"step": 10, "plan": "a-plan", "files": ["model.safetensors"]}']
ODD += ['{"step": 10, "plan": "a-plan", "best": null, "files": {"model.safetensors": {}}}']


@pytest.mark.parametrize("manifest", ODD)
def test_whatever_stands_in_a_manifest_it_is_skipped_and_nothing_is_raised(folder, caplog, manifest):
    place = save(folder, 10)
    (place / "manifest.json").write_text(manifest, errors="surrogatepass")
    assert checkpoints.newest_complete(folder, "a-plan") is None
    assert "checkpoint checkpoint-10 is skipped: it has no readable manifest.json" in caplog.text


def test_a_file_of_the_same_size_with_another_content_is_noticed(folder, caplog):
    place = save(folder, 10)
    (place / "nested" / "more.json").write_bytes(b"wiights")
    assert checkpoints.newest_complete(folder, "a-plan") is None
    assert "nested/more.json changed since it was sealed" in caplog.text


def test_a_checkpoint_whose_best_one_is_damaged_is_skipped_as_its_run_could_not_end_the_same(folder, caplog):
    save(folder, 10)
    save(folder, 20, best=20)
    save(folder, 30, best=20)
    (folder / "checkpoint-20" / "optimizer.pt").unlink()
    assert checkpoints.step_of(checkpoints.newest_complete(folder, "a-plan")) == 10
    assert "checkpoint-30 is skipped: the best one, of step 20, is damaged: optimizer.pt is missing" in caplog.text


def test_the_two_newest_and_the_best_are_kept(folder):
    for step in (10, 20, 30, 40, 50):
        save(folder, step)
    checkpoints.prune(folder, 50, best=20)
    assert sorted(checkpoints.steps(folder)) == [20, 40, 50]
    checkpoints.prune(folder, 50, best=None)
    assert sorted(checkpoints.steps(folder)) == [40, 50]


def test_checkpoints_after_the_one_gone_on_from_were_not_trusted_and_go(folder):
    for step in (10, 20, 99):
        save(folder, step)
    checkpoints.prune(folder, 20, best=10)
    assert sorted(checkpoints.steps(folder)) == [10, 20]


def test_a_damaged_checkpoint_of_the_same_step_is_replaced(folder):
    save(folder, 10, weights=b"damaged")
    save(folder, 10, weights=b"whole")
    assert (folder / "checkpoint-10" / "model.safetensors").read_bytes() == b"whole"
    assert checkpoints.newest_complete(folder, "a-plan") == folder / "checkpoint-10"


def test_every_file_and_folder_is_on_the_disk_before_the_checkpoint_has_its_name(folder, monkeypatch):
    synced = []

    def fsync(descriptor):
        synced.append((os.readlink(f"/proc/self/fd/{descriptor}"), (folder / "checkpoint-10").exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    save(folder, 10)
    fresh = f"{checkpoints.writing(folder)}/checkpoint-10"
    before = {path for path, named in synced if not named}
    assert before == {
        *(f"{fresh}/{name}" for name in ("model.safetensors", "optimizer.pt", "trainer_state.json", "tokenizer.json")),
        *(f"{fresh}/nested/more.json", f"{fresh}/manifest.json", f"{fresh}/nested", fresh),
    }
    assert [path for path, named in synced if named] == [str(folder)]
    assert synced.index((f"{fresh}/manifest.json", False)) > synced.index((f"{fresh}/optimizer.pt", False))


def test_the_files_of_a_model_are_told_from_the_state_of_its_trainer(folder):
    place = save(folder, 10)
    (place / "rng_state.pth").touch()
    (place / "adapter_config.json").touch()
    names = [file.name for file in checkpoints.of_model(place)]
    assert names == ["adapter_config.json", "model.safetensors", "tokenizer.json"]


def test_a_small_file_is_replaced_as_a_whole(tmp_path):
    checkpoints.replaced(tmp_path / "finished.json", json.dumps({"steps": 1}))
    checkpoints.replaced(tmp_path / "finished.json", json.dumps({"steps": 2}))
    assert json.loads((tmp_path / "finished.json").read_text()) == {"steps": 2}
    assert [file.name for file in tmp_path.iterdir()] == ["finished.json"]


def test_whole_checkpoints_raise_no_warning(folder, caplog):
    caplog.set_level(logging.WARNING)
    save(folder, 10)
    save(folder, 20, best=10)
    assert checkpoints.newest_complete(folder, "a-plan") is not None
    assert caplog.text == ""
