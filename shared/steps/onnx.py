"""A classifier kept as ONNX: run with onnxruntime alone, which imports in a tenth of a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

if TYPE_CHECKING:
    from pathlib import Path


def class_probabilities(path: Path, inputs: np.ndarray) -> np.ndarray:
    """Return float64 ``[rows, classes]`` in 0..1 for float32 ``[rows, features]``.

    One thread, so that the same inputs give the same bits.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (found,) = session.run(["probabilities"], {session.get_inputs()[0].name: inputs.astype(np.float32)})
    return np.asarray(found, dtype=np.float64).clip(0, 1)
