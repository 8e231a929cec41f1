"""An endpoint elsewhere, asked over real sockets: our own app, and a server that does whatever goes wrong."""

import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
import uvicorn

from functions._answering import answering
from functions._modal.bearer import bearing
from shared.adapters import endpoint as module
from shared.adapters.endpoint import Endpoint
from shared.chat import Reply, Replying, Sampling
from shared.connect import open_endpoint
from shared.errors import BackendError, BusyError, UsageError, WebError

QUESTION = [{"role": "user", "content": "What goes with rice?"}]
USUAL = Sampling()
TOKEN = "swordfish"


class Parrot:
    """A Chat that says the last message word by word; what it was asked is kept."""

    name, where = "assistant v3", "this machine, CPU"

    def __init__(self):
        self.asked, self.ended, self.pause_s, self.fails_after = [], [], 0.0, None

    def stream(self, messages, sampling, *, schema=None, stopped=lambda: False):
        if messages[-1]["content"] == "too long":
            raise UsageError("the message has 900 tokens and this model reads 488; shorten it")
        self.asked.append((messages, sampling, schema))
        told = Replying(prompt_tokens=7, left_out=2, before=1)
        return Reply(self._pieces(messages[-1]["content"].split(" "), told, stopped), told)

    def _pieces(self, words, told, stopped):
        yield ""
        told.before = 0
        try:
            for n, word in enumerate(words):
                if n == self.fails_after:
                    raise BackendError("the model failed (RuntimeError); ask again, or choose another one")
                time.sleep(self.pause_s)
                if stopped():
                    told.ended = "stopped"
                    return
                told.tokens += 1
                yield word if n == 0 else f" {word}"
            told.ended = "length"
        finally:
            self.ended.append(told.ended)


def port_of_a_server(app):
    """Serve an ASGI app on a free port; the server and the port."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    threading.Thread(target=server.run, kwargs={"sockets": [held]}, daemon=True).start()
    while not server.started:
        time.sleep(0.005)
    return server, held.getsockname()[1]


@pytest.fixture
def parrot():
    return Parrot()


@pytest.fixture
def url(parrot):
    server, port = port_of_a_server(bearing(TOKEN, answering(parrot, model="assistant")))
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True


@pytest.fixture
def chat(url):
    return Endpoint(url, TOKEN)


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    monkeypatch.setattr(module, "ASLEEP_S", 0.2)
    monkeypatch.setattr(module, "PIECE_S", 1.0)


def event(content="", ended=None, **more):
    choice = {"delta": {"content": content} if content else {}, "finish_reason": ended}
    return b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\n\n"


WHOLE = event("Eg") + event("gs") + event(ended="stop") + b"data: [DONE]\n\n"


class Wrong(BaseHTTPRequestHandler):
    """Gives the server's ``answers`` to questions, one after the other, and keeps what was asked."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append("health")
        health = self.server.health
        status, body = health.pop(0) if isinstance(health, list) else health
        if status:
            self._say(status, body, "application/json")
        else:
            time.sleep(0.6)

    def do_POST(self):
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        left = self.server.answers
        status, body, *kind = left.pop(0) if len(left) > 1 else left[0]
        if status:
            self._say(status, body, *(kind or ["text/event-stream"]))
        else:
            self.connection.close()

    def _say(self, status, body, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        for part in body if isinstance(body, list) else [body]:
            if isinstance(part, float):
                time.sleep(part)
                continue
            with contextlib.suppress(OSError):
                self.wfile.write(part)
                self.wfile.flush()


@contextlib.contextmanager
def wrong(*answers, health=(200, b'{"model": "assistant v3"}')):
    """A server that gives these answers: (status, body, content type); status 0 closes the connection."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Wrong)
    server.daemon_threads, server.answers, server.asked, server.health = True, [*answers], [], health
    threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.01}).start()
    try:
        yield Endpoint(f"http://127.0.0.1:{server.server_port}", TOKEN), server.asked
    finally:
        server.shutdown()
        server.server_close()


def said(chat, messages=QUESTION, sampling=USUAL, **more):
    return "".join(chat.stream(messages, sampling, **more))


def test_an_answer_comes_through_whole_and_in_pieces(chat, parrot):
    reply = chat.stream(QUESTION, Sampling(temperature=0.3, min_p=0.1, max_tokens=9, seed=4))
    pieces = [piece for piece in reply if piece]
    assert pieces == ["What", " goes", " with", " rice?"]
    assert parrot.asked == [(QUESTION, Sampling(temperature=0.3, min_p=0.1, max_tokens=9, seed=4), None)]
    told = reply.told
    assert (told.tokens, told.prompt_tokens, told.left_out, told.ended, told.before) == (4, 7, 2, "length", 0)


def test_a_schema_and_umlauts_arrive_as_they_were_sent(chat, parrot):
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    assert said(chat, [{"role": "user", "content": "żółć 🍚"}], schema=schema) == "żółć 🍚"
    assert parrot.asked[0][2] == schema


def test_the_name_is_what_the_endpoint_says_once_it_was_asked(chat):
    assert chat.name == "127.0.0.1"
    said(chat)
    assert (chat.name, chat.where) == ("assistant v3", "127.0.0.1")


def test_a_place_in_line_is_told_while_one_waits(chat):
    reply = chat.stream(QUESTION, USUAL)
    assert next(reply) == ""
    assert reply.told.before == 1


def test_stopping_ends_the_answer_there_too(chat, parrot):
    parrot.pause_s = 0.05
    stop = threading.Event()
    reply = chat.stream([{"role": "user", "content": "word " * 100}], USUAL, stopped=stop.is_set)
    while not next(reply):
        pass
    stop.set()
    assert len([*reply]) <= 1
    assert reply.told.ended == "stopped"
    until = time.monotonic() + 5
    while not parrot.ended and time.monotonic() < until:
        time.sleep(0.01)
    assert parrot.ended[0] in ("stopped", "")
    assert time.monotonic() < until, "the model stopped too, long before its hundred words"


def test_a_reader_who_goes_away_closes_the_connection(chat, parrot):
    parrot.pause_s = 0.05
    reply = chat.stream([{"role": "user", "content": "word " * 100}], USUAL)
    while not next(reply):
        pass
    reply.close()
    until = time.monotonic() + 3
    while not parrot.ended and time.monotonic() < until:
        time.sleep(0.01)
    assert parrot.ended, "nobody reads it: it ended before its five seconds"


def test_twenty_at_once_each_get_their_own_words(chat):
    answers = {}
    words = {n: " ".join(f"{n}-{k}" for k in range(20)) for n in range(20)}
    threads = [
        threading.Thread(target=lambda n=n: answers.update({n: said(chat, [{"role": "user", "content": words[n]}])}))
        for n in words
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    assert answers == words


def test_what_the_model_cannot_take_is_said_in_its_words(chat):
    with pytest.raises(UsageError, match="this model reads 488; shorten it"):
        said(chat, [{"role": "user", "content": "too long"}])


def test_a_failure_in_the_middle_is_said_and_not_tried_again(chat, parrot):
    parrot.fails_after = 2
    reply, heard = chat.stream(QUESTION, USUAL), []
    with pytest.raises(BackendError, match="the model failed"):
        heard.extend(reply)
    assert len(parrot.asked) == 1


@pytest.mark.parametrize("token", ["", "another"])
def test_a_wrong_token_is_said_without_showing_it(url, token):
    with pytest.raises(WebError, match="ALMANAC_ENDPOINT_TOKEN is missing, or not its token") as failure:
        said(Endpoint(url, token))
    assert "another" not in str(failure.value)


def test_what_fails_before_the_first_piece_is_tried_again():
    with wrong((503, b"{}", "application/json"), (0, b""), (200, WHOLE)) as (chat, asked):
        assert said(chat) == "Eggs"
    assert [one for one in asked if one != "health"] == [asked[1]] * 3


def test_after_three_failures_it_is_said():
    sentence = r"failed with 500; asked 3 times. Try again in a minute"
    broken = wrong((500, b"Traceback: secret", "text/plain"))
    with broken as (chat, asked), pytest.raises(WebError, match=sentence) as failure:
        said(chat)
    assert "Traceback" not in str(failure.value)
    assert sum(one != "health" for one in asked) == 3


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ([event("Eg")], "broke off in the middle"),
        ([event("Eg"), b"data: {torn"], "broke off in the middle"),
        ([event("Eg"), b"data: {torn\n\n"], "not JSON"),
        ([event("Eg"), b"data: [1]\n\n"], "no JSON object"),
        ([event("Eg"), 2.0], "broke off in the middle"),
        ([event("Eg"), b'data: {"error": {"message": "the model failed"}}\n\n'], "the model failed"),
        ([b"x" * (1 << 20), b"x" * 99], "more than a megabyte"),
    ],
    ids=["cut", "torn", "nonsense", "list", "silent", "error", "endless"],
)
def test_a_stream_that_goes_wrong_says_what_and_is_not_asked_for_again(body, sentence):
    with wrong((200, body)) as (chat, asked), pytest.raises(BackendError, match=sentence):
        said(chat)
    assert sum(one != "health" for one in asked) == 1


@pytest.mark.parametrize(
    ("status", "body", "error", "sentence"),
    [
        (404, b"", WebError, "ALMANAC_ASSISTANT_URL"),
        (303, b"", WebError, "answered with 303"),
        (400, b'{"error": {"message": "stop is a text"}}', UsageError, "stop is a text"),
        (413, b"{}", UsageError, r"does not take this question \(413\)"),
        (422, b"<html>", UsageError, r"does not take this question \(422\)"),
        (422, b'{"error": {"message": "min_p is a number"}}', UsageError, "min_p is a number"),
        (429, b'{"error": {"message": "4 are waiting already"}}', BusyError, "4 are waiting already"),
        (429, b"", BusyError, "asked too much"),
        (200, b"<html>sign in</html>", WebError, "no stream of events"),
    ],
)
def test_each_refusal_has_its_sentence(status, body, error, sentence):
    with wrong((status, body, "text/html")) as (chat, _), pytest.raises(error, match=sentence):
        said(chat)


@pytest.mark.parametrize(
    ("told", "sentence"),
    [({"Retry-After": "7"}, "again in 7 s"), ({}, "in a minute"), ({"Retry-After": "Sat, 21 Nov"}, "in a minute")],
)
def test_one_who_is_asked_too_much_says_for_how_long_to_wait(told, sentence):
    def busy(request):
        return httpx.Response(429, headers=told) if request.method == "POST" else httpx.Response(200, json={})

    with pytest.raises(BusyError, match=sentence):
        said(Endpoint("http://127.0.0.1", transport=httpx.MockTransport(busy)))


def test_half_a_character_goes_neither_out_nor_in(chat, parrot):
    assert said(chat, [{"role": "user", "content": "a\ud800b"}]) == "a?b"
    with wrong((200, b'data: {"choices": [{"delta": {"content": "x\\udfff"}}]}\n\n' + WHOLE)) as (other, _):
        assert said(other) == "x?Eggs"


@pytest.mark.parametrize("schema", [{"minimum": float("nan")}, {"const": b"no JSON"}])
def test_a_schema_that_is_no_json_is_not_sent(chat, parrot, schema):
    with pytest.raises(UsageError, match="this schema cannot be sent"):
        said(chat, schema=schema)
    assert parrot.asked == []


def test_a_place_in_line_of_endless_digits_is_passed_over():
    with wrong((200, b": before " + b"9" * 5000 + b"\n\n" + WHOLE)) as (chat, _):
        assert said(chat) == "Eggs"


@pytest.mark.parametrize(
    "line", [b'{"choices": 3}', b'{"choices": ["x"]}', b'{"choices": [{"delta": 5}]}', b'{"usage": "x"}', b"{}"]
)
def test_an_event_of_another_shape_is_passed_over(line):
    with wrong((200, b"data: " + line + b"\n\n" + WHOLE)) as (chat, _):
        assert said(chat) == "Eggs"


def test_an_error_that_echoes_the_token_does_not_show_it():
    body = json.dumps({"error": {"message": f"what is Bearer {TOKEN}?"}}).encode()
    with wrong((422, body, "application/json")) as (chat, _), pytest.raises(UsageError) as failure:
        said(chat)
    assert TOKEN not in str(failure.value)


def test_a_machine_that_sleeps_is_waited_for_and_how_long_is_told():
    asleep = [(0, b""), (0, b""), (503, b""), (200, b'{"model": "assistant v3"}')]
    with wrong((200, WHOLE), health=asleep) as (chat, asked):
        reply = chat.stream(QUESTION, USUAL)
        waited = []
        for piece in reply:
            waited += [reply.told.waking_s] if not piece else []
        assert waited == sorted(waited)
        assert 0.3 < reply.told.waking_s < 5
        assert len(asked) == 5
        assert said(chat) == "Eggs"
        assert len(asked) == 6, "it was awake a moment ago, and is not asked for that again"


def test_waiting_for_a_machine_has_an_end(monkeypatch):
    monkeypatch.setattr(module, "WAKE_S", 0.3)
    with wrong((200, WHOLE), health=(503, b"")) as (chat, _), pytest.raises(WebError, match="did not wake up within"):
        said(chat)


def test_waiting_for_a_machine_ends_once_stopped():
    with wrong((200, WHOLE), health=(503, b"")) as (chat, asked):
        reply = chat.stream(QUESTION, USUAL, stopped=lambda: len(asked) > 2)
        assert "".join(reply) == ""
    assert [*{*asked}] == ["health"]


def test_an_answer_that_takes_too_long_ends(monkeypatch):
    monkeypatch.setattr(module, "WHOLE_S", 0.2)
    slow = wrong((200, [event("a"), 0.3, event("b"), 0.1, WHOLE]))
    with slow as (chat, _), pytest.raises(WebError, match="ask for a shorter answer"):
        said(chat)


def test_nobody_there_is_said():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(WebError, match=r"cannot be reached \(ConnectError\); asked 3 times"):
        said(Endpoint(f"http://127.0.0.1:{port}"))


@pytest.mark.parametrize("url", ["", "example.org", "ftp://example.org", "https://"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(UsageError, match="no address of an endpoint"):
        Endpoint(url)


def test_the_token_is_not_sent_where_anybody_could_read_it():
    with pytest.raises(UsageError, match="without encryption"):
        Endpoint("http://example.org", TOKEN)
    assert Endpoint("http://example.org").where == "example.org"


def test_the_environment_names_the_endpoint(monkeypatch):
    monkeypatch.delenv("ALMANAC_ASSISTANT_URL", raising=False)
    assert open_endpoint() is None
    monkeypatch.setenv("ALMANAC_ASSISTANT_URL", " https://jane--assistant.modal.run ")
    monkeypatch.setenv("ALMANAC_ENDPOINT_TOKEN", TOKEN)
    found = open_endpoint()
    assert found.where == "jane--assistant.modal.run"
    assert TOKEN not in repr(found)
