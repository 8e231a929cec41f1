"""Days on which something is wrong, through the stages: services down, silent or talking nonsense, dates missed."""

import json
import re
import shutil
from dataclasses import replace
from datetime import date, timedelta

import httpx
import numpy as np
import pandas as pd
import pytest

from functions import air_quality as service_file
from shared.adapters import simulators
from shared.adapters.demo import DemoTransport
from shared.adapters.live import RecordingTransport
from shared.adapters.simulators.air import cams_pm25, truth_weather
from shared.adapters.web import HttpWeb
from shared.connect import open_platform
from shared.errors import WebError
from shared.runs import Report, ledger, midnight, run_stage
from shared.systems.air_quality import inference, monitoring, sources
from shared.systems.air_quality.tables import (
    ALERTS,
    CAMS,
    LEADS,
    MONITORING,
    OBSERVATIONS,
    PREDICTIONS,
    READINGS,
    WEATHER,
)

STAGES = service_file.service.stages
ROTTERDAM = (51.9, 4.51)
HOSTS = {
    "archive-api.open-meteo.com": "weather archive is missing",
    "api.open-meteo.com": "weather forecast is missing",
    "air-quality-api.open-meteo.com": "CAMS is missing",
    "api.waqi.info": "no reading of rotterdam-zuid",
}


@pytest.fixture(autouse=True)
def _in_time(clock, monkeypatch):
    """The morning after the last day that is done, in a world where no try waits for the next."""
    clock("2026-10-21T06:45")
    monkeypatch.setattr("shared.adapters.web.BACK_OFF", lambda _: 0.0)


@pytest.fixture
def faults(monkeypatch):
    """A function that sets what the demo world fails at."""
    return lambda text: monkeypatch.setenv("ALMANAC_FAULTS", text)


@pytest.fixture
def says(monkeypatch):
    """A function that changes the JSON which a host answers, or the whole answer where it is given as text."""

    def answer(host, change):
        known = simulators.SIMULATORS
        simulated = known.get(host, known["*open-meteo.com"])

        def spoilt(request):
            said = simulated(request)
            return httpx.Response(200, text=change) if isinstance(change, str) else _json(change(said.json()))

        others = {name: other for name, other in known.items() if name != host}
        monkeypatch.setattr(simulators, "SIMULATORS", {host: spoilt, **others})

    return answer


def _json(said):
    return httpx.Response(200, json=said)


@pytest.fixture(scope="module")
def calm(_air_once, tmp_path_factory):
    """The tables after 2026-10-21 and 2026-10-22 were done in time and nothing failed."""
    home = tmp_path_factory.mktemp("calm")
    shutil.copytree(_air_once, home, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALMANAC_HOME", str(home))
        for day in ("2026-10-21", "2026-10-22"):
            _shows(patch, day)
            STAGES["daily"]()
        return {
            table.name: open_platform().features.read(table) for table in (OBSERVATIONS, WEATHER, CAMS, PREDICTIONS)
        }


def _shows(patch, day):
    moment = midnight(date.fromisoformat(day)) + timedelta(hours=6, minutes=45)
    patch.setattr("shared.runs._now", lambda: moment)


def morning(platform, day):
    """A daily run of that date as the stage does it, but that trains no model anew."""

    def body(run):
        model = inference.serving(platform, run)
        fetched = sources.fetch(platform, run)
        rows = inference.predict(platform, run, model)
        report = monitoring.score(platform, run, model)
        return replace(report, rows=rows, note="; ".join([*fetched.notes, report.note]))

    return run_stage(platform, "air_quality.daily", body, day=day)


def made_on(platform, day):
    """The forecasts that the run of a date made, by station and lead."""
    rows = platform.features.read(PREDICTIONS)
    made = rows["day"] - pd.to_timedelta(rows["lead"] - 1, unit="D")
    return rows[made == midnight(date.fromisoformat(day))].set_index(["station", "lead"]).sort_index()


def seen(platform, station="rotterdam-zuid", table=OBSERVATIONS, lead=0):
    """The rows of a station by date."""
    rows = platform.features.read(table)
    rows = rows[(rows["station"] == station) & (rows["lead"] == lead if "lead" in rows else True)]
    return rows.set_index(rows["day"].dt.strftime("%Y-%m-%d"))


def status(platform):
    return ledger(platform, "air_quality", "daily").sort_values("day").iloc[-1][["day", "status"]].tolist()


# --- services down -------------------------------------------------------------------------------------------------


SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("error_in_200", "truncated")]  # read like a 503


@pytest.mark.parametrize("kind", ["503", "no_data", *SLOW])
@pytest.mark.parametrize("host", HOSTS)
def test_a_day_on_which_one_service_fails_is_done_says_so_and_the_next_day_heals(air, calm, faults, clock, host, kind):
    faults(f"{host}={kind}")
    note = STAGES["daily"]()["note"]
    assert status(air) == [midnight(date(2026, 10, 21)), "done"]
    if kind != "no_data" or host == "api.waqi.info":  # an answer without values is one
        assert HOSTS[host] in note
        assert [other for name, other in HOSTS.items() if name != host and other in note] == []
    made = made_on(air, "2026-10-21")
    assert len(made) == 14
    assert made[["pm25", "low", "high"]].notna().all(axis=None)
    faults("")
    clock("2026-10-22T06:45")
    assert "missing" not in STAGES["daily"]()["note"]
    if host == "api.waqi.info":
        return  # what a station said at 06:00 it does not say again
    for table in (OBSERVATIONS, CAMS, WEATHER):
        found, expected = air.features.read(table), calm[table.name]
        if "lead" in found:  # what was forecast on the 21st is not known on the 22nd
            found, expected = (rows[rows["lead"] == 0].reset_index(drop=True) for rows in (found, expected))
        pd.testing.assert_frame_equal(found, expected)


def test_a_day_on_which_every_service_fails_still_forecasts_and_names_each(air, calm, faults, clock):
    faults("*=503")
    note = STAGES["daily"]()["note"]
    assert status(air) == [midnight(date(2026, 10, 21)), "done"]
    assert [name for name in HOSTS.values() if name in note] == [*HOSTS.values()]
    assert "archive of weather forecasts is missing" in note
    made = made_on(air, "2026-10-21")
    assert len(made) == 14
    assert made["persistence"].notna().all()
    assert seen(air).index[-1] == "2026-10-19"
    faults("")
    clock("2026-10-22T06:45")
    STAGES["daily"]()
    found = seen(air, "lima")
    expected = calm[OBSERVATIONS.name]
    assert found["pm25"].tolist() == expected[expected["station"] == "lima"]["pm25"].tolist()


def test_two_weeks_without_any_service_still_forecast_every_day_and_heal_at_once(air, faults, clock):
    faults("*=error_in_200")
    for day in ("2026-10-21", "2026-10-28", "2026-11-03"):
        clock(f"{day}T06:45")
        STAGES["daily"](day=day)
        assert made_on(air, day)[["pm25", "low", "high", "climatology"]].notna().all(axis=None)
    faults("")
    clock("2026-11-04T06:45")
    STAGES["daily"](day="2026-11-04")
    for station in ("lima", "rotterdam-zuid"):
        assert [*seen(air, station).index[-15:]] == [f"{date(2026, 10, 20) + timedelta(days=n)}" for n in range(15)]
        assert [*seen(air, station, WEATHER).index[-15:]] == [*seen(air, station).index[-15:]]


def test_a_fault_that_passes_leaves_the_rows_of_a_calm_day(air, calm, faults):
    faults("*open-meteo.com=503:2,api.waqi.info=timeout:1")
    STAGES["daily"]()
    before = calm[PREDICTIONS.name]
    expected = before[before["forecast"].isin(made_on(air, "2026-10-21")["forecast"])].set_index("forecast")["pm25"]
    assert made_on(air, "2026-10-21").set_index("forecast")["pm25"].sort_index().equals(expected.sort_index())


# --- what stations say ---------------------------------------------------------------------------------------------


def told(**changes):
    """A change of AQICN's answer: fields of its data, or its whole data where that is text."""
    return lambda said: {**said, "data": {**said["data"], **changes}}


def refused(text):
    return lambda _: {"status": "error", "data": text}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (refused("Invalid key"), "the token is not valid: set AQICN_TOKEN"),
        (refused("Over quota"), "quota is used up"),
        (refused("Unknown station"), "AQICN knows no such station"),
        (refused("Fair use exceeded"), "AQICN says 'Fair use exceeded'"),
        (told(aqi="-"), "no data now"),
        (told(iaqi={}), "does not measure PM2.5 now"),
        (told(iaqi={"pm25": {"v": "-"}}), "does not measure PM2.5 now"),
        (told(iaqi={"pm25": {"v": -3}}), "its index of PM2.5 is -3"),
        (told(iaqi={"pm25": {"v": 1e9}}), "its index of PM2.5 is 1e.09"),
        (told(iaqi=None), "does not measure PM2.5 now"),
        (told(time={"iso": "2026-10-22T09:00:00+02:00"}), "its clock is ahead"),
        (told(time={"iso": "2026-09-01T09:00:00+02:00"}), "it fell back to|silent since"),
        (told(time={"iso": "2026-10-21T08:00:00"}), "does not say when it measured"),
        (told(time={}), "does not say when it measured"),
        (told(time=None), "does not say when it measured"),
        (lambda _: ["what"], "AQICN says"),
        (lambda _: {"status": "ok"}, "AQICN says"),
        ("<html>busy</html>", "api.waqi.info"),
        ('{"status": "ok", "data"', "api.waqi.info"),
    ],
)
def test_a_station_that_talks_nonsense_is_named_its_day_is_cams_and_the_day_is_done(air, says, change, why):
    says("api.waqi.info", change)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AQICN_TOKEN", "s3cret-t0ken")
        note = STAGES["daily"]()["note"]
    assert re.search(f"no reading of rotterdam-zuid: .*({why})", note)
    assert "s3cret-t0ken" not in str(ledger(air)["report"].tolist())
    assert air.features.read(READINGS)["read_at"].max() < midnight(date(2026, 10, 21))
    assert len(made_on(air, "2026-10-21")) == 14


def test_an_index_off_the_scale_is_kept_as_far_as_the_tables_go(air, says):
    says("api.waqi.info", told(iaqi={"pm25": {"v": 999}}))
    STAGES["daily"]()
    last = air.features.read(READINGS).iloc[-1]
    assert (last["aqi"], last["pm25"] <= 1000) == (999, True)
    assert made_on(air, "2026-10-21")["pm25"].between(0, 1000).all()


def test_a_token_that_is_refused_is_said_so_and_cams_stands_in(air, monkeypatch):
    monkeypatch.setenv("AQICN_TOKEN", "bad")
    assert "the token is not valid" in STAGES["daily"]()["note"]


@pytest.mark.slow
def test_a_station_silent_for_a_month_is_cams_is_told_once_and_marked(air, faults, clock):
    faults("api.waqi.info=stale")
    clock("2026-11-20T06:45")
    note = STAGES["daily"]()["note"]
    assert "no reading of rotterdam-zuid: it fell back to" in note or "silent since" in note
    assert "silent_days of rotterdam-zuid" in note
    assert {*seen(air).loc["2026-10-21":, "origin"]} == {"cams"}
    alerts = air.features.read(ALERTS)
    assert alerts.loc[alerts["kind"] == "stale", "alert"].tolist() == ["stale/rotterdam-zuid/2026-10-20"]
    assert alerts.loc[alerts["kind"] == "stale", "message"].item().startswith("rotterdam-zuid: silent for ")
    assert len(made_on(air, "2026-11-20")) == 14
    faults("")
    clock("2026-11-21T06:45")
    STAGES["daily"]()
    clock("2026-11-22T06:45")
    assert "silent" not in STAGES["daily"]()["note"]
    assert seen(air)["origin"].iloc[-1] == "station_cams"


def test_after_three_days_of_silence_somebody_is_told_and_only_once(air, faults, clock):
    faults("api.waqi.info=no_data")
    for day in ("2026-10-21", "2026-10-22", "2026-10-23", "2026-10-24"):
        clock(f"{day}T06:45")
        STAGES["daily"]()
    alerts = air.features.read(ALERTS)
    stale = alerts[alerts["kind"] == "stale"]
    assert stale["alert"].tolist() == ["stale/rotterdam-zuid/2026-10-20"]
    figures = air.features.read(MONITORING)
    silent = figures[(figures["figure"] == "silent_days") & (figures["station"] == "rotterdam-zuid")]
    assert silent["value"].tolist()[-4:] == [1, 2, 3, 4]
    assert silent["alarm"].tolist()[-4:] == [False, False, True, True]


# --- what Open-Meteo says ------------------------------------------------------------------------------------------


def every(change):
    """A change of each place's hourly values."""

    def changed(said):
        places = said if isinstance(said, list) else [said]
        for place in places:
            place["hourly"] = {
                name: values if name == "time" else [change(value) for value in values]
                for name, values in place["hourly"].items()
            }
        return said

    return changed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("", "missing"),
        ("<html>busy</html>", "missing"),
        ('{"latitude": 51.9, "hourly": {"time": [1', "missing"),
        ("[]", "0 places instead of 2"),
        (lambda said: said[:1], "1 places instead of 2"),
        (lambda _: {"error": True, "reason": "Daily API request limit exceeded"}, "request limit exceeded"),
        (lambda said: [{**place, "hourly": None} for place in said], "no hourly numbers"),
        (lambda said: [{**place, "hourly": {}} for place in said], "no hourly numbers"),
        (every(lambda _: "n/a"), "no hourly numbers"),
        (every(lambda _: [1]), "missing"),
        (every(lambda _: None), ""),
        (every(lambda _: -9999.0), ""),
        (every(lambda value: value if value is None else str(value)), ""),
    ],
)
@pytest.mark.parametrize("host", [host for host in HOSTS if "open-meteo" in host])
def test_garbage_of_one_service_loses_nothing_and_the_day_is_done(air, says, host, change, said):
    before = {table.name: air.features.read(table) for table in (OBSERVATIONS, CAMS)}
    says(host, change)
    note = STAGES["daily"]()["note"]
    assert said in note
    assert (HOSTS[host] in note) == bool(said)
    made = made_on(air, "2026-10-21")
    assert len(made) == 14 and made["pm25"].between(0, 200).all()
    assert not any(name.endswith("quarantine") for name in [table.name for table in air.features.tables()])
    for name, rows in before.items():
        table = next(table for table in (OBSERVATIONS, CAMS) if table.name == name)
        assert len(air.features.read(table)) >= len(rows)
        assert air.features.read(table)["pm25"].between(0, 200).all()


# --- revisions -----------------------------------------------------------------------------------------------------


def test_a_revised_analysis_and_the_late_archive_replace_what_was_said_first(air, calm):
    first = air.features.read(OBSERVATIONS)
    first = first[(first["station"] == "lima") & (first["day"] == midnight(date(2026, 10, 19)))]["pm25"].item()
    later = calm[OBSERVATIONS.name]
    later = later[(later["station"] == "lima") & (later["day"] == midnight(date(2026, 10, 19)))]["pm25"].item()
    assert first != later
    assert seen(air, "lima", WEATHER)["origin"].tolist()[-3:] == ["archive", "forecast", "forecast"]
    weather = calm[WEATHER.name]
    weather = weather[(weather["station"] == "lima") & (weather["lead"] == 0)]
    assert weather["origin"].tolist()[-3:] == ["archive", "forecast", "forecast"]
    assert len(weather) == len(seen(air, "lima", WEATHER)) + 2


def test_a_day_of_a_file_is_never_revised(air, tmp_path):
    (tmp_path / "dust.csv").write_text("date,pm25\n2026-10-18,88.5\n2026-10-19,99.5\n")
    STAGES["backfill"](days=1, station="lima", source=str(tmp_path / "dust.csv"), unit="ugm3")
    STAGES["daily"]()
    assert seen(air, "lima").loc["2026-10-18":"2026-10-19", ["pm25", "origin"]].values.tolist() == [
        [88.5, "history"],
        [99.5, "history"],
    ]


# --- dates missed, long days, leap days ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_missed_week_ends_as_days_done_in_time_but_for_what_is_not_known_later(air, tmp_path, monkeypatch, clock):
    """What a weather forecast said on the day itself is not kept by anyone; the one of the evening before is."""
    shutil.copytree(tmp_path / "home", tmp_path / "late")
    for day in range(21, 28):
        clock(f"2026-10-{day}T06:45")
        STAGES["daily"]()
    in_time = {table.name: air.features.read(table) for table in (OBSERVATIONS, WEATHER, CAMS, PREDICTIONS, READINGS)}
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path / "late"))
    STAGES["daily"]()
    late = open_platform()
    for table in (OBSERVATIONS, CAMS, READINGS):
        pd.testing.assert_frame_equal(late.features.read(table), in_time[table.name])
    was, then = (
        rows[rows["lead"] == 0].reset_index(drop=True) for rows in (late.features.read(WEATHER), in_time[WEATHER.name])
    )
    pd.testing.assert_frame_equal(was, then)
    made, expected = late.features.read(PREDICTIONS), in_time[PREDICTIONS.name]
    same = [
        "forecast",
        "station",
        "day",
        "lead",
        "persistence",
        "damped",
        "climatology",
        "ridge",
        "cams",
        "model_version",
    ]
    pd.testing.assert_frame_equal(made[same], expected[same])
    both = made["pm25"] / expected["pm25"]
    assert both.between(0.6, 1.6).all() and not both.eq(1).all()  # weather told later: other, but near
    assert sorted(ledger(late, "air_quality", "daily")["day"].dt.day) == [*range(11, 28)]


@pytest.mark.parametrize(("day", "hours"), [("2026-10-25", 25), ("2027-03-28", 23)])
def test_a_day_on_which_clocks_change_has_its_own_hours(air, clock, day, hours):
    after = date.fromisoformat(day) + timedelta(days=12)
    clock(f"{after}T06:45")
    morning(air, str(after))
    begins = pd.Timestamp(day, tz="Europe/Amsterdam")
    first = int(begins.timestamp()) // 3600
    its_hours = np.arange(first, first + hours)
    assert pd.Timestamp((first + hours) * 3600, unit="s", tz="Europe/Amsterdam").hour == 0
    assert seen(air).loc[day, "pm25"] == pytest.approx(cams_pm25([ROTTERDAM], its_hours).mean(), abs=0.06)
    weather = seen(air, table=WEATHER).loc[day]
    truth = truth_weather([ROTTERDAM], its_hours)
    assert weather["origin"] == "archive"
    assert weather["temperature_mean"] == pytest.approx(truth.temperature.mean(), abs=0.06)
    assert weather["precipitation_sum"] == pytest.approx(truth.precipitation.sum(), abs=0.06 * hours)


def test_a_29_february_is_forecast_is_an_origin_and_is_a_day_like_any_other(air, clock):
    for day in ("2028-02-28", "2028-02-29", "2028-03-01", "2028-03-07"):
        clock(f"{day}T06:45")
        morning(air, day)
    leap = midnight(date(2028, 2, 29))
    rows = air.features.read(PREDICTIONS).set_index("forecast")
    assert rows.loc[["lima/2028-02-29/1", "lima/2028-02-29/2", "lima/2028-03-01/1"], "day"].notna().all()
    on_the_day = seen(air, "lima").loc["2028-02-29"]
    assert rows.loc["lima/2028-03-01/1", "persistence"] == pytest.approx(on_the_day["pm25"], rel=0.2)  # then unrevised
    days = pd.DatetimeIndex(sorted(made_on(air, "2028-02-28").loc["lima", "day"]))
    assert leap in days and (days.to_series().diff().dropna() == pd.Timedelta(days=1)).all()


# --- other worlds --------------------------------------------------------------------------------------------------


def test_the_live_world_without_a_connection_says_so_and_stores_nothing_half(monkeypatch):
    monkeypatch.setenv("ALMANAC_WORLD", "live")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(WebError, match="could not be reached.*check the address and your connection"):
        STAGES["backfill"](days=20)
    live = open_platform()
    assert live.features.read(OBSERVATIONS).empty and live.features.read(WEATHER).empty
    assert ledger(live, "air_quality")["status"].tolist() == ["failed"]


def test_recorded_answers_give_the_rows_that_the_services_gave(tmp_path, monkeypatch):
    """The replay world takes the addresses, parameters and formats of the live one; it needs no token of its own."""
    record = RecordingTransport(DemoTransport(simulators.SIMULATORS), tmp_path / "recorded")
    platform = replace(open_platform(), web=HttpWeb(record))
    monkeypatch.setenv("AQICN_TOKEN", "s3cret-t0ken")
    platform = replace(platform, secrets={"AQICN_TOKEN": "s3cret-t0ken"})
    run_stage(platform, "air_quality.backfill", lambda run: sources.backfill(platform, run, 20), day="2026-10-21")
    fetched = run_stage(platform, "air_quality.daily", lambda run: _fetched(platform, run), day="2026-10-21")
    assert not any("s3cret" in path.read_text() for path in (tmp_path / "recorded").iterdir())

    monkeypatch.setenv("ALMANAC_WORLD", f"replay:{tmp_path / 'recorded'}")
    replay = open_platform()
    STAGES["backfill"](days=20)
    again = run_stage(replay, "air_quality.daily", lambda run: _fetched(replay, run), day="2026-10-21")
    assert (again.rows, again.note) == (fetched.rows, fetched.note)
    for table in (OBSERVATIONS, WEATHER, CAMS, READINGS):
        pd.testing.assert_frame_equal(replay.features.read(table), platform.features.read(table))


def _fetched(platform, run):
    found = sources.fetch(platform, run)
    return Report(rows=found.rows, note="; ".join(found.notes))


# --- a run that fails ----------------------------------------------------------------------------------------------


def test_a_failed_day_is_a_row_an_alert_of_the_next_day_and_is_done_again(air, air_home, clock):
    model = air_home / "demo" / "models" / "air_quality" / "1" / "files" / "trees.onnx"
    kept = model.read_bytes()
    model.write_bytes(b"broken")
    with pytest.raises(Exception, match="train again|registered"):
        STAGES["daily"]()
    assert status(air) == [midnight(date(2026, 10, 21)), "failed"]
    model.write_bytes(kept)
    clock("2026-10-22T06:45")
    STAGES["daily"]()
    runs = ledger(air, "air_quality", "daily")
    assert runs.loc[runs["day"] >= midnight(date(2026, 10, 21)), "status"].tolist() == ["failed", "done", "done"]
    alerts = air.features.read(ALERTS)
    assert "failed/daily/2026-10-21" in {*alerts["alert"]}
    assert [*made_on(air, "2026-10-21").index] == [*made_on(air, "2026-10-22").index]
    assert [lead for _, lead in made_on(air, "2026-10-21").index][:7] == [*LEADS]


def test_a_training_that_fails_does_not_fail_the_day(air, clock, monkeypatch):
    """A month later one is due; that it cannot be done is in the note, and the old model goes on."""

    def broken(**_):
        raise WebError("no machine")

    monkeypatch.setitem(STAGES, "train", broken)
    clock("2026-11-12T06:45")
    report = STAGES["daily"](day="2026-11-12")
    assert "retrained (the last training was 32 days ago): failed: no machine" in report["note"]
    assert report["model"] == "air_quality v1"
    assert json.loads(ledger(air, "air_quality", "daily")["report"].iloc[-1])["model"] == "air_quality v1"
