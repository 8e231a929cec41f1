r"""Text that strangers and models write, as Markdown that holds no HTML and fetches no image; and back again.

    <b> outside code ──► &lt;b>, shown as it was written        ![a](b) ──► a link with an exclamation mark before it

Code keeps its letters, so that it can be copied. The first of three defences: Gradio takes out of what is left whatever
could run, and the page's Content-Security-Policy lets browsers ask no other host.
"""

from __future__ import annotations

import re

# A block of code, to its end or that of the text; or code within a line, which ends in its paragraph.
CODE = re.compile(
    r"^ {0,3}(?P<fence>`{3,}+|~{3,}+)[^\n]*+\n(?:.*?^ {0,3}(?P=fence)[`~]*[ \t]*$|.*)"
    r"|(?P<ticks>(?<!`)`{1,9}(?!`))(?:(?!\n\s*\n).){1,300}?(?<!`)(?P=ticks)(?!`)",
    re.DOTALL | re.MULTILINE,
)
LIVE = re.compile(r"&(?=(?:lt|amp|#33);)|<(?=[A-Za-z/!?])|!(?=\[)")
INERT = re.compile(r"&amp;(?=(?:lt|amp|#33);)|&lt;(?=[A-Za-z/!?])|&#33;(?=\[)")
SPELT = {"&": "&amp;", "<": "&lt;", "!": "&#33;"}
MEANT = {spelt: letter for letter, spelt in SPELT.items()}


def inert(text: str) -> str:
    """Return the text as Markdown without HTML and images.

    >>> inert("1 < 2 <b>, ![a](b), `<i>`")
    '1 < 2 &lt;b>, &#33;[a](b), `<i>`'
    """
    return _outside_code(text, LIVE, SPELT)


def original(shown: str) -> str:
    """Return what ``inert`` was given.

    >>> original("1 < 2 &lt;b>, &#33;[a](b), `<i>`")
    '1 < 2 <b>, ![a](b), `<i>`'
    """
    return _outside_code(shown, INERT, MEANT)


def _outside_code(text: str, found: re.Pattern[str], spelt: dict[str, str]) -> str:
    parts, at = [], 0
    for code in CODE.finditer(text):
        parts += [found.sub(lambda hit: spelt[hit[0]], text[at : code.start()]), code[0]]
        at = code.end()
    return "".join([*parts, found.sub(lambda hit: spelt[hit[0]], text[at:])])
