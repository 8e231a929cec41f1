"""The world as it was recorded: answers come from a folder, one JSON file each, and from nowhere else.

    request ── public address (no secrets) ── file name ──► recorded answer | WebError

``live.RecordingTransport`` fills the folder. A file holds address, status, two headers and the body, as text where
it is text, so a person can read and edit it. Keys and tokens are no part of the name, the look-up or the file.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tempfile
from pathlib import Path

import httpx

from shared.errors import BackendError, UsageError, WebError

KEPT_HEADERS = ("Content-Type", "Location")
SHORTEST_SECRET = 8  # characters; shorter values, such as "demo", are also ordinary words of a body

# Names of parameters and headers, without case and punctuation, whose values are secret. Paging tokens are not.
_SECRET = re.compile(
    r"token|key|auth|authorization|proxyauthorization|cookie|appid|sig|pwd"
    r"|.*(api|app|access|auth|security|session|subscription|license|user|client|service)(key|token)"
    r"|.*(secret|password|signature|credentials?)"
)


class ReplayTransport(httpx.BaseTransport):
    """Answers from ``folder``; an address not recorded there is a WebError.

    Raises:
        UsageError: there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise UsageError(f"no recordings in {folder}: name a folder that was recorded, ALMANAC_WORLD=replay:DIR")
        self._folder = folder

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        address = public_address(request.url)
        path = self._folder / file_name(request)
        try:
            answer = json.loads(path.read_text(encoding="utf-8"))
            body = answer["text"].encode() if "text" in answer else base64.b64decode(answer["base64"])
            return httpx.Response(int(answer["status"]), headers=answer["headers"], content=body)
        except FileNotFoundError as cause:
            message = f"{address} was not recorded in {self._folder}: record it with ALMANAC_WORLD=live"
            raise WebError(message) from cause
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
            raise WebError(f"{address}: the recording {path.name} is damaged, delete it and record again") from cause


def save(folder: Path, request: httpx.Request, response: httpx.Response) -> None:
    """Write a read ``response`` where ``ReplayTransport`` finds it; the file is whole or not there.

    Raises:
        BackendError: the folder cannot be written.
    """
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    if "Location" in headers:
        headers["Location"] = public_address(request.url.join(headers["Location"]))
    answer = {"url": public_address(request.url), "status": response.status_code, "headers": headers}
    text = json.dumps(answer | _as_json(_without(response.content, _secrets(request))), ensure_ascii=False, indent=1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".") as beside:
            (Path(beside) / "answer").write_text(text, encoding="utf-8")
            (Path(beside) / "answer").replace(folder / file_name(request))
    except OSError as cause:
        raise BackendError(f"cannot record in {folder}: check its rights and the free space") from cause


def file_name(request: httpx.Request) -> str:
    """Return the name of the file for a request: readable, and one for each method and public address.

    >>> file_name(httpx.Request("GET", "https://api.example.org/feed/@12/?token=s3cret"))
    'api.example.org_feed_12_3a3244429f.json'
    """
    digest = hashlib.sha256(f"{request.method} {public_address(request.url)}".encode()).hexdigest()
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", request.url.host + request.url.path).strip("_.")
    return f"{readable[:80]}_{digest[:10]}.json"


def public_address(url: httpx.URL) -> str:
    """Return the address without user, password and secret query values, its other parameters sorted.

    >>> public_address(httpx.URL("https://me:pw@api.example.org/v1?until=2024&appid=s3cret&from=2023"))
    'https://api.example.org/v1?from=2023&until=2024'
    """
    kept = sorted((name, value) for name, value in url.params.multi_items() if not is_secret(name))
    query = f"?{httpx.QueryParams(tuple(kept))}" if kept else ""
    return f"{url.scheme}://{url.netloc.decode()}{url.path}{query}"


def is_secret(name: str) -> bool:
    """Return whether a parameter or header of that name holds a secret.

    >>> [name for name in ("token", "X-API-Key", "$$app_token", "page_token", "keyword") if is_secret(name)]
    ['token', 'X-API-Key', '$$app_token']
    """
    return _SECRET.fullmatch(re.sub(r"[^a-z0-9]", "", name.lower())) is not None


def _secrets(request: httpx.Request) -> list[str]:
    """Return the secret values of a request, as sent and as they look inside an address."""
    pairs = [*request.url.params.multi_items(), *request.headers.multi_items()]
    values = [value.rpartition(" ")[2] for name, value in pairs if is_secret(name)]  # "Bearer abc" -> "abc"
    spelt = {form for value in values for form in (value, str(httpx.QueryParams({"": value}))[1:])}
    return [value for value in sorted(spelt, key=len, reverse=True) if len(value) >= SHORTEST_SECRET]


def _without(body: bytes, secrets: list[str]) -> bytes:
    """Return the body with each secret that the address echoes replaced."""
    for secret in secrets:
        body = body.replace(secret.encode(), b"SECRET")
    return body


def _as_json(body: bytes) -> dict[str, str]:
    try:
        return {"text": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}
