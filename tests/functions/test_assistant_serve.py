"""The assistant over HTTP: what may be asked and what comes back, the class on Modal, and `almanac run … serve`."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import modal
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions import assistant
from functions._answering import answering
from functions._answering.asked import parsed
from functions._answering.stops import Stops
from functions._modal import Service, image
from functions._modal.bearer import bearing
from functions._modal.serving import how_to_ask, limits
from functions._modal.volume import fetch_to_read
from shared.adapters.endpoint import Endpoint
from shared.chat import Reply, Replying, Sampling
from shared.errors import BackendError, BusyError, TooLongError, UsageError
from shared.ports import NewModel
from shared.steps.limits import Limiter
from shared.steps.promotion import PROMOTIONS
from tests.loopback.modal_engine import MISSING, SCRIPT, ModalEngine

ASKED = {"messages": [{"role": "user", "content": "rice"}]}


DOUBLED = {"d0": {"type": "object"}} | {  # each twice the one before: 8^9 objects
    f"d{n + 1}": {"type": "object", "properties": {name: {"$ref": f"#/$defs/d{n}"} for name in "abcdefgh"}}
    for n in range(9)
}


def formed(schema):
    """A request's part that asks for JSON of a schema."""
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}


class Echo:
    """A Chat that says what it was asked, or fails as it is told."""

    name, where = "assistant v3", "this machine, CPU"

    def __init__(self, failure=None):
        self.failure, self.asked = failure, []

    def stream(self, messages, sampling, *, schema=None, stopped=lambda: False):
        if isinstance(self.failure, UsageError):
            raise self.failure
        self.asked.append((messages, sampling, schema))
        told = Replying(prompt_tokens=5)
        return Reply(self._pieces(messages, told), told)

    def _pieces(self, messages, told):
        if self.failure:
            raise self.failure
        told.ended, told.tokens = "stop", 1
        yield messages[-1]["content"]


class Letters(Echo):
    """A Chat that says what it was asked letter by letter, and how many letters it was let say."""

    said = 0

    def _pieces(self, messages, told):
        for letter in messages[-1]["content"]:
            self.said += 1
            yield letter
        told.ended, told.tokens = "stop", self.said


def post(body, chat=None, headers=None, limiter=None):
    """What the app answers to this body."""
    app = answering(chat or Echo(), model="assistant", limiter=limiter)
    kind = {"content-type": "application/json"} if headers is None else headers
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def ask():
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.post("/v1/chat/completions", content=content, headers=kind)

    return asyncio.run(ask())


def get(path):
    async def ask():
        transport = httpx.ASGITransport(app=answering(Echo(), model="assistant"))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get(path)

    return asyncio.run(ask())


def test_who_comes_to_the_wrong_place_is_told_in_json_where_to_ask():
    assert (get("/").status_code, get("/").json()["model"]) == (200, "assistant v3")
    assert "POST a conversation to /v1/chat/completions" in get("/").json()["message"]
    for path, status, sentence in (("/v2", 404, "Not Found: POST"), ("/v1/chat/completions", 405, "Not Allowed: POST")):
        answer = get(path)
        assert answer.status_code == status
        assert sentence in answer.json()["error"]["message"]
    assert get("/v1/chat/completions").headers["allow"] == "POST"


def test_who_bears_no_token_is_told_in_json_which():
    app = bearing("swordfish", answering(Echo()))

    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://here") as client:
            return await client.get("/health")

    answer = asyncio.run(ask())
    assert answer.status_code == 401
    assert "Authorization: Bearer $ALMANAC_ENDPOINT_TOKEN" in answer.json()["error"]["message"]
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert "swordfish" not in answer.text


def test_an_answer_at_once_has_the_shape_of_openais():
    told = post(ASKED).json()
    assert told["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "rice"}, "finish_reason": "stop"}
    ]
    assert told["usage"] == {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
    assert (told["object"], told["model"]) == ("chat.completion", "assistant v3")


def test_an_answer_as_it_comes_has_the_shape_of_openais():
    answer = post(ASKED | {"stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in answer.text.split("\n\n") if line.startswith("data: {")]
    assert [one["choices"][0]["delta"] for one in events] == [{"role": "assistant", "content": "rice"}, {}]
    assert [one["choices"][0]["finish_reason"] for one in events] == [None, "stop"]
    assert len({one["id"] for one in events}) == 1
    assert answer.text.endswith("data: [DONE]\n\n")


def events_of(answer):
    return [json.loads(line[6:]) for line in answer.text.split("\n\n") if line.startswith("data: {")]


def test_who_asks_for_usage_gets_it_in_a_last_event_without_choices_and_null_before():
    events = events_of(post(ASKED | {"stream": True, "stream_options": {"include_usage": True}}))
    assert [(len(one["choices"]), one["usage"] is None) for one in events] == [(1, True), (1, True), (0, False)]
    assert events[-1]["usage"] == {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}


@pytest.mark.parametrize("stop", ["END", ["END"], ["never", "END", "ENDS"]])
@pytest.mark.parametrize("streams", [True, False])
def test_an_answer_ends_before_a_word_that_it_is_to_stop_at_and_no_more_is_made(stop, streams):
    chat = Letters()
    asked = {"messages": [{"role": "user", "content": "rice EN and ENDS here"}], "stop": stop, "stream": streams}
    answer = post(asked, chat)
    if streams:
        events = events_of(answer)
        text = "".join(one["choices"][0]["delta"].get("content", "") for one in events)
        ended = events[-1]["choices"][0]["finish_reason"]
    else:
        text, ended = (answer.json()["choices"][0][name] for name in ("message", "finish_reason"))
        text = text["content"]
    assert (text, ended) == ("rice EN and ", "stop")
    assert chat.said == len("rice EN and END")


@given(st.text("ab", max_size=12), st.lists(st.text("ab", min_size=1, max_size=4), max_size=4), st.data())
def test_pieces_make_no_difference_to_where_an_answer_ends(text, words, data):
    first = next((end for end in range(len(text) + 1) if any(word in text[:end] for word in words)), None)
    wanted = text if first is None else text[: min(at for word in words if (at := text[:first].find(word)) >= 0)]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    stops, found = Stops(words), ""
    for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        found += stops.add(text[begin:end])
        if stops.met:
            break
    assert found + stops.rest() == wanted
    assert stops.met == (first is not None)


def test_json_of_any_form_is_an_object():
    chat = Echo()
    assert post(ASKED | {"response_format": {"type": "json_object"}}, chat).status_code == 200
    assert chat.asked[0][2] == {"type": "object"}


@pytest.mark.parametrize(("name", "status"), [("assistant", 200), ("assistant v3", 200), ("gpt-4o", 404), ("", 200)])
def test_a_model_that_is_not_here_is_not_answered_for_by_another(name, status):
    chat = Echo()
    answer = post(ASKED | {"model": name}, chat)
    assert (answer.status_code, len(chat.asked)) == (status, int(status == 200))
    if status == 404:
        assert answer.json()["error"] == {
            "message": "the model 'gpt-4o' is not here; there are assistant v3, assistant",
            "type": "invalid_request_error",
            "param": None,
            "code": "model_not_found",
        }


def test_one_model_is_told_about_by_its_name():
    told = get("/v1/models/assistant%20v3")
    assert (told.json()["id"], told.json()["object"], type(told.json()["created"])) == ("assistant v3", "model", int)
    assert get("/v1/models/gpt-4o").json()["error"]["code"] == "model_not_found"


def test_health_and_models_say_who_answers():
    assert get("/health").json()["model"] == "assistant v3"
    assert get("/health").json()["loaded_s"] >= 0
    assert [one["id"] for one in get("/v1/models").json()["data"]] == ["assistant v3", "assistant"]
    assert get("/v1/nothing").status_code == 404


def test_what_is_asked_reaches_the_model():
    chat, schema = Echo(), {"type": "object"}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    parts = [{"type": "text", "text": "ri"}, {"type": "text", "text": "ce"}]
    settings = {"temperature": 0, "min_p": 0.2, "max_completion_tokens": 9, "seed": 3, "response_format": form}
    messages = [{"role": "developer", "content": "Be short."}, {"role": "user", "content": parts}]
    answer = post(
        {"messages": messages, **settings, "model": "assistant", "user": "jane", "n": 1, "top_p": 1, "stop": None}
    )
    assert answer.status_code == 200
    asked = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "rice"}]
    assert chat.asked == []
    post({"messages": messages, **settings}, chat)
    assert chat.asked == [(asked, Sampling(temperature=0, min_p=0.2, max_tokens=9, seed=3), schema)]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not a JSON object"),
        ({}, "messages is a list of 1 to 200"),
        ({"messages": []}, "messages is a list of 1 to 200"),
        ({"messages": ASKED["messages"] * 201}, "messages is a list of 1 to 200"),
        ({"messages": ["rice"]}, "a message has a role"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "a message has a role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "a message has a role"),
        ({"messages": [{"role": "user", "content": None}]}, "content that is text"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "content that is text"),
        ({"messages": [{"role": "user", "content": "x" * 32_001}]}, "more than 32000 characters"),
        (ASKED | {"temperature": 3}, "temperature lies in 0..2"),
        (ASKED | {"temperature": "hot"}, "temperature is a small number"),
        (ASKED | {"temperature": 10**400}, "temperature is a small number"),
        (ASKED | {"temperature": float("nan")}, "temperature lies in 0..2"),
        (ASKED | {"min_p": True}, "min_p is a small number"),
        (ASKED | {"max_tokens": 4097}, "max tokens in 1..4096"),
        (ASKED | {"max_tokens": -1}, "max tokens in 1..4096"),
        (ASKED | {"max_tokens": 0}, "max tokens in 1..4096"),
        (ASKED | {"max_completion_tokens": 0, "max_tokens": 9}, "max tokens in 1..4096"),
        (ASKED | {"max_tokens": 1.5}, "max_tokens is a whole number"),
        (ASKED | {"n": 2}, "'n' with this value is not offered"),
        (ASKED | {"tools": [{}]}, "'tools' with this value is not offered"),
        (ASKED | {"x" * 99: 1}, "is not offered"),
        (ASKED | {"logprobs": True}, "'logprobs' with this value is not offered"),
        (ASKED | {"top_logprobs": 3}, "'top_logprobs' with this value is not offered"),
        (ASKED | {"top_p": 0.9}, "'top_p' with this value is not offered"),
        (ASKED | {"stream": "yes"}, "stream is true or false"),
        (ASKED | {"stream_options": []}, "stream_options is a JSON object"),
        (ASKED | {"stream_options": {"include_usage": 1}}, "include_usage is true or false"),
        (ASKED | {"stop": ""}, "a stop is a text of 1 to 200 characters"),
        (ASKED | {"stop": [1]}, "a stop is a text of 1 to 200 characters"),
        (ASKED | {"stop": ["x" * 201]}, "a stop is a text of 1 to 200 characters"),
        (ASKED | {"stop": ["a", "b", "c", "d", "e"]}, "stop is a text, or a list of at most 4"),
        (ASKED | {"stop": {"a": 1}}, "stop is a text, or a list of at most 4"),
        (ASKED | {"model": 3}, "model is a name"),
        (ASKED | {"response_format": {"type": "xml"}}, "response_format is"),
        (ASKED | {"response_format": "json_object"}, "response_format is a JSON object"),
        (ASKED | {"response_format": {"type": "json_schema"}}, "holds no json_schema.schema"),
        (ASKED | formed({"type": "integer", "multipleOf": 1_000_003}), "'multipleOf' is not offered"),
        (ASKED | formed({"type": "number", "minimum": float("inf")}), "minimum is a number"),
        (ASKED | formed({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}), "names itself"),
        (ASKED | formed({"$ref": "#/$defs/B", "$defs": {"A": {}}}), "'#/$defs/B' names none of its $defs"),
        (ASKED | formed({"$ref": "https://x.org/a", "$defs": {}}), "'https://x.org/a' names none of its $defs"),
        (ASKED | formed({"$ref": "#/$defs/A", "$defs": []}), "'#/$defs/A' names none of its $defs"),
        (ASKED | formed({"$ref": "#/$defs/d9", "$defs": DOUBLED}), "too much together"),
        (ASKED | formed({"\ud800": 1}), "'\\ud800' is not offered"),
        (ASKED | formed({"const": "\ud800"}), "const is a JSON value"),
        (ASKED | formed(json.loads('{"items":' * 300 + "{}" + "}" * 300)), "more than 16 deep"),
    ],
)
def test_a_question_that_is_wrong_is_refused_with_a_sentence_and_not_asked(body, sentence):
    chat = Echo()
    answer = post(body, chat)
    assert answer.status_code == 400
    assert sentence in answer.json()["error"].pop("message")
    too_long = "context_length_exceeded" if "more than 32000" in sentence else None
    assert answer.json()["error"] | {"message": ""} == {
        "message": "", "type": "invalid_request_error", "param": None, "code": too_long
    }  # fmt: skip
    assert chat.asked == []


def test_a_schema_as_openais_client_writes_it_of_a_model_in_a_model_is_kept_to():
    egg = {"type": "object", "properties": {"grams": {"type": "integer"}}, "required": ["grams"]}
    egg |= {"additionalProperties": False, "title": "Egg"}
    meal = {"type": "object", "properties": {"eggs": {"type": "array", "items": {"$ref": "#/$defs/Egg"}}}}
    meal |= {"required": ["eggs"], "additionalProperties": False}
    chat = Echo()
    assert post(ASKED | formed(meal | {"$defs": {"Egg": egg}}), chat).status_code == 200
    assert chat.asked[0][2] == meal | {"properties": {"eggs": {"type": "array", "items": egg}}}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
SETTINGS = (
    "messages",
    "temperature",
    "min_p",
    "max_tokens",
    "seed",
    "stream",
    "response_format",
    "n",
    "tools",
    "model",
    "stop",
    "stream_options",
    "logprobs",
)


@given(st.dictionaries(st.sampled_from(SETTINGS), JSON))
def test_whatever_json_is_sent_is_asked_or_refused_in_a_sentence(told):
    try:
        asked = parsed(json.dumps(ASKED | told).encode())
    except UsageError as refused:
        assert str(refused)
    else:
        assert asked.messages
        assert 0 <= asked.sampling.temperature <= 2


def test_half_a_character_does_not_reach_the_model():
    chat = Echo()
    assert post(b'{"messages": [{"role": "user", "content": "a\\ud800b"}]}', chat).status_code == 200
    assert chat.asked[0][0] == [{"role": "user", "content": "a?b"}]


def test_a_body_that_is_too_long_is_refused_before_it_is_read_whole():
    assert post(b"x" * 300_000).status_code == 413


def test_a_form_of_another_page_cannot_ask():
    assert post(ASKED, headers={"content-type": "text/plain"}).status_code == 415


@pytest.mark.parametrize(
    ("failure", "status", "sentence"),
    [
        (UsageError("a conversation has messages"), 400, "a conversation has messages"),
        (TooLongError("the message has 900 tokens and this model reads 488"), 400, "this model reads 488"),
        (BusyError("32 are waiting for an answer already"), 429, "32 are waiting"),
        (BackendError("the model failed (RuntimeError); ask again"), 503, "the model failed"),
        (RuntimeError("/root/secret/path"), 500, "the answer could not be made; ask again"),
    ],
)
@pytest.mark.parametrize("streams", [True, False])
def test_a_failure_has_a_status_and_a_sentence_and_no_traceback(failure, status, sentence, streams):
    answer = post(ASKED | {"stream": streams}, Echo(failure))
    assert answer.status_code == status
    told = answer.json()["error"]
    assert sentence in told["message"]
    kinds = {400: "invalid_request_error", 429: "rate_limit_error"}
    codes = {TooLongError: "context_length_exceeded", BusyError: "rate_limit_exceeded"}
    assert (told["type"], told["code"]) == (kinds.get(status, "server_error"), codes.get(type(failure)))
    assert "secret" not in answer.text
    assert answer.headers.get("retry-after") == ("60" if status == 429 else None)


def test_one_address_may_not_ask_without_end_and_hears_how_long_to_wait():
    limiter = Limiter(burst=2, per_minute=8, clock=lambda: 0.0)
    *answers, refused = [post(ASKED, limiter=limiter) for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200]
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "8")  # 7.5 s, and no second too early
    assert refused.json()["error"]["message"].endswith("ask again in 8 s")


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP"])
def test_an_address_that_the_asker_invents_gives_no_other_allowance(name):
    limiter = Limiter(burst=2, per_minute=8, clock=lambda: 0.0)
    invented = [{"content-type": "application/json", name: f"203.0.113.{number}"} for number in range(3)]
    answers = [post(ASKED, limiter=limiter, headers=headers) for headers in invented]
    assert [one.status_code for one in answers] == [200, 200, 429]


def test_on_modal_it_is_a_class_with_a_gpu_that_sleeps_and_checks_the_token_itself():
    assert isinstance(assistant.serve, modal.Cls)
    info = assistant.serve().answer.info()
    assert info.gpus
    assert info.concurrency_info.max_inputs == 64
    assert info.method_details["answer"].unauthenticated, "the token is ours to check"
    assert {"/almanac", "/cache"} <= info.volumes.keys()
    assert "almanac-assistant" in str(info.secrets)


def test_a_class_is_modals_to_guard_unless_told_and_takes_its_limits_from_modal_toml():
    def serves():
        yield None

    serves.__qualname__ = "serves"
    service = Service("tulip", {"serves": {"at_once": 5, "idle_s": 60, "containers": 3}})
    info = service.served(image())(serves)().answer.info()
    assert not info.method_details["answer"].unauthenticated
    assert info.concurrency_info.max_inputs == 5
    assert limits({"idle_s": 60, "containers": 3}) == {"scaledown_window": 60, "max_containers": 3}
    assert limits({}) == {"scaledown_window": 120, "max_containers": 1}


def test_the_class_opens_the_model_before_it_answers_and_guards_its_app(monkeypatch):
    opened = []

    def serves():
        opened.append(True)
        yield answering(Echo())

    serves.__qualname__ = "serves"
    monkeypatch.setenv("ALMANAC_ENDPOINT_TOKEN", "swordfish")
    served = Service("tulip", {"serves": {"auth": "token"}}).served(image())(serves)()
    with pytest.warns(UserWarning, match="executing locally"):
        app = served.answer.local()  # as in a container: enters first

    async def ask(**headers):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return (await client.get("/health", headers=headers)).status_code

    assert asyncio.run(ask()) == 401
    assert asyncio.run(ask(Authorization="Bearer swordfish")) == 200
    assert opened == [True]


def test_a_store_opened_to_read_takes_no_lease_and_copies_no_model(tmp_path):
    home, copy = tmp_path / "home", tmp_path / "copy"
    (home / "demo" / "models" / "assistant" / "1").mkdir(parents=True)
    (home / "demo" / "models" / "assistant" / "1" / "model.safetensors").write_bytes(b"weights")
    (home / "demo" / "store.db").write_bytes(b"rows")
    (home / "demo" / ".new-store.db").write_bytes(b"half")
    reloaded = []

    class Volume:
        def reload(self):
            reloaded.append(True)

    for _ in range(2):  # a second time, over what the first one left
        fetch_to_read(Volume(), home, copy)
    assert reloaded == [True, True]
    assert (copy / "demo" / "store.db").read_bytes() == b"rows"
    assert not (copy / "demo" / ".new-store.db").exists()
    assert (copy / "demo" / "models").is_symlink()
    assert (copy / "demo" / "models" / "assistant" / "1" / "model.safetensors").read_bytes() == b"weights"
    assert (home / "demo" / "models" / "assistant" / "1" / "model.safetensors").exists()


def test_how_to_ask_is_a_command_that_shows_no_token():
    said = how_to_ask(8000, guarded=True)
    assert "http://127.0.0.1:8000/v1/chat/completions" in said
    assert "$ALMANAC_ENDPOINT_TOKEN" in said
    assert "Authorization" not in how_to_ask(8000, guarded=False)


@pytest.fixture
def champion(platform, tmp_path):
    """A tiny model that serves, in the environment's store."""
    bases = pytest.importorskip("shared.steps.bases")
    folder = bases.build_tiny(tmp_path / "tiny", ["rice and eggs"] * 9, size=bases.Size(1, 24, 3, 300, 256))
    platform.models.save(NewModel("assistant", folder, {}))
    now = datetime(2026, 10, 1, tzinfo=UTC)
    row = {"model": "assistant", "version": 1, "verdict": "promoted", "reason": "first.", "figures": "{}", "run_id": ""}
    platform.features.write(PROMOTIONS, pd.DataFrame([row | {"decided_at": now, "day": now}]))


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def answered(chat):
    """Ask until somebody is there; what was told of the answer."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        reply = chat.stream([{"role": "user", "content": "rice"}], Sampling(0, 0, 5))
        with contextlib.suppress(BackendError):
            return [*reply] and reply.told
        time.sleep(0.2)
    raise AssertionError("nobody answered")


@pytest.mark.slow
@pytest.mark.usefixtures("champion")
def test_serve_answers_on_localhost_with_the_champion_until_it_is_interrupted():
    port = free_port()
    words = [str(Path(sys.executable).parent / "almanac"), "run", "assistant", "serve", "--port", str(port)]
    settings = {**os.environ, "ALMANAC_ENDPOINT_TOKEN": "swordfish", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(words, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        said = [server.stdout.readline()]
        while said[-1] and "Pages ask it" not in said[-1]:
            said.append(server.stdout.readline())
        assert said[-1], said
        chat = Endpoint(f"http://127.0.0.1:{port}", "swordfish")
        assert answered(chat).tokens == 5
        assert chat.name == "assistant v1"
        server.send_signal(signal.SIGINT)
        assert server.wait(20) in (0, 130)


ENDLESS = """
import sys, time
from functions._answering import answering
from functions._modal.serving import here
from shared.chat import Reply, Replying

class Endless:
    name, where = "endless", "this test"
    def stream(self, messages, sampling, *, schema=None, stopped=lambda: False):
        return Reply(self.pieces(), Replying())
    def pieces(self):
        while True:
            time.sleep(0.05)
            yield "and "

def serve():
    yield answering(Endless(), model="assistant")
    print("closed", flush=True)

here(serve)(int(sys.argv[1]))
"""


@pytest.mark.slow
def test_one_interrupt_ends_the_server_though_an_answer_goes_on():
    port = free_port()
    words = [sys.executable, "-c", ENDLESS, str(port)]
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        while server.poll() is None:
            pieces = Endpoint(f"http://127.0.0.1:{port}").stream([{"role": "user", "content": "rice"}], Sampling())
            with contextlib.suppress(BackendError):
                assert next(piece for piece in pieces if piece) == "and "
                break  # the answer is left open
            time.sleep(0.2)
        server.send_signal(signal.SIGINT)
        assert server.wait(10) in (0, 130)
        said = server.stdout.read()
    assert "closed" in said
    assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.skipif(not SCRIPT, reason=MISSING)
def test_modal_takes_the_class_with_its_gpu_its_limits_and_its_secret(tmp_path):
    """The loopback control plane starts no web endpoint: that its containers answer is for a real account to show."""
    with ModalEngine(tmp_path) as engine:
        engine.modal("secret", "create", "almanac-assistant", "ALMANAC_ENDPOINT_TOKEN=of-this-test")
        engine.modal("deploy", "-m", "functions.assistant")
        deployed = engine.functions("assistant")["serve.*"]
    assert deployed["gpu"][0].startswith("T4")
    assert (deployed["max_containers"], deployed["scaledown"]) == (1, 120)
    assert deployed["volumes"]["/almanac"] == "almanac-assistant"
    assert "almanac-assistant" in deployed["secrets"]
