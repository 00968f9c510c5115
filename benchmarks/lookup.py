"""The region of 10 million source addresses, against binary search and a radix tree (pytricia), in one run.

    python benchmarks/lookup.py [--addresses 10000000]

On the registries' real files where they lie beside the checkout (``regions.py``), on the simulator's otherwise.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import harness
import numpy as np
from harness import Row, say
from others import run_other
from regions import SHARED, cpu_seconds, darknet_addresses

LOOKED_UP_BY_TREE = 1_000_000


def region_table() -> tuple[Any, str]:
    """Return a table of all regions, and whose."""
    from telescope import FIRST_DAY, Shape, settings_in

    from tsubame.pipeline.delegations import open_archive
    from tsubame.regions.delegated import parse_delegated
    from tsubame.regions.table import build_table

    if SHARED.is_dir():
        paths = [path for path in sorted(SHARED.glob("delegated-*")) if path.suffix != ".md5"]
        files = [parse_delegated(path.read_bytes(), key=path.name, types=("ipv4",)) for path in paths]
        return build_table(files), "the registries' files of 2018-10-13"
    with TemporaryDirectory() as folder:
        settings = settings_in(Path(folder), Shape(), stored=False)
        return open_archive(settings).in_use(FIRST_DAY).table, "the simulator's delegations"


def measure(options: argparse.Namespace) -> Iterator[Row]:
    """Yield the figures."""
    from tsubame.regions.lookup import build_lookup, look_up

    table, whose = region_table()
    lookup = build_lookup(table)
    addresses = darknet_addresses(table, np.random.default_rng(2023))[: options.addresses]
    look_up(addresses[:10], lookup)
    say(f"looking up {len(addresses):,} addresses")
    ours, codes = cpu_seconds(lambda: look_up(addresses, lookup), runs=9)
    search, expected = cpu_seconds(
        lambda: table.codes[np.searchsorted(table.starts, addresses, side="right") - 1], runs=3
    )
    text = f"{len(addresses) / 1e6:g} M darknet addresses, {len(table):,} intervals"
    yield Row("lookup.cpu", text, ours, "s CPU", note=f"on {whose}")
    yield Row("lookup.searchsorted", "numpy.searchsorted, against ours", search / ours, "times the CPU")
    yield Row("lookup.differs", "addresses that it finds elsewhere", int((codes != expected).sum()), at_most=0)
    sample = addresses[:LOOKED_UP_BY_TREE]
    with TemporaryDirectory() as folder:
        for name, values in (("starts", table.starts), ("codes", table.codes), ("addresses", sample)):
            np.save(Path(folder, f"{name}.npy"), values)
        say("pytricia")
        run = run_other("pytricia", "pytricia_lookup.py", folder)
        if run is None:
            return
        found = np.load(Path(folder, "found.npy"))
    each = run["cpu"] / len(sample)
    text = f"pytricia, a call an address ({len(sample) / 1e6:g} M of them), against ours"
    yield Row("lookup.pytricia", text, each / (ours / len(addresses)), "times the CPU")
    differing = int((found != expected[: len(sample)]).sum())
    yield Row("lookup.pytricia.differs", "addresses that it finds elsewhere", differing, at_most=0)


if __name__ == "__main__":
    harness.main("lookup", __doc__, measure, {"addresses": 10_000_000})
