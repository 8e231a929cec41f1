"""Deploying to a project on Hopsworks: the plan, the deed, the repeat, the way back, on the stand-in for a cluster."""

import pandas as pd
import pytest

from functions._deploy.to_hopsworks import HopsworksTarget
from functions._timetable import Deployment
from shared.connect import open_house, open_platform
from shared.errors import BackendError
from shared.ports import NewModel
from shared.systems.iris.tables import LABELS, MODEL

IRIS = frozenset({"iris"})


@pytest.fixture
def account(cluster, monkeypatch):
    """The environment names the project, as `almanac deploy` has it; the project is empty."""
    cluster.reset()
    told = {"HOST": cluster.host, "PROJECT": cluster.project, "API_KEY": cluster.key, "TRUST_STORE_PATH": cluster.trust}
    for name, value in told.items():
        monkeypatch.setenv(f"HOPSWORKS_{name}", str(value))
    monkeypatch.setenv("ALMANAC_PLATFORM", "hopsworks")
    from shared.adapters.hopsworks import project

    project.close()
    return cluster


def deployed(world="demo"):
    return Deployment("prod", platform="hopsworks", world=world, hopsworks="127.0.0.1/house")


def actions(changes):
    return {(change.kind, change.name): change.action for change in changes}


def label():
    at = [pd.Timestamp("2026-11-01", tz="UTC")]
    values = {"text": "x", "time": at[0], "float": 1.0, "int": 1}
    row = {column.name: (column.allowed or [values[column.kind]])[0] for column in LABELS.columns}
    return pd.DataFrame([row])


def test_what_is_wanted_is_known_without_an_account():
    wanted = actions(HopsworksTarget(deployed()).wanted(IRIS))
    assert wanted[("feature group", "iris_flowers v1")] == wanted[("feature view", "iris_labels v1")] == "create"
    assert not [name for _, name in wanted if "wine" in name]


def test_the_key_is_needed_and_named_with_where_to_get_it():
    need = HopsworksTarget(deployed()).needs(frozenset())[0]
    assert (need.name, need.required) == ("HOPSWORKS_API_KEY", True)
    assert "API keys" in need.where


@pytest.mark.slow
def test_a_plan_changes_nothing_and_a_repeat_leaves_all(account):
    target = HopsworksTarget(deployed())
    plan = target.plan(IRIS)
    assert {change.action for change in plan} == {"create"}
    assert account.groups == {}
    for change in plan:
        assert target.apply(change).endswith("made")
    assert {change.action for change in HopsworksTarget(deployed()).plan(IRIS)} == {"leave"}
    for change in plan:
        target.apply(change)
    assert len(account.groups) == len(account.views) == 4
    assert open_platform().features.tables() == []  # none was written


@pytest.mark.slow
def test_rows_go_into_the_groups_that_were_deployed_and_views_show_them(account):
    target = HopsworksTarget(deployed())
    for change in target.plan(IRIS):
        target.apply(change)
    open_platform().features.write(LABELS, label())
    assert len(account.groups) == 4
    view = account.views["demo_iris_labels", 1]
    assert [column["name"] for column in view["features"]] == LABELS.names


@pytest.mark.slow
def test_a_group_with_other_columns_is_left_and_said(account):
    house = open_house("demo")
    with house.project.asking("make a group of another shape") as live:
        wrong = {"name": "demo_iris_labels", "version": 1, "primary_key": ["flower_id"], "online_enabled": False}
        from hsfs.feature import Feature

        columns = [Feature("flower_id", "string")]
        live.store.create_feature_group(**wrong, features=columns, time_travel_format="DELTA").save()
    found = {change.name: change for change in HopsworksTarget(deployed()).plan(IRIS) if change.kind == "feature group"}
    assert found["iris_labels v1"].action == "leave"
    assert "other columns" in found["iris_labels v1"].why


@pytest.mark.slow
def test_the_secret_is_kept_for_stages_and_only_changed_when_it_changed(account, monkeypatch):
    monkeypatch.setenv("AQICN_TOKEN", "feed-me-1234")
    target = HopsworksTarget(deployed("live"))
    [secret] = [change for change in target.plan(frozenset({"air_quality"})) if change.kind == "secret"]
    assert secret.action == "create"
    assert "feed-me" not in target.apply(secret)
    assert actions(target.plan(IRIS))[("secret", "AQICN_TOKEN")] == "leave"
    monkeypatch.setenv("AQICN_TOKEN", "feed-me-5678")
    assert actions(target.plan(IRIS))[("secret", "AQICN_TOKEN")] == "change"
    target.apply(secret)
    monkeypatch.delenv("AQICN_TOKEN")
    secrets = open_platform("live").secrets
    assert secrets.get("AQICN_TOKEN") == "feed-me-5678"
    assert "5678" not in repr(secrets)
    assert secrets.get("ALMANAC_NOTIFY", "") == ""


@pytest.mark.slow
def test_what_is_removed_is_not_the_data_unless_told(account, tmp_path):
    target, platform = HopsworksTarget(deployed()), open_platform()
    for change in target.plan(IRIS):
        target.apply(change)
    platform.features.write(LABELS, label())
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "model.onnx").write_bytes(b"x")
    platform.models.save(NewModel(MODEL, tmp_path / "made", {}))
    removal = HopsworksTarget(deployed()).removal(frozenset(), data=False)
    kept = {change.kind for change in removal if change.action == "keep"}
    assert kept == {"feature group", "model", "files"}
    for change in removal:
        if change.action == "remove":
            target.apply(change)
    assert account.views == {}
    assert len(platform.features.read(LABELS)) == 1
    for change in HopsworksTarget(deployed()).removal(frozenset(), data=True):
        target.apply(change)
    assert (account.groups, account.models) == ({}, {})
    assert HopsworksTarget(deployed()).removal(frozenset(), data=True) == []


@pytest.mark.slow
def test_a_cluster_that_refuses_is_one_sentence(account):
    account.fail("GET .*/featuregroups", 403)
    with pytest.raises(BackendError, match="HOPSWORKS_API_KEY needs the scopes"):
        HopsworksTarget(deployed()).plan(IRIS)
