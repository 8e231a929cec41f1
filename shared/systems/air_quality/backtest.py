"""Rolling origins: every month fitted anew on the past alone, every day forecast at every lead, beside every baseline.

    Panel ──► roll: what members and baselines said of days they had not seen
          ──► blended: weights, intervals and probabilities from the days before ──► verdict: one table

A forecast belongs to its origin: weights, residuals and levels are those of the days before it was made.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from shared.errors import NotYetError, UsageError
from shared.runs import Report
from shared.systems.air_quality.baselines import say as say_baselines
from shared.systems.air_quality.blend import (
    MEMBERS,
    WINDOW,
    corrected,
    corrections,
    distribution,
    fit_blend,
    levels_of,
    residuals,
)
from shared.systems.air_quality.features import fit_climate
from shared.systems.air_quality.history import read_history, read_weather
from shared.systems.air_quality.model import Plan, fit, say
from shared.systems.air_quality.panel import Panel, panel_from_files, panel_of
from shared.systems.air_quality.scores import by_lead, totals
from shared.systems.air_quality.tables import BASELINES, LEADS, LIMITS, WEATHER_MEASURES

if TYPE_CHECKING:
    from shared.ports import Platform
    from shared.runs import Run

log = logging.getLogger("almanac")

FITS_AT_ONCE = 2  # each on one core: OpenMP's threads wait busily, which on shared cores takes 30 times as long
WEIGHED_DAYS = 730  # over which members are compared
WARM_DAYS, FEWEST_DAYS = 365, 120  # before the days that are judged: for weights and intervals; of a backtest
SHIFTED = 0.1  # of correlation
LEARNED_DAYS = 300  # before the days that are judged, at least, where there are twice as many


@dataclass(frozen=True)
class Rolled:
    """What was said of each target day; arrays over ``[stations, days, 7]``, µg/m³, nan where nothing was.

    ``members`` has an axis more in front.
    """

    panel: Panel
    cuts: list[int]
    members: np.ndarray
    baselines: dict[str, np.ndarray]

    @property
    def truth(self) -> np.ndarray:
        """What was observed on each target day, for each lead the same."""
        return np.broadcast_to(self.panel.pm25[..., None], self.members.shape[1:])


@dataclass(frozen=True)
class Forecasts:
    """What was finally said, by target day ``[stations, days, 7]``; ``over`` has an axis for LIMITS in front.

    ``blend`` is what members said together, ``pm25`` that corrected by how it was off lately.
    """

    blend: np.ndarray
    pm25: np.ndarray
    low: np.ndarray
    high: np.ndarray
    over: np.ndarray


def month_starts(days: pd.DatetimeIndex, first: int, months: int = 1) -> list[int]:
    """Return ``first`` and the numbers of the days after it that begin a month (every third month, with 3)."""
    begins = [n for n in range(first + 1, len(days)) if days[n].day == 1]
    return [first, *begins[months - 1 :: months]]


def roll(panel: Panel, cuts: list[int], last: int, plan: Plan) -> Rolled:
    """Return what is said of days ``cuts[0]`` to ``last`` by forecasters fitted at each cut on the days before it."""
    shape = (len(panel.stations), len(panel.days), len(LEADS))
    members = np.full((len(MEMBERS), *shape), np.nan)
    baselines = {name: np.full(shape, np.nan) for name in BASELINES}
    log.info("backtest: %d fits", len(cuts), extra={"due": len(cuts)})
    spans = [*zip(cuts, [*cuts[1:], last + 1], strict=True)]
    with ThreadPoolExecutor(FITS_AT_ONCE) as pool:
        for (cut, following), (said, beside) in zip(spans, pool.map(partial(_said, panel, plan), spans), strict=True):
            origins = np.arange(cut - 1, following - 1)
            _by_target(members, said, origins)
            for name, one in beside.items():
                _by_target(baselines[name], one, origins)
            log.info("backtest: fitted on the days before %s", panel.days[cut].date())
    return Rolled(panel, cuts, members, baselines)


def _said(panel: Panel, plan: Plan, span: tuple[int, int]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return what members and baselines, fitted on the days before a cut, say at each origin until the next."""
    fitted, origins = fit(panel, span[0], plan), np.arange(span[0] - 1, span[1] - 1)
    beside = say_baselines(fitted.baselines, panel, origins)
    return say(fitted, panel, origins, beside), beside


def blended(rolled: Rolled) -> Forecasts:
    """Return the forecasts, each with weights of the cut before and a distribution of what was known at its origin."""
    truth, pm25 = rolled.truth, np.full(rolled.members.shape[1:], np.nan)
    for cut, following in zip(rolled.cuts, [*rolled.cuts[1:], len(rolled.panel.days)], strict=True):
        past = slice(max(rolled.cuts[0], cut - WEIGHED_DAYS), cut)
        blend = fit_blend(rolled.members[:, :, past], truth[:, past])
        for place, lead in enumerate(LEADS):  # a forecast made before the cut does not have its weights
            made = slice(cut - 1 + lead, following - 1 + lead)
            pm25[:, made, place] = blend.of(rolled.members[:, :, made])[..., place]
    return distributed(pm25, truth)


def distributed(blend: np.ndarray, truth: np.ndarray) -> Forecasts:
    """Return forecasts of blends ``[stations, days, 7]``, with what residuals known at each origin say of them."""
    pm25, low, high = (np.full(blend.shape, np.nan) for _ in range(3))
    over = np.full((len(LIMITS), *blend.shape), np.nan)
    fell = residuals(truth, blend)
    for place, lead in enumerate(LEADS):
        past, off = corrected(fell[:, :, place].T, lead), corrections(fell[:, :, place].T)
        lower, upper = levels_of(past, lead)
        for day in range(lead, len(past)):
            now = day - lead + 1  # rows before it were known at the origin
            if np.isfinite(blend[:, day, place]).any():
                known = past[max(0, now - WINDOW) : now]
                said = distribution(blend[:, day, place], off[now], known, (lower[now], upper[now]))
                pm25[:, day, place], low[:, day, place], high[:, day, place] = said.pm25, said.low, said.high
                over[:, :, day, place] = said.over
    return Forecasts(blend, pm25, low, high, over)


def _by_target(into: np.ndarray, said: np.ndarray, origins: np.ndarray) -> None:
    """Put what was said ``[..., origins, 7]`` at each origin on its target days ``[..., days, 7]``."""
    for place, lead in enumerate(LEADS):
        inside = origins + lead < into.shape[-2]
        into[..., origins[inside] + lead, place] = said[..., inside, place]


def backtest(panel: Panel, days: int, plan: Plan) -> Report:
    """Return how forecasts of the last ``days`` days would have done, fitted anew each month.

    Of a short history fewer: something must be left to learn from before them.

    Raises:
        NotYetError: the history is too short to learn from and to judge on.
        UsageError: ``days`` is below 1.
    """
    if days < 1:
        raise UsageError(f"--days counts from 1; got {days}")
    length = last_observed(panel) + 1
    first = max(length - days, min(LEARNED_DAYS, length // 2))
    warm = min(max(first - WARM_DAYS, FEWEST_DAYS // 2, length // 4), first // 2)
    if length < FEWEST_DAYS:
        raise NotYetError(f"a backtest takes {FEWEST_DAYS} days of fine dust at least; there are {length}")
    cuts = [cut for cut in month_starts(panel.days[:length], warm, 3) if cut < first]
    rolled = roll(panel, [*cuts, *month_starts(panel.days[:length], first)], length - 1, plan)
    rows = rows_of(rolled, blended(rolled), first)
    metrics, baselines = totals(rows)
    span = f"{panel.days[first].date()} to {panel.days[length - 1].date()}"
    return Report(
        rows=len(rows),
        metrics=metrics,
        baselines=baselines,
        headline="rmse",
        note="; ".join(filter(None, (span, "RMSE in µg/m³", _weather(panel, first), _shifted(panel)))),
        table=by_lead(rows),
    )


def rows_of(rolled: Rolled, said: Forecasts, first: int) -> pd.DataFrame:
    """Return what was said of days from number ``first`` on, and what was; one row a station, day and lead."""
    panel = rolled.panel
    shape = said.pm25[:, first:].shape
    days = np.broadcast_to(panel.days[first:].to_numpy()[None, :, None], shape)
    frame: dict[str, Any] = {
        "station": np.repeat(np.array(panel.stations, dtype=object), shape[1] * shape[2]),
        "day": days.ravel(),
        "lead": np.broadcast_to(np.array(LEADS), shape).ravel(),
        "observed": rolled.truth[:, first:].ravel(),
    }
    frame |= {name: getattr(said, name)[:, first:].ravel() for name in ("blend", "pm25", "low", "high")}
    frame |= {name: values[:, first:].ravel() for name, values in rolled.baselines.items()}
    rows = pd.DataFrame(frame)
    return rows[rows["pm25"].notna()].assign(day=lambda kept: kept["day"].dt.tz_localize("UTC")).reset_index(drop=True)


def last_observed(panel: Panel) -> int:
    """Return the number of the last day on which any station observed fine dust.

    Raises:
        NotYetError: there is none.
    """
    known = np.flatnonzero(np.isfinite(panel.pm25).any(axis=0))
    if not len(known):
        raise NotYetError("no fine dust was observed yet; run `almanac run air_quality backfill`")
    return int(known[-1])


def _weather(panel: Panel, first: int) -> str:
    """Return which weather the forecasts had, in words."""
    was, told = (np.isfinite(panel.weather[:, first:, lead, 0]).mean() for lead in (0, 1))
    if not was and not told:
        return "without weather"
    if told and not panel.perfect:
        return f"weather as it was forecast on {told:.0%} of days"
    return "weather as it was, not as it was forecast: a live forecast does worse"


def day_shift(panel: Panel) -> int:
    """Return the weather of which day goes best with a day's dust: its own (0), the day before (-1) or after (1).

    A feed may close its day at another hour than the weather does, or name it by its end. Wind clears the air, so the
    right day is the one whose wind goes against the dust the most; another than its own by SHIFTED at least, as wind
    that cleared the air yesterday still shows.
    """
    dust = np.log1p(panel.pm25) - fit_climate(panel, len(panel.days)).usual(panel.days)
    wind = panel.weather[:, :, 0, WEATHER_MEASURES.index("wind_speed_max")]
    days = np.arange(1, len(panel.days) - 1)
    return min((0, -1, 1), key=lambda shift: _together(dust[:, days], wind[:, days + shift]) + SHIFTED * abs(shift))


def _together(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation over what both know; 0 when that is little."""
    known = np.isfinite(one) & np.isfinite(other)
    return float(np.corrcoef(one[known], other[known])[0, 1]) if known.sum() >= FEWEST_DAYS else 0.0


def _shifted(panel: Panel) -> str:
    """Return what to know of a station whose day is not the weather's, in words."""
    days = {0: "", -1: "the day before", 1: "the day after"}
    found = days[day_shift(panel)]
    return f"dust goes best with the weather of {found}: its day seems shifted, and forecasts see both" if found else ""


def panel_for(platform: Platform, run: Run, files: tuple[str, str, str, str], plan: Plan) -> Panel:
    """Return the panel of a person's files (history, weather, unit, country), or of the stations when none is named.

    Raises:
        SourceError: a file cannot be used.
        UsageError: an option belongs to a history, and none is named.
        NotYetError: no file is named, and nothing was observed yet.
    """
    source, weather, unit, country = files
    if not source and (weather or unit or country):
        raise UsageError("--weather, --unit and --country belong to a --source: name that, too")
    if not source:
        panel = panel_of(platform, run.day - timedelta(days=1), int(plan.years * 365.25))
        return panel.since(int(np.isfinite(panel.pm25).any(axis=0).argmax()))  # days before the first teach nothing
    history = read_history(source, platform.web, unit, run.day)
    return panel_from_files(history, read_weather(weather, platform.web, run.day) if weather else None, country)
