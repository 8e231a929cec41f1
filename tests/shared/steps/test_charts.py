import math

import pandas as pd
import pytest

from shared.steps import charts
from shared.steps.drift import drift
from shared.steps.rolling import rolling_mean, rolling_share
from shared.steps.scoring import calibration, confusion, wilson

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


# --- of numbers and grades -----------------------------------------------------------------------------------------

GRADES = [3, 4, 5, 6]
LOSSES = pd.Series([1.0, 3.0], index=pd.to_datetime(["2026-01-01", "2026-01-04"], utc=True))
BY_GRADE = {3: wilson(0, 0), 4: wilson(1, 2), 5: wilson(9, 10), 6: wilson(0, 0)}


def losses(baseline=2.5):
    return charts.mean_over_time(rolling_mean(LOSSES, days=2), baseline, "Mean error of 2 days", "mean error (grades)")


def coverages():
    return charts.coverage_bars(BY_GRADE, 0.9, "true grade (wines)")


def chances():
    return charts.probability_bars({3: 0.0, 4: 0.25, 5: 0.45, 6: 0.3}, 6, "grade")


def parts():
    return charts.shift_bars(["Alcohol: 9 % vol", "pH: 3.2", "Sugar: 2 g/L"], [-0.1, 0.3, -0.001], "grades")


NEWER = [losses, coverages, chances, parts]


def test_a_mean_loss_is_drawn_over_the_baseline_with_a_gap_where_there_was_none():
    model = trace(losses(), "model")
    assert list(model.x) == ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]
    assert [value if value == value else None for value in model.y] == [1.0, 1.0, None, 3.0]
    assert list(trace(losses(), "baseline").y) == [2.5, 2.5]
    assert [one.name for one in losses(math.nan).data] == [None, "95 % interval", "model"]


def test_a_band_is_drawn_only_where_the_interval_is_known():
    both = LOSSES.set_axis(LOSSES.index[[0, 0]])
    figure = charts.mean_over_time(rolling_mean(pd.concat([both, LOSSES[1:]]), 2), 2.5, "Mean error", "grades")
    assert list(trace(figure, "95 % interval").x) == ["2026-01-01", "2026-01-02"]
    assert list(trace(losses(), "95 % interval").x) == []


def test_coverage_has_a_bar_where_there_are_rows_and_a_place_for_every_grade():
    figure = coverages()
    bars = trace(figure, "model")
    assert (list(bars.x), list(bars.y)) == (["4", "5"], [0.5, 0.9])
    assert bars.y[0] + bars.error_y.array[0] == pytest.approx(BY_GRADE[4].high)
    assert bars.y[0] - bars.error_y.arrayminus[0] == pytest.approx(BY_GRADE[4].low)
    assert list(figure.layout.xaxis.ticktext) == ["3<br>(0)", "4<br>(2)", "5<br>(10)", "6<br>(0)"]
    assert list(trace(figure, "as promised").y) == [0.9, 0.9]


def test_the_grade_that_was_said_has_a_colour_of_its_own_though_another_is_likelier():
    bars = chances().data[0]
    assert (list(bars.x), list(bars.y)) == (["3", "4", "5", "6"], [0.0, 0.25, 0.45, 0.3])
    assert [colour == charts.BLUE for colour in bars.marker.color] == [False, False, False, True]
    assert list(bars.text) == ["0%", "25%", "45%", "30%"]


def test_what_moved_a_prediction_comes_longest_first_with_its_sign():
    figure = parts()
    assert list(figure.layout.yaxis.categoryarray) == ["pH: 3.2", "Alcohol: 9 % vol", "Sugar: 2 g/L"]
    assert (list(trace(figure, "up").x), list(trace(figure, "up").text)) == ([0.3], ["+0.30"])
    assert (list(trace(figure, "down").x), list(trace(figure, "down").text)) == ([-0.1, -0.001], ["−0.10", "0.00"])


def test_an_answer_that_nothing_moved_is_drawn_with_empty_bars():
    low, high = charts.shift_bars(["pH: 3.2"], [0.0], "grades").layout.xaxis.range
    assert low <= 0 < high


def test_a_heat_map_of_grades_keeps_a_place_for_those_never_seen():
    seen = confusion(pd.Series([4, 5]), pd.Series([5, 5]), GRADES)
    figure = charts.confusion_heatmap(seen)
    assert list(figure.data[0].x) == list(figure.data[0].y) == GRADES
    assert [sum(row) for row in figure.data[0].z] == [0, 1, 1, 0]
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "category"
    empty = confusion(pd.Series([], dtype="int64"), pd.Series([], dtype="int64"), GRADES)
    assert charts.confusion_heatmap(empty).layout.annotations[0].text == "nothing yet"


@pytest.mark.parametrize(
    "figure",
    [
        lambda: charts.mean_over_time(rolling_mean(LOSSES[:0], 2), math.nan, "Mean error", "grades"),
        lambda: charts.coverage_bars({3: wilson(0, 0)}, 0.9, "grade"),
        lambda: charts.coverage_bars({}, 0.9, "grade"),
        lambda: charts.shift_bars([], [], "grades"),
    ],
)
def test_without_numbers_a_figure_says_nothing_yet(figure):
    assert [note.text for note in figure().layout.annotations] == ["nothing yet"]


@pytest.mark.parametrize("figure", NEWER)
def test_a_figure_of_grades_has_title_axes_and_a_clear_ground_and_travels_as_json(figure):
    layout = figure().layout
    assert layout.title.text and layout.xaxis.title.text and layout.yaxis.title.text
    assert layout.paper_bgcolor == layout.plot_bgcolor == charts.CLEAR
    assert layout.font.color == charts.INK
    assert "NaN" not in figure().to_json()
