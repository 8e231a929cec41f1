"""Almanac: every page under one roof, with a menu, and a start page that says how each system stands.

<space>/app.py (in the repository) | pages/<space>/app.py (in a bundle) ──► its ``demo`` as one page of this one
"""

from __future__ import annotations

import importlib.util
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
from markupsafe import Markup

from shared.connect import open_platform
from shared.pages import look, pieces
from shared.pages.guard import shown, shown_if
from shared.pages.standing import standing
from shared.pages.words import ago, figure, plain, sentence_case
from shared.runs import parse_day

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from types import ModuleType

    from shared.pages.standing import Standing

HERE = Path(__file__).resolve().parent
ABOUT = "Small services that keep themselves up to date, predict, and check their own predictions."


def neighbours(here: Path = HERE) -> list[Path]:
    """Return the app of every other page, by name: beside this one, or below ``pages`` in a bundle."""
    bundled = here / "pages"
    found = (bundled if bundled.is_dir() else here.parent).glob("*/app.py")
    return sorted(path for path in found if path.parent != here)


def loaded(path: Path) -> ModuleType:
    """Return the page's module; its name is its folder's."""
    spec = importlib.util.spec_from_file_location(path.parent.name, path)
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    return page


def by_system(pages: dict[str, ModuleType]) -> Iterator[tuple[str, dict[str, ModuleType]]]:
    """Yield each system with its pages by path, its own page (of the same name) first."""
    systems = dict.fromkeys(page.SYSTEM for page in pages.values())
    for system in systems:
        mine = {path: page for path, page in pages.items() if system == page.SYSTEM}
        yield system, dict(sorted(mine.items(), key=lambda item: item[0] != system))


def fill() -> list[object]:
    """Return the banner, and a card a system."""
    platform = open_platform()
    today = parse_day("today", platform.world)
    stands = {system: standing(platform, system) for system, _ in by_system(PAGES)}
    cards = Markup("").join(card(system, mine, stands[system], today) for system, mine in by_system(PAGES))
    nothing = Markup("") if any(stands.values()) else pieces.empty_state()
    return [shown_if(pieces.banner(platform.world) + nothing), Markup('<div class="al-cards">{}</div>').format(cards)]


def card(system: str, pages: dict[str, ModuleType], stands: Standing | None, today: date) -> Markup:
    """Return what a system is, as its own package says it, how it stands, and where its pages are."""
    name, about = import_module(f"shared.systems.{system}").__doc__.splitlines()[0].split(": ", 1)
    link = Markup('<a href="{}">{}</a>')
    links = Markup("").join(link.format(path, page.demo.title) for path, page in pages.items())
    return Markup(
        '<section class="al-card"><h2>{}</h2><p>{}</p>{}<nav class="al-links" aria-label="{}">{}</nav></section>'
    ).format(name, sentence_case(about), _told(stands, today), f"Pages of {name}", links)


def _told(stands: Standing | None, today: date) -> Markup:
    if stands is None:
        return Markup('<p class="al-muted">It has not run yet.</p>')
    newest = f"Newest date {stands.newest} ({ago(stands.newest, today)}). " if stands.newest else ""
    beside = f"baseline {figure(stands.headline, stands.baseline)}"
    return Markup(
        '<div class="al-label">{}</div><div class="al-value">{}</div><p class="al-muted">{}</p>'
        '<p class="al-muted">{}Last run {:%Y-%m-%d %H:%M} UTC: {} {}.</p>{}'
    ).format(
        plain(stands.headline) or "No figure yet",
        figure(stands.headline, stands.value),
        beside,
        newest,
        stands.ran_at,
        stands.stage,
        stands.status,
        Markup("").join(pieces.notice(why, "warning") for why in stands.worries(today)),
    )


PAGES = {path.parent.name: loaded(path) for path in neighbours()}

with gr.Blocks(title="Almanac", analytics_enabled=False) as demo:
    gr.Navbar(main_page_name="Almanac")
    gr.HTML(pieces.title("Almanac", ABOUT))
    notice, top, cards = gr.HTML(visible=False), gr.HTML(visible=False), gr.HTML()
    demo.load(
        shown(fill, [gr.skip()] * 2), None, [notice, top, cards], show_progress="hidden", api_visibility="private"
    )

for path, page in PAGES.items():
    with demo.route(page.demo.title, path):
        gr.Navbar(main_page_name="Almanac")
        page.demo.render()

if __name__ == "__main__":
    look.serve(demo)
