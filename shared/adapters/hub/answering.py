"""Whether the page of a Space answers: its API is listed, and one named endpoint is called as a visitor's program does.

GET /gradio_api/info ──► the endpoint that must be told least ──► POST call ──► GET its events ──► what it said
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx

from shared.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Mapping

# What a page that is still starting does: no connection, 502 or 503, a page of the Hub's instead of JSON.
NOT_YET = (httpx.HTTPError, ValueError, KeyError)
SORRY = "Something went wrong here"  # how a page says that it has a fault of its own; see shared/pages/guard.py


def static_answer(client: httpx.Client) -> str:
    """Return what is to be said of a static page that is there."""
    client.get("/").raise_for_status()
    return "shows its page"


def first_answer(client: httpx.Client) -> str:
    """Return which endpoint answered; a page that says in a sentence what is missing answers as well.

    Raises:
        BackendError: the page has a fault of its own.
    """
    named: dict[str, Any] = client.get("/gradio_api/info").raise_for_status().json()["named_endpoints"]
    endpoint = min(sorted(named), key=lambda one: len(_must_be_told(named[one])))
    data = [_example(one) for one in named[endpoint]["parameters"]]
    asked = client.post(f"/gradio_api/call{endpoint}", json={"data": data}).raise_for_status()
    events = client.get(f"/gradio_api/call{endpoint}/{asked.json()['event_id']}").raise_for_status().text
    kind, _, value = events.strip().rpartition("event: ")[2].partition("\ndata: ")
    if kind == "complete":
        return f"answers {endpoint}"
    said = (json.loads(value) or {}).get("error") or SORRY
    if said.startswith(SORRY):
        raise BackendError(f"{endpoint} fails")
    return f"answers {endpoint}: {said}"


def _must_be_told(facts: Mapping[str, Any]) -> list[Any]:
    return [one for one in facts["parameters"] if not one["parameter_has_default"]]


def _example(parameter: Mapping[str, Any]) -> object:
    if parameter["parameter_has_default"]:
        return parameter["parameter_default"]
    return 1.0 if parameter["type"] == {"type": "number"} else ""
