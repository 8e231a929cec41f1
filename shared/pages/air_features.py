"""What a forecast of fine dust rests on, in words: every feature of the model, by group.

importance by name ──► (group, words, share) ──► bars, and each group's share
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from shared.pages import pieces
from shared.pages.pieces import Tile
from shared.pages.words import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DUST, DATE, WEATHER, CAMS = GROUPS = ("Fine dust before", "Season and calendar", "Weather", "CAMS")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NAMED = {
    "week_before": (DUST, "Dust a week before the day"),
    "usual": (DATE, "Usual dust of the date"),
    "sin1": (DATE, "Season: spring to autumn"),
    "cos1": (DATE, "Season: winter to summer"),
    "sin2": (DATE, "Half-yearly wave, rising"),
    "cos2": (DATE, "Half-yearly wave, high"),
    "holiday": (DATE, "Public holiday"),
    "cams_target": (CAMS, "CAMS's forecast of the day"),
    "cams_change": (CAMS, "CAMS's change since the last day"),
    **{f"weekday{number}": (DATE, name) for number, name in enumerate(_DAYS)},
}
_AIR = {  # warmth is that beyond the season's
    "warmth": "Warmth",
    "rain": "Rain",
    "wind": "Wind speed",
    "wind_east": "Wind, east–west",
    "wind_north": "Wind, north–south",
}
_MOMENTS = {
    "target": "on the day",
    "before": "the day before",
    "after": "the day after",
    "origin": "on the last day",
    "change": "change since the last day",
    "way": "mean until the day",
}


def importance(shares: Mapping[str, float]) -> list[tuple[str, str, float]]:
    """Return (group, name in words, share) of every feature, in order.

    >>> importance({"lag0": 0.6, "wind_east_target": 0.3, "weekday6": 0.1})[:2]
    [('Fine dust before', 'Dust on the last day', 0.6), ('Weather', 'Wind, east–west, on the day', 0.3)]
    """
    return [(*_named(name), share) for name, share in shares.items()]


def grouped(shares: Sequence[tuple[str, str, float]]) -> Markup:
    """Return each group's share, as tiles."""
    return pieces.tiles(
        Tile(group, percent(sum(share for kind, _, share in shares if kind == group)), _features(shares, group))
        for group in GROUPS
    )


def _features(shares: Sequence[tuple[str, str, float]], group: str) -> str:
    count = sum(kind == group for kind, _, _ in shares)
    return f"{count} {'feature' if count == 1 else 'features'}"


def _named(name: str) -> tuple[str, str]:
    """Return group and words of a feature; one that is not known here keeps its own name, among the weather."""
    if name in _NAMED:
        return _NAMED[name]
    if name.startswith("lag"):
        back = int(name[3:])
        return (
            DUST,
            "Dust on the last day" if not back else f"Dust {back} {'day' if back == 1 else 'days'} before the last",
        )
    if name.startswith("mean"):
        return DUST, f"Mean dust of {name[4:]} days"
    measure, _, moment = name.rpartition("_")
    return WEATHER, f"{_AIR[measure]}, {_MOMENTS[moment]}" if measure in _AIR else name
