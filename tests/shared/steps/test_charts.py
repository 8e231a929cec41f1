import math

import pandas as pd
import pytest

from shared.steps import charts
from shared.steps.drift import drift
from shared.steps.rolling import rolling_share
from shared.steps.scoring import calibration, confusion

CLASSES = ["setosa", "versicolor"]
HITS = pd.Series([True, False, True], index=pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-04"], utc=True))
BEFORE = pd.DataFrame({"petal": range(50), "sepal": range(50)}, dtype=float)
AFTER = BEFORE.assign(petal=BEFORE["petal"] + 50)


def shares(baseline=0.4):
    return charts.share_over_time(rolling_share(HITS, days=2), baseline, "Accuracy of 2 days")


def matrix():
    return charts.confusion_heatmap(confusion(pd.Series(CLASSES), pd.Series(["setosa", "setosa"]), CLASSES))


def curve():
    return charts.calibration_curve(calibration(pd.Series([0.5, 0.9, 0.9]), pd.Series([True, True, False])))


def shifts():
    return charts.drift_bars(drift(BEFORE, AFTER, ["petal", "sepal"]))


ALL = [shares, matrix, curve, shifts]


def trace(figure, name):
    return next(one for one in figure.data if one.name == name)


def contrast(one, other):
    """Return the contrast ratio of WCAG 2.2 of two colours, 1 to 21."""

    def luminance(colour):
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_share_is_drawn_in_its_band_over_the_baseline():
    figure = shares()
    assert list(trace(figure, "model").x) == ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]
    assert list(trace(figure, "model").y) == [1.0, 0.5, 0.0, 1.0]
    assert list(trace(figure, "baseline").y) == [0.4, 0.4]
    assert trace(figure, "baseline").line.dash == "dash"
    band = [one.y for one in figure.data[:2]]
    assert all(low <= high for high, low in zip(*band, strict=True))
    assert trace(figure, "95 % interval").fill == "tonexty"


def test_an_unknown_baseline_is_left_out():
    assert [one.name for one in shares(math.nan).data] == [None, "95 % interval", "model"]


def test_the_heat_map_holds_every_count_with_the_truth_downwards():
    figure = matrix()
    assert [list(row) for row in figure.data[0].z] == [[1, 0], [1, 0]]
    assert figure.data[0].texttemplate == "%{z}"
    assert figure.layout.yaxis.autorange == "reversed"
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("guess", "truth")


def test_calibration_shows_filled_bins_only_with_their_bounds():
    points = trace(curve(), "model")
    assert list(points.x) == pytest.approx([0.5, 0.9])
    assert list(points.y) == pytest.approx([1.0, 0.5])
    assert points.y[0] + points.error_y.array[0] == 1.0
    assert list(points.text) == ["1 rows", "2 rows"]


def test_drifted_columns_have_a_colour_of_their_own():
    figure = shifts()
    assert list(trace(figure, "drifted").y) == ["petal"]
    assert list(trace(figure, "as before").y) == ["sepal"]
    assert trace(figure, "drifted").marker.color != trace(figure, "as before").marker.color
    assert list(figure.layout.yaxis.categoryarray) == ["petal", "sepal"]


def test_a_column_with_too_few_rows_says_so_beside_an_empty_bar():
    bar = trace(charts.drift_bars(drift(BEFORE, AFTER[:3], ["petal"])), "as before")
    assert (list(bar.x), list(bar.text)) == ([0.0], ["too few rows"])


@pytest.mark.parametrize(
    "figure",
    [
        lambda: charts.share_over_time(rolling_share(HITS[:0], 2), math.nan, "Accuracy"),
        lambda: charts.confusion_heatmap(confusion(pd.Series([], dtype=object), pd.Series([], dtype=object), CLASSES)),
        lambda: charts.calibration_curve(calibration(pd.Series([], dtype=float), pd.Series([], dtype=bool))),
        lambda: charts.drift_bars(drift(BEFORE, AFTER, ["petal"])[:0]),
    ],
)
def test_without_rows_a_figure_says_nothing_yet(figure):
    drawn = figure()
    assert [note.text for note in drawn.layout.annotations] == ["nothing yet"]
    assert drawn.layout.title.text
    assert len(drawn.data) == 0


@pytest.mark.parametrize("figure", ALL)
def test_a_figure_has_a_title_and_names_its_axes(figure):
    layout = figure().layout
    assert layout.title.text and layout.xaxis.title.text and layout.yaxis.title.text


@pytest.mark.parametrize("figure", ALL)
def test_a_figure_lets_the_page_shine_through(figure):
    assert figure().layout.paper_bgcolor == figure().layout.plot_bgcolor == "rgba(0, 0, 0, 0)"


@pytest.mark.parametrize("page", ["#ffffff", "#000000"])
def test_text_is_readable_on_a_light_page_and_on_a_dark_one(page):
    assert contrast(charts.INK, page) >= 4.5
    assert all(one().layout.font.color == charts.INK for one in ALL)


@pytest.mark.parametrize("figure", ALL)
def test_a_figure_travels_as_json(figure):
    assert '"data"' in figure().to_json()
