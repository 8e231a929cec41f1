"""Models kept as ONNX: run with onnxruntime alone, which imports in a tenth of a second."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

if TYPE_CHECKING:
    from pathlib import Path


def class_probabilities(path: Path, inputs: np.ndarray) -> np.ndarray:
    """Return float64 ``[rows, classes]`` in 0..1 for float32 ``[rows, features]``, row by row."""
    return _run(path, inputs, "probabilities").astype(np.float64).clip(0, 1)


def predicted_values(path: Path, inputs: np.ndarray, *, batch: bool = False) -> np.ndarray:
    """Return a regressor's float64 ``[rows, outputs]`` for float32 ``[rows, features]``; all at once with ``batch``."""
    return _run(path, inputs, "variable", batch=batch).astype(np.float64)


def _run(path: Path, inputs: np.ndarray, output: str, *, batch: bool = False) -> np.ndarray:
    """Return the output for all rows: one thread, and one row at a time unless ``batch``.

    The same inputs then give the same bits, whatever came with them. In a batch they differ by 1e-6, but many rows are
    done sooner: 10^4 take half a second one by one.
    """
    session = _session(path, path.stat().st_mtime_ns)
    name, rows = session.get_inputs()[0].name, inputs.astype(np.float32)
    if batch or not len(rows):
        return np.asarray(session.run([output], {name: rows})[0])
    found = [session.run([output], {name: rows[place : place + 1]})[0] for place in range(len(rows))]
    return np.vstack(found)


@lru_cache(maxsize=16)
def _session(path: Path, _changed_ns: int) -> onnxruntime.InferenceSession:
    """Return the file's session, kept as long as the file is the same: opening a large forest takes half a second."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # converters name a wrong shape for several outputs, and every run would say so
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
