"""Compile IANA's service registry to the table that ships with ``tsubame.report``.

Usage: python infra/scripts/compile_services.py REGISTRY.csv[.gz] DATE > tsubame/report/data/services.tsv

REGISTRY is the CSV form of IANA's "Service Name and Transport Protocol Port Number Registry". Only facts are
kept: which name belongs to which port and protocol. Of several names of one port and protocol the registry's
first is kept; reserved and unassigned numbers have no name and are left out.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from pathlib import Path

PROTOCOL_LETTERS = {"tcp": "t", "udp": "u", "sctp": "s", "dccp": "d"}
URL = "https://www.iana.org/assignments/service-names-port-numbers/"


def read_assignments(content: bytes) -> dict[tuple[int, int], dict[str, str]]:
    """Return {(first port, last port): {protocol letter: service name}}."""
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    assignments: dict[tuple[int, int], dict[str, str]] = {}
    for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig"))):
        name, ports = row["Service Name"].strip(), row["Port Number"].strip()
        letter = PROTOCOL_LETTERS.get(row["Transport Protocol"].strip().lower())
        if not (name and ports and letter):
            continue
        first, _, last = ports.partition("-")
        assignments.setdefault((int(first), int(last or first)), {}).setdefault(letter, name)
    return assignments


def main(arguments: list[str]) -> int:
    """Write the table to standard output."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    path, dated = arguments
    out = [f"# IANA Service Name and Transport Protocol Port Number Registry as of {dated}: {URL}"]
    out.append("# port (or first-last), service name, protocols (t TCP, u UDP, s SCTP, d DCCP)")
    for (first, last), names in sorted(read_assignments(Path(path).read_bytes()).items()):
        letters: dict[str, str] = {}
        for letter, name in names.items():
            letters[name] = letters.get(name, "") + letter
        ports = str(first) if first == last else f"{first}-{last}"
        out += [f"{ports}\t{name}\t{protocols}" for name, protocols in letters.items()]
    sys.stdout.write("\n".join(out) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
