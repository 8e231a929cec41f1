"""One environment of somebody's account on Modal: what is there of ours, and the way to put it there and remove it.

What was deployed is recorded in a Dict: Modal says that an app runs, not what of the repository went into it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import modal
from modal import exception as vendor

from functions._timetable import NAME, ROOT, record_key, timetable
from shared.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOY_S = 1800  # building a new image takes minutes
TOKENS = "https://modal.com/settings/tokens"


class Account:
    """Nothing is kept here between two questions; every one is asked anew."""

    def __init__(self, environment: str) -> None:
        """Prepare; "" is the account's own default environment."""
        self._environment = environment or None

    def app(self, name: str) -> modal.App | None:
        """Return the app if it runs."""
        with _asking(self._environment):
            try:
                return modal.App.lookup(name, environment_name=self._environment)
            except vendor.NotFoundError:
                return None

    def deploy(self, name: str, deployed: str) -> str:
        """Deploy a system's app with the real client, in a process that loads nothing of another deployment.

        Raises:
            BackendError: Modal refused, or took too long.
        """
        words = [sys.executable, "-m", "modal", "deploy", "-m", f"functions.{name}"]
        words += ["--env", self._environment] if self._environment else []
        settings = {**os.environ, "ALMANAC_ENV": deployed}  # noqa: TID251 - handed on, not read
        try:
            ran = subprocess.run(words, cwd=ROOT, env=settings, capture_output=True, timeout=DEPLOY_S, check=False)
        except subprocess.TimeoutExpired as cause:
            raise BackendError(f"{name}: Modal did not deploy it within {DEPLOY_S} s; run it again to go on") from cause
        if ran.returncode:
            raise BackendError(f"{name} was not deployed. Modal says: {_last_words(ran.stdout + ran.stderr)}")
        crons = [stage["cron"] for stage in timetable().get(name, {}).values() if "cron" in stage]
        return f"runs at {', '.join(crons)}" if crons else "runs when called"

    def stop(self, name: str) -> str:
        """Stop the app, if it runs, and forget what went into it."""
        found = self.app(name)
        with _asking(self._environment):
            if found is not None:
                found.stop()
        self._forget("app", name)
        return "stopped"

    def volumes(self) -> frozenset[str]:
        """Return the names of the volumes there are."""
        with _asking(self._environment):
            found = modal.Volume.objects.list(environment_name=self._environment or "")
        return frozenset(str(one.name) for one in found)

    def make_volume(self, name: str) -> str:
        """Make the volume, unless it is there."""
        with _asking(self._environment):
            modal.Volume.objects.create(name, environment_name=self._environment, allow_existing=True)
        return "made, empty"

    def remove_volume(self, name: str) -> str:
        """Remove the volume with all that is stored on it."""
        with _asking(self._environment, f"modal volume delete {name}"):
            modal.Volume.objects.delete(name, environment_name=self._environment, allow_missing=True)
        return "removed, with all that was stored on it"

    def has_secret(self, name: str, keys: tuple[str, ...] = ()) -> bool:
        """Return whether the secret is there, with these keys."""
        wanted = modal.Secret.from_name(name, environment_name=self._environment, required_keys=list(keys))
        with _asking(self._environment):
            try:
                wanted.hydrate()
            except (vendor.NotFoundError, vendor.InvalidError):  # the second: it is there, without a key
                return False
        return True

    def put_secret(self, name: str, values: dict[str, str]) -> None:
        """Create the secret or update it; keys it has beside these stay as they are."""
        there = self.has_secret(name)
        with _asking(self._environment, f"modal secret create --force {name} {' '.join(f'{key}=…' for key in values)}"):
            if there:
                modal.Secret.from_name(name, environment_name=self._environment).hydrate().update(values)
            else:
                modal.Secret.objects.create(name, values, environment_name=self._environment)

    def remove_secret(self, name: str) -> str:
        """Remove the secret, and forget what was known of it."""
        with _asking(self._environment, f"modal secret delete {name}"):
            modal.Secret.objects.delete(name, environment_name=self._environment, allow_missing=True)
        self._forget("secret", name)
        return "removed"

    def has_dict(self) -> bool:
        """Return whether the Dict is there."""
        with _asking(self._environment):
            try:
                modal.Dict.from_name(NAME, environment_name=self._environment).hydrate()
            except vendor.NotFoundError:
                return False
        return True

    def make_dict(self, name: str = NAME) -> str:
        """Make the Dict, unless it is there."""
        with _asking(self._environment):
            modal.Dict.objects.create(name, environment_name=self._environment, allow_existing=True)
        return "made"

    def remove_dict(self, name: str = NAME) -> str:
        """Empty the Dict, and remove it where that can be done."""
        with _asking(self._environment):
            self._dict().clear()
            try:
                modal.Dict.objects.delete(name, environment_name=self._environment, allow_missing=True)
            except vendor.UnimplementedError:
                return "emptied; this control plane removes none"
        return "removed"

    def records(self) -> dict[str, Any]:
        """Return what the Dict holds, by key: leases, and what was deployed."""
        if not self.has_dict():
            return {}
        with _asking(self._environment):
            return dict(self._dict().items())

    def record(self, kind: str, name: str, facts: dict[str, Any]) -> None:
        """Keep what was deployed just now."""
        on = datetime.now(UTC).date().isoformat()  # noqa: TID251 - when it was deployed
        with _asking(self._environment):
            self._dict().put(record_key(kind, name), {**facts, "at": on})

    def _forget(self, kind: str, name: str) -> None:
        if self.has_dict():
            with _asking(self._environment):
                self._dict().pop(record_key(kind, name), None)

    def _dict(self) -> modal.Dict:
        return modal.Dict.from_name(NAME, environment_name=self._environment, create_if_missing=True)


@contextmanager
def _asking(environment: str | None, by_hand: str = "") -> Iterator[None]:
    """Turn Modal's errors into ours; ``by_hand`` is the command that does the same."""
    try:
        yield
    except vendor.AuthError as cause:
        raise BackendError(f"Modal refused the token; make a new one: {TOKENS}, or `modal setup`") from cause
    except vendor.UnimplementedError as cause:
        raise BackendError(f"this control plane cannot do that ({cause}); by hand: {by_hand or 'no way'}") from cause
    except vendor.NotFoundError as cause:
        where = f"; make the environment with `modal environment create {environment}`" if environment else ""
        raise BackendError(f"Modal does not know it: {cause}{where}") from cause
    except (vendor.Error, OSError) as cause:
        raise BackendError(f"Modal did not do it: {cause}. Try again") from cause


def _last_words(output: bytes) -> str:
    """Return what a command said last, without the frames that are drawn around it."""
    lines = [line.strip(" │╭╮╰╯─") for line in output.decode(errors="replace").splitlines()]
    return " ".join([line for line in lines if line][-4:])
