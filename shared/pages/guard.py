"""An error becomes a sentence: on the page, or in the answer of the API. A traceback goes to the log alone.

event ──► shown(fill) ──► [notice, *what fill gives]       AlmanacError ──► its own sentence
call ───► answered(answer) ──► plain values, no NaN        anything else ──► SORRY, and the traceback in the log
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import wraps
from typing import Any

import gradio as gr
from markupsafe import Markup

from shared.errors import AlmanacError, NotYetError
from shared.pages.pieces import empty_state, notice

SORRY = "Something went wrong here, and it is noted in the log. Please try again."

log = logging.getLogger("almanac.pages")


def shown(
    fill: Callable[..., Sequence[Any]], otherwise: Sequence[Any], *, daily: bool = True
) -> Callable[..., list[Any]]:
    """Return ``fill`` with a notice, hidden when all is well, before what it gives; ``otherwise`` when it fails.

    Of what is not there yet the notice names the command of a day, which makes it where the system is a ``daily`` one.
    """

    @wraps(fill)
    def safely(*given: Any) -> list[Any]:
        try:
            return [shown_if(Markup("")), *fill(*given)]
        except Exception as failure:  # noqa: BLE001 - said on the page, and logged where it is none of ours
            return [shown_if(said_of(failure, fill.__name__, daily=daily)), *otherwise]

    return safely


def streamed(
    fill: Callable[..., Iterator[Sequence[Any]]], otherwise: Sequence[Any], *, daily: bool = True
) -> Callable[..., Iterator[list[Any]]]:
    """Return ``shown`` for a ``fill`` that gives its pieces one after the other; a failure comes after them."""

    @wraps(fill)
    def safely(*given: Any) -> Iterator[list[Any]]:
        try:
            for pieces in fill(*given):
                yield [shown_if(Markup("")), *pieces]
        except Exception as failure:  # noqa: BLE001 - as in ``shown``
            yield [shown_if(said_of(failure, fill.__name__, daily=daily)), *otherwise]

    return safely


def said_of(failure: Exception, where: str, *, daily: bool = True) -> Markup:
    """Return a failure as a notice: our own sentence, or SORRY with the traceback in the log."""
    if isinstance(failure, NotYetError):
        return empty_state(str(failure)) if daily else notice(str(failure), "empty")
    if isinstance(failure, AlmanacError):
        return notice(str(failure))
    log.error("the page could not be filled by %s", where, exc_info=failure)
    return notice(SORRY)


def answered(answer: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``answer`` for ``gr.api``: it gives plain JSON values, and says a sentence when it fails."""

    @wraps(answer)
    def safely(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - as ``answer`` declares
        try:
            return jsonable(answer(*given, **named))
        except AlmanacError as failure:
            raise gr.Error(str(failure), print_exception=False) from failure
        except Exception as failure:
            log.exception("%s could not answer", answer.__name__)
            raise gr.Error(SORRY, print_exception=False) from failure

    return safely


def shown_if(text: Markup) -> Any:  # noqa: ANN401 - what a Gradio event may return
    """Return the update of a piece of HTML: hidden when it is empty, so that it leaves no gap."""
    return gr.update(value=text, visible=bool(text))


def jsonable(value: Any) -> Any:  # noqa: ANN401 - anything to anything
    """Return nested values as JSON knows them: dates as ISO text, null for what is not a number.

    >>> jsonable({"day": date(2026, 11, 20), "shares": (0.5, math.nan)})
    {'day': '2026-11-20', 'shares': [0.5, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): jsonable(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(one) for one in value]
    if isinstance(value, date):
        return value.isoformat()
    plain = value.item() if hasattr(value, "item") else value  # numpy's numbers
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain
