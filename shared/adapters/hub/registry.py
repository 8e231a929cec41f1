"""The model registry on the Hub: a repository a model, ``<version>/model.json`` and ``<version>/files/`` in it.

    save: hash ─► newest head ─► next free number ─► one commit {files, model.json, README.md} if the head is still that
    load: is it there? ─► fetched once into the cache, beside and renamed ─► every hash checked

A version is one commit, so it is whole or not there; two trainers at once get two numbers. A version never changes: one
that was fetched serves also while the Hub is out of reach.
"""

from __future__ import annotations

import logging
import shutil
import time
import uuid
from dataclasses import asdict
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from shared.adapters import modelfiles
from shared.adapters.hub import cards
from shared.adapters.hub.account import MovedError, Repo
from shared.errors import BackendError, BusyError, NotYetError
from shared.ports import ModelVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from shared.adapters.hub.account import HubAccount
    from shared.ports import ModelRegistry, NewModel

TRIES = 20  # heads that may move under a save
ASKED = "asked"  # the file beside a fetched version whose time says when it was last asked for
log = logging.getLogger("almanac")


class HubRegistry:
    """A ModelRegistry in repositories ``<prefix>-<name>``, such as ``jane/almanac-demo-iris``.

    Args:
        account: whose they are; loading from public ones needs no token.
        prefix: what their names begin with.
        cache: folder of this machine for what was loaded.
        fresh_s: for how long a version fetched once is taken without asking, as ``HubStore`` has it; pages say 60.
    """

    def __init__(self, account: HubAccount, prefix: str, cache: Path, *, fresh_s: float = 0) -> None:
        self._account, self._prefix, self._cache, self._fresh_s = account, prefix, cache, fresh_s

    def save(self, model: NewModel) -> ModelVersion:
        number = self._put(model, modelfiles.hashes(model.folder))
        return self.load(model.name, number)

    def mirror(self, origin: ModelRegistry, name: str, version: int) -> bool:
        """Put another registry's version here under its own number; return False where it is there already."""
        if version in self.versions(name):
            return False
        model = origin.load(name, version)
        self._put(model, model.files, version)
        return True

    def load(self, name: str, version: int) -> ModelVersion:
        home = self._cache / modelfiles.named(name) / str(version)
        if self._is_fresh(home):
            return modelfiles.opened(home, name, version)
        try:
            there = self._account.files(self.repo(name))
        except BackendError as failure:
            if not home.is_dir():
                raise
            log.warning("model %s: taking version %d as it was fetched before. %s", name, version, failure)
            (home / ASKED).touch()
            return modelfiles.opened(home, name, version)
        facts = f"{version}/model.json"
        if facts not in there:
            known = f"versions {_numbers(there)}" if _numbers(there) else "no version yet"
            raise NotYetError(f"model {name!r} has {known}, not {version}; run its stage train, or export")
        if _git_hash(home / "model.json") != there[facts]:
            self._fetch(self.repo(name), [path for path in there if path.startswith(f"{version}/")], home)
        (home / ASKED).touch()
        return modelfiles.opened(home, name, version)

    def signature(self, name: str, version: int) -> dict[str, Any]:
        fetched = self._cache / modelfiles.named(name) / str(version) / "model.json"
        if fetched.is_file():  # that of a version never changes
            return modelfiles.signature(fetched.read_text())
        return modelfiles.signature(self._account.text(self.repo(name), f"{version}/model.json"))

    def versions(self, name: str) -> list[int]:
        return _numbers(self._account.files(self.repo(name)))

    def repo(self, name: str) -> Repo:
        """Return the repository of a model.

        Raises:
            SchemaError: the name is no identifier.
        """
        return Repo("model", f"{self._prefix}-{modelfiles.named(name)}")

    def _put(self, model: NewModel, hashes: Mapping[str, str], number: int = 0) -> int:
        """Commit the model as ``number``, the next free one unless told; return it."""
        repo, described = self.repo(model.name), modelfiles.described(model, hashes)
        saving = uuid.uuid4().hex  # makes the commit another one than that of who saves the same at the same time
        for _ in range(TRIES):
            if not (head := self._account.head(repo)):
                self._account.create(repo)
                head = self._account.head(repo)
            numbers = _numbers(self._account.files(repo, head))
            chosen = number or max(numbers, default=0) + 1
            adds: dict[str, bytes | Path] = {f"{chosen}/files/{path}": model.folder / path for path in hashes}
            adds |= {
                f"{chosen}/model.json": described.encode(),
                "README.md": self._card(model, [*numbers, chosen], saving),
            }
            try:
                self._account.commit(repo, f"version {chosen}", adds, parent=head)
            except MovedError:
                continue
            return chosen
        raise BusyError(f"others save to {repo.name} all the time; run the same command again")

    def _card(self, model: NewModel, numbers: Iterable[int], saving: str) -> bytes:
        versions = sorted(set(numbers))
        newest = ModelVersion(**{**asdict(model), "folder": model.folder, "version": versions[-1]})
        return f"{cards.model(f'{self._prefix}-{model.name}', newest, versions)}\n<!-- {saving} -->\n".encode()

    def _fetch(self, repo: Repo, paths: Iterable[str], home: Path) -> None:
        """Bring a version into the cache, beside and renamed."""
        beside = home.with_name(f".new-{uuid.uuid4().hex}")
        head = self._account.head(repo)
        try:
            for path in paths:
                self._account.fetch(repo, path, head, beside / path.partition("/")[2])
            if home.exists() and _git_hash(home / "model.json") != _git_hash(beside / "model.json"):
                shutil.rmtree(home)  # of a repository of the same name that was there before
            try:
                beside.rename(home)
            except OSError:
                if not home.is_dir():  # else another thread or process was faster
                    raise
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _is_fresh(self, home: Path) -> bool:
        asked = home / ASKED
        return bool(self._fresh_s) and asked.exists() and time.time() - asked.stat().st_mtime < self._fresh_s


def _numbers(paths: Iterable[str]) -> list[int]:
    """Return the versions that are whole.

    >>> _numbers(["README.md", "2/model.json", "10/model.json", "3/files/model.onnx"])
    [2, 10]
    """
    folders = [path.removesuffix("/model.json") for path in paths if path.endswith("/model.json")]
    return sorted(int(folder) for folder in folders if folder.isdigit())


def _git_hash(path: Path) -> str:
    """Return a file's hash as git counts it, "" where there is none."""
    if not path.exists():
        return ""
    content = path.read_bytes()
    return sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
