"""Preparing: what is stored, twice the same, with a second source, with a stricter filter; and reading it back."""

import json
import os
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from shared.errors import NotYetError, SourceError
from shared.runs import Run, midnight
from shared.systems.assistant.cleaning import Cleaning
from shared.systems.assistant.features import Preparation, conversations, fingerprint, prepare, tokenised
from shared.systems.assistant.tables import CLEANING, CONVERSATIONS, SPLITS

pytest.importorskip("datasketch")


def run_of(day="2026-11-20"):
    return Run("r1", "assistant", "prepare", date.fromisoformat(day), datetime.now(UTC), "c0de")


@pytest.fixture
def file(tmp_path):
    """Write questions with answers as JSON lines, and return the path."""

    def written(*pairs, name="chat.jsonl"):
        lines = [json.dumps({"instruction": asked, "output": answered}) for asked, answered in pairs]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        return str(tmp_path / name)

    return written


PAIRS = [(f"What is number {number} good for?", f"It is {number} times as good as one.") for number in range(40)]


def stored(platform):
    return platform.features.read(CONVERSATIONS)


def test_conversations_are_stored_with_a_split_and_what_each_filter_took(platform, file):
    report = prepare(platform, run_of(), Preparation(file(*PAIRS, PAIRS[0], ("Why?", ""))))
    rows = stored(platform)
    assert (report.rows, len(rows), report.metrics["conversations"], report.headline) == (40, 40, 40, "conversations")
    assert sum(report.metrics[split] for split in SPLITS) == 40
    assert rows["stored_at"].eq(midnight(date(2026, 11, 20))).all()
    assert rows["turns"].eq(2).all()
    assert json.loads(rows["messages"][0])[0]["role"] == "user"
    effects = platform.features.read(CLEANING)
    assert effects["filter"].tolist()[::8] == ["read", "kept"]
    assert effects.loc[effects["removed"] > 0, "filter"].tolist() == ["empty_turns", "exact"]
    assert report.note.split("; ")[0].endswith(": 40 of 42 kept")


def test_only_what_took_something_is_told_in_plain_words(platform, file):
    report = prepare(platform, run_of(), Preparation(file(*PAIRS, PAIRS[0], ("Why?", ""))))
    told = [(row["why"], row["left_out"], row["twins"]) for row in report.table]
    assert told == [("with an empty message", 1, ""), ("there already, word for word", 1, "1 of the source itself")]
    assert report.metrics["kept"] == 40


def test_a_file_stored_before_under_another_name_says_that_it_was_there_and_as_what(platform, file):
    first = prepare(platform, run_of(), Preparation(file(*PAIRS)))
    again = prepare(platform, run_of(), Preparation(file(*PAIRS, name="copy.jsonl")))
    name = first.note.partition(":")[0]
    assert f": 0 of 40 kept (there already, word for word: 40 of {name}); in the store: {name} 40 chat" in again.note
    assert (again.metrics["kept"], again.metrics["conversations"]) == (0, 40)
    assert again.table[0]["twins"] == f"40 of {name}"


def test_what_nearly_repeats_another_source_names_it(platform, file):
    words = " ".join(f"word{number}" for number in range(60))
    first = prepare(platform, run_of(), Preparation(file(("Tell me all of them.", words))))
    name = first.note.partition(":")[0]
    again = prepare(platform, run_of(), Preparation(file(("Tell me all of them.", f"{words} indeed"), name="b.jsonl")))
    assert f"(there already, nearly the same: 1 of {name})" in again.note


def test_all_sources_in_the_store_are_told_with_what_they_hold_and_which_are_simulated(platform, file):
    alone = prepare(platform, run_of(), Preparation(limit=30))
    assert "in the store: finetome (simulated) 30 chat + recipes (simulated) " in alone.note
    mine = prepare(platform, run_of(), Preparation(file(*PAIRS)))
    name = mine.note.partition(":")[0]
    assert f"in the store: {name} 40 chat + finetome (simulated) " in mine.note
    assert " chat + recipes (simulated) " in mine.note
    assert "; a fine-tuning learns from all of them together" in mine.note
    assert mine.metrics["kept"] == 40 < mine.metrics["conversations"]


def test_where_later_stages_will_refuse_it_is_said_with_numbers(platform, file):
    few = prepare(platform, run_of(), Preparation(file(*PAIRS[:10])))
    test, validation = (int(few.metrics[split]) for split in ("test", "validation"))
    assert f"`search` needs 10 validation conversations, and there are {validation}; " in few.note
    assert f"`evaluate` needs 10 test conversations, and there are {test}: prepare about 200 " in few.note
    pairs = [(f"How many are {number} and one?", f"They are {number + 1}.") for number in range(300)]
    assert " needs 10 " not in prepare(platform, run_of(), Preparation(file(*pairs, name="many.jsonl"))).note


def test_what_a_folder_holds_besides_is_named(platform, file, tmp_path):
    (tmp_path / "mine" / "old").mkdir(parents=True)
    file(*PAIRS, name="mine/chat.jsonl")
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    (tmp_path / "mine" / "bench.jsonl").write_text('{"turns": ["What is love?"]}\n')
    report = prepare(platform, run_of(), Preparation(str(tmp_path / "mine")))
    assert (
        "not read: 'notes.txt', 'old' (read are .jsonl, .json, .jsonld, .ndjson, .parquet, .csv, .tsv, also with .gz, "
        in report.note
    )
    assert "questions alone, and what resembles them is left out: 'bench.jsonl'" in report.note


def test_preparing_twice_leaves_the_same_rows_also_on_a_later_day(platform, file):
    plan = Preparation(file(*PAIRS))
    prepare(platform, run_of(), plan)
    before = stored(platform)
    again = prepare(platform, run_of("2026-12-01"), plan)
    assert again.rows == 0
    pd.testing.assert_frame_equal(stored(platform), before)


def test_a_second_source_adds_and_what_the_first_holds_is_not_taken_again(platform, file):
    prepare(platform, run_of(), Preparation(file(*PAIRS[:30])))
    report = prepare(platform, run_of(), Preparation(file(*PAIRS[20:], name="more.jsonl")))
    assert report.rows == 10
    assert stored(platform)["source"].str.partition("-")[0].value_counts().to_dict() == {"chat": 30, "more": 10}
    assert prepare(platform, run_of(), Preparation(file(*PAIRS[:30]))).rows == 0


def test_what_a_stricter_preparation_no_longer_keeps_is_withdrawn_and_no_longer_read(platform, file):
    source, bench = file(*PAIRS), file((PAIRS[3][0], "x"), name="bench.jsonl")
    prepare(platform, run_of(), Preparation(source))
    data = fingerprint(conversations(platform, SPLITS))
    report = prepare(platform, run_of(), Preparation(source, evaluation=bench))
    assert "39 of 40 kept, 1 of before withdrawn; " in report.note
    assert (len(stored(platform)), len(conversations(platform, SPLITS))) == (40, 39)
    assert fingerprint(conversations(platform, SPLITS)) != data
    assert report.metrics["conversations"] == 39
    prepare(platform, run_of(), Preparation(source))
    assert fingerprint(conversations(platform, SPLITS)) == data


def test_prompts_that_models_are_judged_on_are_left_out(platform, file):
    report = prepare(platform, run_of(), Preparation(file(*PAIRS)), [PAIRS[0][0].upper()])
    assert [(row["why"], row["left_out"]) for row in report.table] == [("with a question that models are judged on", 1)]


def test_a_source_of_which_nothing_passes_is_told_in_figures(platform, file):
    report = prepare(platform, run_of(), Preparation(file(("Why?", ""))))
    assert (report.rows, report.metrics["conversations"]) == (0, 0)
    assert ": 0 of 1 kept; nothing is in the store" in report.note


def test_a_limit_takes_a_sample_and_says_so(platform, file):
    report = prepare(platform, run_of(), Preparation(file(*PAIRS), limit=10))
    assert ": 10 of 10 sampled of 40 kept; " in report.note
    prepare(platform, run_of(), Preparation(file(*PAIRS), limit=20))
    assert len(conversations(platform, SPLITS)) == 20


def test_a_source_that_cannot_be_used_leaves_the_store_as_it_was(platform, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"prompt": "a"}\n')
    with pytest.raises(SourceError):
        prepare(platform, run_of(), Preparation(str(tmp_path / "a.jsonl")))
    assert stored(platform).empty


def test_conversations_are_read_by_split_kind_and_date_as_lists_in_the_order_of_their_ids(platform, file):
    prepare(platform, run_of(), Preparation(file(*PAIRS, name="a.jsonl"), cleaning=Cleaning(shares=(0.5, 0.3, 0.2))))
    train, every = conversations(platform), conversations(platform, SPLITS, ("chat",))
    assert set(train["split"]) == {"train"}
    assert 0 < len(train) < len(every) == 40
    assert every["conversation_id"].is_monotonic_increasing
    assert [one["role"] for one in every["messages"][0]] == ["user", "assistant"]
    for splits, kinds, until in ((SPLITS, ("meals",), None), (SPLITS, ("chat",), midnight(date(2026, 11, 20)))):
        with pytest.raises(NotYetError, match="run `almanac run assistant prepare`"):
            conversations(platform, splits, kinds, until)


def test_the_fingerprint_tells_words_and_rows_apart_and_not_their_order(platform, file):
    prepare(platform, run_of(), Preparation(file(*PAIRS)))
    rows = conversations(platform, SPLITS)
    changed = rows.assign(messages=[[{**one, "content": "x"} for one in messages] for messages in rows["messages"]])
    prints = [fingerprint(one) for one in (rows, rows[::-1], rows[1:], changed)]
    assert prints[0] == prints[1]
    assert len({*prints}) == 3


def test_the_demo_world_holds_what_its_simulator_spoilt_no_longer_and_nearly_all_else(platform):
    report = prepare(platform, run_of(), Preparation(limit=400))
    by_source = {(row["source"], row["why"]): row["left_out"] for row in report.table}
    assert by_source[("finetome (simulated)", "no conversation")] > 0
    assert report.metrics["conversations"] > 700
    assert report.note.startswith("finetome (simulated): ")


def test_other_worlds_say_where_recipes_are_to_be_had(platform):
    report = prepare(replace(platform, world="live"), run_of(), Preparation(limit=50))
    assert "for meals give recipes with --source, such as RecipeNLG's full_dataset.csv" in report.note


def test_stored_conversations_become_tokens_that_are_kept(platform, file, tmp_path):
    pytest.importorskip("torch")
    from shared.steps.bases import Size, build_tiny, open_tokenizer

    prepare(platform, run_of(), Preparation(file(*PAIRS)))
    rows = conversations(platform, SPLITS)
    base = build_tiny(tmp_path / "tiny", [answered for _, answered in PAIRS], 0, Size(2, 48, 3, 400, 512))
    tokens = tokenised(rows, open_tokenizer(str(base)), tmp_path / "cache", 256)
    assert len(tokens.examples) == tokens.counted.conversations == 40
    assert len([*(tmp_path / "cache").iterdir()]) == 1


@pytest.mark.slow
def test_real_chats_and_recipes_are_prepared_with_a_benchmark_left_out(platform):
    if not (folder := os.environ.get("ALMANAC_TEST_DATA")):
        pytest.skip("ALMANAC_TEST_DATA names no folder with chat/ and recipes/")
    sources = ",".join(str(Path(folder) / name) for name in ("chat", "recipes"))
    report = prepare(platform, run_of(), Preparation(sources))
    assert set(conversations(platform, SPLITS)["kind"]) == {"chat", "meals"}
    assert prepare(platform, run_of(), Preparation(sources)).rows == 0
    assert "in the store: " in report.note
