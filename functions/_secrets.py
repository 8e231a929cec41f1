"""The last guard between a secret and a screen: what a person set as one is replaced by its name in all we print.

No code of ours puts a secret into a message. A vendor's error might; nobody reads all of theirs.
"""

from __future__ import annotations

import os

NAMES = (
    *("MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET", "HF_TOKEN", "HF_READ_TOKEN", "HOPSWORKS_API_KEY"),
    *("AQICN_TOKEN", "ALMANAC_NOTIFY", "ALMANAC_ENDPOINT_TOKEN"),
)
SHORTEST = 6  # characters: "demo" is no secret, and hiding a common word would garble what we say


def hidden(text: str) -> str:
    """Return the text with every secret of the environment replaced by its name in angle brackets."""
    for name in NAMES:
        told = os.environ.get(name, "")  # noqa: TID251 - to hide it, not to use it
        for word in sorted({told, *told.split()}, key=len, reverse=True):  # a notifier's setting is several addresses
            if len(word) >= SHORTEST:
                text = text.replace(word, f"<{name}>").replace(repr(word)[1:-1], f"<{name}>")
    return text
