"""What the model says of a wine, for its page: figures, doubts, the rule that rounds, and what would lift the grade."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from shared.pages import pieces
from shared.pages.measured import unusual
from shared.pages.pieces import Tile
from shared.pages.words import plain
from shared.systems.wine.inference import grade, lift
from shared.systems.wine.tables import GRADES, MEASURES, SAMPLES

if TYPE_CHECKING:
    import pandas as pd

    from shared.ports import ModelVersion

RULE = Markup(
    '<p class="al-muted">The grade is the expected one, taken {:g} times as far from the mean grade and rounded: rare '
    "grades would hardly be said else. So it need not be the likeliest.</p>"
)


def figures(model: ModelVersion, said: pd.Series) -> Markup:
    """Return the grade, the expected one and the interval, as tiles."""
    error = f"off by {model.metrics['mae']:.2f} on average"
    return pieces.tiles(
        [
            Tile("Grade", str(int(said["grade"])), f"tasters gave {GRADES[0]} to {GRADES[-1]}, of 10"),
            Tile("Expected grade", f"{said['quality']:.2f}", error),
            Tile("90\u00a0% interval", f"{said['low']:.1f}–{said['high']:.1f}", "holds the grade 9 times in 10"),
        ]
    )


def rule(model: ModelVersion) -> Markup:
    """Return how the model makes a whole grade of the expected one."""
    return RULE.format(model.signature["link"]["stretch"])


def doubts(model: ModelVersion, wine: pd.DataFrame) -> list[str]:
    """Return a sentence for each reason not to believe what the model says of a wine."""
    colour, values = wine["colour"].iloc[0], {name: float(wine[name].iloc[0]) for name in MEASURES}
    free, total = values["free_sulfur_dioxide"], values["total_sulfur_dioxide"]
    said = []
    if free > total:
        said.append(
            f"Free sulfur dioxide ({free:g} mg/L) is a part of the total ({total:g} mg/L) and cannot be more: "
            "there is no such wine, so do not believe the answer."
        )
    seen = model.signature["ranges"].get(colour)
    if seen is None:
        return [*said, f"The model learned from no {colour} wines: do not believe the answer."]
    return [*said, *unusual(SAMPLES, values, seen)]


def lifted(model: ModelVersion, wine: pd.DataFrame) -> Markup:
    """Return what would lift a wine's grade by one, or that nothing small was found."""
    now, found = int(grade(model, wine)["grade"].iloc[0]), lift(model, wine)
    if now == GRADES[-1]:
        return pieces.notice(f"Grade {now} is the best that any wine of the study got", "empty")
    if found is None:
        colour = wine["colour"].iloc[0]
        text = (
            f"No change of up to three measures, within what {colour} wines had, was found that brings grade {now + 1}"
        )
        return pieces.notice(text, "empty")
    rows = [_change(name, before, after) for name, (before, after) in found.changes.items()]
    if found.density[0] != found.density[1]:
        rows.append(_change("density", *found.density) | {"Measure": "Density, which follows"})
    said = Markup("<p>To grade <strong>{}</strong> (expected {:.2f}), the smallest change found:</p>")
    return said.format(found.grade, found.quality) + pieces.table("", rows)


def _change(name: str, before: float, after: float) -> dict[str, str]:
    change = f"{rounded(before)} → {rounded(after)} {SAMPLES.column(name).unit}".rstrip()
    return {"Measure": plain(name), "Change": change}


def with_value(name: str, value: object) -> str:
    """Return an input's name and value, with its unit."""
    if name not in MEASURES:
        return f"{plain(name)}: {value}"
    return f"{plain(name)}: {rounded(float(str(value)))} {SAMPLES.column(name).unit}".rstrip()


def rounded(value: float) -> str:
    """Return a measure in at most six digits, as density needs."""
    return f"{value:.6g}"
