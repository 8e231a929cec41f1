"""What is written can be read: contrast by WCAG 2.2, in light and in dark."""

import re
import sys
from types import SimpleNamespace

import plotly.graph_objects as go
import pytest

from shared.pages.look import CSS, WAITING, serve, theme
from shared.pages.plots import HEIGHT, framed

PAIRS = re.findall(r"background: (#\w+); color: (#\w+);", CSS)


def luminance(colour):
    code = colour.removeprefix("#")
    code = "".join(digit * 2 for digit in code) if len(code) == 3 else code
    shares = [int(code[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_has_the_contrast_of_the_standard():
    assert contrast("#000", "#ffffff") == pytest.approx(21)


def test_every_notice_has_its_colours_in_light_and_in_dark():
    assert len(PAIRS) == 8


@pytest.mark.parametrize(("background", "text"), PAIRS)
def test_the_text_of_a_notice_stands_out(background, text):
    assert contrast(background, text) >= 4.5


@pytest.mark.parametrize("part", ["body_text_color", "body_text_color_subdued", "link_text_color"])
@pytest.mark.parametrize("under", ["background_fill_primary", "block_background_fill"])
@pytest.mark.parametrize("mode", ["", "_dark"])
def test_text_and_links_stand_out_in_light_and_in_dark(part, under, mode):
    text, background = (theme()._get_computed_value(f"{name}{mode}") for name in (part, under))
    assert contrast(text, "#ffffff" if background == "white" else background) >= 4.5


def test_no_file_of_a_page_comes_from_another_host():
    assert "http" not in CSS
    assert "url(" not in CSS


def test_a_chart_has_one_height_and_leaves_its_title_to_the_page():
    figure = framed(go.Figure(layout={"title": "Calibration"}))
    assert figure.layout.height == HEIGHT
    assert figure.layout.title.text is None


@pytest.mark.parametrize(("told", "named"), [("true", 1), ("", 0)])
def test_a_page_names_a_function_for_the_gpu_only_where_it_runs_on_zerogpu(told, named, monkeypatch):
    tasks, asked = [], {}
    monkeypatch.setenv("SPACES_ZERO_GPU", told)
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=tasks.append))
    serve(SimpleNamespace(queue=asked.update, launch=lambda **_: None))
    assert len(tasks) == named
    assert asked["max_size"] == WAITING  # unless told, Gradio lets one wait there
