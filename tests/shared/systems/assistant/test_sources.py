"""Where conversations come from: data sets, files in every shape, folders, and what is refused."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from shared.errors import SourceError, UsageError, WebError
from shared.systems.assistant.sources import gathered, questions

CHAT = {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello!"}]}
TURNS = {"question_id": 81, "turns": ["Write a poem about the tide.", "Make it rhyme."]}
RICE = {
    "title": "Egg rice",
    "ingredients": ["200 g rice", "2 eggs", "1 tsp salt"],
    "directions": ["Boil the rice for 12 minutes.", "Fry the eggs and mix all."],
}


@pytest.fixture
def file(tmp_path):
    """Write records as JSON lines, and return the path."""

    def written(*records, name="chat.jsonl"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in records))
        return str(path)

    return written


@pytest.fixture
def recordings():
    folder = os.environ.get("ALMANAC_TEST_DATA")
    if not folder:
        pytest.skip("ALMANAC_TEST_DATA names no folder with chat/ and recipes/")
    return Path(folder)


def one_of(platform, source, **options):
    (only,) = gathered(platform, source, **options)
    return only


def test_a_file_gives_its_conversations_by_line(platform, file):
    found = one_of(platform, file(CHAT, {"messages": []}))
    assert (found.records, found.rows["place"].tolist(), found.rows["kind"].tolist()) == (2, [1, 2], ["chat", "chat"])
    assert found.rows["messages"][0] == [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]
    assert found.rows["messages"][1] is None
    assert found.rows["reason"].tolist() == ["", "there is no answer in it"]
    assert found.source.startswith("chat-")


def test_a_recipe_becomes_a_request_and_its_answer_in_json(platform, file):
    found = one_of(platform, file(RICE))
    system, asked, answered = found.rows["messages"][0]
    assert found.rows["kind"].tolist() == ["meals"]
    assert system["role"] == "system"
    assert "- rice: " in asked["content"]
    told = json.loads(answered["content"])
    assert (told["title"], told["ingredients"]) == ("Egg rice", {"rice": 200, "egg": 100})


def test_recipenlgs_lists_are_read_as_lists_and_never_split_on_commas(platform, tmp_path):
    steps = json.dumps(["Mix the sugar, packed, and the flour|all of it.", "Bake for 30 minutes."]).replace('"', '""')
    lines = json.dumps(["200 g sugar, packed", "300 g flour"]).replace('"', '""')
    (tmp_path / "full_dataset.csv").write_text(
        f',title,ingredients,directions,link,source,NER\n0,Sugar cake,"{lines}","{steps}",a.example,Gathered,"[]"\n'
    )
    told = json.loads(one_of(platform, str(tmp_path / "full_dataset.csv")).rows["messages"][0][2]["content"])
    assert told["ingredients"] == {"sugar": 200, "flour": 300}
    assert len(told["steps"]) == 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"ingredients": "200 g rice, 2 eggs"}, "its ingredients are no list"),
        ({"ingredients": '["200 g rice"'}, "its ingredients are no list"),
        ({"directions": None}, "its directions are no list"),
        ({"directions": [["Boil."], ["Fry."]]}, "a list stands"),
        ({"title": float("nan")}, "a number stands"),
        ({"ingredients": []}, "ingredients"),
        ({"directions": []}, "directions"),
    ],
)
def test_a_row_that_is_no_recipe_says_why(platform, file, change, why):
    rows = one_of(platform, file(RICE, RICE | change)).rows
    assert rows["messages"][1] is None
    assert why in rows["reason"][1]


def test_a_list_of_names_without_amounts_is_told_in_words_and_no_grams_are_made_up(platform, file):
    names = {"name": "egg rice", "minutes": 55, "steps": repr(RICE["directions"]), "ingredients": "['rice', 'eggs']"}
    rows = one_of(platform, file(names)).rows
    assert rows["kind"].tolist() == ["chat"]
    assert "You need:\n- rice\n- eggs" in rows["messages"][0][1]["content"]


def test_the_recipes_of_a_page_are_taken_out_of_what_else_it_holds(platform, file):
    recipe = {"@type": ["Recipe"], "name": "Egg rice", "recipeIngredient": RICE["ingredients"], "recipeYield": "2"}
    recipe["recipeInstructions"] = [{"@type": "HowToStep", "text": one} for one in RICE["directions"]]
    page = {"@context": "https://schema.org", "@graph": [{"@type": "WebSite", "name": "My kitchen"}, recipe]}
    rows = one_of(platform, file(page, {"@graph": [{"@type": "WebPage"}]})).rows
    assert rows["kind"].tolist() == ["meals", "meals"]
    assert rows["reason"].tolist() == ["", "there is no recipe among what it holds"]
    told = json.loads(rows["messages"][0][2]["content"])
    assert (told["servings"], told["ingredients"]) == (2, {"rice": 200, "egg": 100})


def test_a_recipe_alone_in_its_page_has_the_place_of_its_line_and_several_are_counted(platform, file):
    recipe = {"@type": "Recipe", "name": "Rice", "recipeIngredient": RICE["ingredients"], "recipeYield": "2"}
    recipe["recipeInstructions"] = RICE["directions"]
    page = {"@graph": [recipe]}
    assert one_of(platform, file(page, page, page)).rows["place"].tolist() == [1, 2, 3]
    assert one_of(platform, file({"@graph": [recipe, recipe]}, page)).rows["place"].tolist() == [1, 2, 2]


def test_a_recipe_for_more_than_a_meal_serves_is_told_in_words(platform, file):
    assert one_of(platform, file(RICE | {"servings": 48})).rows["kind"].tolist() == ["chat"]


def test_an_empty_record_is_counted_even_as_the_first(platform, file):
    rows = one_of(platform, file({}, RICE, {})).rows
    assert rows["reason"].tolist() == ["it is empty", "", "it is empty"]


def test_of_preferences_the_answer_that_was_chosen_is_learned(platform, file):
    rows = one_of(platform, file({"prompt": "Hi", "chosen": "Hello!", "rejected": "No."})).rows
    assert [one["content"] for one in rows["messages"][0]] == ["Hi", "Hello!"]


def test_the_line_that_a_killed_writer_left_is_counted_as_malformed(platform, file):
    found = one_of(platform, file(CHAT, CHAT, '{"conversations": [{"from": "hum'))
    assert found.records == 3
    assert found.rows["reason"].tolist() == ["", "", 'broken: {"conversations": [{"from": "hum']


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([CHAT, RICE], "changes from conversation to recipe in record 2"),
        ([CHAT, CHAT, {"instruction": "a", "output": "b"}], "changes from conversation to instruction in record 3"),
        ([{"alcohol": 9.4, "quality": 5}], "has the columns alcohol, quality in record 1; known are messages or"),
        ([TURNS], "questions without answers.*--evaluation"),
        ([CHAT, TURNS], "changes from conversation to questions in record 2"),
        (
            [{"messages": []}, {"messages": 5}],
            "holds no conversation: record 1: there is no answer in it; known are messages or",
        ),
        (['{"half'], "holds no conversation: record 1: broken"),
        ([RICE | {"ingredients": []}], "holds no conversation: record 1"),
    ],
)
def test_a_file_of_which_nothing_or_not_all_can_be_used_is_refused(platform, file, records, said):
    with pytest.raises(SourceError, match=said):
        list(gathered(platform, file(*records)))


def test_one_conversation_over_several_lines_is_read(platform, file):
    assert one_of(platform, file(json.dumps(CHAT, indent=2))).rows["messages"].notna().tolist() == [True]


@pytest.mark.parametrize("around", [{"data": [CHAT, CHAT, 7]}, {"version": 2, "tags": ["a"], "chats": [CHAT, CHAT, 7]}])
def test_a_list_under_a_name_gives_its_records_by_number(platform, file, around):
    rows = one_of(platform, file(json.dumps(around, indent=2))).rows
    assert rows["place"].tolist() == [1, 2, 3]
    assert rows["reason"].tolist() == ["", "", "broken: 7"]


def test_an_object_around_something_unknown_is_refused_by_its_columns(platform, file):
    with pytest.raises(SourceError, match="has the columns rows, more in record 1; known are"):
        list(gathered(platform, file(json.dumps({"rows": 5, "more": [{"a": 1}]}, indent=2))))


def test_an_address_that_the_demo_world_does_not_have_says_so_itself(platform):
    with pytest.raises(
        WebError, match="^example.org/chats.jsonl is not part of the demo world: set ALMANAC_WORLD=live"
    ):
        list(gathered(platform, "http://example.org/chats.jsonl"))


def test_a_list_without_records_is_refused(platform, file):
    with pytest.raises(SourceError, match="holds no conversation"):
        list(gathered(platform, file("[]", name="a.json")))


def test_a_record_of_no_shape_among_others_is_malformed(platform, file):
    assert one_of(platform, file(CHAT, {"error": "timeout"})).rows["reason"][1] == "its messages are no list"


def test_of_more_records_than_the_limit_the_same_are_drawn_whatever_their_order(platform, file):
    records = [{"instruction": f"Say {number}.", "output": str(number)} for number in range(200)]
    drawn = one_of(platform, file(*records), limit=20)
    again = one_of(platform, file(*records[::-1], name="other.jsonl"), limit=20)
    more = one_of(platform, file(*records), limit=30)

    def said(found):
        return {messages[0]["content"] for messages in found.rows["messages"]}

    assert (drawn.records, len(drawn.rows)) == (200, 20)
    assert said(drawn) == said(again) < said(more)
    assert drawn.rows["place"].is_monotonic_increasing
    assert said(one_of(platform, file(*records), limit=20, seed=1)) != said(drawn)
    assert max(drawn.rows["place"]) > 100  # not the first ones


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(platform, file, limit):
    with pytest.raises(UsageError, match="at least 1"):
        list(gathered(platform, file(CHAT), limit=limit))


def test_a_folder_gives_a_source_a_file_and_its_questions_are_only_to_judge_by(platform, file, tmp_path):
    for name, record in {"chat": CHAT, "cook": RICE, "bench": TURNS}.items():
        file(record, name=f"a/{name}.jsonl")
    folder = str(tmp_path / "a")
    assert [found.rows["kind"][0] for found in gathered(platform, folder)] == ["chat", "meals"]
    assert questions(platform, "", folder) == TURNS["turns"]


def test_a_folder_of_questions_alone_is_refused(platform, file, tmp_path):
    file(TURNS, name="b/bench.jsonl")
    with pytest.raises(SourceError, match="nothing to learn from"):
        list(gathered(platform, str(tmp_path / "b")))


def test_several_sources_are_joined_by_commas(platform, file):
    found = [*gathered(platform, f"{file(CHAT)}, {file(RICE, name='cook.jsonl')}")]
    assert [one.source.rpartition("-")[0] for one in found] == ["chat", "cook"]


def test_questions_to_judge_by_come_with_or_without_answers(platform, file):
    assert questions(platform, f"{file(TURNS)},{file(CHAT, name='b.jsonl')}") == [*TURNS["turns"], "Hi"]
    assert questions(platform, "") == []


def test_a_file_to_judge_by_that_asks_nothing_is_refused(platform, file):
    with pytest.raises(SourceError, match="holds no question"):
        questions(platform, file({"answer": "x"}))


def test_the_demo_world_gives_a_simulated_finetome_and_simulated_recipes(platform):
    found = [*gathered(platform, limit=20)]
    assert [(one.source, one.records) for one in found] == [("finetome", 4182), ("recipes", 2000)]
    assert found[1].rows["messages"].notna().all()


def test_other_worlds_give_finetome_alone(platform):
    assert [one.source for one in gathered(replace(platform, world="live"), limit=20)] == ["finetome"]


def test_a_folder_of_real_chats_and_questions_can_be_used(platform, recordings):
    found = one_of(platform, str(recordings / "chat"))
    assert found.records > 100
    assert found.rows["messages"].notna().mean() > 0.95
    assert len(questions(platform, "", str(recordings / "chat"))) == 160


def test_a_fifth_of_a_real_cookbook_and_more_becomes_conversations(platform, recordings):
    found = one_of(platform, str(recordings / "recipes"))
    assert found.rows["messages"].notna().mean() > 0.2
