"""What tshark says of the outermost IPv4 header of every record: an oracle that no one here wrote."""

import csv
import ipaddress
import subprocess
from pathlib import Path

import numpy as np

from tsubame.capture.blocks import NO_TIME
from tsubame.capture.reader import open_capture

TRANSPORTS = {6: "tcp", 17: "udp", 33: "dccp", 132: "sctp", 136: "udp"}
FIELDS = [
    "frame.number", "frame.encap_type", "frame.time_epoch", "frame.protocols", "ip.src", "ip.dst",
    "ip.proto", "ip.id", "ip.ttl", "ip.len", "ip.frag_offset", "icmp.type", "icmp.code", "tcp.flags",
    "tcp.seq_raw", "tcp.window_size_value",
    *(f"{name}.{side}port" for name in ("tcp", "udp", "dccp", "sctp") for side in ("src", "dst")),
]  # fmt: skip
PREFERENCES = [
    "ip.defragment:FALSE", "tcp.desegment_tcp_streams:FALSE", "tcp.analyze_sequence_numbers:FALSE",
    "tcp.relative_sequence_numbers:FALSE", "ip.check_checksum:FALSE", "tcp.check_checksum:FALSE",
    "udp.check_checksum:FALSE", "ip.decode_tos_as_diffserv:TRUE",
]  # fmt: skip
COLUMNS = (
    "timestamp", "src_address", "dst_address", "protocol", "src_port", "dst_port", "icmp_type", "icmp_code",
    "tcp_flags", "tcp_seq", "tcp_window", "ip_id", "ttl", "ip_length", "fragment_offset",
)  # fmt: skip


def ask_tshark(path: Path) -> list[dict[str, str]]:
    """Return one entry per record that tshark could read."""
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=f", "-E", "separator=/t"]
    for preference in PREFERENCES:
        command += ["-o", preference]
    for field in FIELDS:
        command += ["-e", field]
    said = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    entries = csv.DictReader(said.stdout.splitlines(), fieldnames=FIELDS, delimiter="\t", quoting=csv.QUOTE_NONE)
    # Custom blocks of pcapng are frames to tshark, without a link type; they are no packets.
    return [entry for entry in entries if entry["frame.encap_type"]]


def number(text: str | None) -> int:
    return int(text, 0) if text else 0


def nanoseconds(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    seconds, _, fraction = text.lstrip("-").partition(".")
    if len(fraction) > 9:
        # A fraction above a second is printed as it is, in nanoseconds.
        return int(seconds) * 1_000_000_000 + int(fraction)
    return sign * (int(seconds) * 1_000_000_000 + int(fraction.ljust(9, "0")))


def expected_row(entry: dict[str, str]) -> dict[str, int] | None:
    """Return the row that a record should give, or None when tshark sees no IPv4 as the outermost header."""
    layers = entry["frame.protocols"].split(":")
    if "ip" not in layers or not entry["ip.dst"]:
        return None
    if "ipv6" in layers[: layers.index("ip")]:
        return None
    protocol = number(entry["ip.proto"])
    row = {
        "timestamp": nanoseconds(entry["frame.time_epoch"]) if entry["frame.time_epoch"] else NO_TIME,
        "src_address": int(ipaddress.IPv4Address(entry["ip.src"])),
        "dst_address": int(ipaddress.IPv4Address(entry["ip.dst"])),
        "protocol": protocol,
        "ip_id": number(entry["ip.id"]),
        "ttl": number(entry["ip.ttl"]),
        "ip_length": number(entry["ip.len"]),
        "fragment_offset": number(entry["ip.frag_offset"]),
    }
    row |= dict.fromkeys(set(COLUMNS) - set(row), 0)
    # A transport header belongs to the outermost IPv4 only if that says so: those quoted in ICMP errors and
    # carried in tunnels do not. A later fragment has none.
    if row["fragment_offset"] == 0:
        if name := TRANSPORTS.get(protocol):
            row["src_port"] = number(entry[f"{name}.srcport"])
            row["dst_port"] = number(entry[f"{name}.dstport"])
        if protocol == 6:
            row["tcp_flags"] = number(entry["tcp.flags"]) & 0xFF
            row["tcp_seq"] = number(entry["tcp.seq_raw"])
            row["tcp_window"] = number(entry["tcp.window_size_value"])
        if protocol == 1:
            row["icmp_type"], row["icmp_code"] = number(entry["icmp.type"]), number(entry["icmp.code"])
    return row


def our_rows(path: Path) -> tuple[list[dict[str, int] | None], int]:
    """Return our row of every record (None where it was not kept), and the number of records."""
    rows: list[dict[str, int] | None] = []
    with path.open("rb", buffering=0) as stream:
        capture = open_capture(stream, key=path.name)
        for block in capture.blocks():
            columns = {name: block.column(name).astype(np.int64).tolist() for name in COLUMNS}
            rejected = 0
            for row in range(block.rows + 1):
                while rejected < block.rejected and block.rejects.row[rejected] == row:
                    rows.append(None)
                    rejected += 1
                if row < block.rows:
                    rows.append({name: columns[name][row] for name in COLUMNS})
    return rows, capture.accounting.records_read


def differences(path: Path) -> dict[str, list[int]]:
    """Return, by column, the frames in which we and tshark differ; ``records`` when the counts do."""
    theirs = ask_tshark(path)
    ours, records = our_rows(path)
    found: dict[str, list[int]] = {}
    if records != len(theirs):
        found["records"] = [records, len(theirs)]
    for frame, (own, entry) in enumerate(zip(ours, theirs, strict=False), 1):
        other = expected_row(entry)
        if (own is None) != (other is None):
            found.setdefault("kept" if own is not None else "not_kept", []).append(frame)
        elif own is not None and other is not None:
            for name in COLUMNS:
                if own[name] != other[name]:
                    found.setdefault(name, []).append(frame)
    return found
