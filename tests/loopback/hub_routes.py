"""The routes of the loopback Hub, as the real client asks for them."""

import base64
import hashlib
import json
import re
import socket
import struct
import urllib.parse
from http.server import BaseHTTPRequestHandler

from tests.loopback.hub import KINDS, LARGE, RefusedError, Repo

API = re.compile(r"/api/(models|datasets|spaces)/([^/]+/[^/]+)(/.*)?$")
RESOLVE = re.compile(r"/(?:(datasets|spaces)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")
BATCH = re.compile(r"/(?:(datasets|spaces)/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch$")


def git_sha1(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer leaves in one packet: no waiting for delayed acknowledgements
    hub = None  # set by HubServer

    def log_message(self, *_):
        pass

    def go(self):
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        self.hub.requests.append((self.command, self.path, bool(self.headers.get("Authorization"))))
        fault = self.hub.fault(f"{self.command} {path}")
        try:
            if fault and self._fails(fault, path, query):
                return
            self._route(path, query, self._body())
        except RefusedError as refused:
            if refused.status == 404 and refused.headers["X-Error-Code"] == "RepoNotFound" and not self._told():
                refused.status = 401  # strangers must not learn what is private
            self._body()
            self._answer(refused.body, refused.status, refused.headers)
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = go  # noqa: N815 - names of http.server

    def _fails(self, fault, path, query):
        """Fail as told; return whether that was all."""
        if fault.what == "timeout":
            self.hub.silence()
        elif fault.what == "cut":
            self.rfile.read1(1 + int(self.headers.get("Content-Length") or 0) // 2)
        elif fault.what == "lost":
            answer, self._answer = self._answer, lambda *_, **__: None
            self._route(path, query, self._body())
            self._answer = answer
        elif fault.what == "cut answer":
            self.cut_answer = True
            return False
        else:
            raise RefusedError(fault.what, message=f"told to answer {fault.what}", headers=fault.headers)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
        return True

    def _body(self):
        if not hasattr(self, "_read"):
            self._read = (
                self._chunks()
                if "chunked" in self.headers.get("Transfer-Encoding", "")
                else self.rfile.read(int(self.headers.get("Content-Length") or 0))
            )
        return self._read

    def _chunks(self):
        body = b""
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def handle_one_request(self):
        self.__dict__.pop("_read", None)
        super().handle_one_request()

    def _answer(self, value=None, status=200, headers=None, raw=None):
        body = json.dumps({} if value is None else value).encode() if raw is None else raw
        self.send_response(status)
        for name, one in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, one)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.__dict__.pop("cut_answer", False):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(body)

    def _told(self):
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _may(self, write, repo=None):
        """Refuse whoever has no token that allows this."""
        told = self._told()
        if told and told not in (self.hub.token, self.hub.read_token):
            raise RefusedError(401, "", "Invalid credentials in Authorization header")
        if write and not told:
            raise RefusedError(401, "", "Invalid username or password.")
        if write and told == self.hub.read_token:
            raise RefusedError(403, "", "Forbidden: you must use a write token")
        if repo is not None and repo.private and not told:
            raise RefusedError(401, "RepoNotFound", "Repository not found")

    def _route(self, path, query, body):
        if found := RESOLVE.match(path):
            return self._resolve(KINDS[found[1] or "models"], found[2], found[3], found[4])
        if found := BATCH.match(path):
            return self._batch(self.hub.repo(KINDS[found[1] or "models"], found[2]), json.loads(body))
        if path.startswith("/lfs/"):
            return self._large_file(path.removeprefix("/lfs/"), body)
        if found := re.match(r"/api/(models|datasets|spaces)$", path):
            return self._list(KINDS[found[1]], query)
        if found := API.match(path):
            return self._repo(KINDS[found[1]], found[2], found[3] or "", query, body)
        return self._account(path, body)

    def _account(self, path, body):
        if path == "/api/validate-yaml":
            return self._answer({"errors": [], "warnings": []})
        self._may(write=True)
        told = json.loads(body)
        kind, name = told.get("type", "model"), f"{told.get('organization') or self.hub.owner}/{told['name']}"
        if path == "/api/repos/create":
            return self._create(kind, name, told)
        if path == "/api/repos/delete":
            self.hub.repo(kind, name)
            del self.hub.repos[kind, name]
            return self._answer({})
        raise RefusedError(404, "", f"no route {self.command} {path}")

    def _create(self, kind, name, told):
        url = f"{self.hub.url}/{'' if kind == 'model' else kind + 's/'}{name}"
        if name.partition("/")[0] != self.hub.owner:
            raise RefusedError(403, "", f"You don't have the rights to create a {kind} under this namespace")
        with self.hub.lock:
            if (kind, name) in self.hub.repos:
                self._answer({"error": "You already created this repo", "url": url}, 409)
                return
            repo = self.hub.create(kind, name, told.get("visibility") == "private" or bool(told.get("private")))
            repo.space.sdk, repo.space.hardware = told.get("sdk") or "", told.get("hardware") or "cpu-basic"
            for kept, entries in ((repo.space.secrets, "secrets"), (repo.space.variables, "variables")):
                kept.update({entry["key"]: entry["value"] for entry in told.get(entries) or []})
        self._answer({"url": url, "name": name, "id": name})

    def _list(self, kind, query):
        self._may(write=False)
        named = [
            repo
            for (one, name), repo in sorted(self.hub.repos.items())
            if one == kind
            and (not query.get("author") or name.startswith(query["author"] + "/"))
            and query.get("search", "") in name
        ]
        self._answer([self._info(repo, *repo.files()) for repo in named])

    def _repo(self, kind, name, rest, query, body):
        repo = self.hub.repo(kind, name)
        self._may(write=self.command != "GET" and not rest.startswith("/paths-info/"), repo=repo)
        verb, _, argument = rest.removeprefix("/").partition("/")
        if kind == "space" and verb in SPACES:
            from tests.loopback.hub_spaces import answer

            return answer(self, repo, verb, argument, json.loads(body or b"{}"))
        if verb in ("", "revision"):
            return self._answer(self._info(repo, *repo.files(argument or "main")))
        return getattr(self, f"_{verb.replace('-', '_')}")(repo, argument, json.loads(body) if verb in JSON else body)

    def _info(self, repo: Repo, oid, files):
        said = {
            "_id": oid[:24],
            "id": repo.name,
            "sha": oid,
            "private": repo.private,
            "disabled": False,
            "gated": False,
        }
        said |= {"author": self.hub.owner, "tags": [], "likes": 0, "lastModified": "2026-11-20T00:00:00.000Z"}
        said |= {"siblings": [{"rfilename": path} for path in sorted(files)], "createdAt": "2026-11-20T00:00:00.000Z"}
        if repo.kind == "space":
            from tests.loopback.hub_spaces import host, runtime

            said |= {
                "sdk": repo.space.sdk,
                "host": host(self.hub, repo),
                "runtime": runtime(repo),
                "subdomain": "loopback",
            }
        return said

    def _preupload(self, repo, revision, told):
        _, there = repo.files(revision)
        self._answer({"files": [self._mode(there, file["path"]) for file in told["files"]]})

    def _mode(self, there, path):
        large, oid = path.endswith(LARGE), None
        if path in there:
            oid = there[path] if large else git_sha1(self.hub.content(there[path]))
        return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}

    def _batch(self, repo, told):
        self._may(write=True, repo=repo)
        objects = []
        for one in told["objects"]:
            target = f"{self.hub.url}/lfs/{one['oid']}"
            missing = (
                {}
                if self.hub.has(one["oid"])
                else {"actions": {"upload": {"href": target}, "verify": {"href": target}}}
            )
            objects.append({**one, "authenticated": True, **missing})
        self._answer({"transfer": "basic", "objects": objects})

    def _large_file(self, oid, body):
        if self.command == "PUT":
            if hashlib.sha256(body).hexdigest() != oid:
                raise RefusedError(400, "", "The content is not that of its oid")
            self.hub.keep(body)
        elif not self.hub.has(oid):
            raise RefusedError(404, "", "Object not found")
        self._answer({})

    def _commit(self, repo, branch, body):
        lines = [json.loads(line) for line in body.splitlines() if line.strip()]
        header = next(line["value"] for line in lines if line["key"] == "header")
        with self.hub.lock:
            head, files = repo.files(branch)
            if header.get("parentCommit") not in (None, head):
                raise RefusedError(412, "", "A commit has happened since. Please refresh and try again.")
            after = self._applied(dict(files), [line for line in lines if line["key"] != "header"])
            oid = self.hub.new_oid()
            repo.add(oid, header["summary"], after, branch)
            if repo.kind == "space":
                from tests.loopback.hub_spaces import builds

                builds(self.hub, repo)
        self._answer({"success": True, "commitOid": oid, "commitUrl": f"{self.hub.url}/{repo.name}/commit/{oid}"})

    def _applied(self, files, lines):
        for key, value in ((line["key"], line["value"]) for line in lines):
            if key == "deletedFile" and value["path"] not in files:
                raise RefusedError(404, "EntryNotFound", "A file with this name doesn't exist")
            if key == "deletedFile":
                del files[value["path"]]
            elif key == "deletedFolder":
                files = {
                    path: one for path, one in files.items() if not path.startswith(value["path"].rstrip("/") + "/")
                }
            elif key == "lfsFile":
                if not self.hub.has(value["oid"]):
                    raise RefusedError(400, "", f"LFS pointer of {value['path']} pointed to a file that does not exist")
                files[value["path"]] = value["oid"]
            else:
                files[value["path"]] = self.hub.keep(base64.b64decode(value["content"]))
        return files

    def _refs(self, repo, _argument, _body):
        refs = {"branches": ("heads", repo.branches), "tags": ("tags", repo.tags)}
        said = {
            name: [{"name": one, "ref": f"refs/{kind}/{one}", "targetCommit": oid} for one, oid in kept.items()]
            for name, (kind, kept) in refs.items()
        }
        self._answer({**said, "converts": []})

    def _branch(self, repo, name, body):
        with self.hub.lock:
            if self.command == "DELETE":
                if repo.branches.pop(name, None) is None:
                    raise RefusedError(404, "RevisionNotFound", f"Invalid rev id: {name}")
            elif name in repo.branches:
                raise RefusedError(409, "", f"Reference already exists: refs/heads/{name}")
            else:
                repo.branches[name] = repo.files(json.loads(body or b"{}").get("startingPoint") or "main")[0]
        self._answer({})

    def _tree(self, repo, argument, _body):
        revision, _, folder = argument.partition("/")
        _, files = repo.files(revision)
        within = {path: one for path, one in files.items() if not folder or path.startswith(folder.rstrip("/") + "/")}
        if folder and not within:
            raise RefusedError(404, "EntryNotFound", f"{folder} does not exist on {revision}")
        self._answer([self._entry(path, sha256) for path, sha256 in sorted(within.items())])

    def _paths_info(self, repo, revision, body):
        _, files = repo.files(revision)
        wanted = json.loads(body)["paths"]
        self._answer([self._entry(path, files[path]) for path in wanted if path in files])

    def _entry(self, path, sha256):
        content = self.hub.content(sha256)
        entry = {"type": "file", "path": path, "size": len(content), "oid": git_sha1(content)}
        return entry | (
            {"lfs": {"oid": sha256, "size": len(content), "pointerSize": 130}} if path.endswith(LARGE) else {}
        )

    def _commits(self, repo, revision, _body):
        oid, _ = repo.files(revision)
        said = []
        while oid:
            one = repo.commits[oid]
            said.append(
                {"id": oid, "title": one.title, "message": "", "date": "2026-11-20T00:00:00.000Z", "authors": []}
            )
            oid = one.parent
        self._answer(said)

    def _settings(self, repo, _argument, told):
        repo.private = told.get("visibility", "private" if repo.private else "public") == "private"
        self._answer({})

    def _resolve(self, kind, name, revision, path):
        repo = self.hub.repo(kind, name)
        self._may(write=False, repo=repo)
        oid, files = repo.files(revision)
        if path not in files:
            raise RefusedError(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": oid})
        content = self.hub.content(files[path])
        headers = {"ETag": f'"{git_sha1(content)}"', "X-Repo-Commit": oid, "Content-Type": "application/octet-stream"}
        self._answer(raw=content, headers=headers)


JSON = ("preupload", "settings")
SPACES = ("secrets", "variables", "runtime", "restart", "hardware", "logs", "pause", "sleeptime")
