"""Benchmarks are scripts: they import each other as such, and hold neither tests nor doctests."""

collect_ignore_glob = ["*.py"]
