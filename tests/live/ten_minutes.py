"""What only live accounts can show, in about ten minutes; nothing of it stays behind.

    python tests/live/ten_minutes.py               # with every account that the environment names
    python tests/live/ten_minutes.py hub modal     # with these

Hub:        HF_TOKEN with write access, ALMANAC_HUB=OWNER/ANYTHING (whose account; the prefix is not used)
Hopsworks:  HOPSWORKS_HOST, HOPSWORKS_PROJECT, HOPSWORKS_API_KEY of a project without data of worth
Modal:      MODAL_TOKEN_ID and MODAL_TOKEN_SECRET, or a login by `modal setup`; some cents of GPU time

All it makes is called almanac-trial-… and removed at the end, also after a failure or Ctrl-C. Exit code 1: something
failed, or stayed behind.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from functions import _terminal as terminal  # noqa: E402 - found by the line above
from functions._deploy.deed import acting_for  # noqa: E402
from functions._secrets import hidden  # noqa: E402
from functions._timetable import Deployment  # noqa: E402
from shared.connect import open_platform, open_spaces  # noqa: E402
from shared.errors import UsageError  # noqa: E402
from shared.ports import NewModel  # noqa: E402
from shared.tables import Column, Table  # noqa: E402

Step = tuple[str, Callable[[], str]]
SUITES = ("tests/shared/adapters/test_feature_store.py", "tests/shared/adapters/test_model_registry.py")
ROWS = Table(
    "trial_rows",
    (Column("row", "text"), Column("at", "time"), Column("value", unit="µg/m³", low=0)),
    key=("row",),
    event_time="at",
    about="A trial; to be removed.",
)


class Part:
    """One account: what it lacks, the steps that show something on it, and how all is removed again."""

    name = ""
    needs: tuple[str, ...] = ()

    def lacks(self) -> str:
        """Return why there is nothing to try here, "" when there is."""
        missing = [name for name in self.needs if not os.environ.get(name, "").strip()]
        return f"{', '.join(missing)} not set" if missing else ""

    def steps(self) -> list[Step]:
        raise NotImplementedError

    def remove(self) -> str:
        """Remove all that the steps made, and say so.

        Raises:
            AlmanacError: something stays behind; the message says what.
        """
        return "nothing was made"


class Hub(Part):
    """Hugging Face: tables, models and a static Space, under a name of this run."""

    name, needs = "hub", ("HF_TOKEN", "ALMANAC_HUB")

    def __init__(self) -> None:
        owner = os.environ.get("ALMANAC_HUB", "").partition("/")[0] or "nobody"
        self._there = Deployment("trial", platform="hub", hub=f"{owner}/almanac-trial-{uuid.uuid4().hex[:8]}")
        self._rows = pd.DataFrame(
            {
                "row": [f"row-{number}" for number in range(1000)],
                "at": [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number) for number in range(1000)],
                "value": [number / 7 for number in range(1000)],
            }
        )

    def steps(self) -> list[Step]:
        return [
            ("1,000 rows go up; somebody without a token reads them, from an empty cache", self._round_trip),
            ("two writers at once: the second merges on the first one's commit, nothing is lost", self._two_writers),
            ("a 3 MB model goes up as a large file and comes back with the same hash", self._model),
            ("a static Space is made, runs, and answers", self._static_space),
        ]

    def _round_trip(self) -> str:
        with self._opened() as platform:
            platform.features.write(ROWS, self._rows)
        with self._opened(token=False) as platform:
            read = platform.features.read(ROWS)
        pd.testing.assert_frame_equal(read, self._rows, check_dtype=False)
        return f"{len(read)} rows"

    def _two_writers(self) -> str:
        with self._opened() as one, self._opened() as other:
            one.features.read(ROWS), other.features.read(ROWS)  # both know the same head
            one.features.write(ROWS, self._rows.iloc[:1].assign(value=1.0))
            other.features.write(ROWS, self._rows.iloc[1:2].assign(value=2.0))
            values = one.features.read(ROWS)["value"].iloc[:3].tolist()
        assert values == [1.0, 2.0, 2 / 7], values
        return "both commits are there"

    def _model(self) -> str:
        with TemporaryDirectory() as folder, self._opened() as platform:
            (Path(folder) / "model.ubj").write_bytes(os.urandom(3_000_000))
            saved = platform.models.save(NewModel("trial", Path(folder), {"rmse": 1.0}))
        with self._opened() as platform:
            loaded = platform.models.load("trial", saved.version)
        assert loaded.files == saved.files
        return f"version {loaded.version}"

    def _static_space(self) -> str:
        from functions._deploy.target import Change
        from functions._deploy.to_spaces import SpacesTarget

        with acting_for(self._there):
            target = SpacesTarget(self._there)
            changes = [one for one in target.plan(frozenset()) if one.kind == "static Space"]
            said = [target.apply(one) for one in changes]
            said.append(target.apply(Change("spaces", "start", changes[0].name, "change")))
        return "; ".join(said)

    def remove(self) -> str:
        from functions._deploy.to_spaces import SpacesTarget

        with acting_for(self._there):
            for change in SpacesTarget(self._there).removal(frozenset(), data=True):
                SpacesTarget(self._there).apply(change)
            for kind, name in self._named():  # also what broke off before it said that it is ours
                open_spaces().remove(kind, name)
            left = [name for _, name in self._named()]
        assert not left, f"still there: {', '.join(left)}"
        return f"nothing is left of {self._there.hub}"

    def _named(self):
        """Return the repositories of this run's name, which nobody else's can have."""
        kinds = ("dataset", "model", "space")
        return [(kind, name) for kind in kinds for name in open_spaces().names(kind, self._there.hub)]

    @contextmanager
    def _opened(self, *, token: bool = True):
        """A platform with a cache of its own, as another machine would have it."""
        kept = os.environ["HF_TOKEN"]
        with TemporaryDirectory() as home, acting_for(self._there):
            try:
                os.environ["HF_TOKEN"] = kept if token else ""
                yield open_platform(home=Path(home))
            finally:
                os.environ["HF_TOKEN"] = kept


class Hopsworks(Part):
    """A Hopsworks project: the whole suites of both ports, against it."""

    name, needs = "hopsworks", ("HOPSWORKS_HOST", "HOPSWORKS_PROJECT", "HOPSWORKS_API_KEY")

    def lacks(self) -> str:
        installed = importlib.util.find_spec("hopsworks") is not None
        return super().lacks() or ("" if installed else "its client is missing: pip install 'almanac[hopsworks]'")

    def steps(self) -> list[Step]:
        return [
            (f"the port's whole suite: {Path(suite).stem}", lambda suite=suite: self._suite(suite)) for suite in SUITES
        ]

    def _suite(self, suite: str) -> str:
        where = f"{os.environ['HOPSWORKS_HOST']}/{os.environ['HOPSWORKS_PROJECT']}"
        words = [sys.executable, "-m", "pytest", "-q", "-m", "live", "-k", "hopsworks", suite]
        settings = {**os.environ, "ALMANAC_TEST_HOPSWORKS": where}
        ran = subprocess.run(words, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=1800, check=False)
        last = ran.stdout.strip().splitlines()[-1] if ran.stdout.strip() else ran.stderr.strip()[-300:]
        assert ran.returncode == 0, last
        return last.strip("= ")

    def remove(self) -> str:
        return "each test removes what it made"


def _modal() -> Part:
    from tests.live.modal_trial import Modal

    return Modal()


PARTS: dict[str, Callable[[], Part]] = {"hub": Hub, "hopsworks": Hopsworks, "modal": _modal}


def tried(part: Part) -> list[dict[str, object]]:
    """Return a row a step; what follows a failed step is not tried, and removing is tried always."""
    if why := part.lacks():
        return [{"part": part.name, "outcome": "skipped", "what": "no account", "seconds": 0.0, "said": why}]
    rows: list[dict[str, object]] = []
    try:
        for what, step in part.steps():
            rows.append(_attempt(part.name, what, step))
            if rows[-1]["outcome"] == "failed":
                break
    finally:
        rows.append(_attempt(part.name, "nothing stays behind", part.remove))
    return rows


def _attempt(part: str, what: str, step: Callable[[], str]) -> dict[str, object]:
    clock = time.monotonic()
    with terminal.working(f"{part}: {what}"):
        try:
            outcome, said = "shown", step()
        except Exception as failure:
            outcome, said = "failed", f"{type(failure).__name__}: {failure}"
    seconds = round(time.monotonic() - clock, 1)
    return {"part": part, "outcome": outcome, "what": what, "seconds": seconds, "said": hidden(said)}


def main(names: list[str]) -> int:
    """Try the parts named, all when none is; print a table of what was shown; return 1 if something failed."""
    if unknown := set(names) - set(PARTS):
        raise UsageError(f"there is no part {min(unknown)!r}; there are: {', '.join(PARTS)}")
    rows = [row for name, part in PARTS.items() if not names or name in names for row in tried(part())]
    terminal.say_table("What live accounts show", rows)
    return int(any(row["outcome"] == "failed" for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
