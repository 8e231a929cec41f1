"""Parts of a page: what comes from a value is shown as text, never run."""

from html.parser import HTMLParser

import pytest

from shared.pages import pieces
from shared.pages.pieces import Tile
from shared.pages.provenance import provenance
from shared.ports import ModelVersion

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.names, self.attributes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += [name for name, _ in attrs]


def model(name="iris", **changes):
    facts = {"metrics": {}, "signature": {}, "code_version": "abc", "trained_on": "2026-10-29"}
    return ModelVersion(name, version=2, folder=None, **{**facts, **changes})


@pytest.mark.parametrize(
    "piece",
    [
        pieces.title(HOSTILE, HOSTILE),
        pieces.heading(HOSTILE, HOSTILE),
        pieces.notice(HOSTILE, "problem", HOSTILE),
        pieces.empty_state(HOSTILE),
        pieces.tiles([Tile(HOSTILE, HOSTILE, HOSTILE)]),
        pieces.table(HOSTILE, [{HOSTILE: HOSTILE}]),
        pieces.table(HOSTILE, [], nothing=HOSTILE),
        pieces.coded(f"`{HOSTILE}`"),
        provenance(model(HOSTILE, code_version=HOSTILE, trained_on=HOSTILE, signature={"family": HOSTILE})),
    ],
)
def test_html_in_a_value_is_shown_and_not_run(piece):
    tags = Tags(piece)
    assert not {"img", "script"} & {*tags.names}
    assert "onerror" not in tags.attributes
    assert "&lt;script&gt;" in piece


def test_only_a_world_that_is_not_live_has_a_banner():
    assert "Simulated data" in pieces.banner("demo")
    assert "Recorded data" in pieces.banner("replay")
    assert pieces.banner("live") == ""


def test_an_empty_page_names_the_command_that_fills_it():
    assert "<code>almanac day</code>" in pieces.empty_state("no version serves yet")
    assert "No version serves yet." in pieces.empty_state("no version serves yet")


def test_an_empty_page_says_the_command_once():
    assert pieces.empty_state("no flower was predicted yet; run `almanac day`").count("almanac day") == 1


def test_a_single_backtick_stays_as_it_is():
    assert pieces.coded("5` north") == "5` north"


def test_a_table_has_a_column_a_key_and_a_row_a_row():
    rows = [{"Date": "2026-11-10", "Rows": 11}, {"Date": "2026-11-09", "Rows": 12}]
    shown = pieces.table("Runs", rows)
    assert Tags(shown).names.count("tr") == 3
    assert '<th scope="col">Date</th><th scope="col">Rows</th>' in shown
    assert "<td>2026-11-09</td><td>12</td>" in shown


def test_a_table_without_rows_says_so():
    assert "Nothing yet." in pieces.table("Runs", [])


def test_a_model_with_an_accuracy_tells_it_with_its_interval():
    metrics = {"accuracy": 0.9667, "accuracy_low": 0.924, "accuracy_high": 0.986}
    told = provenance(model(metrics=metrics, signature={"family": "naive_bayes"}))
    assert "<strong>Iris version 2</strong> (naive bayes), trained on 2026-10-29" in told
    assert "right 97\u00a0% of the time (95\u00a0% interval 92–99\u00a0%)" in told


def test_a_model_without_an_accuracy_claims_none():
    assert "right" not in provenance(model())
