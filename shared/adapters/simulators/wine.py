"""Vinho verde, simulated: UCI's two wine quality files, a fifth as long, from a law that is known.

    correlated normal scores ──► ten measures ──► density, free sulfur dioxide ──► rounded as a laboratory would
               └─► signal + a panel's noise ──► grade, 3 to 9

Centres, spreads and correlations are those of the real wines by colour, rounded: UCI Machine Learning Repository, data
set 186; the means stand in Cortez et al. 2009, Decision Support Systems 47:547, table 1. Density follows alcohol, sugar
and acid as a linear fit to them does. The effects on the grade are made up, with the real ones' sign and rough size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import numpy as np

if TYPE_CHECKING:
    from shared.adapters.demo import Simulator

FOLDER = "/ml/machine-learning-databases/wine-quality"
DECIMALS = {  # UCI's columns in UCI's order, and how finely each is measured
    "fixed acidity": 1,
    "volatile acidity": 2,
    "citric acid": 2,
    "residual sugar": 1,
    "chlorides": 3,
    "free sulfur dioxide": 0,
    "total sulfur dioxide": 0,
    "density": 5,
    "pH": 2,
    "sulphates": 2,
    "alcohol": 1,
    "quality": 0,
}
COPIES = 0.15  # share of rows that repeat another exactly; in the real files 0.18
EXPLAINED = 0.5  # share of the variance of a wine's merit, before it is cut to a grade, that its measures explain
FARTHEST = 2.5  # spreads from the centre


@dataclass(frozen=True)
class Law:
    """How wines of a colour are: for each of ``DRAWN`` its centre, its spread and its effect on the grade.

    Centre and spread are those of the value itself for citric acid and pH; else the median, and the spread of the
    logarithm (of the log odds for the free share). ``correlations`` is the lower triangle without its diagonal.
    """

    rows: int
    centres: tuple[float, ...]
    spreads: tuple[float, ...]
    effects: tuple[float, ...]
    correlations: tuple[tuple[float, ...], ...]
    density: tuple[float, float, float, float, float]  # of water; per % vol, g/L sugar, g/L acid; noise; g/cm³
    grade: tuple[float, float]  # mean and spread of the merit, before it is cut

    @property
    def correlation(self) -> np.ndarray:
        """The whole matrix, ``[10, 10]``."""
        full = np.eye(len(DRAWN))
        for row, values in enumerate(self.correlations, 1):
            full[row, :row] = full[:row, row] = values
        return full


DRAWN = (
    "fixed acidity",
    "volatile acidity",
    "citric acid",
    "residual sugar",
    "chlorides",
    "total sulfur dioxide",
    "free share",  # of the total sulfur dioxide, so that the free never exceeds it
    "pH",
    "sulphates",
    "alcohol",
)
LAWS = {
    "red": Law(
        rows=320,
        centres=(8.1, 0.50, 0.27, 2.3, 0.082, 37, 0.37, 3.31, 0.64, 10.4),
        spreads=(0.20, 0.36, 0.20, 0.35, 0.34, 0.71, 0.73, 0.15, 0.22, 0.10),
        effects=(0.0, -0.25, 0.0, 0.0, -0.1, -0.1, 0.1, -0.1, 0.2, 0.35),
        correlations=(
            (-0.3,),
            (0.7, -0.6),
            (0.2, 0.0, 0.2),
            (0.2, 0.1, 0.2, 0.1),
            (-0.1, 0.1, 0.0, 0.1, 0.1),
            (-0.1, -0.1, -0.1, -0.1, -0.1, -0.3),
            (-0.7, 0.2, -0.6, -0.1, -0.3, 0.0, 0.2),
            (0.2, -0.3, 0.3, 0.0, 0.3, 0.0, 0.0, -0.2),
            (-0.1, -0.2, 0.1, 0.1, -0.3, -0.2, 0.3, 0.2, 0.1),
        ),
        density=(0.99902, -0.00084, 0.0004, 0.00066, 0.0009),
        grade=(5.6, 0.76),
    ),
    "white": Law(
        rows=980,
        centres=(6.8, 0.26, 0.33, 4.1, 0.043, 130, 0.24, 3.19, 0.48, 10.5),
        spreads=(0.12, 0.34, 0.12, 0.80, 0.34, 0.34, 0.56, 0.15, 0.22, 0.11),
        effects=(0.0, -0.2, 0.0, 0.1, -0.1, 0.0, 0.15, 0.0, 0.05, 0.45),
        correlations=(
            (0.0,),
            (0.3, -0.1),
            (0.1, 0.1, 0.1),
            (0.1, 0.1, 0.1, 0.1),
            (0.1, 0.1, 0.1, 0.4, 0.3),
            (-0.1, -0.2, 0.0, 0.1, -0.1, 0.0),
            (-0.4, -0.1, -0.2, -0.2, -0.1, 0.0, 0.0),
            (0.0, 0.0, 0.1, 0.0, 0.1, 0.2, -0.1, 0.2),
            (-0.1, 0.0, -0.1, -0.4, -0.5, -0.4, 0.0, 0.1, -0.1),
        ),
        density=(1.00063, -0.00119, 0.00036, 0.00054, 0.0008),
        grade=(5.9, 0.84),
    ),
}


def simulated_wine(seed: int = 0) -> Simulator:
    """Return archive.ics.uci.edu with its two files of wines, simulated.

    >>> ask = simulated_wine(seed=0)
    >>> answer = ask(httpx.Request("GET", f"https://archive.ics.uci.edu{FOLDER}/winequality-red.csv"))
    >>> answer.text.splitlines()[1]
    '8.3;0.47;0.37;2.5;0.073;27;49;0.99669;3.4;0.55;9.8;6'
    """

    def answer(request: httpx.Request) -> httpx.Response | None:
        for place, (colour, law) in enumerate(LAWS.items()):
            if request.url.path == f"{FOLDER}/winequality-{colour}.csv":
                return httpx.Response(200, text=_csv(law, np.random.default_rng([seed, place])))
        return None

    return answer


def _csv(law: Law, rng: np.random.Generator) -> str:
    """Return ``law.rows`` wines as UCI writes them: semicolons, quoted names, no superfluous zeros."""
    different = round(law.rows * (1 - COPIES))
    wines = _wines(law, different, rng)
    order = np.sort(np.r_[:different, rng.choice(different, law.rows - different)])  # a copy follows its original
    lines = [";".join(f'"{name}"' for name in DECIMALS)]
    lines += [";".join(f"{wines[name][row]:g}" for name in DECIMALS) for row in order]
    return "\n".join(lines) + "\n"


def _wines(law: Law, count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return ``count`` wines by UCI's column, rounded as UCI's are."""
    scores = rng.standard_normal((count, len(DRAWN))) @ np.linalg.cholesky(law.correlation).T
    scores = scores.clip(-FARTHEST, FARTHEST)
    wines = {name: _measure(name, law, scores[:, place], place) for place, name in enumerate(DRAWN)}
    wines["free sulfur dioxide"] = wines["total sulfur dioxide"] * wines["free share"]
    water, *slopes, noise = law.density
    causes = np.array([wines[name] for name in ("alcohol", "residual sugar", "fixed acidity")])
    wines["density"] = water + np.array(slopes) @ causes + noise * rng.standard_normal(count).clip(-FARTHEST, FARTHEST)
    wines["quality"] = _grades(law, scores, rng)
    return {name: wines[name].round(decimals) for name, decimals in DECIMALS.items()}


def _measure(name: str, law: Law, scores: np.ndarray, place: int) -> np.ndarray:
    centre, shift = law.centres[place], law.spreads[place] * scores
    if name in ("citric acid", "pH"):
        return np.asarray((centre + shift).clip(min=0))
    odds = np.exp(shift) * (centre / (1 - centre) if name == "free share" else centre)
    return np.asarray(odds / (1 + odds) if name == "free share" else odds)


def _grades(law: Law, scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return whole grades: the mean, plus the measures' effects and the panel's noise in the shares of EXPLAINED."""
    effects = np.array(law.effects)
    signal = scores @ effects / np.sqrt(effects @ law.correlation @ effects)
    merit = np.sqrt(EXPLAINED) * signal + np.sqrt(1 - EXPLAINED) * rng.standard_normal(len(scores))
    mean, spread = law.grade
    return np.asarray((mean + spread * merit).round().clip(3, 9))
