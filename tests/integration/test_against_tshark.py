"""Every column of every capture of the shared corpus against tshark; what differs is listed with its reason."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import tshark_oracle  # noqa: E402

CORPUS = HERE.parents[1].parent / "shared" / "data" / "pcap"
MANIFEST = CORPUS / "MANIFEST.tsv"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not MANIFEST.exists(), reason=f"the shared captures are not at {CORPUS}"),
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed"),
]


def read_tsv(path):
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def listed_differences():
    listed = {}
    for entry in read_tsv(HERE / "tshark_differences.tsv"):
        frames = [int(frame) for frame in entry["frames"].split()]
        listed.setdefault(entry["file"], {})[entry["column"]] = frames
        assert entry["reason"]
    return listed


CAPTURES = [entry["file"] for entry in read_tsv(MANIFEST) if entry["format"] != "?"]
LISTED = listed_differences()


@pytest.mark.parametrize("file", CAPTURES)
def test_columns_are_tsharks(file):
    assert tshark_oracle.differences(CORPUS / file) == LISTED.get(file, {})


def test_counts_are_capinfos():
    """Where capinfos reads a file without complaint, it counts the records that we count."""
    if shutil.which("capinfos") is None:
        pytest.skip("capinfos is not installed")
    readable = [entry for entry in read_tsv(MANIFEST) if entry["format"] != "?" and entry["capinfos"] == "ok"]
    said = subprocess.run(
        ["capinfos", "-T", "-r", "-M", "-c", *(str(CORPUS / entry["file"]) for entry in readable)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    theirs = dict(line.split("\t")[:2] for line in said.stdout.splitlines())
    ours = {str(CORPUS / entry["file"]): str(tshark_oracle.our_rows(CORPUS / entry["file"])[1]) for entry in readable}
    assert theirs == ours
