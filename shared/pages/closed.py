"""What a visitor sets in a tab or an accordion that is closed while the page fills: it stays.

Gradio (6.31) builds such a part when it is opened, and a frame later writes to each component what it was first told,
over whatever was set in that frame: a moment that only keyboards, programs and busy machines hit. It leaves out what it
was told meanwhile to show. So the event that fills a page tells that of the inputs in its closed parts.
"""

from __future__ import annotations

import gradio as gr

STAYS = gr.update(visible=True)
