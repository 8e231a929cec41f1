"""Pictures of values by day as SVG, for pages without a script: levels, bands, lines and dots over two axes.

    Axes ──► level, band, line, dots: one layer each, in drawing order ──► picture: axes, layers, title and description

Colours are classes, which the page's style sheet fills, so that a picture follows light and dark. Texts are escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from typing import TypeVar

from markupsafe import Markup

LEFT, RIGHT, ABOVE, BELOW = 48, 12, 12, 34  # px around the drawing, of the picture's own size
LABELS_X, LABELS_Y = 7, 5  # at most so many labels are wanted on an axis

Row = TypeVar("Row", tuple[date, float], tuple[date, float, float])


@dataclass(frozen=True)
class Axes:
    """Days from the first to the last, and values from 0 to ``top`` in ``unit``; the size, in px, scales along."""

    first: date
    last: date
    top: float
    unit: str
    width: int = 760
    height: int = 330

    def x(self, day: date) -> float:
        """Return where a day lies, half a day from the edge at either end."""
        share = ((day - self.first).days + 0.5) / ((self.last - self.first).days + 1)
        return LEFT + share * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Return where a value lies; above the top is the top."""
        inner = self.height - ABOVE - BELOW
        return ABOVE + inner * (1 - min(max(value, 0), self.top) / self.top)


def level(axes: Axes, low: float, high: float, colour: str, name: str) -> Markup:
    """Return values from ``low`` to ``high`` as a strip in its own colour, with its name; nothing beyond the top."""
    if low >= axes.top:
        return Markup("")
    top, bottom = axes.y(high), axes.y(low)
    label = Markup('<text class="level-name" x="{}" y="{:.1f}">{}</text>').format(LEFT + 6, top + 4, name)
    strip = Markup('<rect class="level" x="{}" y="{:.1f}" width="{}" height="{:.1f}" fill="{}"/>{}')
    width = axes.width - LEFT - RIGHT
    return strip.format(LEFT, top, width, bottom - top, colour, label if bottom - top > 18 else "")


def band(axes: Axes, rows: Iterable[tuple[date, float, float]], kind: str) -> Markup:
    """Return (day, low, high) as an area; a day that is missing leaves a gap."""
    path = ""
    for run in runs(rows):
        upper = [f"{axes.x(day):.1f} {axes.y(high):.1f}" for day, _, high in run]
        lower = [f"{axes.x(day):.1f} {axes.y(low):.1f}" for day, low, _ in reversed(run)]
        path += f"M{'L'.join([*upper, *lower])}Z"
    return Markup('<path class="{}" d="{}"/>').format(kind, path)


def line(axes: Axes, rows: Iterable[tuple[date, float]], kind: str) -> Markup:
    """Return (day, value) as a line; a day that is missing leaves a gap."""
    parts = ("M" + "L".join(f"{axes.x(day):.1f} {axes.y(value):.1f}" for day, value in run) for run in runs(rows))
    return Markup('<path class="{}" d="{}"/>').format(kind, "".join(parts))


def dots(axes: Axes, rows: Iterable[tuple[date, float]], kind: str, size: float = 4) -> Markup:
    """Return (day, value) as dots of a radius in px, each with its value for who points at it."""
    one = Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{}"><title>{}: {:.1f} {}</title></circle>')
    return Markup("").join(
        one.format(kind, axes.x(day), axes.y(value), size, day, value, axes.unit) for day, value in rows
    )


def picture(axes: Axes, name: str, title: str, about: str, layers: Iterable[Markup]) -> Markup:
    """Return the layers over their axes; ``name`` is unique on the page, title and description are for readers."""
    head = Markup('<title id="{0}-title">{1}</title><desc id="{0}-about">{2}</desc>').format(name, title, about)
    svg = Markup('<svg viewBox="0 0 {} {}" role="img" aria-labelledby="{}-title {}-about">{}{}{}</svg>')
    drawn = Markup("").join(layers)
    return svg.format(axes.width, axes.height, name, name, head, drawn, _grid(axes))


def runs(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield rows of consecutive days together.

    >>> days = [date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 4)]
    >>> [len(run) for run in runs((day, 1.0) for day in days)]
    [2, 1]
    """
    run: list[Row] = []
    for row in rows:
        if run and (row[0] - run[-1][0]).days != 1:
            yield run
            run = []
        run.append(row)
    if run:
        yield run


def steps(top: float, most: int) -> list[float]:
    """Return round values from 0 up to ``top``, at most ``most`` above 0.

    >>> steps(38, 5)
    [0, 10, 20, 30]
    """
    sizes = (digit * 10.0**power for power in count(-2) for digit in (1, 2, 5))
    size = next(size for size in sizes if top / size <= most)
    return [size * number if size < 1 else int(size * number) for number in range(int(top / size) + 1)]


def _grid(axes: Axes) -> Markup:
    """Return the axes' lines and labels."""
    across = Markup(
        '<path class="grid" d="M{} {:.1f}H{}"/><text class="tick" text-anchor="end" x="{}" y="{:.1f}">{:g}</text>'
    )
    right = axes.width - RIGHT
    rows = [
        across.format(LEFT, axes.y(value), right, LEFT - 6, axes.y(value) + 4, value)
        for value in steps(axes.top, LABELS_Y)
    ]
    down = Markup('<text class="tick" text-anchor="middle" x="{:.1f}" y="{}">{}</text>')
    columns = [down.format(axes.x(day), axes.height - 14, f"{day.day} {day:%b}") for day in _labelled(axes)]
    unit = Markup('<text class="tick" text-anchor="middle" transform="translate(12 {}) rotate(-90)">{}</text>')
    return Markup("").join([*rows, *columns, unit.format((axes.height - BELOW + ABOVE) / 2, axes.unit)])


def _labelled(axes: Axes) -> Sequence[date]:
    days = (axes.last - axes.first).days + 1
    every = -(-days // LABELS_X)
    return [axes.first + timedelta(days=number) for number in range(0, days, every)]
