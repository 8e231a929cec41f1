"""The ``Corpora`` port over data sets that come with installed packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import MissingExtraError, SourceError

if TYPE_CHECKING:
    import pandas as pd

MEASURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")  # cm


class BundledCorpora:
    """Data sets that need no network: ``iris``, Fisher's 150 flowers with four measures in cm and their variety."""

    def read(self, name: str) -> pd.DataFrame:
        """Return the data set called ``name``.

        Raises:
            SourceError: there is none of that name.
            MissingExtraError: the package that holds it is not installed.
        """
        readers = {"iris": _iris}
        if name not in readers:
            raise SourceError(f"no data set called {name!r}: there is {', '.join(readers)}")
        return readers[name]()


def _iris() -> pd.DataFrame:
    try:
        from sklearn.datasets import load_iris
    except ImportError as cause:
        raise MissingExtraError("the iris data set needs scikit-learn: pip install 'almanac[train]'") from cause
    bunch = load_iris(as_frame=True)
    flowers: pd.DataFrame = bunch.data.set_axis([*MEASURES], axis="columns")  # scikit-learn's order is ours
    return flowers.assign(variety=bunch.target_names[bunch.target].astype(object))
