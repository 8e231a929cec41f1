"""Spaces on a Hugging Face account: found, made, filled by one commit, waited for, asked whether they answer.

    find ──► create ──► settings ──► upload (one commit: the files that differ, and deletions) ──► runs ──► answers

Nothing here uploads a folder: whoever calls names each file.
"""

from __future__ import annotations

import itertools
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import httpx
from huggingface_hub.errors import HfHubHTTPError

from shared.adapters.hub.account import Repo
from shared.adapters.hub.answering import NOT_YET, first_answer, static_answer
from shared.errors import BackendError, NotYetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from shared.adapters.hub.account import HubAccount, Kind

BUILD_S, EVERY_S = 900.0, 3.0  # how long a build may take, and how often it is asked for
ANSWER_S = 120.0  # how long a page that runs may take until it answers
ENDS = frozenset({"RUNNING", "SLEEPING"})  # a visit wakes who sleeps
BROKEN = frozenset({"BUILD_ERROR", "RUNTIME_ERROR", "CONFIG_ERROR", "NO_APP_FILE", "STOPPED", "PAUSED"})
LOG_LINES, LINE = 15, 200  # of a Space's log in a message
FREE_GPU = "zero-a10g"  # ZeroGPU, the one hardware on which a free account may have a Gradio Space


@dataclass(frozen=True)
class Found:
    """A Space as it is: ``files`` path → git's id of the content; ``secrets`` are names."""

    head: str
    private: bool
    stage: str
    files: Mapping[str, str]
    variables: Mapping[str, str]
    secrets: frozenset[str]


class PaidError(BackendError):
    """This account may not have what was asked for; a paid plan might."""


class HubSpaces:
    """The Spaces that an account may write to, and the repositories that their pages read.

    Args:
        account: whose.
        sleep: waits so many seconds; tests give one that does not.
    """

    def __init__(self, account: HubAccount, sleep: Callable[[float], None] = time.sleep) -> None:
        self._account, self._sleep = account, sleep

    def names(self, kind: Kind, prefix: str) -> list[str]:
        """Return the account's repositories whose full names begin with ``prefix``."""
        return self._account.names(kind, prefix)

    def is_private(self, kind: Kind, name: str) -> bool:
        """Return whether a repository is there and private."""
        try:
            info = self._account.call(f"read {name}", self._account.api.repo_info, name, repo_type=kind)
        except NotYetError:
            return False
        return bool(info.private)

    def is_refusal(self, failure: BaseException) -> bool:
        """Return whether an error says that this account may not have what was asked for."""
        return isinstance(failure, PaidError)

    def find(self, name: str) -> Found | None:
        """Return a Space as it is, None where there is none. Settings are known to who may write alone."""
        account, api = self._account, self._account.api
        try:
            info = account.call(f"read the Space {name}", api.space_info, name)
        except NotYetError:
            return None
        stage = account.call(f"read the Space {name}", api.get_space_runtime, name).stage
        files, variables, secrets = account.files(Repo("space", name), str(info.sha)), {}, frozenset[str]()
        if account.can_write:
            kept = account.call(f"read the variables of {name}", api.get_space_variables, name)
            variables = {key: one.value for key, one in kept.items()}
            secrets = frozenset(account.call(f"read the secrets' names of {name}", api.get_space_secrets, name))
        return Found(str(info.sha), bool(info.private), str(stage), files, variables, secrets)

    def text(self, kind: Kind, name: str, path: str) -> str:
        """Return a small text file of a repository, "" where it holds none of that name."""
        try:
            return self._account.text(Repo(kind, name), path)
        except NotYetError:
            return ""

    def create(self, name: str, sdk: Literal["gradio", "static"], *, private: bool, free_gpu: bool = False) -> bool:
        """Make an empty Space; return False where it was there already.

        Raises:
            PaidError: this account may not have one of that kind, by its plan or by its token.
            BackendError: it cannot be made.
        """
        hardware = {"space_hardware": FREE_GPU} if free_gpu else {}
        try:
            return self._account.create(Repo("space", name), private, space_sdk=sdk, **hardware)
        except BackendError as failure:
            if _status(failure.__cause__) in (402, 403):
                raise PaidError(str(failure)) from failure.__cause__
            raise

    def set(self, name: str, variables: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        """Set these variables and secrets; others stay. The Hub restarts the Space by itself."""
        call, api = self._account.call, self._account.api
        for key, value in variables.items():
            call(f"set {key} of {name}", api.add_space_variable, name, key, value)
        for key, value in secrets.items():
            call(f"set the secret {key} of {name}", api.add_space_secret, name, key, value)

    def upload(self, name: str, parent: str, adds: Mapping[str, bytes], deletes: Iterable[str], message: str) -> str:
        """Bring these files, and delete those, in one commit on ``parent``; return it. The Hub then builds anew."""
        return self._account.commit(Repo("space", name), message, adds, deletes, parent)

    def restart(self, name: str) -> None:
        """Build and start a Space anew, as after an error or a pause."""
        self._account.call(f"restart {name}", self._account.api.restart_space, name, factory_reboot=True)

    def make(self, kind: Kind, name: str, card: str) -> bool:
        """Make a data set or model repository that holds a README.md; return False where one was there already."""
        made = self._account.create(Repo(kind, name))
        if not self.text(kind, name, "README.md"):
            self._account.commit(Repo(kind, name), "Almanac begins", {"README.md": card.encode()})
        return made

    def remove(self, kind: Kind, name: str) -> None:
        """Delete a repository with all it holds."""
        self._account.delete(Repo(kind, name))

    def runs(self, name: str) -> None:
        """Return when the newest commit of the Space runs.

        Raises:
            BackendError: it came to an error, with the last lines of its log; or it did not run in time.
        """
        head, call = self._account.head(Repo("space", name)), self._account.call
        for _ in range(max(1, round(BUILD_S / EVERY_S))):
            runtime = call(f"read the Space {name}", self._account.api.get_space_runtime, name)
            built = runtime.raw.get("sha") or head  # a build before this one may still be running
            if runtime.stage in ENDS and built == head:
                return
            if runtime.stage in BROKEN:
                raise BackendError(f"the Space {name} came to {runtime.stage}{self._log(name, runtime.stage)}")
            self._sleep(EVERY_S)
        raise BackendError(f"the Space {name} is still {runtime.stage}; see {_page(name)} and run the same again")

    def answers(self, name: str) -> str:
        """Return what a page says to a visitor's first call, as soon as it says something.

        Raises:
            BackendError: it did not answer in time, or with an error of its own.
        """
        info = self._account.call(f"read the Space {name}", self._account.api.space_info, name)
        token = self._account.api.token if info.private else None  # only who may see it sees a private page
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with httpx.Client(base_url=str(info.host), headers=headers, timeout=30, follow_redirects=True) as client:
            for waited in itertools.count():
                try:
                    return static_answer(client) if info.sdk == "static" else first_answer(client)
                except NOT_YET as failure:
                    if waited * EVERY_S >= ANSWER_S:
                        why = f"runs, but does not answer ({type(failure).__name__})"
                        raise BackendError(f"the Space {name} {why}: {_page(name)}") from None
                except BackendError as failure:
                    raise BackendError(f"the Space {name} runs, but {failure}: {_page(name)}?logs=container") from None
                self._sleep(EVERY_S)
        raise AssertionError  # the loop above has no end of its own

    def _log(self, name: str, stage: str) -> str:
        """Return the last lines of a Space's log for a message, without what looks like a token."""
        build = stage == "BUILD_ERROR"
        try:
            lines = self._account.call("read a log", lambda: [*self._account.api.fetch_space_logs(name, build=build)])
        except BackendError:
            return f"; its log: {_page(name)}?logs=container"
        told = "".join(f"\n    {line.rstrip()[:LINE]}" for line in lines[-LOG_LINES:])
        return f"; mend it and deploy again. Its log ends with:{re.sub(r'hf_[A-Za-z0-9]+', 'hf_…', told)}"


def _status(failure: BaseException | None) -> int:
    return failure.response.status_code if isinstance(failure, HfHubHTTPError) else 0


def _page(name: str) -> str:
    return f"https://huggingface.co/spaces/{name}"
