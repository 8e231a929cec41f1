"""Fixtures over the stand-in for Hopsworks; its client need not be installed to import this."""

import importlib.util
import os
import uuid
import warnings

import pytest

# Before any test forgets the environment: a real project, for `pytest -m live`.
ACCOUNT = {name: os.environ.get(name, "") for name in ("ALMANAC_TEST_HOPSWORKS", "HOPSWORKS_API_KEY")}
TRUST = os.environ.get("HOPSWORKS_TRUST_STORE_PATH") or None


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A Hopsworks cluster of one's own on loopback, for one file of tests, as only one fits on a machine."""
    if importlib.util.find_spec("hopsworks") is None:
        pytest.skip("the client of Hopsworks is not installed: pip install 'almanac[hopsworks]'")
    from tests.loopback.hopsworks import HopsworksServer

    with HopsworksServer(tmp_path_factory.mktemp("hopsworks")) as server:
        yield server
        with warnings.catch_warnings():
            from shared.adapters.hopsworks import project

            project.close()


@pytest.fixture
def hopsworks(cluster):
    """The project on that cluster, with nothing in it but what others keep under prefixes of their own."""
    from shared.adapters.hopsworks.project import HopsworksProject

    return HopsworksProject(cluster.host, cluster.project, cluster.key, str(cluster.trust))


@pytest.fixture
def hopsworks_prefix(cluster):
    """A prefix that nobody else on the cluster has."""
    return f"t{cluster.number()}_"


@pytest.fixture
def loopback_hopsworks(hopsworks, hopsworks_prefix):
    """The project and the prefix."""
    return hopsworks, hopsworks_prefix


@pytest.fixture
def live_hopsworks():
    """A real project and a prefix of one's own in it; what was made under it is removed afterwards."""
    where, key = ACCOUNT.values()
    if not where or not key:
        pytest.skip("a real project on Hopsworks: set ALMANAC_TEST_HOPSWORKS=HOST/PROJECT and HOPSWORKS_API_KEY")
    from shared.adapters.hopsworks.house import HopsworksHouse
    from shared.adapters.hopsworks.project import HopsworksProject

    house = HopsworksHouse(HopsworksProject(*where.split("/"), key, TRUST), f"test{uuid.uuid4().hex[:8]}_")
    yield house.project, house.prefix
    for table in house.declared():
        house.remove_group(table)
    house.remove_model("tide")
    house.remove_leftovers()
