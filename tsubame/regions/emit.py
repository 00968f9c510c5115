"""Records or a region table -> a delegation file of the extended form."""

from __future__ import annotations

import ipaddress
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from tsubame.regions.delegated import DelegatedFile
from tsubame.regions.records import TYPES
from tsubame.regions.table import AVAILABLE, RESERVED, UNDELEGATED, RegionTable


def emit_delegated(file: DelegatedFile) -> bytes:
    """Write a parsed file again: parsing the result gives the same records.

    Comments and malformed lines are left out; counts are those of the records. A date that is not known is
    written as zeros for delegated space, and as nothing for space that is not.
    """
    header = file.header
    tables = {"asn": file.asn, "ipv4": file.ipv4, "ipv6": file.ipv6}
    total = sum(table.num_rows for table in tables.values())
    days = [f"{day:%Y%m%d}" if day else "00000000" for day in (header.first_day, header.last_day)]
    lines = [
        "|".join((header.version, header.registry, header.serial, str(total), *days, _offset(header.utc_offset))),
        *(f"{header.registry}|*|{kind}|*|{tables[kind].num_rows}|summary" for kind in TYPES),
    ]
    for kind in TYPES:
        lines.extend(_lines(header.registry, kind, tables[kind], file.extended))
    return "".join(f"{line}\n" for line in lines).encode()


def emit_table(table: RegionTable, *, registry: str, day: date) -> bytes:
    """Write a region table as one registry's file: reading it gives the same table.

    All delegated space is written as allocated, since a table does not tell allocated from assigned; space in
    no file is left out.
    """
    rows = np.flatnonzero(table.codes != _code(table, UNDELEGATED))
    names = [table.regions[code] for code in table.codes[rows].tolist()]
    plain = [name in (RESERVED, AVAILABLE) for name in names]
    starts, sizes = table.starts[rows].tolist(), table.sizes[rows].tolist()
    holders = [table.holders[code] for code in table.holder_codes[rows].tolist()]
    lines = [
        f"2.3|{registry}|{day:%Y%m%d}|{len(rows)}|00000000|{day:%Y%m%d}|+0000",
        f"{registry}|*|ipv4|*|{len(rows)}|summary",
    ]
    for name, free, start, size, holder in zip(names, plain, starts, sizes, holders, strict=True):
        country, since, status = ("", "", name) if free else (name, "00000000", "allocated")
        address = ipaddress.IPv4Address(start)
        lines.append(f"{registry}|{country}|ipv4|{address}|{size}|{since}|{status}|{holder}")
    return "".join(f"{line}\n" for line in lines).encode()


def _code(table: RegionTable, region: str) -> int:
    return table.regions.index(region) if region in table.regions else -1


def _offset(offset: timedelta) -> str:
    minutes = round(offset.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


def _lines(registry: str, kind: str, records: pa.Table, extended: bool) -> list[str]:
    columns = [records.column(name).to_pylist() for name in ("region", "status", "holder", "date")]
    starts, values = _starts_and_values(kind, records)
    lines = []
    for start, value, region, status, holder, day in zip(starts, values, *columns, strict=True):
        unknown = "00000000" if status in ("allocated", "assigned") else ""
        since = f"{day:%Y%m%d}" if day else unknown
        line = f"{registry}|{region}|{kind}|{start}|{value}|{since}|{status}"
        lines.append(f"{line}|{holder}" if extended else line)
    return lines


def _starts_and_values(kind: str, records: pa.Table) -> tuple[list[str], list[int]]:
    first = records.column("first").to_pylist()
    if kind == "ipv6":
        return [str(ipaddress.IPv6Address(value)) for value in first], records.column("prefix_length").to_pylist()
    sizes = [last - start + 1 for start, last in zip(first, records.column("last").to_pylist(), strict=True)]
    return [str(ipaddress.IPv4Address(start)) if kind == "ipv4" else str(start) for start in first], sizes
