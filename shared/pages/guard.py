"""An error becomes a sentence: on the page, or in the answer of the API. A traceback goes to the log alone.

event ──► shown(fill) ──► [notice, *what fill gives]       AlmanacError ──► its own sentence
call ───► answered(answer) ──► plain values, no NaN        anything else ──► SORRY, and the traceback in the log
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import wraps
from typing import Any

import gradio as gr
from markupsafe import Markup

from shared.errors import AlmanacError, NotYetError
from shared.pages.pieces import empty_state, notice

SORRY = "Something went wrong here, and it is noted in the log. Please try again."

log = logging.getLogger("almanac.pages")


def shown(fill: Callable[..., Sequence[Any]], otherwise: Sequence[Any]) -> Callable[..., list[Any]]:
    """Return ``fill`` with a notice, hidden when all is well, before what it gives; ``otherwise`` when it fails."""

    @wraps(fill)
    def safely(*given: Any) -> list[Any]:
        try:
            return [shown_if(Markup("")), *fill(*given)]
        except NotYetError as failure:
            return [shown_if(empty_state(str(failure))), *otherwise]
        except AlmanacError as failure:
            return [shown_if(notice(str(failure))), *otherwise]
        except Exception:
            log.exception("the page could not be filled by %s", fill.__name__)
            return [shown_if(notice(SORRY)), *otherwise]

    return safely


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
