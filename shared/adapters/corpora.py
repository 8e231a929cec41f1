"""The ``Corpora`` port over public data sets: one that comes with a package, others fetched once and kept.

    iris       scikit-learn's copy
    wine       UCI's two files ─┬─ whole in the cache? ── no ──► fetched, checked, written beside and renamed
    finetome   FineTome-100k ───┘
    recipes    RecipeNLG, in the demo world; elsewhere a person fetches it

What is fetched of UCI must be the very file that the system was built on: its sha256 is checked. FineTome's is checked
for its columns. The demo world's files are simulated at each reading, so they are neither checked nor kept.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from shared.errors import BackendError, MissingExtraError, SourceError, WebError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shared.ports import Web

FLOWER_MEASURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")  # cm

WINE_FOLDER = "https://archive.ics.uci.edu/ml/machine-learning-databases/wine-quality"
WINE_SHA256 = {  # colour -> sha256 of its file, as UCI has served it since 2009
    "red": "4a402cf041b025d4566d954c3b9ba8635a3a8a01e039005d97d6a710278cf05e",
    "white": "76c3f809815c17c07212622f776311faeb31e87610d52c26d87d6e361b169836",
}
WINE_COLUMNS = {  # UCI's name -> ours; acids, sugar and salts in g/L, sulfur dioxide in mg/L, density in g/cm³
    "fixed acidity": "fixed_acidity",
    "volatile acidity": "volatile_acidity",
    "citric acid": "citric_acid",
    "residual sugar": "residual_sugar",
    "chlorides": "chlorides",
    "free sulfur dioxide": "free_sulfur_dioxide",
    "total sulfur dioxide": "total_sulfur_dioxide",
    "density": "density",
    "pH": "ph",
    "sulphates": "sulphates",
    "alcohol": "alcohol",
    "quality": "grade",
}
FINETOME = "https://huggingface.co/datasets/mlabonne/FineTome-100k/resolve/main/data/train-00000-of-00001.parquet"
FINETOME_COLUMNS = ("conversations", "source", "score")
RECIPENLG = "https://recipenlg.cs.put.poznan.pl"
RECIPENLG_COLUMNS = ("title", "ingredients", "directions")


class BundledCorpora:
    """Data sets that need no network: ``iris``, Fisher's 150 flowers with four measures in cm and their variety."""

    def read(self, name: str) -> pd.DataFrame:
        """Return the data set called ``name``.

        Raises:
            SourceError: there is none of that name, or the file is no longer the one it was.
            MissingExtraError: the package that holds it is not installed.
            WebError: it had to be fetched, and no usable answer came.
        """
        readers = self._readers()
        if name not in readers:
            raise SourceError(f"no data set called {name!r}: there is {', '.join(readers)}")
        return readers[name]()

    def _readers(self) -> dict[str, Callable[[], pd.DataFrame]]:
        return {"iris": _iris}


class PublicCorpora(BundledCorpora):
    """Those, and what is fetched.

    ``wine`` are the 6,497 wines of Cortez et al. 2009, the red ones first, with colour, measures and grade;
    ``finetome`` 100,000 conversations, each a list of turns ``from`` and ``value``; ``recipes`` lists as JSON in text.

    Args:
        web: whom to ask for files.
        cache: folder that keeps what was fetched and checked; None in a simulated world, where neither is done.
        sha256: of the two files, by colour.
    """

    def __init__(self, web: Web, cache: Path | None = None, sha256: Mapping[str, str] = WINE_SHA256) -> None:
        self._web, self._cache, self._sha256 = web, cache, sha256

    def _readers(self) -> dict[str, Callable[[], pd.DataFrame]]:
        return {**super()._readers(), "wine": self._wine, "finetome": self._finetome, "recipes": self._recipes}

    def _wine(self) -> pd.DataFrame:
        bodies = {hue: self._file(f"{WINE_FOLDER}/winequality-{hue}.csv", known) for hue, known in self._sha256.items()}
        return pd.concat([_wines(body, colour) for colour, body in bodies.items()], ignore_index=True)

    def _finetome(self) -> pd.DataFrame:
        """Return FineTome: from the cache when it can be read there, else fetched, checked and kept."""
        kept = self._cache / "finetome.parquet" if self._cache else None
        if kept and (body := _kept(kept)) and (rows := _conversations(body)) is not None:
            return rows
        body = self._web.get(FINETOME).body
        if (rows := _conversations(body)) is None:
            columns = ", ".join(FINETOME_COLUMNS)
            what = f"answered something that is no Parquet file with {columns}"
            raise WebError(f"{FINETOME} {what}: run the same command again later, or give files with --source")
        if kept:
            _keep(kept, body)
        return rows

    def _recipes(self) -> pd.DataFrame:
        if self._cache is not None:
            what = f"recipes are not fetched: ask for RecipeNLG at {RECIPENLG}"
            raise SourceError(f"{what}, and give its full_dataset.csv (or recipes of your own) with --source")
        body = self._web.get(f"{RECIPENLG}/full_dataset.csv").body
        try:
            return pd.read_csv(io.BytesIO(body), dtype=str, keep_default_na=False)[[*RECIPENLG_COLUMNS]]
        except (ValueError, KeyError) as cause:
            raise WebError(f"{RECIPENLG} answered something that is no table of recipes: run it again later") from cause

    def _file(self, url: str, sha256: str) -> bytes:
        """Return the file at ``url``: from the cache when it is whole there, else fetched, checked and kept."""
        if self._cache is None:
            return self._web.get(url).body
        kept = self._cache / url.rpartition("/")[2]
        if (body := _kept(kept)) and _sha256(body) == sha256:
            return body
        body = self._web.get(url).body
        if _sha256(body) != sha256:
            advice = "run the same command again later, or give files of your own with --source"
            raise SourceError(f"{url} answered another file than it used to (its sha256 differs): {advice}")
        _keep(kept, body)
        return body


def _iris() -> pd.DataFrame:
    try:
        from sklearn.datasets import load_iris
    except ImportError as cause:
        raise MissingExtraError("the iris data set needs scikit-learn: pip install 'almanac[train]'") from cause
    bunch = load_iris(as_frame=True)
    flowers: pd.DataFrame = bunch.data.set_axis([*FLOWER_MEASURES], axis="columns")  # scikit-learn's order is ours
    return flowers.assign(variety=bunch.target_names[bunch.target].astype(object))


def _wines(body: bytes, colour: str) -> pd.DataFrame:
    """Return the wines of one of UCI's files: ``colour``, measures as floats, ``grade`` as a whole number."""
    try:
        rows = pd.read_csv(io.BytesIO(body), sep=";", dtype=str)  # text becomes numbers below, exact to the last digit
        wines = rows[[*WINE_COLUMNS]].rename(columns=WINE_COLUMNS).astype(float).astype({"grade": "int64"})
    except (ValueError, KeyError, TypeError) as cause:
        what = "answered something that is not its table of wines"
        raise WebError(f"{WINE_FOLDER}/winequality-{colour}.csv {what}: run the same command again later") from cause
    wines.insert(0, "colour", pd.Series(colour, index=wines.index, dtype=object))
    return wines


def _conversations(body: bytes) -> pd.DataFrame | None:
    """Return the rows of FineTome's file, None where it is another or a torn one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(body), columns=[*FINETOME_COLUMNS])
    except (pa.ArrowException, OSError):
        return None
    if [*table.column_names] != [*FINETOME_COLUMNS]:
        return None
    return pd.DataFrame({name: table[name].to_pylist() for name in FINETOME_COLUMNS})


def _kept(path: Path) -> bytes:
    """Return what the cache holds, nothing where it cannot be read: then the file is fetched again."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _keep(path: Path, body: bytes) -> None:
    """Write the file beside its place and rename it, so that it is whole or not there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as beside:
            (Path(beside) / path.name).write_bytes(body)
            (Path(beside) / path.name).replace(path)
    except OSError as cause:
        raise BackendError(f"cannot keep {path}: check its rights and the free space") from cause


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
