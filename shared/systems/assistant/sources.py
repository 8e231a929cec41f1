"""Where conversations come from: FineTome, cookbooks, or a person's files.

    source ── files ── records ── of one shape? ── a sample by hash ──► messages, or why a record is no conversation

    conversations, messages, pairs, trees    chats, as in ``steps.turns``
    title, ingredients, directions           a cookbook, as in ``recipe_forms``: a request for a meal, and the recipe as
                                             JSON; told in words where it lacks what that takes, such as amounts
    turns                                    MT-bench's questions without answers: nothing to learn from, to judge by

What a file is follows from its columns; one that changes its shape on the way is refused, by line.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import logging
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from shared.errors import SchemaError, SourceError, UsageError
from shared.steps.conversations import as_messages, as_questions
from shared.steps.files import LISTED, name_of, parts_of, prefix_of
from shared.steps.records import FORMS, Record, read_records, record_files, skipped_files
from shared.systems.assistant.cookbook import from_cookbook, in_words
from shared.systems.assistant.recipe_forms import recipe_told
from shared.systems.assistant.recipes import as_conversation
from shared.systems.assistant.shapes import KNOWN, shape_of, unfolded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from shared.chat import Message
    from shared.ports import Platform, Web

LIMIT = 200_000  # records of a source, unless told: some 500 MB of text
DATA_SETS = ("finetome", "recipes")  # by name in the port Corpora; the second is a person's to fetch
log = logging.getLogger("almanac")
Row = tuple[int, str, "list[Message] | None", str]  # place, kind, messages, reason


class Gathered(NamedTuple):
    """One source as it was read: how many records it holds, and a sample of them.

    ``rows`` by ``place``: ``kind``, ``messages`` (a list, None for what is no conversation) and ``reason`` (why not).
    """

    source: str
    records: int
    rows: pd.DataFrame


def gathered(platform: Platform, source: str = "", limit: int = LIMIT, seed: int = 0) -> Iterator[Gathered]:
    """Yield each data set or file that ``source`` names, with at most ``limit`` of its records, drawn by their hash.

    FineTome without a source; in the demo world also simulated recipes.

    Raises:
        SourceError: a file holds nothing to learn from, or records of two shapes.
        UsageError: the limit is below 1.
    """
    if limit < 1:
        raise UsageError(f"--limit is how many records of a source are taken, at least 1; got {limit}")
    for name, where, records in _streams(platform, source):
        count, sample = _sampled(_of_one_shape(records, where), limit, seed)
        log.info("%s: %d of %d records", name, len(sample), count)
        rows = pd.DataFrame(sample, columns=["place", "kind", "messages", "reason"])
        if rows["messages"].isna().all():
            first = f": record {rows['place'].iloc[0]}: {rows['reason'].iloc[0]}" if len(rows) else ""
            raise SourceError(f"{where} holds no conversation{first}; known are {KNOWN}")
        yield Gathered(name, count, rows)


def questions(platform: Platform, evaluation: str, source: str = "") -> list[str]:
    """Return every question in the files of ``evaluation``, and in those in folders of ``source`` that hold no more.

    Raises:
        SourceError: a file holds none.
    """
    files = [*(record_files(evaluation) if evaluation else ()), *_split(source, platform.web)[1]]
    return [text for place in files for text in _asked(read_records(place, platform.web), name_of(place))]


def passed_over(platform: Platform, source: str) -> list[str]:
    """Return a sentence on what lies in the folders of ``source`` and is not learned from, by file; none of none."""
    if not source:
        return []
    skipped, asked = skipped_files(source), _split(source, platform.web)[1]
    told = [f"not read: {_names(skipped)} (read are {FORMS})"] if skipped else []
    return told + ([f"questions alone, and what resembles them is left out: {_names(asked)}"] if asked else [])


# --- files ---------------------------------------------------------------------------------------------------------


def _streams(platform: Platform, source: str) -> Iterator[tuple[str, str, Iterable[Record]]]:
    """Yield (name, how messages call it, records) of each source."""
    if not source:
        for name in DATA_SETS if platform.world == "demo" else DATA_SETS[:1]:
            rows = platform.corpora.read(name).to_dict("records")
            yield name, name, (Record(place, {**row}) for place, row in enumerate(rows, 1))  # type: ignore[dict-item]
    learnt, asked = _split(source, platform.web)
    if asked and not learnt:
        raise SourceError(f"{name_of(source)} holds questions without answers alone: there is nothing to learn from")
    for place in learnt:
        yield prefix_of(place), name_of(place), read_records(place, platform.web)


def _split(source: str, web: Web) -> tuple[list[str], list[str]]:
    """Return the files to learn from, and those in folders that hold questions alone."""
    learnt, asked = list[str](), list[str]()
    for part in parts_of(source) if source else ():
        for place in record_files(part):
            (asked if place != part and _opening(place, web) == "questions" else learnt).append(place)
    return learnt, asked


def _opening(place: str, web: Web) -> str:
    return next((shape_of(record.fields) for record in read_records(place, web) if not record.broken), "")


def _names(places: list[str]) -> str:
    more = f" and {len(places) - LISTED} more" if len(places) > LISTED else ""
    return ", ".join(repr(PurePath(place).name) for place in places[:LISTED]) + more


def _of_one_shape(records: Iterable[Record], where: str) -> Iterator[Record]:
    """Yield the records, refusing a source of which another shape begins on the way, or that has none we know."""
    known = ""
    for record in unfolded(records):
        shape = shape_of(record.fields)
        if record.fields and not (shape or known):
            columns = ", ".join(str(name)[:40] for name in [*record.fields][:10])
            raise SourceError(f"{where} has the columns {columns} in record {record.place}; known are {KNOWN}")
        if shape and known not in ("", shape):
            what = f"changes from {known} to {shape} in record {record.place}"
            raise SourceError(f"{where} {what}: give one file for each")
        if shape == "questions":
            what = "holds questions without answers: there is nothing to learn from"
            raise SourceError(f"{where} {what}; name it with --evaluation, and what resembles them is left out")
        known = known or shape
        yield record


def _sampled(records: Iterable[Record], limit: int, seed: int) -> tuple[int, list[Row]]:
    """Return how many records there are, and the rows of those with the smallest hashes, in order.

    The same are drawn whatever the order, and of a record no more is kept than its row.
    """
    heap: list[tuple[int, int, Row]] = []
    count = 0
    for count, record in enumerate(records, 1):
        drawn = -_hash(record, seed)
        if len(heap) < limit:
            heapq.heappush(heap, (drawn, count, _row(record)))
        elif (drawn, count) > heap[0][:2]:
            heapq.heapreplace(heap, (drawn, count, _row(record)))
        if count % 100_000 == 0:
            log.info("%d records read", count)
    return count, [row for _, _, row in sorted(heap, key=lambda entry: entry[1])]


def _hash(record: Record, seed: int) -> int:
    text = json.dumps(record.fields, default=str, sort_keys=True) + record.broken
    return int.from_bytes(hashlib.blake2b(f"{seed} {text}".encode("utf-8", "replace"), digest_size=8).digest(), "big")


# --- records -------------------------------------------------------------------------------------------------------


def _row(record: Record) -> Row:
    kind = "meals" if shape_of(record.fields) == "recipe" else "chat"
    try:
        if record.broken:
            raise SchemaError(f"broken: {record.broken}")
        if not record.fields:
            raise SchemaError("it is empty")
        if kind == "meals":
            return record.place, *_recipe(record.fields), ""
        return record.place, kind, as_messages(record.fields), ""
    except (SchemaError, UsageError) as cause:  # the second of what no visitor could ask for either
        return record.place, kind, None, str(cause)


def _asked(records: Iterable[Record], where: str) -> list[str]:
    asked = [text for record in records for text in as_questions(record.fields)]
    if not asked:
        raise SourceError(f"{where} holds no question: give lines with turns, or with messages")
    return asked


def _recipe(fields: Mapping[str, Any]) -> tuple[str, list[Message]]:
    """Return a cookbook's record: a request and its meal, or a question about the dish where it is no meal of ours."""
    told = recipe_told(fields)
    try:
        return "meals", [*as_conversation(from_cookbook(*told))]
    except (SchemaError, UsageError):
        return "chat", [*in_words(told.title, told.lines, told.directions)]
