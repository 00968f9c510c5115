"""Objects of the lake that changed, were cut, emptied or lost: found by their digests, and made again."""

from pathlib import Path

import pytest

from tests.faults.conftest import FIRST, LAST, NOW, Q1, objects, publish, served
from tests.faults.recording import TO_THE_BYTE
from tsubame.pipeline.counts import count_days
from tsubame.pipeline.quarter import complete_quarter
from tsubame.pipeline.report import gather_quarter

pytestmark = pytest.mark.long


def flip(content):
    """One bit, in the middle."""
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :]


DAMAGES = {
    "one bit changed": flip,
    "cut in half": lambda content: content[: len(content) // 2],
    "emptied": lambda content: b"",
    "lost": None,
}
PLACES = {
    "flows": "flows/jp-a/2023/01/20/*.parquet",
    "counts": "counts/day=2023-01-20/counts.parquet",
    "sources": "sources/day=2023-01-20/sources.parquet",
    "ledger": "ledger/2023-01-20~*.json",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", PLACES)
def test_a_damaged_object_is_found_and_made_again(fault, cluster, calm_quarter, counted, kind, damage):
    with fault(f"{kind} object {damage}", "then the quarter is run and read for its edition") as told:
        (path,) = Path(counted.lake_url).glob(PLACES[kind])
        if DAMAGES[damage] is None:
            path.unlink()
        else:
            path.write_bytes(DAMAGES[damage](path.read_bytes()))
        if kind == "flows":
            # A day is counted from its flows when something about it changed; until then they are not read.
            for record in Path(counted.lake_url, "ledger").glob("2023-01-2[01]~*.json"):
                record.unlink()
            if DAMAGES[damage] is not None:
                assert count_days(counted, FIRST, LAST).rebuilt == (str(path.relative_to(counted.lake_url)),)
        complete_quarter(counted, Q1)
        gather_quarter(counted, Q1, now=NOW)
        assert objects(counted.lake_url) == objects(calm_quarter.lake_url)
        told.held = f"found and made again; {TO_THE_BYTE}"
        if damage == "one bit changed":
            publish(counted)
            assert served(counted) == served(calm_quarter)
            told.held += ", edition the same"
