"""Which models can answer on a page, what is said of each there, and the one that was chosen, opened.

versions that serve, wait or served, where torch is installed ─┐
the base of the one that serves, where its weights are here ───┤
ALMANAC_ASSISTANT_URL ──► the endpoint ────────────────────────┴─► choices ──► opened: a Chat
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from markupsafe import Markup

from shared.connect import open_endpoint, open_platform, world_folder
from shared.errors import MissingExtraError, NotYetError, UsageError
from shared.pages.pieces import notice
from shared.systems.assistant import inference
from shared.systems.assistant.inference import models_that_answer, with_base
from shared.systems.assistant.tables import MODEL

if TYPE_CHECKING:
    from shared.adapters.endpoint import Endpoint
    from shared.chat import Chat
    from shared.systems.assistant.inference import Answerer
    from shared.systems.assistant.origin import Origin

ELSEWHERE = "endpoint"
ROLES = {
    "champion": "Since {} it serves",
    "challenger": "Since {} it waits for better figures",
    "earlier": "Since {} it served, until another did",
    "base": "Nothing was learned here yet",
}
AGAINST = ("challenger", "base", "earlier")  # whom the champion is compared with unless told


def choices() -> list[tuple[str, str]]:
    """Return what there is to choose from, as it is called and by key; what answers unless told comes first.

    Raises:
        NotYetError: there is no model and no endpoint.
        MissingExtraError: there is a model, and nothing that computes it.
    """
    there = endpoint()
    elsewhere = [(f"The model at {there.where}", ELSEWHERE)] if there else []
    try:
        return elsewhere + [(f"{one.name} ({one.role})", one.name) for one in _local()[0]]
    except (NotYetError, MissingExtraError):
        if elsewhere:
            return elsewhere
        raise


def rivals() -> list[tuple[str, str]]:
    """Return whom the champion can be compared with, as they are called and by key; who is the likeliest comes first.

    Empty where there is nobody; an endpoint is compared with nobody, as it says its name only when it answers.
    """
    try:
        others = _local()[0][1:]
    except (NotYetError, MissingExtraError):
        return []
    return [(f"{one.name} ({one.role})", one.name) for one in sorted(others, key=lambda one: AGAINST.index(one.role))]


def pair(against: object) -> list[str]:
    """Return the keys of the champion and of the one it is compared with.

    Raises:
        UsageError: that is none of ``rivals``.
        NotYetError, MissingExtraError: as ``choices``.
    """
    there, _ = _local()
    if against not in [key for _, key in rivals()]:
        raise UsageError(f"{there[0].name} cannot be compared with {against!r}"[:100] + ": choose another")
    return [there[0].name, str(against)]


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
    if there and name == ELSEWHERE:
        return there
    return inference.opened(open_platform(), next(one for one in _local()[0] if one.name == name))


def about(key: object) -> Markup:
    """Return what is to be known of a model before asking it: where it computes, why it answers, what made it."""
    name = key_of(key)
    there = endpoint()
    if there and name == ELSEWHERE:
        text = "Computes at <strong>{}</strong>. Where nobody asks, it sleeps; waking it takes up to some minutes."
        return Markup(f'<p class="al-muted">{text}</p>').format(there.where)  # noqa: S704 - a literal
    answerers, origin = _local()
    one = next(one for one in answerers if one.name == name)
    text = "Computes on <strong>this machine</strong>. {}: {} {}"
    told = ROLES[one.role].format(f"{one.decided_at:%Y-%m-%d}"), one.reason
    made = _made_of(origin) if one.role == "champion" else ""
    return Markup(f'<p class="al-muted">{text}</p>').format(*told, made)  # noqa: S704 - a literal


def alone() -> Markup:
    """Return why nothing can be compared here."""
    text = "there is only one model: as soon as another was exported, they can be compared"
    try:
        origin = _local()[1]
    except (NotYetError, MissingExtraError):
        return notice("only models that compute on this machine can be compared, and there is none", "empty")
    return notice(text, "empty", _made_of(origin))


def _made_of(origin: Origin | None) -> str:
    """Return what a model was fine-tuned from, and why that does not answer where it does not."""
    if origin is None:
        return ""
    made = f"It was fine-tuned from {origin.name}"
    return f"{made}, which cannot answer here: {origin.lacking}." if origin.lacking else f"{made}."


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


def _local() -> tuple[list[Answerer], Origin | None]:
    """Return who may answer in this process, and the champion's base: a Space holds what serves or served, and no more.

    Raises:
        NotYetError: there is no model here.
        MissingExtraError: there is one, and nothing that computes it.
    """
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
    return with_base(platform, [one for one in there if one.version in brought], world_folder() / "runs")
