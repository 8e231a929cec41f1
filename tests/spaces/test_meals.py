"""The page of meals as visitors meet it: with a tiny model on this machine, and with a scripted endpoint."""

import json
import re
import sys
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import expect

from shared.connect import open_platform
from shared.systems.assistant.recipes import Recipe, answer
from tests.assistant_rig import tiny_assistant
from tests.loopback.chat_endpoint import chat_endpoint
from tests.spaces import late
from tests.spaces.test_browser import DESKTOP, PHONE, browser, text, visit  # noqa: F401 - fixtures

pytestmark = pytest.mark.slow

REPO = Path(__file__).parents[2]
MEALS = [sys.executable, "-P", str(REPO / "spaces" / "meals" / "app.py")]
HOSTILE = "<img src=x onerror='window.hacked=1'>"


def scripted(messages):
    """Cook all there is, a letter of the recipe a piece; three are served a hostile title, four also cream."""
    asked = messages[-1]["content"]
    there = {name: int(grams) for name, grams in re.findall(r"- (.+): (\d+) g", asked)}
    servings = int(re.search(r"for (\d+)", asked)[1])
    title = HOSTILE if servings == 3 else "All in one"
    last = "Serve it with cream." if servings == 4 else "Serve it while hot."
    return [answer(Recipe(title, servings, 25, there, ("salt",), ("Cook all of it well.", last)))]


@pytest.fixture(scope="module")
def elsewhere(serve, tmp_path_factory):
    folder = tmp_path_factory.mktemp("meals")
    with (
        chat_endpoint(scripted) as endpoint,
        serve(MEALS, folder / "home", folder, folder / "log.txt", {"ALMANAC_ASSISTANT_URL": endpoint.url}) as server,
    ):
        yield server
        assert "Traceback" not in server.log()


@pytest.fixture(scope="module")
def here(serve, tmp_path_factory):
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("tiny")
    tiny_assistant(open_platform(world="demo", home=folder / "home"), folder)
    with serve(MEALS, folder / "home", folder, folder / "log.txt", {"OMP_NUM_THREADS": "1"}) as server:
        yield server
        assert "Traceback" not in server.log()


def compose(page, listed):
    box = page.get_by_label("What is in the house")
    expect(box).to_have_value(re.compile("egg"))
    box.fill(listed)
    page.get_by_role("button", name="Compose a meal").click()
    expect(page.get_by_label("Recipe").filter(has_text="minutes")).to_be_visible()


def weigh(page, before, after):
    """Write another weight into the table."""
    page.get_by_role("gridcell", name=before, exact=True).first.dblclick()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(after)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_list_becomes_a_card_that_is_scaled_without_asking_again(viewport, visit, elsewhere):  # noqa: F811
    page = visit(elsewhere.url, viewport)
    compose(page, "2 eggs, 300g rice")
    card = page.get_by_label("Recipe")
    expect(card).to_contain_text("300 g rice, of 300 g")
    expect(card).to_contain_text("25 minutes · 2 servings")
    page.get_by_label("number input for Scale to servings").fill("4")
    expect(card).to_contain_text("600 g rice, of 300 g")
    expect(page.get_by_label("Shopping list")).to_contain_text("300 g rice")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_list_and_table_stay_in_step(visit, elsewhere):  # noqa: F811
    page = visit(elsewhere.url)
    box = page.get_by_label("What is in the house")
    expect(box).to_have_value(re.compile("egg"))
    box.fill("1 kg potatoes and a dragonfruit")
    page.get_by_role("button", name="Read the list").click()
    expect(box).to_have_value("potato: 1000 g\ndragonfruit")
    expect(text(page, "How many grams of dragonfruit are there?")).to_be_visible()
    expect(page.get_by_text("1000", exact=True).filter(visible=True).first).to_be_visible()


def test_a_list_that_is_written_while_the_one_before_is_read_stays_as_it_is_written(visit, elsewhere):  # noqa: F811
    page = visit(elsewhere.url)
    box = page.get_by_label("What is in the house")
    expect(box).to_have_value(re.compile("egg"))
    late.held(page)
    box.fill("1 kg potatoes")
    page.get_by_role("button", name="Read the list").click()
    late.asked(page)
    box.fill("500 g rice")
    late.answer(page)
    late.asked(page)
    expect(box).to_have_value("500 g rice")
    late.let_go(page)
    expect(box).to_have_value("rice: 500 g")
    expect(page.get_by_role("gridcell", name="rice").first).to_be_visible()


def test_a_table_that_is_changed_while_it_is_read_stays_as_it_was_changed(visit, elsewhere):  # noqa: F811
    page = visit(elsewhere.url)
    box = page.get_by_label("What is in the house")
    expect(box).to_have_value(re.compile("rice: 300 g"))
    late.held(page)
    page.get_by_role("button", name="Read the list").click()
    late.asked(page)
    weigh(page, "300", "450")
    late.let_go(page)
    expect(box).to_have_value(re.compile("rice: 450 g"))


def test_a_meal_is_of_the_list_as_it_was_when_it_was_asked_for(visit, elsewhere):  # noqa: F811
    page = visit(elsewhere.url)
    box = page.get_by_label("What is in the house")
    expect(box).to_have_value(re.compile("egg"))
    late.held(page)
    box.fill("1 kg potatoes")
    page.get_by_role("button", name="Compose a meal").click()
    page.wait_for_function("window.rig.held.length > 1")
    box.fill("500 g rice")
    late.let_go(page)
    expect(page.get_by_label("Recipe").filter(has_text="minutes")).to_contain_text("1000 g potato, of 1000 g")
    expect(box).to_have_value("rice: 500 g")


def test_a_meal_is_shown_for_its_own_servings_whatever_was_asked_of_the_one_before(visit, elsewhere):  # noqa: F811
    page = visit(elsewhere.url)
    compose(page, "2 eggs")
    late.held(page)
    page.get_by_label("range slider for Scale to servings").press("ArrowRight")
    with late.overtaking(page):
        page.get_by_role("button", name="Compose a meal").click()
    late.let_go(page)
    expect(page.get_by_label("number input for Scale to servings")).to_have_value("2")
    expect(page.get_by_label("Recipe")).to_contain_text("25 minutes · 2 servings")


def test_what_was_not_understood_and_what_was_chosen_stays_in_sight_when_a_meal_is_composed(visit, elsewhere):  # noqa: F811
    page = visit(elsewhere.url)
    compose(page, "2 eggs, 300 g of butter or margarine, 5 m carrot")
    late.quiet(page)
    expect(text(page, "'m' is no amount of food")).to_be_visible()
    expect(text(page, "'butter or margarine' is taken as butter.")).to_be_visible()


def test_what_has_no_weight_is_said_to_be_left_out_beside_the_recipe_as_a_phone_shows_no_other_part(visit, elsewhere):  # noqa: F811
    page = visit(elsewhere.url, PHONE)
    compose(page, "2 eggs, a dragonfruit and salt")
    expect(text(page, "Left out: dragonfruit has no weight in the list.")).to_be_visible()
    assert page.get_by_text("Left out: salt").count() == 0


def test_markup_in_a_recipe_is_text(visit, elsewhere):  # noqa: F811
    page = visit(elsewhere.url)
    expect(page.get_by_label("What is in the house")).to_have_value(re.compile("egg"))
    page.get_by_label("number input for Servings").fill("3")
    compose(page, "2 eggs")
    expect(page.get_by_label("Recipe").get_by_role("heading").first).to_have_text(HOSTILE)
    assert page.evaluate("window.hacked") is None


def test_a_program_is_told_the_allergens_of_steps_and_where_they_stand(elsewhere):
    meal = cook(elsewhere, ingredients="2 eggs, 300 g rice, 10 g dragonfruit", servings=4, avoid="milk")
    assert meal["allergens"] == {"egg": ["eggs"], "rice": [], "dragonfruit": [], "cream": ["milk"]}
    assert meal["allergens_where"] == {"cream": "named in a step, not listed"}
    assert meal["allergens_unknown"] == ["dragonfruit"]
    assert "cream holds milk: to be avoided." in meal["problems"]
    assert "milk: cream (named in a step, not listed)" in json.loads(meal["json_ld"])["description"]


def test_a_diet_that_leaves_nothing_is_a_sentence(elsewhere):
    with pytest.raises(AppError, match="Nothing can be cooked from this"):
        cook(elsewhere, ingredients="200 g butter", diet="vegan")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"ingredients": ""}, "List what is in the house first"),
        ({"ingredients": "x" * 4_001}, "at most 4,000 characters"),
        ({"ingredients": ["rice"]}, "the list is text"),
        ({"ingredients": "2 eggs", "servings": 99}, "serves 1 to 20"),
        ({"ingredients": "2 eggs", "servings": "many"}, "servings is a whole number"),
        ({"ingredients": "2 eggs", "diet": "air"}, "There is no diet 'air'"),
        ({"ingredients": "2 eggs", "avoid": "noise"}, "There is no allergen 'noise'"),
        ({"ingredients": "2 eggs", "pantry": "gold"}, "The pantry is salt"),
    ],
)
def test_what_cannot_be_cooked_is_refused_in_a_sentence(given, sentence, elsewhere):
    with pytest.raises(AppError, match=sentence):
        cook(elsewhere, **given)


def test_a_tiny_model_with_random_weights_keeps_to_what_there_is(here):
    for _ in range(3):
        meal = cook(here, ingredients="2 eggs, 300 g rice, 1 onion", servings=3)
        grams = meal["recipe"]["ingredients"]
        assert meal["recipe"]["servings"] == 3
        assert {*grams} <= {"egg", "rice", "onion"}
        assert all(
            grams[name] <= most for name, most in {"egg": 100, "rice": 300, "onion": 110}.items() if name in grams
        )
        assert json.loads(meal["json_ld"])["@type"] == "Recipe"
        assert meal["allergens"].get("egg", ["eggs"]) == ["eggs"]


def test_nothing_here_says_what_makes_a_model(visit, serve, tmp_path):  # noqa: F811
    with serve(MEALS, tmp_path / "home", tmp_path, tmp_path / "log.txt") as server:
        page = visit(server.url)
        expect(page.locator(".al-empty code").first).to_have_text("almanac run assistant prepare")
        expect(page.get_by_label("What is in the house")).to_have_count(0)
        with pytest.raises(AppError, match="run `almanac run assistant prepare`"):
            cook(server, ingredients="2 eggs")
        page.goto("about:blank")
        assert "Traceback" not in server.log()


def cook(server, **given):
    return Client(server.url, verbose=False).predict(**given, api_name="/compose_meal")
