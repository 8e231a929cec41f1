"""Wine: how good a wine is, from its colour and eleven measures, what moved that answer, and what would better it.

sliders ──► measured ──► the model that serves ──► grade, interval, probabilities, warnings, provenance
                                               ──► a moment later: what moved it, what would lift it by one
call    ──► wine_predict (REST and MCP) ──► the same as plain values
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr
import pandas as pd
from markupsafe import Markup

from shared.connect import open_platform
from shared.errors import MissingExtraError, UsageError
from shared.pages import look, pieces
from shared.pages.guard import answered, shown, shown_if
from shared.pages.measured import measured
from shared.pages.plots import framed
from shared.pages.provenance import provenance
from shared.pages.standing import freshness, standing
from shared.pages.tasting import doubts, figures, lifted, rounded, rule, with_value
from shared.pages.words import plain
from shared.runs import parse_day
from shared.steps import charts
from shared.steps.promotion import champion
from shared.systems.wine.inference import DIGITS, MODEL, grade, lift, moved, quality
from shared.systems.wine.tables import COLOURS, GRADES, MEASURES, SAMPLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.ports import ModelVersion
    from shared.systems.wine.inference import Lift

SYSTEM = "wine"
STEPS = {**DIGITS, "density": 5}  # digits
STARTS = ("Typical", "One of the better", "One of the weaker")
HIDDEN = gr.update(visible=False)
LOOKING = Markup('<p class="al-muted">Looking for it …</p>')


def wine_predict(  # noqa: PLR0913 - a program names the eleven measures
    colour: str,
    fixed_acidity: float,
    volatile_acidity: float,
    citric_acid: float,
    residual_sugar: float,
    chlorides: float,
    free_sulfur_dioxide: float,
    total_sulfur_dioxide: float,
    density: float,
    ph: float,
    sulphates: float,
    alcohol: float,
) -> dict[str, Any]:
    """Tell which grade, 3 to 9, a panel of tasters would give a wine, from its colour and eleven measures.

    Args:
        colour: red or white.
        fixed_acidity: As tartaric acid, in g/L; usually 5 to 13.
        volatile_acidity: As acetic acid, in g/L; usually 0.1 to 0.9.
        citric_acid: In g/L; usually 0 to 0.7.
        residual_sugar: In g/L; usually 1 to 18.
        chlorides: As sodium chloride, in g/L; usually 0.02 to 0.13.
        free_sulfur_dioxide: In mg/L; usually 4 to 60.
        total_sulfur_dioxide: In mg/L; usually 10 to 210.
        density: In g/cm³; usually 0.989 to 1.
        ph: The pH, a number without a unit; usually 2.9 to 3.6.
        sulphates: As potassium sulphate, in g/L; usually 0.3 to 0.9.
        alcohol: In % vol; usually 9 to 13.

    Returns:
        The whole grade, the expected one, an interval that holds the truth 9 times in 10, the probability of each
        grade, how far each input moved the expected grade from ``usual`` wines, the smallest change found that would
        lift the grade by one (null when there is none), warnings, notes, and the model.
    """
    given = (fixed_acidity, volatile_acidity, citric_acid, residual_sugar, chlorides, free_sulfur_dioxide)
    model, wine = _wine(colour, *given, total_sulfur_dioxide, density, ph, sulphates, alcohol)
    said = grade(model, wine).iloc[0]
    shifts, note = _moved(model, wine)
    found = lift(model, wine)
    return {
        "grade": said["grade"],
        "quality": said["quality"],
        "interval": {"low": said["low"], "high": said["high"], "holds": model.signature["coverage"]},
        "probabilities": {str(one): said[f"p{one}"] for one in GRADES},
        "moved": shifts.to_dict("records"),
        "usual": said["quality"] - shifts["shift"].sum() if len(shifts) else None,
        "lift": found and _plain_lift(found),
        "warnings": doubts(model, wine),
        "notes": [note] if note else [],
        "model": {"name": model.name, "version": model.version, "trained_on": model.trained_on},
        "model_error": model.metrics["mae"],
    }


def fill() -> list[Any]:
    """Return the banner, the form with a typical wine in it, how fresh all is, and the first answer."""
    platform = open_platform()
    model = champion(platform, MODEL)
    colour = COLOURS[0] if COLOURS[0] in model.signature["ranges"] else COLOURS[-1]
    form = _form(model, colour, _typical(model, colour))
    fresh = freshness(standing(platform, SYSTEM), parse_day("today", platform.world))
    first = show(colour, *(slider["value"] for slider in form))
    return [shown_if(pieces.banner(platform.world)), gr.update(visible=True), colour, *form, fresh, *first]


def start(which: object, colour: object) -> list[Any]:
    """Return the sliders in the ranges of a colour, at a wine to begin with."""
    model, colour = champion(open_platform(), MODEL), _colour(colour)
    return _form(model, colour, _first(model, colour, which))


def _first(model: ModelVersion, colour: str, which: object) -> list[float]:
    """Return the measures of a wine: typical, or one the model learned from and finds good or weak."""
    wines = pd.read_parquet(model.folder / "background.parquet").query("colour == @colour").dropna()
    if which == STARTS[0] or wines.empty:
        return _typical(model, colour)
    place = quality(model, wines).argmax() if which == STARTS[1] else quality(model, wines).argmin()
    return _on_steps(wines.iloc[place])


def show(*values: object) -> list[Any]:
    """Return the answer: figures, probabilities, what they mean and where they come from; the rest is looked for."""
    model, wine = _wine(*values)
    said = grade(model, wine).iloc[0]
    chances = {one: float(said[f"p{one}"]) for one in GRADES}
    bars = framed(charts.probability_bars(chances, int(said["grade"]), "grade"), height=220)
    warnings = Markup("").join(pieces.notice(doubt, "warning") for doubt in doubts(model, wine))
    return [gr.update(visible=True), figures(model, said), warnings, rule(model), bars, provenance(model), LOOKING]


def better(*values: object) -> list[Any]:
    """Return what would lift the grade by one."""
    return [lifted(*_wine(*values))]


def why(*values: object) -> list[Any]:
    """Return what moved the answer, in a sentence and as bars."""
    model, wine = _wine(*values)
    shifts, note = _moved(model, wine)
    if note:
        return [pieces.notice(note, "warning"), HIDDEN]
    labels = [with_value(row["measure"], row["value"]) for row in shifts.to_dict("records")]
    usual = float(quality(model, wine)[0]) - float(shifts["shift"].sum())
    words = "Beside the usual wine, of expected grade {:.2f}: what each input adds or takes."
    bars = framed(charts.shift_bars(labels, shifts["shift"].tolist(), "grades"), height=400).update_yaxes(title=None)
    told = Markup('<p class="al-muted">{}</p>').format(words.format(usual))
    return [told, gr.update(value=bars, visible=True)]


def _wine(colour: object, *values: object) -> tuple[ModelVersion, pd.DataFrame]:
    """Return the model that serves, and the wine as a row of SAMPLES.

    Raises:
        NotYetError: no model serves yet.
        UsageError: the colour or a measure cannot be.
    """
    model = champion(open_platform(), MODEL)
    known = {"sample_id": "", "taken_at": pd.NaT, "origin": "", "colour": _colour(colour)}
    return model, pd.DataFrame([{**known, **measured(SAMPLES, MEASURES, values)}])


def _colour(given: object) -> str:
    if given not in COLOURS:
        raise UsageError(f"colour must be red or white; got {given!r}"[:80])
    return str(given)


def _moved(model: ModelVersion, wine: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return ``inference.moved``, or nothing and why."""
    try:
        return moved(model, wine), ""
    except MissingExtraError as missing:
        return pd.DataFrame({"measure": [], "value": [], "shift": []}), str(missing)


def _plain_lift(found: Lift) -> dict[str, Any]:
    pairs = found.changes | ({"density": found.density} if found.density[0] != found.density[1] else {})
    changes = {name: {"from": before, "to": after} for name, (before, after) in pairs.items()}
    return {"changes": changes, "grade": found.grade, "quality": found.quality}


def _typical(model: ModelVersion, colour: str) -> list[float]:
    return _on_steps(model.signature["medians"][colour])


def _on_steps(values: Mapping[str, float] | pd.Series) -> list[float]:
    """Return the measures as a slider can show them."""
    return [round(float(values[name]), STEPS[name]) for name in MEASURES]


def _form(model: ModelVersion, colour: str, values: list[float]) -> list[Any]:
    """Return the sliders of a colour; they reach a quarter beyond what the model saw, so that one can leave that."""
    ranges = model.signature["ranges"]
    seen = ranges.get(colour) or next(iter(ranges.values()))
    return [_slider(name, seen[name], at) for name, at in zip(MEASURES, values, strict=True)]


def _slider(name: str, seen: list[float], at: float) -> dict[str, Any]:
    column, digits = SAMPLES.column(name), STEPS[name]
    beyond = (seen[-1] - seen[0]) / 4
    low, high = max(column.low, seen[0] - beyond), min(column.high, seen[-1] + beyond)
    told = f"learned from {rounded(seen[0])} to {rounded(seen[-1])}"
    return gr.update(minimum=round(low, digits), maximum=round(high, digits), value=at, info=told)


def _label(name: str) -> str:
    unit = SAMPLES.column(name).unit
    return f"{plain(name)} ({unit})" if unit else plain(name)


with gr.Blocks(title="Wine", analytics_enabled=False) as demo:
    gr.HTML(pieces.title("Wine", "Eleven measures of a wine: which grade would a panel of tasters give it?"))
    banner, notice = gr.HTML(visible=False), gr.HTML(visible=False)
    with gr.Row(visible=False) as form:
        with gr.Column(min_width=320, scale=5):
            colour = gr.Radio([(plain(one), one) for one in COLOURS], label="Colour")
            with gr.Row():
                buttons = [gr.Button(one, size="sm", min_width=100) for one in STARTS]
                begun = gr.Textbox(STARTS[0], container=False, visible="hidden")
            with gr.Row():
                sliders = [
                    gr.Slider(0, 1, 0, step=10 ** -STEPS[name], label=_label(name), buttons=[], min_width=220)
                    for name in MEASURES
                ]
        with gr.Column(min_width=320, scale=6):
            trouble = gr.HTML(visible=False)
            with gr.Column(visible=False) as answer:
                tiles, warnings = gr.HTML(), gr.HTML()
                gr.HTML(pieces.heading("How likely is each grade?"))
                rounding = gr.HTML()
                chances = gr.Plot(show_label=False, container=False)
                gr.HTML(pieces.heading("What would lift it by one?"))
                advice = gr.HTML()
                gr.HTML(pieces.heading("What moved the answer?"))
                aside = gr.HTML(visible=False)
                told, shifts = gr.HTML(LOOKING), gr.Plot(show_label=False, container=False, visible=False)
                origin = gr.HTML()
    fresh = gr.HTML()

    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    answers = [answer, tiles, warnings, rounding, chances, origin, advice]
    filled = [banner, form, colour, *sliders, fresh, *answers]
    show_safely = shown(show, [HIDDEN, *[gr.skip()] * (len(answers) - 1)])
    # Without preprocess the values come as they are, and ``measured`` says what is wrong with one. What takes a second
    # comes after the answer; with ``always_last`` values that changed meanwhile are explained once more. One at a time,
    # so that the answer to what was asked last also comes last.
    asking = {"fn": show_safely, "inputs": [colour, *sliders], "outputs": [trouble, *answers]}
    asking |= {"preprocess": False, "trigger_mode": "always_last", "concurrency_limit": 1, **quiet}
    lifting = {**asking, "fn": shown(better, [""]), "outputs": [aside, advice]}
    explaining = {**asking, "fn": shown(why, ["", HIDDEN]), "outputs": [aside, told, shifts]}
    opened = demo.load(
        shown(fill, [gr.skip(), HIDDEN, *[gr.skip()] * (len(filled) - 2)]), None, [notice, *filled], **quiet
    )
    opened.then(**lifting).then(**explaining)
    gr.on([slider.input for slider in sliders], **asking).then(**lifting).then(**explaining)
    gr.on([slider.release for slider in sliders], None, js="() => []").then(**asking).then(**lifting).then(**explaining)
    # What begins anew is marked in the browser, and then one event alone sets the sliders: the last one pressed stays.
    # Read anew once they are set, after whatever was still being answered: the last answer is that to them.
    for event, which in [(colour.input, STARTS[0]), *((button.click, button.value) for button in buttons)]:
        event(None, None, begun, js=f"() => {which!r}", **quiet)
    begin = gr.on([colour.input, *(button.click for button in buttons)], None, js="() => []", **quiet)
    started = {
        "outputs": [trouble, *sliders],
        **{name: asking[name] for name in ("preprocess", "trigger_mode")},
        **quiet,
    }
    begin = begin.then(shown(start, [gr.skip()] * len(sliders)), [begun, colour], concurrency_limit=1, **started)
    begin.then(**asking).then(**lifting).then(**explaining)
    gr.api(answered(wine_predict))

if __name__ == "__main__":
    look.serve(demo)
