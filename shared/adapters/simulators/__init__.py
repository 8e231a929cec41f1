"""What stands behind the demo world's addresses: one file a subject, each of which knows the truth of its numbers.

iris   raw.githubusercontent.com   seaborn's iris.csv
wine   archive.ics.uci.edu         UCI's winequality-red.csv and winequality-white.csv
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.adapters.simulators.iris import simulated_iris
from shared.adapters.simulators.wine import simulated_wine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.adapters.demo import Simulator

SIMULATORS: Mapping[str, Simulator] = {
    "raw.githubusercontent.com": simulated_iris(seed=0),
    "archive.ics.uci.edu": simulated_wine(seed=0),
}
