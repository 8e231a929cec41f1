"""An optional package that is not installed is named with the extra that brings it, and nothing is imported."""

import pytest

from shared.errors import MissingExtraError
from shared.steps.extras import needed


def test_what_is_missing_is_named_with_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"serving needs torch, nowhere_at_all: pip install 'almanac\[llm\]'"):
        needed("serving", "llm", "torch", "json", "nowhere_at_all")
