"""A system's whole life on Hopsworks gives the rows it gives on the embedded store."""

import pandas as pd
import pytest

from functions import iris as service_file
from shared.adapters.local.store import LocalStore
from shared.connect import open_platform
from shared.runs import RUNS
from shared.systems.iris.tables import TABLES

STAGES = service_file.service.stages
MADE_BY = ["run_id", "code_version", "store_version", "model_version"]
UNTIL = pd.Timestamp("2026-10-04", tz="UTC")


def without_makers(rows):
    return rows.drop(columns=[name for name in MADE_BY if name in rows])


@pytest.mark.slow
def test_iris_on_hopsworks_makes_the_rows_that_iris_makes_here(iris_home, cluster, tmp_path, monkeypatch):
    cluster.reset()
    there = {
        "HOST": cluster.host,
        "PROJECT": cluster.project,
        "API_KEY": cluster.key,
        "TRUST_STORE_PATH": cluster.trust,
    }
    for name, value in there.items():
        monkeypatch.setenv(f"HOPSWORKS_{name}", str(value))
    monkeypatch.setenv("ALMANAC_PLATFORM", "hopsworks")
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path / "elsewhere"))
    STAGES["backfill"](day="2026-10-01")
    STAGES["train"](day="2026-10-01")
    STAGES["daily"](until="2026-10-03")
    local = LocalStore(iris_home / "demo", now=lambda: UNTIL)
    features = open_platform().features
    for table in TABLES:
        here = local.read(table, until=UNTIL)
        pd.testing.assert_frame_equal(without_makers(features.read(table, until=UNTIL)), without_makers(here))
    before = features.version()
    assert STAGES["daily"](until="2026-10-03")["rows"] == 0
    assert set(features.read(RUNS)["status"]) == {"done"}
    assert features.read(RUNS, as_of=before)["stage"].tolist().count("daily") >= 3
