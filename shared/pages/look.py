"""How every page looks and is served: one theme, one style sheet, light and dark, readable on a phone.

Contrast of text to its background is at least 4.5 (WCAG 2.2, AA) in both modes. No file comes from another host.
"""

from __future__ import annotations

from importlib import import_module

import gradio as gr
from starlette.middleware import Middleware

from shared.pages.visitors import Callers

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
WAITING = 200  # calls in the queue; on ZeroGPU Gradio would take one
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "monospace")

CSS = """
.html-container { padding: 0 !important; }
.al-title { font-size: 1.75rem; font-weight: 700; margin: 0; color: var(--body-text-color); }
.al-about { margin: 2px 0 0; color: var(--body-text-color); }
.al-muted { color: var(--body-text-color-subdued); font-size: var(--text-sm); margin: 0; }
.al-banner { margin: 0; padding: 8px 12px; border-radius: 8px; background: #fff3cd; color: #5c4400; }
.al-freshness, .al-provenance { margin: 4px 0 0; color: var(--body-text-color); font-size: var(--text-sm); }
.al-notice { padding: 10px 14px; border-radius: 8px; border-left: 4px solid; margin: 4px 0; overflow-wrap: anywhere; }
.al-notice p { margin: 0; color: inherit; }
.al-problem { background: #fde8e8; color: #8b1a1a; border-color: #c53030; }
.al-warning { background: #fff3cd; color: #5c4400; border-color: #b7791f; }
.al-empty { background: #e6f0fa; color: #123a5e; border-color: #2b6cb0; }
.al-notice code { background: rgba(0, 0, 0, 0.08); color: inherit; padding: 1px 5px; border-radius: 4px; }
.al-heading h2, .al-table caption { font-size: var(--text-lg); font-weight: 600; margin: 0; text-align: left; }
.al-heading h2, .al-table caption, .al-value { color: var(--body-text-color); }
.al-tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 12px; }
.al-tile, .al-card { border: 1px solid var(--border-color-primary); border-radius: 10px; padding: 12px 14px;
  background: var(--block-background-fill); }
.al-label { font-size: var(--text-sm); color: var(--body-text-color-subdued); }
.al-value { font-size: 1.7rem; font-weight: 650; line-height: 1.3; font-variant-numeric: tabular-nums; }
.al-scroll { overflow-x: auto; }
.al-parts > .al-heading + .al-scroll, .al-parts > * + .al-heading, .al-parts > .al-scroll + * { margin-top: 16px; }
.al-card + .al-scroll, .al-notice + .al-scroll, .al-parts > .al-muted + .al-scroll { margin-top: 16px; }
.al-notice + .al-card, .al-scroll + .al-muted { margin-top: 8px; }
.al-period { align-items: center; }
.al-table { border-collapse: collapse; border: 0 !important; width: 100%; margin: 0; }
.al-table { font-size: var(--text-sm); color: var(--body-text-color); }
.al-table caption { padding-bottom: 6px; }
.al-table th, .al-table td { border: 0; border-bottom: 1px solid var(--border-color-primary); padding: 6px 14px 6px 0;
  text-align: left; vertical-align: top; white-space: nowrap; font-variant-numeric: tabular-nums; }
.al-table tr { border: 0; }
.al-table th { font-weight: 600; }
.al-table td:last-child { white-space: normal; min-width: 9rem; overflow-wrap: anywhere; }
.al-cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 14px; }
.al-card h2 { font-size: var(--text-lg); font-weight: 600; margin: 0; color: var(--body-text-color); }
.al-card > p { margin: 4px 0; color: var(--body-text-color); }
.al-links { display: flex; flex-wrap: wrap; gap: 6px 16px; margin-top: 8px; }
.al-links a { color: var(--link-text-color); text-decoration: underline; padding: 4px 0; }
.al-flower { margin: 0; text-align: center; color: var(--body-text-color); }
.al-flower svg { width: 100%; max-width: 340px; height: auto; }
.al-flower figcaption { font-size: var(--text-sm); color: var(--body-text-color-subdued); }
.al-sepal { fill-opacity: 0.45; stroke: currentColor; stroke-width: 0.6; }
.al-petal { fill-opacity: 0.95; stroke: currentColor; stroke-width: 0.6; }
.al-scale path { stroke: currentColor; stroke-width: 2; }
.al-scale text { fill: currentColor; font-size: 12px; }
.al-card h3 { font-size: var(--text-md); font-weight: 600; margin: 10px 0 2px; color: var(--body-text-color); }
.al-card ul, .al-card ol { margin: 0; padding-left: 1.4rem; color: var(--body-text-color); overflow-wrap: anywhere; }
.al-card ul { list-style: disc; }
.al-card ol { list-style: decimal; }
.dark .al-banner { background: #3d3108; color: #ffe8a3; }
.dark .al-warning { background: #3d3108; color: #ffe8a3; }
.dark .al-problem { background: #451a1a; color: #ffc9c9; }
.dark .al-empty { background: #12293d; color: #bcdcff; }
.dark .al-notice code { background: rgba(255, 255, 255, 0.14); }
.modebar { display: none !important; }
@media (width <= 640px) { footer .show-api ~ div { display: none; } }
.js-plotly-plot :is(.xtick, .ytick) text, .js-plotly-plot :is(.xtitle, .ytitle, .legendtext) {
  fill: var(--body-text-color-subdued) !important; }
"""

# What visitors and models write is shown as Markdown: whatever gets into it, browsers fetch nothing from another host,
# so that an image's address carries nobody's words away.
HEAD = """<meta http-equiv="Content-Security-Policy" content="img-src 'self' data: blob:; media-src 'self' data: blob:;
 frame-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'">"""


def theme() -> gr.themes.Base:
    """Return the theme of every page: fonts that the reader's machine has, a calm blue, room to breathe."""
    calm = gr.themes.Default(primary_hue="blue", secondary_hue="blue", neutral_hue="slate", font=SANS, font_mono=MONO)
    return calm.set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
        link_text_color_visited="*primary_700",
        link_text_color_visited_dark="*primary_300",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
    )


def serve(demo: gr.Blocks) -> None:
    """Serve a page until stopped, with its API and MCP tools; address and port come from Gradio's own variables."""
    _named_for_zero_gpu()
    demo.queue(default_concurrency_limit=4, max_size=WAITING)
    demo.launch(
        theme=theme(),
        css=CSS,
        head=HEAD,
        mcp_server=True,
        footer_links=["api", "settings"],
        run_history=False,  # what a visitor tries is nobody's business
        enable_monitoring=False,
        ssr_mode=False,
        app_kwargs={"middleware": [Middleware(Callers)]},
    )


def _named_for_zero_gpu() -> None:
    """Name a function for the GPU where Hugging Face runs the page on ZeroGPU, as free accounts have it.

    No page computes on one; but what names none never reports that it has started, and is stopped.
    """
    if gr.utils.is_zero_gpu_space():
        import_module("spaces").GPU(_named_for_zero_gpu)  # Hugging Face installs that package; never our folder spaces/
