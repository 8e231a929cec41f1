"""Messages reach real servers on loopback; what an address holds is shown nowhere."""

import json
import logging
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from email import message_from_string, policy
from http.server import BaseHTTPRequestHandler

import pytest

from shared.adapters.notifier import AppriseNotifier, Silent
from shared.connect import open_platform
from shared.errors import BackendError, MissingExtraError, UsageError

pytest.importorskip("apprise")
SECRET = "hunter2hunter2"


class Server(socketserver.ThreadingTCPServer):
    """On a free port of loopback; ``got`` holds what came in."""

    daemon_threads = True

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.got, self.status, self.slow_s = [], 200, 0.0
        self.port = self.server_address[1]


class Webhook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), json.loads(body)))
        time.sleep(self.server.slow_s)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *args):
        pass


class Mailbox(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as takes a message."""

    def handle(self):
        self.wfile.write(b"220 loopback\r\n")
        while line := self.rfile.readline().decode().strip():
            verb = line[:4].upper()
            if verb == "DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = iter(lambda: self.rfile.readline().decode(), ".\r\n")
                self.server.got.append(message_from_string("".join(lines), policy=policy.default))
            self.wfile.write(b"221 bye\r\n" if verb == "QUIT" else b"250 ok\r\n")
            if verb == "QUIT":
                return


@contextmanager
def serving(handler):
    with Server(handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def webhook():
    with serving(Webhook) as server:
        yield server


@pytest.fixture
def mailbox():
    with serving(Mailbox) as server:
        yield server


@pytest.fixture
def closed_port():
    with Server(Webhook) as server:
        port = server.port
    return port


def test_a_webhook_gets_title_and_body(webhook):
    notifier = AppriseNotifier(f"json://127.0.0.1:{webhook.port}/hook/{SECRET}")
    assert notifier.configured
    notifier.send("air_quality: 2 alerts", "delft <b>high</b>\ngouda silent")
    [(path, _, body)] = webhook.got
    assert path == f"/hook/{SECRET}"
    assert (body["title"], body["message"]) == ("air_quality: 2 alerts", "delft <b>high</b>\ngouda silent")


def test_a_mailbox_gets_subject_and_lines(mailbox):
    address = f"mailto://127.0.0.1:{mailbox.port}?from=almanac@example.org&to=one@example.org,two@example.org"
    AppriseNotifier(address).send("air_quality: 1 alert", "delft: PM2.5 above 25 µg/m³ & rising\ngouda: silent")
    assert sorted(mail["To"] for mail in mailbox.got) == ["one@example.org", "two@example.org"]
    assert mailbox.got[0]["Subject"] == "air_quality: 1 alert"
    text = mailbox.got[0].get_body(("plain",)).get_content()
    assert text.splitlines()[:2] == ["delft: PM2.5 above 25 µg/m³ & rising", "gouda: silent"]


@pytest.mark.parametrize("between", [" ", ",", ", ", "\n"])
def test_several_addresses_stand_with_spaces_or_commas_between(webhook, between):
    addresses = [f"json://127.0.0.1:{webhook.port}/{name}" for name in ("a,b", "c")]
    AppriseNotifier(between.join(addresses) + between).send("title", "body")
    assert sorted(path for path, _, _ in webhook.got) == ["/a%2Cb", "/c"]


def test_a_text_longer_than_a_service_takes_comes_in_parts(webhook):
    body = "\n".join(f"line {number}" for number in range(5000))
    AppriseNotifier(f"json://127.0.0.1:{webhook.port}").send("title", body)
    parts = [body["message"] for _, _, body in webhook.got]
    assert len(parts) > 1
    assert "".join("".join(parts).split()) == "".join(body.split())


@pytest.mark.parametrize("status", [401, 500])
def test_a_service_that_refuses_is_an_error_that_names_its_place_and_schema(webhook, status):
    webhook.status = status
    with pytest.raises(BackendError, match=r"address 1 \(json://\) did not take the alert: check ALMANAC_NOTIFY"):
        AppriseNotifier(f"json://127.0.0.1:{webhook.port}/{SECRET}").send("title", "body")


def test_when_one_address_took_it_the_other_is_a_warning_as_sending_again_would_repeat_it(webhook, closed_port, caplog):
    addresses = f"json://me:{SECRET}@127.0.0.1:{closed_port}/{SECRET} json://127.0.0.1:{webhook.port}"
    AppriseNotifier(addresses).send("title", "body")
    assert len(webhook.got) == 1
    assert [one.getMessage()[:42] for one in caplog.records] == ["address 1 (json://) did not take the alert"]


def test_a_slow_service_is_waited_for_only_so_long(webhook):
    webhook.slow_s = 60
    before = time.monotonic()
    with pytest.raises(BackendError):
        AppriseNotifier(f"json://127.0.0.1:{webhook.port}", timeout_s=0.2).send("title", "body")
    assert time.monotonic() - before < 30


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (f"{SECRET}@example.org", "address 2 does not begin like json://"),
        ("json://", "address 2 does not begin like json://"),
        (f"pigeon://{SECRET}", r"address 2 \(pigeon://\) is refused"),
        (f"slack://me/{SECRET}", r"address 2 \(slack://\) is refused"),
        (f"mailto://me:{SECRET}@", r"address 2 \(mailto://\) is refused"),
    ],
)
def test_a_refused_address_is_named_by_place_and_schema_only(address, message):
    with pytest.raises(UsageError, match=message) as caught:
        assert AppriseNotifier(f"json://example.org {address}").configured
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


TALKATIVE = """
import logging, sys, traceback
logging.basicConfig(level=1, stream=sys.stdout)
from shared.adapters.notifier import AppriseNotifier
from shared.connect import open_platform
for address in sys.argv[1:]:
    notifier = AppriseNotifier(address)
    print(repr(notifier), notifier)
    try:
        notifier.send("title", "body")
        print("sent")
    except Exception:
        traceback.print_exc(file=sys.stdout)
print(open_platform())
"""


@pytest.mark.slow
def test_no_log_at_any_level_no_repr_and_no_traceback_shows_a_secret(webhook, closed_port, tmp_path):
    ok = f"json://me:{SECRET}@127.0.0.1:{webhook.port}/{SECRET}?+X-Key={SECRET}&-token={SECRET}"
    down = ok.replace(str(webhook.port), str(closed_port))
    mail = f"mailto://me:{SECRET}@127.0.0.1:{closed_port}?from=a@example.org"
    env = {"ALMANAC_NOTIFY": ok, "ALMANAC_HOME": str(tmp_path), "PYTHONPATH": ".", "PATH": ""}
    command = [sys.executable, "-c", TALKATIVE, ok, down, mail, f"slack://{SECRET}"]
    ran = subprocess.run(command, capture_output=True, text=True, env=env)
    assert ran.stdout.count("sent") >= 1, ran.stderr
    assert ran.stdout.count("shared.errors.BackendError") == 2
    assert ran.stdout.count("shared.errors.UsageError") == 1
    assert SECRET not in ran.stdout + ran.stderr
    assert SECRET in json.dumps(webhook.got)


def test_without_the_package_a_sentence_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(MissingExtraError, match=r"almanac\[alerts\]"):
        AppriseNotifier("json://example.org").send("title", "body")


def test_without_an_address_nobody_is_told_and_sending_says_what_to_set():
    assert not Silent().configured
    with pytest.raises(UsageError, match="set ALMANAC_NOTIFY"):
        Silent().send("title", "body")


def test_the_environment_chooses(monkeypatch, webhook):
    monkeypatch.delenv("ALMANAC_NOTIFY", raising=False)
    assert isinstance(open_platform().notifier, Silent)
    monkeypatch.setenv("ALMANAC_NOTIFY", f" json://127.0.0.1:{webhook.port} ")
    open_platform().notifier.send("title", "body")
    assert len(webhook.got) == 1
    monkeypatch.setenv("ALMANAC_NOTIFY", "me@example.org")
    with pytest.raises(UsageError, match="address 1"):
        open_platform()


def test_opening_a_platform_loads_no_apprise_before_it_is_needed():
    code = "import sys; from shared.adapters.notifier import AppriseNotifier as N; N('json://x'); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "apprise" not in ran.stdout.split()


def test_the_loggers_that_would_show_an_address_are_silent():
    assert AppriseNotifier("json://example.org").configured
    assert logging.getLogger("apprise").disabled
    assert logging.getLogger("urllib3").level == logging.WARNING
