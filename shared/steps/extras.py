"""Whether an optional package is there, asked before anything of weight is imported."""

from __future__ import annotations

from importlib.util import find_spec

from shared.errors import MissingExtraError


def needed(what: str, extra: str, *packages: str) -> None:
    """Refuse ``what`` where a package of ``extra`` is not installed; none is imported, which takes no time.

    Raises:
        MissingExtraError: one is not installed; the sentence names the extra.

    >>> needed("reading tables", "base", "pandas", "pyarrow")
    """
    if missing := [package for package in packages if find_spec(package) is None]:
        raise MissingExtraError(f"{what} needs {', '.join(missing)}: pip install 'almanac[{extra}]'")
