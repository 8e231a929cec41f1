"""What of the repository goes into one app, as digests: equal digests, equal app."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from functions._timetable import ROOT, Deployment, timetable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

COMMON = ("__init__.py", "_timetable.py", "_modal/*.py", "_answering/*.py")  # what services import of functions


def parts(system: str, deployed: Deployment) -> dict[str, str]:
    """Return a digest by what a person would look at when it differs: the code, the pins, modal.toml."""
    functions = [path for name in (*COMMON, f"{system}.py") for path in (ROOT / "functions").glob(name)]
    shared = [path for path in (ROOT / "shared").rglob("*.py") if "pages" not in path.relative_to(ROOT).parts]
    said = json.dumps([asdict(deployed), timetable().get(system, {})], sort_keys=True, default=str)
    return {
        "code": _digest_of_files([*functions, *shared]),
        "constraints.txt": _digest_of_files(ROOT.glob("constraints*.txt")),
        "modal.toml": hashlib.sha256(said.encode()).hexdigest(),
    }


def of_secret(value: str, salt: bytes = b"") -> str:
    """Return what tells later whether a secret is still the same, and not what it is.

    Slow to compute and salted: a token is too long to be guessed from it, and a password is too dear to be.
    """
    salt = salt or os.urandom(16)
    return f"{salt.hex()}:{hashlib.scrypt(value.encode(), salt=salt, n=2**14, r=8, p=1).hex()}"


def is_of(known: str, value: str) -> bool:
    """Return whether ``known`` was made of that secret.

    >>> is_of(of_secret("swordfish"), "swordfish"), is_of(of_secret("swordfish"), "carp"), is_of("", "carp")
    (True, False, False)
    """
    salt, _, _ = known.partition(":")
    return bool(known) and of_secret(value, bytes.fromhex(salt)) == known


def _digest_of_files(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
