"""Deploying to Modal: an app a system, the volumes they store on, one secret, and a Dict with leases and records.

    repository ──► fingerprint ┐
    Dict: what was deployed ───┴──► plan ──► `modal deploy`, in a process of its own ──► a new record in the Dict

The record says what of the repository went up. That an app runs, a volume or a secret is there, is asked of Modal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modal.config import config

from functions._deploy import fingerprint, modal_secrets
from functions._deploy.modal_account import TOKENS, Account
from functions._deploy.modal_secrets import NEW_TOKEN
from functions._deploy.target import Change, Need
from functions._timetable import NAME, ROOT, record_key, timetable, volume_name
from shared.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from functions._deploy.target import Action
    from functions._timetable import Deployment

    Records = dict[str, Any]


class ModalTarget:
    """One deployment's part of an account on Modal, in the environment that modal.toml names."""

    name = "modal"

    def __init__(self, deployment: Deployment) -> None:
        """Prepare; nothing is asked yet."""
        self._deployment = deployment
        self._account = Account(deployment.environment)

    def needs(self, only: frozenset[str]) -> list[Need]:
        """Return Modal's own token, and the secrets its stages take; what Modal holds already is not required."""
        logged_in = bool(config.get("token_secret") or config.get("oauth_refresh_token"))
        names = ("MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET")
        own = [Need(name, "deploy to Modal", f"{TOKENS}, or `modal setup`", not logged_in) for name in names]
        known = {name: self._holds(name, keys) for name, keys in self._endpoints(only).items()} if logged_in else {}
        for name, keys in self._endpoints(only).items():
            own += [
                Need(key, f"let in who asks, on Modal in {name}", NEW_TOKEN, not known.get(name), False) for key in keys
            ]
        return own + modal_secrets.of_deployment(self._deployment)

    def wanted(self, only: frozenset[str]) -> list[Change]:
        """Return what the repository wants, each as ``create``; first what the others stand on."""
        systems = _systems(only)
        wanted = [("dict", NAME)]
        wanted += [("secret", NAME)] if self._deployment.takes_secrets() else []
        wanted += [("secret", name) for name in self._endpoints(only)]
        wanted += [("volume", name) for name in self._volumes(systems)]
        wanted += [("app", system) for system in systems]
        return [Change(self.name, kind, name, "create", "wanted") for kind, name in wanted]

    def plan(self, only: frozenset[str]) -> list[Change]:
        """Return every wanted thing beside what is there; apps that the repository no longer has are to go.

        Raises:
            BackendError: Modal cannot be asked; the message says what to do.
        """
        records, volumes = self._account.records(), self._account.volumes()
        look: dict[str, Callable[[str], tuple[Action, str]]] = {
            "dict": lambda _: ("leave", "leases, records") if self._account.has_dict() else ("create", "not there"),
            "volume": lambda name: ("leave", "data") if name in volumes else ("create", "not there"),
            "secret": lambda name: self._secret_now(name, records),
            "app": lambda name: self._app_now(name, records),
        }
        changes = [Change(self.name, one.kind, one.name, *look[one.kind](one.name)) for one in self.wanted(only)]
        gone = [] if only else sorted(_recorded(records) - set(_systems(only)))
        why = "the repository has no such system"
        return changes + [Change(self.name, "app", name, "remove", why) for name in gone if self._runs(name)]

    def apply(self, change: Change) -> str:
        """Do one change of the plan or the removal; doing it twice is safe.

        Raises:
            BackendError: Modal refused; the message says what to do.
        """
        there, gone = self._account, change.action == "remove"
        deeds: dict[str, Callable[[str], str]] = {
            "dict": there.remove_dict if gone else there.make_dict,
            "secret": there.remove_secret if gone else self._put_secret,
            "volume": there.remove_volume if gone else there.make_volume,
            "app": there.stop if gone else self._deploy,
        }
        return deeds[change.kind](change.name)

    def removal(self, only: frozenset[str], data: bool) -> list[Change]:
        """Return what is there of what we make; volumes are data. With ``only``, what no other system needs.

        Raises:
            BackendError: Modal cannot be asked; the message says what to do.
        """
        records, volumes = self._account.records(), self._account.volumes()
        systems = sorted(set(_systems(only)) | (set() if only else _recorded(records)))
        ours = [name for name in self._volumes(systems) if name in volumes]
        found: list[tuple[str, str, Action, str]] = [
            ("app", name, "remove", "runs") for name in systems if self._runs(name)
        ]
        found += [("volume", name, "remove" if data else "keep", "rows, models") for name in ours]
        found += [
            ("secret", name, "remove", "is there") for name in self._endpoints(only) if self._account.has_secret(name)
        ]
        if only:
            return [Change(self.name, *one) for one in found]
        alike = sorted(name for name in volumes if name.startswith(f"{NAME}-") and name not in ours)  # anybody's
        found += [("volume", name, "keep", f"by hand: modal volume delete {name}") for name in alike]
        found += [("secret", NAME, "remove", "is there")] if self._account.has_secret(NAME) else []
        found += [("dict", NAME, "remove", "leases, records")] if records else []
        return [Change(self.name, *one) for one in found]

    def _app_now(self, name: str, records: Records) -> tuple[Action, str]:
        record = records.get(record_key("app", name))
        if not self._runs(name):
            return "create", "not there" if record is None else f"stopped since it was deployed on {record['at']}"
        if record is None:
            return "change", "there, but not known with what: deployed without almanac"
        parts = fingerprint.parts(name, self._deployment)
        if differ := [part for part, digest in parts.items() if record["parts"].get(part) != digest]:
            return "change", f"{', '.join(differ)} changed since {record['at']}"
        return "leave", f"as in the repository, since {record['at']}"

    def _secret_now(self, name: str, records: Records) -> tuple[Action, str]:
        keys = self._deployment.secrets() if name == NAME else self._endpoints(frozenset())[name]
        told = modal_secrets.values(name, self._deployment, keys)
        if not self._account.has_secret(name):
            return "create", f"not there; will hold {', '.join(told or keys)}"
        record = records.get(record_key("secret", name))
        if not told:
            return "leave", "there, and nothing else in this environment"
        if record is None or not self._account.has_secret(name, keys):
            return "change", "there, but not known with what: made without almanac"
        if differ := [
            one for one, value in told.items() if not fingerprint.is_of(record["values"].get(one, ""), value)
        ]:
            return "change", f"{', '.join(differ)} changed since {record['at']}"
        return "leave", f"as in this environment, since {record['at']}"

    def _deploy(self, name: str) -> str:
        self._must_have_secrets(name)
        parts = fingerprint.parts(name, self._deployment)
        said = self._account.deploy(name, self._deployment.name)
        self._account.record("app", name, {"parts": parts})
        return said

    def _must_have_secrets(self, system: str) -> None:
        """Refuse to deploy an app whose secrets are not there, by name and with the command that makes them."""
        for name, keys in modal_secrets.taken_by(system, self._deployment).items():
            if not self._account.has_secret(name, keys):
                values = " ".join(f"{key}=…" for key in keys or ("KEY",))
                raise BackendError(
                    f"{system} was not deployed: Modal has no secret {name!r}{' with ' * bool(keys)}{', '.join(keys)}; "
                    f"make it with `modal secret create {name} {values}`"
                )

    def _put_secret(self, name: str) -> str:
        told = modal_secrets.values(name, self._deployment, self._endpoints(frozenset()).get(name, ()))
        known = self._account.records().get(record_key("secret", name), {}).get("values", {})
        self._account.put_secret(name, told)
        values = known | {one: fingerprint.of_secret(value) for one, value in told.items()}
        self._account.record("secret", name, {"values": values})
        return f"holds {', '.join(values)}"

    def _volumes(self, systems: Iterable[str]) -> list[str]:
        """Return the volumes of these systems, once each."""
        own = self._deployment.platform == "local"
        found = [volume_name(system) for system in systems if own]
        for stage in (stage for system in systems for stage in timetable().get(system, {}).values()):
            found += stage.get("volumes", {}).values()
        return list(dict.fromkeys(found))

    def _endpoints(self, only: frozenset[str]) -> dict[str, tuple[str, ...]]:
        return modal_secrets.of_endpoints(_systems(only))

    def _holds(self, name: str, keys: tuple[str, ...]) -> bool:
        """Return whether Modal is known to hold the secret; where it cannot be asked, the plan says why."""
        try:
            return self._account.has_secret(name, keys)
        except BackendError:
            return False

    def _runs(self, name: str) -> bool:
        return self._account.app(name) is not None


def _systems(only: frozenset[str]) -> list[str]:
    """Return the systems of the repository, those named by ``only`` if any are."""
    there = sorted(path.stem for path in (ROOT / "functions").glob("[a-z]*.py"))
    return [name for name in there if not only or name in only]


def _recorded(records: Records) -> set[str]:
    """Return the apps that were deployed, also of systems that the repository no longer has."""
    prefix = record_key("app", "")
    return {key.removeprefix(prefix) for key in records if key.startswith(prefix)}
