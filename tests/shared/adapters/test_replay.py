"""Recording a world and playing it back: what is kept, what never is."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.live import RecordingTransport
from shared.adapters.replay import ReplayTransport, file_name, public_address
from shared.adapters.web import HttpWeb
from shared.errors import BackendError, UsageError, WebError

SECRET = "s3cret+01/45"  # looks different inside an address: s3cret%2B0123%2F45678
FEED = "https://api.example.org/feed"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "recordings"


def record(folder, answer, url=FEED, **request):
    """Ask ``url`` of a world that gives ``answer``, and record it."""
    inner = httpx.MockTransport(answer if callable(answer) else lambda _: answer)
    with closing(HttpWeb(RecordingTransport(inner, folder), sleep=lambda _: None)) as web:
        return web.get(url, **request)


def replay(folder, url=FEED, **request):
    with closing(HttpWeb(ReplayTransport(folder), sleep=lambda _: None)) as web:
        return web.get(url, **request)


def on_disk(folder):
    return "".join(f"{path} {path.read_text(encoding='utf-8')}" for path in folder.rglob("*") if path.is_file())


def test_what_was_recorded_with_one_key_is_replayed_with_another_or_none(folder):
    record(folder, httpx.Response(200, text="calm"), params={"day": "2026-11-01", "token": SECRET})
    assert replay(folder, params={"day": "2026-11-01", "token": "other"}).body == b"calm"
    assert replay(folder, params={"day": "2026-11-01"}).body == b"calm"


def test_the_order_of_parameters_does_not_matter_but_their_values_do(folder):
    record(folder, httpx.Response(200, text="calm"), params={"port": "Hull", "day": 1})
    assert replay(folder, params={"day": 1, "port": "Hull"}).body == b"calm"
    with pytest.raises(WebError, match="was not recorded"):
        replay(folder, params={"day": 2, "port": "Hull"})


def test_a_paging_token_is_no_secret_so_pages_stay_apart(folder):
    for page in ("a", "b"):
        record(folder, httpx.Response(200, text=page), params={"page_token": page})
    assert replay(folder, params={"page_token": "a"}).body == b"a"


def test_an_unrecorded_address_is_named_without_its_secret(folder):
    folder.mkdir()
    with pytest.raises(WebError) as failure:
        replay(folder, params={"day": 3, "appid": SECRET})
    assert str(failure.value).startswith(
        f"{FEED}?day=3 was not recorded in {folder}: record it with ALMANAC_WORLD=live"
    )


@pytest.mark.parametrize("name", ["token", "key", "apikey", "appid", "api_key", "access_token", "$$app_token", "sig"])
def test_no_secret_parameter_reaches_the_disk_even_when_the_address_echoes_it(folder, name):
    def echo(request):
        said = {"you_asked": str(request.url), "raw": request.url.params[name]}
        return httpx.Response(200, headers={"Set-Cookie": f"id={SECRET}", "X-Echo": SECRET}, json=said)

    record(folder, echo, params={name: SECRET, "day": 1})
    kept = on_disk(folder)
    assert "s3cret" not in kept
    assert "day=1" in kept


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key", "Ocp-Apim-Subscription-Key", "X-App-Token"])
def test_no_secret_header_reaches_the_disk_even_when_the_address_echoes_it(folder, header):
    record(
        folder,
        lambda request: httpx.Response(200, text=request.headers[header].split()[1]),
        headers={header: f"Bearer {SECRET}"},
    )
    assert "s3cret" not in on_disk(folder)


def test_the_user_in_an_address_reaches_no_disk(folder):
    record(folder, httpx.Response(200, text="calm"), url="https://me:s3cret-0123@api.example.org/feed")
    assert "s3cret" not in on_disk(folder)
    assert replay(folder).body == b"calm"


def test_a_redirect_to_a_signed_address_is_replayed_without_the_signature(folder):
    def world(request):
        if request.url.host == "files.example.org":
            return httpx.Response(200, text="calm")
        return httpx.Response(302, headers={"Location": f"https://files.example.org/f?v=1&X-Amz-Signature={SECRET}"})

    record(folder, world)
    assert replay(folder).body == b"calm"
    assert "s3cret" not in on_disk(folder)


def test_a_refusal_is_replayed_too(folder):
    with pytest.raises(WebError, match="answered 404"):
        packed = gzip.compress(b"nothing here")
        record(folder, lambda _: httpx.Response(404, headers={"Content-Encoding": "gzip"}, content=packed))
    with pytest.raises(WebError, match="answered 404"):
        replay(folder)


def test_an_answer_that_asks_for_another_try_does_not_replace_a_good_one(folder):
    record(folder, httpx.Response(200, text="calm"))
    for status in (429, 503):
        with pytest.raises(WebError):
            record(folder, httpx.Response(status))
    assert replay(folder).body == b"calm"


def test_a_newer_answer_replaces_an_older_one(folder):
    record(folder, httpx.Response(200, text="calm"))
    record(folder, httpx.Response(200, text="storm"))
    assert replay(folder).body == b"storm"
    assert len(list(folder.iterdir())) == 1


class Torn(httpx.SyncByteStream):
    def __iter__(self):
        yield b"half"
        raise httpx.RemoteProtocolError("closed")


def test_a_body_cut_off_is_not_recorded(folder):
    with pytest.raises(WebError):
        record(folder, lambda _: httpx.Response(200, stream=Torn()))
    assert not folder.exists()


def test_a_compressed_body_is_recorded_unpacked_and_readable(folder):
    packed = gzip.compress("Höfn 1,5".encode())
    record(folder, lambda _: httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=packed))
    assert "Höfn 1,5" in on_disk(folder)
    assert replay(folder).body == "Höfn 1,5".encode()


def test_eight_threads_leave_one_whole_file_and_nothing_beside_it(folder):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: record(folder, httpx.Response(200, text="x" * 10_000)), range(32)))
    (only,) = folder.iterdir()
    assert json.loads(only.read_text())["text"] == "x" * 10_000


@pytest.mark.parametrize("text", ["", "{", "[]", '{"status": 200}', '{"status": "x", "headers": {}, "text": ""}'])
def test_a_damaged_recording_is_an_error_that_names_its_file(folder, text):
    record(folder, httpx.Response(200, text="calm"))
    (only,) = folder.iterdir()
    only.write_text(text)
    with pytest.raises(WebError, match=rf"the recording {only.name} is damaged, delete it"):
        replay(folder)


def test_a_folder_that_is_not_there_is_wrong_usage(folder):
    with pytest.raises(UsageError, match="name a folder that was recorded"):
        ReplayTransport(folder)


def test_a_folder_that_cannot_be_written_is_an_error(folder):
    folder.write_text("a file in its place")
    with pytest.raises(BackendError, match=r"cannot record in .*: check its rights"):
        record(folder, httpx.Response(200, text="calm"))


PAIRS = st.lists(st.tuples(st.sampled_from(["day", "port", "q", "x y", "é"]), st.text(max_size=8)), max_size=5)


@given(PAIRS, st.sampled_from(["token", "key", "apiKey", "APPID"]), st.text("abcdef0123456789", min_size=12))
def test_a_secret_changes_neither_the_public_address_nor_the_file_name(pairs, name, secret):
    public = httpx.Request("GET", httpx.URL(FEED, params=tuple(pairs)))
    private = httpx.Request("GET", httpx.URL(FEED, params=((name, secret), *pairs)))
    assert public_address(private.url) == public_address(public.url)
    assert file_name(private) == file_name(public)


@given(st.text("/._-:@% aé\\", max_size=300))
def test_any_path_gives_a_plain_file_name(path):
    name = file_name(httpx.Request("GET", httpx.URL(FEED, path="/" + path)))
    assert name.isascii()
    assert len(name) <= 100
    assert not set(name) & set('/\\:*?"<>| %')
