"""The Hopsworks client made safe, in the one place that knows its insides (5.2).

Left alone it waits for ever, checks no certificate, prints, reconfigures logging, and shares its certificates' folder
with other processes, which remove them under its feet. The time limits and retries sit where all its requests pass.
"""

from __future__ import annotations

import logging
import shutil
import socket
import tempfile
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import tenacity

from shared.errors import BackendError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT_S, ANSWER_S = 5.0, 60.0
FLIGHT_PORT, FLIGHT_S = 5005, 300.0  # the port is fixed in the client; the limit is of one whole read
TRIES, PAUSE_S, LONGEST_PAUSE_S = 3, 0.5, 20.0


def connect(host: str, port: int, project: str, key: str, trust: str | None) -> Any:  # noqa: ANN401 - vendor type
    """Return a connection to the project: https, certificates checked, every request limited in time."""
    from hopsworks_common import client, connection, usage
    from hsfs.core import arrow_flight_client

    usage._disable()
    arrow_flight_client._close()
    plain, client.external.Client = client.external.Client, _guarded(client.external.Client)
    folder = tempfile.mkdtemp(prefix="almanac-hopsworks-")  # of this process alone; the connection removes it
    try:
        made = connection.Connection(host, port, None, "python", True, trust, folder, api_key_value=key)
        made._provide_project(project)
    except Exception:
        client._stop()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        client.external.Client = plain
    return made


def probe(address: str, port: int, what: str) -> None:
    """See to it that somebody listens there; the client itself would wait for minutes, or for ever.

    Raises:
        BackendError: nobody does.
    """
    try:
        socket.create_connection((address, port), timeout=CONNECT_S).close()
    except OSError as cause:
        advice = f"let port {port} out of your network, or run the same command again later"
        raise BackendError(f"{what} at {address}:{port} cannot be reached ({cause}): {advice}") from cause


def flight(host: str) -> None:
    """See to it that rows can be read; a closed or silent port is told within seconds.

    Raises:
        BackendError: the query service cannot be reached.
    """
    from hsfs.core import arrow_flight_client, variable_api

    known = arrow_flight_client._arrow_flight_instance
    address = urlsplit(known.host_url).hostname if known else None
    address = address or variable_api.VariableApi()._get_loadbalancer_external_domain("feature_query") or host
    probe(address, FLIGHT_PORT, "the query service of Hopsworks")
    instance = arrow_flight_client._get_instance()
    if not hasattr(instance, "_server_version"):  # its constructor hides that it failed, and every read would too
        arrow_flight_client._close()
        raise BackendError(f"the query service of Hopsworks at {address} does not answer: run the same command later")


def patient(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever it returns
    """Return what a read returns, after retries of what may pass; never for what writes."""
    from shared.adapters.hopsworks.faults import passing

    stop, again = tenacity.stop_after_attempt(TRIES), tenacity.retry_if_exception(passing)
    try:
        return tenacity.Retrying(stop=stop, wait=_pause, retry=again, reraise=True)(call)
    except Exception as cause:
        cause.__dict__["tried"] = True  # a read around this one is not to begin anew
        raise


def _guarded(plain: type[Any]) -> type[Any]:
    """Return the client's class with limits on its one method that sends."""

    class Guarded(plain):  # type: ignore[misc]
        def _send_request(self, method: str, path_params: list[Any], *rest: Any, **options: Any) -> Any:  # noqa: ANN401
            options["timeout"] = options.get("timeout") or (CONNECT_S, ANSWER_S)
            send = partial(super()._send_request, method, path_params, *rest, **options)
            asks = method == "GET" or (method == "PUT" and path_params[-1:] == ["query"])
            return patient(send) if asks else send()

    return Guarded


def _pause(state: tenacity.RetryCallState) -> float:
    """Return how long to wait: what the server says, within bounds, or twice as long each time."""
    cause = state.outcome.exception() if state.outcome else None
    response = getattr(cause, "response", None)
    told = response.headers.get("Retry-After", "") if response is not None else ""
    doubled: float = PAUSE_S * 2 ** (state.attempt_number - 1)
    return min(float(told) if told.isdecimal() else doubled, LONGEST_PAUSE_S)


def prepare() -> None:
    """Import the client; undo what it does to logging and warnings, and keep it from printing.

    Raises:
        MissingExtraError: it is not installed.
    """
    root, shown = logging.getLogger(), warnings.formatwarning
    handlers, level = [*root.handlers], root.level
    try:
        import hopsworks  # noqa: F401 - for its side effects, undone below
        from hopsworks_common.core import dataset_api, secret_api
        from hsfs.core import arrow_flight_client, feature_group_engine, feature_view_engine
        from hsml.engine import model_engine
    except ImportError as cause:
        raise MissingExtraError("Hopsworks needs its client: pip install 'almanac[hopsworks]'") from cause
    finally:
        warnings.formatwarning = shown
        root.handlers[:] = handlers
        root.setLevel(level)
    for name in ("hsfs", "hsml", "hopsworks_common"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what it logs as an error we raise
    for module in (feature_group_engine, feature_view_engine, model_engine, secret_api):
        module.print = _unsaid
    for module in (dataset_api, model_engine):
        if not isinstance(module.tqdm, partial):
            module.tqdm = partial(module.tqdm, disable=True)
    for name in ("_health_check", "_get_server_version", "_get_flight_info"):  # 5 tries each, 55 s in all: ours do
        method = getattr(arrow_flight_client.ArrowFlightClient, name)
        setattr(arrow_flight_client.ArrowFlightClient, name, getattr(method, "__wrapped__", method))


def _unsaid(*words: object, **options: object) -> None:
    """Stand in for ``print`` in the client's modules: a command's output is ours."""
