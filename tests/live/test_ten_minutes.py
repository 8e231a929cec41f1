"""The script that tries live accounts, tried itself on what stands in for them on loopback."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shared.errors import BackendError, UsageError
from tests.live import ten_minutes
from tests.loopback.hub import HubServer


class Page(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "16")
        self.end_headers()
        self.wfile.write(b"<h1>Almanac</h1>")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A Hub on loopback, whose Spaces are all this page, as the environment's account."""
    page = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=page.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    with HubServer(tmp_path / "hub") as server:
        server.spaces_come_to("RUNNING", host=f"http://127.0.0.1:{page.server_address[1]}")
        for name, value in (("HF_ENDPOINT", server.url), ("HF_TOKEN", server.token), ("ALMANAC_HUB", "jane/any")):
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("shared.adapters.hub.spaces.EVERY_S", 0.01)
        yield server
    page.shutdown()
    page.server_close()


def outcomes(part):
    return [row["outcome"] for row in ten_minutes.tried(part)]


def test_on_the_hub_everything_is_shown_and_nothing_stays_behind(hub):
    rows = ten_minutes.tried(ten_minutes.Hub())
    assert [row["outcome"] for row in rows] == ["shown"] * 5, rows
    assert hub.repos == {}


def test_after_a_failed_step_the_rest_is_not_tried_and_all_is_removed(hub):
    hub.fail(r"POST .*/api/models/.*/commit/", 403, times=99)
    rows = ten_minutes.tried(ten_minutes.Hub())
    assert [row["outcome"] for row in rows] == ["shown", "shown", "failed", "shown"]
    assert hub.repos == {}


def test_what_stays_behind_is_a_failure(hub):
    hub.fail(r"DELETE /api/repos/delete", 403, times=99)
    *_, last = ten_minutes.tried(ten_minutes.Hub())
    assert (last["what"], last["outcome"]) == ("nothing stays behind", "failed")


class Interrupted(ten_minutes.Part):
    name, removed = "interrupted", False

    def steps(self):
        def stop():
            raise KeyboardInterrupt

        return [("one", stop)]

    def remove(self):
        self.removed = True
        return ""


def test_ctrl_c_removes_all_too():
    part = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        ten_minutes.tried(part)
    assert part.removed


def test_without_an_account_a_part_is_skipped_and_says_what_it_lacks(monkeypatch, capsys):
    for name in ("HF_TOKEN", "ALMANAC_HUB", "HOPSWORKS_HOST", "HOPSWORKS_PROJECT", "HOPSWORKS_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert ten_minutes.main(["hub", "hopsworks"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "HF_TOKEN, ALMANAC_HUB not set" in said
    assert "HOPSWORKS_HOST, HOPSWORKS_PROJECT, HOPSWORKS_API_KEY not set" in said


def test_a_failure_is_exit_code_1_and_shows_no_token(monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", "hf_planted_in_this_test")

    class Broken(ten_minutes.Part):
        name = "broken"

        def steps(self):
            def fail():
                raise BackendError("Bearer hf_planted_in_this_test")

            return [("one", fail)]

    monkeypatch.setitem(ten_minutes.PARTS, "broken", Broken)
    assert ten_minutes.main(["broken"]) == 1
    assert "Bearer <HF_TOKEN>" in capsys.readouterr().out


def test_a_part_that_does_not_exist_is_named():
    with pytest.raises(UsageError, match="no part 'moon'"):
        ten_minutes.main(["moon"])
