"""What the client and its transports raise, as our errors: what happened, and what to do next.

The client is imported where it is used, so that all of this can be imported without it.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from shared.errors import AlmanacError, BackendError, BusyError, NotYetError

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY_ADVICE = (
    "HOPSWORKS_API_KEY needs the scopes project, featurestore, dataset_create, dataset_view, dataset_delete, "
    "modelregistry and user; make a key in Hopsworks under Account settings, API"
)
LATER = "nothing is lost: run the same command again later"


@cache
def refusal() -> type[Exception]:
    """Return the class of what the client raises when Hopsworks answers with an error."""
    from hopsworks_common.client.exceptions import RestAPIError

    found: type[Exception] = RestAPIError
    return found


@cache
def delta_error() -> type[Exception]:
    """Return the class of what goes wrong with a Delta table."""
    from deltalake.exceptions import DeltaError

    return DeltaError


@cache
def vendor_errors() -> tuple[type[Exception], ...]:
    """Return the classes of whatever the client may raise."""
    import pyarrow as pa
    import requests
    from hopsworks_common.client import exceptions as vendor

    stores = (vendor.FeatureStoreException, vendor.ModelRegistryException, vendor.DatasetException)
    logins = (vendor.ProjectException, vendor.HopsworksSSLClientError)
    transports = (requests.RequestException, delta_error(), pa.ArrowException)
    return (refusal(), *stores, *logins, *transports, ValueError, OSError)


def status(cause: BaseException) -> int:
    """Return the HTTP status behind an error, 0 where there is none."""
    response = getattr(cause, "response", None)
    return 0 if response is None else int(response.status_code)


def code(cause: BaseException) -> int:
    """Return Hopsworks' own error code, 0 where there is none."""
    return int(getattr(cause, "error_code", None) or 0)


def passing(cause: BaseException) -> bool:
    """Tell whether the same question may be answered a moment later."""
    import pyarrow.flight as fl
    import requests
    from hopsworks_common.client.exceptions import FeatureStoreException

    if isinstance(cause, requests.exceptions.SSLError) or getattr(cause, "tried", False):
        return False
    if isinstance(cause, (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)):
        return True
    if isinstance(cause, (fl.FlightUnavailableError, fl.FlightTimedOutError)):
        return True
    if isinstance(cause, FeatureStoreException):
        return "is busy right now" in str(cause) or (cause.__cause__ is not None and passing(cause.__cause__))
    return status(cause) == 429 or status(cause) >= 500


def mapped(cause: Exception, where: str, doing: str) -> AlmanacError:
    """Return our error for one of the vendor's; ``where`` is host and project, ``doing`` what we asked for."""
    import requests
    from hopsworks_common.client import exceptions as vendor

    _forget_secrets(cause)
    said, failed = _said(cause), f"{where} cannot {doing}"
    if isinstance(cause, (requests.exceptions.SSLError, vendor.HopsworksSSLClientError)):
        advice = "HOPSWORKS_TRUST_STORE_PATH names a file with the certificate authority of a cluster of your own"
        return BackendError(f"{failed}: its certificate is not to be trusted. {advice}")
    if isinstance(cause, vendor.ProjectException) or code(cause) == 150004:
        return BackendError(f"{failed}: there is no such project, or the key may not see it. {KEY_ADVICE}")
    if status(cause) in (401, 403):
        return BackendError(f"{failed}: it was refused ({status(cause)}). {KEY_ADVICE}")
    if status(cause) == 404:
        return NotYetError(f"{failed}: it is not there ({said})")
    if status(cause) == 409:
        return BusyError(f"{failed}: somebody else is changing the same thing; {LATER}")
    cause.__dict__.pop("tried", None)
    if passing(cause):
        return BackendError(f"{failed}: it is down, busy or out of reach ({said}); {LATER}")
    return BackendError(f"{failed}: {said}")


@contextmanager
def translated(where: str, doing: str) -> Iterator[None]:
    """Turn whatever the vendor raises inside into one of our errors."""
    try:
        yield
    except AlmanacError:
        raise
    except vendor_errors() as cause:
        raise mapped(cause, where, doing) from cause


def _said(cause: BaseException) -> str:
    """Return the error in a few words; Hopsworks' own words where it gave some."""
    import requests

    if isinstance(cause, refusal()):
        words = getattr(cause, "user_message", "") or ""
        return f"{status(cause)} {words}".strip()
    if isinstance(cause, requests.Timeout):
        return "no answer in time"
    if isinstance(cause, requests.ConnectionError):
        return "no connection, or one that was cut"
    inner = cause.__cause__
    return f"{cause} {_said(inner)}" if inner is not None and inner is not cause else str(cause).split("\n")[0][:300]


def _forget_secrets(cause: BaseException | None) -> None:
    """Take the key and the body out of the request that hangs on an error: a traceback must have none to show."""
    import requests

    while cause is not None:
        request = getattr(cause, "request", None) or getattr(getattr(cause, "response", None), "request", None)
        if isinstance(request, requests.PreparedRequest):
            request.headers.pop("Authorization", None)
            request.body = None
        cause = cause.__cause__ or cause.__context__
