"""What the chat shows of the conversations that the browser keeps: one is restored, settled, begun, opened, forgotten.

Chatbot, what the browser holds ──► Talks, changed ──► what it is to hold, and what the page shows
"""

from __future__ import annotations

import secrets
from typing import Any

import gradio as gr

from shared.pages.chat_events import HIDDEN, WAITING, question_at, waiting
from shared.pages.chat_talks import Talks, talks_of
from shared.pages.talking import as_shown, downloads, turns


def restore(held: object, browser: object) -> list[Any]:
    """Return the conversation that was left, where none is being shown; the earlier ones, and links that save it."""
    return [gr.skip()] * 3 if held else showing(talks_of(browser))


def undo(event: gr.UndoData, held: object) -> list[Any]:
    """Return the conversation without a question and what came after it, and the question back in the box."""
    before, question = question_at(turns(held), event.index)
    return [gr.update(value=question), as_shown(before), "", HIDDEN]


def settle(box: object, held: object, browser: object) -> list[Any]:
    """Return the box for the next question, and what the browser is to keep."""
    talks = _saved(held, browser)
    asked = [one["content"] for one in talks.shown if one["role"] == "user"]
    return [waiting(box, asked[-1]) if asked else WAITING, talks.to_browser(), *showing(talks)[1:]]


def opened(name: object, held: object, browser: object) -> list[Any]:
    """Return an earlier conversation; the one that was shown is kept."""
    return _turned(_saved(held, browser).opened(name))


def begun(held: object, browser: object) -> list[Any]:
    """Return a new conversation; the one that was shown is kept."""
    return _turned(_saved(held, browser).opened(""))


def forgotten(_: object, browser: object) -> list[Any]:
    """Return a new conversation, and the one that was shown is gone."""
    return _turned(talks_of(browser).forgotten())


def showing(talks: Talks) -> list[Any]:
    """Return the conversation that is being shown, the earlier ones to choose from, and the links that save it."""
    earlier = gr.update(choices=talks.titles, value=talks.current or None, visible=bool(talks.kept))
    return [as_shown(talks.shown), earlier, downloads(talks.shown)]


def _saved(held: object, browser: object) -> Talks:
    return talks_of(browser).saved(turns(held), secrets.token_hex(4))


def _turned(talks: Talks) -> list[Any]:
    return [talks.to_browser(), *showing(talks), "", HIDDEN, WAITING]
