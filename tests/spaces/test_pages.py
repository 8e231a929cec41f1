"""The pages answer programs: REST through Gradio's own client, and MCP; on an empty and on a filled store."""

import asyncio
import json
import math

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

pytestmark = pytest.mark.slow

SETOSA = {"sepal_length": 5.0, "sepal_width": 3.4, "petal_length": 1.5, "petal_width": 0.2}


@pytest.fixture(scope="module")
def client(filled):
    return Client(filled.url, verbose=False)


@pytest.fixture(scope="module")
def empty_client(empty):
    return Client(empty.url, verbose=False)


def predict(client, **changes):
    return client.predict(**{**SETOSA, **changes}, api_name="/iris_predict")


def monitor(client, since="", until=""):
    return client.predict(since=since, until=until, api_name="/iris_monitor")


def tool(url, name, **arguments):
    """Call an MCP tool; return whether it failed, and its text."""

    async def call():
        async with (
            streamable_http_client(f"{url}gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = (await session.list_tools()).tools
            answer = await session.call_tool(name, arguments)
            return {one.name: one for one in tools}, answer.isError, answer.content[0].text

    return asyncio.run(call())


def test_a_setosa_is_named_with_its_probabilities_and_the_model_that_says_so(client):
    said = predict(client)
    assert said["variety"] == "setosa"
    assert said["label_set"] == ["setosa"]
    assert said["warnings"] == []
    assert sum(said["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert said["model"]["name"] == "iris"
    assert 0.9 < said["model_accuracy"] <= 1


def test_a_flower_unlike_any_seen_is_answered_with_a_warning(client):
    warnings = predict(client, petal_length=12.5)["warnings"]
    assert len(warnings) == 1
    assert warnings[0].startswith("Petal length 12.5 cm is outside 1 to 6.9 cm")


@pytest.mark.parametrize("value", [0, -1, 31, 1e300, "wide", "<script>", None, True, [5.0], {"cm": 5}])
def test_what_is_no_measurement_is_refused_in_words(client, value):
    with pytest.raises(AppError, match=r"sepal width must be a number from 0\.1 to 30 cm; (got|it is empty)"):
        predict(client, sepal_width=value)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_know_are_refused_in_words(filled, text):
    call = f"{filled.url}gradio_api/call/iris_predict"
    body = f'{{"data": [{text}, 3.4, 1.5, 0.2]}}'
    event = httpx.post(call, content=body, headers={"Content-Type": "application/json"}).json()["event_id"]
    answer = httpx.get(f"{call}/{event}", timeout=20).text
    assert "sepal length must be a number from 0.1 to 30 cm" in answer
    assert "Traceback" not in answer


def test_the_figures_of_a_period_come_beside_their_baseline(client):
    seen = monitor(client, "2026-10-01", "2026-10-20")
    assert (seen["since"], seen["until"]) == ("2026-10-01", "2026-10-20")
    assert seen["predictions"] == 20
    assert seen["outcomes"] == 19
    assert seen["accuracy"]["low"] <= seen["accuracy"]["value"] <= seen["accuracy"]["high"]
    assert seen["majority_accuracy"] < seen["accuracy"]["value"]
    assert sum(map(sum, seen["confusion"]["truth_by_guess"])) == 19
    assert [row["column"] for row in seen["drift"]] == [*SETOSA]


def test_without_dates_the_period_ends_with_the_newest_flower(client):
    assert monitor(client)["until"] == "2026-10-20"


def test_a_period_without_flowers_has_no_figures_rather_than_wrong_ones(client):
    seen = monitor(client, "2026-01-01", "2026-01-31")
    assert (seen["outcomes"], seen["accuracy"]["value"], seen["majority_accuracy"]) == (0, None, None)


@pytest.mark.parametrize("text", ["tomorrow", "2026-02-30", "<img src=x>", "0001-01-01", "9999-12-31"])
def test_what_is_no_date_is_refused_in_words(client, text):
    with pytest.raises(AppError, match=r"is not a date|too long ago or too far ahead"):
        monitor(client, text, text)


def test_a_period_that_ends_before_it_begins_is_refused_in_words(client):
    with pytest.raises(AppError, match="end before that"):
        monitor(client, "2026-10-20", "2026-10-01")


def test_an_empty_store_says_what_to_run(empty_client):
    with pytest.raises(AppError, match="no version of iris serves yet; run `almanac run iris train`"):
        predict(empty_client)
    with pytest.raises(AppError, match="no flower was predicted yet; run `almanac day`"):
        monitor(empty_client)


def test_programs_see_the_two_questions_and_none_of_the_machinery(filled):
    named = httpx.get(f"{filled.url}gradio_api/info").json()["named_endpoints"]
    assert {*named} == {"/iris_predict", "/iris_monitor"}


def test_an_assistant_finds_both_tools_with_units_and_can_use_them(filled):
    tools, failed, text = tool(filled.url, "iris_predict", **SETOSA)
    assert {*tools} == {"iris_predict", "iris_monitor"}
    told = tools["iris_predict"].inputSchema["properties"]
    assert all("cm" in told[name]["description"] for name in SETOSA)
    assert not failed
    assert "'variety': 'setosa'" in text


def test_an_assistant_is_told_in_words_what_is_wrong(filled):
    _, failed, text = tool(filled.url, "iris_predict", **{**SETOSA, "petal_width": 99})
    assert failed
    assert "petal width must be a number from 0.1 to 30 cm" in text


def test_an_answer_is_strict_json(client):
    json.dumps(monitor(client, "2026-01-01", "2026-01-31"), allow_nan=False)
    assert not math.isnan(predict(client)["probabilities"]["setosa"])
