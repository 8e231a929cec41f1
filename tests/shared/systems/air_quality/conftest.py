"""Panels made by hand: dust like a city's, weather and CAMS as they were and as they were forecast."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from shared.systems.air_quality.panel import Panel

FORECAST_ERRORS = 0.1 * np.arange(8.0)  # of a spread; nothing at lead 0, more the longer before


def _weather(rng, shape):
    """Return weather ``[stations, days, 8, 4]``: as it was at lead 0, with growing errors as it was forecast."""
    stations, days = shape
    off = rng.normal(size=(stations, days, 8, 4)) * FORECAST_ERRORS[:, None]
    was = rng.normal(size=(stations, days, 1, 4))
    temperature, rain, wind, whence = np.moveaxis(was + off, -1, 0)
    parts = [10 + 5 * temperature, np.maximum(rain, 0) * 4, np.abs(15 + 6 * wind), (90 * whence) % 360]
    return np.stack(parts, axis=-1).astype(np.float32)


@pytest.fixture(scope="session")
def made_panel():
    """Return a maker of panels: lognormal dust that lasts and that wind thins; any field can be given instead."""

    def make(days=200, stations=2, start="2024-01-01", seed=0, **fields):
        rng = np.random.default_rng(seed)
        weather = _weather(rng, (stations, days))
        anomaly = np.zeros((stations, days))
        for day in range(1, days):
            blown = 0.03 * (weather[:, day, 0, 2] - 15)
            anomaly[:, day] = 0.7 * anomaly[:, day - 1] - blown + rng.normal(0, 0.25, stations)
        pm25 = np.exp(2.3 + 0.5 * np.arange(stations)[:, None] + anomaly)
        cams = pm25[..., None] * np.exp(rng.normal(0, 0.2, (stations, days, 8)))
        panel = Panel(
            stations=tuple(f"s{number}" for number in range(stations)),
            days=pd.date_range(start, periods=days),
            pm25=pm25,
            weather=weather,
            cams=cams,
            holiday=np.zeros((stations, days)),
        )
        return replace(panel, **fields)

    return make


def _corrupted(panel, origin, how, seed=0):
    """Return the panel with everything that was not known at the end of day ``origin`` made wrong."""
    rng = np.random.default_rng(seed)
    wrong = {"nan": lambda part: np.full_like(part, np.nan), "huge": lambda part: np.full_like(part, 1e6)}
    wrong["shuffled"] = lambda part: rng.permuted(part.reshape(-1)).reshape(part.shape)
    pm25, weather, cams = panel.pm25.copy(), panel.weather.copy(), panel.cams.copy()
    pm25[:, origin + 1 :] = wrong[how](pm25[:, origin + 1 :])
    for array in (weather, cams):
        for lead in range(8):
            array[:, origin + lead + 1 :, lead] = wrong[how](array[:, origin + lead + 1 :, lead])
    return replace(panel, pm25=pm25, weather=weather, cams=cams)


@pytest.fixture(scope="session")
def corrupted():
    """Return ``(panel, origin, how) -> panel`` where all that was not known at the origin is nan, huge or shuffled."""
    return _corrupted
