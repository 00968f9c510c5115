"""Every capture of the shared corpus: decoded whole, every record accounted for."""

import csv
from pathlib import Path

import pytest

from tsubame.capture.reader import open_capture
from tsubame.classify.apply import classify_block
from tsubame.errors import UnsupportedCapture

CORPUS = Path(__file__).parents[2].parent / "shared" / "data" / "pcap"
MANIFEST = CORPUS / "MANIFEST.tsv"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not MANIFEST.exists(), reason=f"the shared captures are not at {CORPUS}"),
]

# Where the manifest's own count is not ours, and why.
OTHER_COUNT = {
    # Version 2.0 wrote the original length first (libpcap's sf-pcap.c); capinfos reads one record too.
    "format/nDPI/fuzz-2021-10-13.pcap": 1,
}


def manifest():
    if not MANIFEST.exists():
        return []
    with MANIFEST.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


@pytest.mark.parametrize("entry", manifest(), ids=lambda entry: entry["file"])
def test_every_record_is_accounted_for(entry):
    path = CORPUS / entry["file"]
    with path.open("rb", buffering=0) as stream:
        if entry["format"] == "?":
            with pytest.raises(UnsupportedCapture) as caught:
                open_capture(stream, key=entry["file"])
            assert caught.value.key == entry["file"]
            assert caught.value.offset == 0
            return
        capture = open_capture(stream, key=entry["file"])
        rows = rejects = 0
        for block in capture.blocks():
            classify_block(block)
            rows += block.rows
            rejects += block.rejected
    account = capture.accounting.check()
    assert capture.format == entry["format"]
    assert account.records_read == OTHER_COUNT.get(entry["file"], int(entry["packets"]))
    assert (rows, rows + rejects) == (account.packets_kept, account.records_read)
    assert sum(capture.link_types.values()) == account.records_read
