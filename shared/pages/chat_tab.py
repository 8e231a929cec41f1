"""The chat itself as part of a page: box, conversation, settings, earlier conversations; and what each event does.

box | example | retry | edit | Continue ──► an answer, as it comes ──► settle: the browser keeps the conversation
"""

from __future__ import annotations

from collections.abc import Iterator  # Gradio reads the hints of handlers
from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import Markup

from shared.chat import MOST_TOKENS, Sampling
from shared.pages import chat_events
from shared.pages.chat_events import SEND, How, question_at
from shared.pages.chat_keeping import begun, forgotten, opened, restore, settle, undo
from shared.pages.chat_seal import Seal
from shared.pages.guard import shown, streamed
from shared.pages.talking import MOST_CHARACTERS, MOST_SYSTEM, turns

if TYPE_CHECKING:
    from shared.pages.visitors import Visitors

AT_ONCE = 20  # answers that a page waits for at a time; the model says itself whose turn it is
EXAMPLES = ("What is a roux?", "Explain to a child why the sky is blue.", "Three rules for a good password, as a list.")
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
KEPT = "almanac-chat"  # what the browser keeps it under; encrypted with a key that every visitor could read


def settings() -> list[Any]:
    """Return the components that say how an answer is made, in the order of ``How`` after the model."""
    usual = Sampling()
    with gr.Accordion("How it answers", open=False):
        system = gr.Textbox(
            label="Told beforehand", placeholder="Answer in one sentence.", max_length=MOST_SYSTEM, lines=2, max_lines=6
        )
        with gr.Row():
            told = "0: always the likeliest word; 2: wild."
            temperature = gr.Slider(0, 2, usual.temperature, step=0.05, label="Temperature", info=told, min_width=220)
            told = "Drops words less likely than this share of the likeliest one."
            min_p = gr.Slider(0, 1, usual.min_p, step=0.01, label="Min-p", info=told, min_width=220)
            told = "The longest answer, about 0.7 words a token."
            most = gr.Slider(16, MOST_TOKENS, usual.max_tokens, step=16, label="Max tokens", info=told, min_width=220)
    return [system, temperature, min_p, most]


def browser_state() -> gr.BrowserState:
    """Return what stands for the conversations that the browser keeps."""
    return gr.BrowserState({}, storage_key=KEPT, secret=KEPT)


def talk(label: str, **changed: Any) -> gr.Chatbot:
    """Return a place for a conversation: its text is shown as Markdown, and nothing in it is run or fetched."""
    safe = {"sanitize_html": True, "allow_tags": False, "latex_delimiters": [], "buttons": ["copy", "copy_all"]}
    return gr.Chatbot(label=label, **{**safe, "height": 460, **changed})


class ChatTab:
    """The components of the chat, and what each of their events does."""

    def __init__(self, visitors: Visitors, model: gr.Dropdown, kept: gr.BrowserState) -> None:
        """Build it inside the Blocks that are being built; nothing hides ``kept``, or it is not read."""
        self._visitors, self._kept, self._seal = visitors, kept, Seal()
        self._talk = talk("Conversation", editable="user", examples=[{"text": one} for one in EXAMPLES])
        self._trouble = gr.HTML(visible=False)  # beside the box: what stands above a conversation no phone shows
        self._status = gr.HTML()
        self._more = gr.Button("Continue", visible=False, size="sm")
        self._box = gr.Textbox(
            label="Your message",
            placeholder="Ask something",
            max_length=MOST_CHARACTERS,
            lines=1,
            max_lines=8,
            submit_btn=SEND,
            autofocus=True,
        )
        with gr.Row():
            self._begin = gr.Button("New conversation", size="sm", min_width=140)
            self._forget = gr.Button("Forget this one", size="sm", min_width=140)
        self._earlier = gr.Dropdown([], label="Earlier conversations, kept in your browser alone", visible=False)
        self._links = gr.HTML()
        self.settings = settings()
        self._shown = [self._talk, self._earlier, self._links]
        self._connect([model, *self.settings])

    def _connect(self, how: list[Any]) -> None:
        answers = [self._trouble, self._box, self._talk, self._status, self._more]
        asking = {"outputs": answers, "preprocess": False, "concurrency_limit": AT_ONCE, **QUIET}
        same = [gr.skip()] * (len(answers) - 1)
        failed = [gr.skip(), gr.skip(), "", gr.skip()]  # nothing is waited for any more
        started = [
            event(streamed(answer, failed, daily=False), [*given, self._talk, *how], concurrency_id="answers", **asking)
            for event, answer, given in (
                (self._box.submit, self._ask, [self._box]),
                (self._talk.example_select, self._example, []),
                (self._talk.retry, self._again, []),
                (self._talk.edit, self._edited, []),
                (self._more.click, self._go_on, []),
            )
        ]
        keeping = {"fn": settle, "inputs": [self._box, self._talk, self._kept], "preprocess": False, **QUIET}
        keeping["outputs"] = [self._box, self._kept, self._earlier, self._links]
        for one in started:
            one.then(**keeping)
        self._box.stop(None, None, None, cancels=started, **QUIET).then(**keeping)
        taken = self._talk.undo(shown(undo, same), [self._talk], answers, preprocess=False, **QUIET)
        taken.then(**{**keeping, "fn": lambda *given: settle("", *given), "inputs": keeping["inputs"][1:]})
        self._talk.like(
            shown(self._thumb, same[:1]), [self._talk], [self._trouble, self._status], preprocess=False, **QUIET
        )
        self._turn_pages(started)
        # It changes when it is read, too, whenever that is.
        self._kept.change(restore, [self._talk, self._kept], self._shown, preprocess=False, **QUIET)

    def _turn_pages(self, started: list[Any]) -> None:
        """Let conversations be begun, forgotten and opened again; an answer that is still coming is stopped first."""
        outputs = [self._kept, *self._shown, self._status, self._more, self._box]
        for events, turn, given in (
            ([self._begin.click], begun, []),
            ([self._forget.click, self._talk.clear], forgotten, []),
            ([self._earlier.input], opened, [self._earlier]),
        ):
            stopped = gr.on(events, None, None, None, cancels=started, **QUIET)
            stopped.then(turn, [*given, self._talk, self._kept], outputs, preprocess=False, **QUIET)

    def _ask(self, request: gr.Request, question: object, held: object, *how: object) -> Iterator[list[Any]]:
        self._visitors.admit(request)
        yield from chat_events.reply(turns(held), question, How(*how), self._seal)

    def _example(self, request: gr.Request, event: gr.SelectData, held: object, *how: object) -> Iterator[list[Any]]:
        self._visitors.admit(request)
        yield from chat_events.reply(turns(held), event.value.get("text"), How(*how), self._seal)

    def _again(self, request: gr.Request, event: gr.RetryData, held: object, *how: object) -> Iterator[list[Any]]:
        self._visitors.admit(request)
        before, question = question_at(turns(held), event.index)
        yield from chat_events.reply(before, question, How(*how), self._seal)

    def _edited(self, request: gr.Request, event: gr.EditData, held: object, *how: object) -> Iterator[list[Any]]:
        self._visitors.admit(request)
        before, _ = question_at(turns(held), event.index)
        yield from chat_events.reply(before, event.value, How(*how), self._seal)

    def _go_on(self, request: gr.Request, held: object, *how: object) -> Iterator[list[Any]]:
        self._visitors.admit(request)
        yield from chat_events.more(turns(held), How(*how), self._seal)

    def _thumb(self, request: gr.Request, event: gr.LikeData, held: object) -> list[Any]:
        session = self._visitors.admit(request)
        said = chat_events.thumb(session, turns(held), event.index, self._seal, up=event.liked in (True, "Like"))
        return [Markup('<p class="al-muted" role="status">{}</p>').format(said)]
