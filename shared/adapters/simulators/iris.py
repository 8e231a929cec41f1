"""Fisher's flowers, simulated: seaborn's ``iris.csv``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import numpy as np

if TYPE_CHECKING:
    from shared.adapters.demo import Simulator

# Mean and standard deviation in cm of sepal length and width, petal length and width, and the correlation within a
# species: Fisher's 150 flowers (Annals of Eugenics 7, 1936), rounded.
FLOWERS = {
    "setosa": ((5.01, 3.43, 1.46, 0.25), (0.35, 0.38, 0.17, 0.11)),
    "versicolor": ((5.94, 2.77, 4.26, 1.33), (0.52, 0.31, 0.47, 0.20)),
    "virginica": ((6.59, 2.97, 5.55, 2.03), (0.64, 0.32, 0.55, 0.27)),
}
WITHIN = ((1.0, 0.53, 0.76, 0.36), (0.53, 1.0, 0.38, 0.47), (0.76, 0.38, 1.0, 0.48), (0.36, 0.47, 0.48, 1.0))


def simulated_iris(seed: int = 0) -> Simulator:
    """Return raw.githubusercontent.com with one file, seaborn's iris.csv, of simulated flowers.

    >>> ask = simulated_iris(seed=0)
    >>> answer = ask(httpx.Request("GET", "https://raw.githubusercontent.com/mwaskom/seaborn-data/master/iris.csv"))
    >>> answer.text.splitlines()[:2]
    ['sepal_length,sepal_width,petal_length,petal_width,species', '5.1,3.4,1.5,0.3,setosa']
    """

    def answer(request: httpx.Request) -> httpx.Response | None:
        if request.url.path != "/mwaskom/seaborn-data/master/iris.csv":
            return None
        return httpx.Response(200, text=_iris_csv(seed))

    return answer


def _iris_csv(seed: int) -> str:
    """Return 50 flowers a species, drawn from normal distributions, one decimal, never below 0.1 cm."""
    rng = np.random.default_rng(seed)
    mixing = np.linalg.cholesky(np.array(WITHIN)).T
    lines = ["sepal_length,sepal_width,petal_length,petal_width,species"]
    for species, (mean, deviation) in FLOWERS.items():
        drawn = np.array(mean) + np.array(deviation) * (rng.standard_normal((50, 4)) @ mixing)
        lines += [",".join(f"{cm:.1f}" for cm in flower) + f",{species}" for flower in drawn.clip(min=0.1)]
    return "\n".join(lines) + "\n"
