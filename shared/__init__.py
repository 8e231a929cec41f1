"""How Almanac works, in plain Python: no Modal, and no network, clock or environment at import."""
