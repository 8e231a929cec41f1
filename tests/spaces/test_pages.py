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

DUST = {f"air_quality_{name}" for name in ("stations", "forecast", "hindcast", "skill")}
QUESTIONS = {"iris_predict", "iris_monitor", "wine_predict", "wine_monitor", "chat_answer", "compose_meal"} | DUST
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


RED = {
    "colour": "red",
    "fixed_acidity": 7.9,
    "volatile_acidity": 0.52,
    "citric_acid": 0.26,
    "residual_sugar": 2.2,
    "chlorides": 0.079,
    "free_sulfur_dioxide": 14,
    "total_sulfur_dioxide": 38,
    "density": 0.9967,
    "ph": 3.31,
    "sulphates": 0.62,
    "alcohol": 10.2,
}


def grade(client, **changes):
    return client.predict(**{**RED, **changes}, api_name="/wine_predict")


def wine_monitor(client, track="", since="", until=""):
    return client.predict(track=track, since=since, until=until, api_name="/wine_monitor")


def dust(client, name, **asked):
    return client.predict(**asked, api_name=f"/{name}")


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
    with pytest.raises(AppError, match="no version of wine serves yet; run `almanac run wine train`"):
        grade(empty_client)
    with pytest.raises(AppError, match="no wine was predicted yet; run `almanac day`"):
        wine_monitor(empty_client)
    for name in sorted(DUST):
        with pytest.raises(AppError, match="no station is known yet; run `almanac run air_quality backfill`"):
            dust(empty_client, name, **({} if name.endswith("stations") else {"station": "rotterdam-zuid"}))


def test_programs_see_the_questions_and_none_of_the_machinery(filled):
    named = httpx.get(f"{filled.url}gradio_api/info").json()["named_endpoints"]
    assert {*named} == {f"/{name}" for name in QUESTIONS}


def test_an_assistant_finds_the_tools_with_units_and_can_use_them(filled):
    tools, failed, text = tool(filled.url, "iris_predict", **SETOSA)
    assert {*tools} == QUESTIONS
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


def test_a_wine_is_graded_with_an_interval_probabilities_and_what_moved_it(client):
    said = grade(client)
    assert said["grade"] in range(3, 10)
    assert said["interval"]["low"] <= said["quality"] <= said["interval"]["high"]
    assert said["interval"]["holds"] == 0.9
    assert [*said["probabilities"]] == ["3", "4", "5", "6", "7", "8", "9"]
    assert sum(said["probabilities"].values()) == pytest.approx(1, abs=1e-6)
    assert [part["measure"] for part in said["moved"]] == [*RED]
    assert said["usual"] + sum(part["shift"] for part in said["moved"]) == pytest.approx(said["quality"], abs=1e-4)
    assert (said["warnings"], said["notes"], said["model"]["name"]) == ([], [], "wine")
    assert 0 < said["model_error"] < 1
    json.dumps(said, allow_nan=False)


def test_what_would_lift_a_wine_does_lift_it(client):
    said = grade(client)
    changes = {name: change["to"] for name, change in said["lift"]["changes"].items()}
    lifted = grade(client, **changes)
    assert lifted["grade"] == said["lift"]["grade"] > said["grade"]
    assert lifted["quality"] == pytest.approx(said["lift"]["quality"], abs=1e-6)


def test_a_wine_unlike_any_seen_is_answered_with_a_warning(client):
    warnings = grade(client, residual_sugar=250)["warnings"]
    assert len(warnings) == 1
    assert warnings[0].startswith("Residual sugar 250 g/L is outside ")


def test_a_wine_that_cannot_be_is_answered_with_a_warning(client):
    warnings = grade(client, free_sulfur_dioxide=40, total_sulfur_dioxide=30)["warnings"]
    assert "Free sulfur dioxide (40 mg/L) is a part of the total (30 mg/L) and cannot be more" in warnings[0]


@pytest.mark.parametrize("value", [1, -1, 31, 1e300, 10**300, "strong", "<script>", None, True, [9.5], {"vol": 9}])
def test_what_is_no_measure_of_a_wine_is_refused_in_words(client, value):
    with pytest.raises(AppError, match=r"alcohol must be a number from 5 to 22 % vol; (got|it is empty)"):
        grade(client, alcohol=value)


@pytest.mark.parametrize("value", ["", "rosé", "RED", None, 1, ["red"], {"red": 1}, "<img src=x>"])
def test_what_is_no_colour_of_a_wine_is_refused_in_words(client, value):
    with pytest.raises(AppError, match="colour must be red or white; got "):
        grade(client, colour=value)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_numbers_of_a_wine_that_json_does_not_know_are_refused_in_words(filled, text):
    call = f"{filled.url}gradio_api/call/wine_predict"
    body = f'{{"data": ["red", {text}, {", ".join(str(value) for value in [*RED.values()][2:])}]}}'
    event = httpx.post(call, content=body, headers={"Content-Type": "application/json"}).json()["event_id"]
    answer = httpx.get(f"{call}/{event}", timeout=20).text
    assert "fixed acidity must be a number from 1 to 30 g/L" in answer
    assert "Traceback" not in answer


@pytest.mark.parametrize("track", ["reserve", "synthetic"])
def test_the_figures_of_a_track_come_beside_their_baseline(client, track):
    seen = wine_monitor(client, track, "2026-10-01", "2026-10-20")
    assert (seen["track"], seen["predictions"], seen["outcomes"] >= 19) == (track, 20, True)
    assert {"mae", "mse", "qwk", "accuracy"} <= {*seen["figures"]} & {*seen["baselines"]}
    assert seen["sure"]["mae"]["low"] <= seen["figures"]["mae"] <= seen["sure"]["mae"]["high"]
    assert [*seen["coverage_by_grade"]] == ["3", "4", "5", "6", "7", "8", "9"]
    assert sum(map(sum, seen["confusion"]["truth_by_guess"])) == seen["outcomes"]
    assert len(seen["drift"]) == 11
    json.dumps(seen, allow_nan=False)


def test_without_a_track_the_real_wines_are_meant(client):
    assert wine_monitor(client)["track"] == "reserve"
    assert "tasted" in wine_monitor(client)["meaning"]


def test_a_period_without_wines_has_no_figures_rather_than_wrong_ones(client):
    seen = wine_monitor(client, "synthetic", "2026-01-01", "2026-01-31")
    assert (seen["outcomes"], seen["figures"]["mae"], seen["baselines"]["mae"]) == (0, None, None)


def test_what_is_no_track_is_refused_in_words(client):
    with pytest.raises(AppError, match="track must be reserve or synthetic; got 'imagined'"):
        wine_monitor(client, "imagined")


def test_an_assistant_finds_the_units_of_a_wine_and_can_use_the_tool(filled):
    tools, failed, text = tool(filled.url, "wine_predict", **RED)
    told = tools["wine_predict"].inputSchema["properties"]
    assert all("g/L" in told[name]["description"] for name in ("fixed_acidity", "chlorides", "sulphates"))
    assert not failed
    assert "'grade': " in text


def test_the_stations_are_listed_with_the_names_to_ask_for(client):
    named = {row["station"]: row for row in dust(client, "air_quality_stations")}
    assert (named["rotterdam-zuid"]["feed"], named["krakow"]["feed"]) == ("@5284", None)
    assert (named["krakow"]["name"], named["krakow"]["country"]) == ("Kraków", "PL")


@pytest.mark.parametrize("station", ["rotterdam-zuid", "Rotterdam-Zuid", "krakow", "Kraków"])
def test_a_forecast_has_seven_days_in_both_units_and_says_how_sure_it_is(client, station):
    said = dust(client, "air_quality_forecast", station=station)
    assert (said["made_on"], said["simulated"], len(said["days"]), len(said["observed"])) == ("2026-10-20", True, 7, 14)
    assert [day["day"] for day in said["days"]] == [f"2026-10-{number}" for number in range(20, 27)]
    for day in said["days"]:
        assert 0 <= day["low"] <= day["pm25"] <= day["high"]
        assert day["class"] in ("Good", "Moderate", "Unhealthy for sensitive groups", "Unhealthy")
        assert (
            1 >= day["probability"]["above_15"] >= day["probability"]["above_25"] >= day["probability"]["above_35"] >= 0
        )
    assert said["model"] == {"name": "air_quality", "version": 1}
    json.dumps(said, allow_nan=False)


def test_a_hindcast_gives_what_was_said_beside_what_was_observed(client):
    said = dust(client, "air_quality_hindcast", station="krakow", lead=3, since="2026-09-20", until="2026-10-19")
    assert (said["station"], said["lead"], len(said["days"])) == ("krakow", 3, 28)  # of two days it was neither
    assert {day["live"] for day in said["days"]} == {True, False}
    assert 0 < said["mean_error"] <= said["rmse"]
    assert 0 <= said["coverage"]["value"] <= 1
    json.dumps(said, allow_nan=False)


def test_a_period_without_forecasts_has_no_figures_rather_than_wrong_ones(client):
    said = dust(client, "air_quality_hindcast", station="krakow", since="2020-01-01", until="2020-01-31")
    assert (said["days"], said["rmse"], said["mean_error"], said["coverage"]["value"]) == ([], None, None, None)


@pytest.mark.parametrize("station", ["krakow", ""])
def test_skill_is_told_by_lead_against_every_baseline(client, station):
    said = dust(client, "air_quality_skill", station=station)
    assert said["station"] == (station or "*")
    assert [row["lead"] for row in said["rmse"]] == [*range(1, 8)]
    assert {row["baseline"] for row in said["skill"]} >= {"persistence", "damped", "climatology", "recursive", "ridge"}
    assert all(row["value"] <= 1 for row in said["skill"])
    assert len(said["coverage"]["by_lead"]) == 7
    json.dumps(said, allow_nan=False)


@pytest.mark.parametrize("station", ["atlantis", "<img src=x>", "x" * 10_000, "", None, 7, ["krakow"], {"a": 1}, True])
def test_what_is_no_station_is_refused_in_words(client, station):
    with pytest.raises(AppError, match="there is no station|say which station") as refused:
        dust(client, "air_quality_forecast", station=station)
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize("lead", [0, 8, 99, -1, 1.5, "three", "", None, True, [1], 10**400, "<script>"])
def test_what_is_no_lead_is_refused_in_words(client, lead):
    with pytest.raises(AppError, match="lead must be a whole number of days from 1 to 7; got "):
        dust(client, "air_quality_hindcast", station="krakow", lead=lead)


def test_an_assistant_finds_the_units_of_dust_and_can_use_the_tool(filled):
    tools, failed, text = tool(filled.url, "air_quality_forecast", station="krakow")
    assert "µg/m³" in tools["air_quality_forecast"].description
    assert "rotterdam-zuid" in tools["air_quality_forecast"].inputSchema["properties"]["station"]["description"]
    assert not failed
    assert "'us_aqi': " in text
