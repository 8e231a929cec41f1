"""Whether synthetic rows help a model: trained on real ones, on both, on synthetic ones alone; judged on real rows.

real rows ──► folds by group ──► in each: a generator learns the training part, draws; a model is fitted
          ──► squared errors on the held-out part, side by side ──► differences with an interval over groups
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from shared.steps.promotion import paired_bootstrap
from shared.steps.splits import hashed_folds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Draw = Callable[[pd.DataFrame, int, int], pd.DataFrame]  # learned rows, how many to draw, seed -> rows
    Predict = Callable[[pd.DataFrame, pd.DataFrame], np.ndarray]  # rows to fit, rows to predict -> values

MIXES = {"real": (1, 0.0), "real + half as many synthetic": (1, 0.5), "real + as many synthetic": (1, 1.0)}
MIXES |= {"real + twice as many synthetic": (1, 2.0), "synthetic alone, as many": (0, 1.0)}


def augmentation(  # noqa: PLR0913 - rows with what they mean, and two ways to treat them
    rows: pd.DataFrame, target: str, groups: Sequence[str], draw: Draw, predict: Predict, *, repeats: int = 3
) -> list[dict[str, Any]]:
    """Return a row a mix: ``mse`` on real rows out of 5 folds, and what it adds to that of real rows alone.

    ``difference`` (with ``low`` and ``high``, 95 %, bootstrapped over groups) is above 0 where synthetic rows hurt.
    """
    losses: dict[str, list[pd.Series]] = {name: [] for name in MIXES}
    for repeat in range(repeats):
        for fit, held in hashed_folds(groups, 5, repeat):
            known, judged = rows.iloc[fit], rows.iloc[held]
            drawn = draw(known, 2 * len(known), repeat)
            for name, (real, share) in MIXES.items():
                mixed = pd.concat([known[: len(known) * real], drawn.head(int(share * len(known)))], ignore_index=True)
                away = predict(mixed, judged) - judged[target].to_numpy()
                losses[name].append(pd.Series(away**2, index=[groups[place] for place in held]))
    together = {name: pd.concat(parts) for name, parts in losses.items()}
    return [_row(name, loss, together["real"]) for name, loss in together.items()]


def _row(name: str, loss: pd.Series, real: pd.Series) -> dict[str, Any]:
    gap = paired_bootstrap(loss, real)
    return {"learned_from": name, "mse": float(loss.mean()), "difference": gap.middle, "low": gap.low, "high": gap.high}
