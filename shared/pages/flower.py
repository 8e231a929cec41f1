"""An iris seen from above, drawn to scale from its four measurements: three sepals below, three petals above."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

# Okabe and Ito's colours (2008), which stay apart in the common colour blindnesses; the name stands beside them.
COLOURS = {"setosa": "#56B4E9", "versicolor": "#CC79A7", "virginica": "#0072B2"}
OTHER = "#999999"

SIZE = 320  # px; the drawing scales with the page
REACH_CM = 8.5  # from the middle to the edge: every reference flower fits, so sizes compare by eye
PEAK = 0.4923  # widest half of the outline below, as a share of its control points


def draw_flower(measures: Mapping[str, float], variety: str) -> Markup:
    """Return an SVG of the flower with a bar of 1 cm; ``measures`` in cm, as the columns of ``iris_flowers``."""
    reach = max(REACH_CM, 1.1 * measures["sepal_length"], 1.1 * measures["petal_length"])
    scale = SIZE / 2 / reach  # px a cm
    colour = COLOURS.get(variety, OTHER)
    leaves = [
        _leaf(measures[f"{part}_length"] * scale, measures[f"{part}_width"] * scale, turn, part)
        for part, first in (("sepal", 60), ("petal", 0))
        for turn in (first, first + 120, first + 240)
    ]
    return Markup(
        '<figure class="al-flower"><svg viewBox="{0} {0} {1} {1}" role="img" aria-label="{2}" fill="{3}">{4}{5}</svg>'
        "<figcaption>{6}</figcaption></figure>"
    ).format(
        -SIZE / 2, SIZE, f"Drawing of an iris {variety}", colour, Markup("").join(leaves), _bar(scale), _told(measures)
    )


def leaf_outline(length: float, width: float) -> str:
    """Return the path of a leaf from the origin upwards, exactly ``length`` long and ``width`` wide, in px.

    >>> leaf_outline(100, 20)
    'M0 0C-4.1 -30.0 -20.3 -100.0 0 -100.0C20.3 -100.0 4.1 -30.0 0 0Z'
    """
    near, far = 0.2 * width / 2 / PEAK, width / 2 / PEAK
    low, top = -0.3 * length, -length
    up = f"C{-near:.1f} {low:.1f} {-far:.1f} {top:.1f} 0 {top:.1f}"
    return f"M0 0{up}C{far:.1f} {top:.1f} {near:.1f} {low:.1f} 0 0Z"


def _leaf(length: float, width: float, turn: int, part: str) -> Markup:
    return Markup('<path class="al-{}" transform="rotate({})" d="{}"/>').format(part, turn, leaf_outline(length, width))


def _bar(scale: float) -> Markup:
    x, y = -SIZE / 2 + 12, SIZE / 2 - 12
    return Markup('<g class="al-scale"><path d="M{} {}h{:.1f}"/><text x="{}" y="{}">1 cm</text></g>').format(
        x, y, scale, x, y - 8
    )


def _told(measures: Mapping[str, float]) -> str:
    told = [
        f"{part}s {measures[f'{part}_length']:.1f} × {measures[f'{part}_width']:.1f} cm" for part in ("sepal", "petal")
    ]
    return ", ".join(told)
