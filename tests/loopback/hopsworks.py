"""A stand-in for a Hopsworks cluster on loopback, for the real client: REST, Arrow Flight, TLS of its own, faults.

    with HopsworksServer(folder) as cluster:
        project = HopsworksProject(cluster.host, cluster.project, cluster.key, str(cluster.trust))
        cluster.fail("POST .*/commits", 503)

Feature groups are Delta tables under ``folder``, which the client writes itself; files and models lie there too, all
else is in memory. The client reads rows from port 5005 and no other, so one machine runs one cluster at a time: the
lock file sees to that. What is not shown: HopsFS and its ports, quotas, Kafka, the online store, latency.
"""

import email.parser
import email.policy
import itertools
import json
import ssl
import tempfile
import threading
import time
import urllib.parse
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from filelock import FileLock

from tests.loopback import hopsworks_files  # noqa: F401 - its routes
from tests.loopback.certificates import make_certificates
from tests.loopback.faults import Faulty
from tests.loopback.hopsworks_query import Flight
from tests.loopback.hopsworks_routes import RefusedError, answer

FLIGHT_PORT = 5005


class HopsworksServer(Faulty):
    """One cluster with one project; ``requests`` holds (method, path, whether the key came)."""

    project, key = "house", "hops-key-0123456789"

    def __init__(self, folder, flight=True):
        self.folder, self.certificates = Path(folder), Path(folder) / "certificates"
        self.trust = self.certificates / "ca.pem"
        self.lock, self.stopped, self._with_flight = threading.RLock(), threading.Event(), flight
        make_certificates(self.certificates, "flyingduck.service.loopback")
        self.reset()

    def reset(self):
        """Forget everything, as a new cluster would have it."""
        self._numbers = itertools.count(1)
        self.groups, self.views, self.commits, self.suites = {}, {}, {}, {}
        self.models, self.secrets, self.parts = {}, {}, {}
        self.requests, self.faults, self.flight_faults = [], [], []
        for name in ("files", "featurestore"):
            place = self.folder / name
            if place.exists():
                place.rename(self.folder / f"{name}-{time.monotonic_ns()}")
        for name in ("Models", "Resources"):
            (self.folder / "files" / name).mkdir(parents=True)

    def __enter__(self):
        self._machine = FileLock(Path(tempfile.gettempdir()) / "almanac-port-5005.lock")
        if self._with_flight:
            self._machine.acquire(timeout=900)
            self._flight = Flight(self, FLIGHT_PORT, self.certificates)
            threading.Thread(target=self._flight.serve, daemon=True).start()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificates / "server.pem", self.certificates / "server.key")
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.cluster = self
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self._http.shutdown()
        self._http.server_close()
        if self._with_flight:
            self._flight.shutdown()
            self._machine.release()

    @property
    def host(self):
        return f"127.0.0.1:{self._http.server_port}"

    def number(self):
        return next(self._numbers)


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Say nothing of clients that hang up: half the tests are about that."""


@dataclass
class Request:
    method: str
    path: str
    query: dict
    body: bytes
    kind: str

    def json(self):
        return json.loads(self.body)

    def form(self):
        """Return the fields of a multipart form, files as bytes."""
        head = b"Content-Type: " + self.kind.encode() + b"\r\n\r\n"
        parts = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + self.body).iter_parts()
        fields = {part.get_param("name", header="content-disposition"): part for part in parts}
        plain = {name: part.get_payload(decode=True) for name, part in fields.items()}
        return {name: value if name == "file" else value.decode() for name, value in plain.items()}


class _Handler(BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1  # an answer goes in one packet: two wait for each other for 40 ms

    def log_message(self, *words):
        pass

    def _serve(self):
        cluster, url = self.server.cluster, urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path).removeprefix("/hopsworks-api/api")
        with_key = self.headers.get("Authorization") == f"ApiKey {cluster.key}"
        cluster.requests.append((self.command, path, with_key))
        fault = cluster.fault(f"{self.command} {path}")
        if fault and fault.what in ("timeout", "cut"):
            if fault.what == "timeout":
                cluster.stopped.wait(60)
            self.close_connection = True
            return
        query = {name: values[0] for name, values in urllib.parse.parse_qs(url.query).items()}
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        request = Request(self.command, path, query, body, self.headers.get("content-type", ""))
        try:
            if not with_key:
                raise RefusedError(401, 320004, "Could not authenticate the API key")
            if fault and isinstance(fault.what, int):
                raise RefusedError(fault.what, 0, "a fault of the tests", fault.headers)
            status, headers, said = 200, {}, answer(cluster, request)
        except RefusedError as refused:
            status, headers, said = refused.status, refused.headers, refused.body
        if fault and fault.what == "stale listing":
            said = {"items": [], "count": 0}
        if fault and fault.what == "lost":
            self.close_connection = True
            return
        self._say(status, headers, said, cut=bool(fault and fault.what == "cut answer"))

    def _say(self, status, headers, said, cut):
        content = said if isinstance(said, bytes) else b"" if said is None else json.dumps(said).encode()
        self.send_response(status)
        for name, value in {**headers, "content-length": len(content)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = self.close_connection or cut

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815
