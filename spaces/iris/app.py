"""Iris: which of three varieties a flower is, from four measurements, and how sure the model is of it.

sliders ──► measured ──► the model that serves ──► probabilities, 90 % set, drawing, provenance
call    ──► iris_predict (REST and MCP) ──► the same as plain values
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr
import pandas as pd
from markupsafe import Markup

from shared.connect import open_platform
from shared.pages import look, pieces
from shared.pages.flower import draw_flower
from shared.pages.guard import answered, shown, shown_if
from shared.pages.measured import measured, unusual
from shared.pages.provenance import provenance
from shared.pages.standing import freshness, standing
from shared.pages.words import plain
from shared.runs import parse_day
from shared.steps.promotion import champion
from shared.systems.iris.inference import MODEL, classify
from shared.systems.iris.tables import FLOWERS, MEASURES, VARIETIES

if TYPE_CHECKING:
    from shared.ports import ModelVersion

SYSTEM = "iris"
TYPICAL_CM = {  # means of Fisher's flowers (1936), in the order of MEASURES
    "setosa": (5.0, 3.4, 1.5, 0.2),
    "versicolor": (5.9, 2.8, 4.3, 1.3),
    "virginica": (6.6, 3.0, 5.6, 2.0),
}
HIDDEN = gr.update(visible=False)


def iris_predict(sepal_length: float, sepal_width: float, petal_length: float, petal_width: float) -> dict[str, Any]:
    """Tell which variety an iris is (setosa, versicolor or virginica) from four measurements.

    Args:
        sepal_length: Length of a sepal in cm, from 0.1 to 30; usually 4.3 to 7.9.
        sepal_width: Width of a sepal in cm, from 0.1 to 30; usually 2.0 to 4.4.
        petal_length: Length of a petal in cm, from 0.1 to 30; usually 1.0 to 6.9.
        petal_width: Width of a petal in cm, from 0.1 to 30; usually 0.1 to 2.5.

    Returns:
        The variety, the probability of each, the set that holds the truth 9 times in 10, warnings, and the model.
    """
    model, flower, answer = _identify(sepal_length, sepal_width, petal_length, petal_width)
    return {
        "variety": answer["predicted"],
        "probabilities": {variety: float(answer[variety]) for variety in VARIETIES},
        "label_set": _label_set(answer),
        "warnings": _unusual(flower, model),
        "model": {"name": model.name, "version": model.version, "trained_on": model.trained_on},
        "model_accuracy": model.metrics["accuracy"],
    }


def fill() -> list[Any]:
    """Return the banner, the sliders around what the model learned from, the first answer, and how fresh all is."""
    platform = open_platform()
    ranges = champion(platform, MODEL).signature["ranges_cm"]
    middle = [round((low + high) / 2, 1) for low, high in (ranges[name] for name in MEASURES)]
    sliders = [_slider(*ranges[name], at) for name, at in zip(MEASURES, middle, strict=True)]
    fresh = freshness(standing(platform, SYSTEM), parse_day("today", platform.world))
    return [shown_if(pieces.banner(platform.world)), gr.update(visible=True), *sliders, fresh, *show(*middle)]


def show(*values: object) -> list[Any]:
    """Return probabilities, what they mean in words, the drawing, and where the answer comes from."""
    model, flower, answer = _identify(*values)
    warnings = Markup("").join(pieces.notice(why, "warning") for why in _unusual(flower, model))
    probabilities = {variety: float(answer[variety]) for variety in VARIETIES}
    words = Markup("<p>{}</p>").format(_in_words(_label_set(answer))) + warnings
    return [gr.update(visible=True), probabilities, words, draw_flower(flower, answer["predicted"]), provenance(model)]


def _identify(*values: object) -> tuple[ModelVersion, dict[str, float], pd.Series]:
    flower = measured(FLOWERS, MEASURES, values)
    model = champion(open_platform(), MODEL)
    return model, flower, classify(model, pd.DataFrame([{**flower, "flower_id": "", "picked_at": pd.NaT}])).iloc[0]


def _label_set(answer: pd.Series) -> list[str]:
    return [variety for variety in answer["label_set"].split("|") if variety]


def _in_words(label_set: list[str]) -> Markup:
    if not label_set:
        return Markup("This flower is unlike those the model learned from: it cannot narrow the variety down.")
    named = Markup(" or ").join(Markup("<strong>{}</strong>").format(variety) for variety in label_set)
    return Markup("Nine times in ten the truth is among what the model names here: {}.").format(named)


def _unusual(flower: dict[str, float], model: ModelVersion) -> list[str]:
    return unusual(FLOWERS, flower, model.signature["ranges_cm"])


def _slider(low: float, high: float, at: float) -> Any:  # noqa: ANN401 - what a Gradio event may return
    """Return a slider that reaches half as far again as the model has seen, so that one can leave its range."""
    beyond = (high - low) / 2
    ends = {"minimum": max(0.1, round(low - beyond, 1)), "maximum": round(high + beyond, 1)}
    return gr.update(**ends, value=at, info=f"learned from {low:.1f} to {high:.1f} cm")


with gr.Blocks(title="Iris", analytics_enabled=False) as demo:
    gr.HTML(pieces.title("Iris", "Measure a flower: which of the three varieties is it?"))
    banner, notice = gr.HTML(visible=False), gr.HTML(visible=False)
    with gr.Row(visible=False) as form:
        with gr.Column(min_width=300):
            sliders = [gr.Slider(0.1, 10, 1, step=0.1, label=f"{plain(name)} (cm)", buttons=[]) for name in MEASURES]
            gr.HTML('<p class="al-muted">Or begin with a typical flower:</p>')
            with gr.Row():
                buttons = {one: gr.Button(plain(one), size="sm", min_width=90) for one in VARIETIES}
        with gr.Column(min_width=300):
            trouble = gr.HTML(visible=False)
            with gr.Column(visible=False) as answer:
                label = gr.Label(label="Variety and its probability", num_top_classes=len(VARIETIES))
                words, origin = gr.HTML(), gr.HTML()
        with gr.Column(min_width=260):
            drawing = gr.HTML()
    fresh = gr.HTML()

    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    answers = [answer, label, words, drawing, origin]
    show_safely = shown(show, [HIDDEN, None, "", "", ""])
    filled = [banner, form, *sliders, fresh, *answers]
    demo.load(shown(fill, [gr.skip(), HIDDEN, *[gr.skip()] * (len(filled) - 2)]), None, [notice, *filled], **quiet)
    # Without preprocess the sliders' values come as they are, and ``measured`` says what is wrong with one. Not on
    # ``change``: it comes once a slider while all four are being set, with values old and new. On release a slider
    # first moves a value beyond its ends back to them, and is read one step later.
    # All that asks is one event, one at a time, so that the answer to what was asked last also comes last. The buttons
    # set the sliders in the browser, before that: the last one pressed stays.
    for one, button in buttons.items():
        button.click(None, None, sliders, js=f"() => {[*TYPICAL_CM[one]]}", **quiet)
    moves = [event for slider in sliders for event in (slider.input, slider.release)]
    touched = gr.on([*moves, *(button.click for button in buttons.values())], None, js="() => []", **quiet)
    asking = {"fn": show_safely, "inputs": sliders, "outputs": [trouble, *answers], "preprocess": False, **quiet}
    touched.then(**asking, trigger_mode="always_last", concurrency_limit=1)
    gr.api(answered(iris_predict))

if __name__ == "__main__":
    look.serve(demo)
