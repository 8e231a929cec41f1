"""No token leaks: secrets are planted in the environment, everything is run, and everything it produced is searched."""

import base64
import gzip
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import uuid
import zipfile
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import pytest

from tests.functions.test_deploy_spaces import page  # noqa: F401 - a fixture
from tests.leaks import leaks
from tests.loopback.hopsworks_rig import cluster  # noqa: F401 - a fixture
from tests.loopback.hub import HubServer
from tests.loopback.modal_engine import MISSING, SCRIPT, ModalEngine

ROOT = Path(__file__).parents[2]
CLOSED = "http://127.0.0.1:9"  # where nobody listens
PLANTED = "hf_" + "Nobody+May/See" * 2


def as_text(folder):
    (folder / "out.log").write_text(f"Authorization: Bearer {PLANTED}\n")


def as_a_piece(folder):
    (folder / "out.log").write_text(f"token {PLANTED[:16]}…")


def as_basic_authorization(folder):
    (folder / "state.json").write_text(json.dumps(base64.b64encode(f"jane:{PLANTED}!".encode()).decode()))


def in_an_address(folder):
    (folder / "trace.txt").write_text(f"GET https://api.example.org/?token={quote(PLANTED, safe='')}&x=1")


def in_hexadecimal(folder):
    (folder / "blob").write_text(PLANTED.encode().hex())


def in_parquet(folder):
    pd.DataFrame({"error": ["ok", f"401 for {PLANTED}"] * 500}).to_parquet(folder / "runs.parquet", compression="zstd")


def in_sqlite(folder):
    with closing(sqlite3.connect(folder / "manifest.db")) as base:
        base.execute("PRAGMA journal_mode=WAL")
        base.execute("CREATE TABLE parts (name)")
        base.execute("INSERT INTO parts VALUES (?)", (PLANTED,))
        base.commit()


def in_a_zip_in_a_tar_in_gzip(folder):
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a/.env", f"HF_TOKEN={PLANTED}")
    with tarfile.open(fileobj=outer, mode="w") as packed:
        member = tarfile.TarInfo("bundle.zip")
        member.size = len(inner.getvalue())
        packed.addfile(member, io.BytesIO(inner.getvalue()))
    (folder / "image.tar.gz").write_bytes(gzip.compress(outer.getvalue()))


@pytest.mark.parametrize(
    "plant",
    [
        *(as_text, as_a_piece, as_basic_authorization, in_an_address, in_hexadecimal),
        *(in_parquet, in_sqlite, in_a_zip_in_a_tar_in_gzip),
    ],
)
def test_the_search_finds_a_planted_secret(plant, tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    plant(tmp_path / "deep" / "er")
    assert [name for _, name in leaks([tmp_path], {"HF_TOKEN": PLANTED})]


def test_the_search_finds_nothing_where_nothing_is(tmp_path):
    (tmp_path / "out.log").write_text("the Hub refused HF_TOKEN; it needs write access")
    pd.DataFrame({"error": ["401"]}).to_parquet(tmp_path / "runs.parquet")
    assert leaks([tmp_path], {"HF_TOKEN": PLANTED}) == []


def planted():
    """Secrets by name, like real ones, of this run alone."""
    one = iter(lambda: uuid.uuid4().hex, "")
    return {
        "MODAL_TOKEN_ID": f"ak-{next(one)}",
        "MODAL_TOKEN_SECRET": f"as-{next(one)}",
        "HF_TOKEN": f"hf_{next(one)}",
        "HF_READ_TOKEN": f"hf_{next(one)}",
        "HOPSWORKS_API_KEY": f"{next(one)[:16]}.{next(one)}",
        "AQICN_TOKEN": next(one),
        "ALMANAC_ENDPOINT_TOKEN": next(one),
        "ALMANAC_NOTIFY": f"json://jane:{next(one)}@127.0.0.1:9/hook mailto://jane:{next(one)}@127.0.0.1",
    }


class Almanac:
    """The command in processes of its own, whose every word is kept; with planted secrets in its environment."""

    root = ROOT

    def __init__(self, folder):
        self.said, self.secrets = folder / "said", planted()
        self.said.mkdir()
        self.settings = {"ALMANAC_HOME": str(folder / "home"), "HTTPS_PROXY": CLOSED, "NO_PROXY": "127.0.0.1"}
        self.settings["MODAL_CONFIG_PATH"] = os.devnull

    def __call__(self, *words, ends=0, **settings):
        """Run a command line, which must end with one of ``ends``; return what it printed."""
        environment = {**os.environ, **self.secrets, **self.settings, **settings}
        number = len(list(self.said.iterdir()))
        with (self.said / f"{number}.out").open("w") as out, (self.said / f"{number}.err").open("w") as err:
            ran = subprocess.run(
                [sys.executable, "-m", "functions", *words],
                **{"cwd": self.root, "env": environment, "stdout": out, "stderr": err, "timeout": 300, "check": False},
            )
        text = (self.said / f"{number}.out").read_text() + (self.said / f"{number}.err").read_text()
        assert ran.returncode == ends, text
        return text


@pytest.fixture
def almanac(tmp_path):
    return Almanac(tmp_path)


@pytest.mark.slow
def test_days_of_every_system_leave_no_secret_behind(almanac, air_home, _wine_once, tmp_path):
    almanac("day", "--only", "air_quality,iris", "--day", "2026-10-21")
    shutil.copytree(_wine_once, tmp_path / "wines")
    almanac("day", "--only", "wine", "--day", "2026-10-21", ALMANAC_HOME=str(tmp_path / "wines"))
    almanac("run", "air_quality", "publish", "--to", str(tmp_path / "page"), "--day", "2026-10-21")
    almanac("table", "runs", "--csv")
    almanac("status", "--json")
    assert (tmp_path / "page" / "index.html").exists()
    assert leaks([tmp_path], almanac.secrets) == []


@pytest.mark.slow
def test_nor_do_feeds_that_refuse_or_break_nor_alerts_that_cannot_be_sent(almanac, air_home, tmp_path):
    for fault in ("500", "truncated", "error_in_200"):
        said = almanac("--debug", "run", "air_quality", "listen", ALMANAC_FAULTS=f"api.waqi.info={fault}:1")
        assert "air_quality listen: " in said
    said = almanac("--debug", "run", "air_quality", "daily", "--day", "2026-10-21", ALMANAC_FAULTS="*=error_in_200")
    assert "could not be sent" in said
    assert leaks([tmp_path], almanac.secrets) == []


@pytest.mark.slow
def test_nor_does_the_real_world_where_no_network_is(almanac, tmp_path):
    live = {"ALMANAC_WORLD": "live", "ALMANAC_RECORD": str(tmp_path / "recorded")}
    place = ("--station", "Gouda", "--lat", "52.01", "--lon", "4.71", "--country", "NL", "--feed", "@5284")
    almanac("run", "air_quality", "add", *place, **live)
    assert "api.waqi.info" in almanac("--debug", "run", "air_quality", "listen", **live)
    assert leaks([tmp_path], almanac.secrets) == []


@pytest.fixture
def tree(almanac, tmp_path_factory):
    """A copy of the repository that deploys to jane's account, with a file of secrets that somebody left in it."""
    root = tmp_path_factory.mktemp("tree")
    for folder in ("functions", "shared", "spaces"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
        (root / folder / ".env").write_text("\n".join(almanac.secrets.values()))
    for name in ("modal.toml", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    text = (root / "modal.toml").read_text()
    (root / "modal.toml").write_text(text.replace('hub = ""', 'hub = "jane/almanac"', 1))
    almanac.root = root
    return root


@pytest.fixture
def hub(almanac, tmp_path, page):  # noqa: F811 - the fixture imported above
    """A Hub on loopback that knows the planted tokens; Spaces run at once."""
    server = HubServer(tmp_path / "hub")
    server.token, server.read_token = almanac.secrets["HF_TOKEN"], almanac.secrets["HF_READ_TOKEN"]
    server.spaces_come_to("RUNNING", host=page.url, asks=0)
    with server:
        almanac.settings["HF_ENDPOINT"] = server.url
        yield server
    told = [repo.space.variables for repo in server.repos.values()]
    (tmp_path / "asked.json").write_text(json.dumps([server.requests, told]))


@pytest.mark.slow
def test_nor_does_the_hub_when_it_stores_and_when_it_refuses(almanac, hub, tmp_path):
    there = {"ALMANAC_PLATFORM": "hub", "ALMANAC_HUB": "jane/almanac"}
    for stage in ("backfill", "train", "daily"):
        almanac("run", "iris", stage, "--day", "2026-10-01", **there)
    for what, times, ends in ((401, 99, 1), (404, 99, 1), ("cut", 1, 0)):
        hub.fail(r"POST .*/commit/", what, times=times)
        almanac("--debug", "run", "iris", "daily", "--day", "2026-10-02", ends=ends, **there)
        hub.faults.clear()
    assert leaks([tmp_path], almanac.secrets) == []


@pytest.mark.slow
def test_nor_do_spaces_nor_a_deploy_that_breaks(almanac, tree, hub, tmp_path):
    hub.fail(r"POST .*/spaces/.*/commit/", 401, times=1)
    assert "failed" in almanac("--debug", "deploy", "spaces", "--only", "iris", "--yes", ends=1)
    almanac("deploy", "spaces", "--only", "iris", "--yes", "--json")
    assert hub.repo("space", "jane/almanac-iris").space.variables["ALMANAC_HUB"] == "jane/almanac"
    hub.fail("GET .*", 401, times=99)
    almanac("--debug", "status", "--deployed", ends=1)
    assert leaks([tmp_path], almanac.secrets) == []


@pytest.mark.slow
@pytest.mark.skipif(not SCRIPT, reason=MISSING)
def test_nor_does_modal_in_what_is_uploaded_built_logged_and_stored(almanac, tree, tmp_path):
    with ModalEngine(tmp_path / "engine", complete=True, log=tmp_path / "engine.log") as engine:
        almanac.settings["MODAL_SERVER_URL"] = engine.url
        assert "holds" in almanac("deploy", "modal", "--yes")
        words = [str(Path(sys.executable).parent / "modal"), "run", "-m"]
        for stage in ("backfill", "daily"):  # the second fails: nothing was trained
            ran = subprocess.run(
                [*words, f"functions.iris::{stage}"],
                **{"cwd": tree, "env": {**os.environ, **almanac.secrets, **almanac.settings}, "timeout": 300},
                **{"capture_output": True, "text": True, "check": False},
            )
            (tmp_path / f"{stage}.txt").write_text(ran.stdout + ran.stderr)
        state = engine.state()
        (tmp_path / "state.json").write_text(json.dumps(state))
    unnamed = {
        key for function in state["functions"] for keys in function["secrets"] if isinstance(keys, list) for key in keys
    }
    assert "ALMANAC_MACHINE" in unnamed, "what goes up as a function's own environment"
    assert unnamed.isdisjoint(almanac.secrets)
    assert list((tmp_path / "engine").rglob("env.json")), "a container's environment, where secrets belong"
    assert leaks([tmp_path], almanac.secrets, leave_out=["env.json"]) == []


@pytest.mark.slow
def test_nor_does_hopsworks(almanac, cluster, tmp_path):  # noqa: F811 - the fixture imported above
    almanac.secrets["HOPSWORKS_API_KEY"] = cluster.key
    where = {"HOPSWORKS_HOST": cluster.host, "HOPSWORKS_PROJECT": cluster.project}
    there = {**where, "ALMANAC_PLATFORM": "hopsworks", "HOPSWORKS_TRUST_STORE_PATH": str(cluster.trust)}
    almanac("run", "iris", "backfill", "--day", "2026-10-01", **there)
    for what in (401, 404):
        cluster.fail(r".*featuregroups", what, times=99)
        almanac("--debug", "run", "iris", "train", "--day", "2026-10-01", ends=1, **there)
        cluster.faults.clear()
    almanac("--debug", "status", ends=1, **{**there, "HOPSWORKS_API_KEY": "another" + uuid.uuid4().hex})
    assert leaks([tmp_path], almanac.secrets) == []
