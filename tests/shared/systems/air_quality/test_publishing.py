"""The static page: whole files, nothing from elsewhere, nothing believed, nobody else's file touched."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import pandas as pd
import pytest

from shared.errors import NotYetError, UsageError
from shared.ports import NewModel
from shared.runs import Run
from shared.steps.promotion import Verdict, record
from shared.systems.air_quality.drawing import MARK
from shared.systems.air_quality.publishing import publish
from shared.systems.air_quality.showing import SOURCES
from shared.systems.air_quality.tables import BASELINES, OBSERVATIONS, PREDICTIONS, STATIONS

TODAY = date(2026, 11, 10)
RUN = Run("r", "air_quality", "publish", TODAY, datetime(2026, 11, 10, 7, tzinfo=UTC), "c")
HOSTILE = "<img src=x onerror=\"alert(1)\"></title></style><script>alert(1)</script>${1}{{2}} & 'so' on"
VOID = {"meta", "link", "img", "br"}


class Strict(HTMLParser):
    """Reads a page; fails on an element that is not closed, and keeps what it found."""

    def __init__(self, text):
        super().__init__()
        self.open, self.found, self.links, self.words = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)
        named = dict(attrs)
        assert not {name for name in named if name.startswith("on")}
        self.links += [value for name, value in attrs if name in ("href", "src", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def fill(platform, tmp_path, names, days=20):
    """Stations by (short name, name), each forecast on TODAY and observed for some days before; a model serves."""
    first = pd.Timestamp(TODAY - timedelta(days=days), tz="UTC")
    where = {"latitude": 51.9, "longitude": 4.5, "country": "NL", "timezone": "Europe/Amsterdam", "feed": None}
    rows = [{"station": short, "added_at": first, "name": name, **where} for short, name in names]
    platform.features.write(STATIONS, pd.DataFrame(rows))
    values = {
        "pm25": 12.0,
        "low": 6.0,
        "high": 40.0,
        "p15": 0.4,
        "p25": 0.1,
        "p35": 0.004,
        "blend": 9.0,
        **dict.fromkeys(BASELINES, 9.0),
    }
    made = {"input_hash": "h", "model": "air_quality", "model_version": 1, "run_id": "r", "code_version": "c"}
    past = []
    for short, _ in names:
        for back in (1, 0):  # the day's run, and that of the eve, whose first day is over
            start = TODAY - timedelta(days=back)
            told = [(lead, pd.Timestamp(start + timedelta(days=lead - 1), tz="UTC")) for lead in range(1, 8)]
            rows = [
                {
                    "forecast": f"{short}/{day.date()}/{lead}",
                    "station": short,
                    "day": day,
                    "lead": lead,
                    **values,
                    **made,
                }
                for lead, day in told
            ]
            platform.features.write(PREDICTIONS, pd.DataFrame(rows).assign(store_version=1))
        span = pd.date_range(first, periods=days, tz="UTC")
        origin = (["station", "station_cams", "cams"] * days)[:days]
        observed = {"station": short, "day": span, "pm25": 10.0, "origin": origin, "hours": 24}
        platform.features.write(OBSERVATIONS, pd.DataFrame(observed))
        past.append(pd.DataFrame({"station": short, "day": span[:-5], "lead": 1, "observed": 10.0, "pm25": 11.0}))
    folder = tmp_path / "model"
    folder.mkdir()
    pd.concat(past).assign(low=5.0, high=20.0, **dict.fromkeys(BASELINES, 9.0)).to_parquet(folder / "past.parquet")
    model = platform.models.save(NewModel("air_quality", folder, {}))
    record(platform, model, Verdict("promoted", "", {}), day=TODAY, decided_at=RUN.started_at, run_id="")


def test_one_station_is_one_page_with_both_pictures(platform, tmp_path):
    fill(platform, tmp_path, [("delft", "Delft")])
    report = publish(platform, RUN, tmp_path / "site")
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == [
        "forecast.csv",
        "forecast.json",
        "index.html",
    ]
    page = Strict((tmp_path / "site" / "index.html").read_text())
    assert page.found.count("svg") == page.found.count("desc") == 2
    words = " ".join(page.words)
    assert "Simulated data." in words
    assert "Tue 10 Nov: 12.0 µg/m³, Moderate (US index 56)" in words
    assert "Hollow dots (4 days): the CAMS model stands in" in words
    assert (report.rows, report.metrics) == (1, {"stations": 1.0})
    assert "index.html" in report.note


def test_many_stations_are_a_page_each_and_an_index_that_leads_to_them(platform, tmp_path):
    fill(platform, tmp_path, [("delft", "Delft"), ("gouda", "Gouda"), ("index", "Index"), ("東京", "東京")])
    publish(platform, RUN, tmp_path)
    index = Strict((tmp_path / "index.html").read_text())
    assert {"delft.html", "gouda.html", "index_.html", "%E6%9D%B1%E4%BA%AC.html"} <= {*index.links}
    assert "Delft" in " ".join(Strict((tmp_path / "delft.html").read_text()).words)
    assert (tmp_path / "東京.html").is_file()


def test_a_page_asks_for_nothing_and_runs_nothing(platform, tmp_path):
    fill(platform, tmp_path, [("delft", "Delft"), ("gouda", "Gouda")])
    publish(platform, RUN, tmp_path)
    for path in tmp_path.glob("*.html"):
        page = Strict(path.read_text())
        assert not {"script", "img", "iframe", "object", "form"} & {*page.found}
        named = {"data:,", *(address for _, address, _ in SOURCES)}  # links to be followed by hand, and an empty icon
        assert not [link for link in page.links if re.match(r"\w+:|//", link) and link not in named]
        assert "default-src 'none'" in path.read_text()
        assert not re.search(r"@import|url\(", path.read_text())


def test_a_name_with_markup_is_shown_and_never_part_of_the_page(platform, tmp_path):
    fill(platform, tmp_path, [("bad", HOSTILE), ("delft", "Delft")])
    publish(platform, RUN, tmp_path)
    for name in ("index.html", "bad.html"):
        page = Strict((tmp_path / name).read_text())
        assert not {"script", "img"} & {*page.found}
        assert HOSTILE in "".join(page.words)


def test_what_else_lies_in_the_folder_stays_and_nothing_is_left_over(platform, tmp_path):
    fill(platform, tmp_path, [("delft", "Delft")])
    site = tmp_path / "site"
    site.mkdir()
    (site / "CNAME").write_text("air.example")
    (site / "index.html").write_text(f"{MARK} an older page")
    publish(platform, RUN, site)
    publish(platform, RUN, site)
    assert (site / "CNAME").read_text() == "air.example"
    assert "an older page" not in (site / "index.html").read_text()
    assert sorted(path.name for path in site.iterdir()) == ["CNAME", "forecast.csv", "forecast.json", "index.html"]


def test_publishing_twice_writes_the_same(platform, tmp_path):
    fill(platform, tmp_path, [("delft", "Delft"), ("gouda", "Gouda")])
    publish(platform, RUN, tmp_path / "one")
    publish(platform, RUN, tmp_path / "other")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


def test_the_files_say_what_the_page_says(platform, tmp_path):
    fill(platform, tmp_path, [("delft", "Delft")])
    publish(platform, RUN, tmp_path)
    told = json.loads((tmp_path / "forecast.json").read_text())
    rows = pd.read_csv(tmp_path / "forecast.csv")
    assert (told["unit"], told["simulated"], len(told["forecasts"]), len(rows)) == ("µg/m³", True, 7, 7)
    first = told["forecasts"][0]
    assert (first["station"], first["day"], first["lead"], first["us_aqi"]) == ("delft", "2026-11-10", 1, 56)
    assert rows["us_class"].tolist() == ["Moderate"] * 7


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_in_the_place_of_the_folder_is_refused_and_stays(platform, tmp_path, below):
    fill(platform, tmp_path, [("delft", "Delft")])
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="name a folder that can be written"):
        publish(platform, RUN, tmp_path / "notes.txt" / below)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_in_the_place_of_the_page_is_refused(platform, tmp_path):
    fill(platform, tmp_path, [("delft", "Delft")])
    (tmp_path / "site" / "index.html").mkdir(parents=True)
    with pytest.raises(UsageError, match="cannot be written"):
        publish(platform, RUN, tmp_path / "site")
    assert not [path for path in (tmp_path / "site").iterdir() if path.name.startswith(".")]


def test_without_a_forecast_the_command_is_named_and_nothing_is_written(platform, tmp_path):
    with pytest.raises(NotYetError, match="run `almanac day`"):
        publish(platform, RUN, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_station_without_a_past_says_so(platform, tmp_path):
    fill(platform, tmp_path, [("delft", "Delft")], days=0)
    publish(platform, RUN, tmp_path / "site")
    words = " ".join(Strict((tmp_path / "site" / "index.html").read_text()).words)
    assert "No day that was forecast is over yet." in words
    assert "too few days" in words


def test_a_page_that_somebody_else_wrote_is_not_written_over(platform, tmp_path):
    fill(platform, tmp_path, [("delft", "Delft")])
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<h1>My garden</h1>")
    with pytest.raises(UsageError, match="not a page that Almanac wrote"):
        publish(platform, RUN, tmp_path / "site")
    assert (tmp_path / "site" / "index.html").read_text() == "<h1>My garden</h1>"
