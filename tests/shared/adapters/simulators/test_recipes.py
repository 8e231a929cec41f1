"""The simulated cookbook: RecipeNLG's format, and dishes that hold together."""

import csv
import io
import json
import re

import httpx
import pytest

from shared.adapters.corpora import RECIPENLG
from shared.adapters.demo import DemoTransport
from shared.adapters.simulators import SIMULATORS
from shared.adapters.simulators.recipes import simulated_recipes
from shared.adapters.web import HttpWeb
from shared.systems.assistant.cookbook import from_cookbook


@pytest.fixture(scope="module")
def rows():
    text = HttpWeb(DemoTransport(SIMULATORS)).get(f"{RECIPENLG}/full_dataset.csv").body.decode()
    return [*csv.DictReader(io.StringIO(text))]


def test_the_file_has_recipenlgs_columns_and_lists_as_json(rows):
    assert [*rows[0]] == ["", "title", "ingredients", "directions", "link", "source", "NER"]
    assert len(rows) == 2000
    for row in rows:
        lines, steps, names = (json.loads(row[name]) for name in ("ingredients", "directions", "NER"))
        assert len(lines) == len(names) >= 4
        assert len(steps) >= 3
        assert all(re.fullmatch(r"\d+ g \S.*", line) for line in lines)


def test_every_dish_names_its_ingredients_in_its_directions(rows):
    for row in rows:
        said = row["directions"]
        assert [name for name in json.loads(row["NER"]) if name not in said] == []


def test_no_title_is_left_with_a_gap_and_most_dishes_differ(rows):
    assert not [row["title"] for row in rows if "{" in row["title"] + row["directions"]]
    assert len({row["title"] for row in rows}) > 400


def test_recipes_become_examples_of_what_a_model_should_answer(rows):
    made = [
        from_cookbook(row["title"], json.loads(row["ingredients"]), json.loads(row["directions"])) for row in rows[:50]
    ]
    assert all(recipe.servings > 0 and len(recipe.ingredients) >= 2 for recipe in made)


def test_other_seeds_cook_other_dishes_and_other_addresses_are_not_its_own():
    ask = httpx.Request("GET", f"{RECIPENLG}/full_dataset.csv")
    assert simulated_recipes(1)(ask).text != simulated_recipes(0)(ask).text
    assert simulated_recipes()(httpx.Request("GET", RECIPENLG)) is None
