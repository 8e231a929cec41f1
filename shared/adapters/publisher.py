"""Publishers: nowhere, or a mirror of rows and models in the store that pages read.

    versions that serve or served ──► model repositories ─┐
                                                          ├─► rows, in one commit ──► static pages
    (first, so that no row names a model that is missing) ┘

What is there already is not sent again: a model version by its number, a table's file by its rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.adapters.hub.account import HubAccount, Repo
    from shared.adapters.hub.registry import HubRegistry
    from shared.adapters.hub.store import HubStore
    from shared.ports import FeatureStore, ModelRegistry
    from shared.tables import Table

DECISIONS = "promotions"  # the table whose rows say which versions serve
SERVED = ("promoted", "rolled_back")


class Nowhere:
    """A Publisher for who shows pages where the stages store."""

    configured = False

    def publish(
        self,
        tables: Sequence[Table],
        models: Sequence[str],
        pages: Mapping[str, str] | None = None,
        *,
        every_version: bool = False,
    ) -> str:
        return ""


class Mirror:
    """A Publisher that copies rows and served models from one store and registry to those on the Hub.

    Args:
        origin: where the stages store.
        copy: where pages read.
        site: the account and its static Space, for pages without a program; they are sent when it is there.
    """

    configured = True

    def __init__(
        self,
        origin: tuple[FeatureStore, ModelRegistry],
        copy: tuple[HubStore, HubRegistry],
        site: tuple[HubAccount, Repo],
    ) -> None:
        self._features, self._models = origin
        self._store, self._registry = copy
        self._account, self._today = site

    def publish(
        self,
        tables: Sequence[Table],
        models: Sequence[str],
        pages: Mapping[str, str] | None = None,
        *,
        every_version: bool = False,
    ) -> str:
        chosen = self._models.versions if every_version else self._served
        wanted = [(name, version) for name in models for version in chosen(name)]
        sent = [True for name, version in wanted if self._registry.mirror(self._models, name, version)]
        written = self._store.write_all([(table, self._features.read(table)) for table in tables])
        if refused := sum(one.quarantined for one in written):
            raise BackendError(f"{refused} rows are out of the bounds their tables have now; the others were sent")
        what = [f"{sum(one.rows for one in written)} rows"]
        what += [f"{len(sent)} model versions"] * bool(sent) + ["the static page"] * self._shown(pages or {})
        return f"published {', '.join(what)} to {self._store.repo.name}"

    def _served(self, model: str) -> list[int]:
        """Return the versions that serve or served; all of a model about which nothing is ever decided."""
        for table in self._features.tables():
            if table.name == DECISIONS:
                rows = self._features.read(table, ["model", "version", "verdict"])
                mine = rows[rows["model"] == model]
                if len(mine):
                    return sorted({int(version) for version in mine.loc[mine["verdict"].isin(SERVED), "version"]})
        return self._models.versions(model)

    def _shown(self, pages: Mapping[str, str]) -> bool:
        """Send the static pages where there is a Space for them; return whether there is."""
        if not pages or not self._account.head(self._today):
            return False
        texts = {path: text.encode() for path, text in pages.items()}
        self._account.commit(self._today, "today's pages", texts)
        return True
