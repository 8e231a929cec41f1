"""What a deployment's Spaces shall be: their names, files, variables, and the cards of the repositories beside them.

modal.toml [deploy.*] ──► names ──► wanted: a Gradio Space a page, or one roof; a static Space; data set; models
spaces/<space>/ ──► bundle ──► files, README.md completed with the deployment's repositories, and a mark
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from functions._deploy.bundle import MARK, ROOF, contents, spaces
from functions._timetable import timetable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from functions._timetable import Deployment

TODAY = "today"  # the static Space
FRESH_S = "60"  # seconds: how old what a page shows of the tables may be
STATIC_README = """---
title: Almanac today
emoji: 📄
colorFrom: blue
colorTo: green
sdk: static
app_file: index.html
short_description: The newest forecasts, as files
---

The newest forecasts and how good earlier ones were, written anew by each daily run: a page, a CSV and a JSON file.
"""
STATIC_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Almanac today</title></head>
<body style="font-family: system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem">
<h1>Almanac today</h1>
<p>Nothing was forecast yet. The next daily run of air_quality writes its page here.</p>
</body></html>
"""


@dataclass(frozen=True)
class Wanted:
    """A Space as it shall be. ``files`` are all it holds; ``first`` is written only where nothing of that name is."""

    name: str  # OWNER/NAME
    space: str  # folder in spaces/, or TODAY
    sdk: Literal["gradio", "static"]
    files: Mapping[str, bytes]
    first: Mapping[str, bytes] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


def wanted(deployment: Deployment, one: bool) -> list[Wanted]:
    """Return a Space a page and the roof, or with ``one`` the roof alone; and the static Space."""
    return [*(_page(deployment, name) for name in ([ROOF] if one else spaces())), _static(deployment)]


def differing(one: Wanted, there: Mapping[str, str]) -> tuple[dict[str, bytes], list[str]]:
    """Return the files to add or replace, and the paths to delete; ``there`` is path → git's id.

    What a static Space holds besides was published by daily runs, and stays.
    """
    adds = {path: content for path, content in one.files.items() if there.get(path) != blob_id(content)}
    first = {path: content for path, content in one.first.items() if path not in there}
    gone = sorted({*there} - {*one.files, ".gitattributes"}) if one.sdk == "gradio" else []
    return adds | first, gone


def takes(system: str, only: frozenset[str]) -> bool:
    """Return whether ``--only`` includes a system; what belongs to all of them ("") is included without it."""
    return not only or system in only


def system_of(space: str) -> str:
    """Return the system a Space shows, "" for the roof.

    >>> system_of("iris_monitor"), system_of("air_quality"), system_of("almanac")
    ('iris', 'air_quality', '')
    """
    named = (system for system in timetable() if space == system or space.startswith(f"{system}_"))
    return "air_quality" if space == TODAY else next(named, "")


def repository(deployment: Deployment, space: str) -> str:
    """Return the full name of a Space on the account: jane/almanac for the roof, jane/almanac-wine-monitor."""
    return deployment.hub if space == ROOF else f"{deployment.hub}-{space.replace('_', '-')}"


def data_set(deployment: Deployment) -> str:
    """Return the full name of the data set that holds the tables."""
    return f"{deployment.hub}-{deployment.world}"


def model_repositories(deployment: Deployment, only: frozenset[str]) -> list[str]:
    """Return the full names of the model repositories of these systems."""
    systems = [system for system in timetable() if takes(system, only)]
    models = [import_module(f"shared.systems.{system}.tables").MODEL for system in systems]
    return sorted(f"{data_set(deployment)}-{model}" for model in models)


def completed(readme: str, lists: Mapping[str, Iterable[str]]) -> str:
    r"""Return a Space's README with more lists in its front matter.

    >>> print(completed("---\ntitle: Iris\n---\n\nWhich is it?", {"datasets": ["jane/almanac-demo"]}))
    ---
    title: Iris
    datasets:
    - jane/almanac-demo
    ---
    <BLANKLINE>
    Which is it?
    """
    _, front, text = readme.split("---\n", 2)
    more = "".join(f"{name}:\n" + "".join(f"- {value}\n" for value in values) for name, values in lists.items())
    return f"---\n{front}{more}---\n{text}"


def blob_id(content: bytes) -> str:
    """Return git's id of a file's content, as the Hub lists it.

    >>> blob_id(b"")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def mark_of(text: str) -> tuple[str, str]:
    """Return for whom a Space was made, OWNER/PREFIX, and which page it shows; both "" when it does not say."""
    try:
        told = json.loads(text)
        return str(told.get("hub", "")), str(told.get("space", ""))
    except (ValueError, AttributeError):
        return "", ""


def card(kind: str, name: str) -> str:
    """Return the README.md with which a data set or model repository begins; daily runs write a better one."""
    return f"---\ntags:\n- almanac\n---\n\n# {name}\n\nThis {kind} holds nothing yet: Almanac's daily runs fill it.\n"


def has_our_card(readme: str) -> bool:
    r"""Return whether a README.md says in its front matter that Almanac wrote it.

    >>> has_our_card(card("model", "jane/almanac-demo-iris")), has_our_card("---\n---\nabout almanac")
    (True, False)
    """
    return "- almanac\n" in (readme.split("---\n", 2)[1:2] or [""])[0]


def _page(deployment: Deployment, space: str) -> Wanted:
    files = {path.as_posix(): source.read_bytes() for path, source in contents(space).items()}
    system = system_of(space)
    of_it = frozenset({system} if system else ())
    lists = {"models": model_repositories(deployment, of_it), "datasets": [data_set(deployment)], "tags": ["almanac"]}
    files["README.md"] = completed(files["README.md"].decode(), lists).encode()
    variables = {"ALMANAC_PLATFORM": "hub", "ALMANAC_WORLD": deployment.world, "ALMANAC_HUB": deployment.hub}
    variables |= {"ALMANAC_FRESH_S": FRESH_S, "ALMANAC_HOME": "/tmp/almanac"}  # noqa: S108 - in the Space's container
    name = repository(deployment, space)
    return Wanted(name, space, "gradio", _marked(deployment, space, files), variables=variables)


def _static(deployment: Deployment) -> Wanted:
    files = _marked(deployment, TODAY, {"README.md": STATIC_README.encode()})
    return Wanted(repository(deployment, TODAY), TODAY, "static", files, {"index.html": STATIC_PAGE.encode()})


def _marked(deployment: Deployment, space: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    mark = {"space": space, "hub": deployment.hub, "files": sorted(files)}
    return {**files, MARK: json.dumps(mark, indent=1).encode()}
