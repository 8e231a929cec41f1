"""How much each input moved a prediction, beside typical rows: Shapley values, through the library shap.

    one row, typical rows ──► orders in which the row's inputs replace a typical row's ──► mean change of the prediction

Lundberg & Lee 2017 (NeurIPS 30, arXiv:1705.07874); by random orders, each followed by its reverse (Mitchell, Cooper,
Frank & Holmes 2022, JMLR 23:43), so that the shifts add up whatever the number of orders.
"""

from __future__ import annotations

import threading
import warnings
from typing import TYPE_CHECKING

import numpy as np

from shared.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

ORDERS = 20  # and their reverses; of twelve inputs, a shift is then within 0.02 of what all orders give
_one_at_a_time = threading.Lock()  # shap seeds NumPy's one global generator, and warnings are global, too


def shapley(
    said: Callable[[np.ndarray], np.ndarray], row: np.ndarray, typical: np.ndarray, orders: int = ORDERS
) -> np.ndarray:
    """Return the shift of each input ``[inputs]`` of ``row``; always the same for the same numbers.

    Args:
        said: what is said of many rows ``[rows, inputs]`` at once: ``[rows]``.
        row: the inputs of the prediction to explain, as floats.
        typical: ``[rows, inputs]``; the shifts add up to ``said`` of the row less its mean over these.
        orders: how many orders are tried, each with its reverse.

    Raises:
        MissingExtraError: shap is not installed.

    >>> shapley(lambda rows: rows @ [2.0, 1.0], np.array([1.0, 5.0]), np.array([[0.0, 5.0], [0.0, 3.0]])).tolist()
    [2.0, 1.0]
    """
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports Matplotlib where it can, in a way that warns
        try:
            import shap
        except ImportError as cause:
            raise MissingExtraError("what moved a prediction needs shap: pip install 'almanac[explain]'") from cause
        before = np.random.get_state()
        try:
            # A function, as shap's own masker is compiled at its first use: five seconds instead of two.
            explainer = shap.PermutationExplainer(said, lambda mask, taken: np.where(mask, taken, typical), seed=0)
            found = explainer(row[None, :], max_evals=orders * (2 * len(row) + 1), silent=True)
        finally:
            np.random.set_state(before)
    return np.asarray(found.values[0], dtype="float64")
