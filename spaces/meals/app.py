"""Meals: a recipe from what is in the house, checked: nothing that is not listed, never more than there is.

list as text or table ──► in step
list, diet, … ──► MealRequest ──► a model, held to the schema of the request ──► draft … meal
meal, servings ──► card, shopping list, allergens, JSON-LD: by rule, without another question
call ──► compose_meal (REST and MCP) ──► the same as plain values
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator  # Gradio reads the hints of handlers
from dataclasses import replace
from typing import Any

import gradio as gr

from shared.connect import open_platform
from shared.pages import chat_models, look, pieces
from shared.pages.chat_progress import status
from shared.pages.guard import answered, shown, streamed
from shared.pages.meal_card import LIMITS, card, code, draft
from shared.pages.meal_events import composed
from shared.pages.meal_form import (
    HEADERS,
    NO_DIET,
    SETTLE,
    in_step,
    request_of,
    split,
    told,
    understood,
    unweighed,
    written,
)
from shared.pages.visitors import Visitors
from shared.systems.assistant.allergens import ALLERGENS, DIETS, unknown
from shared.systems.assistant.checking import allergens_said
from shared.systems.assistant.foods import PANTRY
from shared.systems.assistant.ingredients import MOST_TEXT
from shared.systems.assistant.meals import Meal, compose
from shared.systems.assistant.recipes import SERVINGS

SYSTEM = "assistant"
AT_ONCE = 20  # meals that the page waits for at a time; the model says itself whose turn it is
KEPT_S = 3600  # for how long a meal can be scaled
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
HIDDEN, SHOWN = gr.update(visible=False), gr.update(visible=True)
START = "2 eggs, 300 g rice, 1 onion, 150 g peas"
ABOUT = "What is in the house, for whom: a small language model composes a recipe, and a checker looks it over."
visitors = Visitors()


def compose_meal(  # noqa: PLR0913 - a program names each
    ingredients: str,
    servings: int = 2,
    diet: str = "",
    avoid: str = "",
    pantry: str = ", ".join(PANTRY),
    model: str = "",
    request: gr.Request | None = None,
) -> dict[str, Any]:
    """Compose a recipe from listed ingredients and a pantry alone, never using more grams than there are.

    Args:
        ingredients: What there is, such as "2 eggs, 300 g rice"; at most 30, amounts 1 to 10,000 g.
        servings: 1 to 20.
        diet: vegetarian, vegan, pescetarian, gluten-free or lactose-free; "" for none.
        avoid: Allergens to avoid, of the EU's fourteen, with commas between them, such as "milk, nuts".
        pantry: What of salt, pepper, water, oil and sugar may be used, with commas between them.
        model: Which model answers, such as "assistant v3"; without one the model that serves.
        request: Whoever asks; Gradio gives it.

    Returns:
        The recipe with grams by ingredient, what the checker found, what was left out and why, what was not understood,
        what was chosen of "butter or margarine", allergens as a rule over names has them: by ingredient, and by what
        steps or title name besides (where says which); ingredients that it does not know, the recipe as schema.org's
        JSON-LD, seconds, the model.
    """
    visitors.admit(request)
    key = chat_models.key_of(model)
    parsed = written(ingredients)
    wanted = request_of(parsed.ingredients, diet, split(avoid), servings, split(pantry))
    meal = compose(chat_models.opened(key), wanted)
    recipe, found, said = meal.recipe, meal.findings, allergens_said(meal.recipe)
    fields = ("title", "servings", "minutes", "ingredients", "pantry", "steps")
    return {
        "recipe": {name: getattr(recipe, name) for name in fields},
        "problems": found.problems,
        "warnings": found.warnings,
        "unused": found.unused,
        "left_out": meal.left_out,
        "not_understood": parsed.problems,
        "chosen": parsed.chosen,
        "allergens": {one.name: one.allergens for one in said},
        "allergens_where": {one.name: one.where for one in said if one.where},
        "allergens_unknown": unknown(recipe.ingredients),
        "allergens_note": LIMITS,
        "json_ld": meal.json_ld,
        "seconds": round(meal.seconds, 3),
        "model": meal.model,
    }


def fill() -> list[Any]:
    """Return the banner, the form with the models there are, and what the first of them is."""
    models = chat_models.choices()
    chosen, first = gr.update(choices=models, value=models[0][1]), models[0][1]
    lines, rows, problems = in_step(START, None, "")
    top = pieces.banner(open_platform().world), SHOWN, chosen, chat_models.about(first)
    return [*top, lines, rows, lines, problems]


def step(text: object, table: object, read: object) -> list[Any]:
    """Return what the browser is told of list and table in step, and what was not understood."""
    lines, rows, problems = in_step(text, table, read)
    same = lines == text == read  # whoever presses a button leaves the list, too, which reads it twice
    return [told(text, table, lines, rows), gr.skip() if same else problems]


def compose_here(  # noqa: PLR0913 - the form has so many fields
    request: gr.Request,
    model: object,
    text: object,
    table: object,
    read: object,
    diet: object,
    avoid: object,
    servings: object,
    pantry: object,
) -> Iterator[list[Any]]:
    """Yield the recipe as it is being composed, and at the end the meal."""
    visitors.admit(request)
    there = understood(text, table, read)
    wanted = request_of(there.ingredients, diet, avoid, servings, pantry)
    yield [HIDDEN, SHOWN, chat_models.opening(model), "", HIDDEN, None, gr.skip()]
    chat = chat_models.opened(model)
    for said, meal in composed(chat, wanted):
        portions = gr.update(value=wanted.servings) if meal else gr.skip()
        meal = replace(meal, left_out={**meal.left_out, **unweighed(there)}) if meal else None
        yield [gr.skip(), gr.skip(), status(said, chat.name), "" if meal else draft(said.text), HIDDEN, meal, portions]


def show(meal: Meal | None, servings: float) -> list[Any]:
    """Return the meal for so many servings; nothing where there is none."""
    if meal is None:
        return [HIDDEN, "", "", ""]
    return [SHOWN, card(meal, int(servings)), *code(meal, int(servings))]


with gr.Blocks(title="Meals", analytics_enabled=False) as demo:
    gr.HTML(pieces.title("Meals", ABOUT))
    notice, top = gr.HTML(visible=False), gr.HTML()
    with gr.Row(visible=False) as page:
        with gr.Column(min_width=320, scale=5):
            text = gr.Textbox(
                label="What is in the house", lines=3, max_lines=10, max_length=MOST_TEXT, info=f"Such as: {START}"
            )
            read, anew = (gr.Textbox("", container=False, visible="hidden") for _ in range(2))
            reading = gr.Button("Read the list", size="sm")
            trouble, unread = gr.HTML(visible=False), gr.HTML()
            table = gr.Dataframe(
                headers=[*HEADERS],
                datatype=["str", "number"],
                column_count=2,
                column_widths=["70%", "30%"],
                wrap=True,
                interactive=True,
                max_height=320,
                label="As grams",
            )
            with gr.Row():
                diet = gr.Dropdown([NO_DIET, *DIETS], value=NO_DIET, label="Diet", min_width=150)
                servings = gr.Slider(*SERVINGS, 2, step=1, label="Servings", min_width=150)
            avoid = gr.Dropdown([*ALLERGENS], value=[], multiselect=True, label="Allergens to avoid")
            pantry = gr.CheckboxGroup([*PANTRY], value=[*PANTRY], label="Pantry: may be used besides")
            model = gr.Dropdown([], label="Who composes", interactive=True)
            about = gr.HTML()
        with gr.Column(min_width=320, scale=6):
            with gr.Row():
                composing = gr.Button("Compose a meal", variant="primary")
                stopping = gr.Button("Stop", variant="stop", visible=False)
            failed, line, live = gr.HTML(visible=False), gr.HTML(), gr.HTML()
            composed_meal = gr.State(None, time_to_live=KEPT_S)
            over = gr.Textbox("", container=False, visible="hidden")
            with gr.Column(visible=False) as answer:
                portions = gr.Slider(*SERVINGS, 2, step=1, label="Scale to servings", info="Counted, not asked again.")
                shown_card = gr.HTML()
                with gr.Accordion("For other programs (schema.org)", open=False):
                    json_ld = gr.Code(language="json", label="JSON-LD", max_lines=14, interactive=False)
                    link = gr.HTML()

    filled = [top, page, model, about, text, table, read, unread]
    opening = shown(fill, [gr.skip(), HIDDEN, *[gr.skip()] * (len(filled) - 2)], daily=False)
    demo.load(opening, None, [notice, *filled], **QUIET)
    model.input(chat_models.about, [model], [about], preprocess=False, **QUIET)
    # Text and table are read by this step alone, one at a time; whichever was changed since wins. What waits is asked
    # anew by the event that came before it: by the step, not by the button, which would ask for another meal, too.
    touched = gr.on(
        [reading.click, text.submit, text.blur, table.input, composing.click], None, None, js="() => []", **QUIET
    )
    alone = {"trigger_mode": "always_last", "concurrency_limit": 1, **QUIET}
    stepping = shown(step, [gr.skip()] * 2)
    answered_step = touched.then(stepping, [text, table, read], [trouble, anew, unread], preprocess=False, **alone)
    answered_step.then(None, [text, table, anew], [text, table, read], js=SETTLE, **QUIET)
    parts = [composing, stopping, line, live, answer, composed_meal, portions]
    form = [model, text, table, read, diet, avoid, servings, pantry]
    asking = {"preprocess": False, "concurrency_limit": AT_ONCE, **QUIET}
    asked = streamed(compose_here, [gr.skip(), gr.skip(), "", "", HIDDEN, None, gr.skip()], daily=False)
    started = composing.click(asked, form, [failed, *parts], **asking)
    # After the stream, which sends its last values once more when it ends; each time another text, as that is a change.
    started.then(lambda: [SHOWN, HIDDEN, secrets.token_hex(8)], None, [composing, stopping, over], **QUIET)
    stopped = stopping.click(None, None, None, cancels=[started], **QUIET)
    stopped.then(lambda: [SHOWN, HIDDEN, "Stopped.", ""], None, [composing, stopping, line, live], **QUIET)
    # The card is written by this step alone, one at a time: what was asked of one meal is not shown of the next.
    gr.on([over.change, portions.input], show, [composed_meal, portions], [answer, shown_card, json_ld, link], **alone)
    gr.api(answered(compose_meal))

if __name__ == "__main__":
    look.serve(demo)
