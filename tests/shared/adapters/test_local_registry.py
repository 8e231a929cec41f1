"""What the embedded registry promises beyond the port: what killed trainers leave is swept."""

import os

from shared.adapters.local.registry import LocalRegistry
from shared.ports import NewModel


def test_what_a_killed_trainer_left_is_no_version_and_is_swept_an_hour_later(tmp_path):
    models, made = LocalRegistry(tmp_path / "models"), tmp_path / "made"
    made.mkdir()
    (made / "model.onnx").write_bytes(b"weights")
    left = [tmp_path / "models" / "tide" / name for name in (".new-old", ".new-now")]
    for path in left:
        (path / "files").mkdir(parents=True)
    os.utime(left[0], (1, 1))
    assert models.save(NewModel("tide", made, {})).version == 1
    assert [path.exists() for path in left] == [False, True]
