"""The ``Notifier`` port: ``Silent`` tells nobody, ``AppriseNotifier`` whoever Apprise reaches.

    ALMANAC_NOTIFY="json://example.org/hook mailto://…" ──► one service an address ──► send ──► each of them

Addresses hold passwords and tokens, so nothing here shows more of one than its place in the list and its schema, and
the loggers that would are silenced. Apprise loads some hundred services, so it waits for the first use (0.3 s).
"""

from __future__ import annotations

import logging
import re
import warnings
from functools import cached_property
from typing import TYPE_CHECKING

from shared.errors import BackendError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from apprise import Apprise

ADDRESS = re.compile(r"([a-z][a-z0-9]{0,31})://.", re.IGNORECASE)
BETWEEN = re.compile(r"\s+|,(?=[A-Za-z][A-Za-z0-9]*://)")  # a comma inside an address may part its recipients
TELLING = ("urllib3", "requests_oauthlib", "oauthlib")  # at DEBUG they log paths and headers, and with them tokens

log = logging.getLogger("almanac")


class Silent:
    """Tells nobody: no address is set."""

    configured = False

    def send(self, title: str, body: str) -> None:
        raise UsageError("nobody is set to be told; set ALMANAC_NOTIFY to one or more Apprise addresses")


class AppriseNotifier:
    """Sends to each of ``addresses``, Apprise URLs with spaces or commas between; waits ``timeout_s`` for each.

    Raises:
        UsageError: an address has no schema.
    """

    def __init__(self, addresses: str, timeout_s: float = 20.0) -> None:
        found = [one.strip(",") for one in BETWEEN.split(addresses)]
        self._addresses, self._timeout_s = [one for one in found if one], timeout_s
        for place, one in enumerate(self._addresses, start=1):
            if not ADDRESS.match(one):
                raise UsageError(f"ALMANAC_NOTIFY: address {place} does not begin like json:// or mailto://")

    @property
    def configured(self) -> bool:
        return bool(self._services)

    def send(self, title: str, body: str) -> None:
        silent = []
        for name, service in self._services.items():
            if not service.notify(body, title, "warning", body_format="text", timeout=self._timeout_s):
                silent.append(name)
        which = ", ".join(silent)
        if len(silent) == len(self._services):
            raise BackendError(f"{which} did not take the alert: check ALMANAC_NOTIFY, and whether the service is up")
        if silent:  # somebody knows; to send to all again would repeat it
            log.warning("%s did not take the alert: check ALMANAC_NOTIFY, and whether the service is up", which)

    @cached_property
    def _services(self) -> dict[str, Apprise]:
        named = {f"address {place}": one for place, one in enumerate(self._addresses, start=1)}
        return {f"{name} ({_schema(one)}://)": _service(name, one) for name, one in named.items()}


def _schema(address: str) -> str:
    return address.partition("://")[0].lower()


def _service(name: str, address: str) -> Apprise:
    """Return Apprise with one address; long texts are cut into several messages where the address does not say how."""
    _silence()
    try:
        from apprise import Apprise, AppriseAsset, OverflowMode
    except ImportError as cause:
        raise MissingExtraError("alerts need a package: pip install 'almanac[alerts]'") from cause
    asset = AppriseAsset(app_id="Almanac", app_desc="Almanac alerts")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of modules that its services import
        found = Apprise.instantiate(address, asset=asset)
    if found is None:
        advice = "compare it with that service's page in Apprise's documentation"
        raise UsageError(f"ALMANAC_NOTIFY: {name} ({_schema(address)}://) is refused: {advice}")
    if "overflow=" not in address:
        found.overflow_mode = OverflowMode.SPLIT
    return Apprise(found, asset=asset)


def _silence() -> None:
    logging.getLogger("apprise").disabled = True
    for name in TELLING:
        logging.getLogger(name).setLevel(logging.WARNING)
