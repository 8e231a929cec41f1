"""How often one session, and one address, may ask: nobody takes what is meant for all, or escapes by a header."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import gradio as gr
import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from starlette.requests import Request

from shared.errors import UsageError
from shared.pages.visitors import CALLER, Visitors, address_of
from shared.steps.limits import Limiter

PROXY = "10.16.3.80"  # such as connects to a Space


def asking(session="", host="192.0.2.1", *forwarded, **headers):
    """A request as Gradio hands it on; each of ``forwarded`` is a line X-Forwarded-For of its own."""
    lines = [("x-forwarded-for", one) for one in forwarded]
    lines += [(name.replace("_", "-"), one) for name, one in headers.items()]
    told = [(name.encode(), value.encode()) for name, value in lines]
    scope = {"type": "http", "headers": told, "client": (host, 1) if host else None}
    return gr.Request(Request(scope), session_hash=session)


def visitors(sessions=2, addresses=5):
    still = {"per_minute": 1, "clock": lambda: 0.0}
    return Visitors(Limiter(burst=sessions, **still), Limiter(burst=addresses, **still))


@pytest.fixture
def space(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "jane/chat")


def test_who_is_let_in_is_known_by_the_session_and_a_program_by_nothing():
    assert Visitors().admit(asking("s1")) == "s1"
    assert Visitors().admit(asking("")) == ""
    assert Visitors().admit(None) == ""


def test_one_session_that_asks_too_often_waits_and_another_at_the_same_address_does_not():
    few = visitors()
    for _ in range(2):
        few.admit(asking("hasty"))
    with pytest.raises(UsageError, match="ask again in 60 s"):
        few.admit(asking("hasty"))
    assert few.admit(asking("calm")) == "calm"


def test_an_address_that_opens_a_session_for_each_question_waits_too_and_other_addresses_do_not():
    few = visitors()
    for number in range(5):
        few.admit(asking(f"s{number}"))
    with pytest.raises(UsageError, match="ask again in"):
        few.admit(asking("s5"))
    assert few.admit(asking("s6", "192.0.2.2")) == "s6"


def test_programs_without_a_session_share_their_addresss_allowance_alone():
    few = visitors(sessions=1)
    for _ in range(5):
        few.admit(asking(""))
    with pytest.raises(UsageError):
        few.admit(asking(""))


def test_a_request_without_an_address_is_counted_as_one():
    few = visitors()
    for number in range(5):
        few.admit(asking(f"s{number}", ""))
    with pytest.raises(UsageError):
        few.admit(None)


def test_a_sessions_name_of_a_megabyte_is_none_and_is_not_kept():
    few = visitors(sessions=1)
    assert few.admit(asking("x" * 1_000_000)) == ""
    assert few.sessions.wait_s("x" * 1_000_000) == 0.0


def test_in_a_space_each_visitor_behind_the_proxy_has_an_allowance_of_his_own(space):
    few = visitors()
    for number in range(5):
        few.admit(asking(f"s{number}", PROXY, "203.0.113.7"))
    with pytest.raises(UsageError):
        few.admit(asking("s5", PROXY, "203.0.113.7"))
    assert few.admit(asking("s6", PROXY, "203.0.113.8")) == "s6"


@pytest.mark.parametrize(
    "lines",
    [
        ["198.51.100.{n}, 203.0.113.7"],
        ["198.51.100.{n},192.0.2.{n}\t,  203.0.113.7 "],
        ["198.51.100.{n}", "203.0.113.7"],  # a proxy may append a line of its own
        [", ,{n}, 203.0.113.7"],
        ["'; DROP TABLE visitors; {n}, 203.0.113.7"],
        ["::ffff:203.0.113.{n}, ::ffff:203.0.113.7"],
    ],
)
def test_in_a_space_no_invented_address_gives_another_allowance(lines, space):
    few = visitors()
    for number in range(5):
        few.admit(asking(f"s{number}", PROXY, *(line.format(n=number) for line in lines)))
    with pytest.raises(UsageError):
        few.admit(asking("s5", PROXY, *(line.format(n=5) for line in lines)))


@pytest.mark.parametrize("last", ["", "unknown", "me{n}", "203.0.113.7:{n}", "203.0.113.7.{n}", "[::{n}]"])
def test_in_a_space_a_last_entry_that_is_no_address_counts_as_the_proxys(last, space):
    few = visitors()
    for number in range(5):
        few.admit(asking(f"s{number}", PROXY, f"203.0.113.{number}, {last.format(n=number)}"))
    with pytest.raises(UsageError):
        few.admit(asking("s5", PROXY))


@pytest.mark.parametrize("name", ["forwarded", "x_real_ip", "x_ip_token", "cf_connecting_ip", "true_client_ip"])
def test_in_a_space_other_headers_tell_nothing_as_the_proxy_lets_them_through(name, space):
    told = [address_of(asking("", PROXY, "203.0.113.7", **{name: one}), behind_proxy=True) for one in ("1.2.3.4", "x")]
    assert told == ["203.0.113.7"] * 2


def test_outside_of_a_space_an_invented_address_gives_no_other_allowance(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    few = visitors()
    for number in range(5):
        few.admit(asking(f"s{number}", "192.0.2.1", f"203.0.113.{number}"))
    with pytest.raises(UsageError):
        few.admit(asking("s5", "192.0.2.1", "203.0.113.5"))


def test_one_who_steps_through_the_addresses_of_his_house_is_one_visitor(space):
    few = visitors()
    for number in range(5):
        few.admit(asking("", PROXY, f"2001:db8:1:2:{number}::1"))
    with pytest.raises(UsageError):
        few.admit(asking("", PROXY, "2001:db8:1:2::ffff"))
    assert few.admit(asking("next door", PROXY, "2001:db8:1:3::1")) == "next door"


def test_outside_of_a_space_all_who_ask_through_mcp_are_one_as_their_headers_come_from_this_very_machine():
    """The server believes what this machine says of addresses, and Gradio asks itself with the asker's own headers."""
    few = visitors(sessions=1)
    for number in range(5):
        assert few.admit(asking("shared", f"203.0.113.{number}", x_gradio_user="mcp")) == ""
    with pytest.raises(UsageError):
        few.admit(asking("shared", "203.0.113.5", x_gradio_user="mcp"))


def test_outside_of_a_space_one_who_asks_through_mcp_has_the_allowance_of_whoever_connected():
    few = visitors(sessions=1)
    noted = CALLER.replace("-", "_")
    for number in range(5):
        few.admit(asking("shared", f"203.0.113.{number}", x_gradio_user="mcp", **{noted: "192.0.2.9"}))
    with pytest.raises(UsageError):
        few.admit(asking("shared", "203.0.113.5", x_gradio_user="mcp", **{noted: "192.0.2.9"}))
    assert few.admit(asking("shared", "203.0.113.6", x_gradio_user="mcp", **{noted: "192.0.2.10"})) == ""


SERVED = """
import gradio as gr
from shared.pages import look
from shared.pages.visitors import address_of

def who(request: gr.Request) -> str:
    'Tell who asks.'
    return address_of(request, behind_proxy=False)

with gr.Blocks() as page:
    gr.api(who)
look.serve(page)
"""


async def told_through_mcp(url, address):
    """What the page says who asks, from this address, with headers that say another one."""
    headers = {"x-forwarded-for": "203.0.113.7", "x-caller": "203.0.113.7", "x-gradio-user": "mcp"}
    transport = httpx.AsyncHTTPTransport(local_address=address)
    async with (
        httpx.AsyncClient(transport=transport, headers=headers, timeout=60) as client,
        streamable_http_client(f"{url}/gradio_api/mcp/", http_client=client) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        return (await session.call_tool("who", {})).content[0].text


@pytest.mark.slow
def test_whoever_asks_through_mcp_is_known_by_his_connection_whatever_his_headers_say():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {name: value for name, value in os.environ.items() if name != "SPACE_ID"}
    settings |= {"GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", SERVED], cwd=root, env=settings, stdout=subprocess.DEVNULL) as server:
        try:
            until = time.monotonic() + 120
            while time.monotonic() < until and server.poll() is None:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.2)
            for address in ("127.0.0.2", "127.0.0.3"):
                assert asyncio.run(told_through_mcp(f"http://127.0.0.1:{port}", address)) == address
        finally:
            server.kill()


def test_in_a_space_those_who_ask_through_mcp_have_their_own_allowances(space):
    few = visitors(sessions=1)
    for number in range(9):
        few.admit(asking("shared", "127.0.0.1", f"203.0.113.{number}", x_gradio_user="mcp"))
    for _ in range(4):
        few.admit(asking("shared", "127.0.0.1", "203.0.113.0", x_gradio_user="mcp"))
    with pytest.raises(UsageError):
        few.admit(asking("shared", "127.0.0.1", "1.2.3.4, 203.0.113.0", x_gradio_user="mcp"))
