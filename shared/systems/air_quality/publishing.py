"""The static page: the forecast and the hindcast as files that any host can serve, without scripts or requests.

outlooks, outcomes ──► drawing: a page a station ──► written beside, renamed ──► <station>.html
                   └─► index.html (of one station: its page), forecast.csv, forecast.json

What else lies in the folder stays as it is. The index is written last, so that what it names is there.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pandas as pd

from shared.errors import UsageError
from shared.runs import Report, midnight
from shared.steps.promotion import champion
from shared.systems.air_quality import drawing
from shared.systems.air_quality.monitoring import outcomes
from shared.systems.air_quality.scores import CLOSEST
from shared.systems.air_quality.showing import Outlook, outlooks, skills
from shared.systems.air_quality.tables import LIMITS, MODEL
from shared.systems.air_quality.units import class_of, published_aqi

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from shared.ports import Platform
    from shared.runs import Run

DAYS = 90  # of forecasts whose day has come
CAREFUL = 20  # stations: of more, a bootstrap for each would take minutes; the index then says it of all together
_SHOWN = ("day", "lead", "pm25", "low", "high", *(f"p{limit}" for limit in LIMITS), "model_version")


def publish(platform: Platform, run: Run, to: Path) -> Report:
    """Write the newest forecasts and their past into the folder ``to``; return how many stations there are.

    Raises:
        NotYetError: nothing was forecast yet.
        UsageError: ``to`` is no folder, cannot be written, or holds a page that is not Almanac's.
    """
    _must_be_ours(to / "index.html")
    looks = outlooks(platform)
    _write(to, pages(platform, run.day))
    count = float(len(looks))
    note = f"open {to / 'index.html'}"
    return Report(rows=len(looks), metrics={"stations": count}, headline="stations", note=note)


def pages(platform: Platform, last: date) -> dict[str, str]:
    """Return the page's files by name: the newest forecasts, and what became of those up to the business date ``last``.

    Raises:
        NotYetError: nothing was forecast yet.
    """
    looks, until = outlooks(platform), midnight(last + timedelta(days=1))
    rows = outcomes(platform, until, DAYS, champion(platform, MODEL, until=until))
    texts = _pages(looks, rows, platform.world)
    said = _said(looks)
    texts["forecast.csv"] = said.to_csv(index=False, float_format="%.5g")
    texts["forecast.json"] = _json(said, platform.world)
    return texts


def file_of(station: str) -> str:
    """Return the name of a station's page; none is the index's, as no station's short name has an underscore.

    >>> file_of("delft"), file_of("index")
    ('delft.html', 'index_.html')
    """
    return f"{station}{'_' * (station == 'index')}.html"


def _pages(looks: Mapping[str, Outlook], rows: pd.DataFrame, world: str) -> dict[str, str]:
    """Return the pages by file name, the index last."""
    past = {str(name): part for name, part in rows.groupby("station")}
    careful, texts = len(looks) <= CAREFUL, {}
    for name, look in looks.items():
        mine = past.get(name, rows.head(0))
        body = drawing.station(look, mine, skills(mine, (CLOSEST,), sure=careful))
        texts[file_of(name)] = drawing.page(f"{look.place['name']}: fine dust, seven days ahead", body, world)
    if len(looks) == 1:
        return {"index.html": texts.popitem()[1]}
    links = {name: quote(file_of(name)) for name in looks}
    body = drawing.index(looks, links, rows, skills(rows, (CLOSEST,)))
    return texts | {"index.html": drawing.page("Fine dust, seven days ahead", body, world)}


def _said(looks: Mapping[str, Outlook]) -> pd.DataFrame:
    """Return all forecasts as people and programs read them, one row a station and day."""
    rows = [
        {"station": name, "made_on": look.made_on.isoformat(), **{key: row[key] for key in _SHOWN}}
        for name, look in looks.items()
        for row in look.forecast.to_dict("records")
    ]
    said = pd.DataFrame(rows)
    dust = [float(value) for value in said["pm25"]]
    index = [int(published_aqi(value)) for value in dust]
    return said.assign(
        day=[f"{moment:%Y-%m-%d}" for moment in said["day"]],
        us_aqi=index,
        us_class=[class_of(value).name for value in dust],
    )


def _json(said: pd.DataFrame, world: str) -> str:
    forecasts: list[dict[Any, Any]] = said.to_dict("records")
    about = {"what": "PM2.5, daily means", "unit": "µg/m³", "interval": 0.9, "simulated": world == "demo"}
    return json.dumps({**about, "forecasts": forecasts}, ensure_ascii=False, indent=1)


def _must_be_ours(index: Path) -> None:
    """Refuse to write over somebody else's page."""
    if index.is_file() and drawing.MARK not in index.read_text(errors="ignore")[:2000]:
        raise UsageError(f"{index} is not a page that Almanac wrote: give another folder, or move it away")


def _write(to: Path, texts: Mapping[str, str]) -> None:
    """Write each file beside its place and rename it there: who reads meanwhile sees the old one or the new one."""
    index = "index.html"
    try:
        to.mkdir(parents=True, exist_ok=True)
        for name in [*(name for name in texts if name != index), index]:
            _replace(to / name, texts[name])
    except OSError as cause:
        what = "is a file" if to.is_file() else f"cannot be written: {cause.strerror}"
        raise UsageError(f"--to {to} {what}; name a folder that can be written") from cause


def _replace(place: Path, text: str) -> None:
    number, beside = tempfile.mkstemp(dir=place.parent, prefix=".new-", suffix=".tmp")
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(beside).chmod(0o644)  # a web server reads it, too
        Path(beside).replace(place)
    except BaseException:
        with suppress(OSError):
            Path(beside).unlink()
        raise
