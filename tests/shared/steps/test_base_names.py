"""What bases are called: a name is of one kind, and a folder that cannot be a base is refused before it is loaded."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.errors import SourceError, UnsafeFileError
from shared.steps.base_names import content_of, kind_of, located, tiny_size

ROOT = Path(__file__).parents[3]


@pytest.fixture
def model(tmp_path):
    """A folder that holds a model, as far as a look at its files tells."""
    numpy = pytest.importorskip("safetensors.numpy", reason="needs the extra llm")
    import numpy as np

    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    numpy.save_file({"weights": np.ones((8, 8), dtype=np.float32)}, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(
    "base", ["tiny:1x2", "tiny:1x10x3x300x64", "tiny:axbxcxdxe", "tiny:0x12x3x300x64", "tiny:1x12x3x9x64"]
)
def test_a_size_that_no_model_has_is_refused(base):
    with pytest.raises(SourceError, match=base):
        tiny_size(base)


def test_names_lead_to_a_version_a_folder_or_the_hub(model):
    registry = SimpleNamespace(load=lambda name, version: SimpleNamespace(folder=f"/models/{name}/{version}"))
    assert located("assistant:3", registry) == "/models/assistant/3"
    assert located(str(model), registry) == str(model)
    assert located("meta-llama/Llama-3.2-1B-Instruct", registry) == "meta-llama/Llama-3.2-1B-Instruct"


def test_a_folder_in_which_another_model_lies_by_now_is_refused(model):
    then = content_of(model)
    assert located(str(model), None, then) == str(model)
    (model / "config.json").write_text('{"model_type": "qwen3"}')
    with pytest.raises(UnsafeFileError, match=f"{model} holds another model than {then}, by its files' bytes"):
        located(str(model), None, then)
    assert located(str(model), None) == str(model)


@pytest.mark.parametrize(
    "base", ["", "assistant:", "assistant:x", "assistant:-1", "a/b/c", "a b", "-/..", "https://x.y/z", "a" * 97, "ä/b"]
)
def test_a_name_of_nothing_is_refused_with_the_names_that_there_are(base):
    with pytest.raises(SourceError, match=r"is no base: give tiny, a version \(assistant:3\), a folder"):
        kind_of(base)


def test_a_folder_is_known_without_a_dot_too_and_one_with_a_colon_is_no_version(model, monkeypatch):
    monkeypatch.chdir(model.parent)
    assert kind_of("model") == "folder"
    shutil.move(model, model.with_name("model:3"))
    assert kind_of("./model:3") == "folder"


@pytest.mark.parametrize("base", ["~nobody-of-that-name/model", "/nowhere/at/all"])
def test_a_folder_that_is_not_there_is_one_sentence(base):
    with pytest.raises(SourceError, match=base):
        kind_of(base)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("config.json", None, "holds no config.json"),
        ("config.json", b"", "config.json cannot be read"),
        ("config.json", b'{"model_type', "config.json cannot be read"),
        ("config.json", b"\xff\xfe", "config.json cannot be read"),
        ("config.json", b"[" * 100_000, "config.json cannot be read"),
        ("config.json", b"[]", "names no model_type"),
        ("config.json", b'{"model_type": 3}', "names no model_type"),
        ("model.safetensors", None, "holds none: put them there"),
        ("model.safetensors", b"", "cut off or damaged"),
        ("model.safetensors", b"\x10\0\0\0\0\0\0\0{}", "cut off or damaged"),
    ],
)
def test_a_folder_that_cannot_be_a_base_says_what_is_wrong_with_it(model, name, content, sentence):
    (model / name).unlink() if content is None else (model / name).write_bytes(content)
    with pytest.raises(SourceError, match=sentence):
        kind_of(str(model))


def test_weights_that_lack_their_last_bytes_are_refused(model):
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(SourceError, match=r"model\.safetensors is cut off or damaged"):
        kind_of(str(model))


def test_pickled_weights_are_refused_unopened(model):
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    (model / "pytorch_model.bin").write_bytes(b"not even a pickle")
    with pytest.raises(SourceError, match="only pickles, which can run code"):
        kind_of(str(model))


def test_neither_torch_nor_transformers_is_imported_for_it(model):
    code = (
        "import sys\nfrom shared.steps.base_names import kind_of\n"
        f"kind_of({str(model)!r})\n"
        "import json; print(json.dumps([n for n in ('torch', 'transformers') if n in sys.modules]))"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(said.stdout) == []
