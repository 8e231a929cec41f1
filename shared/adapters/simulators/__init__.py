"""What stands behind the demo world's addresses: one file a subject, each of which knows the truth of its numbers.

iris         raw.githubusercontent.com   seaborn's iris.csv
wine         archive.ics.uci.edu         UCI's winequality-red.csv and winequality-white.csv
open_meteo   *.open-meteo.com            weather and CAMS: archive, forecast, previous runs, air quality
aqicn        api.waqi.info               the newest reading of a station
finetome     huggingface.co              FineTome-100k's Parquet file: conversations, some spoilt on purpose
recipes      recipenlg.cs.put.poznan.pl  RecipeNLG's full_dataset.csv

``air`` is the law behind open_meteo and aqicn, the weather and the fine dust of one earth; ``noise`` is what it is made
of. ``dialogues`` is what FineTome's conversations are about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.adapters.simulators.aqicn import simulated_aqicn
from shared.adapters.simulators.finetome import simulated_finetome
from shared.adapters.simulators.iris import simulated_iris
from shared.adapters.simulators.open_meteo import simulated_open_meteo
from shared.adapters.simulators.recipes import simulated_recipes
from shared.adapters.simulators.wine import simulated_wine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.adapters.demo import Simulator

SIMULATORS: Mapping[str, Simulator] = {
    "raw.githubusercontent.com": simulated_iris(seed=0),
    "archive.ics.uci.edu": simulated_wine(seed=0),
    "*open-meteo.com": simulated_open_meteo,
    "api.waqi.info": simulated_aqicn,
    "huggingface.co": simulated_finetome(seed=0),
    "recipenlg.cs.put.poznan.pl": simulated_recipes(seed=0),
}
