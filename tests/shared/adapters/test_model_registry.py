"""What every ModelRegistry must do."""

import multiprocessing

import pytest

from shared.errors import NotYetError, SchemaError, UnsafeFileError
from shared.ports import NewModel


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "made"
    (made / "tokenizer").mkdir(parents=True)
    (made / "model.onnx").write_bytes(b"\x08\x0a weights")
    (made / "tokenizer" / "vocab.json").write_text("{}")
    return made


def test_versions_count_from_one_and_come_back_as_they_were_saved(models, folder):
    first = models.save(NewModel("tide", folder, {"mae": 0.5}, {"inputs": ["port"]}, "c0de", "run1", "2026-11-20"))
    second = models.save(NewModel("tide", folder, {"mae": 0.4}))
    assert (first.version, second.version, models.versions("tide")) == (1, 2, [1, 2])
    found = models.load("tide", 1)
    assert (found.metrics, found.signature, found.run_id, found.trained_on) == (
        {"mae": 0.5},
        {"inputs": ["port"]},
        "run1",
        "2026-11-20",
    )
    assert (found.folder / "model.onnx").read_bytes() == b"\x08\x0a weights"
    assert set(found.files) == {"model.onnx", "tokenizer/vocab.json"}


def test_a_signature_is_told_without_a_look_at_the_files(models, folder):
    kept = models.save(NewModel("tide", folder, {}, {"base": "tiny", "plan": {"rank": 8}}))
    (kept.folder / "model.onnx").write_bytes(b"gigabytes that nobody needs to read")
    assert models.signature("tide", 1) == {"base": "tiny", "plan": {"rank": 8}}
    with pytest.raises(NotYetError):
        models.signature("tide", 2)
    with pytest.raises(NotYetError):
        models.signature("wave", 1)


def test_a_model_never_saved_names_the_stage_that_makes_it(models):
    assert models.versions("tide") == []
    with pytest.raises(NotYetError, match="train"):
        models.load("tide", 1)


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.pt", "weights.bin", "run.py", "model.keras"])
def test_a_file_that_could_run_code_is_refused_and_nothing_is_saved(models, folder, name):
    (folder / name).write_bytes(b"x")
    with pytest.raises(UnsafeFileError, match=name):
        models.save(NewModel("tide", folder, {}))
    assert models.versions("tide") == []


@pytest.mark.parametrize("damage", ["changed", "removed", "added", "renamed to a pickle"])
def test_files_that_differ_from_what_was_saved_are_not_loaded(models, folder, damage):
    kept = models.save(NewModel("tide", folder, {})).folder
    if damage == "changed":
        (kept / "model.onnx").write_bytes(b"other weights")
    elif damage == "removed":
        (kept / "model.onnx").unlink()
    elif damage == "added":
        (kept / "more.json").write_text("{}")
    else:
        (kept / "model.onnx").rename(kept / "model.pkl")
    with pytest.raises(UnsafeFileError):
        models.load("tide", 1)


def test_a_link_out_of_the_folder_is_refused(models, folder, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "notes.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(UnsafeFileError, match=r"notes\.txt"):
        models.save(NewModel("tide", folder, {}))


@pytest.mark.parametrize("name", ["../tide", "tide/../../x", "", "a b"])
def test_a_name_that_is_a_path_is_refused(models, folder, name):
    with pytest.raises(SchemaError):
        models.save(NewModel(name, folder, {}))


def _save_five(models, folder):
    for _ in range(5):
        models.save(NewModel("tide", folder, {}))


@pytest.mark.slow
def test_four_trainers_at_once_get_twenty_versions_all_whole(models, folder):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_save_five, args=(models, folder)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert models.versions("tide") == list(range(1, 21))
    assert all(models.load("tide", version).files for version in models.versions("tide"))
