"""One suite for the ``Web`` port in every world, then what HTTP itself can do to us, over a real loopback server."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from shared.adapters.demo import DemoTransport
from shared.adapters.live import PatientTransport, RecordingTransport, live_transport
from shared.adapters.replay import ReplayTransport
from shared.adapters.web import HttpWeb
from shared.errors import WebError

SECRET = "s3cret-01234"

# path -> (status, headers, body), or a list of those to give one after the other
PAGES = {
    "/tides": (200, {}, b"height 1.5 m"),
    "/tides.json": (200, {"Content-Type": "application/json"}, '{"height": 1.5, "unit": "m", "port": "Höfn"}'.encode()),
    "/bytes": (200, {}, bytes(range(256))),
    "/nothing": (200, {}, b""),
    "/moved": (302, {"Location": "/tides"}, b""),
    "/gone": (404, {}, b"no such page"),
    "/denied": (403, {}, b"no"),
}


class Site(ThreadingHTTPServer):
    """A server on the loopback that gives ``pages`` and remembers the requests it saw."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages, self.seen, self.held = dict(PAGES), [], threading.Event()
        self.home = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append(self)
        page = self.server.pages[self.path.partition("?")[0]]
        status, headers, body = page.pop(0) if isinstance(page, list) else page
        if status == "silence":
            self.server.held.wait(5)
        self.send_response(200 if status == "silence" else status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = "Content-Length" in headers  # it told less or more than the truth

    def send_response(self, code, message=None):
        self.send_response_only(code, message)

    def log_message(self, *_):
        pass


@pytest.fixture
def site():
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.held.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def slept():
    return []


@pytest.fixture
def live(slept):
    with closing(HttpWeb(live_transport(), timeout_s=2, sleep=slept.append)) as web:
        yield web


def simulate(request):
    page = PAGES.get(request.url.path)
    return page and httpx.Response(page[0], headers=page[1], content=page[2])


@pytest.fixture(params=["live", "replay", "demo"])
def world(request, site, tmp_path, slept):
    """An address and a web that answers PAGES under it."""
    transport = {"live": live_transport, "demo": lambda: DemoTransport({"*": simulate})}.get(request.param)
    if transport is None:
        with closing(HttpWeb(RecordingTransport(live_transport(), tmp_path), sleep=slept.append)) as web:
            for path in PAGES:
                with suppress(WebError):
                    web.get(site.home + path)
        site.shutdown()  # from here on only the recordings can answer
    with closing(HttpWeb(transport() if transport else ReplayTransport(tmp_path), sleep=slept.append)) as web:
        yield site.home, web


# --- every world ---------------------------------------------------------------------------------------------------


def test_an_address_gives_its_status_and_body(world):
    home, web = world
    answer = web.get(home + "/tides")
    assert (answer.url, answer.status, answer.body) == (home + "/tides", 200, b"height 1.5 m")


def test_a_json_body_is_parsed_with_its_letters_whole(world):
    home, web = world
    assert web.get(home + "/tides.json").json() == {"height": 1.5, "unit": "m", "port": "Höfn"}


def test_a_binary_body_comes_byte_for_byte(world):
    home, web = world
    assert web.get(home + "/bytes").body == bytes(range(256))


def test_an_empty_body_is_an_answer_but_no_json(world):
    home, web = world
    answer = web.get(home + "/nothing")
    assert answer.body == b""
    with pytest.raises(WebError, match="not JSON"):
        answer.json()


def test_a_redirect_is_followed(world):
    home, web = world
    assert web.get(home + "/moved").body == b"height 1.5 m"


def test_a_missing_page_is_an_error_at_once_that_names_host_path_and_status(world, slept):
    home, web = world
    with pytest.raises(WebError) as failure:
        web.get(home + "/gone")
    place = home.removeprefix("http://") + "/gone"
    assert str(failure.value) == f"{place} answered 404 (asked once): check the address"
    assert slept == []


def test_eight_threads_share_one_web(world):
    home, web = world
    paths = ["/tides", "/bytes", "/nothing", "/moved"] * 8
    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(lambda path: web.get(home + path).body, paths))
    assert bodies == [b"height 1.5 m", bytes(range(256)), b"", b"height 1.5 m"] * 8


def test_no_message_and_no_address_shows_the_query_or_the_user(world):
    home, web = world
    with pytest.raises(WebError) as failure:
        web.get(home.replace("//", "//me:pw-77@") + "/denied", {"token": SECRET}, {"X-API-Key": SECRET})
    assert SECRET not in str(failure.value)
    assert "pw-77" not in str(failure.value)
    assert "check the key" in str(failure.value)
    assert "?" not in web.get(home + "/tides", {"token": SECRET}).url


# --- what HTTP can do ----------------------------------------------------------------------------------------------

DOWN = (503, {}, b"down")
GOOD = (200, {}, b"up again")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_address_is_asked_again_after_1_and_2_seconds(site, live, slept, status):
    site.pages["/busy"] = [(status, {}, b""), (status, {}, b""), GOOD]
    assert live.get(site.home + "/busy").body == b"up again"
    assert slept == [1, 2]


def test_an_address_that_stays_down_is_asked_four_times(site, live, slept):
    site.pages["/down"] = DOWN
    with pytest.raises(WebError, match=r"/down answered 503 \(asked 4 times\): it is down or overloaded.* later"):
        live.get(site.home + "/down")
    assert (len(site.seen), slept) == (4, [1, 2, 4])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 408, 410, 418, 422, 501])
def test_other_refusals_are_not_asked_again(site, live, slept, status):
    site.pages["/no"] = [(status, {}, b""), GOOD]
    with pytest.raises(WebError, match=rf"answered {status} \(asked once\): .*[a-z]{{3}}"):
        live.get(site.home + "/no")
    assert slept == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0"}, 1),
        ({"Retry-After": "86400"}, 60),
        ({"Date": "Tue, 03 Nov 2026 10:00:00 GMT", "Retry-After": "Tue, 03 Nov 2026 10:00:20 GMT"}, 20),
        ({"Date": "Tue, 03 Nov 2026 10:00:00 GMT", "Retry-After": "Tue, 03 Nov 2026 09:00:00 GMT"}, 1),
        ({"Retry-After": "Tue, 03 Nov 2026 10:00:20 GMT"}, 1),
        ({"Date": "Tue, 03 Nov 2026 10:00:00 -0000", "Retry-After": "Tue, 03 Nov 2026 10:00:20 GMT"}, 1),
        ({"Retry-After": "-5"}, 1),
        ({"Retry-After": "soon"}, 1),
    ],
)
def test_the_wait_that_an_address_asks_for_is_kept_up_to_a_minute(site, live, slept, headers, seconds):
    site.pages["/busy"] = [(429, headers, b""), GOOD]
    live.get(site.home + "/busy")
    assert slept == [seconds]


@pytest.mark.parametrize(
    ("reason", "seconds"), [(b"Minutely API request limit exceeded.", 60), (b"Daily API request limit exceeded.", 1)]
)
def test_a_service_that_counts_by_the_minute_is_asked_again_after_one(slept, reason, seconds):
    answers = [httpx.Response(429, content=reason), httpx.Response(200, content=b"open again")]
    inner = httpx.MockTransport(lambda _: answers.pop(0))
    with closing(HttpWeb(PatientTransport(inner), sleep=slept.append)) as web:
        assert web.get("https://api.open-meteo.com/v1/forecast").body == b"open again"
    assert slept == [seconds]


def test_a_silent_address_is_given_up_on_and_asked_again(site, slept):
    site.pages["/slow"] = [("silence", {}, b""), GOOD]
    with closing(HttpWeb(live_transport(), timeout_s=0.5, sleep=slept.append)) as web:
        assert web.get(site.home + "/slow").body == b"up again"
    assert slept == [1]


def test_an_address_that_stays_silent_is_an_error(site, slept):
    site.pages["/slow"] = ("silence", {}, b"")
    with (
        closing(HttpWeb(live_transport(), timeout_s=0.05, attempts=2, sleep=slept.append)) as web,
        pytest.raises(WebError, match=r"/slow did not answer in time \(asked 2 times\)"),
    ):
        web.get(site.home + "/slow")


def test_a_closed_port_is_asked_again_and_then_named(live, slept):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(WebError, match=rf"127.0.0.1:{port}/ could not be reached \(asked 4 times\).*ALMANAC_WORLD"):
        live.get(f"http://127.0.0.1:{port}/?token={SECRET}")
    assert slept == [1, 2, 4]


def test_a_body_cut_off_is_asked_for_again(site, live, slept):
    site.pages["/cut"] = [(200, {"Content-Length": "1000"}, b"half"), GOOD]
    assert live.get(site.home + "/cut").body == b"up again"
    site.pages["/cut"] = (200, {"Content-Length": "1000"}, b"half")
    with pytest.raises(WebError, match="/cut broke off its answer"):
        live.get(site.home + "/cut")


def test_a_broken_compression_counts_as_cut_off(site, live):
    site.pages["/zip"] = [(200, {"Content-Encoding": "gzip"}, b"no gzip"), GOOD]
    assert live.get(site.home + "/zip").body == b"up again"


def test_a_compressed_body_is_unpacked_and_counted_unpacked(site, slept):
    site.pages["/zip"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(b"0" * 2**20))
    with closing(HttpWeb(live_transport(), limit_mib=1)) as web:
        assert web.get(site.home + "/zip").body == b"0" * 2**20
    with (
        closing(HttpWeb(live_transport(), limit_mib=0.5, sleep=slept.append)) as web,
        pytest.raises(WebError, match=r"/zip is larger than 0.5 MiB \(asked once\): fetch the file yourself"),
    ):
        web.get(site.home + "/zip")


def test_a_circle_of_redirects_ends(site, live, slept):
    site.pages["/a"] = (302, {"Location": "/a"}, b"")
    with pytest.raises(WebError, match=r"/a redirects in a circle \(asked once\)"):
        live.get(site.home + "/a")
    assert len(site.seen) == 11


def test_a_key_is_not_carried_over_to_another_host(site, live):
    site.pages["/there"] = (302, {"Location": site.home.replace("127.0.0.1", "localhost") + "/tides"}, b"")
    site.pages["/here"] = (302, {"Location": "/tides"}, b"")
    live.get(site.home + "/there", headers={"X-API-Key": SECRET})
    live.get(site.home + "/here", headers={"X-API-Key": SECRET})
    keys = [(request.path, request.headers["X-API-Key"]) for request in site.seen]
    assert keys == [("/there", SECRET), ("/tides", None), ("/here", SECRET), ("/tides", SECRET)]


def test_parameters_join_those_already_in_the_address(site, live):
    live.get(site.home + "/tides?port=Hull&day=1", {"day": 2, "unit": "m s"})
    assert site.seen[0].path == "/tides?port=Hull&day=2&unit=m+s"


@pytest.mark.parametrize("key", [SECRET + "\n", SECRET + "é", SECRET + "\r\nHost: elsewhere"])
def test_a_key_that_no_header_can_hold_is_not_sent_and_not_shown(site, live, slept, key):
    with pytest.raises(WebError, match="a header, perhaps the key, holds a line end") as failure:
        live.get(site.home + "/tides", headers={"X-API-Key": key})
    assert failure.value.__cause__ is None
    assert SECRET not in str(failure.value)
    assert (site.seen, slept) == ([], [])


@pytest.mark.parametrize(
    ("url", "named"),
    [
        (f"http://me:{SECRET}@tides.example:port/x?token={SECRET}", "tides.example:port/x"),
        (f"http://tides.example/a\nb?token={SECRET}", r"tides.example/a\\nb"),
        (f"ftp://tides.example/x?token={SECRET}", "tides.example/x is not an http"),
        (f"tides.example/x?token={SECRET}", "tides.example/x is not an http"),
        ("", "is not an http"),
    ],
)
def test_what_is_no_http_address_is_an_error_at_once(live, slept, url, named):
    with pytest.raises(WebError, match=named) as failure:
        live.get(url)
    assert SECRET not in str(failure.value)
    assert slept == []


def test_no_secret_reaches_the_log(site, live, caplog):
    caplog.set_level(logging.INFO)
    live.get(site.home + "/tides", {"token": SECRET})
    assert SECRET not in caplog.text


def test_a_proxy_is_asked_in_place_of_the_address(site):
    site.pages["http://tides.example/now"] = GOOD
    with closing(HttpWeb(live_transport(proxy=site.home))) as web:
        assert web.get("http://tides.example/now").body == b"up again"
