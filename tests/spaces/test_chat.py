"""The chat as visitors meet it: with tiny models on this machine, with a scripted endpoint, and with nothing at all."""

import json
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import expect

from shared.connect import open_platform
from shared.systems.assistant.tables import FEEDBACK
from tests.assistant_rig import tiny_assistant
from tests.loopback.chat_endpoint import chat_endpoint
from tests.spaces import late
from tests.spaces.test_browser import DESKTOP, PHONE, browser, text, visit  # noqa: F401 - fixtures

pytestmark = pytest.mark.slow

REPO = Path(__file__).parents[2]
CHAT = [sys.executable, "-P", str(REPO / "spaces" / "chat" / "app.py")]
WORDS = ("boil", "roast", "fry", "knead", "bake", "stew", "grill", "steam", "peel", "chop")
HOSTILE = (
    "<img src=x onerror='window.hacked=1'> <script>window.hacked=1</script> ![a](https://evil.example/a.png) "
    "[press](javascript:window.hacked=1) <form action='https://evil.example'><button>Log in</button></form>\n\n"
    "```html\n<b>kept</b>\n```\n\n**bold** [fine](https://example.org/)"
)


def scripted(messages):
    """Say what the question asks for; a piece a word."""
    question = messages[-1]["content"]
    if question == "hostile":
        return [HOSTILE]
    if question == "long":
        return [f"{number} " for number in range(200)]
    if question.startswith("Go on exactly"):
        return ["and ", "so ", "on."]
    return [f"You said {question}."]


@pytest.fixture(scope="module")
def endpoint():
    with chat_endpoint(scripted, pause_s=0.02) as server:
        yield server


@pytest.fixture(scope="module")
def elsewhere(serve, endpoint, tmp_path_factory):
    """The chat over an empty store, with an endpoint."""
    folder = tmp_path_factory.mktemp("chat")
    with serve(CHAT, folder / "home", folder, folder / "log.txt", {"ALMANAC_ASSISTANT_URL": endpoint.url}) as server:
        yield server
        assert "Traceback" not in server.log()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A store in which a tiny model serves and another one waits."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("tiny")
    tiny_assistant(
        open_platform(world="demo", home=folder / "home"), folder, versions=2, verdicts=("promoted", "waits")
    )
    return folder / "home"


@pytest.fixture(scope="module")
def here(serve, home):
    """The chat with tiny models in its own process."""
    with serve(CHAT, home, home.parent, home.parent / "log.txt", {"OMP_NUM_THREADS": "1"}) as server:
        yield server
        assert "Traceback" not in server.log()


def ask(page, question, label="Your message"):
    box = page.get_by_label(label)
    box.fill(question)
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()  # the answer before has ended
    box.press("Enter")


def turn(page, label, value):
    page.get_by_label(f"number input for {label}").fill(value)
    expect(page.get_by_label(f"range slider for {label}")).to_have_value(value)


def bot(page):
    return page.get_by_test_id("bot")


def user(page):
    return page.get_by_test_id("user")


def status(page):
    return page.get_by_role("status")


def say(client, question, **changed):
    return client.predict(question=question, **changed, api_name="/chat_answer")


def test_a_question_is_answered_and_the_next_one_brings_the_conversation_along(visit, elsewhere, endpoint):  # noqa: F811
    page = visit(elsewhere.url)
    ask(page, "hello")
    expect(text(page, "You said hello.")).to_be_visible()
    expect(page.get_by_label("Your message")).to_have_value("")
    ask(page, "again")
    expect(text(page, "You said again.")).to_be_visible()
    said = [(one["role"], one["content"]) for one in endpoint.asked[-1]["messages"]]
    assert said == [("user", "hello"), ("assistant", "You said hello."), ("user", "again")]


def test_what_the_model_is_told_beforehand_and_how_words_are_drawn_reach_it(visit, elsewhere, endpoint):  # noqa: F811
    page = visit(elsewhere.url)
    page.get_by_role("button", name="How it answers").click()
    page.get_by_label("Told beforehand").fill("Answer in verse.")
    turn(page, "Temperature", "0.2")
    turn(page, "Max tokens", "64")
    ask(page, "verse please")
    expect(text(page, "You said verse please.")).to_be_visible()
    asked = endpoint.asked[-1]
    assert asked["messages"][0] == {"role": "system", "content": "Answer in verse."}
    assert (asked["temperature"], asked["min_p"], asked["max_tokens"]) == (0.2, 0.05, 64)


def test_what_is_set_before_the_first_frame_of_the_settings_stays(visit, elsewhere):  # noqa: F811
    page = visit(elsewhere.url)
    expect(page.get_by_label("Your message")).to_be_visible()
    values = {"Temperature": "0.2", "Min-p": "0.1", "Max tokens": "64"}
    with late.without_frames(page):
        page.get_by_role("button", name="How it answers").click()
        for label, value in values.items():
            turn(page, label, value)
    for label, value in values.items():
        expect(page.get_by_label(f"number input for {label}")).to_have_value(value)


def test_a_hostile_answer_is_shown_as_it_was_written_and_does_nothing(visit, elsewhere):  # noqa: F811
    page = visit(elsewhere.url)
    ask(page, "hostile")
    answer = bot(page).first
    expect(answer).to_contain_text("<script>window.hacked=1</script>")
    expect(answer.locator("strong")).to_have_text("bold")
    expect(answer.locator("code")).to_contain_text("<b>kept</b>")
    assert page.evaluate("window.hacked") is None
    assert answer.locator("img, script, form, iframe").count() == 0
    links = answer.locator("a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    assert all(one.startswith("https://") for one in links if one)


def test_an_answer_that_was_cut_says_so_and_goes_on_where_it_stopped(visit, elsewhere, endpoint):  # noqa: F811
    page = visit(elsewhere.url)
    page.get_by_role("button", name="How it answers").click()
    turn(page, "Max tokens", "16")
    ask(page, "long")
    expect(text(page, "Cut after 16 tokens")).to_be_visible()
    page.get_by_role("button", name="Continue").click()
    expect(bot(page)).to_have_count(1)
    expect(bot(page).first).to_contain_text("14 15 and so on.")
    expect(page.get_by_role("button", name="Continue")).to_be_hidden()
    assert endpoint.asked[-1]["messages"][-2]["content"].startswith("0 1 2")


def test_an_answer_can_be_stopped_and_the_endpoint_stops_too(visit, elsewhere, endpoint):  # noqa: F811
    page = visit(elsewhere.url)
    left = endpoint.left
    ask(page, "long")
    expect(text(page, "5 6 7")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    late.until(page, lambda: endpoint.left == left + 1)
    late.quiet(page)
    so_far = bot(page).first.text_content()
    assert "199" not in so_far
    ask(page, "still there")
    expect(text(page, "You said still there.")).to_be_visible()
    assert bot(page).first.text_content() == so_far
    assert endpoint.left == left + 1


def test_a_question_is_asked_again_edited_and_taken_back(visit, elsewhere, endpoint):  # noqa: F811
    page = visit(elsewhere.url)
    ask(page, "first")
    expect(text(page, "You said first.")).to_be_visible()
    count = len(endpoint.asked)
    page.get_by_label("Retry").click()
    late.until(page, lambda: len(endpoint.asked) > count)
    assert [one["content"] for one in endpoint.asked[-1]["messages"]] == ["first"]
    assert len(endpoint.asked) == count + 1
    expect(text(page, "You said first.")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    user(page).first.hover()
    page.get_by_label("Edit").first.click()
    page.locator("[contenteditable=true], textarea.edit-textarea").first.fill("second")
    page.get_by_label("Submit").first.click()
    expect(text(page, "You said second.")).to_be_visible()
    expect(user(page)).to_have_count(1)
    page.get_by_label("Undo").last.click()
    expect(page.get_by_label("Your message")).to_have_value("second")
    expect(bot(page)).to_have_count(0)


def test_a_conversation_is_kept_by_the_browser_alone_and_can_be_opened_and_forgotten(visit, elsewhere):  # noqa: F811
    page, stranger = visit(elsewhere.url), visit(elsewhere.url)
    ask(page, "my secret")
    expect(text(page, "You said my secret.")).to_be_visible()
    expect(page.get_by_role("link", name="Save as JSON")).to_be_visible()
    page.reload()
    expect(text(page, "You said my secret.")).to_be_visible()
    page.get_by_role("button", name="New conversation").click()
    expect(bot(page)).to_have_count(0)
    ask(page, "another")
    expect(text(page, "You said another.")).to_be_visible()
    page.get_by_label("Earlier conversations").click()
    page.get_by_role("option", name="my secret").click()
    expect(text(page, "You said my secret.")).to_be_visible()
    page.get_by_role("button", name="Forget this one").click()
    expect(bot(page)).to_have_count(0)
    page.reload()
    expect(page.get_by_label("Earlier conversations")).to_be_visible()
    assert "my secret" not in page.content()
    stranger.reload()
    expect(stranger.get_by_label("Your message")).to_be_visible()
    assert "my secret" not in stranger.content()


def test_a_conversation_can_be_saved(visit, elsewhere):  # noqa: F811
    page = visit(elsewhere.url)
    ask(page, "save me")
    expect(text(page, "You said save me.")).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save as JSON").click()
    messages = json.loads(Path(saved.value.path()).read_text())["messages"]
    assert messages == [
        {"role": "user", "content": "save me"},
        {"role": "assistant", "content": "You said save me."},
    ]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_very_long_word_makes_no_page_wider(viewport, visit, elsewhere):  # noqa: F811
    page = visit(elsewhere.url, viewport)
    ask(page, "w" * 2000)
    expect(text(page, "You said www")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_tiny_models_answer_on_this_machine_and_are_compared_blind(visit, here, home):  # noqa: F811
    page = visit(here.url)
    expect(text(page, "Computes on")).to_contain_text("this machine")
    page.get_by_role("tab", name="Side by side").click()
    ask(page, "What is a roux?", "A question to both")
    better = page.get_by_role("button", name="A is better")
    expect(better).to_be_visible()
    expect(page.get_by_label("A question to both")).to_have_value("")
    assert "assistant v2" not in page.get_by_role("tabpanel").last.inner_text()
    better.click()
    expect(text(page, "A was assistant")).to_be_visible()
    expect(text(page, "not enough votes yet to say more")).to_be_visible()
    expect(better).to_be_hidden()
    (vote,) = open_platform(world="demo", home=home).features.read(FEEDBACK).to_dict("records")
    assert {vote["chosen_model"], vote["rejected_model"]} == {"assistant v1", "assistant v2"}
    assert (vote["verdict"], vote["blind"]) == ("better", True)
    assert json.loads(vote["asked"])[-1]["content"] == "What is a roux?"


def test_a_thumb_is_kept_with_the_model_that_answered(visit, here, home):  # noqa: F811
    page = visit(here.url)
    page.get_by_role("button", name="How it answers").click()
    turn(page, "Max tokens", "16")
    ask(page, "Thumb me")
    expect(text(page, "Cut after 16 tokens")).to_be_visible()
    expect(page.get_by_label("Your message")).to_have_value("")
    page.get_by_label("Like", exact=True).click()
    expect(text(page, "Thank you: kept")).to_be_visible()
    rows = open_platform(world="demo", home=home).features.read(FEEDBACK)
    (thumb,) = rows[rows["verdict"] == "up"].to_dict("records")
    assert thumb["chosen_model"] == "assistant v1"
    assert thumb["chosen"] != ""


def test_figures_data_and_versions_stand_beside_the_chat(visit, here):  # noqa: F811
    page = visit(here.url)
    page.get_by_role("tab", name="How good?").click()
    expect(text(page, "Nothing was judged yet.")).to_be_visible()
    expect(page.locator("table").filter(has_text="Which version serves, and why")).to_contain_text("waits")


def test_twenty_visitors_at_once_each_get_the_answer_they_would_get_alone(here):
    """Greedy answers of a model are a function of the question: whoever saw another's text would get another answer."""
    questions = [f"{word} {number}" for number in range(2) for word in WORDS]
    greedy = {"temperature": 0, "max_tokens": 40}
    alone = [say(Client(here.url, verbose=False), question, **greedy)["answer"] for question in questions]
    assert len(set(alone)) > 15
    with ThreadPoolExecutor(20) as crowd:
        clients = [*crowd.map(lambda _: Client(here.url, verbose=False), questions)]
        together = [
            *crowd.map(lambda pair: say(pair[0], pair[1], **greedy)["answer"], zip(clients, questions, strict=True))
        ]
    assert together == alone


def test_a_program_gets_the_answer_and_what_there_is_to_know_of_it(here):
    said = say(Client(here.url, verbose=False), "What is a roux?", max_tokens=16, model="assistant v2")
    assert (said["model"], said["where"], said["tokens"], said["cut"]) == (
        "assistant v2",
        "this machine, CPU",
        16,
        True,
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"question": ""}, "write a question first"),
        ({"question": "\u200b\u202e"}, "write a question first"),
        ({"question": "x" * 8_001}, "at most 8,000 characters"),
        ({"question": ["hello"]}, "a message is text"),
        ({"question": "hello", "system": "x" * 2_001}, "at most 2,000 characters"),
        ({"question": "hello", "temperature": 9}, "temperature lies in 0..2"),
        ({"question": "hello", "temperature": "hot"}, "temperature is a number"),
        ({"question": "hello", "max_tokens": 0}, "max tokens in 1..4096"),
        ({"question": "hello", "max_tokens": 1e12}, "max tokens is a number"),
        ({"question": "hello", "model": "gpt"}, "there is no model 'gpt'"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(given, sentence, elsewhere, endpoint):
    count = len(endpoint.asked)
    with pytest.raises(AppError, match=sentence) as refused:
        Client(elsewhere.url, verbose=False).predict(**given, api_name="/chat_answer")
    assert len(str(refused.value)) < 300
    assert len(endpoint.asked) == count


def test_who_asks_too_often_is_told_how_long_to_wait_and_others_are_answered(elsewhere):
    hasty, other = Client(elsewhere.url, verbose=False), Client(elsewhere.url, verbose=False)
    with pytest.raises(AppError, match=r"ask again in \d+ s"):
        for number in range(30):
            say(hasty, f"question {number}")
    assert say(other, "hello")["answer"] == "You said hello."


def test_what_cannot_be_answered_is_said_beside_the_box_where_a_phone_shows_it(visit, elsewhere):  # noqa: F811
    page = visit(elsewhere.url, PHONE)
    ask(page, "hello")
    expect(text(page, "You said hello.")).to_be_visible()
    ask(page, "\u200b")
    expect(page.get_by_role("alert").filter(has_text="Write a question first")).to_be_in_viewport()


def test_a_version_is_compared_with_the_base_that_it_was_made_of(visit, serve, tmp_path):  # noqa: F811
    pytest.importorskip("torch")
    home = tmp_path / "home"
    tiny_assistant(open_platform(world="demo", home=home), tmp_path, run="tiny-r0")
    shutil.copytree(tmp_path / "tiny-0", home / "demo" / "runs" / "tiny-r0" / "base")
    with serve(CHAT, home, tmp_path, tmp_path / "log.txt", {"OMP_NUM_THREADS": "1"}) as server:
        page = visit(server.url)
        page.get_by_label("Who answers").click()
        page.get_by_role("option", name="tiny (base)").click()
        expect(text(page, "Nothing was learned here yet")).to_be_visible()
        page.get_by_role("tab", name="Side by side").click()
        ask(page, "What is a roux?", "A question to both")
        page.get_by_role("button", name="No difference").click()
        expect(text(page, "A was")).to_contain_text("tiny")
        page.goto("about:blank")
        assert "Traceback" not in server.log()
    (vote,) = open_platform(world="demo", home=home).features.read(FEEDBACK).to_dict("records")
    assert {vote["chosen_model"], vote["rejected_model"]} == {"assistant v1", "tiny"}


def test_nothing_here_says_what_makes_a_model(visit, serve, tmp_path):  # noqa: F811
    with serve(CHAT, tmp_path / "home", tmp_path, tmp_path / "log.txt") as server:
        page = visit(server.url)
        expect(page.locator(".al-empty code").first).to_have_text("almanac run assistant prepare")
        expect(page.get_by_label("Your message")).to_have_count(0)
        with pytest.raises(AppError, match="run `almanac run assistant prepare`"):
            say(Client(server.url, verbose=False), "hello")
        page.goto("about:blank")
        assert "Traceback" not in server.log()


def test_an_endpoint_that_sleeps_is_waited_for_in_sight(visit, serve, tmp_path):  # noqa: F811
    with chat_endpoint(scripted, asleep_s=4) as asleep:
        told = {"ALMANAC_ASSISTANT_URL": asleep.url}
        with serve(CHAT, tmp_path / "home", tmp_path, tmp_path / "log.txt", told) as server:
            page = visit(server.url)
            ask(page, "wake up")
            expect(text(page, "was asleep and is being started")).to_be_visible()
            expect(text(page, "You said wake up.")).to_be_visible()
            page.goto("about:blank")


def test_an_endpoint_that_is_gone_is_a_sentence(serve, tmp_path):
    with serve(
        CHAT, tmp_path / "home", tmp_path, tmp_path / "log.txt", {"ALMANAC_ASSISTANT_URL": "http://127.0.0.1:9"}
    ) as server:
        begun = time.monotonic()
        with pytest.raises(AppError, match="cannot be reached"):
            say(Client(server.url, verbose=False), "hello")
        assert time.monotonic() - begun < 20
        assert "Traceback" not in server.log()
        assert httpx.get(server.url).status_code == 200
