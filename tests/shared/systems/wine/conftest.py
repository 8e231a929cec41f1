"""A cellar: the simulated wines, a small model of them, and 24 days of wines on both tracks; made once, then copied."""

import os
import shutil
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from shared.connect import open_platform
from shared.runs import Run, midnight, run_stage
from shared.systems.wine import inference, sources, training
from shared.systems.wine.features import labelled
from shared.systems.wine.model import Plan
from shared.systems.wine.tables import GRADED, MEASURES, SAMPLES

SMALL = Plan(folds=2, inner_folds=2, repeats=1, families=("extra_trees", "support_vectors"))
FIRST, LAST = date(2026, 10, 1), date(2026, 10, 24)


def run_of(day, stage="daily"):
    return Run(f"{stage}-{day}", "wine", stage, date.fromisoformat(str(day)), datetime.now(UTC), "c0de")


def imagine(platform, day, count=1, alcohol=0.0):
    """Store ``count`` synthetic wines of ``day`` with grades: known wines, their measures a little moved."""
    rng = np.random.default_rng(day.toordinal())
    some = labelled(platform, midnight(FIRST), "uci").sample(count, random_state=day.toordinal(), ignore_index=True)
    made = some.assign(sample_id=[f"{day}-{n}" for n in range(1, count + 1)], taken_at=midnight(day))
    made = made.assign(origin="synthetic", graded_at=midnight(day + timedelta(days=1)), grader="synthesizer")
    made[[*MEASURES]] *= rng.normal(1, 0.001, (count, len(MEASURES)))
    made["alcohol"] += alcohol
    platform.features.write(SAMPLES, made[SAMPLES.names])
    platform.features.write(GRADED, made[GRADED.names])


@pytest.fixture(scope="session")
def _cellar_once(tmp_path_factory):
    home, before = tmp_path_factory.mktemp("cellar"), os.environ.get("ALMANAC_HOME")
    os.environ["ALMANAC_HOME"] = str(home)
    platform = open_platform()
    sources.backfill(platform)
    run_stage(platform, "wine.train", lambda run: training.train(platform, run, "", SMALL), day=str(FIRST))

    def lived(run):
        for ago in range(23, -1, -1):
            day = LAST - timedelta(days=ago)
            sources.open_reserve(platform, run_of(day), "uci")
            imagine(platform, day)
        inference.predict(platform, run, inference.serving(platform, run))
        return training.Report()

    run_stage(platform, "wine.daily", lived, day=str(LAST))
    if before is not None:
        os.environ["ALMANAC_HOME"] = before
    return home


@pytest.fixture
def cellar_home(_cellar_once, tmp_path):
    """The environment's home, with the cellar as of 2026-10-24; each test has its own copy."""
    shutil.copytree(_cellar_once, tmp_path / "home", dirs_exist_ok=True)
    return tmp_path / "home"


@pytest.fixture
def cellar(cellar_home):
    """The platform with the cellar as of 2026-10-24."""
    return open_platform()


@pytest.fixture
def wines(cellar):
    """The 1,219 wines that the cellar's model learned from, with their grades."""
    return labelled(cellar, midnight(FIRST), "uci")


@pytest.fixture
def run_on():
    return run_of


@pytest.fixture
def small():
    return SMALL


@pytest.fixture
def invent():
    return imagine
