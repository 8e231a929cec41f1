"""Which models can answer on a page, what is said of each there, and the one that was chosen, opened.

versions that serve, wait or served, where torch is installed ─┐
ALMANAC_ASSISTANT_URL ──► the endpoint ────────────────────────┴─► choices ──► opened: a Chat
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from markupsafe import Markup

from shared.connect import open_endpoint, open_platform
from shared.errors import MissingExtraError, NotYetError, UsageError
from shared.systems.assistant.inference import models_that_answer, open_local
from shared.systems.assistant.tables import MODEL

if TYPE_CHECKING:
    from shared.adapters.endpoint import Endpoint
    from shared.chat import Chat
    from shared.systems.assistant.inference import Answerer

ELSEWHERE = "endpoint"
ROLES = {"champion": "it serves", "challenger": "it waits for better figures", "earlier": "it served before"}


def choices() -> list[tuple[str, str]]:
    """Return what there is to choose from, as it is called and by key; what answers unless told comes first.

    Raises:
        NotYetError: there is no model and no endpoint.
        MissingExtraError: there is a model, and nothing that computes it.
    """
    there = endpoint()
    elsewhere = [(f"The model at {there.where}", ELSEWHERE)] if there else []
    try:
        return elsewhere + [(f"{one.name} ({one.role})", one.name) for one in _local()]
    except (NotYetError, MissingExtraError):
        if elsewhere:
            return elsewhere
        raise


def rivals() -> list[str]:
    """Return the keys of two models to compare: the champion and its challenger, else the one that served before.

    Raises:
        NotYetError, MissingExtraError: as ``choices``; or there is only one.
    """
    names = [one.name for one in _local()]
    if len(names) < 2:
        raise NotYetError("there is only one model; export another with `almanac run assistant export`")
    return names[:2]


def comparable() -> bool:
    """Return whether there are two models to compare here."""
    try:
        return len(rivals()) > 1
    except (NotYetError, MissingExtraError):
        return False


def key_of(name: object) -> str:
    """Return the key of a model by its name; of what answers unless told where there is none.

    Raises:
        UsageError: there is no such model.
    """
    keys = [key for _, key in choices()]
    if not name:
        return keys[0]
    if name not in keys:
        raise UsageError(f"there is no model {name!r}"[:100] + f"; there are: {', '.join(keys)}")
    return str(name)


def opened(key: object) -> Chat:
    """Return the model of a key, loaded; the first time that takes seconds.

    Raises:
        UsageError, NotYetError, MissingExtraError: as ``key_of``, ``choices``.
        BackendError: it cannot be loaded.
    """
    name = key_of(key)
    there = endpoint()
    return there if there and name == ELSEWHERE else open_local(open_platform(), name)


def about(key: object) -> Markup:
    """Return what is to be known of a model before asking it: where it computes, since when, why it answers."""
    name = key_of(key)
    there = endpoint()
    if there and name == ELSEWHERE:
        text = "Computes at <strong>{}</strong>. Where nobody asks, it sleeps; waking it takes up to some minutes."
        return Markup(f'<p class="al-muted">{text}</p>').format(there.where)  # noqa: S704 - a literal
    one = next(one for one in _local() if one.name == name)
    text = "Computes on <strong>this machine</strong>. Since {:%Y-%m-%d} {}: {}"
    return Markup(f'<p class="al-muted">{text}</p>').format(one.decided_at, ROLES[one.role], one.reason)  # noqa: S704


def opening(key: object) -> Markup:
    """Return what is shown until a model was opened."""
    name = "the endpoint" if key == ELSEWHERE else key if isinstance(key, str) else "the model"
    return Markup('<p class="al-muted" role="status">Opening {}; the first time, that takes some seconds.</p>').format(
        name
    )


@cache
def endpoint() -> Endpoint | None:
    """Return the endpoint that the environment names; one for all, as it knows whether it is awake."""
    return open_endpoint()


def _local() -> list[Answerer]:
    """Return the versions that may answer in this process: a Space holds those that serve or served, no challenger."""
    platform = open_platform()
    there = models_that_answer(platform)
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise MissingExtraError(
            "a model is here, but nothing that computes it: pip install 'almanac[llm]', or name an endpoint in "
            "ALMANAC_ASSISTANT_URL"
        )
    brought = {*platform.models.versions(MODEL)}
    if not any(one.version in brought for one in there):
        raise NotYetError(f"{there[0].name} serves, but was not brought here yet; run `almanac publish`")
    return [one for one in there if one.version in brought]
