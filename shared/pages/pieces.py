"""Parts of a page as HTML: notices, the banner, tiles, tables. Values are escaped by ``Markup.format``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup, escape

from shared.pages.words import sentence

FILLS = "almanac day"  # the command that fills an empty store, trains, and predicts

BANNERS = {
    "demo": ("Simulated data.", "A simulator made what is new here, so that everything works without an account."),
    "replay": ("Recorded data.", "These are stored answers played again; nothing here is new."),
}


@dataclass(frozen=True)
class Tile:
    """One figure at the head of a page: what it is, the figure, and what to compare it with."""

    label: str
    value: str
    note: str = ""


def banner(world: str) -> Markup:
    """Return what a visitor must know about the world behind the numbers; nothing for the live one.

    >>> "Simulated data" in banner("demo"), banner("live")
    (True, Markup(''))
    """
    if world not in BANNERS:
        return Markup("")
    return Markup('<p class="al-banner"><strong>{}</strong> {}</p>').format(*BANNERS[world])


def notice(text: str, kind: Literal["problem", "warning", "empty"] = "problem", detail: str = "") -> Markup:
    """Return a sentence in a box; what stands in backticks is shown as code.

    >>> notice("run `almanac day`", "empty")
    Markup('<div class="al-notice al-empty" role="status"><p>Run <code>almanac day</code>.</p></div>')
    """
    more = Markup('<p class="al-muted">{}</p>').format(coded(sentence(detail))) if detail else ""
    role = "alert" if kind == "problem" else "status"
    return Markup('<div class="al-notice al-{}" role="{}"><p>{}</p>{}</div>').format(
        kind, role, coded(sentence(text)), more
    )


def empty_state(detail: str = "") -> Markup:
    """Return the sentence of a page that has nothing to show, naming the command that changes it."""
    if FILLS in detail:
        return notice(f"Nothing here yet: {detail}", "empty")
    return notice(f"Nothing here yet: run `{FILLS}`", "empty", detail)


def title(name: str, about: str) -> Markup:
    """Return the name of a page, with a line on what it is for."""
    return Markup('<h1 class="al-title">{}</h1><p class="al-about">{}</p>').format(name, about)


def heading(title: str, about: str = "") -> Markup:
    """Return the heading of a part of a page, with a line that says how to read it."""
    return Markup('<div class="al-heading"><h2>{}</h2><p class="al-muted">{}</p></div>').format(title, about)


def parts(shown: Iterable[Markup]) -> Markup:
    """Return parts of a page one below the other, with room between them."""
    return Markup('<div class="al-parts">{}</div>').format(Markup("").join(shown))


def tiles(shown: Iterable[Tile]) -> Markup:
    """Return figures side by side, or below each other on a phone."""
    one = Markup(
        '<div class="al-tile"><div class="al-label">{}</div><div class="al-value">{}</div>'
        '<div class="al-muted">{}</div></div>'
    )
    inside = Markup("").join(one.format(tile.label, tile.value, tile.note) for tile in shown)
    return Markup('<div class="al-tiles">{}</div>').format(inside)


def table(title: str, rows: Sequence[Mapping[str, object]], nothing: str = "Nothing yet.") -> Markup:
    """Return rows as a table, a column a key of the first; it scrolls sideways on a narrow screen.

    >>> table("Runs", [{"day": "<b>"}])
    Markup('<div class="al-scroll" tabindex="0"><table class="al-table"><caption>Runs</caption>...&lt;b&gt;...')
    """
    if not rows:
        return Markup('<div class="al-heading"><h2>{}</h2><p class="al-muted">{}</p></div>').format(title, nothing)
    head = _cells("th", rows[0], ' scope="col"')
    body = Markup("").join(Markup("<tr>{}</tr>").format(_cells("td", row.values())) for row in rows)
    return Markup(
        '<div class="al-scroll" tabindex="0"><table class="al-table"><caption>{}</caption>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(title, head, body)


def coded(text: str) -> Markup:
    """Return the text, escaped, with what stands in backticks as code.

    >>> coded("run `ls` <now>")
    Markup('run <code>ls</code> &lt;now&gt;')
    """
    parts = text.split("`")
    if len(parts) % 2 == 0:  # a backtick without its pair
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts))


def _cells(tag: Literal["th", "td"], values: Iterable[object], attributes: str = "") -> Markup:
    one = Markup(f"<{tag}{attributes}>{{}}</{tag}>")  # noqa: S704 - the tag and attributes are literals of this module
    return Markup("").join(one.format(value) for value in values)
