"""The pages as a visitor meets them, in a real browser: on an empty store and on a filled one."""

import os
import re
import shutil
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import expect, sync_playwright

from shared.connect import open_platform
from shared.runs import run_stage
from shared.systems.air_quality.features import FEATURES
from shared.systems.air_quality.publishing import publish
from tests.spaces import late

pytestmark = pytest.mark.slow

CHROME = os.environ.get("CHROME") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync --no-first-run"
)
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# What Gradio logs when one leaves a page while an answer is still coming.
LEFT = re.compile(r"AbortError: signal is aborted|Connection errored out")
TALLEST = {1280: 2600, 390: 4600}  # px: beyond that nobody scrolls
PATIENCE = 60_000  # ms: a machine may have more to do than this
expect.set_options(timeout=PATIENCE / 2)
MEASURES = ("Sepal length", "Sepal width", "Petal length", "Petal width")
FILLED = {
    "": "Newest date",
    "air_quality": "Answered by",
    "chat": "Computes on",
    "iris": "Answered by",
    "iris_monitor": "Latest predictions",
    "meals": "Computes on",
    "wine": "Answered by",
    "wine_monitor": "Latest predictions",
}
PAGES = tuple(FILLED)
FILLS = dict.fromkeys(PAGES, "almanac day") | dict.fromkeys(("chat", "meals"), "almanac run assistant prepare")


@pytest.fixture(scope="module")
def browser():
    if not CHROME:
        pytest.skip("no Chromium: install chromium or google-chrome, or name one in CHROME")
    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=CHROME, args=FLAGS.split())
        yield chrome
        chrome.close()


@pytest.fixture
def visit(browser):
    """Open an address as a new visitor; whatever goes wrong in the page fails the test at its end."""
    wrong, contexts = [], []

    def open_page(url, viewport=DESKTOP, scheme="light"):
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(late.RIG)
        page.on("console", lambda said: wrong.append(said.text) if _is_trouble(said) else None)
        page.on("pageerror", lambda failure: wrong.append(str(failure)))
        page.on("dialog", lambda dialog: (wrong.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda asked: wrong.append(f"asked {asked.url}") if _is_foreign(asked.url) else None)
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def _is_trouble(said):
    return said.type in ("error", "warning") and not LEFT.search(said.text)


def _is_foreign(url):
    return not url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:"))


def text(page, said):
    return page.get_by_text(said).first


def number(page, label):
    return page.get_by_label(f"number input for {label}")


def expect_period(page, since, until):
    expect(page.get_by_label("From")).to_have_value(since)
    expect(page.get_by_label("To")).to_have_value(until)


def show(page, since, until):
    page.get_by_label("From").fill(since)
    page.get_by_label("To").fill(until)
    page.get_by_role("button", name="Show").click()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_filled_page_fits_the_screen_and_says_that_it_is_simulated(path, viewport, visit, filled):
    page = visit(filled.url + path, viewport)
    expect(text(page, FILLED[path])).to_be_visible()
    expect(text(page, "Simulated data.")).to_be_visible()
    width, height = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert width <= viewport["width"]
    assert height <= TALLEST[viewport["width"]]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_on_an_empty_store_names_the_command_that_fills_it(path, visit, empty):
    page = visit(empty.url + path)
    expect(page.locator(".al-empty code").first).to_have_text(FILLS[path])
    expect(page.locator(".al-empty:visible")).to_have_count(1)
    expect(page.get_by_role("slider")).to_have_count(0)


def test_a_page_can_be_read_in_the_dark(visit, filled):
    page = visit(filled.url + "iris", scheme="dark")
    expect(text(page, "Answered by")).to_be_visible()
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    colour = page.evaluate("getComputedStyle(document.querySelector('.al-provenance')).color")
    light = [sum(map(int, re.findall(r"\d+", one)[:3])) for one in (background, colour)]
    assert light[0] < 150 < 500 < light[1]


def test_the_menu_leads_to_every_page_and_each_fills_itself(visit, filled):
    page = visit(filled.url)
    menu = page.locator(".nav-holder")
    for path, said in [*FILLED.items(), ("", "Newest date")]:
        name = path.replace("_", " ").capitalize() or "Almanac"
        menu.get_by_text(name, exact=True).click()
        expect(page).to_have_url(re.compile(f"^{filled.url}{path}/?$"))
        expect(text(page, said)).to_be_visible()


def test_the_start_page_shows_the_headline_beside_its_baseline_and_leads_on(visit, filled):
    page = visit(filled.url)
    card = page.locator(".al-card").filter(has_text="Iris")
    expect(card).to_contain_text(re.compile(r"Accuracy\s*\d+\s%\s*baseline \d+\s%"))
    expect(card).to_contain_text("Newest date 2026-10-20")
    card.get_by_role("link", name="Iris monitor").click()
    expect(text(page, "Latest predictions")).to_be_visible()


def test_a_system_of_two_pages_has_one_card_of_its_own_name_that_leads_to_both(visit, filled):
    page = visit(filled.url)
    card = page.locator(".al-card").filter(has_text="Assistant")
    expect(card.get_by_role("heading")).to_have_text("Assistant")
    expect(card).to_contain_text("A Llama fine-tuned with LoRA that chats and composes meals")
    for name, shown in (("Chat", "Your message"), ("Meals", "What is in the house")):
        page.goto(filled.url)
        card.get_by_role("link", name=name).click()
        expect(page.get_by_label(shown)).to_be_visible()


def test_changing_a_measurement_changes_the_answer_and_the_drawing(visit, filled):
    page = visit(filled.url + "iris")
    page.get_by_role("button", name="Setosa", exact=True).click()
    drawing = page.get_by_role("img", name="Drawing of an iris")
    expect(drawing).to_have_attribute("aria-label", "Drawing of an iris setosa")
    number(page, "Petal length").fill("5.6")
    number(page, "Petal width").fill("2")
    expect(drawing).to_have_attribute("aria-label", "Drawing of an iris virginica")
    expect(text(page, "petals 5.6 × 2.0 cm")).to_be_visible()


def test_of_flowers_pressed_at_once_the_last_is_shown_and_answered(visit, filled):
    page = visit(filled.url + "iris")
    expect(text(page, "Answered by")).to_be_visible()
    late.held(page)
    for name in ("Virginica", "Setosa", "Versicolor", "Virginica", "Setosa"):
        page.get_by_role("button", name=name, exact=True).click()
    late.answer(page)
    late.answer(page)
    late.quiet(page)
    expect(page.get_by_role("img", name="Drawing of an iris setosa")).to_be_visible()
    expect(number(page, "Petal length")).to_have_value("1.5")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_first_answer_is_for_what_the_sliders_show(viewport, visit, filled):
    page = visit(filled.url + "iris", viewport)
    expect(text(page, "Answered by")).to_be_visible()
    late.quiet(page)  # no late event overwrites the answer
    shown = [float(number(page, f"{name} (cm)").input_value()) for name in MEASURES]
    told = "sepals {:.1f} × {:.1f} cm, petals {:.1f} × {:.1f} cm".format(*shown)
    expect(page.locator("figcaption")).to_have_text(told)


def test_a_value_beyond_the_end_of_a_slider_moves_back_and_is_answered_there(visit, filled):
    page = visit(filled.url + "iris")
    number(page, "Petal length").fill("99")
    expect(text(page, "Petal length must be a number from 0.1 to 30 cm; got 99")).to_be_visible()
    number(page, "Petal length").press("Tab")
    expect(text(page, "petals 9.9 × 1.3 cm")).to_be_visible()


def test_a_slider_moves_with_the_keyboard(visit, filled):
    page = visit(filled.url + "iris")
    page.get_by_role("button", name="Setosa", exact=True).click()
    expect(text(page, "petals 1.5 × 0.2 cm")).to_be_visible()
    page.get_by_role("slider", name="Petal width").press("ArrowRight")
    expect(text(page, "petals 1.5 × 0.3 cm")).to_be_visible()


def test_a_measurement_outside_what_was_seen_is_answered_with_a_warning(visit, filled):
    page = visit(filled.url + "iris")
    number(page, "Petal length").fill("9")
    expect(text(page, "Petal length 9 cm is outside 1 to 6.9 cm")).to_be_visible()
    expect(text(page, "Answered by")).to_be_visible()


def test_what_is_no_measurement_gets_a_sentence_and_no_answer(visit, filled):
    page = visit(filled.url + "iris")
    for value in ("99", "-1", ""):
        page.get_by_role("button", name="Setosa", exact=True).click()
        expect(number(page, "Sepal width")).to_have_value("3.4")
        expect(text(page, "sepals 5.0 × 3.4 cm")).to_be_visible()
        number(page, "Sepal width").fill(value)
        expect(text(page, "Sepal width must be a number from 0.1 to 30 cm")).to_be_visible()
        expect(text(page, "Answered by")).to_be_hidden()


def test_the_monitor_shows_figures_charts_and_predictions_beside_outcomes(visit, filled):
    page = visit(filled.url + "iris_monitor")
    expect(page.locator(".al-tile")).to_have_count(4)
    expect(page.locator(".js-plotly-plot")).to_have_count(4)
    expect(text(page, "not known yet")).to_be_visible()
    page.get_by_role("tab", name="Versions").click()
    expect(text(page, "Which version serves, and why")).to_be_visible()
    page.get_by_role("tab", name="Runs").click()
    expect(text(page, "Latest runs")).to_be_visible()


def test_a_wine_is_graded_and_what_moved_it_and_what_would_lift_it_follow(visit, filled):
    page = visit(filled.url + "wine")
    expect(page.locator(".al-tile")).to_have_count(3)
    expect(text(page, "Beside the usual wine")).to_be_visible()
    expect(page.locator(".js-plotly-plot").filter(has_text="Alcohol: ")).to_have_count(1)
    expect(page.get_by_text(re.compile("the smallest change found|No change of up to three measures"))).to_be_visible()


def test_another_colour_brings_its_own_ranges_and_its_typical_wine(visit, filled):
    page = visit(filled.url + "wine")
    expect(text(page, "Answered by")).to_be_visible()
    ends = page.get_by_role("slider", name="Total sulfur dioxide").get_attribute("max")
    page.get_by_label("White").click()
    expect(page.get_by_role("slider", name="Total sulfur dioxide")).not_to_have_attribute("max", ends)


def test_a_better_wine_has_a_better_expected_grade_than_a_weaker_one(visit, filled):
    page = visit(filled.url + "wine")
    shown = page.locator(".al-value").nth(1)
    expected = {}
    for name in ("One of the weaker", "One of the better"):
        before = shown.text_content()
        page.get_by_role("button", name=name).click()
        expect(shown).not_to_have_text(before)
        expected[name] = float(shown.text_content())
    assert expected["One of the weaker"] < expected["One of the better"]


def test_of_beginnings_pressed_at_once_the_last_one_stays_with_the_colour_that_was_chosen(visit, filled):
    page = visit(filled.url + "wine")
    alcohol, best = number(page, "Alcohol"), page.get_by_role("button", name="One of the better")
    expect(text(page, "Answered by")).to_be_visible()
    ends = page.get_by_role("slider", name="Total sulfur dioxide").get_attribute("max")
    page.get_by_label("White").click()
    expect(page.get_by_role("slider", name="Total sulfur dioxide")).not_to_have_attribute("max", ends)
    typical = alcohol.input_value()
    best.click()
    expect(alcohol).not_to_have_value(typical)
    better = alcohol.input_value()
    late.held(page)
    for press in (page.get_by_label("Red"), best, page.get_by_label("White"), best):
        press.click()
    late.answer(page)
    late.let_go(page)
    expect(alcohol).to_have_value(better)
    expect(page.get_by_role("slider", name="Total sulfur dioxide")).not_to_have_attribute("max", ends)


def test_more_free_than_total_sulfur_dioxide_is_answered_with_a_warning(visit, filled):
    page = visit(filled.url + "wine")
    expect(text(page, "Answered by")).to_be_visible()
    number(page, "Total sulfur dioxide").fill("10")
    number(page, "Free sulfur dioxide").fill("30")
    expect(text(page, "Free sulfur dioxide (30 mg/L) is a part of the total (10 mg/L)")).to_be_visible()
    expect(text(page, "Answered by")).to_be_visible()


def test_what_no_wine_can_have_gets_a_sentence_and_no_answer(visit, filled):
    page = visit(filled.url + "wine")
    expect(text(page, "Answered by")).to_be_visible()
    number(page, "pH").fill("99")
    expect(text(page, "pH must be a number from 2 to 5; got 99")).to_be_visible()
    expect(text(page, "Answered by")).to_be_hidden()


def test_two_visitors_share_no_wine(visit, filled):
    one, other = visit(filled.url + "wine"), visit(filled.url + "wine")
    for page in (one, other):
        expect(text(page, "Answered by")).to_be_visible()
    before = number(other, "Alcohol").input_value()
    number(one, "Alcohol").fill("12.9")
    late.quiet(one)
    assert number(other, "Alcohol").input_value() == before
    other.reload()
    expect(text(other, "Answered by")).to_be_visible()
    assert number(other, "Alcohol").input_value() == before


def test_the_wine_monitor_shows_one_track_or_the_other_and_says_what_it_means(visit, filled):
    page = visit(filled.url + "wine_monitor")
    expect(page.locator(".al-tile")).to_have_count(5)
    expect(page.locator(".js-plotly-plot")).to_have_count(4)
    expect(text(page, "A panel tasted each")).to_be_visible()
    expect(text(page, "uci-white-")).to_be_visible()
    page.get_by_label("Synthetic wines").click()
    expect(text(page, "the grade is the synthesizer's")).to_be_visible()
    expect(text(page, "2026-10-20-1")).to_be_visible()
    page.get_by_role("tab", name="Synthesizer").click()
    expect(page.get_by_role("heading", name=re.compile(r"version 1$"))).to_be_visible()
    page.get_by_role("tab", name="Versions").click()
    expect(text(page, "Which version serves, and why")).to_be_visible()


def choose(page, typed):
    """Type part of a city's name and take what fits."""
    page.get_by_label("City").first.blur()
    page.get_by_label("City").first.fill(typed)
    page.get_by_role("option").filter(has_text=typed).click()


def test_another_city_brings_its_own_forecast_hindcast_and_skill(visit, filled):
    page = visit(filled.url + "air_quality")
    expect(page.locator(".al-tile:visible")).to_have_count(4)
    choose(page, "Krak")
    expect(page.locator("a[download^=forecast-krakow]")).to_be_visible()
    page.get_by_role("tab", name="How good?").click()
    expect(page.get_by_text(re.compile("Kraków.*damped persistence|forecast of Kraków"))).to_be_visible()
    choose(page, "Rott")
    expect(page.get_by_text(re.compile("Rotterdam-Zuid.*damped persistence|forecast of Rotterdam"))).to_be_visible()
    page.get_by_role("tab", name="Forecast").click()
    expect(page.locator("a[download^=forecast-rotterdam]")).to_be_visible()
    expect(text(page, "Last reading of the station: 2026-10-20")).to_be_visible()
    expect(page.locator("table").filter(has_text="Above 25 µg/m³").locator("tbody tr")).to_have_count(7)
    page.get_by_role("tab", name="How good?").click()
    expect(page.locator("table:visible").locator("tbody tr")).to_have_count(7)
    page.get_by_label("All stations").click()
    expect(page.get_by_text(re.compile("all stations.*damped persistence|forecast of all stations"))).to_be_visible()


def test_a_hindcast_is_of_the_lead_and_the_period_that_were_chosen(visit, filled):
    page = visit(filled.url + "air_quality")
    choose(page, "Krak")
    page.get_by_role("tab", name="Hindcast").click()
    expect(page.locator("a[download='hindcast-krakow-lead-1.csv']")).to_be_visible()
    expect(text(page, "30 days, forecast on the day itself")).to_be_visible()
    expect_period(page, "2026-09-20", "2026-10-19")
    page.get_by_label("7", exact=True).click()
    expect(text(page, "24 days, forecast 6 days before")).to_be_visible()
    show(page, "2026-10-05", "2026-10-09")
    expect(text(page, "3 days, forecast 6 days before")).to_be_visible()
    show(page, "soon", "2026-10-09")
    expect(text(page, "'soon' is not a date")).to_be_visible()
    page.get_by_role("button", name="Last 30 days").click()
    expect(text(page, "24 days, forecast 6 days before")).to_be_visible()
    expect(text(page, "'soon' is not a date")).to_be_hidden()
    expect_period(page, "2026-09-20", "2026-10-19")
    page.get_by_role("button", name="Last year").click()
    expect_period(page, "2025-10-20", "2026-10-19")


def test_of_a_city_a_lead_and_a_period_chosen_at_once_the_last_of_each_is_shown(visit, filled):
    page = visit(filled.url + "air_quality")
    page.get_by_role("tab", name="Hindcast").click()
    late.held(page)
    choose(page, "Krak")
    page.get_by_label("7", exact=True).click()
    choose(page, "Rott")
    page.get_by_label("2", exact=True).click()
    show(page, "2026-10-05", "2026-10-09")
    choose(page, "Krak")
    page.get_by_label("7", exact=True).click()
    late.let_go(page)
    expect(page.locator("a[download='hindcast-krakow-lead-7.csv']")).to_be_visible()
    expect(text(page, "3 days, forecast 6 days before")).to_be_visible()
    expect_period(page, "2026-10-05", "2026-10-09")
    page.get_by_role("tab", name="How good?").click()
    expect(page.get_by_text(re.compile("Kraków.*damped persistence|forecast of Kraków"))).to_be_visible()


def test_of_periods_chosen_at_once_the_last_is_shown(visit, filled):
    page = visit(filled.url + "air_quality")
    page.get_by_role("tab", name="Hindcast").click()
    month, year = (page.get_by_role("button", name=name) for name in ("Last 30 days", "Last year"))
    late.held(page)
    for presses, since in (((year, month, year), "2025-10-20"), ((month, year, month), "2026-09-20")):
        for press in presses:
            press.click()
        late.answer(page)
        late.answer(page)
        late.quiet(page)
        expect_period(page, since, "2026-10-19")


def test_a_date_that_is_being_written_or_was_pasted_stays_whatever_is_answered_meanwhile(visit, filled):
    page = visit(filled.url + "air_quality")
    page.get_by_role("tab", name="Hindcast").click()
    since, lead = page.get_by_label("From"), partial(page.get_by_label, exact=True)
    expect(since).to_have_value("2026-09-20")
    late.held(page)
    lead("2").click()
    since.fill("2026-10-0")
    lead("3").click()
    for before in ("4", "5"):
        late.answer(page)
        late.asked(page)
        lead(before).click()
        expect_period(page, "2026-10-0", "2026-10-19")
    late.let_go(page)
    expect(text(page, "'2026-10-0' is not a date")).to_be_visible()
    since.fill("2026-10-05")
    lead("6").click()
    late.quiet(page)
    expect_period(page, "2026-10-05", "2026-10-19")
    expect(page.locator("a[download$='lead-6.csv']")).to_be_visible()


def test_a_choice_made_before_the_first_frame_of_its_tab_stays(visit, filled):
    page = visit(filled.url + "air_quality")
    expect(page.locator(".al-tile:visible")).to_have_count(4)
    with late.without_frames(page):
        page.get_by_role("tab", name="Hindcast").click()
        page.get_by_label("From").fill("2026-10-05")
        page.get_by_label("7", exact=True).click()
    expect(page.get_by_label("7", exact=True)).to_be_checked()
    expect(page.get_by_label("From")).to_have_value("2026-10-05")
    with late.without_frames(page):
        page.get_by_role("tab", name="How good?").click()
        page.get_by_label("All stations").click()
    expect(page.get_by_label("All stations")).to_be_checked()


def test_all_features_alerts_and_runs_have_their_place(visit, filled):
    page = visit(filled.url + "air_quality")
    page.get_by_role("tab", name="What matters").click()
    expect(page.locator(".js-plotly-plot:visible .ytick text")).to_have_count(len(FEATURES))
    page.get_by_role("tab", name="Alerts and runs").click()
    expect(text(page, "Latest runs")).to_be_visible()
    expect(page.get_by_text(re.compile("Latest alerts")).first).to_be_visible()


def test_a_forecast_can_be_saved_as_csv(visit, filled):
    page = visit(filled.url + "air_quality")
    choose(page, "Krak")
    link = page.get_by_role("link", name="Save this forecast (CSV)")
    expect(link).to_have_attribute("download", "forecast-krakow-2026-10-20.csv")
    with page.expect_download() as saved:
        link.click()
    assert saved.value.suggested_filename == "forecast-krakow-2026-10-20.csv"
    assert saved.value.path().read_text().splitlines()[1].startswith("krakow,2026-10-20,1,")


def test_a_city_with_markup_in_its_name_is_shown_and_never_run(visit, filled):
    page = visit(filled.url + "air_quality")
    choose(page, "<img")
    page.get_by_role("tab", name="How good?").click()
    expect(page.locator("strong").filter(has_text="onerror='window.hacked=1'")).to_be_visible()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0


@pytest.fixture(scope="module")
def published(filled_home, tmp_path_factory):
    """The static page of the filled store, served as any static host would."""
    folder = tmp_path_factory.mktemp("published")
    platform = open_platform(world="demo", home=filled_home)
    run_stage(platform, "air_quality.publish", lambda run: publish(platform, run, folder), day="2026-10-20")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_static_page_leads_to_a_station_with_both_pictures(viewport, visit, published):
    page = visit(published, viewport)
    expect(text(page, "Simulated data.")).to_be_visible()
    page.get_by_role("link", name="Kraków").click()
    for name in ("Fine dust in Kraków", "Said on the day itself, and observed"):
        drawn = page.get_by_role("img", name=name)
        expect(drawn).to_be_visible()
        assert drawn.bounding_box()["height"] > 100
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_the_static_page_shows_a_hostile_name_and_never_runs_it(visit, published):
    page = visit(published)
    page.get_by_role("link", name=re.compile("onerror")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("<img src=x onerror='window.hacked=1'><script>")
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, script").count() == 0


def test_the_period_stays_when_the_track_changes(visit, filled):
    page = visit(filled.url + "wine_monitor")
    expect(text(page, "Latest predictions (15 of 20)")).to_be_visible()
    show(page, "2026-10-05", "2026-10-09")
    expect(text(page, "Latest predictions (5 of 5)")).to_be_visible()
    page.get_by_label("Synthetic wines").click()
    expect(text(page, "2026-10-09-1")).to_be_visible()
    expect_period(page, "2026-10-05", "2026-10-09")
    show(page, "2026-01-01", "2026-01-31")
    expect(text(page, "0 of 0")).to_be_visible()
    expect(page.locator(".js-plotly-plot").get_by_text("nothing yet").first).to_be_visible()


def test_a_chosen_period_survives_a_reload_and_no_other_visitor_sees_it(visit, filled):
    url = filled.url + "iris_monitor"
    page = visit(url)
    show(page, "2026-10-05", "2026-10-09")
    expect(text(page, "(5 of 5)")).to_be_visible()
    page.reload()
    expect(text(page, "(5 of 5)")).to_be_visible()
    expect_period(page, "2026-10-05", "2026-10-09")
    other = visit(url)
    expect(text(other, "19 of 20")).to_be_visible()
    expect(other.get_by_label("To")).to_have_value("2026-10-20")


def test_the_newest_thirty_days_can_be_had_back(visit, filled):
    page = visit(filled.url + "iris_monitor")
    show(page, "2026-10-05", "2026-10-09")
    expect(text(page, "(5 of 5)")).to_be_visible()
    page.get_by_role("button", name="Last 30 days").click()
    expect(text(page, "19 of 20")).to_be_visible()
    page.reload()
    expect(text(page, "19 of 20")).to_be_visible()


def test_of_periods_pressed_at_once_the_last_is_shown_and_kept(visit, filled):
    page = visit(filled.url + "iris_monitor")
    expect(text(page, "19 of 20")).to_be_visible()
    late.held(page)
    for name in ("Everything", "Last 30 days", "Everything", "Last 30 days"):
        page.get_by_role("button", name=name).click()
    show(page, "2026-10-05", "2026-10-09")
    late.answer(page)
    late.answer(page)
    late.quiet(page)
    expect(text(page, "(5 of 5)")).to_be_visible()
    expect_period(page, "2026-10-05", "2026-10-09")
    page.reload()
    expect(text(page, "(5 of 5)")).to_be_visible()


def test_a_period_without_flowers_shows_nothing_yet(visit, filled):
    page = visit(filled.url + "iris_monitor")
    show(page, "2026-01-01", "2026-01-31")
    expect(text(page, "0 of 0")).to_be_visible()
    expect(page.locator(".js-plotly-plot").get_by_text("nothing yet").first).to_be_visible()


def test_what_is_no_period_gets_a_sentence_and_the_figures_stay(visit, filled):
    page = visit(filled.url + "iris_monitor")
    wrong = {
        "2026-12-01": "before that, on 2026-10-20",
        "soon": "'soon' is not a date",
        "<img src=x onerror=1>": "'<img src=x onerror=1>' is not a date",
        "0001-01-01": "too long ago",
    }
    for since, said in wrong.items():
        show(page, since, "2026-10-20")
        expect(page.locator(".al-problem")).to_contain_text(said)
        expect(text(page, "19 of 20")).to_be_visible()
    show(page, "2026-10-05", "2026-10-09")
    expect(text(page, "(5 of 5)")).to_be_visible()
    expect(page.locator(".al-problem")).to_be_hidden()


def test_text_from_the_store_is_shown_and_never_run(visit, filled):
    page = visit(filled.url + "iris_monitor")
    expect(page.locator(".al-warning").last).to_contain_text("<img src=x onerror='window.hacked=1'>")
    page.get_by_role("tab", name="Versions").click()
    expect(page.locator("table").filter(has_text="waits")).to_contain_text("<script>window.hacked=1</script>${window")
    page.goto(filled.url)
    card = page.locator(".al-card").filter(has_text="Iris")
    expect(card.locator(".al-warning").last).to_contain_text("<img src=x")
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0
