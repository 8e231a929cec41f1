"""What strangers write is shown as written, and nothing of it becomes HTML or fetches an image."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.pages.inert import inert, original


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<script>x</script>", "&lt;script>x&lt;/script>"),
        ("![a](https://evil.example/a.png)", "&#33;[a](https://evil.example/a.png)"),
        ("[![a](b)](c)", "[&#33;[a](b)](c)"),
        ("```html\n<b>\n```\n<b>", "```html\n<b>\n```\n&lt;b>"),
        ("```html\n<b>", "```html\n<b>"),  # still being written
        ("` <b>\n\n<b> `", "` &lt;b>\n\n&lt;b> `"),  # code ends in its paragraph
        ("&lt;b&gt; &amp; &", "&amp;lt;b&gt; &amp;amp; &"),
        ("1 < 2 && a<b", "1 < 2 && a&lt;b"),
        ("> quoted\n# head\n* one", "> quoted\n# head\n* one"),
    ],
)
def test_what_would_be_live_is_spelt_and_the_rest_is_left(written, shown):
    assert inert(written) == shown
    assert original(shown) == written


@given(st.text(alphabet="<b/!?[]()&ltamp;#3`~\n x", max_size=80))
def test_whatever_is_written_comes_back(written):
    assert original(inert(written)) == written


@pytest.mark.parametrize("hostile", ["`a`` " * 8_000, "`" * 40_000, "~~~\n" * 10_000, "![" * 20_000, "\n\n" * 20_000])
def test_forty_thousand_hostile_characters_take_no_second(hostile):
    begun = time.perf_counter()
    inert(hostile)
    assert time.perf_counter() - begun < 1
