"""Chat: a conversation with the fine-tuned model, or with two of them side by side, blind.

question ──► asked: bounded ──► the model that was chosen, here or at an endpoint ──► its answer, as it comes
thumb, vote ──► FEEDBACK, where the store can be written ──► the tally
EVALUATIONS, CLEANING ──► how it was judged, and on what it learned
call ──► chat_answer (REST and MCP) ──► the answer as plain values
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from shared.connect import open_platform
from shared.pages import chat_models, look, pieces
from shared.pages.chat_compare import CompareTab
from shared.pages.chat_events import How
from shared.pages.chat_judged import judged
from shared.pages.chat_progress import heard
from shared.pages.chat_tab import ChatTab, browser_state
from shared.pages.closed import STAYS
from shared.pages.guard import answered, shown
from shared.pages.talking import asked
from shared.pages.visitors import Visitors

SYSTEM = "assistant"
visitors = Visitors()


def chat_answer(  # noqa: PLR0913 - a program names each
    question: str,
    system: str = "",
    model: str = "",
    temperature: float = 0.7,
    min_p: float = 0.05,
    max_tokens: int = 512,
    request: gr.Request | None = None,
) -> dict[str, Any]:
    """Ask the assistant one question and get its whole answer.

    Args:
        question: At most 8,000 characters.
        system: What the model is told beforehand, such as "Answer in one sentence."
        model: Which model answers, such as "assistant v3"; without one the model that serves.
        temperature: 0 (always the likeliest word) to 2.
        min_p: 0 to 1: words less likely than this share of the likeliest one's probability are never drawn.
        max_tokens: 1 to 4096; an answer that needs more is cut, and ``cut`` says so.
        request: Whoever asks; Gradio gives it.

    Returns:
        The answer, whether it was cut, its tokens, seconds, the model, and where it was computed.
    """
    visitors.admit(request)
    how = How(chat_models.key_of(model), system, temperature, min_p, max_tokens)
    messages, sampling = asked(system, [], question), how.sampling
    chat = chat_models.opened(how.model)
    *_, last = heard(chat.stream(messages, sampling))
    facts = {"cut": last.cut, "tokens": last.told.tokens, "seconds": round(last.seconds, 3)}
    return {"answer": last.text, **facts, "model": chat.name, "where": chat.where}


def fill() -> list[Any]:
    """Return the banner, the models there are, what the first of them is, what can be compared, how it was judged.

    And that what is set of how it answers stays.
    """
    platform, models = open_platform(), chat_models.choices()
    first = models[0][1]
    chosen = gr.update(choices=models, value=first)
    top = pieces.banner(platform.world), gr.update(visible=True)
    settings = [STAYS] * len(chat.settings)
    return [*top, chosen, chat_models.about(first), *settings, *CompareTab.fill(), judged(platform)]


with gr.Blocks(title="Chat", analytics_enabled=False) as demo:
    gr.HTML(pieces.title("Chat", "A small language model, fine-tuned here: ask it something, and judge its answers."))
    notice, top, kept = gr.HTML(visible=False), gr.HTML(), browser_state()
    with gr.Column(visible=False) as page:
        with gr.Row():
            model = gr.Dropdown([], label="Who answers", interactive=True, scale=2, min_width=220)
            with gr.Column(scale=3, min_width=260):
                told = gr.HTML()
        with gr.Tab("Chat"):
            chat = ChatTab(visitors, model, kept)
        with gr.Tab("Side by side"):
            duel = CompareTab(visitors, chat.settings)
        with gr.Tab("How good?"):
            figures = gr.HTML()
    filled = [top, page, model, told, *chat.settings, *duel.filled, figures]
    safe = shown(fill, [gr.skip(), gr.update(visible=False), *[gr.skip()] * (len(filled) - 2)], daily=False)
    demo.load(safe, None, [notice, *filled], show_progress="hidden", api_visibility="private")
    model.input(chat_models.about, [model], [told], preprocess=False, show_progress="hidden", api_visibility="private")
    gr.api(answered(chat_answer))

if __name__ == "__main__":
    look.serve(demo)
