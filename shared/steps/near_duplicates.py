"""Texts that are nearly the same as one seen before, found without comparing each with each.

    text ──► shingles: every 3 words in a row ──► MinHash ──► bands ──► candidates ──► Jaccard of the shingles

MinHash: Broder 1997, "On the resemblance and containment of documents"; bands: Leskovec, Rajaraman, Ullman, "Mining of
Massive Datasets", 3.4. Candidates are compared exactly, so that what is found is as near as it is said to be; of pairs
at the usual threshold of 0.8 the bands miss 2 in 100, of nearer ones hardly any.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from shared.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

WORDS = 3  # in a shingle, unless told
BANDS, ROWS = 16, 7  # P(candidate) = 1 - (1 - J^7)^16: 0.98 at J = 0.8, 0.12 at 0.5, 0.0002 at 0.2
SLACK = 0.2  # how far below the threshold an estimate from 112 hashes is still looked at: five standard errors
# A word, or one sign of a script that is written without blanks: kana, Chinese, Thai, Hangul.
_WORD = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+")


class Sketch(NamedTuple):
    """A text and what its shingles hash to."""

    text: str
    hashes: np.ndarray  # [BANDS * ROWS]


class NearIndex:
    """Texts by key, to be asked for one nearly the same as another: of Jaccard similarity ``threshold`` or more.

    >>> index, said = NearIndex(threshold=0.8, seed=0), "the quick brown fox jumps over the lazy dog " * 3
    >>> index.add("fox", index.sketch(said))
    >>> index.find(index.sketch(said + "again")), index.find(index.sketch("the quick brown fox"))
    ('fox', '')
    """

    def __init__(self, threshold: float, seed: int) -> None:
        """Make an empty index.

        Raises:
            MissingExtraError: datasketch is not installed.
        """
        try:
            from datasketch import MinHash
        except ImportError as cause:
            raise MissingExtraError("near duplicates need datasketch: pip install 'almanac[llm]'") from cause
        count = BANDS * ROWS
        self._threshold, self._texts = threshold, dict[str, Sketch]()
        self._blank = MinHash(count, seed=seed + 1, hashfunc=crc32)  # its seed starts at 1
        # Keys by band, and its hash: of datasketch's own index each key takes thrice the memory.
        self._bands: tuple[dict[int, tuple[str, ...]], ...] = tuple({} for _ in range(BANDS))

    def sketch(self, text: str) -> Sketch:
        """Return what ``find`` and ``add`` take for a text."""
        hashes = self._blank.copy()
        hashes.update_batch([shingle.encode("utf-8", "replace") for shingle in shingles(text)])
        return Sketch(text, hashes.hashvalues.astype("uint32"))  # each is below 2^32

    def find(self, sketch: Sketch) -> str:
        """Return the key of a text that is nearly the same, the first by name of several, "" for none."""
        for key in sorted({key for band, one in self._hashed(sketch) for key in band.get(one, ())}):
            other = self._texts[key]
            if (sketch.hashes == other.hashes).mean() < self._threshold - SLACK:
                continue
            if similarity(sketch.text, other.text) >= self._threshold:
                return key
        return ""

    def add(self, key: str, sketch: Sketch) -> None:
        """Keep a text under a key; one that the key stands for already stays."""
        if key not in self._texts:
            self._texts[key] = sketch
            for band, one in self._hashed(sketch):
                band[one] = (*band.get(one, ()), key)

    def _hashed(self, sketch: Sketch) -> Iterator[tuple[dict[int, tuple[str, ...]], int]]:
        """Yield each band with what a sketch hashes to in it; what does so by chance is compared, and not found."""
        for place, band in enumerate(self._bands):
            yield band, hash(sketch.hashes[place * ROWS : (place + 1) * ROWS].tobytes())


def similarity(one: str, other: str) -> float:
    """Return the Jaccard similarity of two texts' shingles: those in both, of those in either.

    >>> similarity("two eggs and some flour", "Two eggs, and some milk")
    0.5
    """
    here, there = shingles(one), shingles(other)
    return len(here & there) / len(here | there) if here | there else float(one == other)


def shingles(text: str, size: int = WORDS) -> frozenset[str]:
    """Return every ``size`` words in a row; a shorter text is one shingle, one without a word has none.

    >>> sorted(shingles("Two eggs, beaten; salt")), shingles("Eggs!"), shingles("?!")
    (['eggs beaten salt', 'two eggs beaten'], frozenset({'eggs'}), frozenset())
    """
    said = words(text)
    last = max(len(said) - size, 0)
    return frozenset(" ".join(said[at : at + size]) for at in range(last + 1)) if said else frozenset()


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, without signs.

    >>> words("Pâté, 2\u00a0eggs; ½ CUP"), words("東京 is")
    (['pâté', '2', 'eggs', '½', 'cup'], ['東', '京', 'is'])
    """
    return _WORD.findall(unicodedata.normalize("NFC", text).casefold())
