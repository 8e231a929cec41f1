"""An account on Hugging Face: the real client behind time-outs, bounded retries and our errors.

    call ──► huggingface_hub ──► one HTTP attempt ──┬─ answer
                  ▲                                 ├─ 408, 429, 5xx, no answer ──► wait, again (at most TRIES)
                  └─────────────────────────────────┘─ 401, 403, 404, 409, 412 ──► an error of ours

The client itself sets no time-out, and waits for a "Retry-After" of any length; so its HTTP session is replaced by one
that makes one bounded attempt where the call is ours. Everything asked here may be asked twice: reads, uploads by
hash, commits with a parent (the second one is told that the head has moved).

Large files go by HTTP (LFS), not by Xet: one path, with our time-outs, that a loopback server can show.
"""

from __future__ import annotations

import io
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from shared.adapters.hub.session import TIMEOUT_S, AgainError, asked_once, prepare, wait_s
from shared.errors import BackendError, NotYetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

TRIES = 5
HASTY_S = 5.0
TOKENS = "https://huggingface.co/settings/tokens"

Result = TypeVar("Result")
Kind = Literal["dataset", "model", "space"]


@dataclass(frozen=True)
class Repo:
    """A repository: what it holds and its full name, such as ``jane/almanac-demo``."""

    kind: Kind
    name: str

    @property
    def url(self) -> str:
        """Where a person finds it."""
        folder = "" if self.kind == "model" else f"{self.kind}s/"
        return f"https://huggingface.co/{folder}{self.name}"


class MovedError(BackendError):
    """Somebody else committed first, or made what was to be made; nothing of ours was done."""


class HubAccount:
    """An account, with a token that may write or without one; nothing is asked before the first call.

    Args:
        endpoint: the Hub's address; "" is huggingface.co.
        token: "" for reading what is public. It is never taken from a login of this machine.
        tries: how often an attempt is made; pages, where somebody waits, try once.
        timeout_s: of one read or write on a connection.
        sleep: waits so many seconds; tests give one that does not.
    """

    def __init__(
        self,
        endpoint: str,
        token: str,
        *,
        tries: int = TRIES,
        timeout_s: float = TIMEOUT_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        prepare()
        self.endpoint = endpoint or constants.ENDPOINT
        self.can_write = bool(token)
        self.api = HfApi(endpoint=self.endpoint, token=token or False, library_name="almanac")
        self._tries, self._timeout_s, self._sleep = tries, timeout_s, sleep

    def __repr__(self) -> str:
        return f"HubAccount({self.endpoint!r})"  # never the token

    def __setstate__(self, state: dict[str, Any]) -> None:
        prepare()  # in another process
        self.__dict__.update(state)

    def hasty(self) -> HubAccount:
        """Return the same account for where somebody waits: one attempt of a few seconds."""
        return HubAccount(self.endpoint, str(self.api.token or ""), tries=1, timeout_s=HASTY_S, sleep=self._sleep)

    def call(self, doing: str, function: Callable[..., Result], *words: object, **options: Any) -> Result:
        """Return ``function(*words, **options)``, asked again where that may help. ``doing`` completes "could not …".

        Raises:
            NotYetError: there is no such repository, revision or file.
            MovedError: another head than the parent's, or it exists already.
            BackendError: it was refused, or no usable answer came; the message says what to do.
        """
        attempts = Retrying(
            retry=retry_if_exception_type(AgainError),
            stop=stop_after_attempt(self._tries),
            wait=wait_s,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            found: Result = attempts(asked_once, self._timeout_s, function, *words, **options)
        except AgainError as failure:
            raise BackendError(f"{self.endpoint} could not {doing}: {failure.told()}") from failure
        except HfHubHTTPError as failure:
            raise self._error(doing, failure) from failure
        except HFValidationError as failure:
            raise UsageError(f"{self.endpoint} could not {doing}: {failure}") from failure
        except (OfflineModeIsEnabled, ValueError) as failure:  # ValueError: an answer that is no JSON
            raise BackendError(f"{self.endpoint} could not {doing}: {failure}") from failure
        return found

    def create(self, repo: Repo, private: bool = False, **space: Any) -> bool:
        """Make the repository; return False where it was there already.

        Public unless told: what is in it was made for pages that anybody may open, and Spaces then need no token.

        Raises:
            BackendError: it cannot be made.
        """
        self._must_write(f"create {repo.name}")
        options = {"repo_type": repo.kind, "private": private, "exist_ok": False, **space}
        try:
            self.call(f"create {repo.name}", self.api.create_repo, repo.name, **options)
        except MovedError:
            return False
        return True

    def delete(self, repo: Repo) -> None:
        """Remove the repository with all it holds; it need not be there."""
        self._must_write(f"delete {repo.name}")
        self.call(f"delete {repo.name}", self.api.delete_repo, repo.name, repo_type=repo.kind, missing_ok=True)

    def head(self, repo: Repo, branch: str = "main") -> str:
        """Return the newest commit of a branch, "" where there is no such repository or branch."""
        try:
            info = self.call(f"read {repo.name}", self.api.repo_info, repo.name, repo_type=repo.kind, revision=branch)
        except NotYetError:
            return ""
        return str(info.sha)

    def files(self, repo: Repo, revision: str = "main") -> dict[str, str]:
        """Return path → hash of what the repository holds, as git or LFS count it; empty where there is none."""

        def listed() -> dict[str, str]:
            tree = self.api.list_repo_tree(repo.name, repo_type=repo.kind, revision=revision, recursive=True)
            found = [one for one in tree if isinstance(one, RepoFile)]
            return {one.path: one.lfs.sha256 if one.lfs else one.blob_id for one in found}

        try:
            return self.call(f"list {repo.name}", listed)
        except NotYetError:
            return {}

    def names(self, kind: Kind, prefix: str) -> list[str]:
        """Return the repositories whose full name begins with ``prefix`` (``jane/almanac``), by name."""
        owner, _, start = prefix.partition("/")
        lists: dict[str, Callable[..., Iterable[Any]]] = {
            "dataset": self.api.list_datasets,
            "model": self.api.list_models,
            "space": self.api.list_spaces,
        }
        found = self.call(f"list what {owner} has", lambda: [*lists[kind](author=owner, search=start)])
        return sorted(one.id for one in found if one.id.startswith(prefix))

    def fetch(self, repo: Repo, path: str, revision: str, into: Path) -> Path:
        """Write a file of a revision to ``into``, beside and renamed; return ``into``.

        Raises:
            NotYetError: there is no such file in it.
        """
        into.parent.mkdir(parents=True, exist_ok=True)
        self.call(f"give {path} of {repo.name}", self._download, repo, path, revision, into)
        return into

    def text(self, repo: Repo, path: str, revision: str = "main") -> str:
        """Return a small text file of a revision.

        Raises:
            NotYetError: there is no such file in it.
        """

        def read() -> str:
            response = get_session().get(self._address(repo, path, revision), headers=self._headers())
            hf_raise_for_status(response)
            return str(response.text)

        return self.call(f"give {path} of {repo.name}", read)

    def commit(
        self,
        repo: Repo,
        message: str,
        adds: Mapping[str, bytes | Path],
        deletes: Iterable[str] = (),
        parent: str | None = None,
        branch: str = "main",
    ) -> str:
        """Add and delete these files in one commit; return it. All of it is done or nothing.

        Raises:
            MovedError: the head is no longer ``parent``.
            NotYetError: there is no such repository, or a file to delete is not in it.
            BackendError: it was refused, or no answer came; whether it was done, the head tells.
        """
        self._must_write(f"write to {repo.name}")

        def sent() -> str:
            # Contents as streams: the client then takes plain HTTP also where Xet is installed.
            with ExitStack() as opened:
                streams = {path: opened.enter_context(_opened(what)) for path, what in adds.items()}
                added = {path: CommitOperationAdd(path, stream) for path, stream in streams.items()}
                for path in [path for path, what in adds.items() if not isinstance(what, bytes)][1:]:
                    # One by one: of several at once the client tries each six times in threads of its own.
                    self.api.preupload_lfs_files(
                        repo.name, [added[path]], repo_type=repo.kind, revision=branch, free_memory=False
                    )
                done = self.api.create_commit(
                    repo.name,
                    [*(CommitOperationDelete(path) for path in deletes), *added.values()],
                    commit_message=message,
                    repo_type=repo.kind,
                    revision=branch,
                    parent_commit=parent,
                )
            return str(done.oid)

        return self.call(f"write to {repo.name}", sent)

    def _download(self, repo: Repo, path: str, revision: str, into: Path) -> None:
        beside = into.with_name(f"{into.name}.{time.monotonic_ns()}.part")
        try:
            address, headers = self._address(repo, path, revision), self._headers()
            with get_session().stream("GET", address, headers=headers) as response, beside.open("wb") as file:
                hf_raise_for_status(response)
                for chunk in response.iter_bytes():
                    file.write(chunk)
            beside.replace(into)
        finally:
            beside.unlink(missing_ok=True)

    def _address(self, repo: Repo, path: str, revision: str) -> str:
        return hf_hub_url(repo.name, path, repo_type=repo.kind, revision=revision, endpoint=self.endpoint)

    def _headers(self) -> dict[str, str]:
        return dict(build_hf_headers(token=self.api.token, library_name="almanac"))

    def _must_write(self, doing: str) -> None:
        if not self.can_write:
            raise BackendError(
                f"{self.endpoint} could not {doing}: no HF_TOKEN in the environment; make one at {TOKENS}"
            )

    def _error(self, doing: str, failure: HfHubHTTPError) -> Exception:
        status, reason = failure.response.status_code, " ".join((failure.server_message or "").split())[:200]
        failed = f"{self.endpoint} could not {doing}"
        if status in (409, 412):
            return MovedError(f"{failed}: somebody else was faster ({reason})")
        if status == 402:
            return BackendError(f"{failed}: the account's plan does not have that ({reason})")
        if status == 404 or (status == 401 and not self.can_write):  # 401 is what the Hub tells strangers for both
            return NotYetError(f"{failed}: it is not there, or private")
        if status in (401, 403):
            return BackendError(f"{failed}: refused ({reason}); to write, HF_TOKEN needs write access: {TOKENS}")
        return BackendError(f"{failed}: HTTP {status} ({reason})")


def _opened(what: bytes | Path) -> BinaryIO:
    return io.BytesIO(what) if isinstance(what, bytes) else what.open("rb")
