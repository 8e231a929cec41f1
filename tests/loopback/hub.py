"""A stand-in for the Hugging Face Hub on loopback, for the real client: repositories, commits, files, Spaces, faults.

    with HubServer(folder) as hub:
        api = HfApi(endpoint=hub.url, token=hub.token)
        hub.fail(r"POST .*/commit/", 503, times=2)

As on the real Hub: a write without a token is a 401, a commit on another head than its parent's a 412, a new repository
begins with one commit, Parquet and ONNX go by LFS. Contents lie under ``folder`` by their sha256; everything else is
in memory. What is not shown: Xet, real builds, limits that nobody sets with ``fail``.
"""

import hashlib
import itertools
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer

from tests.loopback.faults import Faulty

KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
LARGE = (".parquet", ".onnx", ".ubj", ".safetensors", ".skops", ".png", ".gguf")
ATTRIBUTES = b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"


class RefusedError(Exception):
    """An answer that is an error, with the Hub's own headers."""

    def __init__(self, status, code="", message="", headers=None):
        super().__init__(status)
        self.status, self.headers = status, {"X-Error-Code": code, "X-Error-Message": message, **(headers or {})}
        self.body = {"error": message}


@dataclass
class Commit:
    oid: str
    title: str
    files: dict[str, str]  # path -> sha256
    parent: str


@dataclass
class Space:
    """What a Space has beside its files."""

    sdk: str = ""
    hardware: str = "cpu-basic"
    secrets: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    stage: str = "NO_APP_FILE"
    asks_left: int = 0  # how often it still says BUILDING
    comes_to: str = "RUNNING"
    restarts: int = 0
    log: list[str] = field(default_factory=list)


class Repo:
    def __init__(self, kind, name, private):
        self.kind, self.name, self.private, self.space = kind, name, private, Space()
        self.commits, self.branches, self.tags = {}, {}, {}

    def files(self, revision="main"):
        oid = self.branches.get(revision) or self.tags.get(revision) or revision
        if oid not in self.commits:
            raise RefusedError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return oid, self.commits[oid].files

    def add(self, oid, title, files, branch="main"):
        self.commits[oid] = Commit(oid, title, files, self.branches.get(branch, ""))
        self.branches[branch] = oid


class HubServer(Faulty):
    """The server; ``requests`` lists (method, path, whether a token came), ``owner`` whom ``token`` belongs to."""

    def __init__(self, folder, owner="jane"):
        self.owner, self.folder, self.requests, self.faults = owner, folder, [], []
        self.token, self.read_token = "hf_" + "loopback" * 4, "hf_" + "readonly" * 4
        self.repos, self.lock = {}, threading.RLock()
        self.space_asks, self.broken_spaces, self.space_host = 2, re.compile("$^"), ""  # builds; see spaces_come_to
        self._count = itertools.count(1)
        (folder / "objects").mkdir(parents=True, exist_ok=True)

    def __enter__(self):
        from tests.loopback.hub_routes import Handler

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": self}))
        self._server.daemon_threads, self._server.block_on_close = True, False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._stopped = threading.Event()
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def silence(self, seconds=60):
        """Say nothing until the server stops."""
        self._stopped.wait(seconds)

    def spaces_come_to(self, stage, host="", asks=2, names=""):
        """Let Spaces (those whose name matches) end in this stage after so many asks, and be found at ``host``."""
        self.space_asks, self.space_host = asks, host
        self.broken_spaces = re.compile(names or ".*") if stage != "RUNNING" else re.compile("$^")
        self.broken_stage = stage

    def repo(self, kind, name):
        if (kind, name) not in self.repos:
            raise RefusedError(404, "RepoNotFound", "Repository not found")
        return self.repos[kind, name]

    def create(self, kind, name, private=False):
        """Make a repository, with the first commit that the Hub makes in each."""
        with self.lock:
            made = self.repos[kind, name] = Repo(kind, name, private)
            made.add(self.new_oid(), "initial commit", {".gitattributes": self.keep(ATTRIBUTES)})
        return made

    def new_oid(self):
        return hashlib.sha1(f"{next(self._count)} {time.time_ns()}".encode()).hexdigest()

    def keep(self, content):
        """Store a content; return its sha256."""
        sha256 = hashlib.sha256(content).hexdigest()
        (self.folder / "objects" / sha256).write_bytes(content)
        return sha256

    def content(self, sha256):
        return (self.folder / "objects" / sha256).read_bytes()

    def has(self, sha256):
        return (self.folder / "objects" / sha256).exists()

    def tree(self, name, kind="dataset", revision="main"):
        """Return the contents of a repository's files by path."""
        _, files = self.repo(kind, name).files(revision)
        return {path: self.content(sha256) for path, sha256 in files.items()}

    def commits(self, name, kind="dataset"):
        """Return how many commits were made on main, the first one not counted."""
        repo, count = self.repo(kind, name), -1
        oid = repo.branches["main"]
        while oid:
            oid, count = repo.commits[oid].parent, count + 1
        return count
