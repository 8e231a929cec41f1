"""The demo world: faults come when told and go again."""

import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from shared.adapters.demo import DemoTransport, Fault, asked_at, parse_faults, wants_no_data
from shared.adapters.web import HttpWeb
from shared.errors import UsageError, WebError

TIDES = "https://api.tides.example/now"
WORLD = {"api.tides.example": lambda request: httpx.Response(200, text="1.5 m") if request.url.path == "/now" else None}


@pytest.fixture
def slept():
    return []


def demo(*faults, simulators=WORLD, **how):
    return HttpWeb(DemoTransport(simulators, faults), **how)


@pytest.mark.parametrize("kind", ["timeout", "refused", "429", "500", "503", "truncated"])
def test_a_fault_that_passes_is_survived(kind, slept):
    answer = demo(Fault("api.tides.example", kind, 2), sleep=slept.append).get(TIDES)
    assert answer.body == b"1.5 m"
    assert slept == [1, 2]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("timeout", "did not answer in time"),
        ("refused", "could not be reached"),
        ("429", "answered 429"),
        ("500", "answered 500"),
        ("503", "answered 503"),
        ("truncated", "broke off its answer"),
    ],
)
def test_a_fault_that_stays_is_an_error_after_four_tries(kind, said, slept):
    with pytest.raises(WebError, match=rf"api.tides.example/now {said} \(asked 4 times\)"):
        demo(Fault("api.tides.example", kind), sleep=slept.append).get(TIDES)
    assert slept == [1, 2, 4]


def test_an_error_in_a_200_passes_as_an_answer_for_the_parser_to_refuse():
    answer = demo(Fault("api.tides.example", "error_in_200", 1)).get(TIDES)
    assert answer.status == 200
    assert (answer.json()["status"], answer.json()["error"]) == ("error", True)


def test_an_empty_body_passes_as_an_answer_that_is_no_json():
    answer = demo(Fault("api.tides.example", "empty", 1)).get(TIDES)
    assert (answer.status, answer.body) == (200, b"")
    with pytest.raises(WebError, match="not JSON"):
        answer.json()


def test_faults_of_one_host_come_one_after_the_other(slept):
    web = demo(Fault("*.example", "503", 1), Fault("api.tides.example", "timeout", 2), sleep=slept.append)
    assert web.get(TIDES).body == b"1.5 m"
    assert slept == [1, 2, 4]


def test_a_fault_leaves_other_hosts_alone():
    assert demo(Fault("api.winds.example", "refused"), attempts=1).get(TIDES).body == b"1.5 m"


def test_threads_together_meet_a_fault_exactly_as_often_as_told():
    web = demo(Fault("api.tides.example", "503", 5), attempts=1)

    def fails(_):
        try:
            return web.get(TIDES).body != b"1.5 m"
        except WebError:
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(fails, range(40))) == 5


@pytest.mark.parametrize("url", ["https://api.tides.example/tomorrow", "https://elsewhere.example/now?token=s3cret"])
def test_an_address_that_no_simulator_knows_points_to_the_live_world(url, slept):
    with pytest.raises(WebError, match="is not part of the demo world: set ALMANAC_WORLD=live") as failure:
        demo(sleep=slept.append).get(url)
    assert "s3cret" not in str(failure.value)
    assert slept == []


def test_two_simulators_may_share_a_host():
    both = {**WORLD, "*.tides.example": lambda _: httpx.Response(200, text="2.5 m")}
    assert demo(simulators=both).get("https://api.tides.example/tomorrow").body == b"2.5 m"


def test_faults_are_read_from_one_line():
    assert parse_faults(" A.example=timeout:2 , *.b.example=empty,") == [
        Fault("a.example", "timeout", 2),
        Fault("*.b.example", "empty"),
    ]
    assert parse_faults("") == []


@pytest.mark.parametrize(
    "text", ["x", "x=", "=429", "x=404", "x=429:", "x=429:0", "x=429:-1", "x=429:two", "x=429:1.5", "x=y=429"]
)
def test_what_is_no_fault_is_wrong_usage_that_lists_the_kinds(text):
    with pytest.raises(UsageError, match=f"no fault {re.escape(repr(text))}.*timeout, refused, 429"):
        parse_faults(text)


def clock(request):
    return httpx.Response(200, json={"at": asked_at(request).isoformat(), "blank": wants_no_data(request)})


def test_the_demo_world_takes_the_time_from_the_date_header_and_has_a_fixed_one_else():
    web = demo(simulators={"api.tides.example": clock})
    assert web.get(TIDES).json()["at"] == "2026-11-20T06:45:00+00:00"
    assert web.get(TIDES, headers={"Date": "Thu, 29 Feb 2024 23:59:59 GMT"}).json()["at"] == "2024-02-29T23:59:59+00:00"
    with pytest.raises(UsageError, match="no date 'yesterday': the Date header looks like"):
        web.get(TIDES, headers={"Date": "yesterday"})


def test_a_stale_answer_is_that_of_31_days_before():
    web = demo(Fault("api.tides.example", "stale", 2), simulators={"api.tides.example": clock})
    assert web.get(TIDES, headers={"Date": "Thu, 31 Mar 2024 06:45:00 GMT"}).json()["at"] == "2024-02-29T06:45:00+00:00"
    assert web.get(TIDES).json() == {"at": "2026-10-20T06:45:00+00:00", "blank": False}
    assert web.get(TIDES).json() == {"at": "2026-11-20T06:45:00+00:00", "blank": False}


def test_no_data_tells_the_simulator_to_leave_the_values_out():
    web = demo(Fault("api.tides.example", "no_data", 1), simulators={"api.tides.example": clock})
    said = {"Date": "Thu, 31 Mar 2024 06:45:00 GMT"}
    assert [web.get(TIDES, headers=said).json()["blank"] for _ in range(2)] == [True, False]


def test_stale_and_no_data_change_nothing_where_a_simulator_has_neither_time_nor_values():
    assert demo(Fault("*", "stale"), Fault("*", "no_data")).get(TIDES).body == b"1.5 m"
    assert demo(Fault("*", "no_data")).get(TIDES).body == b"1.5 m"


def test_stale_and_no_data_are_read_from_a_line():
    assert parse_faults("api.waqi.info=stale:3,*open-meteo.com=no_data") == [
        Fault("api.waqi.info", "stale", 3),
        Fault("*open-meteo.com", "no_data"),
    ]
