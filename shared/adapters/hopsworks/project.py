"""One project on one Hopsworks cluster: nothing is asked before the first use, and one thread asks at a time.

The client keeps its connection in module variables, so a process has one; using another project closes the first.
"""

from __future__ import annotations

import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_one_at_a_time = threading.RLock()
_open: list[tuple[HopsworksProject, Live]] = []  # none or one


@dataclass
class Live:
    """A connection's own handles: the feature store, and what is fetched once."""

    connection: Any
    client: Any
    store: Any
    groups: dict[tuple[str, int], Any] = field(default_factory=dict)  # feature groups, by name and version
    registry: Any = None


@dataclass(frozen=True)
class HopsworksProject:
    """Where to connect to, and the key, which is never shown; pickled to another process it connects there anew.

    Args:
        host: of the cluster, with ``:port`` where it is not 443.
        project: its name.
        api_key: made in Hopsworks under Account settings, API.
        trust: file with the certificate authority of a cluster that has its own; None: the public ones.
    """

    host: str
    project: str
    api_key: str = field(repr=False)
    trust: str | None = None

    @property
    def where(self) -> str:
        """Return host and project, for messages."""
        return f"Hopsworks at {self.host}, project {self.project},"

    @contextmanager
    def asking(self, doing: str) -> Iterator[Live]:
        """Give the live connection to this thread alone; what the client raises becomes one of our errors.

        Args:
            doing: what is asked, as in "cannot read the table tides".

        Raises:
            BackendError: the cluster is down, silent or refuses; NotYetError, BusyError: as it says.
            MissingExtraError: the client is not installed.
        """
        with _one_at_a_time, warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(hsfs|hsml|hopsworks_common|retrying|deltalake)\b")
            warnings.filterwarnings("ignore", message="All jobs associated to feature view")  # we made none
            live = self._live()
            from shared.adapters.hopsworks.faults import translated

            with translated(self.where, doing):
                yield live

    @contextmanager
    def meanwhile(self, doing: str) -> Iterator[Live]:
        """Give the live connection for a small request, also while another thread is at something long."""
        if not _open:
            with self.asking(doing):
                pass
        from shared.adapters.hopsworks.faults import translated

        with translated(self.where, doing):
            yield _open[0][1]

    def _live(self) -> Live:
        if _open and _open[0][0] == self:
            return _open[0][1]
        close()
        from shared.adapters.hopsworks import client as guarded

        host, _, port = self.host.partition(":")
        guarded.prepare()
        from shared.adapters.hopsworks.faults import translated

        with translated(self.where, "let us in"):
            connection = guarded.connect(host, int(port or 443), self.project, self.api_key, self.trust)
            from hopsworks_common import client as vendor

            _open.append((self, Live(connection, vendor._get_instance(), connection._get_feature_store())))
        return _open[0][1]


def close() -> None:
    """Close the connection of this process, where there is one; that removes its certificates."""
    with _one_at_a_time:
        while _open:
            _open.pop()[1].connection._close()
