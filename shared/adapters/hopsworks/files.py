"""Small files in the project's own file system, over the same port as all else (443).

Renaming a file onto one that is there does nothing in HopsFS, so of several who claim a name exactly one gets it.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from shared.adapters.hopsworks.faults import code, refusal, status

if TYPE_CHECKING:
    from shared.adapters.hopsworks.project import Live

HOME = "Resources/almanac"  # every project has the data set Resources
PAGE = 1000  # names in one answer
MISSING = (110008, 110018)  # Hopsworks' codes for a path that is not there


def home(prefix: str) -> str:
    """Return the folder of what is named with ``prefix``.

    >>> home("demo_"), home("")
    ('Resources/almanac/demo', 'Resources/almanac/live')
    """
    return f"{HOME}/{prefix.rstrip('_') or 'live'}"


def listed(live: Live, folder: str) -> list[str]:
    """Return the names in a folder, sorted; none when it is not there."""
    try:
        found = page = _items(live, folder, 0)
        while len(page) == PAGE:
            page = _items(live, folder, len(found))
            found = found + page
    except refusal() as cause:
        if not _missing(cause):
            raise
        return []
    return sorted(found)


def read(live: Live, path: str) -> bytes:
    """Return a file's content, nothing when it is not there."""
    try:
        answer = _send(live, "GET", ["download", "with_auth", path], {"type": "DATASET"}, stream=True)
        content: bytes = answer.content
    except refusal() as cause:
        if not _missing(cause):
            raise
        return b""
    return content


def write(live: Live, folder: str, name: str, content: bytes) -> None:
    """Put a new small file into a folder, which is made first where it is missing."""
    told: dict[str, Any] = {"flowChunkNumber": 1, "flowChunkSize": len(content), "flowCurrentChunkSize": len(content)}
    told |= {"flowTotalSize": len(content), "flowTotalChunks": 1, "flowIdentifier": f"{len(content)}_{name}"}
    told |= {"flowFilename": name, "flowRelativePath": name, "templateId": -1}
    try:
        _send(live, "POST", ["upload", folder], data=told, files={"file": (name, content)})
    except refusal() as cause:
        if not _missing(cause):
            raise
        _make(live, folder)
        _send(live, "POST", ["upload", folder], data=told, files={"file": (name, content)})


def write_once(live: Live, folder: str, name: str, content: bytes) -> None:
    """Put a file there that others may be putting there too, with the same content."""
    try:
        write(live, folder, name, content)
    except refusal() as cause:
        if status(cause) not in (400, 409) or read(live, f"{folder}/{name}") != content:
            raise


def claimed(live: Live, folder: str, name: str, content: bytes) -> bool:
    """Put a file there under a name that nobody has; return whether it is ours. The content must be ours alone."""
    beside = f"new-{uuid.uuid4().hex}"
    write(live, folder, beside, content)
    try:
        _send(live, "POST", [f"{folder}/{beside}"], {"action": "move", "destination_path": f"{folder}/{name}"})
    except refusal() as cause:
        if status(cause) not in (400, 404, 409):  # somebody has it, or has tidied up
            raise
    ours = read(live, f"{folder}/{name}") == content
    if not ours:
        remove(live, f"{folder}/{beside}")
    return ours


def remove(live: Live, path: str) -> None:
    """Remove a file or a folder with all that is in it; one that is not there is fine."""
    try:
        _send(live, "DELETE", [path])
    except refusal() as cause:
        if not _missing(cause):
            raise


def _make(live: Live, folder: str) -> None:
    """Make a folder and those above it; another process may be making the same ones."""
    parts = folder.split("/")
    for depth in range(2, len(parts) + 1):
        told = {"action": "create", "searchable": "true", "generate_readme": "false", "type": "DATASET"}
        try:
            _send(live, "POST", ["/".join(parts[:depth])], told)
        except refusal() as cause:
            if status(cause) not in (400, 409):
                raise


def _items(live: Live, folder: str, first: int) -> list[str]:
    told = {"action": "listing", "offset": first, "limit": PAGE, "sort_by": "ID:asc", "expand": "inodes"}
    found = _send(live, "GET", [folder], told).get("items") or []
    return [item["attributes"]["name"] for item in found]


def _send(live: Live, method: str, path: list[str], query: dict[str, Any] | None = None, **options: Any) -> Any:  # noqa: ANN401
    return live.client._send_request(method, ["project", live.client._project_id, "dataset", *path], query, **options)


def _missing(cause: Exception) -> bool:
    return status(cause) == 404 or (status(cause) == 400 and code(cause) in MISSING)
