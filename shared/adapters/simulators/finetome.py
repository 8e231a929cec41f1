"""FineTome, simulated: the data set's one Parquet file, 4,000 conversations, some of them spoilt on purpose.

    dialogues ──► two of them in a row, with and without a system's message ──► + dirt ──► shuffled ──► Parquet

FineTome-100k is 100,000 conversations that M. Labonne chose from arcee-ai/The-Tome: columns ``conversations`` (turns of
``from`` and ``value``), ``source``, ``score``. What is wrong with a simulated one is known here, so that a test can say
what cleaning should find.
"""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shared.adapters.simulators.dialogues import almanac, capitals, kinds, people, sums, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.adapters.demo import Simulator

PATH = "/datasets/mlabonne/FineTome-100k/resolve/main/data/train-00000-of-00001.parquet"
FOLLOWED = 2500  # conversations of two questions
SPEAKERS = ("human", "gpt")
SYSTEM = "You are a helpful assistant. Keep your answers short."
LEAKED = (  # questions that the assistant is judged on, and should never have seen
    'Explain how to make tea in three numbered lines: "1. ", "2. ", "3. ". Nothing else.',
    'Tell a very short story in which "lantern" comes at least three times.',
    "Describe a day at the beach in exactly three paragraphs, parted by blank lines.",
)
DIRT = {
    "exact": 60,
    "near": 60,
    "empty_turns": 30,
    "length": 6,
    "malformed": 24,
    "contaminated": 24,
}  # how many of each
LONG = 2000  # repetitions that make a conversation too long


class Told(NamedTuple):
    """A conversation as turns of (from, value), what is wrong with it, and the text of its question before that."""

    turns: list[tuple[str, str]]
    dirt: str = ""
    of: str = ""


def simulated_finetome(seed: int = 0) -> Simulator:
    """Return huggingface.co with FineTome's file, simulated.

    >>> answer = simulated_finetome()(httpx.Request("GET", f"https://huggingface.co{PATH}"))
    >>> answer.status_code, answer.content[:4]
    (200, b'PAR1')
    """
    return lambda request: httpx.Response(200, content=_file(seed)) if request.url.path == PATH else None


@cache
def conversations(seed: int) -> tuple[Told, ...]:
    """Return what the file holds, in its order, with the truth about each."""
    rng = np.random.default_rng(seed)
    single = [one for kind in (sums, capitals, kinds, words, people, almanac) for one in kind()]
    pairs = rng.integers(len(single), size=(FOLLOWED, 2))
    dialogues = [*single, *([*single[one], *single[other]] for one, other in pairs)]
    clean = [Told(_turns(texts, system=place % 7 == 0)) for place, texts in enumerate(dialogues)]
    dirty = [*_spoilt(clean, rng)]
    told = [*clean, *dirty]
    return tuple(told[place] for place in rng.permutation(len(told)))


@cache
def _file(seed: int) -> bytes:
    told = conversations(seed)
    rng = np.random.default_rng([seed, 1])
    rows = {
        "conversations": [[{"from": who, "value": said} for who, said in one.turns] for one in told],
        "source": ["simulated"] * len(told),
        "score": rng.normal(5.2, 0.2, len(told)).round(6).tolist(),  # the real ones lie about there
    }
    turn = pa.struct([("from", pa.string()), ("value", pa.string())])
    schema = pa.schema([("conversations", pa.list_(turn)), ("source", pa.string()), ("score", pa.float64())])
    written = io.BytesIO()
    pq.write_table(pa.table(rows, schema=schema), written, compression="zstd")
    return written.getvalue()


def _turns(texts: list[str], *, system: bool) -> list[tuple[str, str]]:
    spoken = [(SPEAKERS[place % 2], text) for place, text in enumerate(texts)]
    return [("system", SYSTEM), *spoken] if system else spoken


def _spoilt(clean: list[Told], rng: np.random.Generator) -> Iterator[Told]:
    """Yield conversations that cleaning should find, none made of one that another was made of."""
    long_enough = [one for one in clean if len(" ".join(said for _, said in one.turns).split()) >= 25]
    drawn = iter(rng.permutation(len(long_enough)))
    for dirt, count in DIRT.items():
        for number in range(count):
            one = long_enough[next(drawn)]
            yield Told(_spoil(dirt, one.turns, number), dirt, _question(one.turns))


def _spoil(dirt: str, turns: list[tuple[str, str]], number: int) -> list[tuple[str, str]]:
    who, said = turns[-1]
    match dirt:
        case "exact":  # blanks and case aside
            return [(one, f" {text.upper() if number % 2 else text}\n") for one, text in turns]
        case "near":
            return [*turns[:-1], (who, f"{said} Indeed.")]
        case "empty_turns":
            return [*turns[:-1], (who, " \n" if number % 2 else "")]
        case "length":
            return [*turns[:-1], (who, f"{said} " * LONG)]
        case "malformed":  # an answer first, a role that nobody knows, or no answer at all
            return ([turns[-1], *turns], [*turns[:-1], ("tool", said)], [turns[-2]])[number % 3]
    return [("human", f"Task {number}. {LEAKED[number % len(LEAKED)]}"), (who, said)]


def _question(turns: list[tuple[str, str]]) -> str:
    return next(said for who, said in turns if who == "human")
