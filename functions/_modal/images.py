"""Images of pinned packages, in layers: what all services share first, the code last.

    python ──► what ``shared`` needs ──► what the platform needs ──► what the service needs ──► shared/

Read where the command runs; in a container the pins are absent, and an image is only a name there.
"""

from __future__ import annotations

import modal

from functions._timetable import ROOT, deployment

COPY = "/tmp/almanac"  # noqa: S108 - where a stage works on a copy of its store
LOCKS = "/tmp/almanac-locks"  # noqa: S108 - not in the copy, which is made anew while a stage's lock is held
STORE = ("numpy", "pandas", "pyarrow", "filelock", "httpx", "tenacity")
PLATFORM = {"hub": ("huggingface-hub",), "hopsworks": ("hopsworks[python]",)}  # what its adapter imports
PINS = "constraints.txt"
UV = "0.13.8"  # installs the packages; Modal's own choice would be whatever is newest that day


def image(*packages: str) -> modal.Image:
    """Return a slim image with what ``shared`` needs and ``packages``, at the versions of constraints.txt.

    What all share comes first and the code last, so that an edit builds nothing and a new package one layer. Torch, if
    wanted, is the one without CUDA: 0.2 GB in place of 3.
    """
    own = "--torch-backend=cpu" if "torch" in packages else ""
    return _with_code(_installed(_installed(_base(), *_common()), *packages, options=own))


def gpu_image(*packages: str, pins: str = PINS) -> modal.Image:
    """Return an image as ``image`` does, with CUDA's torch; models from the Hub are kept under /cache, if mounted.

    Other ``pins`` for packages that do not live with ours, such as Unsloth: everything is then at their versions.
    """
    cached = {"HF_HOME": "/cache/huggingface"}
    return _with_code(_installed(_installed(_installed(_base(pins), *_common()), "torch"), *packages).env(cached))


def _base(pins: str = PINS) -> modal.Image:
    base = modal.Image.debian_slim(python_version="3.11")
    path = ROOT / pins
    return base.add_local_file(path, "/constraints.txt", copy=True) if path.exists() else base


def _common() -> tuple[str, ...]:
    return (*STORE, *PLATFORM.get(deployment().platform, ()), *(PLATFORM["hub"] if deployment().hub else ()))


def _installed(base: modal.Image, *packages: str, options: str = "") -> modal.Image:
    """Return the image with packages; what they in turn need is pinned by the same file."""
    pinned = " ".join(word for word in ("--constraints=/constraints.txt", options) if word)
    wanted = list(dict.fromkeys(packages))
    return base.uv_pip_install(*wanted, extra_options=pinned, uv_version=UV) if wanted else base


def _with_code(base: modal.Image) -> modal.Image:
    return base.env({"ALMANAC_HOME": COPY, "ALMANAC_LOCKS": LOCKS}).add_local_python_source("shared")
